"""What each `hoptac` command does. Each imports only what it needs itself, and returns an exit code."""

import argparse
import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError

from app.core.database.engine import Database
from app.core.settings import Settings

MAX_REPORTED = 100  # problems of the log that are printed
DONE, FAILED, MISUSED, UNREADY = 0, 1, 2, 3


def complain(message: str) -> None:
    """Say on standard error what is wrong."""
    print(f"hoptac: {message}", file=sys.stderr)


def report(problems: Sequence[str]) -> int:
    """Complain of each; the exit code."""
    for problem in problems:
        complain(problem)
    return FAILED if problems else DONE


def serve(options: argparse.Namespace, settings: Settings) -> int:
    """Serve the API; writes nothing unless asked to migrate or seed first."""
    if options.migrate:
        migrate(argparse.Namespace(down=False), settings)
    if options.seed and (code := seed(argparse.Namespace(dataset=None), settings)) != DONE:
        return code
    from app.server.run import serve

    try:
        serve(settings)
    except SystemExit:  # uvicorn has said why: the address is in use or not ours
        return FAILED
    return DONE


def worker(_: argparse.Namespace, settings: Settings) -> int:
    """Send webhooks, beside or instead of the server; any number may run."""
    import app.catalogue  # noqa: F401 - declares every table
    from app.core.asgi.middleware import set_up_logs
    from app.server.run import work

    set_up_logs()
    work(settings)
    return DONE


def migrate(options: argparse.Namespace, settings: Settings) -> int:
    """Bring the database's schema and stored representations up to date."""
    import app.catalogue  # noqa: F401 - declares every table
    from app.core.maintenance.rerender import render_all_again
    from app.core.maintenance.schema import head
    from app.core.search.index import fill_index

    with Database(settings.database_url) as database:
        if options.down or database.schema_version() != head():
            from app.core.maintenance.schema import migrate

            migrate(database, "base" if options.down else "head")
        if options.down:
            print("The schema and everything in it are gone.")
            return DONE
        indexed = fill_index(database)
        rendered = render_all_again(database)
    done = [f" {count} records were {what} anew." for count, what in ((indexed, "indexed"), (rendered, "rendered"))]
    print("The schema is up to date." + "".join(line for line in done if not line.startswith(" 0")))
    return DONE


def seed(options: argparse.Namespace, settings: Settings) -> int:
    """Load the dataset; what others changed since is left alone and named."""
    from seed.files import DATASET, DatasetError, read
    from seed.loader import load

    started = time.monotonic()
    try:
        dataset = read(options.dataset or DATASET)
    except DatasetError as error:
        return report(error.problems)
    with Database(settings.database_url) as database:
        outcome = load(database, dataset)
    counts = {name: len(getattr(outcome, name)) for name in ("created", "updated", "deleted", "unchanged")}
    detail = ", ".join(f"{count} {name}" for name, count in counts.items())
    print(f"{len(dataset.records)} records in the dataset: {detail} ({time.monotonic() - started:.1f} s).")
    for (resource, record_id), why in outcome.left_alone:
        print(f"left alone: {resource}/{record_id} ({why})")
    return DONE


def backup(options: argparse.Namespace, settings: Settings) -> int:
    """Copy the whole registry, keys' hashes too, into a new file."""
    from app.server.run import ensure_ready

    ensure_ready(settings)
    return _run_copy("in the backup", settings, lambda backup, database: backup.back_up(database, options.file))


def restore(options: argparse.Namespace, settings: Settings) -> int:
    """Copy a backup into an empty database of either engine."""
    unproved = options.unproved
    return _run_copy(
        "restored", settings, lambda backup, database: backup.restore(options.file, database, unproved=unproved)
    )


def _run_copy(where: str, settings: Settings, copy: Callable[[Any, Database], Any]) -> int:
    import app.catalogue  # noqa: F401 - declares every table
    from app.core.maintenance import backup

    try:
        with Database(settings.database_url) as database:
            copied = copy(backup, database)
    except (backup.NotCopied, OSError) as error:
        return report([str(error)])
    print(f"{copied.rows} rows {where}. The head of the log is {copied.head}.")
    return report([copied.broken] if copied.broken else [])


def mirror(options: argparse.Namespace, settings: Settings) -> int:
    """Build and keep a copy of another registry, from its change feed."""
    from app.exchange.mirrors.mirror import MirrorFollower
    from app.exchange.mirrors.source import NotMirrored, Source, client_of

    with client_of(options.url, insecure=options.insecure) as client:
        migrate(argparse.Namespace(down=False), settings)
        source = Source(client, retries_forever=not options.once)
        try:
            with Database(settings.database_url) as database:
                MirrorFollower(database, source, _report_mirrored).follow(once=options.once)
        except NotMirrored as error:
            complain(str(error))
            return FAILED
    return DONE


def _report_mirrored(sequence: int) -> None:
    print(f"The copy is complete up to Change {sequence}.", flush=True)


def key(options: argparse.Namespace, settings: Settings) -> int:
    """Create, list, rotate or revoke a key, as `options.act` says."""
    import app.catalogue  # noqa: F401 - declares every table
    from app.core.access.credentials import Rotation
    from app.core.errors import Problem
    from app.core.model.validation import validate
    from app.keys import models as keys

    try:
        with Database(settings.database_url) as database, database.write() as session:
            if options.act == "create":
                given = {"name": options.name, "scopes": options.scope, "partner": options.partner}
                fields = validate(keys.KeyFields, {**given, "expires_at": options.expires})
                print(keys.create(session, fields).key)
            elif options.act == "rotate":
                rotation = validate(Rotation, {"overlap": options.overlap})
                print(keys.rotate(session, options.id, rotation).key)
            elif options.act == "revoke":
                keys.revoke(session, options.id)
            else:
                _list_keys(keys.show_keys(session, limit=10_000))
    except Problem as problem:
        return report([f"{each.pointer}: {each.detail}" for each in problem.errors] or [problem.detail])
    return DONE


