"""A discrete simulation of what cannot be run: queues, a cache in front, writers and replicas.

The same seed always gives the same result. Times are in seconds.
"""

import heapq
import itertools
import math
import random
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

SLICE = 0.0005  # for which the writer has the core before it waits for the database, and the event loop can have it
GROUP = 64  # writes in a transaction
EXACT = 1_000  # first terms of a sum that are added one by one


class Zipf:
    """Numbers from 1 to `size`; the n-th is picked n ** `exponent` times less often than the first. No exponent of 1.

    It picks by rejection-inversion (Hörmann and Derflinger, 1996), so it needs no table.
    """

    def __init__(self, size: int, exponent: float) -> None:
        self.size = size
        self.exponent = exponent
        self._first = self._integral(1.5) - 1
        self._last = self._integral(size + 0.5)
        self._near = 2 - self._inverse(self._integral(2.5) - 2**-exponent)
        self._total = sum(number**-exponent for number in range(1, min(size, EXACT) + 1))
        if size > EXACT:
            self._total += self._last - self._integral(EXACT + 0.5)

    def _integral(self, x: float) -> float:
        return float((x ** (1 - self.exponent) - 1) / (1 - self.exponent))

    def _inverse(self, y: float) -> float:
        return float((1 + (1 - self.exponent) * y) ** (1 / (1 - self.exponent)))

    def pick(self, rng: random.Random) -> int:
        while True:
            y = self._last + rng.random() * (self._first - self._last)
            x = self._inverse(y)
            number = min(self.size, max(1, int(x + 0.5)))
            if number - x <= self._near or y >= self._integral(number + 0.5) - number**-self.exponent:
                return number

    def share(self, number: int) -> float:
        """Return the probability of a number."""
        return float(number**-self.exponent / self._total)

    def bands(self) -> Iterator[tuple[float, float]]:
        """Yield how many numbers have about the same probability, and this probability."""
        for number in range(1, min(self.size, EXACT) + 1):
            yield 1, self.share(number)
        low = min(self.size, EXACT) + 0.5
        while low < self.size:
            high = min(low * 1.02, self.size + 0.5)
            yield high - low, (self._integral(high) - self._integral(low)) / self._total / (high - low)
            low = high


def completions(arrivals: Sequence[float], services: Sequence[float], servers: int) -> list[float]:
    """Return when each request is complete: first come, first served, by some equal servers."""
    free = [0.0] * servers
    done = []
    for arrival, service in zip(arrivals, services, strict=True):
        end = max(arrival, free[0]) + service
        heapq.heapreplace(free, end)
        done.append(end)
    return done


def poisson(rng: random.Random, rate: float, until: float) -> Iterator[float]:
    """Yield the times of random events with a rate."""
    at = rng.expovariate(rate) if rate else math.inf
    while at < until:
        yield at
        at += rng.expovariate(rate)


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


# ---- a cache in front


class Write(NamedTuple):
    """When a record was written, which one if it is read too, and the number of its resource."""

    at: float
    record: int | None
    resource: int


@dataclass(frozen=True)
class Traffic:
    """What one cache is asked, and what is written meanwhile. Rates are numbers a second."""

    reads: float
    writes: float
    shares: Mapping[str, float]  # of single records, details with included records, lists and searches
    popularity: Mapping[str, Zipf]  # of the records, and of the different lists and searches
    resources: int  # each write is one of a record of one of them, which are numbers from 0
    listed: Sequence[int]  # those of which the lists are
    included: Sequence[int]  # those that details include
    written: float  # share of the writes that change a record which is read
    every: float  # between two deletions of what has changed
    repeat_after: float  # after which everything is deleted again

    def keys(self, kind: str, number: int) -> tuple[object, ...]:
        """Return the keys of a response. A Change deletes what has one of its keys."""
        if kind == "search":
            return ("changes",)
        if kind == "list":
            return (("resource", self.listed[number % len(self.listed)]),)
        return (number,) if kind == "record" else (number, *(("resource", number) for number in self.included))


@dataclass
class Served:
    """What a cache answered: numbers by kind, the requests that reached the servers, and hits that were out of date."""

    requests: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    misses: list[tuple[float, str]] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)

    @property
    def hit_rate(self) -> float:
        return self.hits.total() / self.requests.total()

    def rate_of(self, kind: str) -> float:
        return self.hits[kind] / self.requests[kind] if self.requests[kind] else 0.0


