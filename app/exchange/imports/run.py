"""Running an import: it is planned, then written in one transaction (mode `all`) or in chunks of lines (mode `rows`).

A dry run does the same and is rolled back. If a run in chunks is interrupted, the chunks so far are in the database
with their verdicts, and the next run continues after them.
"""

import contextlib
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import IO, Any

import structlog
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.access.keys import current_caller
from app.core.database.engine import Database
from app.core.errors import ErrorItem, Problem, ReadOnly, Unauthorized
from app.core.garbage_collection import without_garbage_collection
from app.core.model.resource import RESOURCES
from app.core.values.json import to_json
from app.core.writing.writer_thread import PATIENCE
from app.exchange.imports import store
from app.exchange.imports.database_tables import Import
from app.exchange.imports.line import ImportLine, RecordKey
from app.exchange.imports.plan import Plan
from app.exchange.imports.store import ClaimLost, errors_json
from app.exchange.imports.write_lines import LineWriter, referrer_errors

CHUNK = 250  # lines that are written before other writers get their turn

# Seconds between two transactions. Writers that wait for the lock of SQLite try again every tenth of a second.
PAUSE = 0.12
SHORT_PAUSE = 0.005


class Interrupted(Exception):
    """The process is about to end. Another one continues the import."""


class Pace:
    """Decides before each transaction of a run whether to continue, and how long other writers get before it."""

    def __init__(self, is_ending: Callable[[], bool] = lambda: False, is_busy: Callable[[], bool] = lambda: False):
        self._is_ending = is_ending
        self._is_busy = is_busy

    def check(self) -> None:
        """Raise Interrupted if the process is about to end."""
        if self._is_ending():
            raise Interrupted

    def pause(self) -> None:
        """Let others write between two transactions. Raise Interrupted as `check` does."""
        self.check()
        time.sleep(PAUSE if self._is_busy() else SHORT_PAUSE)


class _RollBack(Exception):
    """The import must not change any record."""


def run(database: Database, import_id: str, claim: str, pace: Pace) -> bool:
    """Run an import to its end. Return False if it has ended or another process has claimed it.

    Raise Interrupted when the process is about to end, and an error when the database does not respond. In both cases
    the import can be run again.
    """
    with store.import_transaction(database) as session:
        row = store.claim_import(session, import_id, claim)
        import_run = None if row is None else _Run(database, row, pace)
    if import_run is None:
        return False
    try:
        failure = _failure(import_run)
    except Interrupted:
        with store.import_transaction(database) as session:
            store.release_claim(session, import_id, claim)
        raise
    if failure is not None:
        with store.import_transaction(database) as session:
            store.finish_import(session, import_id, claim, "failed", failure)
    return True


def _failure(import_run: "_Run") -> str | None:
    """Run an import and return the reason if it failed for good."""
    try:
        import_run.run()
    except ClaimLost:
        return None
    except Unauthorized:
        return "The key was revoked or has expired."
    except ReadOnly as error:  # the database became a mirror after the file was received
        return error.detail
    except IntegrityError as error:
        structlog.get_logger("hoptac.error").error("refused by the database", constraint=str(error.orig))
        return "The database refused the records."
    except (Interrupted, Problem, SQLAlchemyError, sqlite3.Error):
        raise
    except Exception:
        structlog.get_logger("hoptac.error").exception("import")
        return "An internal error occurred. It was logged."
    return None


