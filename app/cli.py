"""The `hoptac` command: serve, worker, migrate, backup, seed, check, audit … Each imports only what it needs itself."""

import argparse
import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from app import __version__
from app.core.database import Database
from app.core.errors import ReadOnly, Unavailable
from app.core.settings import Settings

MOST_SAID = 100  # problems of the log that are printed
DONE, FAILED, MISUSED, UNREADY = 0, 1, 2, 3
EXIT_CODES = "exit codes: 0 done, 1 failed or problems found, 2 wrong usage, 3 the database is not there or not ready"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        given = {name: getattr(options, name, None) for name in ("host", "port", "workers", "database_url")}
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            _complain(f"HOPTAC_{str(each['loc'][0]).upper()}: {each['msg']}")
        return MISUSED
    try:
        return int(options.run(options, settings))
    except ValueError as error:
        _complain(str(error))
        return MISUSED
    except (IntegrityError, ReadOnly) as error:
        why = error.detail if isinstance(error, ReadOnly) else f"The database refused it ({error.orig})."
        _complain(f"Nothing was written. {why}")
        return FAILED
    except Unavailable as error:
        _complain(f"The database does not work: {getattr(error.__cause__, 'orig', None) or error}")
        return UNREADY
    except (SQLAlchemyError, sqlite3.Error) as error:
        _complain(f"The database does not work: {getattr(error, 'orig', None) or error}")
        return UNREADY
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hoptac",
        description="Hoptac, an open registry of international cooperation. Settings: HOPTAC_… (see the README).",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"hoptac {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    serve = _command(commands, "serve", _serve, "Serve the API; writes nothing unless asked to migrate or seed first.")
    serve.add_argument("--host", help="address to listen on (HOPTAC_HOST)")
    serve.add_argument("--port", type=int, help="port to listen on (HOPTAC_PORT)")
    serve.add_argument("--workers", type=int, help="server processes (HOPTAC_WORKERS)")
    serve.add_argument("--migrate", action="store_true", help="bring the schema up to date first")
    serve.add_argument("--seed", action="store_true", help="load the dataset first")
    _command(commands, "worker", _worker, "Send webhooks, beside or instead of the server; any number may run.")
    migrate = _command(
        commands, "migrate", _migrate, "Bring the database's schema and stored representations up to date."
    )
    migrate.add_argument("--down", action="store_true", help="remove the schema and EVERYTHING in it")
    seed = _command(commands, "seed", _seed, "Load the dataset; what others changed since is left alone and named.")
    seed.add_argument("--dataset", type=Path, help="another folder of dataset files")
    check = _command(commands, "check", _check, "Prove what can be proved of the dataset and of the database's log.")
    check.add_argument("--dataset", type=Path, help="another folder of dataset files; then the log is left out")
    check.add_argument("--documents", type=Path, help="folder of the source texts: prove every figure; likewise")
    check.add_argument("--head", metavar="SEQUENCE:CHAIN", help="a head of the log that you kept: is it still there?")
    check.add_argument("--quiet", action="store_true", help="leave out the list of what is ignored on purpose")
    redact = _command(commands, "redact", _redact, "Take a text down from every version of every record, for good.")
    redact.add_argument("text", metavar="TEXT", help="the text, exactly; - reads it from standard input")
    redact.add_argument("--reason", required=True, help="why, in words; it is logged, without the text")
    redact.add_argument("--with", dest="replacement", default="[…]", metavar="TEXT", help="what takes its place")
    redact.add_argument("--record", metavar="RESOURCE/ID", help="only from this record")
    redact.add_argument("--dry-run", action="store_true", help="only say where it is")
    audit = _command(commands, "audit", _audit, "Say what a careful reader would flag; 1 if there is something.")
    audit.add_argument("--rule", action="append", metavar="NAME", help="only this rule (repeat for more)")
    audit.add_argument("--severity", metavar="LEAST", help="note (the default), warning or error, and what weighs more")
    audit.add_argument("--as-of", metavar="DAY", help="the day that counts as today, such as 2026-11-22")
    audit.add_argument("--json", action="store_true", help="print the findings as the API shows them")
    importing = _command(commands, "import", _import, "Bring in a file of records; 1 if lines are refused.")
    importing.add_argument("file", type=Path, metavar="FILE", help=".jsonl, .ndjson, .csv or .xlsx")
    importing.add_argument("--resource", help="the resource of a table, such as projects")
    importing.add_argument("--dry-run", action="store_true", help="write nothing; say what would become of each line")
    importing.add_argument("--row-by-row", action="store_true", help="write the other lines when some are refused")
    importing.add_argument("--as", dest="partner", metavar="PARTNER", help="write only what this partner keeps")
    backup = _command(commands, "backup", _backup, "Copy the whole registry, keys' hashes too, into a new file.")
    backup.add_argument("file", type=Path, metavar="FILE", help="where to; it must not be there yet")
    restore = _command(commands, "restore", _restore, "Copy a backup into an empty database of either engine.")
    restore.add_argument("file", type=Path, metavar="FILE", help="what `hoptac backup` has written")
    restore.add_argument("--unproved", action="store_true", help="also when Changes are not what was written then")

    mirror = _command(commands, "mirror", _mirror, "Build and keep a copy of another registry, from its change feed.")
    mirror.add_argument(
        "url", metavar="URL", help="the address of the other registry, such as https://registry.example"
    )
    mirror.add_argument("--database", dest="database_url", help="where the copy is (HOPTAC_DATABASE_URL)")
    mirror.add_argument("--once", action="store_true", help="stop when the copy is like the source")
    mirror.add_argument("--insecure", action="store_true", help="http is good enough, also from another machine")
    keys = commands.add_parser("key", help="Create, list, rotate and revoke the keys of those who write.")
    acts = keys.add_subparsers(metavar="ACT", required=True)
    create = _command(acts, "create", _key, "Create a key and print its text, which nobody can read again.")
    create.add_argument("--name", required=True, help="whose it is and for what, in words")
    create.add_argument("--scope", required=True, action="append", help="what it allows; repeat for several")
    create.add_argument("--partner", help="id of the partner that acts with it")
    create.add_argument("--expires", help="when it stops, such as 2027-01-01T00:00:00Z; otherwise never")
    _command(acts, "list", _key, "List the keys, without their texts.")
    rotate = _command(acts, "rotate", _key, "Give a key a new text and print it.")
    rotate.add_argument("id", help="id of the key")
    rotate.add_argument("--overlap", type=int, default=86_400, help="seconds that the text before goes on counting")
    revoke = _command(acts, "revoke", _key, "Stop a key for good.")
    revoke.add_argument("id", help="id of the key")
    return parser


