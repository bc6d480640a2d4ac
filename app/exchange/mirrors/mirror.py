"""A mirror: a database built and kept from the feed of another registry alone, which answers as that one does.

It has the same Changes with the same numbers in the same chain; of drafts' it has number, entry and chain value alone.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from app.core.database.engine import Database
from app.core.database.sql import chunks
from app.core.log import CHANGES, LATEST_CHANGE, MIRRORS, REDACTIONS, now
from app.core.model.resource import RESOURCES
from app.core.search.index import clear_index
from app.core.writing.batch import Batch
from app.core.writing.representation import StoredRecord
from app.exchange.mirrors.source import WAIT, NotMirrored, Source, SourceChange, SourcePage

MirroredKey = tuple[str, str]

SHORT = 2.0  # seconds to wait for those who use the file

NEWER = "A record of Change {} cannot be read: the source is of another version. Update this program."


class MirrorFollower:
    """The mirror of a source in a database; `tell` hears the last Change whenever the two are alike."""

    def __init__(self, database: Database, source: Source, report: Callable[[int], None] = lambda _: None) -> None:
        self.database, self.source, self.tell = database, source, report
        self._is_scrubbed = True

    def follow(self, *, once: bool = False) -> None:
        """Copy what the source tells, for ever or `once`, until it is like the source; NotMirrored when it cannot."""
        self._claim()
        while True:
            sequence, chain = self._head()
            page = self.source.read_after(sequence, chain, 0 if once else WAIT)
            try:
                self._is_scrubbed &= not self._copy(page, sequence)
            except IntegrityError as error:
                raise NotMirrored(f"The database refuses what the source tells: {error.orig}") from error
            self._scrub()
            if page.is_last and (page.items or once):
                self.tell(self._head()[0])
            if page.is_last and once:
                return

    def _claim(self) -> None:
        """Mark the database as a mirror; NotMirrored when it has Changes of its own."""
        name = str(self.source.client.base_url)
        with self.database.write() as session:
            if session.execute(select(MIRRORS)).first():
                session.execute(update(MIRRORS).values(source=name))
            elif session.execute(LATEST_CHANGE).first():
                raise NotMirrored("The database has records of its own: a mirror needs one that is empty.")
            else:
                session.execute(insert(MIRRORS), {"source": name, "since": now()})

    def _head(self) -> tuple[int, str]:
        with self.database.engine.connect() as connection:
            last = connection.execute(LATEST_CHANGE).first()
            return (last.sequence, last.chain) if last else (0, "")

    def _scrub(self) -> None:
        """Take what was taken down out of the file too; while others hold it up, after the next page."""
        if not self._is_scrubbed:
            with contextlib.suppress(sqlite3.OperationalError):
                self._is_scrubbed = self.database.scrub(SHORT)

    def _copy(self, page: SourcePage, sequence: int) -> bool:
        """Write the whole transactions that the page begins with; one that is longer, page after page, as one.

        Whether text was taken down.
        """
        if not page.items:
            return False
        with self.database.write() as session:
            copy = MirrorTransaction(session, self.source)
            if copy.sequence != sequence:  # another mirror was quicker
                return False
            while True:
                *whole, rest = page.transactions()
                for items in whole:
                    copy.add_changes(items)
                if page.is_last:
                    copy.add_changes(rest)
                    break
                if copy.at is not None and _instant(rest) not in (None, copy.at):
                    break
                copy.add_changes(rest)
                page = self.source.read_after(copy.sequence, copy.chain)
            copy.write_records()
        return copy.has_redacted


def _instant(items: Iterable[SourceChange]) -> str | None:
    return next((item.at for item in items if item.at is not None), None)


class MirrorTransaction:
    """What is copied in one transaction: Changes as they come, records when a transaction of the source is whole."""

    def __init__(self, session: Session, source: Source) -> None:
        self.session, self.source = session, source
        last = session.execute(LATEST_CHANGE).first()
        self.sequence: int = last.sequence if last else 0
        self.chain: str = last.chain if last else ""
        self._last_at: str = last.at if last else ""
        self.at: str | None = None  # of the transaction that is being copied
        self._records: dict[
            MirroredKey, int | None
        ] = {}  # the Change that says what a record is; None: it is not public
        self._redacted: dict[MirroredKey, dict[int, set[str]]] = {}  # by the Change that did it: what stands in its log
        self.has_redacted = False

    def add_changes(self, items: list[SourceChange]) -> None:
        """Verify Changes of one transaction, and write them; what was taken of another one before is settled."""
        at = _instant(items)
        if self.at is not None and at is not None and at != self.at:
            self.write_records()
        self.at = at or self.at
        rows = []
        for item in items:
            item.verify(self.sequence, self.chain)
            self.sequence, self.chain, self._last_at = item.sequence, item.proof.chain, item.at or self._last_at
            rows.append(item.row(self._last_at))
            self._note(item)
        if rows:
            self.session.execute(insert(CHANGES), rows)
        if logs := [item.log() for item in items if item.redacts]:
            self.session.execute(insert(REDACTIONS), logs)

    def _note(self, item: SourceChange) -> None:
        if item.is_sealed:
            return
        if item.resource not in RESOURCES:
            raise NotMirrored(NEWER.format(item.sequence))
        if item.redacts:
            self._redacted.setdefault(item.key, {})[item.sequence] = set(item.proof.digests or [])
        if item.action == "delete":
            self._records[item.key] = None
        elif item.proof.action != "delete" and item.body is not None:
            self._records[item.key] = item.sequence

    def write_records(self) -> None:
        """Bring the records to what the Changes taken say."""
        told, self._records, self.at = self._records, {}, None
        groups = list(chunks(told.items()))
        for group in groups if len(groups) > 1 else []:  # codes may pass from any record to any other
            self._write([each for each in group if each[1] is None])
            for name, resource in RESOURCES.items():
                Batch(self.session, "").free(resource, [key[1] for key, change in group if change and key[0] == name])
        for group in groups:
            self._write(group)
        for (resource_name, record_id), logs in self._redacted.items():
            self._redact(self.source.read_record(resource_name, record_id), logs)
        if self._redacted:
            clear_index(self.session.connection())
            self.has_redacted = True
        self._redacted.clear()

    def _write(self, group: list[tuple[MirroredKey, int | None]]) -> None:
        batch, present = Batch(self.session, ""), self._present(group)
        changes = [change for _, change in group if change]
        query = select(CHANGES.c.sequence, CHANGES.c.body).where(CHANGES.c.sequence.in_(changes))
        bodies: dict[int, Any] = dict(map(tuple, self.session.execute(query)))
        for key, change in group:
            resource, stored = RESOURCES[key[0]], present.get(key)
            if change is not None:
                try:
                    batch.copy(resource, bodies[change], change, stored)
                except (ValidationError, ValueError, KeyError) as error:
                    raise NotMirrored(NEWER.format(change)) from error
            elif stored is not None:
                batch.delete(resource, key[1], stored)
        batch.write_records()

    def _present(self, group: list[tuple[MirroredKey, int | None]]) -> dict[MirroredKey, StoredRecord]:
        found: dict[MirroredKey, StoredRecord] = {}
        for name in dict.fromkeys(name for (name, _), _ in group):
            ids = [record_id for (of, record_id), _ in group if of == name]
            found |= {(name, each): row for each, row in Batch(self.session, "").stored(RESOURCES[name], ids).items()}
        return found

    def _redact(self, items: Iterable[SourceChange], logs: Mapping[int, set[str]]) -> None:
        """Replace the copies of a record's Changes by what the source has of them now, as these logs say."""
        for item in items:
            logged = logs.get(item.proof.redacted or 0)
            if logged is not None and item.body is not None and item.replaced() not in logged:
                raise NotMirrored(f"The record of Change {item.sequence} is not what took the place of another.")
            said = {"body": item.body, "salt": item.proof.salt, "redacted": item.proof.redacted}
            same = (CHANGES.c.sequence == item.sequence, CHANGES.c.digest == item.proof.digest)
            self.session.execute(update(CHANGES).where(*same).values(said))
