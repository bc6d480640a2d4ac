"""The tables of docs/scale.md, from what is in bench/scale.json."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bench.processes import ROOT
from bench.scale import model
from bench.scale.measuring import SIZES, WRITERS
from bench.scale.model import CACHE, CORES, DISK, LARGEST_MEMORY, SHARES, WRITES, YEAR
from bench.scale.scenarios import PROCESSES, READS, large_traffic
from bench.scale.scenarios import RECORDS as MOST

DOCUMENT = ROOT / "docs" / "scale.md"
ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
RECORDS = (10**5, 10**6, 10**7, 10**8)
RATES = (100, 1_000, 10_000, 100_000)  # reads a second
NOT_RUN = 10**7  # records
TITLES = {
    "bytes": "bytes of a record, in all",
    "log bytes": "of these in the log of Changes",
    "search bytes": "of these in the search",
    "index bytes": "of these in other indexes",
    "record": "CPU: single record",
    "detail": "CPU: detail with four includes",
    "list": "CPU: list of 50, deep",
    "search": "CPU: search",
    "hot": "CPU: detail from the response cache",
}
Values = Mapping[str, Any]


def blocks(results: Values) -> dict[str, list[str]]:
    """Return the lines of each computed block of the document, by its name."""
    measured = results["measured"]
    large = results.get("large")
    simulated = results["simulated"]
    return {
        "short": list(_short(results)),
        "machines": _table(_machines(measured)),
        "growth": _table(_growth(measured, large)),
        "walls": _table(_walls(measured, large, simulated)),
        "measured": _table(_measured(measured)),
        "writes": _table(_writes(measured)),
        "others": _table(_others(measured)),
        "large": _table(_large(large)) if large else ["The larger run was not made."],
        "fronts": _table(_fronts(simulated)),
        "latency": _table(_latency(simulated)),
        "writing": _table(_writing(simulated)),
        "own-reads": _table(_own_reads(simulated)),
        "checks": _table(_checks(measured, simulated)),
    }


def written(text: str, computed: Mapping[str, Sequence[str]]) -> str:
    """Return a document with these lines in its blocks, which are between two comments."""
    for name, lines in computed.items():
        content = "\n".join(["", *lines, ""])
        pattern = rf"(?<=<!-- computed: {name} -->)\n.*?(?=<!-- end -->)"
        text, count = re.subn(pattern, content.replace("\\", r"\\"), text, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"The document must have one block {name}.")
    return text


def _table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table; the first row has the headings, and the columns with numbers are on the right."""
    head, *rest = [list(row) for row in rows]
    numeric = [all(re.match(r"[-+]?\d|–|$", row[column]) for row in rest) for column in range(len(head))]
    rule = ["--:" if is_number else "---" for is_number in numeric]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rest)]


def _bytes(amount: float) -> str:
    if amount >= 1e12:
        return f"{amount / 1e12:,.1f} TB"
    return f"{amount / 1e9:,.0f} GB" if amount >= 1e11 else f"{amount / 1e9:,.1f} GB"


def _per(share: float) -> str:
    return f"{share:.0%}"


def _time(seconds: float) -> str:
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:,.0f} days"
    if seconds >= 3_600:
        return f"{seconds / 3_600:,.1f} h"
    return f"{seconds / 60:,.0f} min" if seconds >= 60 else f"{seconds:,.0f} s"


# ---- in short


def _most_writes(simulated: Values) -> tuple[int, int]:
    """Return the highest simulated rate of writes that one process, and four, keep up with."""
    return tuple(
        max((row["rate"] for row in simulated["writing"] if _keeps_up(row[str(processes)])), default=0)
        for processes in PROCESSES[:2]
    )  # type: ignore[return-value]


def _keeps_up(row: Values) -> bool:
    """Return whether all writes were made soon after the last of them had arrived."""
    return bool(row["kept up"])


