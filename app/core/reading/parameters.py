"""Query parameters: the models of lists and details, and the parser of a query string."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum
from functools import cache, cached_property
from itertools import chain
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, create_model
from pydantic.fields import FieldInfo

from app.core.database.tables import STATE
from app.core.errors import MAX_ERRORS, BadQuery, ErrorItem, Invalid
from app.core.model.filters import InstantText, Parameter
from app.core.model.labels import Language
from app.core.model.resource import COMPUTED_INCLUDES, Resource
from app.core.model.validation import error_detail
from app.core.public_paths import public
from app.core.reading.cursors import MAX_CURSOR
from app.core.values.text import PLAIN_NAME, UNSAFE, Suggestions

MAX_QUERY_LENGTH = 32_768  # bytes
MAX_PARAMETERS = 400  # in one query string; counted before they are decoded
DEFAULT_LIMIT = 50
MAX_ITEMS = 200
MAX_CHUNK = 1_000  # records of an export that are read at once
MAX_BRACKETED = 20  # parameters of the form fields[partners]
FIELDS_TEXT = "Return only these fields, separated by commas (`id` is always included): {names}."
FIELDS_OF_FILES_TEXT = "Only these fields of the records, separated by commas. The `id` is always included."
LIMIT_TEXT = "Maximum number of items on a page. A page with fewer and a `next` has as many as fit into 4 MB."

# Parameters with names in brackets are the members of one field: `fields[partners]=name` is {"partners": "name"}.
BRACKETED = re.compile(r"fields\[([a-z_]{1,40})\]")
FIELDS_OF_INCLUDED = "included_fields"
NameList = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+(,[a-z0-9_]+)*$", max_length=1000)]
FieldsOfIncluded = Annotated[dict[str, NameList], Field(max_length=MAX_BRACKETED)]
SearchWords = Annotated[str, StringConstraints(max_length=300)]


def _check_digits(text: Any) -> Any:
    """Refuse numbers that only Python reads as such (`+5`, `1_0`)."""
    if isinstance(text, str) and not (text.isascii() and text.removeprefix("-").isdigit()):
        raise ValueError("This is not an integer.")
    return text


# Bounds of a number that can be left out belong before it, or the contract does not state them:
# Annotated[int, Field(ge=1), ONLY_DIGITS] | None.
ONLY_DIGITS = BeforeValidator(_check_digits)
Digits = Annotated[int, ONLY_DIGITS]


class CommaSeparated:
    """A mark of parameters that take names with commas. If such a parameter is repeated, its values are joined."""


SEPARATED = CommaSeparated()
Names = Annotated[NameList | None, SEPARATED]

FIELDS_OF_INCLUDED_TEXT = (
    "Return only these fields of included records. The parameter is named after the name in `include`: "
    "`fields[partners]=name,kind`."
)
LABELS_TEXT = (
    "Add `labels` in this language to each record: the label of each code, and a text for each date, by JSON Pointer "
    '(`"/status": "Đang thực hiện"`, `"/period": "đến 12/2022"`).'
)
LANG_TEXT = (
    "Return each text in this language only. The key of the language map states the language: if a text does not "
    "exist in the requested one, the map has another. Do not send such a record back with PUT."
)
LANGUAGES: dict[str, Any] = {
    "labels": (Language | None, Field(default=None, description=LABELS_TEXT, examples=["vi"])),
    "lang": (Language | None, Field(default=None, description=LANG_TEXT, examples=["vi"])),
}
LIMIT_OF_FILES_TEXT = (
    "Maximum number of records. Without it: all records. If there are more, `Link` has the path of the rest."
)
TABLE_LABELS_TEXT = (
    "Add a column with the labels in this language to each column of codes and dates, such as `status_label`. JSON "
    "Lines have `labels`, as in a list."
)
TABLE_LANG_TEXT = (
    "Texts in this language only. In CSV and workbooks, the other language has no column. In JSON Lines, a text that "
    "does not exist in the language is in another one."
)
OF_FILES: dict[str, Any] = {
    "limit": (
        Annotated[int, Field(ge=1, le=MAX_CHUNK), BeforeValidator(_check_digits)] | None,
        Field(default=None, description=LIMIT_OF_FILES_TEXT),
    ),
    "bom": (
        bool,
        Field(default=False, description="Start a CSV file with a byte order mark, so that Excel recognises UTF-8."),
    ),
    "labels": (Language | None, Field(default=None, description=TABLE_LABELS_TEXT, examples=["vi"])),
    "lang": (Language | None, Field(default=None, description=TABLE_LANG_TEXT, examples=["vi"])),
}


class Queries:
    """The query models of the list and the detail of a resource, made from its declaration."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource

    @cached_property
    def detail(self) -> type[BaseModel]:
        """The parameters of a detail."""
        text = "Return the version at this instant (RFC 3339 in UTC) or at the end of this day. Not with `include`."
        as_of = {"as_of": (InstantText | None, Field(default=None, description=text))}
        return query_model(f"{self.resource.shown.__name__}Query", {**self._shape(), **as_of})

    @cached_property
    def page(self) -> type[BaseModel]:
        """The parameters of a list."""
        fields = filter_fields(self.resource.parameters.values())
        text = "Words to find anywhere in a record, as in /v1/search. Without `sort`, the best hits come first."
        fields["q"] = (SearchWords | None, Field(default=None, description=text, examples=["khu cong nghiep"]))
        sorts = list(chain.from_iterable((name, f"-{name}") for name in self.resource.all_sorts))
        text = "The order; `-` means descending. Absent values come last. Equal values are ordered by id."
        pattern = "^(" + "|".join(sorts) + ")(,-?id)?$"
        sort = Annotated[str, StringConstraints(pattern=pattern)]
        fields["sort"] = (Annotated[sort, SEPARATED], Field(default="id", description=text, examples=sorts[2:3]))
        text = "`draft` lists the drafts that your key may write, instead of published records."
        fields["state"] = (Annotated[str, STATE], Field(default="published", description=text))
        fields["limit"] = (
            Digits,
            Field(default=DEFAULT_LIMIT, ge=1, le=MAX_ITEMS, description=LIMIT_TEXT),
        )
        text = "Start of the page, from `next` of the previous page with the same filters and sort."
        fields["cursor"] = (str | None, Field(default=None, description=text, max_length=MAX_CURSOR))
        fields["total"] = (bool, Field(default=False, description="Also count all matching records."))
        return query_model(f"{self.resource.shown.__name__}ListQuery", {**fields, **self._shape()})

    @cached_property
    def export(self) -> type[BaseModel]:
        """The parameters of an export: those of the list that apply to a file, of any length."""
        fields: dict[str, Any] = {name: (field.annotation, field) for name, field in self.page.model_fields.items()}
        for name in ("include", FIELDS_OF_INCLUDED, "total"):
            del fields[name]
        fields |= OF_FILES
        lists: Any = Literal[tuple(self.resource.lists)]
        text = (
            "One row for each item of this list, with the id and the chosen `fields` of its record. Such a file cannot "
            "be imported. Not with JSON Lines."
        )
        fields["rows"] = (lists | None, Field(default=None, description=text, examples=self.resource.lists[:1]))
        return query_model(f"{self.resource.shown.__name__}ExportQuery", fields)

    @property
    def all_includes(self) -> list[str]:
        """The names that `include` takes for the requested records."""
        return [*self.resource.includes, *COMPUTED_INCLUDES.get(self.resource.name, {})]

    @cached_property
    def select(self) -> type[BaseModel]:
        """The parameters of a list of records with some of their fields."""
        required = {
            "fields": (
                Annotated[NameList, SEPARATED],
                Field(description=self._fields_text, examples=["id,citations"]),
            )
        }
        name = f"{self.resource.shown.__name__}SelectQuery"
        model: type[BaseModel] = create_model(name, __base__=self.page, **required)  # type: ignore[call-overload]
        return model

    @property
    def _fields_text(self) -> str:
        return FIELDS_TEXT.format(names=", ".join(self.resource.shown.model_fields))

    def _shape(self) -> dict[str, Any]:
        include = (
            f"Add linked records, separated by commas: {', '.join(self.all_includes)}. Their order has no effect. The "
            "links of added records are followed too: for projects, `figures,indicators` adds figures and their "
            "indicators."
        )
        return {
            "fields": (Names, Field(default=None, description=self._fields_text, examples=["id,citations"])),
            "include": (
                Names,
                Field(default=None, description=include, examples=[",".join(list(self.resource.includes)[:2])]),
            ),
            FIELDS_OF_INCLUDED: (FieldsOfIncluded | None, Field(default=None, description=FIELDS_OF_INCLUDED_TEXT)),
            **LANGUAGES,
        }


