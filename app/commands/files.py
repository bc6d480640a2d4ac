"""`hoptac export` and `hoptac import`: records as files, and archives."""

import argparse
from pathlib import Path

from app.commands.output import DONE, print_error, report
from app.commands.schema import migrate_up
from app.core.database.engine import Database
from app.core.progress import reported
from app.core.settings import Settings
from app.core.values.text import counted

# Options of an import of lines
OTHER_OPTIONS = ("resource", "row_by_row", "partner", "complete", "mapping", "sheet", "header_row", "decimal", "dates")


def export(options: argparse.Namespace, settings: Settings) -> int:
    """Write all public records to a new file: an archive (.zip), JSON Lines for `hoptac import`, or IATI."""
    if options.format or not _is_archive(options.file):
        return _export_lines(options, settings)
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


def _export_lines(options: argparse.Namespace, settings: Settings) -> int:
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


def import_(options: argparse.Namespace, settings: Settings) -> int:
    """Import a file of records, or an archive into an empty database. The exit code is 1 if something is refused."""
    if not _is_archive(options.file):
        return _import_lines(options, settings)
    from app.exchange.archives.importing import import_archive
    from app.exchange.archives.reading import NotImported

    if any(getattr(options, name) for name in OTHER_OPTIONS):
        raise ValueError("An archive is imported as a whole. Only the option --dry-run can be used with it.")
    migrate_up(settings)
    try:
        with Database(settings.database_url) as database, reported("Changes read and written", print_error):
            manifest = import_archive(database, options.file, dry_run=options.dry_run)
    except (NotImported, OSError) as error:
        return report([f"Nothing was written. {error}"])
    done = "The archive is intact." if options.dry_run else "The registry is equal to that of the archive."
    print(f"{done} The head of its log is {manifest.sequence}:{manifest.chain}.")
    return DONE


def _import_lines(options: argparse.Namespace, settings: Settings) -> int:
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


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".zip"
