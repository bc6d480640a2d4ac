"""The index that search reads: written in the transaction of the records, the same terms on both engines.

The engines hold sets of terms and answer boolean questions about them, in the order of `docid`; what a term is, and in
which order hits are shown, is decided in Python (words, matching). Only published records are in it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    and_,
    bindparam,
    column,
    delete,
    func,
    insert,
    select,
    table,
    text,
    update,
)
from sqlmodel import SQLModel

from app.core.database.engine import Database
from app.core.database.sql import chunks
from app.core.database.statements import Query
from app.core.database.tables import BYTEWISE, SEQUENCE
from app.core.errors import Unavailable
from app.core.log import CHANGES
from app.core.model.resource import RESOURCES, Resource
from app.core.model.texts import name_texts, other_texts
from app.core.search.tokens import TEXT, terms, words
from app.core.search.vocabulary import PAIRS, WORDS, update_counts
from app.core.values.json import from_json

# The number of the present indexing: raise it when other terms are made of the same record; migrate indexes anew.
INDEXING = 3

BATCH = 2_000

MAX_ENTRY_SIZE = 200_000  # characters of terms of one record; PostgreSQL takes a megabyte

SPAN = 1 << 40  # docids of a resource start at its number times this

RECORDS = Table(
    "search_records",
    SQLModel.metadata,
    Column("docid", SEQUENCE, primary_key=True, autoincrement=False),
    Column("resource", BYTEWISE, nullable=False),
    Column("record_id", BYTEWISE, nullable=False),
    Column("names", Text, nullable=False),  # folded, each on a line, between blanks: to rank by
    UniqueConstraint("resource", "record_id"),
)

STATE = Table(
    "search_state",
    SQLModel.metadata,
    Column("indexing", Integer, primary_key=True, autoincrement=False),
    Column("complete", Boolean, nullable=False),
)

READY = Query(select(STATE.c.indexing).where(STATE.c.complete))

# The terms themselves are not in the metadata: an FTS5 table on SQLite, a tsvector under GIN on PostgreSQL.
TERMS = table("search_terms", column("rowid"), column("terms"))

_ADD = {
    "sqlite": text("INSERT INTO search_terms (rowid, terms) VALUES (:docid, :terms)"),
    "postgresql": text(
        "INSERT INTO search_terms (rowid, terms) VALUES (:docid, array_to_tsvector(string_to_array(:terms, ' ')))"
    ),
}

_REMOVE = {
    "sqlite": text("INSERT INTO search_terms (search_terms, rowid, terms) VALUES ('delete', :docid, :terms)"),
    "postgresql": text("DELETE FROM search_terms WHERE rowid = :docid"),
}

_EMPTY = {
    "sqlite": text("INSERT INTO search_terms (search_terms) VALUES ('delete-all')"),
    "postgresql": text("TRUNCATE search_terms"),
}


class IndexEntry(NamedTuple):
    """What the index holds of a record."""

    names: str
    terms: str

    @classmethod
    def of(cls, resource: Resource, body: str | bytes | None) -> "IndexEntry | None":
        """The entry of a record with this representation; None when it is not public, or was merged into another."""
        record: Any = from_json(body) if body else {"state": "draft"}
        if record["state"] != "published" or record.get("merged_into"):
            return None
        called = [text for _, text in name_texts(resource, record)]
        text = "\n".join([*called, *(text for _, text in other_texts(resource, record))])
        codes = [record["id"], *(each["value"] for each in record.get("identifiers", ()))]
        codes += [record[name] for name in resource.unique if record.get(name)]
        named = [words(name) for name in called]
        joined = " ".join(sorted(terms(named, map(words, codes), text)))
        if len(joined) > MAX_ENTRY_SIZE:
            joined = joined[:MAX_ENTRY_SIZE].rpartition(" ")[0]
        lines = [f" {' '.join(each.folded for each in name)} \n" for name in named]
        return cls("\n" + "".join(lines), joined)

    def vocabulary(self) -> Iterator[str]:
        """The folded words in it."""
        return (term[1:] for term in self.terms.split(" ") if term[0] == TEXT)


class IndexWrite(NamedTuple):
    """A record that changes: its representation as it was, and as it becomes."""

    resource: Resource
    record_id: str
    before: str | bytes | None
    after: str | bytes | None


class _Step(NamedTuple):
    """A record's entry as it was and as it becomes, and its place in the index."""

    docid: int
    write: IndexWrite
    before: IndexEntry | None
    after: IndexEntry | None