def filter_fields(parameters: Iterable[Parameter]) -> dict[str, Any]:
    """Return the fields of a query model for filters."""
    fields: dict[str, Any] = {}
    for parameter in parameters:
        kind = list[parameter.annotation] if parameter.many else parameter.annotation  # type: ignore[name-defined]
        max_length = MAX_ITEMS if parameter.many else None
        fields[parameter.name] = (kind | None, Field(default=None, description=parameter.about, max_length=max_length))
    return fields


def query_model(name: str, fields: dict[str, Any]) -> type[BaseModel]:
    """Create a query model that refuses all other parameters."""
    model: type[BaseModel] = create_model(name, __config__=ConfigDict(extra="forbid", defer_build=True), **fields)
    return model


# What the contract says of the parameters that the exports of all nested lists have.
NestedExportQuery = query_model(
    "NestedExportQuery", {"fields": (Names, Field(default=None, description=FIELDS_OF_FILES_TEXT)), **OF_FILES}
)


class Repeats(Enum):
    """The meaning of a parameter that occurs several times."""

    REFUSED = "refused"
    LIST = "list"  # each value is an item
    JOINED = "joined"  # the values are joined by commas


@cache
def _repeats(model: type[BaseModel]) -> dict[str, Repeats]:
    """Return what each parameter of a model means if it is repeated."""
    return {name: _repeats_of(field) for name, field in model.model_fields.items() if name != FIELDS_OF_INCLUDED}


