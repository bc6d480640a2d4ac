"""`/v1/imports`: files of many records are sent, looked at and followed; templates for tables."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import IO, Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import bindparam, select

from app.core.access.caller import Caller
from app.core.database.statements import Query, Read
from app.core.errors import BadBody, ErrorItem, Invalid, NotFound, TooLarge, UnsupportedType
from app.core.http.bodies import stream_body, type_of
from app.core.http.operations import PathParameter, operation
from app.core.http.resource_writes import WRITERS
from app.core.http.responses import private_json
from app.core.model.resource import RESOURCES, Resource
from app.core.reading.parameters import Digits
from app.exchange.formats.columns import column_of, csv_template
from app.exchange.formats.files import CSV, JSON_LINES, TYPES, XLSX, parse_file, xlsx_template
from app.exchange.imports import store as ledger
from app.exchange.imports.models import IMPORTS, LINES, OPEN, VERDICT, ImportPage, ImportShown, LinePage, Sending

READERS = (*WRITERS, "keys")

ImportId = Annotated[str, StringConstraints(pattern="^[0-9]{20}[a-z]{12}$")]

PATH = {"import_id": PathParameter("Id of the import.", "20261122090000000000abcdefghijkl", ImportId)}

LAST = "~"  # behind every id

POLL_SECONDS = 0.1

BLOCK = 1 << 20

_SHOWN = [IMPORTS.c[name] for name in ImportShown.model_fields]

READ_IMPORT = Query(select(*_SHOWN, IMPORTS.c.key).where(IMPORTS.c.id == bindparam("id")), alone=True)

_PAGE = select(*_SHOWN).where(IMPORTS.c.id < bindparam("before")).order_by(IMPORTS.c.id.desc()).limit(bindparam("most"))

EVERY, OWN = Query(_PAGE, alone=True), Query(_PAGE.where(IMPORTS.c.key == bindparam("key")), alone=True)

_LINES = (
    select(
        *(LINES.c[n] for n in ("number", "verdict", "resource", "record_id", "matched_by", "errors", "diff", "moved"))
    )
    .where(LINES.c.import_id == bindparam("id"), LINES.c.number > bindparam("after"))
    .order_by(LINES.c.number)
    .limit(bindparam("most"))
)

ALL_LINES = Query(_LINES, alone=True)

SOME_LINES = Query(_LINES.where(LINES.c.verdict == bindparam("verdict")), alone=True)


class ImportsQuery(BaseModel):
    """Where to go on, and how far."""

    model_config = ConfigDict(extra="forbid")

    limit: Digits = Field(default=50, ge=1, le=200, description="Items a page.")
    cursor: ImportId | None = Field(default=None, description="Where to go on: taken from `next`.")


class ImportQuery(BaseModel):
    """Whether to wait."""

    model_config = ConfigDict(extra="forbid")

    wait: Digits = Field(default=0, ge=0, le=30, description="Seconds to wait for its end, if it has not ended yet.")


class LinesQuery(BaseModel):
    """Which lines."""

    model_config = ConfigDict(extra="forbid")

    verdict: Annotated[str, VERDICT] | None = Field(default=None, description="Only lines with this verdict.")
    limit: Digits = Field(default=50, ge=1, le=200, description="Items a page.")
    cursor: Digits | None = Field(
        default=None, ge=0, le=2**31 - 1, description="Where to go on: taken from `next`; a line's number."
    )


FILE = {
    JSON_LINES: {"schema": {"type": "string", "description": "A record a line, each with its `resource`."}},
    CSV: {"schema": {"type": "string", "description": "UTF-8; separated by comma, semicolon or tab."}},
    XLSX: {"schema": {"type": "string", "format": "binary", "description": "The first sheet of the workbook."}},
}

TEMPLATE = {CSV: {"schema": {"type": "string"}}, XLSX: {"schema": {"type": "string", "format": "binary"}}}


TAG = {"name": "imports", "description": "Imports of many records from JSON Lines, CSV or XLSX files."}
router = APIRouter(prefix="/v1/imports", tags=["imports"])


@operation(
    router,
    "POST",
    "",
    "Send a file of records",
    returns=ImportShown,
    accepts=FILE,
    scopes=WRITERS,
    statuses={"202": "Received whole, and kept: it is run by itself. Location says where to look."},
    problems=(BadBody, TooLarge, UnsupportedType),
)
async def send_import(request: Request, caller: Caller, query: Sending) -> Response:
    """JSON Lines of any records, as reads show them; or a CSV or XLSX table of one resource, with named columns.

    A line changes what it says and leaves the rest of its record; a new record gets defaults. One without `id` is about
    the record with one of its identifiers, a partner's also about the one with its name or an alias, otherwise about
    the one whose id and title its title makes. A partner may be named by its name wherever its id stands. Links may
    lead to any line of the file. With `version` a line changes that version only. The rules are those of single writes.
    """
    kind = TYPES[type_of(request, TYPES)]
    resource = _resource_of(query, kind)
    importer = request.app.state.importer
    with tempfile.TemporaryFile() as file:
        await _receive(request, file, request.app.state.settings.max_import)
        import_id = await asyncio.to_thread(
            lambda: ledger.store_import(
                importer.database, caller, query, parse_file(file, kind, resource), importer.claim
            )
        )
    importer.send(import_id)
    found = await _find(request, caller, import_id)
    return private_json(found, 202, {"Location": f"/v1/imports/{import_id}"})


def _resource_of(query: Sending, kind: str) -> Resource | None:
    resource = RESOURCES.get(query.resource or "")
    if (kind == JSON_LINES) != (query.resource is None) or (query.resource is not None and resource is None):
        detail = "A table is of one resource, such as projects; JSON Lines say their own."
        raise Invalid(ErrorItem(parameter="resource", code="unknown_resource", detail=detail))
    return resource


async def _receive(request: Request, file: IO[bytes], limit: int) -> None:
    """Write the body to a file, in large blocks; TooLarge past so many bytes."""
    block = bytearray()
    async for piece in stream_body(request, limit):
        block += piece
        if len(block) > BLOCK:
            await asyncio.to_thread(file.write, bytes(block))
            block.clear()
    await asyncio.to_thread(file.write, bytes(block))
    file.seek(0)


@operation(
    router,
    "GET",
    "",
    "List the imports",
    returns=ImportPage,
    scopes=READERS,
)
async def list_imports(request: Request, caller: Caller, query: ImportsQuery) -> Response:
    """Those that were sent with the key that asks, the latest first; to administrators, all of them."""
    values = {"before": query.cursor or LAST, "most": query.limit + 1, "key": caller.key}
    rows = await request.app.state.reader.run(lambda: _rows(EVERY if "keys" in caller.scopes else OWN, values))
    items = [_import(row) for row in rows[: query.limit]]
    more = f"/v1/imports?limit={query.limit}&cursor={items[-1]['id']}" if len(rows) > len(items) else None
    return private_json({"items": items, "next": more})


@operation(
    router,
    "GET",
    "/{import_id}",
    "Follow an import",
    returns=ImportShown,
    in_path=PATH,
    scopes=READERS,
    problems=(NotFound,),
)
async def read_import(request: Request, caller: Caller, query: ImportQuery, import_id: str) -> Response:
    """How far it is, and how many lines came to what. One that is all or nothing shows its counts at its end."""
    until, waiting = time.monotonic() + query.wait, request.app.state.waiting
    while (found := await _find(request, caller, import_id))["status"] in OPEN:
        left = until - time.monotonic()
        if left <= 0 or not await waiting.pause(min(left, POLL_SECONDS), request.receive):
            break
    return private_json(found)


@operation(
    router,
    "GET",
    "/{import_id}/lines",
    "List the lines of an import",
    returns=LinePage,
    in_path=PATH,
    scopes=READERS,
    problems=(NotFound,),
)
async def list_import_lines(request: Request, caller: Caller, query: LinesQuery, import_id: str) -> Response:
    """The verdict on each line, what is wrong with it, or what it changes."""
    found = await _find(request, caller, import_id)
    after = -1 if query.cursor is None else query.cursor
    values = {"id": import_id, "after": after, "most": query.limit + 1, "verdict": query.verdict}
    rows = await request.app.state.reader.run(lambda: _rows(SOME_LINES if query.verdict else ALL_LINES, values))
    items = [_line(*row, table=found["resource"] is not None) for row in rows[: query.limit]]
    more = None
    if len(rows) > len(items):
        only = f"&verdict={query.verdict}" if query.verdict else ""
        more = f"/v1/imports/{import_id}/lines?limit={query.limit}{only}&cursor={items[-1]['number']}"
    return private_json({"items": items, "next": more})


@operation(
    router,
    "GET",
    "/templates/{table}",
    "An empty table of a resource",
    in_path={"table": PathParameter("Resource and format.", "projects.csv", str)},
    answers=TEMPLATE,
    statuses={"200": "The empty table."},
    tagged=False,
    problems=(NotFound,),
)
async def read_import_template(request: Request, table: str) -> Response:
    """A table with the names of the columns; any may be left out, and lists can have more. Its first row is the header.

    The workbook explains the columns on its second sheet.
    """
    name, _dot, end = table.rpartition(".")
    resource = RESOURCES.get(name)
    if resource is None or end not in ("csv", "xlsx"):
        raise NotFound
    content = csv_template(resource) if end == "csv" else await asyncio.to_thread(xlsx_template, resource)
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.{end}"',
        "Cache-Control": request.app.state.settings.cache_control,
    }
    return Response(content, 200, headers, media_type=f"{CSV}; charset=utf-8" if end == "csv" else XLSX)


async def _find(request: Request, caller: Caller, import_id: str) -> dict[str, Any]:
    """The import as ImportShown; NotFound unless it is the caller's, or the caller is an administrator."""
    if not (import_id.isascii() and import_id.isalnum()):
        raise NotFound
    rows = await request.app.state.reader.run(lambda: _rows(READ_IMPORT, {"id": import_id}))
    if not rows or (rows[0][-1] != caller.key and "keys" not in caller.scopes):
        raise NotFound
    return _import(rows[0][:-1])


def _rows(query: Query, values: Mapping[str, Any]) -> Read:
    return (yield query, values)


def _import(row: Any) -> dict[str, Any]:
    shown = dict(zip(ImportShown.model_fields, row, strict=True))
    return {**shown, "dry_run": bool(shown["dry_run"])}


def _line(
    number: int,
    verdict: str | None,
    resource: str | None,
    record_id: str | None,
    matched_by: str | None,
    errors: str | None,
    diff: str | None,
    moved: str | None,
    *,
    table: bool,
) -> dict[str, Any]:
    return {
        "number": number,
        "verdict": verdict,
        "resource": resource,
        "id": record_id,
        "matched_by": matched_by,
        "errors": list(_errors(errors, moved, table=table)),
        "diff": json.loads(diff or "[]"),
    }


def _errors(errors: str | None, moved: str | None, *, table: bool) -> Iterator[dict[str, Any]]:
    """The errors of a line; of a table, with the column of each."""
    for each in json.loads(errors or "[]"):
        pointer = each.get("pointer")
        yield {**each, "column": column_of(pointer, json.loads(moved or "{}"))} if table and pointer else each
