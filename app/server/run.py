"""Runs the server, after making sure that there is something it can serve."""

import asyncio
import gc
import signal
import sqlite3
from importlib.util import find_spec

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors.multiprocess import Multiprocess

from app.core.database.engine import Database
from app.core.errors import NotReady, Unavailable
from app.core.garbage_collection import without_garbage_collection
from app.core.maintenance.schema import explain, head
from app.core.settings import Settings
from app.server.connections import ServerConfig
from app.webhooks.egress import EgressPolicy
from app.webhooks.sender import Sender

WAL_RESET_FIXED = (3, 51, 3)


def serve(settings: Settings) -> None:
    """Serve until told to stop; NotReady when the database is not there or has another schema."""
    ensure_ready(settings)
    application = _application(settings) if settings.workers == 1 else "app.main:create_app"
    config = ServerConfig(settings, application, factory=settings.workers > 1)
    listening = config.bind_socket()
    listening.listen(config.backlog)  # from here on nobody is refused, though the first answer may take a moment
    host, port = listening.getsockname()[:2]
    print(_where(f"http://{host}:{port}"), flush=True)
    if settings.workers > 1:
        Multiprocess(config, sockets=[listening]).run()
    else:
        uvicorn.Server(config).run(sockets=[listening])


def _application(settings: Settings) -> ASGIApp:
    """The application; what it is made of is there to stay, so the garbage collector need not look at it again."""
    with without_garbage_collection():
        from app.main import create_app  # noqa: PLC0415 - several workers each import it themselves

        made = create_app(settings)
    gc.freeze()
    return made


def ensure_ready(settings: Settings) -> None:
    """NotReady unless the database has the schema that this program needs, and what is asked for is installed."""
    if settings.metrics and find_spec("prometheus_client") is None:
        raise NotReady("HOPTAC_METRICS needs the extra: pip install 'hoptac[metrics]'.")
    EgressPolicy.parse(settings.webhook_allow)
    with Database(settings.database_url) as database:
        shown = database.url.render_as_string(hide_password=True)
        if database.is_sqlite and sqlite3.sqlite_version_info < WAL_RESET_FIXED and settings.workers > 1:
            old = f"SQLite {sqlite3.sqlite_version} is older than 3.51.3"
            print(f"Note: {old}; write from one process only.", flush=True)
        try:
            found = database.schema_version()
        except Unavailable:
            raise NotReady(f"{shown} does not answer.") from None
    if found != head():
        raise NotReady(f"{shown} {explain(found)}")


def work(settings: Settings) -> None:
    """Send webhooks until told to stop; NotReady as with serve."""
    ensure_ready(settings)

    async def send() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, stop.set)
        with Database(settings.database_url) as database:
            reader = database.reader()
            sender = Sender(database, reader, EgressPolicy.parse(settings.webhook_allow), settings.public_url)
            sender.start()
            print("Hoptac sends webhooks.", flush=True)
            await stop.wait()
            await sender.stop()
            await reader.close()

    asyncio.run(send())


def _where(base: str) -> str:
    places = {
        "API": "/v1",
        "docs": "/docs",
        "reference": "/reference",
        "try": "/v1/projects/smart-factory-cooperation?include=figures,indicators",
    }
    return "Hoptac serves:\n" + "\n".join(f"  {name:<10}{base}{path}" for name, path in places.items())
