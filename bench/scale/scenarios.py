"""What is simulated: some small cases that were measured too, and a registry of 10⁸ records and 10⁵ reads a second."""

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from app.commands.caches import TRANSFER
from app.core.settings import Settings
from app.core.values.cache_keys import MAX_MAKING
from bench.scale.measuring import EXPONENT, FRONT_EVERY, FRONT_SECONDS, FRONT_SHARES, WRITERS, Quantities
from bench.scale.model import SHARES, expected_hits, filled_after, laws
from bench.scale.simulation import (
    Cache,
    Region,
    Traffic,
    Write,
    WriteCosts,
    Writing,
    Zipf,
    completions,
    own_reads,
    quantile,
    serve,
)

RECORDS = 10**8
READS = 10**5  # a second, in all regions
REGIONS = 3
LISTS = 10_000  # different ones that are asked for
SEARCHES = 1_000_000
RESOURCES = 9  # of one of which a write is
INCLUDED = 4  # of them, in a detail
REPEAT_AFTER = MAX_MAKING + Settings.model_fields["hot_staleness"].default + TRANSFER
FRONT_RUNS = ((64, 1), (64, 10), (64, 100), (16, 10), (256, 10))  # GB of memory in a region, writes a second
SIMULATED_FRONT = 10.0  # seconds
BUSY = (0.6, 0.8, 0.95)
PROCESSES = (1, 4, 16)
RATES = (50, 100, 200, 300, 400, 500, 600, 800)  # writes a second
SIMULATED_WRITING = 20.0
CONFIRMED = 0.0015  # seconds until a replica beside the primary has stored a transaction
OWN_WRITES = 20.0  # a second, of clients in a region
ONE_WAY = 0.05  # seconds from the primary to the region
THINKING = (0.0, 0.005, 0.05, 1.0)  # seconds from the response to a write until its client reads
SIMULATED_REGION = 3_600.0
SEED = 1

Results = dict[str, Any]


def simulate(measured: Mapping[str, Any]) -> Results:
    """Return the results of all simulations, from what was measured."""
    front = _fronts(measured)
    costs = {engine: write_costs(measured, engine) for engine in measured["writes"]}
    return {
        "front": front["rows"],
        "latency": _latencies(measured, front["misses"]),
        "writing": _writing(costs["postgresql"]),
        "own reads": _own_reads(measured),
        "checks": {
            "front": _front_check(measured),
            "writes": {engine: _writes_check(measured, engine, values) for engine, values in costs.items()},
        },
        "write costs": {engine: asdict(values) for engine, values in costs.items()},
    }


# ---- the cache in front


def _fronts(measured: Mapping[str, Any]) -> Results:
    """Simulate the caches of a region for some seconds, warm at the beginning; keep the misses of the second run."""
    rows = []
    misses: list[tuple[float, str]] = []
    stored = (measured["front"] or {"stored bytes": 2_000})["stored bytes"]
    for memory, writes in FRONT_RUNS:
        traffic = large_traffic(RECORDS, READS / REGIONS, writes)
        capacity = memory * 1e9 / stored
        filled = filled_after(traffic.popularity["record"], capacity)

        def is_warm(kind: str, number: int, traffic: Traffic = traffic, filled: float = filled) -> float:
            """Return whether it was asked for since its room was last used for another one."""
            if kind != "record":
                return 0.0
            return -math.expm1(-traffic.popularity[kind].share(number) * filled)

        served = serve(traffic, Cache(), SIMULATED_FRONT, SEED, is_warm=is_warm)
        rows.append({
            "memory": memory,
            "writes": writes,
            **{kind: served.rate_of(kind) for kind in SHARES},
            "all": served.hit_rate,
            "computed": expected_hits(traffic, capacity)["all"],
            "old": len(served.ages) / served.requests.total(),
            "age": max(served.ages, default=0.0),
        })  # fmt: skip
        if (memory, writes) == FRONT_RUNS[1]:
            misses = served.misses
    return {"rows": rows, "misses": misses}


def large_traffic(records: float, reads: float, writes: float) -> Traffic:
    """Return the traffic of a region of a large registry."""
    sizes = {"record": int(records), "detail": int(records), "list": LISTS, "search": SEARCHES}
    popularity = {kind: Zipf(size, EXPONENT) for kind, size in sizes.items()}
    every = range(RESOURCES)
    return Traffic(
        reads, writes, SHARES, popularity, RESOURCES, every, every[:INCLUDED], 1.0, FRONT_EVERY, REPEAT_AFTER
    )


def _front_check(measured: Mapping[str, Any]) -> Results | None:
    """Simulate what Varnish was measured with."""
    values = measured["front"]
    if values is None:
        return None
    popularity = {kind: Zipf(size, EXPONENT) for kind, size in values["sizes"].items()}
    rates = (values["reads"], len(values["writes"]) / FRONT_SECONDS)
    writes = [Write(*write) for write in values["writes"]]
    traffic = Traffic(*rates, FRONT_SHARES, popularity, 2, (0,), (1,), 0.5, FRONT_EVERY, REPEAT_AFTER)
    runs = [serve(traffic, Cache(), FRONT_SECONDS, seed, writes=writes) for seed in range(5)]
    hits = {kind: _mean([run.rate_of(kind) for run in runs]) for kind in FRONT_SHARES}
    ages = list(itertools.chain.from_iterable(run.ages for run in runs))
    return {"hits": hits, "hit rate": _mean([run.hit_rate for run in runs]), "age": max(ages, default=0.0)}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


