"""Counts of public records whose filters are all codes: sums of the numbers that each write keeps current."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from app.core.database.statements import Read
from app.core.model.code_counts import COUNTS_OF_RESOURCE, coded
from app.core.model.resource import Resource
from app.core.reading.filter_conditions import FilterShape
from app.core.values.json import from_json

Combinations = list[tuple[Mapping[str, Any], int]]  # the values of a combination by filter, and its number of records


def is_counted(resource: Resource, shape: FilterShape) -> bool:
    """Return whether all filters of a shape are codes whose combinations are counted."""
    return all(name in coded(resource) for name, _ in shape)


def read_combinations(resource: Resource) -> Read:
    """Read all combinations of codes of a resource."""
    rows = yield COUNTS_OF_RESOURCE, {"resource": resource.name}
    names = tuple(coded(resource))
    return [(dict(zip(names, from_json(codes), strict=True)), number) for codes, number in rows]


def matching(combinations: Combinations, shape: FilterShape, values: Mapping[str, Any]) -> Combinations:
    """Return the combinations that match the filters of a shape with these values."""
    accepted = {name: {values[name]} if single else set(values[name]) for name, single in shape}
    return [
        (codes, number)
        for codes, number in combinations
        if all(codes[name] in wanted for name, wanted in accepted.items())
    ]


def total_of(combinations: Combinations) -> int:
    """Return the number of records of these combinations."""
    return sum(number for _, number in combinations)


def values_of(combinations: Combinations, name: str, wider: Mapping[str, Any]) -> list[tuple[Any, int]]:
    """Return the values of a filter with their numbers: the most frequent first, then in the order of the values.

    A record counts for its code and for the wider code that `wider` has for it.
    """
    counts: Counter[Any] = Counter()
    for codes, number in combinations:
        value = codes[name]
        if value is None or not number:
            continue
        counts[value] += number
        if wider.get(value):
            counts[wider[value]] += number
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
