"""A mapping: which values of a record the columns of a client's table contain."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.core.errors import ErrorItem, Invalid
from app.core.model.resource import RESOURCES, Resource
from app.core.values.normal_forms import normalized
from app.core.values.text import Suggestions
from app.exchange.formats.options import DATES, DECIMAL, HEADER_ROW, MAX_ROW_NUMBER, SHEET, TableOptions
from app.exchange.formats.schema_paths import Path, column_names, date_path, kind_of

MAX_COLUMNS = 200
ANY_ITEM = "*"  # in a path: a further item of the list
ENDS = ("start", "end")  # the last step of a path to one end of a date

# Each row of a table gets these values, those of `with` up to 400 times.
Code = Annotated[str, StringConstraints(max_length=200)]
ShortText = Annotated[str, StringConstraints(max_length=1_000)]
Scalar = ShortText | int | float | bool


def folded(text: object) -> str:
    """Return a name as names are compared: in NFC, without letter case, line breaks and repeated spaces."""
    return " ".join(normalized("NFC", str(text)).casefold().split()).rstrip(" *:")


class MappedColumn(BaseModel):
    """The meaning of a column."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    to: str = Field(
        max_length=200,
        description="Path of the value, as in a template: `title.vi`. `places.*` adds an item to a list, "
        "`roles.*.partner` an item with this member. `period.start` and `period.end` are the ends of a date.",
        examples=["roles.*.partner"],
    )
    members: dict[ShortText, Code | int | float | bool] = Field(
        default={},
        max_length=10,
        alias="with",
        description="Other members of the items that the column adds to a list.",
        examples=[{"role": "funder"}],
    )
    separator: str | None = Field(
        default=None, min_length=1, max_length=5, description="The sign between several items in one cell.",
        examples=[";"],
    )  # fmt: skip
    values: dict[ShortText, Scalar] | None = Field(
        default=None,
        max_length=500,
        description="The value of the record for each text of a cell. A text that is not in it is refused.",
        examples=[{"Đang thực hiện": "active", "Hoàn thành": "completed"}],
    )
    multiply: float | None = Field(
        default=None, gt=0, le=1e12, allow_inf_nan=False, description="The factor by which numbers are multiplied.",
        examples=[1_000_000],
    )  # fmt: skip
    optional: bool = Field(default=False, description="Whether tables may lack the column.")


class MappingFields(BaseModel):
    """A mapping as a client sends it."""

    model_config = ConfigDict(extra="forbid")

    resource: str = Field(max_length=40, description="The resource of the records.", examples=["projects"])
    columns: dict[str, MappedColumn] = Field(
        min_length=1,
        max_length=MAX_COLUMNS,
        description="The columns by the names in the table. If merged cells give its header several rows, a name "
        "consists of those above each other: `Thời gian / Bắt đầu`. Other columns are left out, with a warning.",
        examples=[{"Tên dự án": {"to": "title.vi"}}],
    )
    ignore: list[str] = Field(
        default=[], max_length=MAX_COLUMNS, description="Columns that are left out without a warning."
    )
    constants: dict[str, Scalar] = Field(
        default={},
        max_length=100,
        description="Values that each record gets where no column has one, by their paths.",
        examples=[{"kind": "project"}],
    )
    required: list[str] = Field(
        default=[],
        max_length=20,
        description="A row without a value in any of these columns is regarded as a heading and is left out.",
    )
    sheet: str | None = Field(default=None, min_length=1, max_length=100, description=SHEET)
    header_row: int | None = Field(default=None, ge=1, le=MAX_ROW_NUMBER, description=HEADER_ROW)
    decimal: Literal["point", "comma"] | None = Field(default=None, description=DECIMAL)
    dates: Literal["dmy", "mdy"] | None = Field(default=None, description=DATES)


def value_path(resource: Resource, path: str) -> Path:
    """Return the steps of a path. The ends of a date have the names of its members."""
    steps = tuple(path.strip().split("."))
    if steps[-1] in ENDS and date_path(resource, steps[:-1]) == steps[:-1]:
        return (*steps[:-1], "earliest" if steps[-1] == "start" else "latest")
    return steps


def kind_of_items(resource: Resource, path: Path) -> str | None:
    """Return the type of the values at a path, which can contain one ANY_ITEM."""
    if path.count(ANY_ITEM) > 1:
        return None
    return kind_of(resource, tuple("0" if step == ANY_ITEM else step for step in path))


def check_mapping(mapping: MappingFields) -> None:
    """Raise Invalid with an error for each part of a mapping that cannot be."""
    resource = RESOURCES.get(mapping.resource)
    if resource is None:
        raise Invalid(ErrorItem(pointer="/resource", code="unknown_resource", detail="There is no such resource."))
    errors = [*_errors(resource, mapping)]
    if errors:
        raise Invalid(*errors)


def _errors(resource: Resource, mapping: MappingFields) -> Iterator[ErrorItem]:
    names = [folded(name) for name in mapping.columns]
    if len(set(names)) < len(names):
        yield ErrorItem(pointer="/columns", code="repeated", detail="Two columns have the same name.")
    suggestions = Suggestions()
    for number, column in enumerate(mapping.columns.values(), 1):
        path = value_path(resource, column.to)
        problem = _problem(resource, path, column)
        if problem:
            hint = suggestions.similar_to(column.to, column_names(resource)) if problem == NO_PATH else ""
            detail = f"Column {number} of the mapping is wrong. {problem} {hint}".strip()
            yield ErrorItem(pointer="/columns", code="invalid_value", detail=detail)
    for number, name in enumerate(mapping.constants, 1):
        if ANY_ITEM in name or kind_of(resource, value_path(resource, name)) is None:
            detail = f"Constant {number} of the mapping is not at the path of a value in a record."
            yield ErrorItem(pointer="/constants", code="invalid_value", detail=detail)
    if not {folded(name) for name in mapping.required} <= set(names):
        detail = "These must be names of columns of the mapping."
        yield ErrorItem(pointer="/required", code="invalid_value", detail=detail)


NO_PATH = "`to` is not the path of a value in a record."
NO_LIST = "`with` and `separator` need a path with `*`, such as `roles.*.partner`."
NO_MEMBER = "`with` contains a name that the items of the list do not have."


def _problem(resource: Resource, path: Path, column: MappedColumn) -> str:
    """Return the error in a column, or "" if there is none."""
    has_items = ANY_ITEM in path
    if kind_of_items(resource, path) is None:
        return NO_PATH
    if (column.members or column.separator) and not has_items:
        return NO_LIST
    start = path[: path.index(ANY_ITEM) + 1] if has_items else path
    if any(kind_of_items(resource, (*start, *name.split("."))) is None for name in column.members):
        return NO_MEMBER
    return ""


def own_names(mapping: MappingFields) -> dict[str, Any]:
    """Return the columns of a mapping by their names as names are compared."""
    return {folded(name): column for name, column in mapping.columns.items()}


def with_defaults(options: TableOptions, mapping: MappingFields | None) -> TableOptions:
    """Return the options, with those of a mapping where they state nothing."""
    if mapping is None:
        return options
    stated = {name: getattr(options, name) for name in ("sheet", "header_row", "decimal", "dates")}
    defaults = {name: getattr(mapping, name) for name, value in stated.items() if value is None}
    return options.model_copy(update=defaults)
