"""From a query string to checked values: every parameter of a list or detail is known, typed and documented."""

from collections.abc import Iterable
from functools import cache, cached_property
from typing import Annotated, Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, create_model

from app.core.database.tables import STATE
from app.core.errors import BadQuery, ErrorItem, Invalid
from app.core.model.filters import InstantText, Parameter
from app.core.model.resource import Resource
from app.core.model.validation import error_detail
from app.core.values.text import UNSAFE, suggestion

LONGEST_QUERY = 32_768

MAX_PARAMETERS = 1_000

DEFAULT_LIMIT, MAX_ITEMS = 50, 200

NameList = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+(,[a-z0-9_]+)*$", max_length=1000)]


SearchWords = Annotated[str, StringConstraints(max_length=300)]


def _check_digits(text: Any) -> Any:
    """Digits alone: what Python reads as a number besides (`+5`, `1_0`) is none to other clients."""
    if isinstance(text, str) and not (text.isascii() and text.removeprefix("-").isdigit()):
        raise ValueError("is not a whole number")
    return text


Digits = Annotated[int, BeforeValidator(_check_digits)]


class Queries:
    """The query models of one resource's list and detail, made from its declaration."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource

    @cached_property
    def detail(self) -> type[BaseModel]:
        """Parameters of a detail."""
        about = "As it was at this instant (RFC 3339 in UTC) or at the end of this day; not with `include`."
        as_of = {"as_of": (InstantText | None, Field(default=None, description=about))}
        return query_model(f"{self.resource.shown.__name__}Query", {**self._shape(), **as_of})

    @cached_property
    def page(self) -> type[BaseModel]:
        """Parameters of a list."""
        fields = filter_fields(self.resource.parameters.values())
        about = "Words to find anywhere in a record, as in /v1/search; the best hits first, if no sort is given."
        fields["q"] = (SearchWords | None, Field(default=None, description=about, examples=["khu cong nghiep"]))
        sorts = [sign + name for name in self.resource.all_sorts for sign in ("", "-")]
        about = "Order; `-` for descending. Absent values come last, ties are ordered by id."
        pattern = "^(" + "|".join(sorts) + ")(,-?id)?$"
        sort = Annotated[str, StringConstraints(pattern=pattern)]
        fields["sort"] = (sort, Field(default="id", description=about, examples=sorts[2:3]))
        about = "`draft`, with a key that writes: the drafts that are yours to write, instead of what is public."
        fields["state"] = (Annotated[str, STATE], Field(default="published", description=about))
        fields["limit"] = (Digits, Field(default=DEFAULT_LIMIT, ge=1, le=MAX_ITEMS, description="Items a page."))
        about = "Where to go on: taken from `next`, for the same filters and sort."
        fields["cursor"] = (str | None, Field(default=None, description=about, max_length=1000))
        fields["total"] = (bool, Field(default=False, description="Count all matching records too."))
        return query_model(f"{self.resource.shown.__name__}ListQuery", {**fields, **self._shape()})

    def _shape(self) -> dict[str, Any]:
        shown = list(self.resource.shown.model_fields)
        fields = (
            f"Only these fields, comma-separated (id is always there): {', '.join(shown)}. The answer then lacks "
            "others that its model requires."
        )
        include = (
            f"Read these along, comma-separated: {', '.join(self.resource.includes)}. Followed in the order given: "
            "what the records before it name comes too, so `figures,indicators` brings the figures' indicators."
        )
        return {
            "fields": (NameList | None, Field(default=None, description=fields, examples=["id,citations"])),
            "include": (
                NameList | None,
                Field(default=None, description=include, examples=[",".join(list(self.resource.includes)[:2])]),
            ),
        }


def filter_fields(parameters: Iterable[Parameter]) -> dict[str, Any]:
    """The fields of a query model that are filters."""
    fields: dict[str, Any] = {}
    for parameter in parameters:
        kind = list[parameter.annotation] if parameter.many else parameter.annotation  # type: ignore[name-defined]
        most = MAX_ITEMS if parameter.many else None
        fields[parameter.name] = (kind | None, Field(default=None, description=parameter.about, max_length=most))
    return fields


def query_model(name: str, fields: dict[str, Any]) -> type[BaseModel]:
    """A query model that refuses every other parameter."""
    model: type[BaseModel] = create_model(name, __config__=ConfigDict(extra="forbid", defer_build=True), **fields)
    return model


@cache
def _takes_many(model: type[BaseModel]) -> dict[str, bool]:
    """The parameters of a model, and whether each may be repeated."""
    return {
        name: any(getattr(rule, "max_length", None) == MAX_ITEMS for rule in field.metadata)
        for name, field in model.model_fields.items()
    }


@cache
def _has_no_parameters(model: type[BaseModel]) -> BaseModel | None:
    """What holds when nothing is asked; None where something must be."""
    needs_something = any(field.is_required() for field in model.model_fields.values())
    return None if needs_something else model()


def parse_query(model: type[BaseModel], query_string: bytes) -> BaseModel:
    """The checked parameters; BadQuery when it cannot be read, Invalid with one error for each mistake otherwise."""
    if not query_string and (nothing := _has_no_parameters(model)) is not None:
        return nothing
    given: dict[str, Any] = {}
    errors: list[ErrorItem] = []
    known = _takes_many(model)
    for name, value in _pairs(query_string):
        if name not in known:
            errors.append(unknown_parameter(name, list(known)))
        elif known[name]:
            given.setdefault(name, []).append(value)
        elif name in given:
            errors.append(ErrorItem(parameter=name, code="repeated", detail="This parameter is given once."))
        else:
            given[name] = value
    try:
        checked = model.model_validate(given)
    except ValidationError as error:
        errors += [
            ErrorItem(parameter=str(each["loc"][0]), code="invalid_value", detail=error_detail(each))
            for each in error.errors(include_url=False, include_input=False)
        ]
    if errors:
        raise Invalid(*errors)
    return checked


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    if len(query_string) > LONGEST_QUERY:
        raise BadQuery(f"The query string is longer than {LONGEST_QUERY} bytes.")
    try:
        text = query_string.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise BadQuery(f"The query string is not percent-encoded UTF-8, or has over {MAX_PARAMETERS} parts.") from None
    if any(UNSAFE.search(name) or UNSAFE.search(value) for name, value in pairs):
        raise BadQuery("The query string holds a control character.")
    return pairs


def unknown_parameter(name: str, known: list[str]) -> ErrorItem:
    """The error for a name that is no parameter, with the nearest that is; the name itself is not repeated."""
    return ErrorItem(code="unknown_parameter", detail=f"There is no such parameter here.{suggestion(name, known)}")
