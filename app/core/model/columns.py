"""The values of a row's columns, derived from the fields of its record."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from app.core.model.fields import RecordFields
from app.core.model.tables import RecordRow
from app.core.values.dates import Edtf
from app.core.values.evidence import Voice
from app.core.values.text import fold, preferred_text, sort_key


def column_values(table: type[RecordRow], fields: RecordFields) -> dict[str, Any]:
    """Return the values of a table's own columns for a record. Each column's name states how it is computed.

    - `x`: the field x
    - `x_earliest`, `x_latest`: first and last day of the date x (years 0001 and 9999 at an open end)
    - `x_sort`: the sort key of x
    - `x_text`: x folded for text filters
    - `x_id`: the partner of the voice x
    - `x_key`: the text by which the nouns x are compared
    """
    values: dict[str, Any] = {}
    for column, field, convert in _columns(table, type(fields)):
        value = getattr(fields, field)
        values[column] = convert(value, fields) if convert else value
    return values


@cache
def _columns(table: type[RecordRow], fields: type[RecordFields]) -> list[tuple[str, str, "ColumnForm | None"]]:
    """Return (column, field, conversion) for each column that is computed from accepted fields."""
    columns: list[tuple[str, str, ColumnForm | None]] = []
    for name in [column.name for column in table.__table__.columns]:  # type: ignore[attr-defined]
        if name in RecordRow.model_fields and name not in RecordFields.model_fields:
            continue
        field, _, form = name.rpartition("_")
        convert = _FORMS.get(form)
        if convert is None or name in fields.model_fields:
            columns.append((name, name, None))
        else:
            columns.append((name, field, convert))
    return columns


def first_day(value: Edtf | None, _: RecordFields | None = None) -> str | None:
    """Return the first day of a date as it is stored, or None without a date."""
    return None if value is None else value.span.days()[0]


def _latest(value: Edtf | None, _: RecordFields) -> str | None:
    return None if value is None else value.span.days()[1]


def _sort(value: dict[str, str], _: RecordFields) -> str:
    return sort_key(preferred_text(value))


def _text(value: dict[str, str], fields: RecordFields) -> str:
    other_names = [getattr(fields, "abbreviation", None), *getattr(fields, "aliases", [])]
    return " | ".join(fold(text) for text in [*value.values(), *other_names] if text)


def _id(value: Voice | None, _: RecordFields) -> str | None:
    return value.partner if value else None


def noun_key(value: Mapping[str, str] | None, _: RecordFields | None = None) -> str | None:
    """Return the text by which two nouns are compared; None without a noun."""
    return None if value is None else " ".join(preferred_text(value).casefold().split())


ColumnForm = Callable[[Any, RecordFields], str | None]

_FORMS: dict[str, ColumnForm] = {
    "earliest": first_day,
    "latest": _latest,
    "sort": _sort,
    "text": _text,
    "id": _id,
    "key": noun_key,
}
