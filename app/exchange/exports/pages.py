"""Files of reads that return no records: hits of a search, entries of the timeline, findings, groups, counts.

Such a file has the items of all pages of the read, one page after the other. Each page is a read of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, Field

from app.core.errors import ErrorItem, Invalid, TooLarge
from app.core.http.operations import Endpoint, Model, model_of
from app.core.model.labels import LABELS
from app.core.reading.parameters import FIELDS_OF_FILES_TEXT, MAX_ITEMS, OF_FILES, ONLY_DIGITS, Names, query_model
from app.core.values.json import from_json, to_json
from app.core.values.text import Suggestions
from app.exchange.exports.reading import Chunk, ReadChunk, Write, cursor_in
from app.exchange.exports.sending import in_thread
from app.exchange.exports.table_columns import Column, TableStyle
from app.exchange.exports.tables import Rows, one_group
from app.exchange.formats.schema_paths import LABEL

JSON_LINES = "jsonl"
SHAPES = ("labels", "lang")
IF_NONE_MATCH = b"if-none-match"


@dataclass(frozen=True)
class PagedRead:
    """A read with items, and the table of its items.

    `items` returns those of a response. `columns` depend on the query of some reads. `is_cut` returns whether a
    response lacks items although the read has no further page.
    """

    name: str
    path: str
    tag: str  # under which the contract lists it
    row: str  # the word for one row
    query: Model
    endpoint: Endpoint
    items: Callable[[Any], list[dict[str, Any]]]
    columns: Callable[[Any, TableStyle], Sequence[Column]]
    is_cut: Callable[[Any], bool] = lambda _: False

    @property
    def page_query(self) -> type[BaseModel]:
        """The parameters of a page."""
        model: type[BaseModel] = model_of(self.query)
        return model

    @property
    def most(self) -> int:
        """The largest number of items on a page."""
        bounds = [bound.le for bound in self.page_query.model_fields["limit"].metadata if hasattr(bound, "le")]
        return int(max([MAX_ITEMS, *bounds]))

    @property
    def page_size(self) -> int:
        """The number of items on a page of a file without `limit`."""
        return self.most


@cache
def file_query(paged: PagedRead) -> type[BaseModel]:
    """Return the query model of the file of a read: its parameters, and those of every file."""
    own = {name: (field.annotation, field) for name, field in paged.page_query.model_fields.items()}
    text = "Maximum number of items. Without it: all items."
    kind = Annotated[int, Field(ge=1, le=paged.most), ONLY_DIGITS]
    fields: dict[str, Any] = {**own, **OF_FILES, "limit": (kind | None, Field(default=None, description=text))}
    fields["fields"] = (Names, Field(default=None, description=FIELDS_OF_FILES_TEXT))
    return query_model(f"{paged.page_query.__name__}OfFile", fields)


def left_out(paged: PagedRead) -> list[str]:
    """Return the parameters of a page that the contract does not repeat for the file."""
    return [
        name
        for name, field in paged.page_query.model_fields.items()
        if not field.is_required() and name not in OF_FILES
    ]


def rows_of_items(paged: PagedRead, query: Any, ending: str) -> Rows:
    """Return the table of the items of a read."""
    columns = paged.columns(query, TableStyle(query.labels, query.lang))
    if query.fields:
        chosen = set(query.fields.split(","))
        _check_fields(chosen, columns)
        columns = [column for column in columns if _field_of(column) in chosen]
    missing = [name for name in SHAPES if getattr(query, name) and name not in paged.page_query.model_fields]
    if ending == JSON_LINES and missing:
        detail = "These JSON Lines cannot have labels, or one language. This parameter is for CSV and workbooks."
        raise Invalid(*(ErrorItem(parameter=name, code="invalid_value", detail=detail) for name in missing))

    def lines(items: Sequence[dict[str, Any]]) -> bytes:
        return b"".join([to_json(_chosen(item, query.fields)) + b"\n" for item in items])

    return Rows(paged.name, tuple(columns), one_group(list), lines)


def page_chunks(request: Request, paged: PagedRead, query: Any, ending: str) -> ReadChunk:
    """Return what reads the pages of a read, through the endpoint that serves them."""
    names = query.model_fields_set & paged.page_query.model_fields.keys()
    if ending != JSON_LINES:
        names -= set(SHAPES)  # their columns are made of codes and texts
    values = {name: getattr(query, name) for name in names} | {"limit": query.limit or paged.page_size}

    async def read(write: Write, cursor: str | None) -> Chunk:
        at_cursor = {**values, "cursor": cursor} if cursor else values
        page_query = paged.page_query.model_construct(_fields_set={*at_cursor}, **at_cursor)
        response = await paged.endpoint(_page_request(request, cursor), query=page_query)
        tag = response.headers["etag"].strip('"')
        if response.status_code == 304:
            return Chunk(tag, is_current=True)
        content, written = await in_thread(_written, paged, bytes(response.body), write, query.limit is None)
        next_path = content.get("next")
        return Chunk(tag, written, cursor_in(next_path), next_path)

    return read


def _written(paged: PagedRead, body: bytes, write: Write, wants_all: bool) -> tuple[Any, Any]:
    content = from_json(body)
    if wants_all and paged.is_cut(content):
        raise TooLarge("There are more items than a response can contain. Use filters, or state `limit`.")
    return content, write(paged.items(content))


def _page_request(request: Request, cursor: str | None) -> Request:
    """Return the request for a page. Only the first request can get 304."""
    if cursor is None:
        return request
    scope = dict(request.scope)
    scope["headers"] = [header for header in scope["headers"] if header[0] != IF_NONE_MATCH]
    scope["query_string"] = b"%s&cursor=%s" % (scope["query_string"], cursor.encode())
    return Request(scope, request.receive)


def _field_of(column: Column) -> str:
    return column.name.partition(".")[0].removesuffix(LABEL)


def _check_fields(chosen: set[str], columns: Sequence[Column]) -> None:
    names = dict.fromkeys(map(_field_of, columns))
    unknown = sorted(chosen - names.keys())
    if unknown:
        suggestion = Suggestions().similar_to(unknown[0], names)
        detail = f"fields contains a name that is not a field of this table.{suggestion}"
        raise Invalid(ErrorItem(parameter="fields", code="unknown_field", detail=detail))


def _chosen(item: Mapping[str, Any], fields: str | None) -> Mapping[str, Any]:
    return item if fields is None else {name: item[name] for name in (*fields.split(","), LABELS) if name in item}