def _short(results: Values) -> Iterator[str]:
    measured = results["measured"]
    large = results.get("large")
    of_engine = model.laws(measured)
    need = _need(measured, "postgresql", MOST, READS, with_cache=True)
    nodes = _need(measured, "sqlite", MOST, READS, with_cache=True)
    memory = [model.most_records(of_engine[engine]["search bytes"], LARGEST_MEMORY) for engine in ENGINES]
    loads = [_time(model.load_seconds(measured, large, engine, MOST)) for engine in ENGINES]
    rates = [f"{1e6 / measured['load'][engine] / measured['unit']:,.0f}" for engine in ENGINES]
    writes = _most_writes(results["simulated"])[0]
    yield f"- **10⁸ records and 10⁵ reads a second** need {_machines_of(need)} machines on PostgreSQL ({_KINDS}),"
    yield f"  or {_machines_of(nodes)} on SQLite (caches + read nodes), each with {CORES} cores. *Computed.*"
    yield f"- **The first limit of writes is the one writer**: {writes} single writes a second through one process"
    yield f"  (*simulated*, PostgreSQL). A bulk load writes {rates[0]} records a second and core on SQLite,"
    yield f"  {rates[1]} on PostgreSQL (*measured*), so 10⁸ records take {loads[0]} and {loads[1]} (*computed*)."
    yield f"- **The first limit of size is the memory of the search**: its index reaches {_bytes(LARGEST_MEMORY)} with"
    yield f"  {_millions(memory[0])} records on SQLite, and {_millions(memory[1])} on PostgreSQL. *Computed.*"
    yield "- **Reads have no such limit**: caches, API servers, replicas and read nodes can be added."
    disks = [_bytes(of_engine[engine]["bytes"].at(NOT_RUN)) for engine in ENGINES]
    hours = [_time(model.load_seconds(measured, large, engine, NOT_RUN)) for engine in ENGINES]
    yield f"- **Not run**: 10⁷ records. They need {disks[0]} and {hours[0]} of one core on SQLite, {disks[1]} and"
    yield f"  {hours[1]} on PostgreSQL (*computed*), and the machine that measured had 60 GB free."


_KINDS = "caches + API servers + databases"


def _millions(records: float) -> str:
    return f"{records / 1e6:,.0f} million"


# ---- computed


def _need(measured: Values, engine: str, records: float, reads: float, *, with_cache: bool) -> model.Need:
    hits = None
    if with_cache:
        caches = 1
        while True:  # more machines have more memory, and so more hits
            hits = _hits(measured, records, reads, caches)
            need = model.needed(measured, model.laws(measured)[engine], records, reads, hits)
            if need.caches <= caches * CORES:
                return need
            caches += 1
    return model.needed(measured, model.laws(measured)[engine], records, reads, hits)


def _hits(measured: Values, records: float, reads: float, caches: int) -> dict[str, float]:
    stored = measured["front"]["stored bytes"] if measured["front"] else 2_000
    traffic = large_traffic(records, reads, reads * WRITES)
    return model.expected_hits(traffic, caches * CACHE / stored)


def _machines_of(need: model.Need) -> str:
    if need.cores <= CORES:
        return "1"
    return " + ".join(map(str, need.machines))


def _machines(measured: Values) -> Iterator[Sequence[str]]:
    kinds = [f"{name}{how}" for name, how in itertools.product(ENGINES.values(), ("", ", with a cache"))]
    yield ["records", "reads a second", "hits of a cache", *kinds]
    for records in RECORDS:
        for reads in RATES:
            hits = _hits(measured, records, reads, 1)
            needs = [
                _need(measured, engine, records, reads, with_cache=cached)
                for engine, cached in (("sqlite", False), ("sqlite", True), ("postgresql", False), ("postgresql", True))
            ]
            yield [f"{records:,}", f"{reads:,}", _per(hits["all"]), *map(_machines_of, needs)]


def _growth(measured: Values, large: Values | None) -> Iterator[Sequence[str]]:
    yield ["records", "engine", "disk", "search: memory", "load, one core", "copy or rewrite it all"]
    for records in RECORDS:
        for engine, name in ENGINES.items():
            at = {quantity: law.at(records) for quantity, law in model.laws(measured)[engine].items()}
            yield [
                *(f"{records:,}", name, _bytes(at["bytes"]), _bytes(at["search bytes"])),
                _time(model.load_seconds(measured, large, engine, records)),
                _time(at["bytes"] / DISK),
            ]


