"""`hoptac export` of archives. `commands` has the other commands."""

import argparse

from app import commands
from app.commands import DONE, print_error, report
from app.core.database.engine import Database
from app.core.progress import reported
from app.core.settings import Settings


def export(options: argparse.Namespace, settings: Settings) -> int:
    """Write all public records to a new file: an archive (.zip), JSON Lines for `hoptac import`, or IATI."""
    if options.format or options.file.suffix.lower() != ".zip":
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
