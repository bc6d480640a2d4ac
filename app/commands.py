"""The `hoptac` commands. Each imports only what it needs, and returns an exit code.

The docstrings are the help texts.
"""

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
from app.core.progress import reported
from app.core.settings import Settings
from app.core.values.text import counted, printable

# Exit codes:
DONE = 0
FAILED = 1
MISUSED = 2
UNREADY = 3


def print_error(message: str) -> None:
    """Print a message on standard error."""
    print(f"hoptac: {printable(message)}", file=sys.stderr)


def report(problems: Sequence[str]) -> int:
    """Print the problems on standard error, and return the exit code."""
    for problem in problems:
        print_error(problem)
    return FAILED if problems else DONE


def serve(options: argparse.Namespace, settings: Settings) -> int:
    """Serve the API. With --migrate or --seed, prepare the database first."""
    if options.migrate:
        _migrate_up(settings)
    if options.seed and (code := seed(argparse.Namespace(dataset=None), settings)) != DONE:
        return code
    from app.server.run import serve

    try:
        serve(settings)
    except SystemExit:  # uvicorn has logged why the application did not start
        return FAILED
    return DONE


def worker(_: argparse.Namespace, settings: Settings) -> int:
    """Send webhooks and do other background work, beside the server or instead of it. Any number can run."""
    import app.catalogue  # noqa: F401 - declares every table
    from app.core.logs import set_up_logs
    from app.server.metrics_port import metrics_port
    from app.server.run import work

    set_up_logs()
    with metrics_port(settings):
        work(settings)
    return DONE


def mcp(_: argparse.Namespace, settings: Settings) -> int:
    """Serve the tools for agents on standard input and output (Model Context Protocol; needs the extra `mcp`)."""
    from app.agents.endpoint import is_available

    if not is_available():
        print_error("The package mcp is not installed. Install it with: pip install 'hoptac[mcp]'")
        return MISUSED
    from app.agents.stdio import serve
    from app.main import api_of
    from app.server.run import ensure_ready

    ensure_ready(settings)
    asyncio.run(serve(api_of(settings.model_copy(update={"webhook_sender": False})), settings))
    return DONE


def migrate(options: argparse.Namespace, settings: Settings) -> int:
    """Update the schema, the stored representations and the search index."""
    return _migrate_down(settings, is_sure=options.yes) if options.down else _migrate_up(settings)


def _migrate_up(settings: Settings) -> int:
    import app.catalogue  # noqa: F401 - declares every table
    from app.core.maintenance.rerender import render_all_again
    from app.core.maintenance.schema import head
    from app.core.search.index import fill_index, prepare_index

    with Database(settings.database_url) as database:
        database.restrict_access()
        if database.schema_version() != head():
            from app.core.maintenance.schema import migrate

            migrate(database)
        with database.write() as session:
            prepare_index(session.connection())
        # Rendering comes first: the index is made of texts at the places that this version knows.
        with reported("Records rendered", print_error):
            rendered = render_all_again(database)
        with reported("Records indexed", print_error):
            indexed = fill_index(database)
    counts = {"indexed": indexed, "rendered": rendered}
    details = [
        f" {counted(count, 'record was', 'records were')} {verb} again." for verb, count in counts.items() if count
    ]
    print("The schema is up to date." + "".join(details))
    return DONE


def _migrate_down(settings: Settings, *, is_sure: bool) -> int:
    from app.core.maintenance.schema import check_revision, migrate
    from app.status import status

    with Database(settings.database_url) as database:
        check_revision(database)
        facts = status(database)
        content = f"a database with the schema {facts['schema']}"
        if "records" in facts:
            changes = (facts["log_head"] or "0").partition(":")[0]
            counts = {
                "record": sum(facts["records"].values()),
                "Change": int(changes),
                "valid key": facts["valid_keys"],
            }
            content = ", ".join(counted(count, noun) for noun, count in counts.items())
        question = f"This destroys {content} in {facts['database']}. A backup is the only way back. Type yes to go on: "
        if not is_sure and (not sys.stdin.isatty() or input(question) != "yes"):
            print_error(f"Nothing was removed. This would destroy {content}. To do so, add --yes.")
            return FAILED
        migrate(database, "base")
    print(f"The schema and all data were removed: {content}.")
    return DONE


