"""From the fields of a record to the columns of its row."""

from collections.abc import Callable
from functools import cache
from typing import Any

from app.core.model.fields import RecordFields
from app.core.model.tables import RecordRow
from app.core.values.dates import Edtf
from app.core.values.evidence import Voice
from app.core.values.text import fold, preferred_text, sort_key


def column_values(table: type[RecordRow], fields: RecordFields) -> dict[str, Any]:
    """The typed columns of a record, by the convention of their names.

    `x`: the field x; `x_earliest`, `x_latest`: the ends of the date x (0001/9999 where open); `x_sort`: x in
    dictionary order; `x_text`: x folded for text filters; `x_id`: the partner of the voice x.
    """
    values: dict[str, Any] = {}
    for column, field, read in _columns(table, type(fields)):
        value = getattr(fields, field)
        values[column] = read(value, fields) if read else value
    return values


@cache
def _columns(table: type[RecordRow], fields: type[RecordFields]) -> list[tuple[str, str, "ColumnForm | None"]]:
    """Each column that a writer's fields fill, the field, and how it is read."""
    found: list[tuple[str, str, ColumnForm | None]] = []
    for column in [each.name for each in table.__table__.columns]:  # type: ignore[attr-defined]
        if column in RecordRow.model_fields and column not in RecordFields.model_fields:
            continue
        field, _, form = column.rpartition("_")
        read = _FORMS.get(form)
        plain = read is None or column in fields.model_fields
        found.append((column, column, None) if plain else (column, field, read))
    return found


def first_day(value: Edtf | None, _: RecordFields | None = None) -> str | None:
    """The first day of a date as a column holds it."""
    return None if value is None else value.span.days()[0]


def _latest(value: Edtf | None, _: RecordFields) -> str | None:
    return None if value is None else value.span.days()[1]


def _sort(value: dict[str, str], _: RecordFields) -> str:
    return sort_key(preferred_text(value))


def _text(value: dict[str, str], fields: RecordFields) -> str:
    also = [getattr(fields, "abbreviation", None), *getattr(fields, "aliases", [])]
    return " | ".join(fold(text) for text in [*value.values(), *also] if text)


def _id(value: Voice | None, _: RecordFields) -> str | None:
    return value.partner if value else None


ColumnForm = Callable[[Any, RecordFields], str | None]

_FORMS: dict[str, ColumnForm] = {
    "earliest": first_day,
    "latest": _latest,
    "sort": _sort,
    "text": _text,
    "id": _id,
}
