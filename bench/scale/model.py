"""What larger registries need, computed from what was measured."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.scale.simulation import Traffic, Zipf

SHARES = {"record": 0.70, "detail": 0.12, "list": 0.12, "search": 0.06}  # of the reads
WRITES = 1 / 1_000  # for each read
BUSY = 0.6  # of a core, so that bursts do not wait
CORES = 8  # of a machine
CACHE = 64e9  # bytes of memory for responses, of a machine with a cache
LARGEST_MEMORY = 256e9  # bytes, of a machine that is easy to get
DISK = 500e6  # bytes a second that a disk reads or writes in one go
YEAR = 365 * 86_400

Laws = dict[str, "PowerLaw"]


@dataclass(frozen=True)
class PowerLaw:
    """A quantity that is `factor` × records ** `exponent`."""

    factor: float
    exponent: float

    @classmethod
    def through(cls, first: tuple[float, float], second: tuple[float, float]) -> "PowerLaw":
        """Return the law through two points of records and quantity."""
        exponent = math.log(second[1] / first[1]) / math.log(second[0] / first[0])
        return cls(first[1] / first[0] ** exponent, exponent)

    def at(self, records: float) -> float:
        """Return the quantity for a number of records."""
        return self.factor * float(records**self.exponent)


def laws(measured: Mapping[str, Any]) -> dict[str, Laws]:
    """Return the laws of each engine through its two largest sizes."""
    return {engine: fitted(points(measured, engine), measured["records"], -2, -1) for engine in measured["bytes"]}


def points(measured: Mapping[str, Any], engine: str) -> dict[str, dict[str, float]]:
    """Return all that was measured at each size."""
    requests = measured["requests"][engine]
    return {size: {**values, **requests[size]} for size, values in measured["bytes"][engine].items()}


def fitted(values: Mapping[str, Mapping[str, float]], records: Mapping[str, float], first: int, second: int) -> Laws:
    """Return the laws through two of the sizes."""
    sizes = list(records)
    smaller = sizes[first]
    larger = sizes[second]
    return {
        name: PowerLaw.through((records[smaller], value), (records[larger], values[larger][name]))
        for name, value in values[smaller].items()
    }


def errors(values: Mapping[str, Mapping[str, float]], records: Mapping[str, float]) -> dict[str, float]:
    """Return by how much the laws through the two smaller sizes miss the largest one, as a share of it."""
    largest = list(records)[-1]
    predicted = fitted(values, records, -3, -2)
    return {name: law.at(records[largest]) / values[largest][name] - 1 for name, law in predicted.items()}


# ---- a cache in front


def filled_after(popularity: Zipf, capacity: float) -> float:
    """Return after how many reads a full cache has removed a response for which nobody asked (Che et al., 2002)."""
    if capacity >= popularity.size:
        return math.inf
    low = 0.0
    high = 60.0
    for _ in range(60):
        middle = (low + high) / 2
        reads = math.exp(middle)
        stored = sum(count * -math.expm1(-share * reads) for count, share in popularity.bands())
        if stored < capacity:
            low = middle
        else:
            high = middle
    return math.exp(low)


def expected_hits(traffic: Traffic, capacity: float) -> dict[str, float]:
    """Return the share of the reads that a cache answers, by kind and of all.

    A record is deleted twice for each of its writes. A list is deleted at the steps of the purger after a write of its
    resource, a detail at those after a write of one that it includes, a search at those after any write.
    """
    record = traffic.popularity["record"]
    filled = filled_after(record, capacity)
    rate = traffic.reads * traffic.shares["record"]
    values = {"record": 0.0}
    for count, share in record.bands():
        demand = rate * share
        deleted = traffic.written * traffic.writes * share * (2 - math.exp(-demand * traffic.repeat_after))
        is_stored = -math.expm1(-share * filled) * demand / (demand + deleted)
        values["record"] += count * share * is_stored
    of_kinds = {"detail": len(traffic.included) / traffic.resources, "list": 1 / traffic.resources, "search": 1.0}
    for kind, part in of_kinds.items():
        per_step = -math.expm1(-2 * traffic.writes * part * traffic.every)
        rate = traffic.reads * traffic.shares[kind]
        values[kind] = sum(
            count * share * _between_steps(rate * share * traffic.every, per_step)
            for count, share in traffic.popularity[kind].bands()
        )
    values["all"] = sum(share * values[kind] for kind, share in traffic.shares.items())
    return values


def _between_steps(demand: float, deleted: float) -> float:
    """Return the share of hits of a response that is asked for and deleted so often, on average, in one step."""
    unread = math.exp(-demand)
    without = deleted * unread / (1 - (1 - deleted) * unread)  # probability that nobody asks between two deletions
    return max(0.0, 1 - (1 - without) * deleted / demand)


# ---- machines


@dataclass(frozen=True)
class Need:
    """Cores that serve some reads a second: of caches, of servers, and of databases."""

    caches: float
    servers: float
    databases: float

    @property
    def cores(self) -> float:
        return self.caches + self.servers + self.databases

    @property
    def machines(self) -> list[int]:
        """Machines of each kind; a part that needs no core has none."""
        return [math.ceil(cores / CORES) for cores in (self.caches, self.servers, self.databases) if cores]


def needed(
    measured: Mapping[str, Any], of_engine: Laws, records: float, reads: float, hits: Mapping[str, float] | None
) -> Need:
    """Return the cores for some reads a second, behind caches with these hits, or without caches."""
    unit = measured["unit"] / 1e6 / BUSY
    passed = {kind: share * reads * (1 - (hits[kind] if hits else 0)) for kind, share in SHARES.items()}
    servers = sum(rate * of_engine[kind].at(records) for kind, rate in passed.items())
    databases = sum(
        rate * of_engine[f"{kind} database"].at(records)
        for kind, rate in passed.items()
        if f"{kind} database" in of_engine
    )
    caches = reads * measured["front"]["cost"] if hits and measured["front"] else 0.0
    return Need(caches * unit, servers * unit, databases * unit)


def load_seconds(measured: Mapping[str, Any], large: Mapping[str, Any] | None, engine: str, records: float) -> float:
    """Return in how many seconds of a core a registry is loaded. A record takes longer as in the large run."""
    exponent = 0.0
    if large:
        exponent = max(0.0, fitted(large["points"], large["records"], -2, -1)["load"].exponent)
    largest = list(measured["records"].values())[-1]
    growth = max(1.0, records / largest) ** exponent
    return float(records * measured["load"][engine] * measured["unit"] / 1e6 * growth / (1 + exponent))


def most_records(law: PowerLaw, amount: float) -> float:
    """Return for how many records a quantity reaches an amount."""
    return float((amount / law.factor) ** (1 / law.exponent))
