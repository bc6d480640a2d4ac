"""The `hoptac` command: serve, migrate, seed, check, audit. Each command imports only what it needs itself."""

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
    migrate = _command(
        commands, "migrate", _migrate, "Bring the database's schema and stored representations up to date."
    )
    migrate.add_argument("--down", action="store_true", help="remove the schema and EVERYTHING in it")
    seed = _command(commands, "seed", _seed, "Load the dataset; what others changed since is left alone and named.")
    seed.add_argument("--dataset", type=Path, help="another folder of dataset files")
    check = _command(commands, "check", _check, "Prove what can be proved of the dataset.")
    check.add_argument("--dataset", type=Path, help="another folder of dataset files")
    check.add_argument("--documents", type=Path, help="folder of the source texts: prove every figure against them")
    check.add_argument("--quiet", action="store_true", help="leave out the list of what is ignored on purpose")
    audit = _command(commands, "audit", _audit, "Say what a careful reader would flag; 1 if there is something.")
    audit.add_argument("--rule", action="append", metavar="NAME", help="only this rule (repeat for more)")
    audit.add_argument("--severity", metavar="LEAST", help="note (the default), warning or error, and what weighs more")
    audit.add_argument("--as-of", metavar="DAY", help="the day that counts as today, such as 2026-11-22")
    audit.add_argument("--json", action="store_true", help="print the findings as the API shows them")
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


def _list_keys(found: Sequence[dict[str, Any]]) -> None:
    for key in found:
        ends = f"revoked {key['revoked_at']}" if key["revoked_at"] else f"until {key['expires_at'] or 'revoked'}"
        used = f"used {key['last_used_at']}" if key["last_used_at"] else "never used"
        print(key["id"], ",".join(key["scopes"]), key["partner"] or "-", ends, used, key["name"], sep="  ")


def _check(options: argparse.Namespace, _: Settings) -> int:
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
