"""Computations in which a figure takes part, from the relations that are recorded between figures."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from app.analysis.audit.rules.sums import breakdowns, recompute, steps_to_target
from app.core.values.numbers import Range, json_number, sum_of_ranges
from app.figures.ranges import decimal_value, range_of
from app.figures.units import unit_of

Figure = Mapping[str, Any]
Figures = Mapping[str, Figure]

OF_SHARES = {"share_of": "share", "change_of": "change"}


def computations(figure: Figure, figures: Figures) -> list[dict[str, Any]]:
    """Return the computations with a figure. `figures` has it and those that it is related to, also through others."""
    possible = [*_sums(figures), *_shares(figures), *_targets(figures)]
    return [item for item in possible if any(term["figure"] == figure["id"] for term in item["terms"])]


def _related(figure: Figure, kind: str, figures: Figures) -> Iterator[Figure]:
    for relation in figure["relations"]:
        if relation["kind"] == kind and relation["figure"] in figures:
            yield figures[relation["figure"]]


def _relating(figure: Figure, kind: str, figures: Figures) -> list[Figure]:
    return [other for other in figures.values() if figure in _related(other, kind, figures)]


def _sums(figures: Figures) -> Iterator[dict[str, Any]]:
    for total in figures.values():
        stated = range_of(total)
        for parts, ranges, is_complete in breakdowns(total, _relating(total, "part_of", figures)):
            if is_complete and len(parts) == len(ranges) > 1:
                agrees = sum_of_ranges(ranges).overlaps(stated) if stated else None
                yield _sum("parts", parts, total, agrees=agrees)


def _targets(figures: Figures) -> Iterator[dict[str, Any]]:
    for target in figures.values():
        if target["kind"] != "target" or range_of(target) is None:
            continue
        results = _relating(target, "compared_with", figures)
        for result in results:
            if result["kind"] == "actual" and unit_of(result) == unit_of(target):
                yield from _percentage(result, target)
        steps = steps_to_target(target, results)
        ranges = [number for step in steps if (number := range_of(step))]
        if steps and len(ranges) == len(steps):
            stated = range_of(target)
            yield _sum("steps", steps, target, agrees=sum_of_ranges(ranges).overlaps(stated) if stated else None)


def _percentage(result: Figure, target: Figure) -> Iterator[dict[str, Any]]:
    if result["value"] is None or target["value"] <= 0:
        return
    number = json_number(round(decimal_value(result) / decimal_value(target) * 100, 2))
    how = f"{_text(result)} / {_text(target)} × 100"
    yield _computation("target", how, number, None, [("compared", result), ("base", target)])


def _shares(figures: Figures) -> Iterator[dict[str, Any]]:
    for figure in figures.values():
        for kind, name in OF_SHARES.items():
            for base in _related(figure, kind, figures):
                yield from _recomputed(name, kind, figure, base, figures)


def _recomputed(name: str, kind: str, figure: Figure, base: Figure, figures: Figures) -> Iterator[dict[str, Any]]:
    stated = range_of(figure)
    for second in _related(figure, "compared_with", figures):
        result = recompute(figure, kind, base, second) if unit_of(second) == unit_of(base) else None
        if result is not None:
            agrees = _agree(result.range, stated)
            terms = [("compared", second), ("base", base), ("stated", figure)]
            yield _computation(name, result.how, result.number, agrees, terms)


def _agree(computed: Range, stated: Range | None) -> bool | None:
    return computed.overlaps(stated) if stated else None


def _sum(kind: str, summands: Sequence[Figure], stated: Figure, *, agrees: bool | None) -> dict[str, Any]:
    how = " + ".join(map(_text, summands))
    result = json_number(sum((decimal_value(summand) for summand in summands), Decimal(0)))
    return _computation(
        kind, how, result, agrees, [*(("summand", summand) for summand in summands), ("stated", stated)]
    )


def _computation(
    kind: str, how: str, result: float, agrees: bool | None, terms: Iterable[tuple[str, Figure]]
) -> dict[str, Any]:
    items = [{"figure": figure["id"], "role": role, **_number(figure)} for role, figure in terms]
    return {"kind": kind, "how": how, "result": result, "agrees": agrees, "terms": items}


def _number(figure: Figure) -> dict[str, Any]:
    return {name: figure[name] for name in ("value", "value_high", "qualifier", "unit")}


def _text(figure: Figure) -> str:
    return str(json_number(decimal_value(figure)))
