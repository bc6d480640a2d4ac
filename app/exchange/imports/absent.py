"""Complete files: the records of a partner that such a file does not contain are listed, or become drafts."""

from collections.abc import Iterator
from functools import partial
from itertools import islice

from sqlmodel import Session

from app.core.database.engine import Database
from app.core.errors import ErrorItem
from app.core.model.resource import RESOURCES
from app.core.writing.references import Key, links_among
from app.exchange.imports.database_tables import Import
from app.exchange.imports.planning.plan import OpenSession, Plan, TooMuch
from app.exchange.imports.storage.absent_lines import absent_records, add_absent_lines, remove_absent_lines
from app.exchange.imports.storage.claims import import_transaction

MAX_ABSENT = 5_000  # records that a file does not contain


class AbsentRecords:
    """Adds a line for each record that the partner of the key manages and that a complete file does not contain."""

    def __init__(self, database: Database, row: Import) -> None:
        self._database = database
        self._import_id = row.id
        self._claim = row.claim
        self._is_complete = row.complete
        self._withdraws = row.missing == "withdraw"
        self._has_unreadable_lines = row.refused > 0

    def remove(self) -> None:
        """Delete the lines that an interrupted run has added and not written."""
        if self._is_complete:
            with import_transaction(self._database) as session:
                remove_absent_lines(session, self._import_id, self._claim)

    def add(self, plan: Plan, open_session: OpenSession) -> None:
        """Add the lines, and those that withdraw records to the plan. Raise TooMuch if there are too many.

        Nothing is withdrawn if the record of any line is unclear, because that record could be one of the absent ones.
        """
        if not self._is_complete:
            return
        with open_session() as session:
            records = list(islice(self._records(session, plan), MAX_ABSENT + 1))
        if len(records) > MAX_ABSENT:
            raise TooMuch(f"More than {MAX_ABSENT:,} records are not in the file. Check that it is complete.")
        is_unclear = plan.has_unclear_lines or self._has_unreadable_lines
        detail = "Nothing is withdrawn, because it is not clear which records some lines are about."
        warning = ErrorItem(code="ambiguous", detail=detail) if self._withdraws and is_unclear else None
        withdraws = self._withdraws and not is_unclear
        with import_transaction(self._database) as session:
            numbers = add_absent_lines(
                session, self._import_id, self._claim, records, withdraw=withdraws, warning=warning
            )
        if withdraws:
            with open_session() as session:
                plan.add_withdrawals(numbers, records, links_among(session, records))

    def _records(self, session: Session, plan: Plan) -> Iterator[Key]:
        for name in sorted(plan.resources):
            yield from absent_records(session, RESOURCES[name], plan.caller.partner or "", partial(plan.has_line, name))
