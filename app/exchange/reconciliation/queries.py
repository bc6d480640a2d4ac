"""A batch of queries, as OpenRefine sends it: a JSON object in the form member or query parameter `queries`."""

from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

from fastapi import Request
from pydantic import BaseModel, Field, RootModel, StringConstraints

from app.core.errors import ErrorItem, Invalid
from app.core.http.bodies import read_body
from app.core.http.operations import NoParameters
from app.core.model.validation import parse_json, validate
from app.core.reading.parameters import SearchWords

QUERIES = "queries"
EXTEND = "extend"
MEMBERS = (QUERIES, EXTEND)  # of a form
FORM = "application/x-www-form-urlencoded"
MAX_FORM = 50_000  # bytes
MAX_QUERIES = 20  # in a batch; OpenRefine sends 10
MAX_PROPERTIES = 10
MAX_VALUES = 10
MAX_RESULTS = 25  # candidates of one query
DEFAULT_RESULTS = 5

Text = Annotated[str, StringConstraints(max_length=300)]


class Reconciled(BaseModel, defer_build=True):
    """A value that is a record, because its column was reconciled before."""

    id: Text
    name: Text = ""


Value = Text | int | float | bool | Reconciled


class Property(BaseModel, defer_build=True):
    """A value of another column."""

    pid: Text
    v: Value | Annotated[list[Value], Field(max_length=MAX_VALUES)]

    @property
    def values(self) -> list[Value]:
        """The values as a list."""
        return self.v if isinstance(self.v, list) else [self.v]


class ReconciliationQuery(BaseModel, defer_build=True):
    """One name, and what other columns say."""

    query: SearchWords = ""
    type: Text | Annotated[list[Text], Field(max_length=MAX_VALUES)] = []
    limit: int = Field(default=DEFAULT_RESULTS, ge=1)
    properties: list[Property] = Field(default=[], max_length=MAX_PROPERTIES)
    type_strict: Literal["any", "should", "all"] | None = None

    @property
    def types(self) -> set[str]:
        """The types of which candidates may be; empty for any type."""
        return {self.type} if isinstance(self.type, str) else set(self.type)

    def values_of(self, pid: str) -> list[Value]:
        """Return all values of a property."""
        values: list[Value] = []
        for item in self.properties:
            values += item.values if item.pid == pid else []
        return values


class Batch(RootModel[Annotated[dict[Text, ReconciliationQuery], Field(max_length=MAX_QUERIES)]]):
    """The queries by their keys, which the response has too."""


def parse_batch(text: str) -> dict[str, ReconciliationQuery]:
    """Return the queries in a JSON text. Raise BadBody if it is not JSON, and Invalid if it is no batch."""
    value = parse_json(text.encode(), NoParameters)
    return validate(Batch, value).root


async def member_of_form(request: Request) -> tuple[str, str]:
    """Return the name and the JSON text of what a form asks for."""
    body = await read_body(request, (FORM,), MAX_FORM)
    try:
        form: dict[str, Any] = parse_qs(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=5)
        (name,) = (name for name in MEMBERS if name in form)
        (text,) = form[name]
    except ValueError:
        detail = "The form needs one member: queries or extend, a JSON object that is percent-encoded in UTF-8."
        raise Invalid(ErrorItem(pointer="/queries", code="invalid_value", detail=detail)) from None
    return name, str(text)
