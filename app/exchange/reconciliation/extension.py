"""Data extension: values of records as new columns of a table. The properties are the columns of the exported table."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, Field

from app.core.database.statements import Read
from app.core.errors import ErrorItem, Invalid
from app.core.http.operations import NoParameters
from app.core.model.resource import Resource
from app.core.model.validation import parse_json, validate
from app.core.reading.reads import reading_of
from app.exchange.exports.table_columns import (
    Batch,
    Column,
    record_columns,
    record_decoder,
)
from app.exchange.reconciliation.queries import Text

MAX_RECORDS = 50  # OpenRefine sends 10
MAX_COLUMNS = 50
NAME = "name.en"  # the property that is proposed first


class ExtensionProperty(BaseModel, defer_build=True):
    """A property that is asked for. It has no settings."""

    id: Text
    settings: dict[Text, Any] = Field(default={}, max_length=0)


class ExtensionQuery(BaseModel, defer_build=True):
    """The ids of records, and the properties of which the values are asked for."""

    ids: Annotated[list[Text], Field(max_length=MAX_RECORDS)]
    properties: Annotated[list[ExtensionProperty], Field(max_length=MAX_COLUMNS)]


class PropertyNamed(BaseModel, defer_build=True):
    """A property of records."""

    id: str = Field(description="Name of a column of the exported table.", examples=["name.en"])
    name: str = Field(description="The same name: its meaning is in the guide of tables.")


class Extension(BaseModel, defer_build=True):
    """The values of properties of records."""

    meta: list[PropertyNamed] = Field(description="The properties, in the order of the request.")
    rows: dict[str, dict[str, list[dict[str, str | int | float | bool]]]] = Field(
        description="By record and property, the value as `str`, `int`, `float`, `bool` or `date`. Empty: none."
    )


def parse_extension(text: str) -> ExtensionQuery:
    """Return the request in a JSON text. Raise BadBody if it is not JSON, and Invalid if it is no such request."""
    return validate(ExtensionQuery, parse_json(text.encode(), NoParameters))


def proposed(resource: Resource, kind: str, limit: int | None) -> dict[str, Any]:
    """Return the properties of a resource, the name first."""
    names = sorted(_columns(resource), key=lambda name: name != NAME)
    return {"type": kind, "limit": limit, "properties": _named(names[:limit])}


def read_extension(resource: Resource, query: ExtensionQuery) -> Read:
    """Read the values. A record that does not exist has none."""
    columns = _columns(resource)
    names = list(dict.fromkeys(item.id for item in query.properties))
    for position, item in enumerate(query.properties):
        if item.id not in columns:
            detail = "The records have no such property. `…/extend/propose` lists the properties."
            raise Invalid(
                ErrorItem(
                    pointer=f"/properties/{position}/id",
                    code="unknown_field",
                    detail=detail,
                )
            )
    chosen = tuple(columns[name] for name in names)
    bodies: dict[str, bytes] = yield from reading_of(resource).bodies(query.ids)
    parse = record_decoder(chosen)
    present = [record_id for record_id in query.ids if record_id in bodies]
    records = Batch(parse(bodies[record_id]) for record_id in present)
    rows: dict[str, dict[str, Any]] = {record_id: {name: [] for name in names} for record_id in query.ids}
    for column in chosen:
        for record_id, cell in zip(present, column.cells(records), strict=True):
            rows[record_id][column.name] = [] if cell is None else [_value(column, cell)]
    return {"meta": _named(names), "rows": rows}


def _columns(resource: Resource) -> dict[str, Column]:
    """Return the columns whose cells are single values or lists of ids and codes."""
    return {column.name: column for column in record_columns(resource) if column.kind != "json"}


def _named(names: Iterable[str]) -> list[dict[str, str]]:
    return [{"id": name, "name": name} for name in names]


def _value(column: Column, cell: Any) -> dict[str, Any]:
    if column.kind == "day":
        return {"date": cell}
    if isinstance(cell, bool):
        return {"bool": cell}
    if isinstance(cell, int | float):
        return {"int" if isinstance(cell, int) else "float": cell}
    return {"str": str(cell)}
