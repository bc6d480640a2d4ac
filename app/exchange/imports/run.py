"""Running an import in steps, between which other writers and other imports get their turn.

It is planned, then written: with the mode `rows` in chunks of lines, with the mode `all` in one transaction, for which
everybody else waits and which is bounded for that reason. If a run in chunks is interrupted, the chunks so far are in
the database with their verdicts, and the next run continues after them.

A dry run does the same and rolls each transaction back. With the mode `rows`, a chunk therefore does not see the
records of earlier chunks. The lines to which it links are written again before it.
"""

import contextlib
import json
import sqlite3
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import chain
from typing import IO, Any

import structlog
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.access.keys import current_caller
from app.core.database.engine import Database
from app.core.errors import ErrorItem, Problem, ReadOnly, TooMany, Unauthorized
from app.core.garbage_collection import without_garbage_collection
from app.core.model.resource import RESOURCES
from app.core.values.json import to_json
from app.core.writing.writer_thread import PATIENCE
from app.exchange.imports.absent import AbsentRecords
from app.exchange.imports.chunk_reader import ChunkReader, ChunkTooSlow, Groups
from app.exchange.imports.database_tables import Import
from app.exchange.imports.pace import Interrupted, Pace
from app.exchange.imports.planning.plan import Plan, TooMuch
from app.exchange.imports.storage.claims import (
    ClaimLost,
    check_claim,
    claim_import,
    claim_renewal,
    finish_import,
    import_transaction,
    release_claim,
    renew_claim,
)
from app.exchange.imports.storage.line_chunks import drop_records
from app.exchange.imports.storage.store import errors_json, record_verdicts
from app.exchange.imports.write_lines import LineWriter, referrer_errors

# CPU time of this process for which a transaction with all lines may last: 5,000 lines of 300 bytes take 2 seconds.
# And the time in all, which includes that of PostgreSQL and of other programs.
MAX_SECONDS_AT_ONCE = 5.0
MAX_WAIT_AT_ONCE = 15.0
TOO_MUCH_AT_ONCE = "The lines are too much work for one transaction. Use mode=rows."


class _RollBack(Exception):
    """The import must not change any record."""


def begin_run(database: Database, import_id: str, claim: str, pace: Pace) -> "ImportRun | None":
    """Claim an import and return its run. Return None if it has ended or another process has claimed it."""
    with import_transaction(database) as session:
        row = claim_import(session, import_id, claim)
        return None if row is None else ImportRun(database, row, pace)


def run(database: Database, import_id: str, claim: str, pace: Pace) -> bool:
    """Run an import to its end. Return False if it has ended or another process has claimed it.

    Raise Interrupted when the process is about to end, and an error when the database does not respond. In both cases
    the import can be run again.
    """
    import_run = begin_run(database, import_id, claim, pace)
    if import_run is None:
        return False
    try:
        while import_run.step():
            pass
    except Interrupted:
        import_run.release()
        raise
    return True