def _repeats_of(field: FieldInfo) -> Repeats:
    if SEPARATED in field.metadata:
        return Repeats.JOINED
    is_list = any(getattr(rule, "max_length", None) == MAX_ITEMS for rule in field.metadata)
    return Repeats.LIST if is_list else Repeats.REFUSED


@cache
def _defaults(model: type[BaseModel]) -> BaseModel | None:
    """Return the values for an empty query string, or None if a parameter is required."""
    has_required = any(field.is_required() for field in model.model_fields.values())
    return None if has_required else model()


def parse_query(model: type[BaseModel], query_string: bytes) -> BaseModel:
    """Parse and check a query string; raises BadQuery if it cannot be decoded, and Invalid with an item per error."""
    if not query_string and (defaults := _defaults(model)) is not None:
        return defaults
    values, errors = _values(model, query_string)
    try:
        checked = model.model_validate(values)
    except ValidationError as error:
        invalid = error.errors(include_url=False, include_input=False)[:MAX_ERRORS]
        errors += [_invalid_value(values, item) for item in invalid]
    if errors:
        raise Invalid(*errors)
    return checked


def _invalid_value(values: Mapping[str, Any], error: Any) -> ErrorItem:
    """Return the error of a value. It says how to send several values if one seems to contain them."""
    name, *place = error["loc"]
    detail = error_detail(error)
    if name == FIELDS_OF_INCLUDED and place:
        return ErrorItem(parameter=f"fields[{place[0]}]", code="invalid_value", detail=detail)
    value = values.get(name)
    if isinstance(value, list) and place and "," in value[int(place[0])]:
        detail = f"{detail.removesuffix('.')}. For several values, repeat the parameter."
    return ErrorItem(parameter=str(name), code="invalid_value", detail=detail)


def _values(model: type[BaseModel], query_string: bytes) -> tuple[dict[str, Any], list[ErrorItem]]:
    """Return the values of the known parameters, and the errors of the others."""
    values: dict[str, Any] = {}
    unknown: list[str] = []
    repeated: list[ErrorItem] = []
    repeats = _repeats(model)
    for name, value in _pairs(query_string, repeats):
        bracketed = BRACKETED.fullmatch(name) if FIELDS_OF_INCLUDED in model.model_fields else None
        if bracketed:
            _join(values.setdefault(FIELDS_OF_INCLUDED, {}), bracketed[1], value)
        elif name not in repeats:
            unknown.append(name)
        elif repeats[name] is Repeats.LIST:
            values.setdefault(name, []).append(value)
        elif repeats[name] is Repeats.JOINED:
            _join(values, name, value)
        elif name in values:
            repeated.append(ErrorItem(parameter=name, code="repeated", detail="This parameter can be used only once."))
        else:
            values[name] = value
    return values, [*unknown_parameters(unknown, repeats), *repeated]


def _join(values: dict[str, str], name: str, value: str) -> None:
    values[name] = f"{values[name]},{value}" if name in values else value


def _pairs(query_string: bytes, parameters: Collection[str]) -> list[tuple[str, str]]:
    if len(query_string) > MAX_QUERY_LENGTH:
        raise BadQuery(f"The query string is longer than {MAX_QUERY_LENGTH} bytes.")
    try:
        text = query_string.decode("ascii")
        # Decoding many pairs takes long. So the names are counted first, without decoding: no client encodes known
        # names.
        if text.count("&") >= MAX_ERRORS:
            _check_number(sum(pair.partition("=")[0] not in parameters for pair in text.split("&")))
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError:
        detail = f"The query string is not percent-encoded UTF-8, or has more than {MAX_PARAMETERS} parameters."
        raise BadQuery(detail) from None
    if any(UNSAFE.search(name) or UNSAFE.search(value) for name, value in pairs):
        raise BadQuery("The query string contains a control character.")
    return pairs


def unknown_parameters(names: Sequence[str], parameters: Collection[str]) -> list[ErrorItem]:
    """Return the errors for unknown parameters, which suggest the closest ones. They repeat names that are plain.

    Raise Invalid with a single error if there are too many.
    """
    _check_number(len(names))
    suggestions = Suggestions()
    errors: list[ErrorItem] = []
    for name in names:
        suggestion = suggestions.similar_to(name, parameters) or f" {public('/reference')} lists those that exist."
        detail = f"There is no such parameter.{suggestion}"
        plain = name if PLAIN_NAME.fullmatch(name) else None
        errors.append(ErrorItem(parameter=plain, code="unknown_parameter", detail=detail))
    return errors


def _check_number(unknown: int) -> None:
    if unknown > MAX_ERRORS:
        detail = f"More than {MAX_ERRORS} parameters do not exist."
        raise Invalid(ErrorItem(code="unknown_parameter", detail=detail))