def update_index(connection: Connection, writes: Sequence[IndexWrite]) -> None:
    """Bring the index up to these writes, in their transaction; Unavailable when another program made the index."""
    if connection.scalar(select(STATE.c.indexing)) != INDEXING:
        raise Unavailable("The search index is not of this program: run `hoptac migrate`.")
    steps = _steps(connection, writes)
    gone = [{"key": step.docid} for step in steps if not step.after]
    renamed = [{"key": step.docid, "names": step.after.names} for step in steps if step.before and step.after]
    fresh = [
        {
            "docid": step.docid,
            "resource": step.write.resource.name,
            "record_id": step.write.record_id,
            "names": step.after.names,
        }
        for step in steps
        if step.after and not step.before
    ]
    removed = [{"docid": step.docid, "terms": step.before.terms} for step in steps if step.before]
    added = [{"docid": step.docid, "terms": step.after.terms} for step in steps if step.after]
    engine = connection.dialect.name
    for statement, rows in (
        (_REMOVE[engine], removed),
        (delete(RECORDS).where(RECORDS.c.docid == bindparam("key")), gone),
        (update(RECORDS).where(RECORDS.c.docid == bindparam("key")), renamed),
        (insert(RECORDS), fresh),
        (_ADD[engine], added),
    ):
        if rows:
            connection.execute(statement, rows)
    change: Counter[str] = Counter()
    for step in steps:
        change.subtract(step.before.vocabulary() if step.before else ())
        change.update(step.after.vocabulary() if step.after else ())
    update_counts(connection, change)


def _steps(connection: Connection, writes: Sequence[IndexWrite]) -> list[_Step]:
    """What changes in the index, by docid: FTS5 writes ascending ids at once."""
    steps: list[_Step] = []
    by_resource: dict[str, list[IndexWrite]] = {}
    for each in writes:
        by_resource.setdefault(each.resource.name, []).append(each)
    for name, group in by_resource.items():
        known = _docids(connection, name, [each.record_id for each in group if each.before])
        start = RESOURCES[name].number * SPAN
        within = RECORDS.c.docid.between(start, start + SPAN - 1)
        last = connection.scalar(select(func.max(RECORDS.c.docid)).where(within)) or start
        for each in group:
            before = IndexEntry.of(each.resource, each.before) if each.record_id in known else None
            after = IndexEntry.of(each.resource, each.after)
            if before != after:
                last += before is None
                steps.append(_Step(known.get(each.record_id, last), each, before, after))
    return sorted(steps, key=lambda step: step.docid)


def _docids(connection: Connection, resource: str, ids: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    query = select(RECORDS.c.record_id, RECORDS.c.docid).where(RECORDS.c.resource == resource)
    for chunk in chunks(ids):
        found.update(map(tuple, connection.execute(query.where(RECORDS.c.record_id.in_(chunk)))))
    return found


def clear_index(connection: Connection) -> None:
    """Leave nothing of terms that were removed: FTS5 only marks them until it merges its segments."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("INSERT INTO search_terms (search_terms) VALUES ('optimize')"))


def prepare_index(connection: Connection) -> None:
    """See that the index is one of the present indexing: if not, empty it, to be filled by `fill_index`."""
    if connection.scalar(select(STATE.c.indexing)) == INDEXING:
        return
    connection.execute(_EMPTY[connection.dialect.name])
    for each in (RECORDS, WORDS, PAIRS, STATE):
        connection.execute(delete(each))
    complete = not any(_missing(connection, resource, "", 1) for resource in RESOURCES.values())
    connection.execute(insert(STATE), {"indexing": INDEXING, "complete": complete})


def fill_index(database: Database) -> int:
    """Index every public record that is not in the index, batch by batch; returns how many there were."""
    with database.write() as session:
        prepare_index(session.connection())
        if session.connection().scalar(select(STATE.c.complete)):
            return 0
    total = sum(_fill(database, resource) for resource in RESOURCES.values())
    with database.write() as session:
        session.connection().execute(update(STATE).values(complete=True))
    return total


def _fill(database: Database, resource: Resource) -> int:
    total, last, missing = 0, "", None
    while missing is None or len(missing) == BATCH:
        with database.write() as session:
            missing = _missing(session.connection(), resource, last, BATCH)
            update_index(session.connection(), missing)
        total += len(missing)
        last = missing[-1].record_id if missing else last
    return total


def _missing(connection: Connection, resource: Resource, after: str, limit: int) -> list[IndexWrite]:
    """Public records behind this id that are not in the index."""
    row: Any = resource.table
    body = func.coalesce(row.body, CHANGES.c.body)
    query = select(row.id, body).join(CHANGES, CHANGES.c.sequence == row.change)
    query = query.outerjoin(RECORDS, and_(RECORDS.c.resource == resource.name, RECORDS.c.record_id == row.id))
    query = query.where(row.state == "published", RECORDS.c.docid.is_(None), row.id > after)
    rows = connection.execute(query.order_by(row.id).limit(limit))
    return [IndexWrite(resource, record_id, None, body) for record_id, body in rows]
