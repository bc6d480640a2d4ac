"""The command line of `hoptac`: its options and exit codes. `commands` has the commands themselves."""

import argparse
import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from app import __version__
from app.commands import caches, checks, copies, dataset, files, keys, output, records, schema, serving, texts
from app.core.access.caller import SCOPE
from app.core.errors import ReadOnly, Unavailable
from app.core.maintenance.schema import NotReady
from app.core.settings import Settings, unknown_variables

EXIT_CODES = "exit codes: 0 success, 1 failure or problems found, 2 wrong usage, 3 database missing or not ready"

REFUSED = (IntegrityError, ReadOnly)
UNAVAILABLE = (Unavailable, SQLAlchemyError, sqlite3.Error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    if not (sys.argv[1:] if arguments is None else arguments):
        parser.print_help(sys.stderr)
        return output.MISUSED
    options = parser.parse_args(arguments)
    settings = _settings(options)
    if settings is None:
        return output.MISUSED
    try:
        code = int(options.run(options, settings))
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # its reader has ended, such as `head`; the interpreter flushes once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return output.FAILED
    except (*REFUSED, *UNAVAILABLE, NotReady, ValueError, OSError) as error:
        message, code = _explain(error)
        output.print_error(message)
        return code


def _settings(options: argparse.Namespace) -> Settings | None:
    """Return the settings. Print what is wrong with them and return None if they cannot be used."""
    unknown = list(unknown_variables(os.environ))
    output.report(unknown)
    if unknown:
        return None
    names = ("host", "port", "workers", "database_url", "metrics_port", "iati_reporting_org")
    values = {name: getattr(options, name, None) for name in names}
    try:
        return Settings(**{name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        for item in error.errors(include_url=False, include_input=False):
            output.print_error(f"HOPTAC_{str(item['loc'][0]).upper()}: {item['msg']}")
    except ValueError as error:  # the file of a secret
        output.print_error(str(error))
    return None


def _explain(error: Exception) -> tuple[str, int]:
    """Return the message for an error, and the exit code."""
    if isinstance(error, REFUSED):
        reason = error.detail if isinstance(error, ReadOnly) else f"The database refused the write ({error.orig})."
        return f"Nothing was written. {reason}", output.FAILED
    if isinstance(error, UNAVAILABLE):
        cause = error.__cause__ if isinstance(error, Unavailable) else error
        reason = " ".join(str(getattr(cause, "orig", None) or error).split())
        return f"The database cannot be used: {reason}", output.UNREADY
    if isinstance(error, OSError):  # such as the database in a folder that cannot be written to
        return f"{error.filename}: {error.strerror}" if error.filename else str(error), output.FAILED
    return str(error), output.UNREADY if isinstance(error, NotReady) else output.MISUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hoptac",
        description="Hoptac, an open registry of international cooperation. docs/settings.md lists the settings.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"hoptac {__version__}")
    group = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_server(group)
    _add_dataset(group)
    _add_records(group)
    _add_texts(group)
    _add_copies(group)
    _add_keys(group)
    return parser


def _add_server(group: Any) -> None:
    serve = _command(group, "serve", serving.serve)
    serve.add_argument("--host", help="address to listen on (HOPTAC_HOST)")
    serve.add_argument("--port", type=int, help="port to listen on (HOPTAC_PORT)")
    serve.add_argument("--workers", type=int, help="number of server processes (HOPTAC_WORKERS)")
    serve.add_argument("--migrate", action="store_true", help="run `hoptac migrate` first")
    serve.add_argument("--seed", action="store_true", help="run `hoptac seed` first")
    worker = _command(group, "worker", serving.worker)
    text = "port for its metrics, another one than that of the server (HOPTAC_METRICS_PORT)"
    worker.add_argument("--metrics-port", type=int, metavar="PORT", help=text)
    _command(group, "mcp", serving.mcp)
    _add_purge(group)
    migrate = _command(group, "migrate", schema.migrate)
    migrate.add_argument("--down", action="store_true", help="remove the schema and ALL data, after a confirmation")
    migrate.add_argument("--yes", action="store_true", help="with --down: do not ask for confirmation")
    status = _command(group, "status", schema.status)
    status.add_argument("--json", action="store_true", help="print the facts as JSON")


def _add_purge(group: Any) -> None:
    purge = _command(group, "purge", caches.purge)
    purge.add_argument("url", metavar="URL", help="where the cache deletes responses, such as http://127.0.0.1:6081")
    text = "PURGE (the default, for Varnish) or POST (for most CDNs)"
    purge.add_argument("--method", choices=("PURGE", "POST"), default="PURGE", help=text)
    purge.add_argument("--json", action="store_true", help="send the keys as JSON, as Cloudflare takes them")
    text = "file with headers of the requests, one a line, such as that with the token of a CDN"
    purge.add_argument("--headers", type=Path, metavar="FILE", help=text)
    text = "file in which the command stores how far it is (default: hoptac.purge)"
    purge.add_argument("--file", type=Path, metavar="FILE", default=Path("hoptac.purge"), help=text)
    text = "seconds between two looks for Changes (default: 1)"
    purge.add_argument("--every", type=caches.pause, default=1.0, metavar="SECONDS", help=text)
    purge.add_argument("--all", action="store_true", help="delete everything first, such as after a change of settings")
    purge.add_argument("--once", action="store_true", help="stop when everything that has changed is deleted")


def _add_dataset(group: Any) -> None:
    seed = _command(group, "seed", dataset.seed)
    seed.add_argument("--dataset", type=Path, metavar="FOLDER", help="load the files in this folder instead")
    check = _command(group, "check", checks.check)
    text = "check dataset files in this folder instead of the database; without a folder, those of the program"
    check.add_argument("--dataset", type=Path, nargs="?", const=checks.OWN_DATASET, metavar="FOLDER", help=text)
    text = "check the dataset against these source texts, instead of the database"
    check.add_argument("--documents", type=Path, metavar="FOLDER", help=text)
    check.add_argument("--head", metavar="SEQUENCE:CHAIN", help="check that the log still contains this head")
    check.add_argument("--quiet", action="store_true", help="do not list the numbers and dates that the check ignores")


def _add_records(group: Any) -> None:
    redact = _command(group, "redact", records.redact)
    redact.add_argument("text", metavar="TEXT", help="the exact text, or - to read it from standard input")
    redact.add_argument("--reason", required=True, help="the reason; it is published, so it must not contain the text")
    redact.add_argument("--with", dest="replacement", default="[…]", metavar="TEXT", help="the replacement")
    redact.add_argument("--record", metavar="RESOURCE/ID", help="only in this record")
    redact.add_argument("--dry-run", action="store_true", help="change nothing; list the records that contain the text")
    audit = _command(group, "audit", records.audit)
    audit.add_argument("--rule", action="append", metavar="NAME", help="only this rule; repeat for several")
    audit.add_argument("--severity", metavar="LEVEL", help="the lowest severity: note (the default), warning or error")
    audit.add_argument("--as-of", metavar="DAY", help="audit as of this day, such as 2026-11-22, instead of today")
    audit.add_argument("--json", action="store_true", help="print the findings as JSON, as the API returns them")
    exporting = _command(group, "export", files.export)
    text = "iati: write activities.xml, organisations.xml and what they leave out to a new folder FILE"
    exporting.add_argument("format", nargs="?", choices=("iati",), help=text)
    exporting.add_argument("file", type=Path, metavar="FILE", help="the file to create, registry.zip or registry.jsonl")
    text = "IATI identifier of the organisation that publishes the files (HOPTAC_IATI_REPORTING_ORG)"
    exporting.add_argument("--reporting-org", dest="iati_reporting_org", metavar="ID", help=text)
    importing = _command(group, "import", files.import_)
    importing.add_argument(
        "file", type=Path, metavar="FILE", help=".jsonl, .ndjson, .csv, .xlsx, .xml, or an archive (.zip)"
    )
    importing.add_argument("--resource", help="the resource of a CSV or XLSX file, such as projects")
    importing.add_argument("--dry-run", action="store_true", help="write nothing; print what the import would do")
    importing.add_argument("--row-by-row", action="store_true", help="write the other lines if some are refused")
    importing.add_argument("--as", dest="partner", metavar="PARTNER", help="write only records managed by this partner")
    importing.add_argument("--complete", action="store_true", help="with --as: the file has all records of the partner")
    text = "with --complete: what to do with records that are not in the file; list (the default) only prints them"
    importing.add_argument("--missing", choices=("list", "withdraw"), default="list", help=text)
    importing.add_argument("--mapping", type=Path, metavar="FILE", help="a mapping as JSON, for columns of your own")
    importing.add_argument("--sheet", help="the sheet of a workbook: its name or number")
    importing.add_argument("--header-row", type=int, metavar="ROW", help="the row with the names of the columns")
    importing.add_argument("--decimal", choices=("point", "comma"), help="the decimal sign in text cells")
    importing.add_argument("--dates", choices=("dmy", "mdy"), help="the order in dates such as 05/07/2014")
    importing.add_argument("--ignore", metavar="COLUMNS", help="columns to leave out, separated by commas")
    importing.add_argument("--charset", default="", help="the encoding of a CSV file, such as windows-1258")


def _add_texts(group: Any) -> None:
    text = "Store, list and remove the texts of documents."
    parser = group.add_parser("texts", help=text, description=text, epilog=EXIT_CODES)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    load = _command(actions, "load", texts.load)
    load.add_argument("folder", type=Path, metavar="FOLDER", help="the folder with the texts, as *.txt in UTF-8")
    text = "which paragraphs everyone may read: full, cited_paragraphs (the default) or nobody"
    terms = ("full", "cited_paragraphs", "nobody")
    load.add_argument("--shown", choices=terms, default="cited_paragraphs", metavar="TERMS", help=text)
    _command(actions, "list", texts.list_)
    remove = _command(actions, "remove", texts.remove)
    remove.add_argument("document", metavar="DOCUMENT", help="id of the document")


def _add_copies(group: Any) -> None:
    backup = _command(group, "backup", copies.backup)
    backup.add_argument("file", type=Path, metavar="FILE", help="the file to create; it must not exist")
    restore = _command(group, "restore", copies.restore)
    restore.add_argument("file", type=Path, metavar="FILE", help="a file that `hoptac backup` has written")
    restore.add_argument("--unproved", action="store_true", help="restore the backup even if its verification fails")
    mirror = _command(group, "mirror", copies.mirror)
    mirror.add_argument("url", metavar="URL", help="the source, such as https://registry.example")
    mirror.add_argument("--database", dest="database_url", help="URL of the database (HOPTAC_DATABASE_URL)")
    mirror.add_argument("--once", action="store_true", help="stop as soon as the copy is up to date")
    mirror.add_argument("--insecure", action="store_true", help="allow http, also to another machine")


def _add_keys(group: Any) -> None:
    text = "Create, list, change, rotate and revoke keys."
    parser = group.add_parser("key", help=text, description=text, epilog=EXIT_CODES)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    create = _command(actions, "create", keys.key, "Create a key and print its token, which is not shown again.")
    create.add_argument("--name", required=True, help="who uses the key, and for what")
    _add_scopes(create, required=True)
    create.add_argument("--partner", help="id of the partner that uses the key")
    _add_bounds(create, "by default after a year")
    _command(actions, "list", keys.key, "List the keys, without their tokens.")
    change = _command(actions, "change", keys.key, "Change a key. Its token stays the same.")
    change.add_argument("id", metavar="ID", help="id of the key")
    change.add_argument("--name", help="who uses the key, and for what")
    _add_scopes(change, required=False)
    _add_bounds(change, "by default unchanged")
    overlap = "time for which the previous token stays valid; by default 86400 seconds (a day)"
    rotate = _command(actions, "rotate", keys.key, "Replace the token of a key and print the new one.")
    rotate.add_argument("id", metavar="ID", help="id of the key")
    rotate.add_argument("--overlap", type=int, default=86_400, metavar="SECONDS", help=overlap)
    revoke = _command(actions, "revoke", keys.key, "Revoke a key for good.")
    revoke.add_argument("id", metavar="KEY", help="id of the key, or its whole token")
    revoke.add_argument("--force", action="store_true", help="revoke it even if no other key has the scope keys")
    events = _command(actions, "events", keys.key, "List the events of a key, the latest first.")
    events.add_argument("id", metavar="ID", help="id of the key")


def _add_scopes(parser: argparse.ArgumentParser, *, required: bool) -> None:
    codes = "; ".join(f"{code}: {entry.en.lower()}" for code, entry in SCOPE.codes.items())
    text = f"a permission of the key; repeat for several. {codes}"
    parser.add_argument("--scope", required=required, action="append", choices=SCOPE.codes, metavar="SCOPE", help=text)


def _add_bounds(parser: argparse.ArgumentParser, default: str) -> None:
    text = f"time at which the key expires, such as 2027-01-01T00:00:00Z, or never; {default}"
    parser.add_argument("--expires", metavar="TIME", help=text)
    text = "a network or address from which the key can be used, or any; repeat for several"
    parser.add_argument("--network", action="append", help=text)


def _command(group: Any, name: str, run: Callable[..., int], text: str | None = None) -> argparse.ArgumentParser:
    text = text or run.__doc__
    parser: argparse.ArgumentParser = group.add_parser(name, help=text, description=text, epilog=EXIT_CODES)
    parser.set_defaults(run=run, act=name)
    return parser


if __name__ == "__main__":
    sys.exit(main())
