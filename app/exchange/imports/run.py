"""An import is run: planned, and then written in one transaction, or in one for each chunk of lines.

A dry run is the import itself, rolled back. A run that breaks off has written nothing, or the chunks that the database
has with their verdicts: the next run goes on behind them.
"""

import contextlib
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from app.core.writing.editor import PATIENCE
from app.exchange.imports import store as ledger
from app.exchange.imports.identify import Plan, PlanKey
from app.exchange.imports.store import ClaimLost, errors_json
from app.exchange.imports.write_lines import ImportLine, LineWriter, dangling_referrers

CHUNK = 250  # lines that hold the lock of the writers at once

# Between transactions, for those who wait for the lock: on SQLite they look every tenth of a second.
PAUSE, SHORT_PAUSE = 0.12, 0.005


class Interrupted(Exception):
    """The process is to end: another one goes on."""


class Pace:
    """Whether a run goes on, and how it leaves room for others; `ending` and `crowded` are asked again and again."""

    def __init__(self, ending: Callable[[], bool] = lambda: False, crowded: Callable[[], bool] = lambda: False) -> None:
        self._ending, self._crowded = ending, crowded

    def check(self) -> None:
        """Interrupted when the process is to end."""
        if self._ending():
            raise Interrupted

    def pause(self) -> None:
        """Between two transactions: let others write."""
        self.check()
        time.sleep(PAUSE if self._crowded() else SHORT_PAUSE)


class _RolledBack(Exception):
    """Nothing is to stay."""


def run(database: Database, import_id: str, claim: str, pace: Pace) -> bool:
    """Run an import if it is there to be run, to its end; whether it was. Interrupted when the pace says so."""
    with ledger.import_transaction(database) as session:
        row = ledger.claim_import(session, import_id, claim)
    if row is None:
        return False
    try:
        reason = _try(database, row, claim, pace)
    except Interrupted:
        with ledger.import_transaction(database) as session:
            ledger.release_claim(session, import_id, claim)
        raise
    if reason is not None:
        with ledger.import_transaction(database) as session:
            ledger.finish_import(session, import_id, claim, "failed", reason)
    return True


def _try(database: Database, row: Mapping[str, Any], claim: str, pace: Pace) -> str | None:
    """Run it; why it must be given up, if so. What may pass, such as a database that is away, is raised."""
    try:
        _Run(database, row, claim, pace).run()
    except ClaimLost:
        return None
    except Unauthorized:
        return "The key was revoked or has expired."
    except ReadOnly as error:  # a mirror since it was received
        return error.detail
    except IntegrityError as error:
        structlog.get_logger("hoptac.error").error("refused by the database", constraint=str(error.orig))
        return "The database refused it."
    except (Interrupted, Problem, SQLAlchemyError, sqlite3.Error):
        raise
    except Exception:
        structlog.get_logger("hoptac.error").exception("import")
        return "It failed here, and was logged."
    return None