# ---- latency of what the caches do not have


def _latencies(measured: Mapping[str, Any], misses: Sequence[tuple[float, str]]) -> list[Results]:
    """Let the misses of a region queue for cores of the servers, then of the databases; latencies in milliseconds."""
    rows = []
    for engine, of_engine in laws(measured).items():
        at = {name: law.at(RECORDS) * measured["unit"] / 1e6 for name, law in of_engine.items()}
        for busy in BUSY:
            ends, cores = _through(misses, {kind: at[kind] for kind in SHARES}, busy)
            row = {"engine": engine, "busy": busy, "cores": cores, "database cores": 0}
            if engine == "postgresql":
                order = sorted(range(len(ends)), key=ends.__getitem__)
                moved = [(ends[index], misses[index][1]) for index in order]
                database, row["database cores"] = _through(moved, {k: at[f"{k} database"] for k in SHARES}, busy)
                for index, end in zip(order, database, strict=True):
                    ends[index] = end
            waits = [end - at_ for end, (at_, _) in zip(ends, misses, strict=True)]
            rows.append({**row, "median": 1e3 * quantile(waits, 0.5), "99 %": 1e3 * quantile(waits, 0.99)})
    return rows


def _through(
    arrivals: Sequence[tuple[float, str]], services: Mapping[str, float], busy: float
) -> tuple[list[float], int]:
    """Return when each request has left some cores, and how many there are: busy for this share of the time."""
    rng = random.Random(SEED)
    durations = [rng.expovariate(1 / services[kind]) for _, kind in arrivals]
    cores = max(1, math.ceil(sum(durations) / busy / (arrivals[-1][0] - arrivals[0][0])))
    return completions([at for at, _ in arrivals], durations, cores), cores


# ---- writers


def write_costs(measured: Mapping[str, Any], engine: str) -> WriteCosts:
    """Return what a group and its writes take, from the CPU times with one client and with the most clients.

    How many writes are in a group follows from the simulation, and the simulation from that: a few turns suffice.
    """
    unit = measured["unit"] / 1e6
    values: Mapping[str, Quantities] = measured["writes"][engine]
    single = values[str(WRITERS[0])]
    many = values[str(WRITERS[-1])]
    group = WRITERS[-1] / 2
    for _ in range(6):
        parts = [_parts(single[name] * unit, many[name] * unit, group) for name in ("request", "writer", "database")]
        of_request, of_writer, of_database = parts
        of_group = of_request[0] + of_writer[0]
        costs = WriteCosts(of_request[1], of_group, of_writer[1], *of_database, measured["sync"] / 1e3)
        writing = Writing(costs, 1)
        writing.by_clients(WRITERS[-1], 3.0)
        group = len(writing.latencies) / writing.groups
    return costs


def _parts(alone: float, together: float, group: float) -> tuple[float, float]:
    """Return the cost of a group and of each write in it, if a write costs this much alone and in such a group."""
    fixed = max(0.0, (alone - together) / (1 - 1 / group)) if group > 1 else 0.0
    return fixed, max(0.0, alone - fixed)


def _writes_check(measured: Mapping[str, Any], engine: str, costs: WriteCosts) -> list[Results]:
    rows = []
    for clients in WRITERS:
        values = measured["writes"][engine][str(clients)]
        writing = Writing(costs, 1)
        rate = writing.by_clients(clients, 5.0)
        group = len(writing.latencies) / writing.groups
        cpu = costs.request + costs.write + costs.database_write + (costs.group + costs.database_group) / group
        rows.append({
            "clients": clients,
            "rate": rate,
            "measured rate": values["rate"],
            "cpu": cpu / measured["unit"] * 1e6,
            "measured cpu": values["request"] + values["writer"] + values["database"],
        })  # fmt: skip
    return rows


def _writing(costs: WriteCosts) -> list[Results]:
    """Let writes arrive at several processes, which have a core each and a database that confirms at another server."""
    confirmed = replace(costs, commit=costs.commit + CONFIRMED)
    rows = []
    for rate in RATES:
        row: Results = {"rate": rate}
        for processes in PROCESSES:
            writing = Writing(confirmed, processes)
            writing.by_rate(rate, SIMULATED_WRITING, SEED)
            row[str(processes)] = {
                "group": len(writing.latencies) / writing.groups,
                "median": 1e3 * quantile(writing.latencies, 0.5),
                "99 %": 1e3 * quantile(writing.latencies, 0.99),
                "kept up": writing.ended < 1.05 * SIMULATED_WRITING,
            }
        rows.append(row)
    return rows


# ---- replicas


def _own_reads(measured: Mapping[str, Any]) -> list[Results]:
    values = measured["replica"]
    lags = [lag / 1e3 for lag in values["lags"]]
    region = Region(ONE_WAY, lags, values["replay"] * measured["unit"] / 1e6)
    rows = []
    for think in THINKING:
        reads = own_reads(region, OWN_WRITES, think, SIMULATED_REGION, SEED)
        rows.append({
            "think": think,
            "at once": reads.at_once / reads.count,
            "waited": len(reads.waits) / reads.count,
            "median": 1e3 * quantile(reads.waits, 0.5),
            "99 %": 1e3 * quantile(reads.waits, 0.99),
            "primary": reads.at_primary / reads.count,
        })  # fmt: skip
    return rows
