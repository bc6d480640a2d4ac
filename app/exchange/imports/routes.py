"""`/v1/imports`: sending a file, following, cancelling and deleting its import, and templates of tables."""

import asyncio
import contextlib
import time
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.access.clients import client_of
from app.core.errors import BadBody, Conflict, ErrorItem, Invalid, NotFound, TooLarge, UnsupportedType, language_of
from app.core.http.bodies import charset_of, type_of
from app.core.http.guarded_endpoints import PageQuery, page_of, run_transaction
from app.core.http.operations import PathParameter, operation
from app.core.http.responses import private_json
from app.core.http.write_endpoints import WRITERS
from app.core.model.resource import RESOURCES
from app.core.public_paths import public
from app.core.reading.parameters import ONLY_DIGITS, Digits
from app.core.translation import in_language
from app.exchange.formats.lines import Reading
from app.exchange.formats.media_types import (
    CSV,
    FORMATS,
    JSON_LINES,
    SUFFIXES,
    TEMPLATES,
    XLSX,
    XML,
    TableSettings,
    allows_resource,
    parse_file,
)
from app.exchange.formats.options import TableOptions
from app.exchange.imports.database_tables import DELETED, OPEN, VERDICT, Import
from app.exchange.imports.models import ImportDetail, ImportPage, LinePage, SendOptions
from app.exchange.imports.storage import claims
from app.exchange.imports.storage.deletion import mark_deleted
from app.exchange.imports.storage.reading import (
    ALL_IMPORTS,
    ALL_LINES,
    LINE_COLUMNS,
    LINES_WITH_VERDICT,
    OWN_IMPORTS,
    page_rows,
    read_own_import,
    read_rows,
    shown_import,
    shown_line,
)
from app.exchange.mappings.stored import mapping_for

READERS = (*WRITERS, "keys")

ImportId = Annotated[str, StringConstraints(pattern="^[0-9]{20}[a-z]{12}$")]
PATH = {"import_id": PathParameter("Id of the import.", "20261122090000000000abcdefghijkl", ImportId)}
AFTER_ALL_IDS = "~"

POLL_SECONDS = 0.1  # at first, until the next read of an import for which a client waits
MAX_POLL_SECONDS = 1.0


class ImportsQuery(PageQuery):
    """The parameters of the list of imports."""

    cursor: ImportId | None = Field(default=None, description="Start of the page, from `next` of the previous page.")


class ImportQuery(BaseModel):
    """The parameters of one import."""

    model_config = ConfigDict(extra="forbid")

    wait: Digits = Field(
        default=0, ge=0, le=30, description="Seconds to wait for the end of the import before responding."
    )


class LinesQuery(BaseModel):
    """The parameters of the lines of an import."""

    model_config = ConfigDict(extra="forbid")

    verdict: Annotated[str, VERDICT] | None = Field(default=None, description="Only lines with this verdict.")
    limit: Digits = Field(default=50, ge=1, le=200, description="Maximum number of items on a page.")
    cursor: Annotated[int, Field(ge=0, le=2**31 - 1), ONLY_DIGITS] | None = Field(
        default=None, description="Start of the page, from `next` of the previous page."
    )


BINARY = {"type": "string", "format": "binary"}
FILE = {
    CSV: {"schema": {**BINARY, "description": "UTF-8, or with `charset`. Commas, semicolons, tabs or bars."}},
    XLSX: {"schema": {**BINARY, "description": "One sheet of the workbook is read."}},
    XML: {"schema": {**BINARY, "description": "An IATI file that a registry of this program has exported."}},
    # A client that treats every format as bytes sends the last one.
    JSON_LINES: {"schema": {**BINARY, "description": "One record on each line, with its `resource`."}},
}
TEMPLATE = {CSV: {"schema": {"type": "string"}}, XLSX: {"schema": BINARY}}


TAG = {
    "name": "imports",
    "description": "Imports of many records from JSON Lines, CSV, XLSX or IATI files, and mappings of the columns of "
    "tables.",
}
router = APIRouter(prefix="/v1/imports", tags=["imports"])


