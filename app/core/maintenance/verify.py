"""Verification of the log: no Change was altered, removed or moved, and every record is as its last Change wrote it.

The chain proves only the Changes up to its own head. A person who can write to the database can compute a new chain.
Only a head that was stored elsewhere reveals that.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, exists, select

from app.core.change_log import CHANGES, MIRRORS, REDACTIONS, SEALED, chain_entry_of, chain_value, redaction_actor
from app.core.database.large_rows import MAX_BYTES, batches
from app.core.database.sql import CHUNK
from app.core.maintenance.record_history import RecordHistory, comparable_link
from app.core.model.code_counts import wrong_counts
from app.core.model.resource import RESOURCES, Resource
from app.core.progress import advance

_HEAD = re.compile(r"([1-9][0-9]{0,17}):([0-9a-f]{64})")
_ENTRY_COLUMNS = ("at", "actor", "action", "resource", "record_id", "version", "digest", "shown", "salt", "redacted")


class ChainHead(NamedTuple):
    """The number and the chain value of the newest Change."""

    sequence: int = 0
    chain: str = ""

    @classmethod
    def read(cls, text: str) -> "ChainHead":
        """Read `SEQUENCE:CHAIN`. Raise ValueError for any other form."""
        match = _HEAD.fullmatch(text)
        if match is None:
            raise ValueError("a head is the number of a Change, a colon and 64 hexadecimal digits")
        return cls(int(match[1]), match[2])

    def __str__(self) -> str:
        return f"{self.sequence}:{self.chain}"


class Verifier:
    """A verification of the database that a connection sees, in one snapshot. It counts Changes and records."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_mirror = connection.execute(select(MIRRORS.c.source)).first() is not None
        self.head = ChainHead()  # the last Change that was verified
        self.changes = 0
        self.records = 0

    def problems(self, earlier_head: ChainHead | None = None) -> Iterator[str]:
        """Yield a sentence for each problem. The chain must pass through `earlier_head`, if there is one."""
        yield from self._check_chain(earlier_head)
        for resource in RESOURCES.values():
            yield from self._check_records(resource)
            yield from wrong_counts(self._connection, resource)

    def _check_chain(self, earlier_head: ChainHead | None) -> Iterator[str]:
        previous_at = ""
        columns = [CHANGES.c[name] for name in ("sequence", *_ENTRY_COLUMNS, "chain")]
        query = select(*columns, CHANGES.c.body.is_(None).label("is_bare")).order_by(CHANGES.c.sequence).limit(CHUNK)
        passed = earlier_head is None
        while rows := self._connection.execute(query.where(CHANGES.c.sequence > self.head.sequence)).all():
            for row in rows:
                yield from self._check_chain_value(row)
                yield from self._check_change(row, previous_at)
                if earlier_head and row.sequence == earlier_head.sequence:
                    passed = True
                    yield from _compare_head(row, earlier_head)
                previous_at = str(row.at)
            self.changes += len(rows)
            advance(len(rows))
        if earlier_head and not passed:
            yield f"Change {earlier_head.sequence} is missing: it is the head that was stored elsewhere."

    def _check_chain_value(self, row: Any) -> Iterator[str]:
        expected = self.head.sequence + 1
        if row.sequence != expected:
            yield f"Change {expected} is missing: the next one is {row.sequence}."
        if chain_value(self.head.chain, row.sequence, chain_entry_of(row)) != row.chain:
            yield f"Change {row.sequence}: its chain value does not follow from its entry and the previous chain value."
        self.head = ChainHead(row.sequence, row.chain)

    def _check_change(self, row: Any, previous_at: str) -> Iterator[str]:
        if str(row.at) < previous_at:
            yield f"Change {row.sequence}: it is older than the previous one."
        if row.resource == SEALED and self._is_mirror:
            yield from _check_sealed(row, previous_at)
        elif row.resource not in RESOURCES:
            yield f"Change {row.sequence}: it belongs to an unknown resource."

    def _check_records(self, resource: Resource) -> Iterator[str]:
        """Check the Changes of each record in their order, and compare the record with its last Change."""
        history = RecordHistory(resource, "", self._is_mirror)
        finished: list[RecordHistory] = []
        size = 0  # of the last representations of these records
        for row, redacted_digests in self._changes_of(resource):
            if row.record_id != history.record_id:
                finished.append(history)
                size += history.size
                history = RecordHistory(resource, row.record_id, self._is_mirror)
            yield from history.check_representation(row, redacted_digests)
            yield from history.follow(row)
            if len(finished) == CHUNK or size > MAX_BYTES:
                yield from self._check_rows(resource, finished)
                finished.clear()
                size = 0
        yield from self._check_rows(resource, [*finished, history])
        table: Any = resource.table
        has_change = exists().where(CHANGES.c.resource == resource.name, CHANGES.c.record_id == table.id)
        for (record_id,) in self._connection.execute(select(table.id).where(~has_change).order_by(table.id)):
            yield f"{resource.name}/{record_id}: no Change wrote it."

    def _changes_of(self, resource: Resource) -> Iterator[tuple[Any, Collection[str] | None]]:
        """Yield the Changes by record, each with the digests of the redaction that it is or that altered it."""
        query = select(CHANGES).where(CHANGES.c.resource == resource.name)
        query = query.order_by(CHANGES.c.record_id, CHANGES.c.sequence)
        for rows in batches(self._connection, query, CHUNK):
            digests = self._redacted_digests(row.redacted or row.sequence for row in rows)
            yield from ((row, digests.get(row.redacted or row.sequence)) for row in rows)

    def _redacted_digests(self, sequences: Iterable[int]) -> dict[int, list[str]]:
        """Return the digests that these redactions logged, by the number of their Change.

        The actor of the Change contains the hash of this log. A log with another hash is left out.
        """
        query = select(REDACTIONS.c.change, REDACTIONS.c.digests, CHANGES.c.actor)
        query = query.join(CHANGES, CHANGES.c.sequence == REDACTIONS.c.change)
        rows = self._connection.execute(query.where(REDACTIONS.c.change.in_(list(set(sequences)))))
        return {row.change: json.loads(row.digests) for row in rows if row.actor == redaction_actor(row.digests)}

    def _check_rows(self, resource: Resource, histories: Iterable[RecordHistory]) -> Iterator[str]:
        by_id = {history.record_id: history for history in histories if history.last is not None}
        table = resource.table.__table__
        query = select(table).where(table.c.id.in_(list(by_id)))
        rows = {row["id"]: dict(row) for row in self._connection.execute(query).mappings()}
        self.records += len(rows)
        links = self._links(resource, list(by_id))
        for record_id, history in by_id.items():
            for problem in history.compare_row(rows.get(record_id), links.get(record_id, [])):
                yield f"{resource.name}/{record_id}: {problem}"

    def _links(self, resource: Resource, ids: list[str]) -> dict[str, list[Any]]:
        """Return the rows of every link table by record, in the form that `comparable_link` gives them."""
        links: dict[str, list[Any]] = {}
        for table in resource.link_tables:
            for row in self._connection.execute(select(table).where(table.c.record_id.in_(ids))).mappings():
                links.setdefault(row["record_id"], []).append(comparable_link(table, dict(row)))
        return links


def _compare_head(row: Any, earlier_head: ChainHead) -> Iterator[str]:
    if row.chain != earlier_head.chain:
        yield f"Change {row.sequence}: its chain value differs from the head that was stored elsewhere."


def _check_sealed(row: Any, previous_at: str) -> Iterator[str]:
    """Check that a sealed Change has only its entry, and the time of the Change before it."""
    values = (row.at, row.actor, row.action, row.record_id, row.version, row.shown, row.salt, row.redacted, row.is_bare)
    if values != (previous_at, "", "update", "", 0, None, None, None, True):
        yield f"Change {row.sequence}: it is sealed, but has more than its entry."