def _command(commands: Any, name: str, run: Callable[..., int], about: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about, epilog=EXIT_CODES)
    parser.set_defaults(run=run, act=name)
    return parser


def _complain(message: str) -> None:
    print(f"hoptac: {message}", file=sys.stderr)


def _serve(options: argparse.Namespace, settings: Settings) -> int:
    if options.migrate:
        _migrate(argparse.Namespace(down=False), settings)
    if options.seed and (code := _seed(argparse.Namespace(dataset=None), settings)) != DONE:
        return code
    from app.serve import NotReady, serve

    try:
        serve(settings)
    except NotReady as error:
        _complain(str(error))
        return UNREADY
    except SystemExit:  # uvicorn has said why: the address is in use or not ours
        return FAILED
    return DONE


def _worker(_: argparse.Namespace, settings: Settings) -> int:
    import app.main  # noqa: F401 - declares every table
    from app.core.edge import set_up_logs
    from app.serve import NotReady, work

    set_up_logs()
    try:
        work(settings)
    except NotReady as error:
        _complain(str(error))
        return UNREADY
    return DONE


def _migrate(options: argparse.Namespace, settings: Settings) -> int:
    import app.main  # noqa: F401 - declares every table
    from app.core.index import fill
    from app.core.writing import render_all_again
    from migrations import HEAD

    database = Database(settings.database_url)
    if options.down or database.schema_version() != HEAD:
        from app.core.schema import migrate

        migrate(database, "base" if options.down else "head")
    if options.down:
        print("The schema and everything in it are gone.")
        return DONE
    indexed = fill(database)
    rendered = render_all_again(database)
    done = [f" {count} records were {what} anew." for count, what in ((indexed, "indexed"), (rendered, "rendered"))]
    print("The schema is up to date." + "".join(line for line in done if not line.startswith(" 0")))
    return DONE


def _seed(options: argparse.Namespace, settings: Settings) -> int:
    from seed.files import DATASET, DatasetError, read
    from seed.loader import load

    started = time.monotonic()
    try:
        dataset = read(options.dataset or DATASET)
    except DatasetError as error:
        return _report(error.problems)
    outcome = load(Database(settings.database_url), dataset)
    counts = {name: len(getattr(outcome, name)) for name in ("created", "updated", "deleted", "unchanged")}
    said = ", ".join(f"{count} {name}" for name, count in counts.items())
    print(f"{len(dataset.records)} records in the dataset: {said} ({time.monotonic() - started:.1f} s).")
    for (resource, record_id), why in outcome.left_alone:
        print(f"left alone: {resource}/{record_id} ({why})")
    return DONE


