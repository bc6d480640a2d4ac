"""A stated figure as decisions see it, and the arithmetic of numbers that are ranges or only about right."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property, reduce
from typing import Annotated, Any

from pydantic import Field

from app.core.values.json import from_json
from app.core.values.numbers import Quantity
from app.figures.models import QUALIFIER

Exactness = Annotated[
    Annotated[str, QUALIFIER] | None,
    Field(description="How exact the result is, by the qualifiers of both; null: it may be more or less than it says."),
]

TO_DATE = ("cumulative", "at_date")  # measured from the beginning, whatever their period says


@dataclass(frozen=True)
class StatedFigure:
    """One published figure, read from its representation; days are ISO text, None where unknown or open."""

    record: Mapping[str, Any]

    @classmethod
    def of(cls, body: bytes) -> "StatedFigure":
        """From its stored bytes."""
        return cls(from_json(body))

    def __getitem__(self, field: str) -> Any:
        return self.record[field]

    @property
    def id(self) -> str:
        """The figure's id."""
        found: str = self.record["id"]
        return found

    @cached_property
    def quantity(self) -> Quantity | None:
        """What it says as a number; None when it says it in words only."""
        value, high = self.record["value"], self.record["value_high"]
        if value is None:
            return None
        return Quantity(Decimal(repr(value)), None if high is None else Decimal(repr(high)), self.record["qualifier"])

    @cached_property
    def starts(self) -> date | None:
        """First day of its period."""
        return day_of(self.record["period"], "earliest")

    @cached_property
    def ends(self) -> date | None:
        """Last day of its period."""
        return day_of(self.record["period"], "latest")

    @cached_property
    def area(self) -> frozenset[str]:
        """The places it is about."""
        return frozenset(self.record["places"])

    @cached_property
    def measure(self) -> tuple[Any, ...]:
        """What it measures; only figures with the same measure are compared by period."""
        return self.record["indicator"], self.record["unit"], tuple(sorted(self.record["breakdown"].items()))

    @property
    def stages(self) -> "tuple[StatedFigure, ...]":
        """The figures that it was added up from, in the order of time: itself alone, unless it is `FigureSum`."""
        return (self,)

    def related(self, kind: str) -> Iterable[str]:
        """Ids of the figures it has this relation to, in order."""
        return [each["figure"] for each in self.record["relations"] if each["kind"] == kind]

    def same_area(self, other: "StatedFigure") -> bool:
        """Whether nothing says that they are about different areas."""
        return not self.area or not other.area or self.area == other.area


class FigureSum(StatedFigure):
    """Figures whose periods follow each other without a gap, as one that goes from the first to the last."""

    @classmethod
    def up(cls, figures: Sequence[StatedFigure]) -> "FigureSum":
        """Each with a number; under the id of the last."""
        first, last = figures[0], figures[-1]
        period = {**(first["period"] or {}), "latest": last["period"]["latest"]}
        relations = [relation for each in figures for relation in each["relations"]]
        own = {"measured": first["measured"], "period": period, "relations": relations, "stages": tuple(figures)}
        return cls({**last.record, **own})

    @property
    def stages(self) -> tuple[StatedFigure, ...]:
        """What was added."""
        found: tuple[StatedFigure, ...] = self.record["stages"]
        return found

    @cached_property
    def quantity(self) -> Quantity | None:
        """Their sum."""
        return reduce(Quantity.__add__, (each.quantity for each in self.stages if each.quantity))


def day_of(period: Mapping[str, Any] | None, end: str) -> date | None:
    """The `earliest` or `latest` day of a period as representations show it; None where unknown or open."""
    return date.fromisoformat(period[end]) if period and period[end] else None