class Cache:
    """Responses by name, and when they were made. The least recently used ones are removed."""

    def __init__(self, capacity: float = math.inf, lifetime: float = math.inf) -> None:
        self._capacity = capacity
        self._lifetime = lifetime
        self._stored: OrderedDict[object, float] = OrderedDict()

    def read(self, name: object, at: float, deleted: float, warm: float = 0.0) -> float | None:
        """Return when the stored response was made. If there is none, store it now, and return None.

        Everything made before `deleted` was deleted. `warm` makes up for what came before: a response that is asked
        for the first time was there already if this is not 0.
        """
        stored_at = self._stored.get(name, warm or None)
        if stored_at is None or stored_at <= deleted or stored_at + self._lifetime <= at:
            stored_at = None
        self._stored[name] = at if stored_at is None else stored_at
        self._stored.move_to_end(name)
        if len(self._stored) > self._capacity:
            self._stored.popitem(last=False)
        return stored_at


def serve(
    traffic: Traffic,
    cache: Cache,
    seconds: float,
    seed: int,
    *,
    is_warm: Callable[[str, int], float] | None = None,
    writes: Iterable[Write] | None = None,
) -> Served:
    """Let a cache answer random requests while records are written, at random or as stated, and deleted from it.

    `is_warm` returns the probability with which a response was there at the beginning.
    """
    rng = random.Random(seed)
    written: dict[object, float] = {}
    deleted: dict[object, float] = {}
    deletions = _deletions(traffic, _random_writes(traffic, rng, seconds) if writes is None else writes)
    following = next(deletions, None)
    kinds = list(traffic.shares)
    weights = list(itertools.accumulate(traffic.shares.values()))
    served = Served()
    for at in poisson(rng, traffic.reads, seconds):
        while following is not None and following[0] <= at:
            when, key, is_write = following
            (written if is_write else deleted)[key] = when
            following = next(deletions, None)
        kind = rng.choices(kinds, cum_weights=weights)[0]
        number = traffic.popularity[kind].pick(rng)
        keys = traffic.keys(kind, number)
        warm = -1.0 if is_warm and rng.random() < is_warm(kind, number) else 0.0
        stored_at = cache.read((kind, number), at, max(deleted.get(key, -math.inf) for key in keys), warm)
        served.requests[kind] += 1
        if stored_at is None:
            served.misses.append((at, kind))
            continue
        served.hits[kind] += 1
        if (since := max(written.get(key, -math.inf) for key in keys)) > stored_at:
            served.ages.append(at - since)
    return served


def _random_writes(traffic: Traffic, rng: random.Random, seconds: float) -> Iterator[Write]:
    for at in poisson(rng, traffic.writes, seconds):
        record = traffic.popularity["record"].pick(rng) if rng.random() < traffic.written else None
        yield Write(at, record, rng.randrange(traffic.resources))