def _backup(options: argparse.Namespace, settings: Settings) -> int:
    from app.serve import NotReady, ensure_ready

    try:
        ensure_ready(settings)
    except NotReady as error:
        _complain(str(error))
        return UNREADY
    return _copied("in the backup", settings, lambda backup, database: backup.back_up(database, options.file))


def _restore(options: argparse.Namespace, settings: Settings) -> int:
    def restore(backup: Any, database: Database) -> Any:
        return backup.restore(options.file, database, unproved=options.unproved)

    return _copied("restored", settings, restore)


def _copied(where: str, settings: Settings, copy: Callable[[Any, Database], Any]) -> int:
    import app.main  # noqa: F401 - declares every table
    from app.core import backup

    database = Database(settings.database_url)
    try:
        copied = copy(backup, database)
    except (backup.NotCopied, OSError) as error:
        return _report([str(error)])
    finally:
        database.close()
    print(f"{copied.rows} rows {where}. The head of the log is {copied.head}.")
    return _report([copied.broken] if copied.broken else [])


def _mirror(options: argparse.Namespace, settings: Settings) -> int:
    from app.changes.mirror import Mirror
    from app.changes.source import NotMirrored, Source, client_of

    with client_of(options.url, insecure=options.insecure) as client:
        _migrate(argparse.Namespace(down=False), settings)
        source = Source(client, stays=not options.once)
        try:
            Mirror(Database(settings.database_url), source, _told).follow(once=options.once)
        except NotMirrored as error:
            _complain(str(error))
            return FAILED
    return DONE


def _told(sequence: int) -> None:
    print(f"The copy is complete up to Change {sequence}.", flush=True)


def _key(options: argparse.Namespace, settings: Settings) -> int:
    import app.main  # noqa: F401 - declares every table
    from app.core.bodies import checked_by
    from app.core.errors import Problem
    from app.keys import models as keys

    try:
        with Database(settings.database_url).write() as session:
            if options.act == "create":
                given = {"name": options.name, "scopes": options.scope, "partner": options.partner}
                fields = checked_by(keys.KeyFields, {**given, "expires_at": options.expires})
                print(keys.create(session, fields)["key"])
            elif options.act == "rotate":
                overlap = checked_by(keys.Rotation, {"overlap": options.overlap}).overlap
                print(keys.rotate(session, options.id, overlap)["key"])
            elif options.act == "revoke":
                keys.revoke(session, options.id)
            else:
                _list_keys(keys.every(session, most=10_000))
    except Problem as problem:
        return _report([f"{each.pointer}: {each.detail}" for each in problem.errors] or [problem.detail])
    return DONE


def _import(options: argparse.Namespace, settings: Settings) -> int:
    import app.main  # noqa: F401 - declares every table
    from app.exchange.command import bring_in
    from app.serve import NotReady, ensure_ready

    try:
        ensure_ready(settings)
    except NotReady as error:
        _complain(str(error))
        return UNREADY
    mode = "rows" if options.row_by_row else "all"
    given = {"resource": options.resource, "mode": mode, "dry_run": options.dry_run}
    refused, said = bring_in(Database(settings.database_url), options.file, given, options.partner)
    for line in refused:
        _complain(line)
    print(said)
    return FAILED if refused else DONE


def _list_keys(found: Sequence[dict[str, Any]]) -> None:
    for key in found:
        ends = f"revoked {key['revoked_at']}" if key["revoked_at"] else f"until {key['expires_at'] or 'revoked'}"
        used = f"used {key['last_used_at']}" if key["last_used_at"] else "never used"
        print(key["id"], ",".join(key["scopes"]), key["partner"] or "-", ends, used, key["name"], sep="  ")


def _check(options: argparse.Namespace, settings: Settings) -> int:
    found = _check_dataset(options)
    if options.head is not None or (options.dataset is None and options.documents is None):
        found = max(_check_log(options, settings), found)
    return found


