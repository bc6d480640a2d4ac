"""The dimensions by which figures can be grouped, as columns for the database and as keys of figures read from it."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from sqlalchemy import and_, case, func, literal_column

from app.core.model.columns import noun_key
from app.core.values.dates import OPEN_END, OPEN_START
from app.figures.models import BREAKDOWNS, FIGURES, PLACES_OF
from app.figures.stated import TO_DATE, StatedFigure

FIGURE = FIGURES.table
PLACE = PLACES_OF.alias("of_place")
DIMENSION = BREAKDOWNS.alias("of_dimension")


def literals(codes: Sequence[str]) -> list[Any]:
    """Return codes as parts of the SQL text."""
    return [literal_column(f"'{code}'") for code in codes]


def _year(column: Any) -> Any:
    return func.substr(column, literal_column("1"), literal_column("4"))


_FIRST_YEAR = _year(FIGURE.period_earliest)
_LAST_YEAR = _year(FIGURE.period_latest)
_OPEN_YEAR: Any = literal_column("'9999'")
_HAS_ONE_YEAR = (_FIRST_YEAR == _LAST_YEAR) | FIGURE.measured.in_(literals(TO_DATE))
_OWN_COLUMNS = ("indicator", "kind", "unit", "measured", "project", "agreement", "partner", "milestone", "document")

ALWAYS = ("kind", "unit", "unit_text")  # figures that differ in one of these are never in one group

# The names by which figures can be grouped, with their columns.
COLUMNS: dict[str, tuple[Any, ...]] = {
    **{name: (getattr(FIGURE, name),) for name in _OWN_COLUMNS},
    "unit_text": (FIGURE.unit_text_key,),
    "period": (FIGURE.period_earliest, FIGURE.period_latest),
    "year": (case((and_(_LAST_YEAR != _OPEN_YEAR, _HAS_ONE_YEAR), _LAST_YEAR)),),
    "place": (PLACE.c.place_id,),
    "dimension": (DIMENSION.c.dimension,),
    "dimension_value": (DIMENSION.c.value,),
}

# A figure with several of these is in several groups.
MULTIVALUED = frozenset({"place", "dimension", "dimension_value"})


def columns_of(names: Sequence[str]) -> list[Any]:
    """Return the columns that these names stand for."""
    return [column.label(label) for label, column in zip(labels_of(names), _columns(names), strict=True)]


def _columns(names: Sequence[str]) -> Iterator[Any]:
    for name in names:
        yield from COLUMNS[name]


def labels_of(names: Sequence[str]) -> list[str]:
    """Return a label for each of these columns."""
    labels: list[str] = []
    for name in names:
        labels += [f"{name}_{position}" for position in range(len(COLUMNS[name]))]
    return labels


def keys_of(figure: StatedFigure, names: Sequence[str]) -> set[tuple[Any, ...]]:
    """Return the keys of the groups that a figure is in, each with the values of the columns.

    There is a key for each of its places and each dimension of its breakdown.
    """
    if not MULTIVALUED.intersection(names):
        return {_key(figure, names, None, (None, None))}
    dimensions = [*figure["breakdown"].items()] or [(None, None)]
    pairs = product(figure["places"] or [None], dimensions)
    return {_key(figure, names, place, dimension) for place, dimension in pairs}


Dimension = tuple[str | None, str | None]  # with its value


def _key(figure: StatedFigure, names: Sequence[str], place: str | None, dimension: Dimension) -> tuple[Any, ...]:
    key: list[Any] = []
    for name in names:
        key += _part_of_key(figure, name, place, dimension)
    return tuple(key)


def _part_of_key(figure: StatedFigure, name: str, place: str | None, dimension: Dimension) -> tuple[Any, ...]:
    """Return the values of the columns of one name."""
    if name == "place":
        return (place,)
    if name.startswith("dimension"):
        return (dimension[name == "dimension_value"],)
    if name == "unit_text":
        return (noun_key(figure[name]),)
    if name not in ("period", "year"):
        return (figure[name],)
    period = figure["period"]
    if not period:
        return (None,) * len(COLUMNS[name])
    first = period["earliest"] or OPEN_START
    last = period["latest"] or OPEN_END
    if name == "period":
        return first, last
    has_one_year = last[:4] != "9999" and (first[:4] == last[:4] or figure["measured"] in TO_DATE)
    return (last[:4] if has_one_year else None,)


def shown_key(names: Sequence[str], key: Sequence[Any]) -> dict[str, Any]:
    """Return a key as the response shows it, by name."""
    values = iter(key)
    key_shown = {name: _shown_value(name, values) for name in names}
    if key_shown.get("unit_text") is None:
        key_shown.pop("unit_text", None)  # only the unit `other` has one
    return key_shown


def _shown_value(name: str, values: Iterator[Any]) -> Any:
    value = next(values)
    if name == "year":
        return None if value is None else int(value)
    if name != "period":
        return value
    last = next(values)
    if value is None:
        return None
    return {"earliest": None if value == OPEN_START else value, "latest": None if last == OPEN_END else last}
