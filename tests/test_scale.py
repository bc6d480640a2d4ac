"""The numbers of docs/scale.md: computed from what is kept, by a simulation that agrees with formulas."""

import json
import math
import random
from collections import Counter
from dataclasses import astuple
from itertools import accumulate, islice
from typing import Any

import pytest

from bench.scale.__main__ import RESULTS, fingerprint
from bench.scale.document import DOCUMENT, blocks, written
from bench.scale.model import Need, PowerLaw, errors, expected_hits, filled_after, needed
from bench.scale.simulation import (
    Cache,
    Region,
    Traffic,
    WriteCosts,
    Writing,
    Zipf,
    completions,
    own_reads,
    poisson,
    quantile,
    serve,
)

SHARES = {"record": 0.6, "detail": 0.1, "list": 0.2, "search": 0.1}


@pytest.fixture(scope="module")
def kept() -> Any:
    return json.loads(RESULTS.read_text("utf-8"))


def test_the_document_is_what_is_computed_from_the_kept_results(kept: Any) -> None:
    """After an edit of the model, the simulation or the document: `python -m bench.scale --compute`."""
    text = DOCUMENT.read_text("utf-8")
    assert text == written(text, blocks(kept))
    assert kept["simulated"]["of"] == fingerprint(kept["measured"])


def test_each_block_of_the_document_is_computed() -> None:
    text = "<!-- computed: a -->\nold\n<!-- end -->\n<!-- computed: b -->\n<!-- end -->\n"
    new = "<!-- computed: a -->\nx\ny\n<!-- end -->\n<!-- computed: b -->\nz\n<!-- end -->\n"
    assert written(text, {"a": ["x", "y"], "b": ["z"]}) == new
    assert written(new, {"a": ["x", "y"], "b": ["z"]}) == new
    with pytest.raises(ValueError, match="one block c"):
        written(text, {"c": []})


# ---- the model


def test_larger_registries_are_computed_from_measured_ones() -> None:
    assert PowerLaw.through((1_000, 5.0), (10_000, 50.0)).at(1_000_000) == pytest.approx(5_000)
    assert PowerLaw.through((1_000, 2.0), (10_000, 2.0)).at(1_000_000) == pytest.approx(2)
    found = {"1": {"bytes": 10.0}, "10": {"bytes": 100.0}, "100": {"bytes": 800.0}}
    assert errors(found, {"1": 7, "10": 70, "100": 700})["bytes"] == pytest.approx(0.25)


def test_machines_follow_from_the_cost_of_what_the_cache_does_not_have() -> None:
    measured = {"unit": 100.0, "front": {"cost": 0.5}}
    of_engine = {name: PowerLaw(2.0, 0.0) for name in ("record", "detail", "list", "search", "record database")}
    without = needed(measured, of_engine, 10**6, 6_000, None)
    assert astuple(without) == pytest.approx((0.0, 2.0, 2.0 * 0.70))
    behind = needed(measured, of_engine, 10**6, 6_000, dict.fromkeys(SHARES, 0.5))
    assert astuple(behind) == pytest.approx((0.5, 1.0, 0.70))
    assert Need(9.0, 16.0, 0.0).machines == [2, 2]


# ---- queues


@pytest.mark.parametrize(("servers", "busy"), [(1, 0.5), (1, 0.8), (4, 0.8)])
def test_waits_for_random_services_are_those_of_erlang(servers: int, busy: float) -> None:
    rng = random.Random(1)
    arrivals = list(islice(poisson(rng, busy * servers, math.inf), 200_000))
    services = [rng.expovariate(1) for _ in arrivals]
    offered = busy * servers
    terms = list(accumulate(range(1, servers), lambda term, number: term * offered / number, initial=1.0))
    all_busy = terms[-1] * offered / servers / (1 - busy)
    expected = all_busy / (sum(terms) + all_busy) / (servers * (1 - busy))
    assert mean_wait(arrivals, services, servers) == pytest.approx(expected, rel=0.06)


def test_waits_for_equal_services_are_half_as_long() -> None:
    arrivals = list(islice(poisson(random.Random(1), 0.8, math.inf), 200_000))
    assert mean_wait(arrivals, [1.0] * len(arrivals), 1) == pytest.approx(0.8 / (2 * (1 - 0.8)), rel=0.06)


def mean_wait(arrivals: list[float], services: list[float], servers: int) -> float:
    ends = completions(arrivals, services, servers)
    return sum(map(lambda end, at, taken: end - at - taken, ends, arrivals, services)) / len(ends)


# ---- caches


