"""The configuration of uvicorn for this program."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import uvicorn

from app.core.gauges import register_gauge
from app.core.logs import set_up_logs
from app.core.settings import Settings
from app.server.accepting import loop_factory
from app.server.connections import Connections
from app.server.protocol import Connection


class ServerConfig(uvicorn.Config):
    """The configuration of uvicorn, and the connections of a process. Each worker process gets a copy."""

    def __init__(self, settings: Settings, app: Any, **kwargs: Any) -> None:
        proxies = settings.trusts()
        super().__init__(
            app,
            http=Connection,
            ws="none",
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=proxies,
            access_log=False,
            log_config=None,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=10,
            **kwargs,
        )
        self.connections = Connections(settings)

    def get_loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop]:
        """Return the factory of uvicorn's event loop, with `Listener` accepting the connections."""
        return loop_factory(super().get_loop_factory() or asyncio.new_event_loop, self.connections)

    def configure_logging(self) -> None:
        """Write all logs as JSON lines. uvicorn calls this in each process."""
        super().configure_logging()
        set_up_logs()
        logging.captureWarnings(True)

    def load(self) -> None:
        """Load the application, in the process that serves."""
        super().load()
        register_gauge("open_connections", "Open connections.", self.connections.count)
        register_gauge("unsent_bytes", "Bytes of responses that clients have not read.", self.connections.unsent.total)
