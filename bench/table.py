"""The table: the cost of each work in units of F, and whether the goals are met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

NAMES = {"ours": "Hoptac", "A": "A", "S": "same SQL", "Datasette": "Datasette", "usual": "usual"}


class Goal(NamedTuple):
    """A goal: with `≤`, Hoptac costs at most `factor` times the other; with `≥`, the other at least `factor` times."""

    sign: str
    factor: float
    against: str

    def result(self, costs: Mapping[str, float]) -> str:
        """Return the goal, the measured ratio and whether it is met; an empty text if one of both was not measured."""
        if self.against not in costs or "ours" not in costs:
            return ""
        ratio = costs["ours"] / costs[self.against]
        measured = ratio if self.sign == "≤" else 1 / ratio
        met = measured <= self.factor if self.sign == "≤" else measured >= self.factor
        other = NAMES.get(self.against, self.against)
        against = f" {other}" if other in ("F", "A") else f" × {other}"
        return f"{self.sign} {self.factor:g}{against}: {measured:.3g} {'met' if met else '**not met**'}"


@dataclass
class Row:
    """A line of the table: the costs of one request by contender, the goals, and a note."""

    work: str
    costs: Mapping[str, float] = field(default_factory=dict)
    goals: Sequence[Goal] = ()
    note: str = ""

    def line(self) -> str:
        """Return the line in Markdown, with costs in F if a bare FastAPI route did the same work."""
        unit = self.costs.get("F")
        cells = [f"{self.costs[name] / unit:.2f}" if unit and name in self.costs else "" for name in NAMES]
        results = [*(goal.result(self.costs) for goal in self.goals), self.note]
        last = "; ".join(filter(None, results))
        return f"| {' | '.join([self.work, *cells, last])} |"


HEAD = f"| work | {' | '.join(NAMES.values())} | goal: measured |\n|---|{'--:|' * len(NAMES)}---|"