@pytest.mark.parametrize(("size", "exponent"), [(50, 0.8), (5_000, 0.8), (5_000, 1.2)])
def test_numbers_follow_the_law_of_zipf(size: int, exponent: float) -> None:
    zipf = Zipf(size, exponent)
    rng = random.Random(1)
    picked = Counter(zipf.pick(rng) for _ in range(50_000))
    total = sum(number**-exponent for number in range(1, size + 1))
    for number in (1, 2, 10):
        assert zipf.share(number) == pytest.approx(number**-exponent / total, rel=0.001)
        assert picked[number] / 50_000 == pytest.approx(zipf.share(number), abs=0.006)
    assert set(picked) <= set(range(1, size + 1))
    assert sum(count for number, count in picked.items() if number > size / 2) / 50_000 == pytest.approx(
        sum(number**-exponent for number in range(size // 2 + 1, size + 1)) / total, abs=0.008
    )
    assert sum(count * share for count, share in zipf.bands()) == pytest.approx(1, rel=0.001)


@pytest.mark.parametrize("capacity", [100, 600])
def test_hits_of_a_full_cache_are_those_of_the_approximation_of_che(capacity: int) -> None:
    zipf = Zipf(3_000, 0.8)
    cache = Cache(capacity)
    rng = random.Random(1)
    hits = [cache.read(zipf.pick(rng), 0, -math.inf) is not None for _ in range(60_000)][10_000:]
    filled = filled_after(zipf, capacity)
    expected = sum(count * share * -math.expm1(-share * filled) for count, share in zipf.bands())
    assert sum(hits) / len(hits) == pytest.approx(expected, abs=0.012)


@pytest.mark.parametrize("writes", [0.5, 3.0])
def test_hits_while_records_are_written_are_those_of_the_formula(writes: float) -> None:
    sizes = {"record": 200, "detail": 20, "list": 20, "search": 30}
    popularity = {kind: Zipf(size, 0.8) for kind, size in sizes.items()}
    traffic = Traffic(25, writes, SHARES, popularity, 4, range(4), (1, 2), 1.0, 1.0, 7.0)
    served = serve(traffic, Cache(), 2_000, 1)
    expected = expected_hits(traffic, 200)
    for kind in SHARES:
        assert served.rate_of(kind) == pytest.approx(expected[kind], abs=0.03), kind
    assert served.hit_rate == pytest.approx(expected["all"], abs=0.02)
    assert 0 < max(served.ages) <= traffic.every
    assert len(served.misses) == served.requests.total() - served.hits.total()


def test_responses_end_with_their_lifetime() -> None:
    cache = Cache(lifetime=2)
    assert [cache.read("a", at, -math.inf) for at in (1.0, 2.0, 2.9, 3.0, 4.0)] == [None, 1.0, 1.0, None, 3.0]
    assert Cache().read("b", 5.0, -math.inf, warm=-1.0) == -1.0


# ---- writers and replicas

COSTS = WriteCosts(request=0.001, group=0.004, write=0.001, database_group=0.002, database_write=0.0005, commit=0.0015)


def test_one_client_writes_as_fast_as_its_costs_allow() -> None:
    writing = Writing(COSTS, 1)
    assert writing.by_clients(1, 5) == pytest.approx(1 / 0.010, rel=0.01)
    assert writing.groups == len(writing.latencies)


def test_many_clients_share_the_cost_of_a_transaction() -> None:
    writing = Writing(COSTS, 1)
    rate = writing.by_clients(64, 5)
    group = len(writing.latencies) / writing.groups
    busy = COSTS.request + COSTS.write + COSTS.group / group  # of the one core, for each write
    assert 20 < group <= 64
    assert 0.7 / busy < rate <= 1.001 / busy


def test_processes_take_turns_with_the_lock() -> None:
    of_one = Writing(COSTS, 1)
    of_one.by_rate(200, 20, 1)
    of_many = Writing(COSTS, 16)
    of_many.by_rate(200, 20, 1)
    assert len(of_one.latencies) == len(of_many.latencies) == pytest.approx(4_000, rel=0.1)
    assert len(of_one.latencies) / of_one.groups > 1.2 * len(of_many.latencies) / of_many.groups
    held = COSTS.group + COSTS.write + COSTS.database_group + COSTS.database_write + COSTS.commit
    assert min(of_many.latencies) == pytest.approx(COSTS.request + held)


def test_a_read_of_an_own_write_waits_for_the_replica() -> None:
    beside = own_reads(Region(0.0, [0.0], 0.0, pause_every=math.inf), 10, 0.05, 100, 1)
    assert beside.at_once == beside.count > 900
    lag = own_reads(Region(0.1, [0.05], 0.0, pause_every=math.inf), 10, 0.05, 1_000, 1)
    assert len(lag.waits) / lag.count == pytest.approx(-math.expm1(-1), abs=0.02)  # it thinks for less than the lag
    assert quantile(lag.waits, 1) <= 0.05
    lost = own_reads(Region(0.0, [0.0], 0.0, pause_every=1, pause=1_000), 10, 0.05, 100, 1)
    assert lost.at_primary > 0.9 * lost.count
