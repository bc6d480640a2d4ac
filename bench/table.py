"""The table: what each work costs in units of F, and whether the goals are met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

NAMES = {"ours": "Hoptac", "A": "A", "S": "same SQL", "Datasette": "Datasette", "usual": "usual"}


class Goal(NamedTuple):
    """Ours at most `factor` times what it is compared with, or what it is compared with at least so many times ours."""

    sign: str
    factor: float
    against: str

    def said(self, costs: Mapping[str, float]) -> str:
        """The goal, what was measured, and whether that meets it; nothing when the other one was not there."""
        if self.against not in costs or "ours" not in costs:
            return ""
        ratio = costs["ours"] / costs[self.against]
        measured, met = (ratio, ratio <= self.factor) if self.sign == "≤" else (1 / ratio, 1 / ratio >= self.factor)
        other = NAMES.get(self.against, self.against)
        against = f" {other}" if other in ("F", "A") else f" × {other}"
        return f"{self.sign} {self.factor:g}{against}: {measured:.3g} {'met' if met else '**not met**'}"


@dataclass
class Row:
    """A line of the table: costs of one request by contender, or a plain ratio, or why there is none."""

    work: str
    costs: Mapping[str, float] = field(default_factory=dict)
    goals: Sequence[Goal] = ()
    note: str = ""

    def line(self) -> str:
        """The line in Markdown; costs in F where a bare FastAPI route did the same work."""
        unit = self.costs.get("F")
        cells = [f"{self.costs[name] / unit:.2f}" if unit and name in self.costs else "" for name in NAMES]
        said = "; ".join(filter(None, [goal.said(self.costs) for goal in self.goals] + [self.note]))
        return f"| {' | '.join([self.work, *cells, said])} |"


HEAD = f"| work | {' | '.join(NAMES.values())} | goal: measured |\n|---|{'--:|' * len(NAMES)}---|"
