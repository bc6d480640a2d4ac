"""Taking a text down from every version of every record: an official's name, a secret that leaked.

The chain stays intact, since it holds digests of what was; what replaces it is logged by digests of its own.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json
from pydantic_core import to_json as rendered
from sqlalchemy import Column, Connection, bindparam, func, insert, select, update
from sqlmodel import Session, SQLModel

from app.core.database.engine import Database
from app.core.database.sql import CHUNK
from app.core.log import CHANGES, LATEST_CHANGE, REDACTIONS, new_salt, redacted_digest, redaction_actor
from app.core.model.resource import RESOURCES, Resource
from app.core.model.texts import name_texts, other_texts
from app.core.search.index import clear_index
from app.core.values.json import to_json
from app.core.values.text import clean, slug
from app.core.writing.batch import Batch
from app.core.writing.representation import StoredRecord, accepted_fields

SHORTEST = 3  # characters of a text that is taken down from all records at once

RecordName = tuple[str, str]  # resource and id of a record

TEXTS = "texts of records"  # in the `info` of a column that holds them as JSON beside the log: what a row of it is

NAMES = ("id", "resource", "pointer", "code")

_STEP = re.compile(r"[^.\[\]]+")


@dataclass(frozen=True)
class Redaction:
    """What is taken down and what takes its place; both as NFC. ValueError when one cannot be."""

    text: str
    replacement: str
    reason: str
    only: RecordName | None = None

    def __post_init__(self) -> None:
        for name in ("text", "replacement", "reason"):
            try:
                clean(getattr(self, name))
            except ValueError as error:
                raise ValueError(f"the {name} {error}") from None
            object.__setattr__(self, name, _nfc(getattr(self, name)))
        if self.text in self.replacement or self.text in self.reason:
            raise ValueError("the replacement or the reason holds the text")
        if self.only is None and len(self.text) < SHORTEST:
            raise ValueError(f"a text of less than {SHORTEST} characters is only taken down from one record: --record")

    def may_be_in(self, body: str) -> bool:
        """Whether a representation holds the text, somewhere, or an id that was made of it."""
        return json.dumps(self.text, ensure_ascii=False)[1:-1] in _nfc(body) or self._names_record(body)

    def _names_record(self, text: str) -> bool:
        """Whether an id that is made of several words of the text is in it; one word alone is in too many."""
        return self._made in text and self._id is not None and self._id.search(text) is not None

    @cached_property
    def _made(self) -> str:
        return slug(self.text)

    @cached_property
    def _id(self) -> re.Pattern[str] | None:
        return re.compile(rf"(?<![a-z0-9]){self._made}(?![a-z0-9])") if "-" in self._made else None

    def redact_record(self, resource: Resource, record: dict[str, Any]) -> tuple[set[str], set[str]]:
        """Replace the text in a representation; pointers to where it was, and to where it stays.

        It is taken from all that people write freely, and from addresses (url). Ids, links and codes stay, those too
        that were made of it: «Trần Thị A» is still in `tran-thi-a`.
        """
        free = [path for path, _ in (*name_texts(resource, record), *other_texts(resource, record))]
        gone = {pointer for path in [*free, "url"] if (pointer := self._replace(record, _STEP.findall(path)))}
        return gone, {
            pointer for pointer, text in _strings(record) if self.text in _nfc(text) or self._names_record(text)
        }

    def redact_values(self, value: Any) -> Any:
        """A JSON value without the text, but for what names a record, or a place in it."""
        if isinstance(value, str):
            return _nfc(value).replace(self.text, self.replacement) if self.text in _nfc(value) else value
        if isinstance(value, list):
            return [self.redact_values(each) for each in value]
        if isinstance(value, dict):
            return {name: each if name in NAMES else self.redact_values(each) for name, each in value.items()}
        return value

    def _replace(self, record: dict[str, Any], steps: Sequence[str]) -> str | None:
        at: Any = record
        for step in steps[:-1]:
            at = at[int(step) if isinstance(at, list) else step]
        last: Any = int(steps[-1]) if isinstance(at, list) else steps[-1]
        before = at[last] if isinstance(at, list) else at.get(last)
        if not isinstance(before, str) or self.text not in _nfc(before):
            return None
        at[last] = _nfc(before).replace(self.text, self.replacement)
        return "/" + "/".join(steps)


@dataclass
class RedactedRecord:
    """What a redaction does to one record."""

    name: RecordName
    versions: list[int] = field(default_factory=list)  # the Changes whose representations hold the text
    removed: set[str] = field(default_factory=set)
    remaining: set[str] = field(default_factory=set)
    change: int | None = None  # the Change that did it
    one: str = "version"

    def __str__(self) -> str:
        named = "/".join(self.name)
        versions = f"{len(self.versions)} {self.one}{'s' * (len(self.versions) > 1)}"
        lines = [f"{named}: {versions}, at {', '.join(sorted(self.removed))}"] if self.versions else []
        if self.remaining:
            lines.append(
                f"{named}: stays at {', '.join(sorted(self.remaining))}, for ids, links and codes do not change"
            )
        return "\n".join(lines)


def redact(database: Database, redaction: Redaction, *, dry_run: bool = False) -> list[RedactedRecord]:
    """Take it down everywhere in one transaction, or only look; ValueError when a record would be valid no more."""
    with database.snapshot() as connection:
        last = connection.scalar(select(func.max(CHANGES.c.sequence))) or 0
        found = set(_holders(connection, redaction, 0))
        if dry_run:
            taken = [_Record(connection, redaction, name).taken for name in sorted(found)]
            return [*taken, *_beside(connection, redaction, dry_run=True)]
    with database.write() as session:
        found |= set(_holders(session.connection(), redaction, last))
        taken = [_redact_record(session, redaction, name) for name in sorted(found)]
        if any(each.change for each in taken):
            clear_index(session.connection())
        taken += _beside(session.connection(), redaction, dry_run=False)
    return taken


def _holders(connection: Connection, redaction: Redaction, after: int) -> Iterator[RecordName]:
    """Records with a Change behind this one that holds the text, maybe several times."""
    columns = [CHANGES.c[name] for name in ("sequence", "resource", "record_id", "body")]
    query = select(*columns).order_by(CHANGES.c.sequence).limit(CHUNK)
    if redaction.only:
        query = query.where(CHANGES.c.resource == redaction.only[0], CHANGES.c.record_id == redaction.only[1])
    while rows := connection.execute(query.where(CHANGES.c.sequence > after)).all():
        yield from ((row.resource, row.record_id) for row in rows if redaction.may_be_in(row.body or ""))
        after = rows[-1].sequence


class _Record:
    """The versions of one record without the text."""

    def __init__(self, connection: Connection, redaction: Redaction, name: RecordName) -> None:
        self.resource, self.record_id, self._redaction = RESOURCES[name[0]], name[1], redaction
        of_it = select(CHANGES).where(CHANGES.c.resource == name[0], CHANGES.c.record_id == name[1])
        self.changes = connection.execute(of_it.order_by(CHANGES.c.sequence)).all()
        self.taken, self.bodies = RedactedRecord(name), dict[int, bytes]()
        for row in self.changes:
            body, gone = self.without(row.body or "{}")
            if gone:
                self.bodies[row.sequence] = body
        self.taken.versions = list(self.bodies)

    def without(self, body: str) -> tuple[bytes, bool]:
        """A representation without the text, and whether it held it where it can be taken down."""
        if not self._redaction.may_be_in(body):
            return body.encode(), False
        record = from_json(body)
        gone, stays = self._redaction.redact_record(self.resource, record)
        self.taken.removed |= gone
        self.taken.remaining |= stays
        return rendered(record), bool(gone)

    @property
    def told(self) -> str | None:
        """What everyone sees of the redaction: nothing where they never saw the record."""
        return "redact" if any(row.shown for row in self.changes) else None


def _redact_record(session: Session, redaction: Redaction, name: RecordName) -> RedactedRecord:
    record = _Record(session.connection(), redaction, name)
    if not record.bodies:
        return record.taken
    salts = {sequence: new_salt() for sequence in record.bodies}
    digests = to_json([redacted_digest(*each, salts[each[0]]) for each in record.bodies.items()]).decode()
    batch = Batch(session, redaction_actor(digests))
    present = batch.stored(record.resource, [record.record_id]).get(record.record_id)
    _rewrite(batch, record, present)
    batch.flush()
    record.taken.change = session.execute(LATEST_CHANGE).one().sequence
    _replace(session, record.bodies, salts, record.taken.change)
    log = {"change": record.taken.change, "at": batch.at, "reason": redaction.reason, "digests": digests}
    session.execute(insert(REDACTIONS), log)
    return record.taken


def _rewrite(batch: Batch, record: _Record, present: StoredRecord | None) -> None:
    """One more version of the record, or one more end of it."""
    last = record.changes[-1]
    body, _ = record.without(present.body if present else last.body)
    if present is None:
        batch.redact_deleted(record.resource, record.record_id, last.version + 1, body, record.told)
        return
    try:
        fields = accepted_fields(record.resource, body)
    except ValidationError as error:
        places = {"/".join(map(str, each["loc"])) for each in error.errors(include_url=False, include_input=False)}
        where = f"{record.resource.name}/{record.record_id}: {', '.join(sorted(places))}"
        raise ValueError(f"nothing was done: with this replacement a record would not be valid ({where})") from None
    batch.redact(record.resource, record.record_id, fields, present, record.told)


def _replace(session: Session, bodies: Mapping[int, bytes], salts: Mapping[int, str], by: int) -> None:
    """Put these representations in the place of others; without their salt nobody can try out what the text was."""
    one = update(CHANGES).where(CHANGES.c.sequence == bindparam("key")).values(body=bindparam("new"), redacted=by)
    rows = [{"key": each, "new": body.decode(), "new_salt": salts[each]} for each, body in bodies.items()]
    session.connection().execute(one.values(salt=bindparam("new_salt")), rows)


def _beside(connection: Connection, redaction: Redaction, *, dry_run: bool) -> Iterator[RedactedRecord]:
    """Take it from what is kept beside the log, the lines of imports; not when one record is asked for.

    Rows are named by what they are part of and their number in it.
    """
    for table in SQLModel.metadata.sorted_tables if redaction.only is None else ():
        columns = [column for column in table.c if TEXTS in column.info]
        taken: dict[str, RedactedRecord] = {}
        for column in columns:
            for (part_of, number), said in _found(connection, redaction, column):
                one = taken.setdefault(part_of, RedactedRecord((table.name, part_of), one=column.info[TEXTS]))
                one.versions = sorted({*one.versions, number})
                one.removed.add(column.name)
                if not dry_run:
                    where = dict(zip(table.primary_key.columns, (part_of, number), strict=True))
                    row = update(table).where(*(key == value for key, value in where.items()))
                    connection.execute(row.values({column.name: said}))
        yield from taken.values()


def _found(connection: Connection, redaction: Redaction, column: Column[Any]) -> list[tuple[tuple[str, int], str]]:
    """The rows whose JSON holds it in this column, by their key, and what they say without it."""
    key = column.table.primary_key.columns
    query = select(*key, column).where(column.is_not(None)).order_by(*key)
    found = []
    for row in connection.execute(query.execution_options(yield_per=CHUNK)):
        value = from_json(row[2])
        without = redaction.redact_values(value)
        if without != value:
            found.append(((row[0], row[1]), rendered(without).decode()))
    return found


def _strings(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, with its JSON Pointer."""
    if isinstance(value, str):
        yield at, value
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in pairs:
        yield from _strings(each, f"{at}/{name}")


def _nfc(text: str) -> str:
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)