def status(options: argparse.Namespace, settings: Settings) -> int:
    """Print the state of the registry: schema, records, head of the log, keys, imports and webhooks."""
    import app.catalogue  # noqa: F401 - declares every table
    from app.status import lines, status, warnings

    with Database(settings.database_url) as database:
        facts = status(database)
    if options.json:
        print(json.dumps(facts, ensure_ascii=False, indent=1))
    else:
        print(*lines(facts), sep="\n")
    for warning in warnings(facts):
        print_error(warning)
    return UNREADY if facts["needs_migration"] else DONE


def seed(options: argparse.Namespace, settings: Settings) -> int:
    """Load the dataset. Records that others have changed since are not changed, but listed."""
    from seed.files import DATASET, DatasetError, read
    from seed.loader import load

    started = time.monotonic()
    try:
        dataset = read(options.dataset or DATASET)
    except DatasetError as error:
        return report(error.problems)
    from app.server.run import ensure_ready

    ensure_ready(settings)
    with Database(settings.database_url) as database, reported("Records of the dataset compared", print_error):
        outcome = load(database, dataset)
    counts = {name: len(getattr(outcome, name)) for name in ("created", "updated", "deleted", "unchanged")}
    detail = ", ".join(f"{count} {name}" for name, count in counts.items())
    total = counted(len(dataset.records), "record")
    print(f"{total} in the dataset: {detail} ({time.monotonic() - started:.1f} s).")
    for (resource, record_id), reason in outcome.left_alone:
        print(f"left alone: {resource}/{record_id} ({reason})")
    return DONE


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
        _migrate_up(settings)
        try:
            with Database(settings.database_url) as database, reported("Changes copied", print_error):
                MirrorFollower(database, source, _report_mirrored).follow(once=options.once)
        except NotMirrored as error:
            print_error(str(error))
            return FAILED
    return DONE


def _report_mirrored(sequence: int) -> None:
    print(f"The copy is complete up to Change {sequence}.", flush=True)


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


def import_(options: argparse.Namespace, settings: Settings) -> int:
    """Import a file of records. The exit code is 1 if lines are refused."""
    import app.catalogue  # noqa: F401 - declares every table
    from app.exchange.imports.command import check_complete, file_format_of, import_file, read_settings
    from app.server.run import ensure_ready

    file_format_of(options.file)  # before the database is opened
    check_complete(options.partner, complete=options.complete, missing=options.missing)
    ensure_ready(settings)
    mode = "rows" if options.row_by_row else "all"
    complete = {"complete": options.complete, "missing": options.missing}
    query = {"resource": options.resource, "mode": mode, "dry_run": options.dry_run, **complete}
    names = ("sheet", "header_row", "decimal", "dates", "ignore")
    table = read_settings(options.charset, {name: getattr(options, name) for name in names}, options.mapping)
    with Database(settings.database_url) as database, reported("Lines read or written", print_error):
        refused, detail = import_file(database, options.file, query, options.partner, table)
    exit_code = report(refused)
    print(detail)
    return exit_code


def export(options: argparse.Namespace, settings: Settings) -> int:
    """Write all public records to a new file of JSON Lines, which `hoptac import --row-by-row` reads, or as IATI."""
    import app.catalogue  # noqa: F401 - declares every table
    from app.exchange.exports.command import export_records
    from app.exchange.imports.storage.store import MAX_LINES
    from app.server.run import ensure_ready

    if options.format == "iati":
        return _export_iati(options, settings)
    ensure_ready(settings)
    try:
        with Database(settings.database_url) as database, reported("Records written", print_error):
            count = export_records(database, options.file)
    except OSError as error:
        return report([str(error)])
    print(f"{counted(count, 'record')} in {options.file}.")
    if count > MAX_LINES:
        print_error(f"One import reads at most {MAX_LINES:,} records. To copy this registry, use backup or mirror.")
    return DONE


