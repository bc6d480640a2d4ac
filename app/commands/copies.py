"""`hoptac backup`, `hoptac restore` and `hoptac mirror`: copies of the whole registry."""

import argparse
from collections.abc import Callable
from typing import Any

from app.commands.output import DONE, FAILED, print_error, report
from app.commands.schema import migrate_up
from app.core.database.engine import Database
from app.core.progress import reported
from app.core.settings import Settings
from app.core.values.text import counted


def backup(options: argparse.Namespace, settings: Settings) -> int:
    """Copy the registry, including the hashes of keys, to a new file."""
    from app.server.run import ensure_ready

    ensure_ready(settings)
    return _run_copy("in the backup", settings, lambda backup, database: backup.back_up(database, options.file))


def restore(options: argparse.Namespace, settings: Settings) -> int:
    """Copy a backup to an empty database, SQLite or PostgreSQL."""
    unproved = options.unproved
    return _run_copy(
        "restored", settings, lambda backup, database: backup.restore(options.file, database, unproved=unproved)
    )


def _run_copy(destination: str, settings: Settings, copy: Callable[[Any, Database], Any]) -> int:
    import app.catalogue  # noqa: F401 - declares every table
    from app.core.maintenance import backup

    try:
        with Database(settings.database_url) as database, reported(f"Rows {destination}", print_error):
            copied = copy(backup, database)
    except (backup.NotCopied, OSError) as error:
        return report([str(error)])
    print(f"{counted(copied.rows, 'row')} {destination}. The head of the log is {copied.head}.")
    return report([copied.broken] if copied.broken else [])


def mirror(options: argparse.Namespace, settings: Settings) -> int:
    """Mirror another registry from its change feed, and keep the copy up to date."""
    from app.exchange.mirrors.mirror import MirrorFollower
    from app.exchange.mirrors.source import NotMirrored, Source, client_of

    client = client_of(options.url, insecure=options.insecure)
    with Source(client, retries_forever=not options.once, report=print_error) as source:
        migrate_up(settings)
        try:
            with Database(settings.database_url) as database, reported("Changes copied", print_error):
                MirrorFollower(database, source, _report_mirrored).follow(once=options.once)
        except NotMirrored as error:
            print_error(str(error))
            return FAILED
    return DONE


def _report_mirrored(sequence: int) -> None:
    print(f"The copy is complete up to Change {sequence}.", flush=True)
