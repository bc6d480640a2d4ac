"""The `hoptac` command: serve, worker, migrate, backup, seed, check, audit … Each imports only what it needs itself."""

import argparse
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from app import __version__, commands
from app.core.errors import NotReady, ReadOnly, Unavailable
from app.core.settings import Settings

EXIT_CODES = "exit codes: 0 done, 1 failed or problems found, 2 wrong usage, 3 the database is not there or not ready"

REFUSED = (IntegrityError, ReadOnly)
EXIT_DISCONNECTED = (Unavailable, SQLAlchemyError, sqlite3.Error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        given = {name: getattr(options, name, None) for name in ("host", "port", "workers", "database_url")}
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            commands.complain(f"HOPTAC_{str(each['loc'][0]).upper()}: {each['msg']}")
        return commands.MISUSED
    try:
        return int(options.run(options, settings))
    except KeyboardInterrupt:
        return 130
    except (*REFUSED, *EXIT_DISCONNECTED, NotReady, ValueError) as error:
        said, code = _error_message(error)
        commands.complain(said)
        return code


def _error_message(error: Exception) -> tuple[str, int]:
    """What to say of an error, and the exit code."""
    if isinstance(error, REFUSED):
        why = error.detail if isinstance(error, ReadOnly) else f"The database refused it ({error.orig})."
        return f"Nothing was written. {why}", commands.FAILED
    if isinstance(error, EXIT_DISCONNECTED):
        cause = error.__cause__ if isinstance(error, Unavailable) else error
        return f"The database does not work: {getattr(cause, 'orig', None) or error}", commands.UNREADY
    return str(error), commands.UNREADY if isinstance(error, NotReady) else commands.MISUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hoptac",
        description="Hoptac, an open registry of international cooperation. Settings: HOPTAC_… (see the README).",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"hoptac {__version__}")
    added = parser.add_subparsers(metavar="COMMAND", required=True)
    serve = _command(added, "serve", commands.serve)
    serve.add_argument("--host", help="address to listen on (HOPTAC_HOST)")
    serve.add_argument("--port", type=int, help="port to listen on (HOPTAC_PORT)")
    serve.add_argument("--workers", type=int, help="server processes (HOPTAC_WORKERS)")
    serve.add_argument("--migrate", action="store_true", help="bring the schema up to date first")
    serve.add_argument("--seed", action="store_true", help="load the dataset first")
    _command(added, "worker", commands.worker)
    migrate = _command(added, "migrate", commands.migrate)
    migrate.add_argument("--down", action="store_true", help="remove the schema and EVERYTHING in it")
    seed = _command(added, "seed", commands.seed)
    seed.add_argument("--dataset", type=Path, help="another folder of dataset files")
    check = _command(added, "check", commands.check)
    check.add_argument("--dataset", type=Path, help="another folder of dataset files; then the log is left out")
    check.add_argument("--documents", type=Path, help="folder of the source texts: prove every figure; likewise")
    check.add_argument("--head", metavar="SEQUENCE:CHAIN", help="a head of the log that you kept: is it still there?")
    check.add_argument("--quiet", action="store_true", help="leave out the list of what is ignored on purpose")
    redact = _command(added, "redact", commands.redact)
    redact.add_argument("text", metavar="TEXT", help="the text, exactly; - reads it from standard input")
    redact.add_argument("--reason", required=True, help="why, in words; it is logged, without the text")
    redact.add_argument("--with", dest="replacement", default="[…]", metavar="TEXT", help="what takes its place")
    redact.add_argument("--record", metavar="RESOURCE/ID", help="only from this record")
    redact.add_argument("--dry-run", action="store_true", help="only say where it is")
    audit = _command(added, "audit", commands.audit)
    audit.add_argument("--rule", action="append", metavar="NAME", help="only this rule (repeat for more)")
    audit.add_argument("--severity", metavar="LEAST", help="note (the default), warning or error, and what weighs more")
    audit.add_argument("--as-of", metavar="DAY", help="the day that counts as today, such as 2026-11-22")
    audit.add_argument("--json", action="store_true", help="print the findings as the API shows them")
    importing = _command(added, "import", commands.import_)
    importing.add_argument("file", type=Path, metavar="FILE", help=".jsonl, .ndjson, .csv or .xlsx")
    importing.add_argument("--resource", help="the resource of a table, such as projects")
    importing.add_argument("--dry-run", action="store_true", help="write nothing; say what would become of each line")
    importing.add_argument("--row-by-row", action="store_true", help="write the other lines when some are refused")
    importing.add_argument("--as", dest="partner", metavar="PARTNER", help="write only what this partner keeps")
    backup = _command(added, "backup", commands.backup)
    backup.add_argument("file", type=Path, metavar="FILE", help="where to; it must not be there yet")
    restore = _command(added, "restore", commands.restore)
    restore.add_argument("file", type=Path, metavar="FILE", help="what `hoptac backup` has written")
    restore.add_argument("--unproved", action="store_true", help="also when Changes are not what was written then")
    mirror = _command(added, "mirror", commands.mirror)
    mirror.add_argument("url", metavar="URL", help="the other registry, such as https://registry.example")
    mirror.add_argument("--database", dest="database_url", help="where the copy is (HOPTAC_DATABASE_URL)")
    mirror.add_argument("--once", action="store_true", help="stop when the copy is like the source")
    mirror.add_argument("--insecure", action="store_true", help="http is good enough, also from another machine")
    keys = added.add_parser("key", help="Create, list, rotate and revoke the keys of those who write.")
    acts = keys.add_subparsers(metavar="ACT", required=True)
    create = _command(acts, "create", commands.key, "Create a key and print its text, which nobody can read again.")
    create.add_argument("--name", required=True, help="whose it is and for what, in words")
    create.add_argument("--scope", required=True, action="append", help="what it allows; repeat for several")
    create.add_argument("--partner", help="id of the partner that acts with it")
    create.add_argument("--expires", help="when it stops, such as 2027-01-01T00:00:00Z; otherwise never")
    _command(acts, "list", commands.key, "List the keys, without their texts.")
    rotate = _command(acts, "rotate", commands.key, "Give a key a new text and print it.")
    rotate.add_argument("id", help="id of the key")
    rotate.add_argument("--overlap", type=int, default=86_400, help="seconds that the text before goes on counting")
    revoke = _command(acts, "revoke", commands.key, "Stop a key for good.")
    revoke.add_argument("id", help="id of the key")
    return parser


def _command(added: Any, name: str, run: Callable[..., int], about: str | None = None) -> argparse.ArgumentParser:
    about = about or run.__doc__
    parser: argparse.ArgumentParser = added.add_parser(name, help=about, description=about, epilog=EXIT_CODES)
    parser.set_defaults(run=run, act=name)
    return parser


if __name__ == "__main__":
    sys.exit(main())
