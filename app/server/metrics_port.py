"""The metrics of a server on a port of their own: of all its processes together, and of the registry.

Each process writes its numbers into files in a folder that they share (the multiprocess mode of `prometheus_client`).
The first process reads these files for each scrape, in a thread, and asks the database for the numbers of the registry.
"""

import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from app.core.database.engine import Database
from app.core.errors import Unavailable
from app.core.settings import Settings
from app.server.metrics_server import MetricsServer
from app.status import Facts, size_of, work_facts

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client looks for this variable when it is imported
READ_EVERY = 10.0  # seconds between two reads of the database, regardless of the number of scrapes


@contextmanager
def metrics_port(settings: Settings) -> Iterator[None]:
    """Serve the metrics while the block runs. Raise ValueError if the port cannot be used."""
    if not settings.metrics_port:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="hoptac-metrics-") as folder:
        os.environ[FOLDER] = folder
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest  # noqa: PLC0415 - see FOLDER
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415 - see FOLDER

        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        with Database(settings.database_url) as database:
            registry.register(RegistryCollector(database))
            make = partial(generate_latest, registry)
            try:
                server = MetricsServer(settings.host, settings.metrics_port, make, CONTENT_TYPE_LATEST)
            except OSError as error:
                raise ValueError(f"HOPTAC_METRICS_PORT: {error.strerror}") from None
            thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                server.server_close()
                thread.join()


def forget_process(pid: int | None) -> None:
    """Remove the gauges of a process that has ended. Its counts stay part of the sums."""
    if FOLDER in os.environ and pid is not None:
        from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - see FOLDER

        mark_process_dead(pid)  # type: ignore[no-untyped-call]


class RegistryCollector:
    """The numbers of the registry, read from its database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._facts: Facts = {}
        self._until = 0.0

    def collect(self) -> Iterator[Any]:
        """Yield the metrics."""
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - see FOLDER

        facts = self._read()
        yield GaugeMetricFamily("hoptac_database_up", "Whether the database responds.", float(bool(facts)))
        if not facts:
            return
        head = int((facts["log_head"] or "0").partition(":")[0])
        yield GaugeMetricFamily("hoptac_log_head", "Sequence number of the last Change.", head)
        yield GaugeMetricFamily("hoptac_database_bytes", "Size of the database.", facts["bytes_on_disk"])
        yield GaugeMetricFamily("hoptac_open_imports", "Imports that wait or run.", facts["open_imports"])
        age = _seconds_since(facts["oldest_pending_delivery"])
        yield GaugeMetricFamily("hoptac_webhook_backlog_seconds", "Age of the oldest pending delivery.", age)
        if facts["last_backup_at"]:
            age = _seconds_since(facts["last_backup_at"])
            yield GaugeMetricFamily("hoptac_backup_age_seconds", "Time since the last backup started.", age)
        for name, text in (("webhooks", "Subscriptions"), ("deliveries", "Deliveries of webhooks")):
            family = GaugeMetricFamily(f"hoptac_{name}", f"{text} by state.", labels=["state"])
            for state, count in facts[name].items():
                family.add_metric([state], count)
            yield family

    def _read(self) -> Facts:
        """Return the facts, none if the database does not respond."""
        with self._lock:
            if time.monotonic() >= self._until:
                try:
                    with self._database.snapshot() as connection:
                        facts = dict(work_facts(connection))
                    self._facts = {**facts, "bytes_on_disk": size_of(self._database)}
                except (SQLAlchemyError, sqlite3.Error, Unavailable, OSError):
                    self._facts = {}
                self._until = time.monotonic() + READ_EVERY
            return self._facts


def _seconds_since(instant: str | None) -> float:
    if instant is None:
        return 0.0
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(instant)).total_seconds())
