"""The follower of a mirror, which copies the change feed of another registry into a database.

A mirror has the same Changes with the same numbers and chain values as its source, and gives the same responses. Of the
Changes of drafts it has only the number, the entry and the chain value.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from app.core.change_log import CHANGES, LATEST_CHANGE, MIRRORS, REDACTIONS, now
from app.core.database.engine import Database
from app.core.database.sql import chunks
from app.core.maintenance.reindex import refresh_index
from app.core.model.resource import RESOURCES
from app.core.progress import advance
from app.core.search.index import clear_index
from app.core.writing.batch import Batch
from app.core.writing.record_tables import free
from app.core.writing.representation import StoredRecord
from app.exchange.mirrors.source import WAIT, NotMirrored, Source, SourceChange, SourcePage
from app.exchange.mirrors.spool import Spool

MirroredKey = tuple[str, str]  # resource and id of a record

SCRUB_SECONDS = 2.0  # for which it waits for other users of the database file
OTHER_VERSION = "The record of Change {} cannot be read, because the source has another version. Update this program."


def _check_mirror(connection: Connection) -> bool:
    """Return whether a database is a mirror. Raise NotMirrored if it is not and has Changes."""
    is_mirror = connection.execute(select(MIRRORS)).first() is not None
    if not is_mirror and connection.execute(LATEST_CHANGE).first():
        raise NotMirrored("The database has records of its own. A mirror needs an empty database.")
    return is_mirror


class MirrorFollower:
    """A process that brings a database up to date with a source; it calls `report` with the last Change when it is."""

    def __init__(self, database: Database, source: Source, report: Callable[[int], None] = lambda _: None) -> None:
        self.database = database
        self.source = source
        self.report = report
        self._reported: int | None = None  # the last Change when the mirror was last up to date
        self._is_scrubbed = False  # whether the file contains nothing that a redaction removed

    def follow(self, *, once: bool = False) -> None:
        """Copy the Changes of the source, without end or, with `once`, until the mirror is up to date.

        Raise NotMirrored if that is impossible.
        """
        self._check_usable()
        self._is_scrubbed = not self.database.has_removed_text()
        is_claimed = False
        is_indexed = False
        while True:
            sequence, chain = self._head()
            page = self.source.read_after(sequence, chain, 0 if once or not is_indexed else WAIT)
            if not is_claimed:  # only after the source has responded, because the URL could be mistyped
                self._claim()
                is_claimed = True
            try:
                self._is_scrubbed &= not self._copy(page, sequence)
            except IntegrityError as error:
                raise NotMirrored(f"The database rejects the records of the source: {error.orig}") from error
            self._scrub()
            is_indexed = not refresh_index(self.database)  # a batch, so that the next page does not wait for all
            if page.is_last and is_indexed:
                self._report(self._head()[0])
                if once:
                    return

    def _report(self, sequence: int) -> None:
        if sequence != self._reported:
            self._reported = sequence
            self.report(sequence)

    def _check_usable(self) -> None:
        with self.database.snapshot() as connection:
            _check_mirror(connection)

    def _claim(self) -> None:
        """Mark the database as a mirror. Raise NotMirrored if it has Changes and is not a mirror."""
        name = str(self.source.client.base_url)
        with self.database.write() as session:
            if _check_mirror(session.connection()):
                session.execute(update(MIRRORS).values(source=name))
            else:
                session.execute(insert(MIRRORS), {"source": name, "since": now()})

    def _head(self) -> tuple[int, str]:
        with self.database.engine.connect() as connection:
            last = connection.execute(LATEST_CHANGE).first()
            return (last.sequence, last.chain) if last else (0, "")

    def _scrub(self) -> None:
        """Remove redacted text from the file as well. If others use the file, try again after the next page."""
        if not self._is_scrubbed:
            with contextlib.suppress(sqlite3.OperationalError):
                self._is_scrubbed = self.database.scrub(SCRUB_SECONDS)

    def _copy(self, page: SourcePage, sequence: int) -> bool:
        """Write the complete transactions of a page, and return whether one of them redacted a text.

        A transaction that is longer than a page is written with its next pages, so that readers see all of it at once.
        All of it is read before the database is locked: the source may be slow or unreachable.
        """
        if not page.items:
            return False
        with closing(Spool()) as transactions, closing(Spool()) as redacted:
            self._read(page, transactions, redacted)
            with self.database.write() as session:
                copy = MirrorTransaction(session)
                if copy.sequence != sequence:  # another follower has written meanwhile
                    return False
                for items in transactions:
                    copy.add_changes(items)
                copy.write_records()
                copy.replace_redacted(redacted)
                if copy.has_redacted:
                    self.database.note_removed_text(session.connection())
        return copy.has_redacted

    def _read(self, page: SourcePage, transactions: Spool, redacted: Spool) -> None:
        """Read the transactions that are complete, from a page on, and the present state of what they redacted."""
        at: str | None = None
        keys: dict[MirroredKey, None] = {}
        while True:
            *complete, rest = page.transactions()
            if complete:
                at = _instant(complete[-1]) or at
            is_complete = not page.is_last and at is not None and _instant(rest) not in (None, at)
            for items in complete if is_complete else [*complete, rest]:
                transactions.add(items)
                keys |= dict.fromkeys(item.key for item in items if item.redacts)
            if page.is_last or is_complete:
                break
            at = _instant(rest) or at
            page = self.source.read_after(page.items[-1].sequence, page.items[-1].proof.chain)
        for resource, record_id in keys:
            for changes in self.source.read_record(resource, record_id):
                redacted.add(changes)


def _instant(items: Iterable[SourceChange]) -> str | None:
    return next((item.at for item in items if item.at is not None), None)


class MirrorTransaction:
    """The Changes that one transaction of the mirror copies, and the records that follow from them.

    Changes are written as they arrive. Records are written at the end of each transaction of the source.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        last = session.execute(LATEST_CHANGE).first()
        self.sequence: int = last.sequence if last else 0
        self.chain: str = last.chain if last else ""
        self._last_at: str = last.at if last else ""
        self.at: str | None = None  # of the transaction that is being copied
        # The last Change of each record that was written, or None if the record is no longer public.
        self._records: dict[MirroredKey, int | None] = {}
        # The digests that each redaction logged, by record and by the number of its Change.
        self._redacted: dict[MirroredKey, dict[int, set[str]]] = {}
        self.has_redacted = False

    def add_changes(self, items: list[SourceChange]) -> None:
        """Verify and write Changes of one transaction; first write the records of the transaction before."""
        at = _instant(items)
        if self.at is not None and at is not None and at != self.at:
            self.write_records()
        self.at = at or self.at
        rows = []
        for item in items:
            item.verify(self.sequence, self.chain)
            self.sequence = item.sequence
            self.chain = item.proof.chain
            self._last_at = item.at or self._last_at
            rows.append(item.row(self._last_at))
            self._note(item)
        advance(len(rows))
        if rows:
            self.session.execute(insert(CHANGES), rows)
        logs = [item.log() for item in items if item.redacts]
        if logs:
            self.session.execute(insert(REDACTIONS), logs)

    def _note(self, item: SourceChange) -> None:
        """Note which record is to be written after this Change."""
        if item.is_sealed:
            return
        if item.resource not in RESOURCES:
            raise NotMirrored(OTHER_VERSION.format(item.sequence))
        item.ensure_representation()
        if item.redacts:
            self._redacted.setdefault(item.key, {})[item.sequence] = set(item.proof.digests or [])
        if item.action == "delete":
            self._records[item.key] = None
        elif item.proof.action != "delete" and item.body is not None:
            self._records[item.key] = item.sequence

    def write_records(self) -> None:
        """Write the records that follow from the Changes that were added."""
        groups = list(chunks(self._records.items()))
        self._records = {}
        self.at = None
        if len(groups) > 1:
            self._free_unique_values(groups)
        for group in groups:
            self._write(group)

    def replace_redacted(self, records: Iterable[Iterable[SourceChange]]) -> None:
        """Replace the representations of the records that were redacted by those that the source has now."""
        for items in records:
            for item in items:
                self._redact(item, self._redacted.get(item.key, {}))
        if self._redacted:
            clear_index(self.session.connection())
            self.has_redacted = True

    def _free_unique_values(self, groups: list[list[tuple[MirroredKey, int | None]]]) -> None:
        """Delete records and clear unique values first, because a record of one group may take those of another."""
        for group in groups:
            self._write([(key, change) for key, change in group if change is None])
            for name, resource in RESOURCES.items():
                ids = [key[1] for key, change in group if change and key[0] == name]
                free(self.session, resource, ids)

    def _write(self, group: list[tuple[MirroredKey, int | None]]) -> None:
        batch = Batch(self.session, "")
        present = self._present(group)
        changes = [change for _, change in group if change]
        query = select(CHANGES.c.sequence, CHANGES.c.body).where(CHANGES.c.sequence.in_(changes))
        bodies: dict[int, Any] = dict(map(tuple, self.session.execute(query)))
        for key, change in group:
            resource = RESOURCES[key[0]]
            stored = present.get(key)
            if change is not None:
                try:
                    batch.copy(resource, bodies[change], change, stored)
                except (ValidationError, ValueError, KeyError) as error:
                    raise NotMirrored(OTHER_VERSION.format(change)) from error
            elif stored is not None:
                batch.delete(resource, key[1], stored)
        batch.write_records()

    def _present(self, group: list[tuple[MirroredKey, int | None]]) -> dict[MirroredKey, StoredRecord]:
        ids: dict[str, list[str]] = {}
        for (name, record_id), _ in group:
            ids.setdefault(name, []).append(record_id)
        present: dict[MirroredKey, StoredRecord] = {}
        for name, ids_of_resource in ids.items():
            stored = Batch(self.session, "").stored(RESOURCES[name], ids_of_resource)
            present |= {(name, record_id): row for record_id, row in stored.items()}
        return present

    def _redact(self, item: SourceChange, logs: Mapping[int, set[str]]) -> None:
        """Replace the representation of a Change, if its digest is in `logs` where a redaction wrote it."""
        item.ensure_representation()
        digests = logs.get(item.proof.redacted or 0)
        if digests is not None and item.body is not None and item.redacted_digest() not in digests:
            raise NotMirrored(f"The record of Change {item.sequence} is not the one that its redaction wrote.")
        values = {"body": item.body, "salt": item.proof.salt, "redacted": item.proof.redacted}
        same_change = (CHANGES.c.sequence == item.sequence, CHANGES.c.digest == item.proof.digest)
        self.session.execute(update(CHANGES).where(*same_change).values(values))