def _walls(measured: Values, large: Values | None, simulated: Values) -> Iterator[Sequence[str]]:
    of_engine = model.laws(measured)
    at = {engine: {name: law.at(MOST) for name, law in quantities.items()} for engine, quantities in of_engine.items()}
    memory = {e: model.most_records(quantities["search bytes"], LARGEST_MEMORY) for e, quantities in of_engine.items()}
    by_one, by_several = _most_writes(simulated)
    loads = [_time(model.load_seconds(measured, large, engine, MOST)) for engine in ENGINES]
    version = at["postgresql"]["log bytes"] / MOST
    search, whole = (_time(at["postgresql"][name] / DISK) for name in ("search bytes", "bytes"))
    few, many = simulated["front"][1:3]
    soon = simulated["own reads"][2]
    yield ["limit", "where it is", "kind of figure"]
    writes = f"{by_one} single writes a second through one API server process, {by_several} through {PROCESSES[1]}"
    yield ["one writer", writes, "simulated, PostgreSQL"]
    yield ["loading", f"10⁸ records take {loads[0]} on SQLite and {loads[1]} on PostgreSQL", "computed"]
    records = f"{_millions(memory['sqlite'])} records on SQLite, {_millions(memory['postgresql'])} on PostgreSQL"
    yield ["memory of the search", f"{_bytes(LARGEST_MEMORY)} of memory hold the index of {records}", "computed"]
    yield [
        "the log",
        f"{version:,.0f} bytes a version: {_bytes(10 * YEAR * version)} a year at ten a second",
        "computed",
    ]
    indexes = f"{_bytes(at['postgresql']['index bytes'])} at 10⁸ records, besides the search"
    yield ["indexes", indexes, "computed, PostgreSQL"]
    passes = f"at 10⁸ records {search} for the index of the search, {whole} for everything, to freeze old rows"
    yield ["vacuum", passes, "computed, PostgreSQL"]
    rewritten = (
        f"{_bytes(at['sqlite']['bytes'])} are written anew at 10⁸ records, in {_time(at['sqlite']['bytes'] / DISK)}"
    )
    yield ["redaction on SQLite", rewritten, "computed"]
    hits = [f"{_per(row['list'])}, {_per(row['search'])} and {_per(row['detail'])}" for row in (few, many)]
    where = f"hits: {hits[0]} at {few['writes']} writes a second, {hits[1]} at {many['writes']}"
    yield ["lists, searches and details with includes in caches", where, "simulated"]
    waits = f"{_per(1 - soon['at once'])} of the reads {1e3 * soon['think']:.0f} ms after an own write wait"
    yield ["replicas", waits, "simulated"]


# ---- measured


def _measured(measured: Values) -> Iterator[Sequence[str]]:
    columns = [f"{name}: {size:,} projects" for name, size in itertools.product(ENGINES.values(), SIZES)]
    yield ["", *columns, "error"]
    of_engine = {engine: model.points(measured, engine) for engine in ENGINES}
    misses = {engine: model.errors(sizes, measured["records"]) for engine, sizes in of_engine.items()}
    for name, title in TITLES.items():
        cells: list[str] = []
        for sizes in of_engine.values():
            for size, values in sizes.items():
                value = values[name] + values.get(f"{name} database", 0)
                cells.append(f"{value / measured['records'][size]:,.0f}" if "bytes" in name else f"{value:.2f}")
        yield [title, *cells, ", ".join(f"{misses[engine][name]:+z.0%}" for engine in ENGINES)]


def _writes(measured: Values) -> Iterator[Sequence[str]]:
    yield ["engine", "clients", "request", "writer", "database", "writes a second"]
    for engine, name in ENGINES.items():
        for clients in map(str, WRITERS):
            values = measured["writes"][engine][clients]
            costs = [f"{values[part]:.1f}" for part in ("request", "writer", "database")]
            yield [name, clients, *costs, f"{values['rate']:,.0f}"]


def _others(measured: Values) -> Iterator[Sequence[str]]:
    lags = measured["replica"]["lags"]
    front = measured["front"]
    yield ["what", "measured"]
    yield ["the unit, on the machine that measured", f"{measured['unit']:.0f} µs"]
    for engine, name in ENGINES.items():
        yield [f"a record is loaded in bulk, {name}", f"{measured['load'][engine]:.2f} units"]
    yield ["a replica repeats a write", f"{measured['replica']['replay']:.2f} units"]
    half, most = (lags[int(share * len(lags))] for share in (0.5, 0.99))
    yield ["a write is visible on a replica on the same machine after", f"{half:.1f} ms; 99 %: {most:.1f} ms"]
    yield ["8 kB reach the disk in", f"{measured['sync']:.1f} ms"]
    if front:
        yield ["Varnish answers from its memory", f"{front['cost']:.2f} units"]
        yield ["a stored response of Varnish takes", f"{front['stored bytes']:,.0f} bytes"]
        hits = ", ".join(f"{kind} {_per(front['hits'][kind])}" for kind in SHARES)
        rates = f"{front['reads']:,.0f} reads a second, {len(front['writes'])} writes"
        yield [
            f"hits of Varnish, {front['sizes']['record']:,} projects, {rates}",
            f"{_per(front['hit rate'])} ({hits})",
        ]
        ages = front["ages"]
        yield ["Varnish misses a write for", f"{ages[len(ages) // 2]:.2f} s; at most {ages[-1]:.2f} s"]


