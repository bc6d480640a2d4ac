"""Redaction: the removal of a text, such as a name or a leaked secret, from every version of every record.

The chain stays valid, because it was computed over the digests of the original representations. The digests of the new
representations are logged with the redaction.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json
from pydantic_core import to_json as encode_json
from sqlalchemy import Column, Connection, func, insert, select, tuple_, update
from sqlmodel import Session, SQLModel

from app.core.change_log import CHANGES, LATEST_CHANGE, REDACTIONS, new_salt, redacted_digest, redaction_actor
from app.core.database.engine import Database
from app.core.database.large_rows import batches
from app.core.database.sql import CHUNK
from app.core.maintenance.reindex import is_refresh_needed, refresh_index
from app.core.model.resource import RESOURCES, Resource
from app.core.model.texts import name_texts, other_texts, url_members
from app.core.search.index import clear_index
from app.core.values.json import to_json
from app.core.values.normal_forms import normalized
from app.core.values.text import clean, slug
from app.core.writing.batch import Batch
from app.core.writing.representation import StoredRecord, accepted_fields

RecordName = tuple[str, str]  # the resource and the id of a record

MIN_CHARACTERS = 3  # of a text that is removed from all records at once
# A column outside the log that stores contents of records as JSON has this key in its `info`. The value names its rows.
TEXTS = "texts of records"
# Its `info` can also have this key, with a function that replaces texts in the JSON, if names of its members are texts.
REPLACED_BY = "replaces texts"
# Or with this key it is plain text, and the function removes the whole text that a row belongs to.
REMOVED_BY = "removes a whole text"
NAMES = ("id", "resource", "pointer", "code")  # members of that JSON that identify a record or a place in it
_STEP = re.compile(r"[^.\[\]]+")


@dataclass(frozen=True)
class Redaction:
    """The text to remove, its replacement and the reason, normalised to NFC; `only` limits it to one record.

    Raise ValueError if one of them is not acceptable.
    """

    text: str
    replacement: str
    reason: str
    only: RecordName | None = None

    def __post_init__(self) -> None:
        for name in ("text", "replacement", "reason"):
            try:
                clean(getattr(self, name))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
            object.__setattr__(self, name, _nfc(getattr(self, name)))
        if self.text in self.replacement or self.text in self.reason:
            raise ValueError("the replacement or the reason contains the text")
        if self.only is None and len(self.text) < MIN_CHARACTERS:
            raise ValueError(
                f"a text of fewer than {MIN_CHARACTERS} characters can only be removed from one record: use --record"
            )

    def may_be_in(self, body: str) -> bool:
        """Return whether a representation contains the text, or an id that was derived from it."""
        return json.dumps(self.text, ensure_ascii=False)[1:-1] in _nfc(body) or self._has_id(body)

    def _has_id(self, text: str) -> bool:
        """Return whether it contains the id that several words of the text form; one word would match too many ids."""
        return self._slug in text and self._id is not None and self._id.search(text) is not None

    @cached_property
    def _slug(self) -> str:
        return slug(self.text)

    @cached_property
    def _id(self) -> re.Pattern[str] | None:
        return re.compile(rf"(?<![a-z0-9]){self._slug}(?![a-z0-9])") if "-" in self._slug else None

    def redact_record(self, resource: Resource, record: dict[str, Any]) -> tuple[set[str], set[str]]:
        """Replace the text in a representation. Return JSON Pointers to where it was removed and to where it remains.

        It is removed from all free text and from URLs. Ids, links and codes stay, even if they were derived from the
        text: «Trần Thị A» remains in `tran-thi-a`.
        """
        paths = [path for path, _ in (*name_texts(resource, record), *other_texts(resource, record))]
        pointers = [self._replace(record, _STEP.findall(path)) for path in [*paths, *url_members(resource)]]
        removed = {pointer for pointer in pointers if pointer}
        remaining = {pointer for pointer, text in _strings(record) if self.text in _nfc(text) or self._has_id(text)}
        return removed, remaining

    def redact_values(self, value: Any) -> Any:
        """Return a JSON value without the text. The members in NAMES stay as they are."""
        if isinstance(value, str):
            return self.redact_text(value)
        if isinstance(value, list):
            return [self.redact_values(item) for item in value]
        if isinstance(value, dict):
            return {name: item if name in NAMES else self.redact_values(item) for name, item in value.items()}
        return value

    def redact_text(self, text: str) -> str:
        """Return a text without the text to remove."""
        return _nfc(text).replace(self.text, self.replacement) if self.text in _nfc(text) else text

    def _replace(self, record: dict[str, Any], steps: Sequence[str]) -> str | None:
        """Replace the text at this path. Return its JSON Pointer, or None if the text is not there."""
        parent: Any = record
        for step in steps[:-1]:
            parent = parent[int(step) if isinstance(parent, list) else step]
        key: Any = int(steps[-1]) if isinstance(parent, list) else steps[-1]
        value = parent[key] if isinstance(parent, list) else parent.get(key)
        if not isinstance(value, str) or self.text not in _nfc(value):
            return None
        parent[key] = _nfc(value).replace(self.text, self.replacement)
        return "/" + "/".join(steps)


@dataclass
class RedactedRecord:
    """The effect of a redaction on one record, or on the rows of another table that belong together."""

    name: RecordName
    versions: list[Any] = field(default_factory=list)  # numbers of the Changes, or rows, that contained the text
    removed: set[str] = field(default_factory=set)  # JSON Pointers, or columns
    remaining: set[str] = field(default_factory=set)  # JSON Pointers
    change: int | None = None  # number of the Change that the redaction wrote
    unit: str = "version"  # name of one of `versions`

    def __str__(self) -> str:
        name = "/".join(self.name)
        lines = []
        if self.versions:
            plural = "s" if len(self.versions) > 1 else ""
            lines.append(f"{name}: {len(self.versions)} {self.unit}{plural}, at {', '.join(sorted(self.removed))}")
        if self.remaining:
            pointers = ", ".join(sorted(self.remaining))
            lines.append(f"{name}: remains at {pointers}, because ids, links and codes do not change")
        return "\n".join(lines)


def redact(database: Database, redaction: Redaction, *, dry_run: bool = False) -> list[RedactedRecord]:
    """Remove the text everywhere, and return where it was. With `dry_run`, change nothing.

    It is one transaction. Afterwards, the many records that link to a redacted one are indexed again in batches.

    Raise ValueError if a record would no longer be valid.
    """
    with database.snapshot() as connection:
        last = connection.scalar(select(func.max(CHANGES.c.sequence))) or 0
        names = set(_records_with_text(connection, redaction, 0))
        if dry_run:
            results = [_Versions(connection, redaction, name).result for name in sorted(names)]
            return [*results, *_redact_other_tables(connection, redaction, dry_run=True)]
    with database.write() as session:
        names |= set(_records_with_text(session.connection(), redaction, last))
        results = [_redact_record(session, redaction, name) for name in sorted(names)]
        if any(result.change for result in results):
            clear_index(session.connection())
        results += _redact_other_tables(session.connection(), redaction, dry_run=False)
        if results:
            database.note_removed_text(session.connection())
    if is_refresh_needed(database) or (not results and database.has_removed_text()):  # the last one was killed
        while refresh_index(database):
            pass
        with database.write() as session:
            clear_index(session.connection())
    return results


def _records_with_text(connection: Connection, redaction: Redaction, after: int) -> Iterator[RecordName]:
    """Yield the record of each Change after this one that contains the text; a record may come several times."""
    columns = [CHANGES.c[name] for name in ("sequence", "resource", "record_id", "body")]
    query = select(*columns).where(CHANGES.c.sequence > after).order_by(CHANGES.c.sequence)
    if redaction.only:
        query = query.where(CHANGES.c.resource == redaction.only[0], CHANGES.c.record_id == redaction.only[1])
    for rows in batches(connection, query, CHUNK):
        yield from ((row.resource, row.record_id) for row in rows if redaction.may_be_in(row.body or ""))


class _Versions:
    """The versions of one record, without the text: their digests. All of them could take too much memory."""

    def __init__(self, connection: Connection, redaction: Redaction, name: RecordName) -> None:
        resource_name, self.record_id = name
        self.resource = RESOURCES[resource_name]
        self._redaction = redaction
        query = select(CHANGES).where(CHANGES.c.resource == resource_name, CHANGES.c.record_id == self.record_id)
        self.result = RedactedRecord(name)
        self.salts: dict[int, str] = {}  # new ones, by the number of the Change whose representation is replaced
        self.digests: list[str] = []  # of the new representations
        self.was_public = False
        self.last: Any = None
        for rows in batches(connection, query.order_by(CHANGES.c.sequence), CHUNK):
            for row in rows:
                self._read(row)
        self.result.versions = list(self.salts)

    def _read(self, change: Any) -> None:
        self.last = change
        self.was_public = self.was_public or bool(change.shown)
        body, is_changed = self.without_text(change.body or "{}")
        if is_changed:
            self.salts[change.sequence] = new_salt()
            self.digests.append(redacted_digest(change.sequence, body, self.salts[change.sequence]))

    def without_text(self, body: str) -> tuple[bytes, bool]:
        """Return a representation without the text, and whether that changed it."""
        if not self._redaction.may_be_in(body):
            return body.encode(), False
        record = from_json(body)
        removed, remaining = self._redaction.redact_record(self.resource, record)
        self.result.removed |= removed
        self.result.remaining |= remaining
        return encode_json(record), bool(removed)

    @property
    def public_action(self) -> str | None:
        """The public action of the redaction; None if the record was never public."""
        return "redact" if self.was_public else None


def _redact_record(session: Session, redaction: Redaction, name: RecordName) -> RedactedRecord:
    record = _Versions(session.connection(), redaction, name)
    if not record.salts:
        return record.result
    digests_json = to_json(record.digests).decode()
    batch = Batch(session, redaction_actor(digests_json))
    present = batch.stored(record.resource, [record.record_id]).get(record.record_id)
    _write_new_version(batch, record, present)
    batch.flush()
    sequence = session.execute(LATEST_CHANGE).one().sequence
    record.result.change = sequence
    _replace_bodies(session.connection(), record, sequence)
    log = {"change": sequence, "at": batch.at, "reason": redaction.reason, "digests": digests_json}
    session.execute(insert(REDACTIONS), log)
    return record.result


def _write_new_version(batch: Batch, record: _Versions, present: StoredRecord | None) -> None:
    """Add the Change of the redaction: a new version of the record, or one more deletion if it was deleted."""
    last = record.last
    body, _ = record.without_text(present.body if present else last.body)
    if present is None:
        batch.redact_deleted(record.resource, record.record_id, last.version + 1, body, record.public_action)
        return
    try:
        fields = accepted_fields(record.resource, body)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        paths = ", ".join(sorted({"/".join(map(str, item["loc"])) for item in errors}))
        raise ValueError(
            "nothing was changed: with this replacement a record would not be valid"
            f" ({record.resource.name}/{record.record_id}: {paths})"
        ) from None
    batch.redact(record.resource, record.record_id, fields, present, record.public_action)


def _replace_bodies(connection: Connection, record: _Versions, redacted: int) -> None:
    """Replace stored representations. They get new salts, so that nobody can guess the text from the old digests."""
    for sequence, salt in record.salts.items():
        is_change = CHANGES.c.sequence == sequence
        body, _ = record.without_text(connection.execute(select(CHANGES.c.body).where(is_change)).scalar_one())
        values = {"body": body.decode(), "salt": salt, "redacted": redacted}
        connection.execute(update(CHANGES).where(is_change).values(values))


def _redact_other_tables(connection: Connection, redaction: Redaction, *, dry_run: bool) -> Iterator[RedactedRecord]:
    """Remove the text from imports, their lines and mappings, unless the redaction is limited to one record.

    The primary key of such a table is the id of the import, and of a line also its number; of a mapping, its owner and
    its name. The text of a document that contains it is removed as a whole.
    """
    for table in SQLModel.metadata.sorted_tables if redaction.only is None else ():
        results: dict[str, RedactedRecord] = {}
        for column in table.c:
            if TEXTS not in column.info:
                continue
            for row_key in _rows_with_text(connection, redaction, column):
                owner = row_key[0]
                number = row_key[-1] if len(row_key) > 1 else 0
                result = results.setdefault(owner, RedactedRecord((table.name, owner), unit=column.info[TEXTS]))
                result.versions = sorted({*result.versions, number})
                result.removed.add(column.name)
                if not dry_run:
                    _redact_row(connection, redaction, column, row_key)
        yield from results.values()


def _redact_row(connection: Connection, redaction: Redaction, column: Column[Any], row_key: tuple[Any, ...]) -> None:
    """Remove the text from one row, or the row with all that belong to it."""
    if REMOVED_BY in column.info:
        column.info[REMOVED_BY](connection, row_key)
        return
    is_row = tuple_(*column.table.primary_key.columns) == row_key
    value = _without_text(redaction, column, connection.execute(select(column).where(is_row)).scalar_one())
    connection.execute(update(column.table).where(is_row).values({column.name: value}))


def _rows_with_text(connection: Connection, redaction: Redaction, column: Column[Any]) -> list[tuple[Any, ...]]:
    """Return the primary key of each row whose JSON in this column contains the text."""
    key = column.table.primary_key.columns
    query = select(*key, column).where(column.is_not(None)).order_by(*key)
    keys: list[tuple[Any, ...]] = []
    for rows in batches(connection, query, CHUNK):
        keys += [tuple(row[:-1]) for row in rows if _without_text(redaction, column, row[-1]) is not None]
    return keys


def _without_text(redaction: Redaction, column: Column[Any], text: str) -> str | None:
    """Return the content of a column without the text; None if the text is not in it."""
    if REMOVED_BY in column.info:
        redacted_text = redaction.redact_text(text)
        return None if redacted_text == text else redacted_text
    value = from_json(text)
    replace = column.info.get(REPLACED_BY)
    redacted = replace(redaction.redact_text, value) if replace else redaction.redact_values(value)
    return None if redacted == value else encode_json(redacted).decode()


def _strings(value: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Yield every string in a JSON value, with its JSON Pointer."""
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _strings(item, f"{pointer}/{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _strings(item, f"{pointer}/{number}")


def _nfc(text: str) -> str:
    return normalized("NFC", text)
