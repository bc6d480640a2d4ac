"""Run the server or a worker, after a check that the database is ready."""

import asyncio
import gc
import signal
import sqlite3
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import structlog
import uvicorn
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from starlette.types import ASGIApp
from uvicorn.supervisors.multiprocess import Multiprocess

from app.core.asgi.usage_table import UsageTable, open_usage_table, usage_file
from app.core.change_log import MIRRORS
from app.core.database.engine import Database
from app.core.errors import Unavailable
from app.core.garbage_collection import freeze_after_long_collections, without_garbage_collection
from app.core.maintenance.pruning import Pruner
from app.core.maintenance.reindex import REFRESHED_EVERY, refresh_index
from app.core.maintenance.schema import NotReady, explain, head
from app.core.maintenance.stopping import end_in_time
from app.core.public_paths import public, set_root_path
from app.core.settings import Settings
from app.core.writing.idempotency import prune_replays
from app.core.writing.write_quota import prune_written_bytes
from app.exchange.imports.storage.claims import end_wrong_leases
from app.exchange.imports.storage.deletion import prune_imports
from app.server.config import ServerConfig
from app.server.metrics_port import forget_process, metrics_port
from app.webhooks.egress import EgressPolicy
from app.webhooks.pruning import correct_due_times, prune_deliveries
from app.webhooks.sender import Sender

WAL_RESET_FIXED = (3, 51, 3)


def serve(settings: Settings) -> None:
    """Serve until the process is stopped; raises NotReady if the database is missing or has another schema."""
    set_root_path(settings.root_path)
    ensure_ready(settings)
    with ExitStack() as stack:
        stack.enter_context(metrics_port(settings))
        if settings.workers == 1:
            application: Any = _application(settings)
        else:
            application = WorkerApplication(stack.enter_context(usage_file()))
        _run(settings, application)


def _run(settings: Settings, application: Any) -> None:
    config = ServerConfig(settings, application, factory=settings.workers > 1)
    try:
        listening = config.bind_socket()
    except SystemExit:  # uvicorn has logged the reason
        address = f"{settings.host}:{settings.port}"
        text = "If another program uses this port, stop it, or choose another port with --port or HOPTAC_PORT."
        raise ValueError(f"The server cannot listen on {address}. {text}") from None
    listening.listen(config.backlog)  # accepts connections already; the server starts a moment later
    host, port = listening.getsockname()[:2]
    print(_addresses(f"http://{host}:{port}", example_path(settings)), flush=True)
    if settings.workers > 1:
        Supervisor(config, sockets=[listening]).run()
    else:
        uvicorn.Server(config).run(sockets=[listening])


class Supervisor(Multiprocess):
    """The parent of several worker processes. It logs each one that ended or did not respond, and was replaced."""

    _counted: frozenset[int | None] = frozenset()  # processes whose gauges are part of the metrics

    def join_all(self) -> None:
        """Wait for the end of the workers. Another signal is sent on to them, so that they do not delay their stop."""
        while any(process.exitcode is None for process in self.processes):
            if self.signal_queue:
                self.signal_queue.clear()
                self.terminate_all()
            time.sleep(0.05)

    def keep_subprocess_alive(self) -> None:
        """Replace the workers that have ended or do not respond, and forget those that have ended on a signal."""
        before = list(self.processes)
        super().keep_subprocess_alive()
        for old, new in zip(before, self.processes, strict=True):
            if old is not new:
                log = structlog.get_logger("hoptac.server")
                log.warning("worker replaced", process=old.pid, exit_code=old.exitcode, by=new.pid)
        present = frozenset(process.pid for process in (*before, *self.processes))
        for pid in self._counted - {process.pid for process in self.processes}:
            forget_process(pid)
        self._counted = present


@dataclass(frozen=True)
class WorkerApplication:
    """Makes the application of a worker process, which has this file in common with the other workers."""

    usage_path: str

    def __call__(self) -> ASGIApp:
        return _application(Settings(), open_usage_table(self.usage_path))


