"""Proof of the log: no Change was altered, left out or moved, and the records are what it says.

The chain proves what it holds only up to its own head: who kept that elsewhere can tell that nobody made it all anew.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import Connection, Table, exists, select, tuple_

from app.core.database.sql import CHUNK
from app.core.log import (
    CHANGES,
    MIRRORS,
    REDACTIONS,
    REDACTOR,
    SEALED,
    chain_entry_of,
    chain_value,
    digest,
    public_action,
    redacted_digest,
    redaction_actor,
)
from app.core.model.columns import column_values
from app.core.model.fields import RENDERING, RecordFields
from app.core.model.resource import RESOURCES, Resource
from app.core.writing.batch import link_rows
from app.core.writing.representation import accepted_fields, render

_HEAD = re.compile(r"([1-9][0-9]{0,17}):([0-9a-f]{64})")

_TOLD = ("at", "actor", "action", "resource", "record_id", "version", "digest", "shown", "salt", "redacted")


class ChainHead(NamedTuple):
    """The newest Change and its value of the chain."""

    sequence: int = 0
    chain: str = ""

    @classmethod
    def read(cls, text: str) -> "ChainHead":
        """From `SEQUENCE:CHAIN`; ValueError when it is not of that form."""
        found = _HEAD.fullmatch(text)
        if found is None:
            raise ValueError("a head is the number of a Change, a colon and 64 hexadecimal digits")
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.sequence}:{self.chain}"


class ChainVerifier:
    """Follows the chain from one Change to the next; of a hidden Change its `entry` is enough."""

    def __init__(self, head: ChainHead | None = None) -> None:
        self.head = head or ChainHead()

    def follow(self, sequence: int, sealed: str, chain: str) -> Iterator[str]:
        """What is wrong with the next Change, in words; goes on from it in any case."""
        if sequence != self.head.sequence + 1:
            yield f"Change {self.head.sequence + 1} is missing: the next one is {sequence}."
        if chain_value(self.head.chain, sequence, sealed) != chain:
            yield f"Change {sequence}: its chain value does not follow from what it says and the value before."
        self.head = ChainHead(sequence, chain)


class Verifier:
    """Reads the whole database through a connection in one snapshot, in pages; counts what it has seen."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._chain = connection, ChainVerifier()
        self._is_mirror = connection.execute(select(MIRRORS.c.source)).first() is not None
        self.changes = self.records = 0

    @property
    def head(self) -> ChainHead:
        """The last Change that was followed."""
        return self._chain.head

    def problems(self, kept: ChainHead | None = None) -> Iterator[str]:
        """Everything that is wrong, in words; `kept`: a head of earlier, through which the chain must pass."""
        yield from self._check_chain(kept)
        for resource in RESOURCES.values():
            yield from self._check_records(resource)

    def _check_chain(self, kept: ChainHead | None) -> Iterator[str]:
        before, met = "", kept is None
        columns = [CHANGES.c[name] for name in ("sequence", *_TOLD, "chain")]
        query = select(*columns, CHANGES.c.body.is_(None).label("is_bare")).order_by(CHANGES.c.sequence).limit(CHUNK)
        while rows := self._connection.execute(query.where(CHANGES.c.sequence > self.head.sequence)).all():
            for row in rows:
                yield from self._chain.follow(row.sequence, chain_entry_of(row), row.chain)
                yield from self._check_change(row, before)
                if kept and row.sequence == kept.sequence:
                    met = True
                    if row.chain != kept.chain:
                        yield f"Change {row.sequence}: the chain has another value here than the head that was kept."
                before = str(row.at)
            self.changes += len(rows)
        if kept and not met:
            yield f"Change {kept.sequence} is missing: it was the head that was kept."

    def _check_change(self, row: Any, before: str) -> Iterator[str]:
        if str(row.at) < before:
            yield f"Change {row.sequence}: it is older than the one before."
        if row.resource == SEALED and self._is_mirror:
            yield from _beyond_its_seal(row, before)
        elif row.resource not in RESOURCES:
            yield f"Change {row.sequence}: it is of no resource that there is."

    def _check_records(self, resource: Resource) -> Iterator[str]:
        """The Changes of each record in their order, and the record itself beside its last one."""
        kind: type[_RecordHistory] = _MirroredRecordHistory if self._is_mirror else _RecordHistory
        story, ended = kind(resource, ""), list[_RecordHistory]()
        for row, logged in self._of_resource(resource):
            if row.record_id != story.record_id:
                ended.append(story)
                story = kind(resource, row.record_id)
            yield from story.show(row, logged)
            yield from story.follow(row)
            if len(ended) == CHUNK:
                yield from self._check_rows(resource, ended)
                ended.clear()
        yield from self._check_rows(resource, [*ended, story])
        table: Any = resource.table
        told = exists().where(CHANGES.c.resource == resource.name, CHANGES.c.record_id == table.id)
        for (record_id,) in self._connection.execute(select(table.id).where(~told).order_by(table.id)):
            yield f"{resource.name}/{record_id}: no Change tells of it."

    def _of_resource(self, resource: Resource) -> Iterator[tuple[Any, Collection[str] | None]]:
        """Its Changes, each with the log of what took text from it, or of what it took from others."""
        place = tuple_(CHANGES.c.record_id, CHANGES.c.sequence)
        query = select(CHANGES).where(CHANGES.c.resource == resource.name).limit(CHUNK)
        query = query.order_by(CHANGES.c.record_id, CHANGES.c.sequence)
        after: tuple[str, int] = ("", 0)
        while rows := self._connection.execute(query.where(place > tuple_(*after))).all():
            logs = self._logs(row.redacted or row.sequence for row in rows)
            yield from ((row, logs.get(row.redacted or row.sequence)) for row in rows)
            after = rows[-1].record_id, rows[-1].sequence

    def _logs(self, sequences: Iterable[int]) -> dict[int, list[str]]:
        """What stands for redacted representations, by the Change that redacted them, if the chain vouches for it."""
        query = select(REDACTIONS.c.change, REDACTIONS.c.digests, CHANGES.c.actor)
        query = query.join(CHANGES, CHANGES.c.sequence == REDACTIONS.c.change)
        found = self._connection.execute(query.where(REDACTIONS.c.change.in_(list(set(sequences)))))
        return {row.change: json.loads(row.digests) for row in found if row.actor == redaction_actor(row.digests)}

    def _check_rows(self, resource: Resource, stories: Iterable["_RecordHistory"]) -> Iterator[str]:
        by_id = {story.record_id: story for story in stories if story.last is not None}
        table = resource.table.__table__
        query = select(table).where(table.c.id.in_(list(by_id)))
        rows = {row["id"]: dict(row) for row in self._connection.execute(query).mappings()}
        self.records += len(rows)
        links = self._links(resource, list(by_id))
        for record_id, story in by_id.items():
            for problem in story.compare_row(rows.get(record_id), links.get(record_id, [])):
                yield f"{resource.name}/{record_id}: {problem}"

    def _links(self, resource: Resource, ids: list[str]) -> dict[str, list[Any]]:
        """The rows of every link table, by record, as (name of the table, row)."""
        found: dict[str, list[Any]] = {}
        for table in resource.link_tables:
            for row in self._connection.execute(select(table).where(table.c.record_id.in_(ids))).mappings():
                found.setdefault(row["record_id"], []).append(_link(table, dict(row)))
        return found


