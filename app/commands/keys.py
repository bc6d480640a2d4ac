"""`hoptac key`: creating, changing and revoking keys."""

import argparse
import sys

from app.commands.output import DONE, report
from app.core.database.engine import Database
from app.core.settings import Settings


def key(options: argparse.Namespace, settings: Settings) -> int:
    """Create, list, change, rotate or revoke a key, or list its events, as `options.act` says."""
    import app.catalogue  # noqa: F401 - declares every table
    from app.core.errors import Problem
    from app.keys.command import COMMANDS, option_of
    from app.server.run import ensure_ready

    ensure_ready(settings)
    try:
        with Database(settings.database_url) as database, database.write() as session:
            output = COMMANDS[options.act](session, options, settings.key_max_days)
    except Problem as problem:
        return report([f"{option_of(error)}: {error.detail}" for error in problem.errors] or [problem.detail])
    for line in output.lines:
        print(line)
    if output.note:
        print(output.note, file=sys.stderr)
    return DONE
