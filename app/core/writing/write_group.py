"""Group commit: writes that wait are decided one after the other, and reach the database together.

Each write is decided as if it were alone, in the state that the writes before it have left. Its Changes have their
numbers then. `flush` writes the rows of all of them with few statements, and one commit makes them permanent.

Before a statement that reads a table which unflushed writes change, they are flushed. So a write reads what the ones
before it have written, whatever it reads. `expected` reads in advance what most writes need, for all of them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, Self

from sqlalchemy import Connection, event, select
from sqlmodel import Session

from app.core.change_log import CHANGES, LATEST_CHANGE, MIRRORS, instant_after, now
from app.core.database.connection_reads import rows_of
from app.core.database.engine import LAST_SEQUENCE, WriteLimits
from app.core.database.statements import Query
from app.core.errors import Problem, ReadOnly
from app.core.model.row_writes import insert_rows
from app.core.search.about import Reference
from app.core.writing.integrity import LookupCache
from app.core.writing.record_tables import PendingWrite, write_records
from app.core.writing.representation import StoredRecord
from app.core.writing.write_quota import RESERVE, count_written

_LATEST_CHANGE = Query(LATEST_CHANGE)
_MIRRORS = Query(select(MIRRORS.c.source).limit(1))

GROUP = "write_group"  # key in the `info` of a session

# Tables that every write of a record can change, besides those of its resource. The search has more.
_ALWAYS_CHANGED = {"changes", "code_counts", "written_bytes"}
_OF_SEARCH = "search_"


class Head(NamedTuple):
    """The last Change, of which the next one has the number, instant and chain value."""

    sequence: int
    at: str
    chain: str


class NotTogether(Exception):
    """Some writes cannot be written together. Each has to be written alone, which tells which of them is the cause."""


@dataclass
class _Written:
    """What one actor has written, for the quota of the key."""

    records: set[Reference] = field(default_factory=set)
    size: int = 0
    withdraws: bool = True


class WriteGroup:
    """The writes of one transaction whose Changes have numbers, and that may not be in the database yet.

    As a context manager it is the group of its session: `Batch.flush` adds to it and writes nothing. At the end of the
    block everything is flushed.
    """

    def __init__(self, session: Session, *, is_indexed: bool = True) -> None:
        self.session = session
        self.stored: dict[Reference, StoredRecord | None] = {}  # records that were read in advance, or written
        self.unused: set[Reference] = set()  # ids that no record has or had
        self.lookups = LookupCache()
        self._is_indexed = is_indexed
        self._limits: WriteLimits = session.info.get("limits", WriteLimits())
        self._head: Head | None = None
        self._writes: list[PendingWrite] = []
        self._changes: list[dict[str, Any]] = []
        self._written: dict[str, _Written] = {}
        self._changed_tables: set[str] = set()
        self._added = 0

    @classmethod
    def of(cls, session: Session) -> "WriteGroup | None":
        """Return the group of a session, if it has one."""
        group: WriteGroup | None = session.info.get(GROUP)
        return group

    def __enter__(self) -> Self:
        self.session.info[GROUP] = self
        self._is_mirror = self._reads_mirror()
        event.listen(self.session.connection(), "before_cursor_execute", self._before_statement)
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self.flush()
        event.remove(self.session.connection(), "before_cursor_execute", self._before_statement)
        del self.session.info[GROUP]

    def begin_write(self) -> None:
        """Let the next write have its own instant, like a transaction of its own."""
        self._added = 0
        head = self.head
        self.session.info["at"] = max(now(), instant_after(head.at)) if head.sequence else now()

    @property
    def has_added(self) -> bool:
        """Whether the present write has added a Change."""
        return self._added > 0

    @property
    def head(self) -> Head:
        """The last Change, also if it is not flushed; a group knows it after it has read it once."""
        if self._head is None:
            rows = rows_of(self.session.connection(), _LATEST_CHANGE)
            self._head = Head(*rows[0]) if rows else Head(0, "", "")
        return self._head

    def _reads_mirror(self) -> bool:
        return bool(rows_of(self.session.connection(), _MIRRORS))

    def add(self, actor: str, writes: Sequence[PendingWrite], changes: Sequence[dict[str, Any]]) -> None:
        """Add the decided writes of an actor with their Changes. Raise ReadOnly in a mirror."""
        if not changes:
            return
        is_of_session = GROUP in self.session.info
        if self._is_mirror if is_of_session else self._reads_mirror():
            raise ReadOnly
        written = self._written.setdefault(actor, _Written())
        for pending in writes:
            reference = Reference(pending.resource.name, pending.id)
            if is_of_session:
                self._note(reference, pending)
            written.records.add(reference)
            written.size += len(pending.body)
            written.withdraws = written.withdraws and pending.public_action() == "delete"
        last = changes[-1]
        self._head = Head(last["sequence"], last["at"], last["chain"])
        self._writes += writes
        self._changes += changes
        self._added += len(changes)

    def _note(self, reference: Reference, pending: PendingWrite) -> None:
        """Let the next writes of the session read the record as it was written."""
        self.stored[reference] = pending.stored()
        self.unused.discard(reference)
        self.lookups.note(reference.resource, reference.record_id, pending.row if pending.fields else None)
        self._changed_tables.update((reference.resource, *(table.name for table in pending.resource.link_tables)))

    def flush(self) -> None:
        """Write everything that was added. Raise TooMany if a key has written as much as it may in a day.

        In a group, raise NotTogether instead of a problem.
        """
        writes = self._writes
        changes = self._changes
        written = self._written
        self._writes = []
        self._changes = []
        self._written = {}
        self._changed_tables = set()
        try:
            new_words = write_records(self.session, writes, is_indexed=self._is_indexed)
            for actor, of_actor in written.items():
                words = sum(size for reference, size in new_words.items() if reference in of_actor.records)
                self._count_bytes(actor, of_actor.size + words, withdraws=of_actor.withdraws)
        except Problem as problem:
            if GROUP in self.session.info:
                raise NotTogether from problem
            raise
        if changes:
            insert_rows(self.session.connection(), CHANGES, changes)
            self.session.info[LAST_SEQUENCE] = changes[-1]["sequence"]

    def _count_bytes(self, actor: str, size: int, *, withdraws: bool) -> None:
        """Count the bytes for the quota of the key. Writes without a key, such as those of a command, have no quota."""
        key = actor.removeprefix("key:")
        if self._limits.quota and size and key != actor:
            reserve = self._limits.quota // RESERVE if withdraws else 0
            count_written(self.session, key, size, self._limits.quota, reserve)

    def _before_statement(self, _: Connection, __: object, statement: str, *___: object) -> None:
        if self._writes and _reads_any(statement, frozenset(self._changed_tables)):
            self.flush()


@lru_cache(maxsize=2_000)
def _reads_any(statement: str, changed: frozenset[str]) -> bool:
    """Return whether a statement names one of these tables, or one that every write can change."""
    names = set(re.findall(r"\w+", statement))
    return not names.isdisjoint(changed | _ALWAYS_CHANGED) or any(name.startswith(_OF_SEARCH) for name in names)