@dataclass
class _RecordHistory:
    """What the Changes of one record say, as far as they were followed."""

    resource: Resource
    record_id: str
    last: Any = None
    state: str | None = None  # that of the record now; None: there is none
    was_public: bool = False

    def show(self, row: Any, logged: Collection[str] | None) -> Iterator[str]:
        """What is wrong with the representation of its next Change, which is followed after that.

        `logged`: what stands for redacted ones, in the log of the Change that redacted it, or of itself.
        """
        if not self._is_as_written(row, logged):
            yield f"Change {row.sequence}: its representation is not the one that was written."
        if _redacts(row) and row.redacted is None and logged is None:
            yield f"Change {row.sequence}: the log of what it redacted is missing or was altered."

    def _is_as_written(self, row: Any, logged: Collection[str] | None) -> bool:
        """Whether a representation has its digest, or is one that the redaction of it left."""
        body, salted = str(row.body or "").encode(), str(row.salt or "")
        if row.redacted is None:
            return bool(digest(body, salted) == row.digest)
        return redacted_digest(row.sequence, body, salted) in (logged or ())

    def follow(self, row: Any) -> Iterator[str]:
        """What of its next Change does not follow from those before."""
        state = self._state_after(row)
        if not self._fits(row):
            yield f"Change {row.sequence}: its version or action does not follow from the record's Change before."
        shown = public_action(self.state, state)
        if _redacts(row):
            shown = "redact" if self.was_public else None
        if row.shown != shown:
            yield f"Change {row.sequence}: what is shown of it is not what happened."
        self.last, self.state, self.was_public = row, state, self.was_public or shown is not None

    def _state_after(self, row: Any) -> str | None:
        return None if row.action == "delete" else _state(str(row.body or ""))

    def _fits(self, row: Any) -> bool:
        fits = (row.action == "create") == (self.state is None) or (_redacts(row) and row.action == "delete")
        first = self.last is None or row.action == "create"
        return bool(fits and row.version == (1 if first else int(self.last.version) + 1))

    @property
    def exists(self) -> bool:
        """Whether there is a record after its last Change."""
        return bool(self.last.action != "delete")

    def compare_row(self, row: Mapping[str, Any] | None, links: list[Any]) -> Iterator[str]:
        """What is wrong with the record, beside its last Change."""
        if row is None or not self.exists:
            if (row is None) == self.exists:
                yield "it is missing." if row is None else "it is there, though its last Change deleted it."
            return
        if row["change"] != self.last.sequence:
            yield f"it points to Change {row['change']}, its last one is {self.last.sequence}."
        if row["rendering"] != RENDERING:  # `migrate` is to come: what it would write is not there yet
            return
        try:
            shown, fields = json.loads(self.last.body), accepted_fields(self.resource, self.last.body)
        except (ValidationError, ValueError, TypeError, AttributeError, RecursionError):
            yield f"the representation in Change {self.last.sequence} is not a valid one."
            return
        yield from self._columns(row, shown, fields)
        named = [_link(table, each) for table, each in link_rows(self.resource, self.record_id, fields)]
        if sorted(links, key=str) != sorted(named, key=str):
            yield "its links are not those of its last Change."

    def _columns(self, row: Mapping[str, Any], shown: Mapping[str, Any], fields: RecordFields) -> Iterator[str]:
        own = {name: shown.get(name) for name in ("version", "created_at", "updated_at")}
        wanted = {**own, **column_values(self.resource.table, fields)}
        differing = ", ".join(name for name, value in wanted.items() if row[name] != value)
        if differing:
            yield f"its columns are not those of its last Change: {differing}."
        body = render(self.resource, self.record_id, fields, row["version"], row["created_at"], row["updated_at"])
        if (row["body"] or self.last.body) != body.decode():
            yield "its representation is not that of its last Change."


