"""The unit of figures and indicators: a code, and a noun where no code fits."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, or_

from app.core.model.columns import noun_key
from app.figures.codelists import OTHER_UNIT

UNIT_TEXT = (
    "What is counted, by language, as the source writes it: required with the unit `other`, and not allowed "
    "with other units. Figures are "
    "compared and added only if this text is equal too (in Vietnamese, else in English, else in its first language)."
)


def check_unit_text(unit: str, text: Mapping[str, str] | None) -> None:
    """Raise ValueError unless the unit is `other` exactly if there is a text."""
    if unit == OTHER_UNIT and text is None:
        raise ValueError("The unit `other` needs unit_text, the noun that the source writes.")
    if unit != OTHER_UNIT and text is not None:
        raise ValueError("Only the unit `other` can have unit_text.")


def unit_of(figure: Any) -> tuple[str, str | None]:
    """Return what two figures must have in common to be compared: the unit with its text."""
    return figure["unit"], noun_key(figure["unit_text"])


def has_other_unit(table: Any, fields: Any) -> ColumnElement[bool]:
    """Return the condition that a row of figures or indicators has another unit than these fields."""
    return or_(table.unit != fields.unit, table.unit_text_key.is_distinct_from(noun_key(fields.unit_text)))