@operation(
    router,
    "POST",
    "",
    "Send a file of records",
    returns=ImportDetail,
    accepts=FILE,
    scopes=WRITERS,
    statuses={"202": "The file was received and stored. The import runs in the background; its URL is in Location."},
    problems=(BadBody, Conflict, TooLarge, UnsupportedType),
)
async def send_import(request: Request, caller: Caller, query: SendOptions) -> Response:
    """Import JSON Lines with records of any resource, as the API returns them, or a CSV or XLSX table of one resource,
    whose columns have the names of its template or are explained by a stored `mapping`, or an IATI file of version
    2.01, 2.02 or 2.03. The records of a file that a registry of this program has exported are read from the extension,
    without their versions and times. Of other files, `iati` in the import lists the elements that were not imported.

    A line changes the members that it contains and leaves the others as they are. In a new record, the others get their
    defaults. A line without `id` updates the record that has one of its identifiers. A partner is also found by its
    name or an alias, other records by their title, unless the line states another manager or another code of one
    register. Otherwise it creates a record. A line that can be about several records is refused as `ambiguous`.

    In a table, a blank cell changes nothing, and the text `[clear]` removes the value.

    A link can contain the name or a code of a record in place of its id. Links can lead to records of any line of the
    file. A line with `version` is refused if it would change another version. The rules of single writes apply.

    With `mode=all`, a file has at most 5,000 lines, since other writers wait for it; with `mode=rows`, at most 200,000.
    A key can have at most 10 open imports, and its stored imports have a quota of bytes. Beyond that it gets 429.

    A dry run reports what each line would do if it were written now. With `mode=rows`, it looks at the lines in chunks.
    Each chunk sees the current registry and the lines to which its own lines link. The import itself can have other
    verdicts for lines that depend on each other without a link, for example if several lines have the same code.
    """
    file_format = FORMATS[type_of(request, FORMATS)]
    if not allows_resource(file_format, query.resource):
        detail = "A table needs the name of its resource, such as projects. In JSON Lines, each line states its own."
        raise Invalid(ErrorItem(parameter="resource", code="unknown_resource", detail=detail))
    resource = RESOURCES.get(query.resource or "")
    settings = TableSettings(charset_of(request), query.table_options)
    if resource is None:
        _refuse_table_parameters(query, file_format)
    elif query.mapping is not None:
        settings.mapping = await run_transaction(request, caller, mapping_for, query.mapping, resource.name)
    _check_complete(caller, query)
    importer = request.app.state.importer
    receiver = request.app.state.receiver
    await importer.check_quota(caller)
    async with receiver.receive(request) as file:

        def store(reading: Reading) -> str:
            with contextlib.closing(parse_file(file, file_format, resource, reading, settings)) as lines:
                stored_id: str = importer.store(caller, query.import_options, lines, reading)
                return stored_id

        import_id: str = await receiver.read(request, store, in_child=file_format == XLSX)
    await importer.send(import_id, caller.key)
    import_shown = await read_own_import(request, caller, import_id)
    return private_json(import_shown.model_dump(), 202, {"Location": public(f"/v1/imports/{import_id}")})


def _check_complete(caller: Caller, query: SendOptions) -> None:
    """Raise Invalid if the key has no partner whose records a file can contain, or if `missing` stands alone."""
    if query.complete and caller.partner is None:
        detail = "complete=true needs a key with a partner, whose records the file contains."
        raise Invalid(ErrorItem(parameter="complete", code="invalid_value", detail=detail))
    if query.missing == "withdraw" and not query.complete:
        detail = "Records can be withdrawn only if the file is complete: complete=true."
        raise Invalid(ErrorItem(parameter="missing", code="invalid_value", detail=detail))


def _refuse_table_parameters(query: SendOptions, file_format: str) -> None:
    """Raise Invalid if another file is sent with a parameter of tables. IATI files have numbers in texts too."""
    allowed = ("decimal",) if file_format == XML else ()
    for name in ("mapping", *TableOptions.model_fields):
        if getattr(query, name) is not None and name not in allowed:
            detail = "This parameter says how a table is read. It is not allowed with other files."
            raise Invalid(ErrorItem(parameter=name, code="invalid_value", detail=detail))


@operation(router, "GET", "", "List the imports", returns=ImportPage, scopes=READERS)
async def list_imports(request: Request, caller: Caller, query: ImportsQuery) -> Response:
    """Return the imports that were sent with this key, the latest first. With the scope `keys`, return all imports."""
    values = {"before": query.cursor or AFTER_ALL_IDS, "limit": query.limit + 1, "key": caller.key}
    rows = await read_rows(request, ALL_IMPORTS if "keys" in caller.scopes else OWN_IMPORTS, values)
    page = page_of([shown_import(row) for row in rows], query.limit, "/v1/imports?")
    return private_json(in_language(page, language_of(request.scope)))