def import_(options: argparse.Namespace, settings: Settings) -> int:
    """Bring in a file of records; 1 if lines are refused."""
    import app.catalogue  # noqa: F401 - declares every table
    from app.exchange.imports.command import import_file
    from app.server.run import ensure_ready

    ensure_ready(settings)
    mode = "rows" if options.row_by_row else "all"
    given = {"resource": options.resource, "mode": mode, "dry_run": options.dry_run}
    with Database(settings.database_url) as database:
        refused, detail = import_file(database, options.file, given, options.partner)
    for line in refused:
        complain(line)
    print(detail)
    return FAILED if refused else DONE


def _list_keys(rows: Sequence[Any]) -> None:
    for key in rows:
        ends = f"revoked {key.revoked_at}" if key.revoked_at else f"until {key.expires_at or 'revoked'}"
        used = f"used {key.last_used_at}" if key.last_used_at else "never used"
        print(key.id, ",".join(key.scopes), key.partner or "-", ends, used, key.name, sep="  ")


def check(options: argparse.Namespace, settings: Settings) -> int:
    """Prove what can be proved of the dataset and of the database's log."""
    found = _check_dataset(options)
    if options.head is not None or (options.dataset is None and options.documents is None):
        found = max(_check_log(options, settings), found)
    return found


def _check_log(options: argparse.Namespace, settings: Settings) -> int:
    import app.catalogue  # noqa: F401 - declares every table
    from app.core.maintenance.verify import ChainHead, Verifier
    from app.server.run import ensure_ready

    try:
        kept = None if options.head is None else ChainHead.read(options.head)
    except ValueError as error:
        raise ValueError(f"--head: {error}") from None
    ensure_ready(settings)
    with Database(settings.database_url) as database, database.snapshot() as connection:
        verifier, problems = Verifier(connection), 0
        for problems, problem in enumerate(verifier.problems(kept), 1):
            if problems <= MAX_REPORTED:
                complain(problem)
    detail = f"{verifier.changes} Changes, {verifier.records} records, {problems} problems in the log."
    print(detail + (f" Keep its head elsewhere: {verifier.head}" if verifier.changes else ""))
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
        return report(error.problems)
    problems = check(dataset)
    print(f"{len(dataset.records)} records, {len(problems)} problems in themselves.")
    if options.documents is not None:
        proof = prove(dataset, options.documents)
        problems += proof.problems
        print(proof.summary)
        if not options.quiet:
            print(*(f"ignored: {line}" for line in proof.ignored), sep="\n")
    return report(problems)


def redact(options: argparse.Namespace, settings: Settings) -> int:
    """Take a text down from every version of every record, for good."""
    import app.catalogue  # noqa: F401 - declares every table
    from app.core.maintenance import redact as redacting
    from app.core.model.resource import RESOURCES
    from app.server.run import ensure_ready

    text = sys.stdin.read().strip("\n") if options.text == "-" else options.text
    resource, _, record_id = (options.record or "").partition("/")
    if options.record is not None and resource not in RESOURCES:
        raise ValueError("--record: this is no RESOURCE/ID, such as projects/green-ports")
    redaction = redacting.Redaction(
        text, options.replacement, options.reason, (resource, record_id) if options.record else None
    )
    ensure_ready(settings)
    with Database(settings.database_url) as database:
        taken = redacting.redact(database, redaction, dry_run=options.dry_run)
        print(*taken, sep="\n", end="\n" if taken else "")
        if not taken:
            complain("No version of a record holds it.")
        stays = not taken or any(each.remaining for each in taken)
        return max(_scrub(database, dry_run=options.dry_run), FAILED if stays else DONE)


def _scrub(database: Database, *, dry_run: bool) -> int:
    """Take what was replaced out of the files too, or say what is left to do."""
    if dry_run:
        return DONE
    try:
        clean = database.scrub()
    except sqlite3.OperationalError:  # others write
        clean = False
    if not clean:
        complain("Others are using the database file, so it may still hold what was replaced: do the same again later.")
        return FAILED
    if not database.is_sqlite:
        print("PostgreSQL's files hold what was replaced until VACUUM FULL, and its WAL until that is recycled.")
    print("Backups and copies of others are not touched.")
    return DONE


def audit(options: argparse.Namespace, settings: Settings) -> int:
    """Say what a careful reader would flag; 1 if there is something."""
    import app.catalogue  # noqa: F401 - declares every table
    from app.analysis.audit.routes import AuditQuery, audit_request, today
    from app.analysis.audit.walk import read_all_findings
    from app.core.model.validation import error_detail

    given = {name: value for name in ("rule", "severity", "as_of") if (value := getattr(options, name)) is not None}
    try:
        query = audit_request(AuditQuery.model_validate(given), today())
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            complain(f"--{str(each['loc'][0]).replace('_', '-')}: {error_detail(each)}")
        return MISUSED
    from app.server.run import ensure_ready

    ensure_ready(settings)
    with Database(settings.database_url) as database:
        found = asyncio.run(read_all_findings(database, query))
    if options.json:
        print(json.dumps([vars(finding) for finding in found], ensure_ascii=False, indent=1))
    for finding in () if options.json else found:
        records = " ".join(f"{record['resource']}/{record['id']}" for record in finding.records)
        print(f"{finding.severity} {finding.rule} {records}: {finding.message['en']}")
    return FAILED if found else DONE
