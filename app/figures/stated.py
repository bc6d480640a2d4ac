"""A figure with the derived values by which figures are compared and added."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property, reduce
from itertools import chain
from typing import Annotated, Any

from pydantic import Field

from app.core.values.json import from_json
from app.core.values.numbers import Quantity
from app.figures.codelists import QUALIFIER
from app.figures.units import unit_of

Exactness = Annotated[
    Annotated[str, QUALIFIER] | None,
    Field(
        description="How exact the result is, derived from the qualifiers of the numbers in it. "
        "Null: there is no result, or it can be both larger and smaller by an unknown amount."
    ),
]

TO_DATE = ("cumulative", "at_date")  # count from the beginning: the start of their period has no meaning


@dataclass(frozen=True)
class StatedFigure:
    """One published figure, read from its representation."""

    record: Mapping[str, Any]

    @classmethod
    def of(cls, body: bytes) -> "StatedFigure":
        """Return the figure of a stored representation."""
        return cls(from_json(body))

    def __getitem__(self, field: str) -> Any:
        return self.record[field]

    @property
    def id(self) -> str:
        """The id of the figure."""
        figure_id: str = self.record["id"]
        return figure_id

    @cached_property
    def quantity(self) -> Quantity | None:
        """Its number; None if it is stated in words only."""
        value = self.record["value"]
        high = self.record["value_high"]
        if value is None:
            return None
        return Quantity(Decimal(repr(value)), None if high is None else Decimal(repr(high)), self.record["qualifier"])

    @cached_property
    def starts(self) -> date | None:
        """The first day of its period; None if unknown or open."""
        return day_of(self.record["period"], "earliest")

    @cached_property
    def ends(self) -> date | None:
        """The last day of its period; None if unknown or open."""
        return day_of(self.record["period"], "latest")

    @cached_property
    def area(self) -> frozenset[str]:
        """The ids of the places it is about."""
        return frozenset(self.record["places"])

    @cached_property
    def measure(self) -> tuple[Any, ...]:
        """Indicator, unit and breakdown. Only figures with the same measure are compared by their periods."""
        return self.record["indicator"], unit_of(self), tuple(sorted(self.record["breakdown"].items()))

    @property
    def stages(self) -> "tuple[StatedFigure, ...]":
        """The figures that it is the sum of, in the order of time: only itself, unless it is a `FigureSum`."""
        return (self,)

    def related(self, kind: str) -> Iterable[str]:
        """Return the ids of the figures to which it has a relation of this kind, in order."""
        return [relation["figure"] for relation in self.record["relations"] if relation["kind"] == kind]

    def same_area(self, other: "StatedFigure") -> bool:
        """Return whether both can be about the same area: their places are equal, or one names none."""
        return not self.area or not other.area or self.area == other.area


class FigureSum(StatedFigure):
    """The sum of figures whose periods follow each other without a gap. It has the id of the last one."""

    @classmethod
    def up(cls, figures: Sequence[StatedFigure]) -> "FigureSum":
        """Return the sum of these figures, which are in the order of time and all have a number."""
        first = figures[0]
        last = figures[-1]
        period = {**(first["period"] or {}), "latest": last["period"]["latest"]}
        relations = list(chain.from_iterable(figure["relations"] for figure in figures))
        changed = {"measured": first["measured"], "period": period, "relations": relations, "stages": tuple(figures)}
        return cls({**last.record, **changed})

    @property
    def stages(self) -> tuple[StatedFigure, ...]:
        """The figures that were added."""
        stages: tuple[StatedFigure, ...] = self.record["stages"]
        return stages

    @cached_property
    def quantity(self) -> Quantity | None:
        """The sum of their numbers."""
        return reduce(Quantity.__add__, (stage.quantity for stage in self.stages if stage.quantity))


def day_of(period: Mapping[str, Any] | None, end: str) -> date | None:
    """Return the `earliest` or `latest` day of a period in a representation; None if unknown or open."""
    return date.fromisoformat(period[end]) if period and period[end] else None
