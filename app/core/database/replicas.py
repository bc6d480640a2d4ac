"""Reads from replicas of PostgreSQL: the servers in turn, none that is behind what was answered, else the primary."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable, Iterator, Sequence
from contextvars import Context
from functools import partial
from typing import Any, NamedTuple

import psycopg
import structlog
from sqlalchemy import text

from app.core.database.log_position import LagHistory, LogPosition
from app.core.database.postgres import LAST_SEQUENCE, Behind, PostgresReader, is_lost
from app.core.database.statements import Query, Read, Reader
from app.core.errors import Problem, Unavailable
from app.core.gauges import register_gauge

PATIENCE = 0.2  # seconds that a read waits, in all, for replicas to receive the Changes that it must contain
LAST_PATIENCE = 2.0  # seconds that it waits if no server can answer
STEP = 0.005  # seconds between two looks at a replica for which reads wait
EVERY = 1.0  # seconds between two looks at each server
LOOK = 1.0  # seconds after which a server that does not answer a look counts as lost

_LAST = "SELECT sequence, chain FROM changes ORDER BY sequence DESC LIMIT 1"
_CHAIN = "SELECT chain FROM changes WHERE sequence = "
_STATE = Query(
    text(
        f"SELECT sequence, chain, ({_CHAIN} 1) || version_num, ({_CHAIN} :reference)"
        f" FROM alembic_version LEFT JOIN ({_LAST}) AS last ON true"
    ),
    alone=True,
)

StartReader = Callable[..., PostgresReader]


class ReplicaState(NamedTuple):
    """What is known of a replica: `ok`, `behind` or `unavailable`, and how far it is behind the primary."""

    state: str
    changes_behind: int
    seconds_behind: float


class Server:
    """A PostgreSQL server, as this process knows it.

    `sequence` and `chain` are those of the last Change that it was seen to have, and `seconds_behind` for how long the
    primary has had a later one. Each connection checks for itself what its server has, so these only choose a server.
    `registry` identifies its first Change and its schema. `reference` is a Change of the primary: a server that
    has another one in its place is no replica.
    """

    def __init__(self, start_reader: StartReader) -> None:
        self.reader = start_reader()
        self.quick = start_reader(short_reads=1, long_reads=0)  # for reads that must not wait for those of clients
        self.sequence = 0
        self.chain = ""
        self.registry = ""
        self.reference = (0, "")
        self.responds = True
        self.has_this_log = True
        self.seconds_behind = 0.0
        self._running: set[asyncio.Timeout] = set()
        self._looking: asyncio.Task[None] | None = None

    async def run(self, reader: PostgresReader, read: Callable[[], Read], **how: Any) -> Any:
        """Run a read with one of the readers. Raise ServerLost if the server does not answer, or is seen to be lost."""
        try:
            async with asyncio.timeout(None) as running:
                self._running.add(running)
                try:
                    return await reader.run(read, **how)
                finally:
                    self._running.discard(running)
        except TimeoutError:
            raise ServerLost from None
        except Unavailable as error:
            if not is_lost(error):
                raise
            self.lose()
            raise ServerLost from error

    def lose(self) -> None:
        """Note that the server does not answer, end the reads that wait for it, and close its connections.

        The URL of the primary leads to another server after a failover.
        """
        self.responds = False
        self.reader.close_idle()
        self.quick.close_idle()
        now = asyncio.get_running_loop().time()
        while self._running:
            self._running.pop().reschedule(now)

    async def has_reached(self, sequence: int, until: float) -> bool:
        """Return whether the server has a Change, and wait for it until a time."""
        while self.responds and self.sequence < sequence:
            await self.look(max(0.0, until - time.monotonic()))
            if self.sequence >= sequence:
                break
            if time.monotonic() + STEP > until:
                return False
            await asyncio.sleep(STEP)
        return self.responds

    async def look(self, timeout: float | None = None) -> None:
        """Read the last Change of the server, or wait some seconds for it. Those who ask at once share the look."""
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look(), context=Context())
        await asyncio.wait({self._looking}, timeout=timeout)

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(LOOK + self.quick.seconds_to_connect):
                reference, chain = self.reference
                state = await self.quick.run(partial(_read_state, reference))
            self.sequence, self.chain, self.registry, present = state
            self.has_this_log = present in (None, chain)
            self.responds = True
        except (Unavailable, TimeoutError, psycopg.Error):
            self.lose()
        finally:
            self._looking = None

    async def close(self) -> None:
        """Stop looking, and close the connections."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self.reader.close()
        await self.quick.close()