class ImportRun:
    """One run of a claimed import. Its claim is renewed until the run ends."""

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
        self._absent = AbsentRecords(database, row)
        self.refused: set[bytes] = set()  # digests of the records of refused lines
        self._began_at_once = (0.0, 0.0)  # the start of the transaction with all lines, in time and in CPU time
        self.unpublished: list[tuple[int, str, str]] = []  # number of the line, resource and id of the record
        self._steps = self._renewed_steps()

    def step(self) -> bool:
        """Run the next transaction. Return whether there are more.

        Raise Interrupted when the process is about to end, and an error when the database does not respond.
        """
        return next(self._steps, self) is None

    def release(self) -> None:
        """End the run before its end, so that another process can continue it at once."""
        self._steps.close()
        with import_transaction(self.database) as session:
            release_claim(session, self.id, self.claim)

    def _renewed_steps(self) -> Generator[None, None, None]:
        with claim_renewal(self.database, self.id, self.claim):
            failure = yield from self._steps_to_end()
            if failure is not None:
                with contextlib.suppress(ClaimLost), import_transaction(self.database) as session:
                    finish_import(session, self.id, self.claim, "failed", failure)

    def _steps_to_end(self) -> Generator[None, None, str | None]:
        """Run the import. Return the reason if it failed for good."""
        try:
            yield from self._run()
        except ClaimLost:
            return None
        except Unauthorized:
            return "The key was revoked or has expired."
        # The database became a mirror after the file was received, or the key has used up its quota of the day.
        except (ReadOnly, TooMany) as error:
            return error.detail
        except TooMuch as error:
            return str(error)
        except IntegrityError as error:
            structlog.get_logger("hoptac.error").error("refused by the database", constraint=str(error.orig))
            return "The database refused the records."
        except (Interrupted, Problem, SQLAlchemyError, sqlite3.Error):
            raise
        except Exception:
            structlog.get_logger("hoptac.error").exception("import")
            return "An internal error occurred. It was logged."
        return None

    def _run(self) -> Iterator[None]:
        with import_transaction(self.database) as session:
            self._update_caller(session)
        self._absent.remove()
        self.plan = Plan(self.caller, self.id, by_line=self.by_line, is_table=self.is_table)
        self._lines = ChunkReader(self.id, self.plan, with_ids=self.dry_run)
        yield from self.plan.make(self._reading, lambda: self._absent.add(self.plan, self._reading))
        if not self.by_line:
            self._write_at_once()
        elif self.dry_run:
            yield from self._judge_in_chunks()
        else:
            yield from self._write_in_chunks()

    def _update_caller(self, session: Session) -> None:
        """Read the scopes of the key that sent the file. Raise Unauthorized if it is no longer valid."""
        if self.caller.key:
            self.caller = current_caller(session, self.caller)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Session]:
        """Open a short transaction that only reads, for which no writer waits."""
        self.pace.pause()
        with self.database.snapshot() as connection, Session(connection) as session:
            check_claim(session, self.id, self.claim)
            self._update_caller(session)
            yield session

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Session]:
        """Open a transaction that writes records, which also renews the claim."""
        began = time.monotonic()
        try:
            with without_garbage_collection(), self.database.write(patience=PATIENCE) as session:
                began = time.monotonic()
                renew_claim(session, self.id, self.claim)
                self._update_caller(session)
                yield session
        finally:
            self._lines.adapt(time.monotonic() - began)
            self.pace.note_lock(time.monotonic() - began)

    @contextlib.contextmanager
    def _retried(self) -> Iterator[None]:
        """Let the next chunk begin with the same lines if this one takes too long."""
        try:
            yield
        except ChunkTooSlow:
            self._lines.retry()

    def _write_in_chunks(self) -> Iterator[None]:
        while self._lines.has_more:
            self.pace.pause()
            with self._retried(), self._writing() as session:
                results = self._write(session, self._lines.next_groups(session))
                record_verdicts(session, self.id, self.claim, results)
            yield
        with import_transaction(self.database) as session:
            finish_import(session, self.id, self.claim, "done")

    def _judge_in_chunks(self) -> Iterator[None]:
        """Write each chunk, roll it back, and store its verdicts. The records of the lines stay until the end."""
        while self._lines.has_more:
            self.pace.pause()
            results: list[dict[str, Any]] = []
            with self._retried():
                results = self._judge()
            with import_transaction(self.database) as session:
                record_verdicts(session, self.id, self.claim, results, keeps_records=True)
            yield
        after: int | None = -1
        while after is not None:
            self.pace.pause()
            with import_transaction(self.database) as session:
                renew_claim(session, self.id, self.claim)
                after = drop_records(session, self.id, after)
            yield
        with import_transaction(self.database) as session:
            finish_import(session, self.id, self.claim, "done")

    def _judge(self) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = []
        with contextlib.suppress(_RollBack), self._writing() as session:
            groups = self._lines.next_groups(session)
            context = self._lines.context(session, groups)
            if context:
                self._lines.stop_clock()
                self._writer(session).put_context(context)
                self._lines.start_clock()
            results = self._write(session, groups)
            raise _RollBack
        return results

    def _write_at_once(self) -> None:
        """Write all lines in one transaction. If it must be rolled back, store the verdicts in another one."""
        self.pace.pause()
        with tempfile.TemporaryFile() as results:
            try:
                with self._writing() as session:
                    refused = self.unreadable_lines + self._write_all(session, results)
                    late_errors = self._referrer_errors(session)
                    refused += len(late_errors)
                    status = "refused" if refused else "done"
                    if self.dry_run or status == "refused":
                        raise _RollBack
                    self._record(session, results, status, late_errors)
            except _RollBack:
                with import_transaction(self.database) as session:
                    self._record(session, results, status, late_errors)

    def _write_all(self, session: Session, results: IO[bytes]) -> int:
        """Write all lines, and their verdicts to a file. Return the number of refused lines."""
        refused = 0
        self._began_at_once = (time.monotonic(), time.thread_time())
        while self._lines.has_more:
            self.pace.check()
            groups = self._lines.next_groups(session)
            for result in self._write(session, groups):
                results.write(to_json(result) + b"\n")
                refused += result["verdict"] == "refused"
            lines = list(chain.from_iterable(groups))
            self.unpublished += [(line.number, *line.key) for line in lines if line.unpublishes]
        return refused

    def _check_time_at_once(self) -> None:
        """Raise TooMuch if the transaction with all lines takes too long."""
        seconds = time.monotonic() - self._began_at_once[0]
        # No more CPU time than time has passed. To read the former takes 0.1 ms on some systems.
        is_too_slow = seconds > MAX_WAIT_AT_ONCE or (
            seconds > MAX_SECONDS_AT_ONCE and time.thread_time() - self._began_at_once[1] > MAX_SECONDS_AT_ONCE
        )
        if is_too_slow:
            raise TooMuch(TOO_MUCH_AT_ONCE)

    def _referrer_errors(self, session: Session) -> dict[int, list[ErrorItem]]:
        """Return the errors of lines, by number, whose records cannot become drafts because others link to them.

        In the mode `all` this is checked after all lines, since later lines may turn the linking records into drafts.
        """
        errors = {}
        for number, resource, record_id in self.unpublished:
            self._check_time_at_once()
            errors[number] = referrer_errors(session, self.caller, RESOURCES[resource], record_id)
        return {number: items for number, items in errors.items() if items}

    def _record(
        self, session: Session, results: IO[bytes], status: str, late_errors: Mapping[int, Sequence[ErrorItem]]
    ) -> None:
        results.seek(0)
        verdicts = (_with_late_errors(json.loads(result), late_errors) for result in results)
        record_verdicts(session, self.id, self.claim, verdicts)
        finish_import(session, self.id, self.claim, status)

    def _writer(self, session: Session) -> LineWriter:
        return LineWriter(
            session,
            self.caller,
            by_line=self.by_line,
            refused=self.refused,
            dry_run=self.dry_run,
            check_time=self._lines.check_time if self.by_line else self._check_time_at_once,
        )

    def _write(self, session: Session, groups: Groups) -> list[dict[str, Any]]:
        """Write groups of lines, and return the results of the lines."""
        for group in groups:
            for line in group:
                line.is_independent = len(group) == 1
        self._writer(session).write(groups)
        return [line.result(with_outcome=self.dry_run) for line in chain.from_iterable(groups)]


def _with_late_errors(result: dict[str, Any], late_errors: Mapping[int, Sequence[ErrorItem]]) -> dict[str, Any]:
    """Return the result of a line, as refused if it has an error that was found after all lines were written."""
    errors = late_errors.get(result["number"])
    return (
        {**result, "verdict": "refused", "errors": errors_json(errors), "diff": None, "outcome": None}
        if errors
        else result
    )