def _application(settings: Settings, usage: UsageTable | None = None) -> ASGIApp:
    """Return the application. Its objects are never freed, so the garbage collector does not check them again."""
    with without_garbage_collection():
        from app.main import create_app  # noqa: PLC0415 - several workers each import it themselves

        application = create_app(settings, usage)
    gc.freeze()
    freeze_after_long_collections()
    return application


def ensure_ready(settings: Settings) -> None:
    """Raise NotReady unless the database has the schema of this program, and the extras in use are installed."""
    if (settings.metrics or settings.metrics_port) and find_spec("prometheus_client") is None:
        raise NotReady("HOPTAC_METRICS and HOPTAC_METRICS_PORT need an extra. Run: pip install 'hoptac[metrics]'")
    if settings.rate_limit_url and find_spec("redis") is None:
        raise NotReady("HOPTAC_RATE_LIMIT_URL needs an extra. Run: pip install 'hoptac[redis]'")
    EgressPolicy.parse(settings.webhook_allow)
    with Database(settings.database_url) as database:
        database.check_replicas(settings.read_url)
        database.restrict_access()
        url = database.url.render_as_string(hide_password=True)
        if database.is_sqlite and sqlite3.sqlite_version_info < WAL_RESET_FIXED and settings.workers > 1:
            print(
                f"Note: SQLite {sqlite3.sqlite_version} is older than 3.51.3. Write from one process only.", flush=True
            )
        try:
            version = database.schema_version(settings.read_url)
        except Unavailable:
            raise NotReady(f"{url} does not respond. Check HOPTAC_DATABASE_URL and that the database runs.") from None
        if version != head():
            raise NotReady(f"{url} {explain(version)}")
        if settings.writer_url and not _is_mirror(database):
            raise NotReady(f"{url} is no mirror yet. Run: hoptac mirror URL. HOPTAC_WRITER_URL is for read nodes.")


def _is_mirror(database: Database) -> bool:
    with database.snapshot() as connection:
        return connection.execute(select(MIRRORS)).first() is not None


def work(settings: Settings) -> None:
    """Run a worker until the process is stopped; raises NotReady like `serve`."""
    if settings.writer_url:
        raise ValueError("HOPTAC_WRITER_URL: a read node sends no webhooks. Run `hoptac worker` beside the writer.")
    ensure_ready(settings)

    async def send() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _stop, stop)
        with Database(settings.database_url) as database:
            reader = database.reader()
            sender = Sender(database, reader, EgressPolicy.parse(settings.webhook_allow), settings.link_base())
            sender.start()
            clocks = (end_wrong_leases, correct_due_times)
            pruner = Pruner(database, *clocks, prune_imports, prune_replays, prune_deliveries, prune_written_bytes)
            index_refresher = Pruner(database, refresh_index, every=REFRESHED_EVERY)
            print("Hoptac sends webhooks.", flush=True)
            await stop.wait()
            await index_refresher.close()
            await pruner.close()
            await sender.stop()
            await reader.close()

    asyncio.run(send())


def _stop(event: asyncio.Event) -> None:
    event.set()
    end_in_time()


def example_path(settings: Settings) -> str:
    """Return the path of a request to try: a record of the dataset, or a list if the registry does not have it."""
    from app.projects.models import PROJECTS  # noqa: PLC0415 - the parent of several workers needs no other resource

    table: Any = PROJECTS.table
    query = select(table.state).where(table.id == PROJECTS.example)
    is_public = False
    with Database(settings.database_url) as database, suppress(OperationalError), database.snapshot() as connection:
        is_public = connection.scalar(query) == "published"
    return f"/v1/projects/{PROJECTS.example}?include=figures,indicators" if is_public else "/v1/projects"


def _addresses(base: str, example: str) -> str:
    paths = {"pages": "/", "API": "/v1", "docs": "/docs", "reference": "/reference", "try": example}
    return "Hoptac serves:\n" + "\n".join(f"  {name:<10}{base}{public(path)}" for name, path in paths.items())
