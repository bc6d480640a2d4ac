"""Computations in which a figure takes part, from the relations that are recorded between figures."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain, islice
from typing import Any

from app.analysis.audit.rules.sums import breakdowns, recompute, steps_to_target
from app.core.values.numbers import Range, json_number, sum_of_ranges
from app.figures.ranges import decimal_value, range_of
from app.figures.units import unit_of

Figure = Mapping[str, Any]
Figures = Mapping[str, Figure]

MAX_COMPUTATIONS = 50
OF_SHARES = {"share_of": "share", "change_of": "change"}


def computations(figure: Figure, figures: Figures) -> list[dict[str, Any]]:
    """Return the first computations with a figure. `figures` has it and those that it is related to, also through
    others."""
    possible = chain(_sums(figure, figures), _shares(figure, figures), _targets(figure, figures))
    with_figure = (item for item in possible if any(term["figure"] == figure["id"] for term in item["terms"]))
    return list(islice(with_figure, MAX_COMPUTATIONS))


def _related(figure: Figure, kind: str, figures: Figures) -> Iterator[Figure]:
    for relation in figure["relations"]:
        if relation["kind"] == kind and relation["figure"] in figures:
            yield figures[relation["figure"]]


def _relating(figure: Figure, kind: str, figures: Figures) -> list[Figure]:
    relation = {"kind": kind, "figure": figure["id"]}
    return [other for other in figures.values() if relation in other["relations"]]


def _sums(figure: Figure, figures: Figures) -> Iterator[dict[str, Any]]:
    for total in (figure, *_related(figure, "part_of", figures)):
        stated = range_of(total)
        for parts, ranges, is_complete in breakdowns(total, _relating(total, "part_of", figures)):
            if is_complete and len(parts) == len(ranges) > 1:
                yield _sum("parts", parts, total, agrees=_agree(sum_of_ranges(ranges), stated))


def _targets(figure: Figure, figures: Figures) -> Iterator[dict[str, Any]]:
    # A plan does not name its target, but the result before it does.
    near = [figure, *_related(figure, "compared_with", figures)]
    near += [other for other in figures.values() if other["kind"] == "target" and figure["kind"] == "plan"]
    for target in {other["id"]: other for other in near}.values():
        if target["kind"] != "target" or range_of(target) is None:
            continue
        results = _relating(target, "compared_with", figures)
        for result in results:
            if result["kind"] == "actual" and unit_of(result) == unit_of(target):
                yield from _percentage(result, target)
        steps = steps_to_target(target, results)
        ranges = [number for step in steps if (number := range_of(step))]
        if steps and len(ranges) == len(steps):
            yield _sum("steps", steps, target, agrees=_agree(sum_of_ranges(ranges), range_of(target)))


def _percentage(result: Figure, target: Figure) -> Iterator[dict[str, Any]]:
    if result["value"] is None or target["value"] <= 0:
        return
    number = json_number(round(decimal_value(result) / decimal_value(target) * 100, 2))
    how = f"{_text(result)} / {_text(target)} × 100"
    yield _computation("target", how, number, None, [("compared", result), ("base", target)])


def _shares(figure: Figure, figures: Figures) -> Iterator[dict[str, Any]]:
    for kind, name in OF_SHARES.items():
        for base in _related(figure, kind, figures):
            yield from _recomputed(name, kind, figure, base, _related(figure, "compared_with", figures))
        for share in _relating(figure, kind, figures):
            yield from _recomputed(name, kind, share, figure, _related(share, "compared_with", figures))
        for share in _relating(figure, "compared_with", figures):
            for base in _related(share, kind, figures):
                yield from _recomputed(name, kind, share, base, [figure])


def _recomputed(
    name: str, kind: str, figure: Figure, base: Figure, seconds: Iterable[Figure]
) -> Iterator[dict[str, Any]]:
    stated = range_of(figure)
    for second in seconds:
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
