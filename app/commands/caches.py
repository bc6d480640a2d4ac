"""`hoptac purge`: deletion of changed responses from a cache in front of the server."""

import argparse
import contextlib
import time
from pathlib import Path

from app.commands.output import DONE, FAILED, print_error
from app.core.database.engine import Database
from app.core.settings import Settings
from app.core.values.cache_keys import MAX_MAKING

MIN_PAUSE = 0.05
MAX_PAUSE = 3_600.0
TRANSFER = 2.0  # seconds that a response may take from the server to the cache


def purge(options: argparse.Namespace, settings: Settings) -> int:
    """Delete changed responses from a cache in front of the server, again and again until the process is stopped."""
    import httpx

    import app.catalogue  # noqa: F401 - declares every table
    from app.changes.purging import Cache, NotPurged, Purger
    from app.server.run import ensure_ready

    if not options.url.startswith(("http://", "https://")):
        raise ValueError("The URL of the cache must start with http:// or https://.")
    headers = _headers_in(options.headers) if options.headers else {}
    ensure_ready(settings)
    lag = settings.read_max_lag if settings.read_url else 0.0
    repeat_after = MAX_MAKING + settings.hot_staleness + lag + TRANSFER
    with Database(settings.database_url) as database, httpx.Client(headers=headers) as client:
        cache = Cache(client, options.url, options.method, takes_json=options.json)
        purger = Purger(database, cache, options.file, repeat_after)
        if options.all:
            purger.forget()
        try:
            purger.step()
            print("Changed responses were deleted. They are deleted again after each Change.", flush=True)
            while not (options.once and purger.is_complete):
                time.sleep(options.every)
                purger.step()
        except NotPurged as error:
            print_error(str(error))
            return FAILED
    return DONE


def pause(text: str) -> float:
    """Return the seconds in an option. Raise ArgumentTypeError if they are not a sensible pause."""
    with contextlib.suppress(ValueError):
        if MIN_PAUSE <= float(text) <= MAX_PAUSE:
            return float(text)
    raise argparse.ArgumentTypeError(f"must be a number from {MIN_PAUSE} to {MAX_PAUSE:.0f}")


def _headers_in(file: Path) -> dict[str, str]:
    """Return the headers in a file, one a line. Raise ValueError if it has another form."""
    headers: dict[str, str] = {}
    for line in filter(None, map(str.strip, file.read_text("utf-8").splitlines())):
        name, colon, value = line.partition(":")
        if not colon or not name.isascii() or not value.isascii():
            raise ValueError(f"{file}: a line must be a header, such as `Fastly-Key: …`")
        headers[name.strip()] = value.strip()
    return headers
