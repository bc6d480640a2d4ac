"""A mirror: a database built and kept from the feed of another registry alone, which answers as that one does.

It has the same Changes with the same numbers in the same chain; of drafts' it has number, entry and chain value alone.
"""

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from app.changes.source import WAIT, Item, NotMirrored, Source, Told
from app.core.changes import CHANGES, LAST, MIRRORS, now
from app.core.database import Database
from app.core.resource import RESOURCES
from app.core.sql import chunks
from app.core.writing import Batch, Stored

Key = tuple[str, str]
NEWER = "A record of Change {} cannot be read: the source is of another version. Update this program."


class Mirror:
    """The mirror of a source in a database; `tell` hears the last Change whenever the two are alike."""

    def __init__(self, database: Database, source: Source, tell: Callable[[int], None] = lambda _: None) -> None:
        self.database, self.source, self.tell = database, source, tell

    def follow(self, *, once: bool = False) -> None:
        """Copy what the source tells, for ever or `once`, until it is like the source; NotMirrored when it cannot."""
        self._claim()
        while True:
            sequence, chain = self._head()
            page = self.source.after(sequence, chain, 0 if once else WAIT)
            try:
                self._copy(page, sequence)
            except IntegrityError as error:
                raise NotMirrored(f"The database refuses what the source tells: {error.orig}") from error
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
            elif session.execute(LAST).first():
                raise NotMirrored("The database has records of its own: a mirror needs one that is empty.")
            else:
                session.execute(insert(MIRRORS), {"source": name, "since": now()})

    def _head(self) -> tuple[int, str]:
        with self.database.engine.connect() as connection:
            last = connection.execute(LAST).first()
            return (last.sequence, last.chain) if last else (0, "")

    def _copy(self, page: Told, sequence: int) -> None:
        """Write the whole transactions that the page begins with; one that is longer, page after page, as one."""
        if not page.items:
            return
        with self.database.write() as session:
            copy = Copy(session, self.source)
            if copy.sequence != sequence:  # another mirror was quicker
                return
            while True:
                *whole, rest = page.transactions()
                for items in whole:
                    copy.take(items)
                if page.is_last:
                    copy.take(rest)
                    break
                if copy.at is not None and _instant(rest) not in (None, copy.at):
                    break
                copy.take(rest)
                page = self.source.after(copy.sequence, copy.chain)
            copy.settle()


def _instant(items: Iterable[Item]) -> str | None:
    return next((item.at for item in items if item.at is not None), None)


class Copy:
    """What is copied in one transaction: Changes as they come, records when a transaction of the source is whole."""

    def __init__(self, session: Session, source: Source) -> None:
        self.session, self.source = session, source
        last = session.execute(LAST).first()
        self.sequence: int = last.sequence if last else 0
        self.chain: str = last.chain if last else ""
        self._last_at: str = last.at if last else ""
        self.at: str | None = None  # of the transaction that is being copied
        self._records: dict[Key, int | None] = {}  # the Change that says what a record is; None: it is not public
        self._redacted: dict[Key, None] = {}

    def take(self, items: list[Item]) -> None:
        """Verify Changes of one transaction, and write them; what was taken of another one before is settled."""
        at = _instant(items)
        if self.at is not None and at is not None and at != self.at:
            self.settle()
        self.at = at or self.at
        rows = []
        for item in items:
            item.verify(self.sequence, self.chain)
            self.sequence, self.chain, self._last_at = item.sequence, item.proof.chain, item.at or self._last_at
            rows.append(item.row(self._last_at))
            self._note(item)
        if rows:
            self.session.execute(insert(CHANGES), rows)

    def _note(self, item: Item) -> None:
        if item.is_sealed:
            return
        if item.resource not in RESOURCES:
            raise NotMirrored(NEWER.format(item.sequence))
        if item.action == "redact":
            self._redacted[item.key] = None
        if item.action == "delete":
            self._records[item.key] = None
        elif item.proof.action != "delete" and item.body is not None:
            self._records[item.key] = item.sequence

    def settle(self) -> None:
        """Bring the records to what the Changes taken say."""
        told, self._records, self.at = self._records, {}, None
        groups = list(chunks(told.items()))
        for group in groups if len(groups) > 1 else []:  # codes may pass from any record to any other
            self._write([each for each in group if each[1] is None])
            for name, resource in RESOURCES.items():
                Batch(self.session, "").free(resource, [key[1] for key, change in group if change and key[0] == name])
        for group in groups:
            self._write(group)
        for resource_name, record_id in self._redacted:
            self._redact(self.source.of_record(resource_name, record_id))
        self._redacted.clear()

    def _write(self, group: list[tuple[Key, int | None]]) -> None:
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
        batch.settle()

    def _present(self, group: list[tuple[Key, int | None]]) -> dict[Key, Stored]:
        found: dict[Key, Stored] = {}
        for name in dict.fromkeys(name for (name, _), _ in group):
            ids = [record_id for (of, record_id), _ in group if of == name]
            found |= {(name, each): row for each, row in Batch(self.session, "").stored(RESOURCES[name], ids).items()}
        return found

    def _redact(self, items: Iterable[Item]) -> None:
        """Replace the copies of a record's Changes by what the source has of them now."""
        for item in items:
            said = {"body": item.body, "salt": item.proof.salt, "redacted": item.proof.redacted}
            same = (CHANGES.c.sequence == item.sequence, CHANGES.c.digest == item.proof.digest)
            self.session.execute(update(CHANGES).where(*same).values(said))
