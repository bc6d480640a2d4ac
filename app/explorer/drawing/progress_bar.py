"""Bars of results beside a target. Numbers are added only where the API has added them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

OPEN_QUALIFIERS = ("more_than", "at_least")  # the number can be higher
ROOM = 1.12  # length of the scale of an open end: the bar visibly continues beyond the number

Figure = Mapping[str, Any]


class Segment(NamedTuple):
    """A part of a bar: `actual`, `range` (up to the upper end of a range), `plan` or `open`."""

    kind: str
    start: float
    width: float


class Bar(NamedTuple):
    """One result, with what is planned after it, beside the target."""

    actual: Figure | None
    plans: list[Figure]
    segments: list[Segment]
    target: Figure
    target_at: float
    sum: Mapping[str, Any] | None  # of result and plans, as the API has computed it
    has_rest: bool  # the target is higher than result and plans


def bars_of(entry: Mapping[str, Any]) -> list[Bar]:
    """Return a bar for each result of an indicator that has a target. It is empty if only the target exists."""
    target = _compared_target(entry)
    if target is None or not target["value"] or target["value"] < 0:
        return []
    actuals = [node["figure"] for node in entry["actuals"] if _can_be_drawn(node["figure"])]
    plans = {node["figure"]["id"]: node["figure"] for node in entry["plans"]}
    return [_bar(actual, plans, entry["sums"], target) for actual in actuals or [None]]


def _compared_target(entry: Mapping[str, Any]) -> Figure | None:
    targets: dict[str, Figure] = {node["figure"]["id"]: node["figure"] for node in entry["targets"]}
    compared = entry["progress"]["target"] if entry["progress"] else None
    if compared in targets:
        return targets[compared]
    return next(iter(targets.values())) if len(targets) == 1 else None


def _can_be_drawn(figure: Figure) -> bool:
    return figure["value"] is not None and figure["value"] >= 0


def _bar(actual: Figure | None, plans: Mapping[str, Figure], sums: list[Any], target: Figure) -> Bar:
    added_up = _sum_of(actual, plans, sums, target)
    added = [plans[name] for name in added_up["added"] if name in plans] if added_up else []
    ends = list(_ends(actual, added))
    total = ends[-1][2] if ends else 0
    highest = target["value_high"] or target["value"]
    scale = max(total, highest) * (ROOM if any(kind == "open" for kind, _, _ in ends) else 1)
    segments = [Segment(kind, _percent(start, scale), _percent(end - start, scale)) for kind, start, end in ends]
    return Bar(actual, added, segments, target, _percent(highest, scale), added_up, has_rest=total < highest)


def _sum_of(actual: Figure | None, plans: Mapping[str, Figure], sums: list[Any], target: Figure) -> Any:
    """Return the sum of a result and of plans that the API has compared with the target."""
    for candidate in sums if actual else []:
        others = [name for name in candidate["added"] if actual and name != actual["id"]]
        if candidate["target"] == target["id"] and len(others) < len(candidate["added"]) and set(others) <= set(plans):
            return candidate
    return None


def _ends(actual: Figure | None, plans: list[Figure]) -> Iterator[tuple[str, float, float]]:
    """Yield kind, start and end of each segment, as numbers."""
    if actual is None:
        return
    end: float = actual["value"]
    yield "actual", 0, end
    if actual["value_high"] is not None:
        yield "range", end, actual["value_high"]
        end = actual["value_high"]
    for plan in plans:
        yield "plan", end, end + plan["value"]
        end += plan["value"]
    if actual["qualifier"] in OPEN_QUALIFIERS and not plans:
        yield "open", end, end * ROOM


def _percent(value: float, scale: float) -> float:
    return round(100 * value / scale, 2)