class _MirroredRecordHistory(_RecordHistory):
    """What a mirror knows of a record: what everyone sees; what happens to a draft lies between."""

    def _is_as_written(self, row: Any, logged: Collection[str] | None) -> bool:
        if row.body is None and row.salt is None and self._is_withheld(row):
            return True
        return super()._is_as_written(row, logged)

    def _is_withheld(self, row: Any) -> bool:
        """Whether the representation is a draft's: it is withdrawn, or text is taken from one that was."""
        if self.state is None:
            return bool(self.last is not None and self.last.body is None and _redacts(row))
        return bool(row.action == "update" and row.shown == "delete")

    def _state_after(self, row: Any) -> str | None:
        state = super()._state_after(row)
        return "published" if state == "published" else None

    def _fits(self, row: Any) -> bool:
        if self.state is not None:  # nothing can lie between
            return bool(row.action != "create" and row.version == int(self.last.version) + 1)
        return bool(row.version >= 1 and (row.action != "create" or row.version == 1))

    @property
    def exists(self) -> bool:
        """Whether it is public after its last Change."""
        return self.state is not None


def _beyond_its_seal(row: Any, before: str) -> Iterator[str]:
    """A sealed Change says nothing: it has the place of the one before in time."""
    said = (row.at, row.actor, row.action, row.record_id, row.version, row.shown, row.salt, row.redacted, row.is_bare)
    if said != (before, "", "update", "", 0, None, None, None, True):
        yield f"Change {row.sequence}: it is sealed, and says more than its entry."


def _redacts(row: Any) -> bool:
    return str(row.actor).startswith(REDACTOR)


def _link(table: Table, row: Mapping[str, Any]) -> tuple[Any, ...]:
    """A row of a link table, to be compared."""
    return table.name, *(row.get(column.name) for column in table.c)


def _state(body: str) -> str | None:
    try:
        state = json.loads(body)["state"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return state if isinstance(state, str) else None
