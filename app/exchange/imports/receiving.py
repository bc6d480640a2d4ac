"""Receiving files: how many, how fast, and in which threads.

The body of a request is written to a temporary file, and a thread reads that file and stores its lines. Both have
threads of their own, so that other requests never wait for a file. The limits hold for each process.
"""

import asyncio
import contextlib
import io
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, TypeVar, cast

import structlog
from fastapi import Request

from app.core.access.clients import client_of
from app.core.errors import TooMany, Unavailable
from app.core.http.bodies import stream_body
from app.core.request_cost import add_cost
from app.exchange.formats.lines import Reading

MAX_FILES = 16  # that are received or read at once
RESERVED_FILES = 6  # of them, for clients that have none
MAX_FILES_CLIENT = 4  # of them, from one client
MAX_SPOOLED = 4  # times the size of the largest file: the size of all temporary files
MAX_SPOOLED_CLIENT = 2  # times that size: the size of those from one client
SHARE_CLIENT = 0.5  # of the space that would be free without these files: the size of those from one client
RESERVE = 8_000_000  # bytes of the folder of temporary files that stay free for others

MAX_READ = 2  # files of a kind that are read at once, at most one of each client
MAX_WAIT = 120  # seconds until a file is read


BLOCK = 1 << 20  # bytes that are written to a temporary file at once
RETRY = "5"  # seconds

BUSY = "The server is receiving too many files."
FULL = "The server has no space for the file now."

Result = TypeVar("Result")


class Turns:
    """Decides whose task runs next. A limited number of tasks run at once, and only one of each client.

    Of the clients that wait, the next one is the client whose last task began first.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._working: set[str] = set()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._started: dict[str, int] = {}
        self._count = 0

    @contextlib.asynccontextmanager
    async def turn(self, client: str, seconds: float) -> AsyncIterator[None]:
        """Wait for the turn of a client. Raise Unavailable if it does not come in time."""
        ready = asyncio.get_running_loop().create_future()
        waiting = (client, ready)
        self._waiting.append(waiting)
        self._start_next()
        try:
            await asyncio.wait_for(asyncio.shield(ready), seconds)
        except BaseException as error:
            self._withdraw(waiting)
            if isinstance(error, TimeoutError):
                raise Unavailable(BUSY) from None
            raise
        try:
            yield
        finally:
            self._end(client)

    def _withdraw(self, waiting: tuple[str, asyncio.Future[None]]) -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)
        else:  # its turn came at the same moment
            self._end(waiting[0])

    def _end(self, client: str) -> None:
        self._working.discard(client)
        self._start_next()

    def _start_next(self) -> None:
        while len(self._working) < self._limit:
            ready = [waiting for waiting in self._waiting if waiting[0] not in self._working]
            if not ready:
                break
            first = min(ready, key=lambda waiting: self._started.get(waiting[0], 0))
            self._waiting.remove(first)
            self._working.add(first[0])
            self._count += 1
            self._started[first[0]] = self._count
            first[1].set_result(None)
        if not self._waiting:
            self._started.clear()


class FileReceiver:
    """The files that a process is receiving and reading."""

    def __init__(self, max_file: int) -> None:
        self._max_file = max_file
        self._files: Counter[str] = Counter()
        self._spooled: Counter[str] = Counter()  # bytes of temporary files
        self._spooling = ThreadPoolExecutor(2, thread_name_prefix="spool")
        self._threads = {kind: ThreadPoolExecutor(MAX_READ, thread_name_prefix="read") for kind in (False, True)}
        self._turns = {kind: Turns(MAX_READ) for kind in (False, True)}
        self._readings: set[Reading] = set()

    @contextlib.asynccontextmanager
    async def receive(self, request: Request) -> AsyncIterator[IO[bytes]]:
        """Write the body to a temporary file, which is deleted at the end.

        Raise TooLarge if it has too many bytes, TooMany if the client sends too many files at once, and Unavailable if
        all clients do.
        """
        client = client_of(request.scope)
        with self._admitted(client), _temporary_file() as file:
            size = 0
            try:
                async for block in _blocks(request, self._max_file):
                    size += len(block)
                    self._add_spooled(client, len(block))
                    await asyncio.get_running_loop().run_in_executor(self._spooling, _write, file, block)
                file.seek(0)
                with io.BufferedReader(file, BLOCK) as reader:
                    yield reader
            finally:
                self._spooled[client] -= size

    @contextlib.contextmanager
    def _admitted(self, client: str) -> Iterator[None]:
        if self._files[client] >= MAX_FILES_CLIENT:
            detail = f"At most {MAX_FILES_CLIENT} files can be sent at once."
            raise TooMany(detail, headers={"Retry-After": RETRY})
        if self._files.total() >= MAX_FILES - (RESERVED_FILES if self._files[client] else 0):
            raise Unavailable(BUSY)
        self._files[client] += 1
        try:
            yield
        finally:
            self._files[client] -= 1
            if not self._files[client]:
                del self._files[client], self._spooled[client]

    def _add_spooled(self, client: str, size: int) -> None:
        self._spooled[client] += size
        if self._spooled[client] > MAX_SPOOLED_CLIENT * self._max_file:
            raise TooMany("The files that are sent at once are too large.", headers={"Retry-After": RETRY})
        if self._spooled.total() > MAX_SPOOLED * self._max_file:
            raise Unavailable(BUSY)
        free = shutil.disk_usage(tempfile.gettempdir()).free
        if self._spooled[client] > SHARE_CLIENT * (free + self._spooled.total()):
            raise TooMany("The files that are sent at once are too large.", headers={"Retry-After": RETRY})
        if free < RESERVE:
            raise Unavailable(FULL)

    async def read(self, request: Request, work: Callable[[Reading], Result], *, in_child: bool) -> Result:
        """Run `work`, which reads a file, in a thread when it is the client's turn. Count its CPU time as a cost.

        `in_child`: the file is read in a child process. If the request is cancelled, the reading is stopped first.
        """
        reading = Reading()
        async with self._turns[in_child].turn(client_of(request.scope), MAX_WAIT):
            self._readings.add(reading)
            running = asyncio.get_running_loop().run_in_executor(self._threads[in_child], work, reading)
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                reading.stop()
                await asyncio.wait({running})
                raise
            finally:
                self._readings.discard(reading)
                add_cost(reading.seconds)

    async def close(self) -> None:
        """Stop the readings, and end the threads."""
        for reading in self._readings:
            reading.stop()
        for threads in (self._spooling, *self._threads.values()):
            await asyncio.to_thread(threads.shutdown)


def _temporary_file() -> io.FileIO:
    """Return a new file without a buffer, so that closing it writes nothing. Raise Unavailable on a full disk."""
    try:
        file: Any = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - the caller closes it
        return cast(io.FileIO, file)
    except OSError:
        raise Unavailable(FULL) from None


def _write(file: io.FileIO, block: bytes) -> None:
    """Write a block in full. Raise Unavailable on a full disk."""
    remaining = memoryview(block)
    try:
        while remaining:
            remaining = remaining[file.write(remaining) :]
    except OSError:
        structlog.get_logger("hoptac.error").error("no space for temporary files", folder=tempfile.gettempdir())
        raise Unavailable(FULL) from None


async def _blocks(request: Request, limit: int) -> AsyncIterator[bytes]:
    """Yield the body in large blocks. Raise TooLarge if it has more than `limit` bytes."""
    block = bytearray()
    async for piece in stream_body(request, limit):
        block += piece
        if len(block) > BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)