class ServerLost(Exception):
    """The server does not answer, has ended the read, or lacks what the read must contain."""


class Replicas:
    """The replicas of a primary, and the readers that use them.

    `reader` is for reads of the log and of records: it uses the replicas in turn, and the primary if none of them has
    what `position` has reached. `primary_reader` is for everything else, and uses a replica only if the primary is
    lost. `separate_reader` is the same for quick reads, which must not wait for those of clients.
    """

    def __init__(
        self, primary: StartReader, replicas: Sequence[StartReader], position: LogPosition, max_lag: float
    ) -> None:
        self.primary = Server(primary)
        self.servers = [Server(replica) for replica in replicas]
        self.position = position
        self._max_lag = max_lag
        self._turn = 0
        self._history = LagHistory()
        self._watcher: asyncio.Task[None] | None = None
        self.reader: Reader = ReplicaReader(self, self._run_on_replica)
        self.primary_reader: Reader = ReplicaReader(self, partial(self._run_on_primary, quick=False))
        self.separate_reader: Reader = ReplicaReader(self, partial(self._run_on_primary, quick=True))

    async def start(self) -> None:
        """Look at the servers, now and from time to time, and show their states."""
        began = time.monotonic()
        await self.primary.look()
        self._compare(began)
        await self._look()
        for number, server in enumerate(self.servers, 1):
            self._register(f"replica_{number}", f"of replica {number} of HOPTAC_READ_URL", server)
        self._watcher = asyncio.get_running_loop().create_task(self._watch(), context=Context())

    def _register(self, name: str, which: str, server: Server) -> None:
        register_gauge(f"{name}_ok", f"State {which}: 1 if clients read it.", lambda: self._state(server).state == "ok")
        changes = partial(self._state, server)
        register_gauge(
            f"{name}_changes_behind", f"Changes that the primary has before it, {which}.", lambda: changes()[1]
        )
        register_gauge(f"{name}_seconds_behind", f"Seconds behind the primary, {which}.", lambda: changes()[2])

    def states(self) -> list[ReplicaState]:
        """Return what is known of each replica, in the order of the setting."""
        return [self._state(server) for server in self.servers]

    def _state(self, server: Server) -> ReplicaState:
        name = "unavailable" if not self._is_usable(server) else "ok" if self._is_near(server) else "behind"
        last = max(self.primary.sequence, self.position.reached)
        return ReplicaState(name, max(0, last - server.sequence), round(server.seconds_behind, 1))

    def _is_usable(self, server: Server) -> bool:
        registries = {self.primary.registry, server.registry} - {""}
        return server.responds and server.has_this_log and len(registries) < 2

    def _is_near(self, server: Server) -> bool:
        return server.seconds_behind <= self._max_lag

    async def _run_on_replica(self, read: Callable[[], Read], **how: Any) -> Any:
        """Run a read on the first server that has what was answered already.

        If no server can answer, all are tried once more: one of them may be about to receive it.
        """
        for patience in (PATIENCE, LAST_PATIENCE):
            until = time.monotonic() + patience
            for server in self._in_turn():
                try:
                    return await self._run_on(server, read, until, **how)
                except ServerLost:
                    continue
        raise Unavailable

    async def _run_on(self, server: Server, read: Callable[[], Read], until: float, **how: Any) -> Any:
        """Run a read on a server. Raise ServerLost if it has not what was answered already, or cannot answer."""
        least = self.position.reached
        if server is not self.primary and not await server.has_reached(least, until):
            raise ServerLost
        try:
            return await server.run(server.reader, partial(_noted, read, self.position), least=least, **how)
        except Behind as behind:  # a server that was restarted can have less than before
            server.sequence = behind.sequence
            raise ServerLost from behind
        except (
            psycopg.Error
        ) as error:  # what a replica cannot answer, such as for lack of a permission, the primary can
            if server is self.primary:
                raise
            raise ServerLost from error

    async def _run_on_primary(self, read: Callable[[], Read], *, quick: bool, **how: Any) -> Any:
        """Run a read on the primary, or on a replica if the primary is lost."""
        if self.primary.responds:
            try:
                return await self.primary.run(self.primary.quick if quick else self.primary.reader, read, **how)
            except ServerLost:
                pass
        return await self._run_on_replica(read, **how)

    def _in_turn(self) -> Iterator[Server]:
        """Yield the servers in the order in which a read tries them, each if it can be used when it is its turn."""
        self._turn += 1
        first = self._turn % len(self.servers)
        replicas = self.servers[first:] + self.servers[:first]
        near = [server for server in replicas if self._is_near(server)]
        servers = [*near, self.primary, *(server for server in replicas if server not in near)]
        tried = 0
        for server in servers:
            if self._is_usable(server):
                tried += 1
                yield server
        if not tried:
            yield self.primary

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await self._look()

    async def _look(self) -> None:
        """Look at all servers, and log what has changed."""
        before = [state.state for state in self.states()]
        began = time.monotonic()
        await asyncio.gather(*(server.look() for server in (self.primary, *self.servers)))
        self._compare(began)
        for number, (old, new) in enumerate(zip(before, self.states(), strict=True), 1):
            if old != new.state:
                log = structlog.get_logger("hoptac.replicas")
                log.warning("replica changed", replica=number, state=new.state, seconds_behind=new.seconds_behind)

    def _compare(self, looked_at: float) -> None:
        """Compute for how long each replica has been behind the primary, and notice if the log was rewound."""
        last = self.primary.sequence
        if self.primary.responds and last < self.position.reached:
            self.position.observe(last, looked_at)
        self._history.note(last)
        for server in self.servers:
            server.seconds_behind = self._history.seconds_behind(server.sequence)
            server.reference = (last, self.primary.chain)

    async def close(self) -> None:
        """Stop looking, and close all connections."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        for server in (self.primary, *self.servers):
            await server.close()


class ReplicaReader:
    """A reader that leaves it to `run_read` to choose a server for each read."""

    def __init__(self, replicas: Replicas, run_read: Callable[..., Coroutine[Any, Any, Any]]) -> None:
        self._replicas = replicas
        self._run_read = run_read

    async def run(
        self, read: Callable[[], Read], *, long: bool = False, client: str = "", kind: Hashable = None
    ) -> Any:
        return await self._run_read(read, long=long, client=client, kind=kind)

    async def close(self) -> None:
        """Nothing: the servers close their connections."""


def last_sequence() -> Read:
    """Read the number of the last Change; 0 for an empty log."""
    rows = yield LAST_SEQUENCE, {}
    return rows[0][0] if rows else 0


def _read_state(reference: int) -> Read:
    """Read number and chain value of the last Change, what identifies the registry, and the chain value of a Change."""
    rows = yield _STATE, {"reference": reference}
    sequence, chain, registry, chain_of_reference = rows[0] if rows else (None, None, None, None)
    return sequence or 0, chain or "", registry or "", chain_of_reference


def _noted(read: Callable[[], Read], position: LogPosition) -> Read:
    """Run a read. If it ends in a problem, such as a deleted record, note the state in which it did."""
    try:
        return (yield from read())
    except Problem:
        position.note((yield from last_sequence()))
        raise