def _export_iati(options: argparse.Namespace, settings: Settings) -> int:
    from app.core.errors import Problem
    from app.exchange.iati.command import export_iati
    from app.exchange.iati.reporter import Reporter
    from app.server.run import ensure_ready

    try:
        reporter = Reporter.of(settings)
        ensure_ready(settings)
        with Database(settings.database_url) as database, reported("parts written", print_error):
            export_iati(database, options.file, reporter)
    except Problem as problem:
        return report([problem.detail])
    except OSError as error:
        return report([str(error)])
    print(f"activities.xml, organisations.xml, loss-report.jsonl and extension.xsd in {options.file}.")
    return DONE


def redact(options: argparse.Namespace, settings: Settings) -> int:
    """Replace a text in every version of every record. This cannot be undone."""
    import app.catalogue  # noqa: F401 - declares every table
    from app.core.maintenance import redact as redacting
    from app.core.model.resource import RESOURCES
    from app.exchange.archives.current import remove_archives
    from app.server.run import ensure_ready

    text = sys.stdin.read().strip("\n") if options.text == "-" else options.text
    resource, _, record_id = (options.record or "").partition("/")
    if options.record is not None and resource not in RESOURCES:
        raise ValueError("--record: must be RESOURCE/ID, such as projects/green-ports")
    record_name = (resource, record_id) if options.record else None
    redaction = redacting.Redaction(text, options.replacement, options.reason, record_name)
    ensure_ready(settings)
    with Database(settings.database_url) as database:
        redacted = redacting.redact(database, redaction, dry_run=options.dry_run)
        if not options.dry_run:
            remove_archives(settings, database)
        for record in redacted:
            print(record)
        if not redacted:
            print_error("No version of a record contains the text.")
        is_complete = redacted and not any(record.remaining for record in redacted)
        return max(_scrub(database, dry_run=options.dry_run), DONE if is_complete else FAILED)


def _scrub(database: Database, *, dry_run: bool) -> int:
    """Remove the replaced text from the database files too, or print the steps that remain."""
    if dry_run:
        return DONE
    try:
        clean = database.scrub()
    except sqlite3.OperationalError:  # another process writes
        clean = False
    if not clean:
        print_error("Other processes use the database file, which may still contain the text. Try again later.")
        return FAILED
    if not database.is_sqlite:
        print("The files of PostgreSQL contain the text until VACUUM FULL, and its WAL until it is recycled.")
    print("Backups and copies in other places were not changed.")
    return DONE


def audit(options: argparse.Namespace, settings: Settings) -> int:
    """Print the findings of the audit. The exit code is 1 if there are any."""
    import app.catalogue  # noqa: F401 - declares every table
    from app.analysis.audit.routes import AuditQuery, audit_request, today
    from app.analysis.audit.walk import read_all_findings
    from app.core.model.validation import error_detail

    values = {name: value for name in ("rule", "severity", "as_of") if (value := getattr(options, name)) is not None}
    try:
        query = audit_request(AuditQuery.model_validate(values), today())
    except ValidationError as error:
        for item in error.errors(include_url=False, include_input=False):
            print_error(f"--{str(item['loc'][0]).replace('_', '-')}: {error_detail(item)}")
        return MISUSED
    from app.server.run import ensure_ready

    ensure_ready(settings)
    with Database(settings.database_url) as database:
        findings = asyncio.run(read_all_findings(database, query))
    if options.json:
        print(json.dumps([vars(finding) for finding in findings], ensure_ascii=False, indent=1))
    else:
        for finding in findings:
            records = " ".join(f"{record['resource']}/{record['id']}" for record in finding.records)
            print(printable(f"{finding.severity} {finding.rule} {records}: {finding.message['en']}"))
    return FAILED if findings else DONE
