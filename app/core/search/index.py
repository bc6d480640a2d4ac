"""The index: which terms and names are stored for each public record, and how they are updated.

It is written in the transaction that writes the records. SQLite stores the terms in an FTS5 table, PostgreSQL in a
tsvector column. Both only return the records that have certain terms, in the order of `docid`. What a term is
(`tokens`) and the order of hits (`ranking`) are decided in Python, so both engines return the same.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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

from app.core.change_log import CHANGES
from app.core.database.engine import Database
from app.core.database.sql import chunks
from app.core.database.statements import Query
from app.core.database.tables import BYTEWISE, SEQUENCE
from app.core.errors import Unavailable
from app.core.model.resource import RESOURCES, Resource
from app.core.model.texts import name_texts, other_texts
from app.core.progress import advance
from app.core.search.tokens import TEXT, terms, tokenize
from app.core.search.vocabulary import PAIRS, WORDS, update_counts
from app.core.values.json import from_json

# The version number of the rules that turn a record into an `IndexEntry`. Raise it when an entry changes for the same
# record. `hoptac migrate` then builds the index again.
INDEXING = 4

BATCH = 2_000  # records that `fill_index` writes in one transaction
MAX_ENTRY_SIZE = 200_000  # characters of the terms of one record; PostgreSQL accepts a megabyte
SPAN = 1 << 40  # the docids of a resource start at its number times this

RECORDS = Table(
    "search_records",
    SQLModel.metadata,
    Column("docid", SEQUENCE, primary_key=True, autoincrement=False),
    Column("resource", BYTEWISE, nullable=False),
    Column("record_id", BYTEWISE, nullable=False),
    Column("names", Text, nullable=False),  # see `IndexEntry.names`
    UniqueConstraint("resource", "record_id"),
)

STATE = Table(
    "search_state",
    SQLModel.metadata,
    Column("indexing", Integer, primary_key=True, autoincrement=False),
    Column("complete", Boolean, nullable=False),
)

READY = Query(select(STATE.c.indexing).where(STATE.c.complete))

# This table is not in the metadata, because it is an FTS5 table on SQLite and has a tsvector with a GIN index on
# PostgreSQL.
TERMS = table("search_terms", column("rowid"), column("terms"))

_ADD = {
    "sqlite": text("INSERT INTO search_terms (rowid, terms) VALUES (:docid, :terms)"),
    "postgresql": text(
        "INSERT INTO search_terms (rowid, terms) VALUES (:docid, array_to_tsvector(string_to_array(:terms, ' ')))"
    ),
}

# FTS5 does not store the terms of a row by themselves, so it can only remove a row whose terms it receives again.
_REMOVE = {
    "sqlite": text("INSERT INTO search_terms (search_terms, rowid, terms) VALUES ('delete', :docid, :terms)"),
    "postgresql": text("DELETE FROM search_terms WHERE rowid = :docid"),
}

_EMPTY = {
    "sqlite": text("INSERT INTO search_terms (search_terms) VALUES ('delete-all')"),
    "postgresql": text("TRUNCATE search_terms"),
}


class IndexEntry(NamedTuple):
    """What the index stores for one record.

    `names` are the folded names that the ranking compares with a query. Each name is a line, and each word has a space
    before and after it: "\\n ha noi \\n hanoi \\n". `terms` are separated by spaces.
    """

    names: str
    terms: str

    @classmethod
    def of(cls, resource: Resource, body: str | bytes | None) -> "IndexEntry | None":
        """Return the entry for a representation, or None if the record is a draft, merged or deleted (no body)."""
        record: Any = from_json(body) if body else {"state": "draft"}
        if record["state"] != "published" or record.get("merged_into"):
            return None
        own_names = [name for _, name in name_texts(resource, record)]
        text = "\n".join([*own_names, *(other for _, other in other_texts(resource, record))])
        codes = [record["id"], *(identifier["value"] for identifier in record.get("identifiers", ()))]
        codes += [record[name] for name in resource.unique if record.get(name)]
        tokenized = [tokenize(name) for name in own_names]
        joined = " ".join(sorted(terms(tokenized, map(tokenize, codes), text)))
        if len(joined) > MAX_ENTRY_SIZE:
            joined = joined[:MAX_ENTRY_SIZE].rpartition(" ")[0]
        lines = [f" {' '.join(token.folded for token in name)} \n" for name in tokenized]
        return cls("\n" + "".join(lines), joined)

    def vocabulary(self) -> Iterator[str]:
        """Yield the folded words of the record."""
        return (term[1:] for term in self.terms.split(" ") if term[0] == TEXT)


class IndexWrite(NamedTuple):
    """A written record with its representations before and after the write. None stands for no record."""

    resource: Resource
    record_id: str
    before: str | bytes | None
    after: str | bytes | None


class _EntryChange(NamedTuple):
    """A changed entry. `before` is None for a new one, `after` for a removed one."""

    docid: int
    write: IndexWrite
    before: IndexEntry | None
    after: IndexEntry | None


def update_index(connection: Connection, writes: Sequence[IndexWrite]) -> int:
    """Write the entries of these records in the transaction of the connection.

    Return about how many bytes words take on disk that are new to the vocabulary. Raise Unavailable if the index was
    written by another version of the program. Its entries could not be removed then, because their terms would be
    computed differently.
    """
    if connection.scalar(select(STATE.c.indexing)) != INDEXING:
        raise Unavailable("The search index belongs to another version of this program. Run `hoptac migrate`.")
    changes = _entry_changes(connection, writes)
    deleted = [{"key": change.docid} for change in changes if not change.after]
    renamed = [
        {"key": change.docid, "names": change.after.names} for change in changes if change.before and change.after
    ]
    inserted = [
        {
            "docid": change.docid,
            "resource": change.write.resource.name,
            "record_id": change.write.record_id,
            "names": change.after.names,
        }
        for change in changes
        if change.after and not change.before
    ]
    removed_terms = [{"docid": change.docid, "terms": change.before.terms} for change in changes if change.before]
    added_terms = [{"docid": change.docid, "terms": change.after.terms} for change in changes if change.after]
    engine = connection.dialect.name
    for statement, rows in (
        (_REMOVE[engine], removed_terms),
        (delete(RECORDS).where(RECORDS.c.docid == bindparam("key")), deleted),
        (update(RECORDS).where(RECORDS.c.docid == bindparam("key")), renamed),
        (insert(RECORDS), inserted),
        (_ADD[engine], added_terms),
    ):
        if rows:
            connection.execute(statement, rows)
    return update_counts(connection, _count_differences(changes))


def _count_differences(changes: Iterable[_EntryChange]) -> Counter[str]:
    """Return how many more (or fewer) records contain each word."""
    differences: Counter[str] = Counter()
    for change in changes:
        differences.subtract(change.before.vocabulary() if change.before else ())
        differences.update(change.after.vocabulary() if change.after else ())
    return differences


def _entry_changes(connection: Connection, writes: Sequence[IndexWrite]) -> list[_EntryChange]:
    """Return the entries that differ, in the order of their docids, in which FTS5 writes fastest."""
    changes: list[_EntryChange] = []
    by_resource: dict[str, list[IndexWrite]] = {}
    for write in writes:
        by_resource.setdefault(write.resource.name, []).append(write)
    for name, group in by_resource.items():
        docids = _docids(connection, name, [write.record_id for write in group if write.before])
        first = RESOURCES[name].number * SPAN
        of_resource = RECORDS.c.docid.between(first, first + SPAN - 1)
        last = connection.scalar(select(func.max(RECORDS.c.docid)).where(of_resource)) or first
        for write in group:
            # A record that `fill_index` has not reached yet has a previous representation but no entry.
            before = IndexEntry.of(write.resource, write.before) if write.record_id in docids else None
            after = IndexEntry.of(write.resource, write.after)
            if before == after:
                continue
            if before is None:
                last += 1
            changes.append(_EntryChange(docids.get(write.record_id, last), write, before, after))
    return sorted(changes, key=lambda change: change.docid)


def _docids(connection: Connection, resource: str, ids: list[str]) -> dict[str, int]:
    docids: dict[str, int] = {}
    query = select(RECORDS.c.record_id, RECORDS.c.docid).where(RECORDS.c.resource == resource)
    for chunk in chunks(ids):
        docids.update(map(tuple, connection.execute(query.where(RECORDS.c.record_id.in_(chunk)))))
    return docids


def clear_index(connection: Connection) -> None:
    """Erase removed terms from the database. FTS5 only marks them as removed until it merges its segments."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("INSERT INTO search_terms (search_terms) VALUES ('optimize')"))


