"""`hoptac export` and `hoptac import` of archives. `commands` has the other commands."""

import argparse
from pathlib import Path

from app import commands
from app.commands import DONE, print_error, report
from app.core.database.engine import Database
from app.core.progress import reported
from app.core.settings import Settings

OTHER_OPTIONS = ("resource", "row_by_row", "partner", "complete", "mapping", "sheet", "header_row", "decimal", "dates")


def export(options: argparse.Namespace, settings: Settings) -> int:
    """Write all public records to a new file: an archive (.zip), JSON Lines for `hoptac import`, or IATI."""
    if options.format or not _is_archive(options.file):
        return commands.export(options, settings)
    import app.catalogue  # noqa: F401 - declares every table
    from app.exchange.archives.description import Description
    from app.exchange.archives.making import export_archive
    from app.exchange.archives.zip_file import NotArchived
    from app.server.run import ensure_ready

    ensure_ready(settings)
    try:
        with Database(settings.database_url) as database, reported("records and Changes written", print_error):
            state = export_archive(database, options.file, Description.of(settings))
    except (OSError, NotArchived) as error:
        return report([str(error)])
    print(f"The registry as of Change {state.sequence} is in {options.file}.")
    return DONE


def import_(options: argparse.Namespace, settings: Settings) -> int:
    """Import a file of records, or an archive into an empty database. The exit code is 1 if something is refused."""
    if not _is_archive(options.file):
        return commands.import_(options, settings)
    from app.exchange.archives.importing import import_archive
    from app.exchange.archives.reading import NotImported

    if any(getattr(options, name) for name in OTHER_OPTIONS):
        raise ValueError("An archive is imported as a whole. Only the option --dry-run can be used with it.")
    commands.migrate(argparse.Namespace(down=False), settings)
    try:
        with Database(settings.database_url) as database, reported("Changes read and written", print_error):
            manifest = import_archive(database, options.file, dry_run=options.dry_run)
    except (NotImported, OSError) as error:
        return report([f"Nothing was written. {error}"])
    done = "The archive is intact." if options.dry_run else "The registry is equal to that of the archive."
    print(f"{done} The head of its log is {manifest.sequence}:{manifest.chain}.")
    return DONE


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".zip"
