"""The archive for a request: that of the present state of the log, or else the newest one."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import structlog
from sqlalchemy import bindparam, select

from app.core.change_log import CHANGES
from app.core.database.connection_reads import run_on
from app.core.database.engine import Database
from app.core.database.fair_queue import FairQueue
from app.core.database.statements import Query, Read, Reader
from app.core.errors import Problem, Unavailable
from app.core.settings import Settings
from app.exchange.archives.description import Description, State, read_state
from app.exchange.archives.folder import ArchiveFolder, ArchiveName, OpenArchive
from app.exchange.archives.process import ArchiveProcess, Job
from app.exchange.archives.sending import Downloads

PATIENCE = 10.0  # seconds for which a request waits for a new archive
POLL = 0.2  # seconds
RETRY_AFTER = {"Retry-After": "10"}
IN_PROGRESS = "The archive is being made. Try again after some seconds."
FAILURE = "The archive could not be made. The log of the server has the reason. Read the change feed instead."
_CHAIN = Query(select(CHANGES.c.chain).where(CHANGES.c.sequence == bindparam("sequence")))


class CurrentArchive:
    """Finds and makes archives. At most one is made at once, by one of the processes that share the folder."""

    def __init__(self, settings: Settings, reader: Reader) -> None:
        self._job = Job.of(settings)
        self._folder = ArchiveFolder(self._job.folder)
        self._reader = reader
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="archives")
        self._process: ArchiveProcess | None = None
        self._making: asyncio.Future[None] | None = None
        self._is_closing = False
        self.downloads = Downloads()
        self._waiting = FairQueue(
            running=100, running_of_client=4, waiting=0, waiting_of_client=0, patience=0.0, what="requests for archives"
        )

    async def open(self, client: str) -> tuple[OpenArchive, State]:
        """Return an archive that is open, and the state of the log. Raise Unavailable if there is none yet.

        A request waits some seconds for the archive of the present state. After that, or if one has just been made, it
        gets the newest one: an archive says which Change is its last, and the change feed continues from there.
        """
        state: State = await self._reader.run(read_state, client=client)
        latest = await self._newest(state, client)
        if latest is not None and latest.name.is_of(state):
            return latest, state
        try:
            await self._waiting.enter(client)
        except Problem:
            if latest is not None:
                latest.file.close()
            raise
        try:
            return await self._wait(state, latest, client), state
        finally:
            self._waiting.leave(client)

    async def close(self) -> None:
        """Stop making an archive."""
        self._is_closing = True
        if self._making is not None:
            await asyncio.wait({self._making})
        if self._process is not None:
            self._process.stop()
        await asyncio.to_thread(self._thread.shutdown)

    async def _wait(self, state: State, latest: OpenArchive | None, client: str) -> OpenArchive:
        """Wait until an archive is made, together with all requests of this process that wait for it."""
        if self._making is None or self._making.done():
            self._making = asyncio.ensure_future(self._make())
        await asyncio.wait({self._making}, timeout=PATIENCE)
        newer = await self._newest(state, client)
        if newer is None:
            newer = latest
        elif latest is not None:
            latest.file.close()
        if newer is None:
            problem = Unavailable(FAILURE if self._making.done() else IN_PROGRESS)
            problem.headers |= RETRY_AFTER
            raise problem
        return newer

    async def _make(self) -> None:
        """Let an archive be made, and wait until it is made, also if another process makes it."""
        while not self._is_closing and await asyncio.to_thread(self._begin):
            await asyncio.sleep(POLL)

    def _begin(self) -> bool:
        """Let an archive be made, unless that happens already. Return False if none should be made now."""
        try:
            lock = self._folder.lock()
            if lock is None:
                return True
            if lock.pause() > 0:
                lock.close()
                return False
            self._process = ArchiveProcess(self._job, lock)
        except OSError as error:
            structlog.get_logger("hoptac.archives").warning("archive not made", reason=str(error))
            return False
        self._thread.submit(self._process.wait)
        return True

    async def _newest(self, state: State, client: str) -> OpenArchive | None:
        """Open the newest archive of this log that has no text that a redaction removed later."""
        for name in await asyncio.to_thread(self._folder.names):
            is_usable = name.digest == self._job.description.digest and name.sequence >= state.redaction
            if is_usable and await self._is_of_log(name, state, client):
                opened = await asyncio.to_thread(self._folder.open, name)
                if opened is not None:
                    return opened
        return None

    async def _is_of_log(self, name: ArchiveName, state: State, client: str) -> bool:
        """Return whether the last Change of an archive is in the log, which may have been restored since."""
        if name.is_of(state) or name.sequence == 0:
            return True
        chain: str = await self._reader.run(lambda: _chain_at(name.sequence), client=client)
        return bool(chain) and chain.startswith(name.chain)


def _chain_at(sequence: int) -> Read:
    rows = yield _CHAIN, {"sequence": sequence}
    return rows[0][0] if rows else ""


def remove_archives(settings: Settings, database: Database) -> bool:
    """Delete archives that are not needed, or that can contain what a redaction removed. It is a pruning function."""
    folder = ArchiveFolder.of(settings)
    if folder.names():
        with database.snapshot() as connection:
            state: State = run_on(connection, read_state())
        folder.keep(Description.of(settings), state.redaction)
    return False