def _check_log(options: argparse.Namespace, settings: Settings) -> int:
    import app.main  # noqa: F401 - declares every table
    from app.core.verifying import Head, Verifier
    from app.serve import NotReady, ensure_ready

    try:
        kept = None if options.head is None else Head.read(options.head)
    except ValueError as error:
        raise ValueError(f"--head: {error}") from None
    try:
        ensure_ready(settings)
    except NotReady as error:
        _complain(str(error))
        return UNREADY
    with Database(settings.database_url).snapshot() as connection:
        verifier, problems = Verifier(connection), 0
        for problems, problem in enumerate(verifier.problems(kept), 1):
            if problems <= MOST_SAID:
                _complain(problem)
    said = f"{verifier.changes} Changes, {verifier.records} records, {problems} problems in the log."
    print(said + (f" Keep its head elsewhere: {verifier.head}" if verifier.changes else ""))
    return FAILED if problems else DONE


def _check_dataset(options: argparse.Namespace) -> int:
    from seed.check import check
    from seed.evidence import prove
    from seed.files import DATASET, DatasetError, read

    if options.documents is not None and not options.documents.is_dir():
        raise ValueError(f"--documents: {options.documents} is no folder")
    try:
        dataset = read(options.dataset or DATASET)
    except DatasetError as error:
        return _report(error.problems)
    problems = check(dataset)
    print(f"{len(dataset.records)} records, {len(problems)} problems in themselves.")
    if options.documents is not None:
        proof = prove(dataset, options.documents)
        problems += proof.problems
        print(proof.summary)
        if not options.quiet:
            print(*(f"ignored: {line}" for line in proof.ignored), sep="\n")
    return _report(problems)


def _redact(options: argparse.Namespace, settings: Settings) -> int:
    import app.main  # noqa: F401 - declares every table
    from app.core.redacting import Redaction, redact
    from app.core.resource import RESOURCES
    from app.serve import NotReady, ensure_ready

    text = sys.stdin.read().strip("\n") if options.text == "-" else options.text
    resource, _, record_id = (options.record or "").partition("/")
    if options.record is not None and resource not in RESOURCES:
        raise ValueError("--record: this is no RESOURCE/ID, such as projects/green-ports")
    redaction = Redaction(text, options.replacement, options.reason, (resource, record_id) if options.record else None)
    try:
        ensure_ready(settings)
    except NotReady as error:
        _complain(str(error))
        return UNREADY
    database = Database(settings.database_url)
    taken = redact(database, redaction, dry_run=options.dry_run)
    print(*taken, sep="\n", end="\n" if taken else "")
    if not taken:
        _complain("No version of a record holds it.")
    return max(
        _scrub(database, dry_run=options.dry_run), FAILED if not taken or any(each.stays for each in taken) else DONE
    )


def _scrub(database: Database, *, dry_run: bool) -> int:
    """Take what was replaced out of the files too, or say what is left to do."""
    if dry_run:
        return DONE
    try:
        clean = database.scrub()
    except sqlite3.OperationalError:  # others write
        clean = False
    if not clean:
        _complain(
            "Others are using the database file, so it may still hold what was replaced: do the same again later."
        )
        return FAILED
    if not database.is_sqlite:
        print("PostgreSQL's files hold what was replaced until VACUUM FULL, and its WAL until that is recycled.")
    print("Backups and copies of others are not touched.")
    return DONE


def _audit(options: argparse.Namespace, settings: Settings) -> int:
    import app.main  # noqa: F401 - declares every table
    from app.audit.routes import AuditQuery, today, wanted
    from app.audit.walk import everything
    from app.core.query import said

    given = {name: value for name in ("rule", "severity", "as_of") if (value := getattr(options, name)) is not None}
    try:
        query = wanted(AuditQuery.model_validate(given), today())
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            _complain(f"--{str(each['loc'][0]).replace('_', '-')}: {said(each)}")
        return MISUSED
    from app.serve import NotReady, ensure_ready

    try:
        ensure_ready(settings)
    except NotReady as error:
        _complain(str(error))
        return UNREADY
    found = asyncio.run(everything(Database(settings.database_url), query))
    if options.json:
        print(json.dumps([vars(finding) for finding in found], ensure_ascii=False, indent=1))
    for finding in () if options.json else found:
        records = " ".join(f"{record['resource']}/{record['id']}" for record in finding.records)
        print(f"{finding.severity} {finding.rule} {records}: {finding.message['en']}")
    return FAILED if found else DONE


def _report(problems: Sequence[str]) -> int:
    for problem in problems:
        _complain(problem)
    return FAILED if problems else DONE


if __name__ == "__main__":
    sys.exit(main())