@operation(
    router,
    "GET",
    "/{import_id}",
    "Follow an import",
    returns=ImportDetail,
    in_path=PATH,
    scopes=READERS,
    problems=(NotFound,),
)
async def read_import(request: Request, caller: Caller, query: ImportQuery, import_id: str) -> Response:
    """Return the status of an import and its counts. With the mode `all`, the lines are counted when it ends."""
    deadline = time.monotonic() + query.wait
    seconds = POLL_SECONDS
    client = client_of(request.scope)
    import_shown = await read_own_import(request, caller, import_id)
    while import_shown.status in OPEN:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            break
        waiting = request.app.state.waiting
        # The longer a request waits, and the more requests of its client do, the less often it looks.
        pause = seconds * (1 + waiting.count(client) // 4)
        if not await waiting.pause(min(remaining, pause), request.receive, client):
            break
        seconds = min(seconds * 1.3, MAX_POLL_SECONDS)
        import_shown = await read_own_import(request, caller, import_id)
    return private_json(in_language(import_shown.model_dump(), language_of(request.scope)))


@operation(
    router,
    "POST",
    "/{import_id}/cancel",
    "Cancel an import",
    returns=ImportDetail,
    in_path=PATH,
    scopes=READERS,
    problems=(NotFound, Conflict),
)
async def cancel_import(request: Request, caller: Caller, import_id: str) -> Response:
    """End an open import at its next chunk. With the mode `all`, nothing is written. With the mode `rows`, the lines
    that have a verdict stay written. A second cancellation changes nothing. 409 means that the import has
    ended otherwise.
    """
    await run_transaction(request, caller, _cancel, import_id)
    import_shown = await read_own_import(request, caller, import_id)
    return private_json(in_language(import_shown.model_dump(), language_of(request.scope)))


def _cancel(session: Session, caller: Caller, import_id: str) -> None:
    row = _own_import(session, caller, import_id)
    if row.status in OPEN:
        claims.cancel_import(row)
    elif row.status != "cancelled":
        raise Conflict("The import has ended.")


@operation(
    router,
    "DELETE",
    "/{import_id}",
    "Delete an import",
    in_path=PATH,
    scopes=READERS,
    statuses={"204": "Deleted."},
    problems=(NotFound, Conflict),
)
async def delete_import(request: Request, caller: Caller, import_id: str) -> Response:
    """Delete an import that has ended, with its lines. The records that it wrote stay.

    Its space counts for the quota of the key until all lines are deleted, shortly afterwards. An open import gets 409.
    """
    await run_transaction(request, caller, _delete, import_id)
    request.app.state.pruner.wake()
    return Response(None, 204)


def _delete(session: Session, caller: Caller, import_id: str) -> None:
    row = _own_import(session, caller, import_id)
    if row.status in OPEN:
        raise Conflict("The import is open. Cancel it first.")
    mark_deleted(row)


def _own_import(session: Session, caller: Caller, import_id: str) -> Import:
    """Return an import, locked. Raise NotFound unless the caller sent it or has the scope `keys`."""
    caller.require(*READERS)
    row = session.get(Import, import_id, with_for_update=True)
    if row is None or row.status == DELETED or (row.key != caller.key and "keys" not in caller.scopes):
        raise NotFound
    return row


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
    """Return the lines with their verdicts, the errors for which they are refused, and the changes.

    A page has fewer lines than `limit` if they are long.
    """
    import_shown = await read_own_import(request, caller, import_id)
    after = -1 if query.cursor is None else query.cursor
    values = {"id": import_id, "after": after, "limit": query.limit + 1, "verdict": query.verdict}
    rows = await read_rows(request, LINES_WITH_VERDICT if query.verdict else ALL_LINES, values)
    table = import_shown.table
    columns = (table.columns if table else []) if import_shown.resource else None
    language = language_of(request.scope)
    lines = [dict(zip(LINE_COLUMNS, row, strict=True)) for row in page_rows(rows[: query.limit])]
    items = [shown_line(line, columns, language) for line in lines]
    next_page = None
    if len(rows) > len(items):
        verdict = f"&verdict={query.verdict}" if query.verdict else ""
        path = f"/v1/imports/{import_id}/lines?limit={query.limit}{verdict}&cursor={items[-1]['number']}"
        next_page = public(path)
    return private_json({"items": items, "next": next_page})


@operation(
    router,
    "GET",
    "/templates/{table}",
    "Download a template",
    in_path={"table": PathParameter("Resource and format.", "projects.csv", str)},
    answers=TEMPLATE,
    statuses={"200": "The empty table."},
    tagged=False,
    problems=(NotFound,),
)
async def read_import_template(request: Request, table: str) -> Response:
    """Return an empty table of a resource. Its first row contains the names of the columns.

    Columns can be left out, and columns for more items of a list added, such as `places.2`. In a workbook, cells of
    codes offer the codes with their labels, and two more sheets explain the columns and the codes.
    """
    name, dot, suffix = table.rpartition(".")
    resource = RESOURCES.get(name)
    media_type = SUFFIXES.get(dot + suffix, "")
    if resource is None or media_type not in TEMPLATES:
        raise NotFound
    content = await asyncio.to_thread(TEMPLATES[media_type], resource)
    headers = {
        "Content-Disposition": f'attachment; filename="{table}"',
        "Cache-Control": request.app.state.settings.cache_control,
    }
    return Response(content, 200, headers, media_type=media_type)
