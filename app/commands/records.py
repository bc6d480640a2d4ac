"""`hoptac redact` and `hoptac audit`."""

import argparse
import asyncio
import json
import sqlite3
import sys

from pydantic import ValidationError

from app.commands.output import DONE, FAILED, MISUSED, print_error
from app.core.database.engine import Database
from app.core.settings import Settings
from app.core.values.text import printable


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
    from app.analysis.audit.routes import AuditQuery, audit_request
    from app.analysis.audit.walk import read_all_findings
    from app.core.model.validation import error_detail
    from app.core.values.dates import today_in_utc

    values = {name: value for name in ("rule", "severity", "as_of") if (value := getattr(options, name)) is not None}
    try:
        query = audit_request(AuditQuery.model_validate(values), today_in_utc())
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