class _Run:
    def __init__(self, database: Database, row: Mapping[str, Any], claim: str, pace: Pace) -> None:
        self.database, self.id, self.claim, self.pace = database, row["id"], claim, pace
        self.dry, self.each, self.table = row["dry_run"], row["mode"] == "rows", row["resource"] is not None
        scope = "records:write:own" if row["partner"] else "records:write"
        self.caller = Caller(row["key"] or "", frozenset([scope]), row["partner"])
        self.refused: set[PlanKey] = set()
        self.withdrawn: list[tuple[int, str, str]] = []  # to be judged when all is written: others may be with them
        self.known_wrong = row["refused"]

    def run(self) -> None:
        with ledger.import_transaction(self.database) as session:
            self.caller = self._renew(session)
        self.plan = Plan(self.caller, self.id)
        self.plan.make(self._reading)
        if self.each and not self.dry:
            self._in_chunks()
        else:
            self._at_once()

    def _renew(self, session: Session) -> Caller:
        """Whoever sent it, as the database knows them now."""
        return current_caller(session, self.caller) if self.caller.key else self.caller

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Session]:
        """A short transaction for looking, in which the claim is held on."""
        self.pace.pause()
        with ledger.import_transaction(self.database) as session:
            ledger.renew_claim(session, self.id, self.claim)
            yield session

    def _chunks(self) -> Iterator[list[list[int]]]:
        """Groups of lines, as many as are written at once; a group is never parted."""
        chunk: list[list[int]] = []
        for group in self.plan.groups:
            if chunk and sum(map(len, chunk)) + len(group) > CHUNK:
                yield chunk
                chunk = []
            chunk.append(group)
        if chunk:
            yield chunk

    def _in_chunks(self) -> None:
        for chunk in self._chunks():
            self.pace.pause()
            with without_garbage_collection(), self.database.write(patience=PATIENCE) as session:
                ledger.renew_claim(session, self.id, self.claim)
                self.caller = self._renew(session)
                ledger.record_verdicts(
                    session, self.id, self.claim, [line.row() for line in self._write(session, chunk)]
                )
        with ledger.import_transaction(self.database) as session:
            ledger.finish_import(session, self.id, self.claim, "done")

    def _at_once(self) -> None:
        """All in one transaction, with the verdicts; where nothing is to stay, those are noted after it."""
        with tempfile.TemporaryFile() as verdicts:
            try:
                with without_garbage_collection(), self.database.write(patience=PATIENCE) as session:
                    ledger.renew_claim(session, self.id, self.claim)
                    self.caller = self._renew(session)
                    wrong = self.known_wrong + self._note(verdicts, self._each_line(session))
                    late = self._left_behind(session)
                    wrong += len(late)
                    status = "refused" if wrong and not self.each else "done"
                    if self.dry or status == "refused":
                        raise _RolledBack
                    self._record(session, verdicts, status, late)
            except _RolledBack:
                with ledger.import_transaction(self.database) as session:
                    self._record(session, verdicts, status, late)

    def _each_line(self, session: Session) -> Iterator[ImportLine]:
        for chunk in self._chunks():
            self.pace.check()
            yield from self._write(session, chunk)

    def _note(self, verdicts: IO[bytes], lines: Iterable[ImportLine]) -> int:
        """Keep verdicts beside the database; returns how many lines are refused."""
        wrong = 0
        for line in lines:
            verdicts.write(to_json(line.row()) + b"\n")
            wrong += line.verdict == "refused"
        return wrong

    def _left_behind(self, session: Session) -> dict[int, list[ErrorItem]]:
        """By their lines, why records cannot be withdrawn, now that everything else is written."""
        found = {
            number: dangling_referrers(session, self.caller, RESOURCES[name], record_id)
            for number, name, record_id in self.withdrawn
        }
        return {number: errors for number, errors in found.items() if errors}

    def _record(
        self, session: Session, verdicts: IO[bytes], status: str, late: Mapping[int, Sequence[ErrorItem]]
    ) -> None:
        verdicts.seek(0)
        ledger.record_verdicts(session, self.id, self.claim, (_deferred(json.loads(row), late) for row in verdicts))
        ledger.finish_import(session, self.id, self.claim, status)

    def _write(self, session: Session, chunk: list[list[int]]) -> list[ImportLine]:
        """Write groups of lines; returns the lines with their verdicts."""
        said = ledger.lines_by_number(session, self.id, [number for group in chunk for number in group])
        groups = [[self._line(session, number, *said[number]) for number in group] for group in chunk]
        for line in (line for group in groups if len(group) > 1 for line in group):
            line.is_independent = False
        LineWriter(session, self.caller, each=self.each, refused=self.refused).write(groups)
        lines = [line for group in groups for line in group]
        if not self.each:
            self.withdrawn += [(line.number, line.resource.name, line.record_id) for line in lines if line.unpublishes]
        return lines

    def _line(self, session: Session, number: int, name: str, given: dict[str, Any]) -> ImportLine:
        resource = RESOURCES[name]
        wrong = self.plan.refused.get(number)
        known = [wrong] if wrong else self.plan.resolve(session, resource, given)
        record_id, matched_by = self.plan.found.get(number, (given.get("id", ""), None))
        return ImportLine(number, resource, record_id, given, matched_by, self.table, known)


def _deferred(row: dict[str, Any], late: Mapping[int, Sequence[ErrorItem]]) -> dict[str, Any]:
    """The verdict on a line, unless it was refused after it."""
    errors = late.get(row["number"])
    return {**row, "verdict": "refused", "errors": errors_json(errors), "diff": None} if errors else row