def prepare_index(connection: Connection) -> None:
    """Empty the index if it was written with another `INDEXING`, so that `fill_index` fills it again."""
    if connection.scalar(select(STATE.c.indexing)) == INDEXING:
        return
    connection.execute(_EMPTY[connection.dialect.name])
    for emptied in (RECORDS, WORDS, PAIRS, STATE):
        connection.execute(delete(emptied))
    complete = not any(_missing(connection, resource, "", 1) for resource in RESOURCES.values())
    connection.execute(insert(STATE), {"indexing": INDEXING, "complete": complete})


def fill_index(database: Database) -> int:
    """Index every public record that is not in the index yet, in batches. Return the number of these records."""
    with database.write() as session:
        prepare_index(session.connection())
        if session.connection().scalar(select(STATE.c.complete)):
            return 0
    total = sum(_fill(database, resource) for resource in RESOURCES.values())
    with database.write() as session:
        session.connection().execute(update(STATE).values(complete=True))
    return total


def _fill(database: Database, resource: Resource) -> int:
    total = 0
    last = ""
    while True:
        with database.write() as session:
            missing = _missing(session.connection(), resource, last, BATCH)
            update_index(session.connection(), missing)
        total += len(missing)
        advance(len(missing))
        if len(missing) < BATCH:
            return total
        last = missing[-1].record_id


def _missing(connection: Connection, resource: Resource, after: str, limit: int) -> list[IndexWrite]:
    """Return public records with an id after this one that are not in the index, in the order of their ids."""
    row: Any = resource.table
    body = func.coalesce(row.body, CHANGES.c.body)
    query = select(row.id, body).join(CHANGES, CHANGES.c.sequence == row.change)
    query = query.outerjoin(RECORDS, and_(RECORDS.c.resource == resource.name, RECORDS.c.record_id == row.id))
    query = query.where(row.state == "published", RECORDS.c.docid.is_(None), row.id > after)
    rows = connection.execute(query.order_by(row.id).limit(limit))
    return [IndexWrite(resource, record_id, None, body) for record_id, body in rows]