def _large(large: Values) -> Iterator[Sequence[str]]:
    misses = model.errors(large["points"], large["records"])
    yield ["", *(f"{records:,} records" for records in large["records"].values()), "error"]
    for name, title in {**TITLES, "load": "CPU: a record is loaded at this size"}.items():
        values = {size: quantities[name] for size, quantities in large["points"].items()}
        cells = [
            f"{value / large['records'][size]:,.0f}" if "bytes" in name else f"{value:.2f}"
            for size, value in values.items()
        ]
        yield [title, *cells, f"{misses[name]:+z.0%}"]


# ---- simulated


def _fronts(simulated: Values) -> Iterator[Sequence[str]]:
    heads = ["records", "details", "lists", "searches", "all", "all, by formula", "out of date", "at most"]
    yield ["memory in a region", "writes a second", *heads]
    for row in simulated["front"]:
        hits = [_per(row[kind]) for kind in (*SHARES, "all", "computed")]
        yield [f"{row['memory']} GB", str(row["writes"]), *hits, f"{row['old']:.2%}", f"{row['age']:.1f} s"]


def _latency(simulated: Values) -> Iterator[Sequence[str]]:
    yield ["engine", "cores are busy", "cores of servers", "cores of databases", "median", "99 %"]
    for row in simulated["latency"]:
        cores = [f"{row[name]:,}" if row[name] else "–" for name in ("cores", "database cores")]
        waits = [f"{row[name]:.1f} ms" for name in ("median", "99 %")]
        yield [ENGINES[row["engine"]], _per(row["busy"]), *cores, *waits]


def _writing(simulated: Values) -> Iterator[Sequence[str]]:
    yield ["writes a second", *(f"API server processes: {processes}" for processes in PROCESSES)]
    for row in simulated["writing"]:
        cells = []
        for times in (row[str(processes)] for processes in PROCESSES):
            waits = f"{times['median']:,.0f} ms, {times['99 %']:,.0f} ms, {times['group']:.1f}"
            cells.append(waits if _keeps_up(times) else "– too many")
        yield [str(row["rate"]), *cells]


def _own_reads(simulated: Values) -> Iterator[Sequence[str]]:
    yield ["read after", "answered at once", "waited: median, 99 %", "answered by the primary"]
    for row in simulated["own reads"]:
        waits = f"{row['waited']:.1%}: {row['median']:.1f} ms, {row['99 %']:.0f} ms"
        yield [f"{1e3 * row['think']:,.0f} ms", f"{row['at once']:.1%}", waits, f"{row['primary']:.2%}"]


def _checks(measured: Values, simulated: Values) -> Iterator[Sequence[str]]:
    yield ["small case", "measured", "simulated"]
    front = simulated["checks"]["front"]
    if front:
        of_varnish = measured["front"]
        yield ["hits of Varnish", _per(of_varnish["hit rate"]), _per(front["hit rate"])]
        for kind in SHARES:
            yield [f"hits of Varnish: {kind}", _per(of_varnish["hits"][kind]), _per(front["hits"][kind])]
        yield ["oldest response of Varnish", f"{of_varnish['ages'][-1]:.1f} s", f"{front['age']:.1f} s"]
    for engine, name in ENGINES.items():
        for row in simulated["checks"]["writes"][engine]:
            case = f"{name}, {row['clients']} clients"
            if row["clients"] == 1:
                case = f"{name}, 1 client"
            yield [f"{case}: writes a second", f"{row['measured rate']:,.0f}", f"{row['rate']:,.0f}"]
            yield [f"{case}: CPU of a write, in units", f"{row['measured cpu']:.1f}", f"{row['cpu']:.1f}"]