class _Run:
    """One run of a claimed import."""

    def __init__(self, database: Database, row: Import, pace: Pace) -> None:
        self.database = database
        self.pace = pace
        self.id = row.id
        self.claim = row.claim
        self.dry_run = row.dry_run
        self.by_line = row.mode == "rows"
        self.is_table = row.resource is not None
        scope = "records:write:own" if row.partner else "records:write"
        self.caller = Caller(row.key or "", frozenset([scope]), row.partner)
        self.unreadable_lines = row.refused
        self.refused: set[RecordKey] = set()
        self.unpublished: list[tuple[int, str, str]] = []  # number of the line, resource and id of the record

    def run(self) -> None:
        """Run it. Raise ClaimLost, Interrupted, and errors of the database, of the key and of the program."""
        with store.import_transaction(self.database) as session:
            self._update_caller(session)
        self.plan = Plan(self.caller, self.id)
        self.plan.make(self._reading)
        if self.by_line and not self.dry_run:
            self._write_in_chunks()
        else:
            self._write_at_once()

    def _update_caller(self, session: Session) -> None:
        """Read the scopes of the key that sent the file. Raise Unauthorized if it is no longer valid."""
        if self.caller.key:
            self.caller = current_caller(session, self.caller)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Session]:
        """Open a short transaction for planning, which also renews the claim."""
        self.pace.pause()
        with store.import_transaction(self.database) as session:
            store.renew_claim(session, self.id, self.claim)
            yield session

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Session]:
        """Open a transaction that writes records, which also renews the claim."""
        with without_garbage_collection(), self.database.write(patience=PATIENCE) as session:
            store.renew_claim(session, self.id, self.claim)
            self._update_caller(session)
            yield session

    def _chunks(self) -> Iterator[list[list[int]]]:
        """Yield the groups of lines that are written together: about CHUNK lines, and no part of a group."""
        chunk: list[list[int]] = []
        for group in self.plan.groups:
            if chunk and sum(map(len, chunk)) + len(group) > CHUNK:
                yield chunk
                chunk = []
            chunk.append(group)
        if chunk:
            yield chunk

    def _write_in_chunks(self) -> None:
        for chunk in self._chunks():
            self.pace.pause()
            with self._writing() as session:
                results = [line.result() for line in self._write(session, chunk)]
                store.record_verdicts(session, self.id, self.claim, results)
        with store.import_transaction(self.database) as session:
            store.finish_import(session, self.id, self.claim, "done")

    def _write_at_once(self) -> None:
        """Write all lines in one transaction. If it must be rolled back, store the verdicts in another one."""
        with tempfile.TemporaryFile() as results:
            try:
                with self._writing() as session:
                    refused = self.unreadable_lines + self._write_all(session, results)
                    late_errors = self._referrer_errors(session)
                    refused += len(late_errors)
                    status = "refused" if refused and not self.by_line else "done"
                    if self.dry_run or status == "refused":
                        raise _RollBack
                    self._record(session, results, status, late_errors)
            except _RollBack:
                with store.import_transaction(self.database) as session:
                    self._record(session, results, status, late_errors)

    def _write_all(self, session: Session, results: IO[bytes]) -> int:
        """Write all lines, and their verdicts to a file. Return the number of refused lines."""
        refused = 0
        for chunk in self._chunks():
            self.pace.check()
            for line in self._write(session, chunk):
                results.write(to_json(line.result()) + b"\n")
                refused += line.is_refused
        return refused

    def _referrer_errors(self, session: Session) -> dict[int, list[ErrorItem]]:
        """Return the errors of lines, by number, whose records cannot become drafts because others link to them.

        In the mode `all` this is checked after all lines, since later lines may turn the linking records into drafts.
        """
        errors = {
            number: referrer_errors(session, self.caller, RESOURCES[resource], record_id)
            for number, resource, record_id in self.unpublished
        }
        return {number: items for number, items in errors.items() if items}

    def _record(
        self, session: Session, results: IO[bytes], status: str, late_errors: Mapping[int, Sequence[ErrorItem]]
    ) -> None:
        results.seek(0)
        verdicts = (_with_late_errors(json.loads(result), late_errors) for result in results)
        store.record_verdicts(session, self.id, self.claim, verdicts)
        store.finish_import(session, self.id, self.claim, status)

    def _write(self, session: Session, chunk: list[list[int]]) -> list[ImportLine]:
        """Write groups of lines, and return the lines with their verdicts."""
        contents = store.lines_by_number(session, self.id, list(chain.from_iterable(chunk)))
        groups = []
        for group in chunk:
            lines = [self._line(session, number, *contents[number]) for number in group]
            for line in lines:
                line.is_independent = len(lines) == 1
            groups.append(lines)
        LineWriter(session, self.caller, by_line=self.by_line, refused=self.refused).write(groups)
        written = list(chain.from_iterable(groups))
        if not self.by_line:
            self.unpublished += [(line.number, *line.key) for line in written if line.unpublishes]
        return written

    def _line(self, session: Session, number: int, name: str, content: dict[str, Any]) -> ImportLine:
        resource = RESOURCES[name]
        refusal = self.plan.refused.get(number)
        errors = [refusal] if refusal else self.plan.resolve_names(session, resource, content)
        record_id, matched_by = self.plan.matches.get(number, (content.get("id", ""), None))
        return ImportLine(number, resource, record_id, content, matched_by, self.is_table, errors)


def _with_late_errors(result: dict[str, Any], late_errors: Mapping[int, Sequence[ErrorItem]]) -> dict[str, Any]:
    """Return the result of a line, as refused if it has an error that was found after all lines were written."""
    errors = late_errors.get(result["number"])
    return {**result, "verdict": "refused", "errors": errors_json(errors), "diff": None} if errors else result