def _deletions(traffic: Traffic, writes: Iterable[Write]) -> Iterator[tuple[float, object, bool]]:
    """Yield the times at which responses with a key are out of date (true) and are deleted (false), in order."""
    steps = []
    for at, record, resource in writes:
        for key in (record, ("resource", resource), "changes"):
            steps.append((at, key, True))
            for after in (at, at + traffic.repeat_after):
                steps.append(((after // traffic.every + 1) * traffic.every, key, False))
    return iter(sorted(steps, key=lambda step: step[0]))


# ---- writers


@dataclass(frozen=True)
class WriteCosts:
    """Seconds of the event loop for a request, and of the writer and the database for a group and each write in it."""

    request: float
    group: float
    write: float
    database_group: float
    database_write: float
    commit: float  # until the disk, or another server, has the transaction


class Writing:
    """Server processes that commit the writes that wait together; one transaction at a time has the lock.

    The event loop and the writer of a process share one core, because Python runs one thread at a time.
    """

    def __init__(self, costs: WriteCosts, processes: int) -> None:
        self.latencies: list[float] = []
        self.groups = 0
        self.ended = 0.0
        self._costs = costs
        self._now = 0.0
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._for_lock: deque[_Process] = deque()
        self._holder: _Process | None = None
        self._processes = [_Process() for _ in range(processes)]
        self._until = 0.0
        self._is_closed = False

    def by_clients(self, clients: int, seconds: float) -> float:
        """Let clients write again and again, each after its response; return the writes a second."""
        self._until = seconds
        self._is_closed = True
        for number in range(clients):
            self._arrives(self._processes[number % len(self._processes)])
        self._run()
        return len(self.latencies) / self._now

    def by_rate(self, rate: float, seconds: float, seed: int) -> None:
        """Let writes arrive at random, at any of the processes."""
        rng = random.Random(seed)
        for at in poisson(rng, rate, seconds):
            process = rng.choice(self._processes)
            self._later(at, lambda process=process: self._arrives(process))  # type: ignore[misc]
        self._run()

    def _later(self, at: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (at, next(self._order), action))

    def _run(self) -> None:
        while self._events:
            self._now, _, action = heapq.heappop(self._events)
            action()
        self.ended = self._now

    def _arrives(self, process: "_Process") -> None:
        process.received.append(self._now)
        self._use_core(process)

    def _use_core(self, process: "_Process") -> None:
        """Let the event loop and the writer have the core in turn."""
        if process.is_busy or not (process.received or process.left):
            return
        process.is_busy = True
        if process.received and (process.was_writing or not process.left):
            process.was_writing = False
            self._later(self._now + self._costs.request, lambda: self._is_read(process))
        else:
            process.was_writing = True
            part = min(SLICE, process.left)
            self._later(self._now + part, lambda: self._has_written(process, part))

    def _is_read(self, process: "_Process") -> None:
        process.is_busy = False
        process.waiting.append(process.received.popleft())
        self._want_lock(process)
        self._use_core(process)

    def _want_lock(self, process: "_Process") -> None:
        if process.waiting and process is not self._holder and process not in self._for_lock:
            self._for_lock.append(process)
        if self._holder is None and self._for_lock:
            self._holder = holder = self._for_lock.popleft()
            holder.group = [holder.waiting.popleft() for _ in range(min(GROUP, len(holder.waiting)))]
            holder.left = self._costs.group + self._costs.write * len(holder.group)
            self.groups += 1
            self._use_core(holder)

    def _has_written(self, process: "_Process", part: float) -> None:
        process.is_busy = False
        process.left -= part
        if process.left < 1e-12:
            process.left = 0.0
            database = self._costs.database_group + self._costs.database_write * len(process.group)
            self._later(self._now + database + self._costs.commit, lambda: self._is_committed(process))
        self._use_core(process)

    def _is_committed(self, process: "_Process") -> None:
        self.latencies += [self._now - arrived for arrived in process.group]
        answered = len(process.group)
        process.group = []
        self._holder = None
        self._want_lock(process)
        if self._is_closed and self._now < self._until:
            for _ in range(answered):
                self._arrives(process)


@dataclass(eq=False)
class _Process:
    received: deque[float] = field(default_factory=deque)  # requests for the event loop, by their time
    waiting: deque[float] = field(default_factory=deque)  # writes that wait for the lock
    group: list[float] = field(default_factory=list)
    left: float = 0.0  # work of the writer
    is_busy: bool = False
    was_writing: bool = True


# ---- replicas


@dataclass(frozen=True)
class Region:
    """Two replicas at some distance from the primary. Now and then one of them receives nothing for a time."""

    one_way: float  # from the primary to the replicas
    lags: Sequence[float]  # some measured times until a commit is visible on a replica beside its primary
    replay: float  # for one write
    pause_every: float = 600.0
    pause: float = 5.0
    patience: float = 0.2  # for which a read waits for replicas


@dataclass
class OwnReads:
    """Reads that ask for the write that a client has just made: how many waited, for how long, and where they ended."""

    count: int = 0
    at_once: int = 0
    waits: list[float] = field(default_factory=list)
    at_primary: int = 0


def own_reads(region: Region, writes: float, think: float, seconds: float, seed: int) -> OwnReads:
    """Let each client read at its region what it has written, some random time after the response."""
    rng = random.Random(seed)
    replicas = [_Replica(region, rng, seconds) for _ in range(2)]
    result = OwnReads()
    for at in poisson(rng, writes, seconds):
        visible = [replica.receives(at) for replica in replicas]
        read_at = at + region.one_way + (rng.expovariate(1 / think) if think else 0.0)
        first, second = rng.sample(visible, 2)
        result.count += 1
        if first <= read_at:
            result.at_once += 1
        elif min(first, second if second <= read_at + region.patience else math.inf) <= read_at + region.patience:
            result.waits.append(min(first, read_at + region.patience) - read_at)
        else:
            result.at_primary += 1
    return result


class _Replica:
    def __init__(self, region: Region, rng: random.Random, seconds: float) -> None:
        self._region = region
        self._rng = rng
        self._pauses = deque(poisson(rng, 1 / region.pause_every, seconds))
        self._visible = 0.0

    def receives(self, at: float) -> float:
        """Return when a commit is visible: never before the one before it."""
        arrives = at + self._region.one_way + self._rng.choice(self._region.lags)
        while self._pauses and self._pauses[0] + self._region.pause < arrives:
            self._pauses.popleft()
        if self._pauses and self._pauses[0] <= arrives:
            arrives = self._pauses[0] + self._region.pause
        self._visible = max(arrives, self._visible + self._region.replay)
        return self._visible
