"""The index: which terms and names are stored for each public record, and how they are updated.

It is written in the transaction that writes the records. SQLite stores the terms in an FTS5 table, PostgreSQL in a
tsvector column. Both only return the records that have certain terms, in the order of `docid`. What a term is
(`tokens`) and the order of hits (`ranking`) are decided in Python, so both engines return the same.

FTS5 reads its matches in the order of docid and stops after some of them. The GIN index of PostgreSQL returns all of
them. Therefore each row on PostgreSQL has two more terms: the numbers of its blocks of 8,192 and of 65,536 docids. With
them, a search reads the matches of some blocks only.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, literal_column, select, text

from app.core.database.connection_reads import rows_of
from app.core.database.sql import block_term, chunks, one_of
from app.core.database.statements import Query
from app.core.errors import Unavailable
from app.core.model.resource import RESOURCES, Resource
from app.core.model.row_writes import delete_rows, insert_rows, update_rows
from app.core.search.about import Facts, Reference, facts_of, label_in, label_of
from app.core.search.entries import INDEXING, IndexEntry, LinkTexts, as_counted, public_record, words_in
from app.core.search.linked import (
    Linking,
    few_linking,
    misplaced,
    queue_refresh,
    reference_data_among,
    reference_links,
    with_bodies,
)
from app.core.search.stored_terms import TermCodec, codec_of, learn, learn_if_many
from app.core.search.tables import BLOCK_BITS, LARGE_BLOCK_BITS, RECORDS, REFERENCE_DATA, SPAN, STATE, TERMS
from app.core.search.vocabulary import update_counts

# The terms of the blocks that contain a docid, as SQL.
_BLOCK_TERMS = "ARRAY[{}, {}]".format(
    *(block_term(bits, f"({{docid}} >> {bits})") for bits in (BLOCK_BITS, LARGE_BLOCK_BITS))
)
_NEW_BLOCK_TERMS = _BLOCK_TERMS.format(docid="docid")

_ADD = "INSERT INTO search_terms (rowid, terms) VALUES (?, ?)"
_REMOVE = "INSERT INTO search_terms (search_terms, rowid, terms) VALUES ('delete', ?, ?)"
_ADD_ON_POSTGRESQL = (
    "INSERT INTO search_terms (rowid, terms)"
    f" SELECT docid, array_to_tsvector(string_to_array(terms, ' ') || {_NEW_BLOCK_TERMS})"
    " FROM unnest(%b::bigint[], %b::text[]) AS v (docid, terms)"
)

_OF_RECORDS = (RECORDS.c.resource == bindparam("resource"), one_of(RECORDS.c.record_id, "ids"))
_PREVIEWS = Query(select(RECORDS.c.record_id, RECORDS.c.preview).where(*_OF_RECORDS), looks_up=True)
_ENTRY = (RECORDS.c.record_id, RECORDS.c.docid, RECORDS.c.preview)
_BLOCK_TERMS_OF_ROW: Any = literal_column(_BLOCK_TERMS.format(docid="search_terms.rowid"))
_OWN_TERMS = func.tsvector_to_array(func.ts_delete(TERMS.c.terms, _BLOCK_TERMS_OF_ROW))
_PRESENT = Query(
    select(*_ENTRY, RECORDS.c.stored_terms).where(*_OF_RECORDS),
    select(*_ENTRY, func.array_to_string(_OWN_TERMS, " "))
    .join(TERMS, TERMS.c.rowid == RECORDS.c.docid)
    .where(*_OF_RECORDS),
    looks_up=True,
)
_LAST_DOCID = Query(
    select(func.max(RECORDS.c.docid)).where(RECORDS.c.docid.between(bindparam("first"), bindparam("last")))
)
_STATE = Query(select(STATE.c.indexing, STATE.c.complete, STATE.c.dictionary_id))


class IndexWrite(NamedTuple):
    """A written record with its representations before and after the write. None stands for no record."""

    resource: Resource
    record_id: str
    before: str | bytes | None
    after: str | bytes | None


class _EntryChange(NamedTuple):
    """An entry to write. `stored` are its terms now, None for a new one; `after` is None for a removed one.

    `docid` is the present docid, or that of a new entry. `moved_to` is its new docid if the record became reference
    data or no longer is. `label` is the stored label.
    """

    docid: int
    moved_to: int | None
    write: IndexWrite
    record: dict[str, Any] | None
    stored: str | None
    label: str
    after: IndexEntry | None

    @property
    def reference(self) -> Reference:
        return Reference(self.write.resource.name, self.write.record_id)

    @property
    def new_docid(self) -> int:
        return self.docid if self.moved_to is None else self.moved_to


def update_index(connection: Connection, writes: Sequence[IndexWrite]) -> Mapping[Reference, int]:
    """Write the entries of these records in the transaction of the connection, and of those that depend on them.

    Return about how many bytes the words take on disk that are new to the vocabulary, by record.
    Raise Unavailable if the index was written by another version of the program.
    """
    indexing, is_complete, dictionary_id = next(iter(rows_of(connection, _STATE)), (None, False, None))
    if indexing != INDEXING:
        raise Unavailable("The search index belongs to another version of this program. Run `hoptac migrate`.")
    codec = codec_of(connection, dictionary_id or learn_if_many(connection))
    sizes: Counter[Reference] = Counter()
    written: dict[Reference, str | bytes | None] = {}
    while writes:
        written |= {Reference(write.resource.name, write.record_id): write.after for write in writes}
        changes = _entry_changes(connection, writes, codec, is_complete=bool(is_complete))
        _write_entries(connection, changes, codec)
        sizes += _sizes(changes, update_counts(connection, _count_differences(changes)))
        writes = _dependent_writes(connection, changes, written)
    return sizes


def _sizes(changes: Iterable[_EntryChange], new_words: Mapping[str, int]) -> Counter[Reference]:
    """Return about how many bytes new words take on disk, by the first record that has each of them."""
    sizes: Counter[Reference] = Counter()
    remaining = set(new_words)
    for change in changes:
        if change.after and remaining:
            is_reference = change.new_docid >= REFERENCE_DATA
            own = remaining.intersection(as_counted(change.after.words, is_reference=is_reference))
            sizes[change.reference] += sum(new_words[word] for word in own)
            remaining -= own
    return sizes


def _write_entries(connection: Connection, changes: Iterable[_EntryChange], codec: TermCodec) -> None:
    # PostgreSQL can read the terms of a tsvector.
    stored = codec if connection.dialect.name == "sqlite" else None
    present = [change for change in changes if change.stored is not None]
    remaining = [change for change in changes if change.after]
    inserted = [change for change in remaining if change.stored is None]
    with_other_terms = [change for change in changes if change.moved_to is not None or not _has_same_terms(change)]
    _remove_terms(connection, [(change.docid, change.stored) for change in with_other_terms if change.stored])
    moved = [change for change in present if change.after and change.moved_to is not None]
    updated = [change for change in present if change.after and change.moved_to is None]
    deleted = [change for change in present if not change.after]
    delete_rows(connection, RECORDS, "docid", [change.docid for change in (*moved, *deleted)])
    update_rows(connection, RECORDS, "docid", [_columns(change, stored) for change in updated])
    insert_rows(connection, RECORDS, [_columns(change, stored) for change in (*moved, *inserted)])
    add_terms(connection, [(change.new_docid, change.after.terms) for change in with_other_terms if change.after])


def add_terms(connection: Connection, terms: list[tuple[int, str]]) -> None:
    """Index the terms of docids that have none."""
    if terms and connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_ADD, terms)
    elif terms:
        connection.exec_driver_sql(_ADD_ON_POSTGRESQL, tuple(map(list, zip(*terms, strict=True))))


def _remove_terms(connection: Connection, terms: list[tuple[int, str]]) -> None:
    """Remove the terms of docids. FTS5 needs to be given the terms that it has."""
    if terms and connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_REMOVE, terms)
    elif terms:
        delete_rows(connection, TERMS, "rowid", [docid for docid, _ in terms])


def _has_same_terms(change: _EntryChange) -> bool:
    if change.stored is None or change.after is None:
        return False
    return set(change.stored.split(" ")) == set(change.after.terms.split(" "))


def _columns(change: _EntryChange, codec: TermCodec | None) -> dict[str, Any]:
    assert change.after is not None
    texts: dict[str, Any] = {name: getattr(change.after, name) for name in ("names", "texts", "about", "preview")}
    texts["stored_terms"] = codec.compress(change.after.terms) if codec else None
    key = {"resource": change.write.resource.name, "record_id": change.write.record_id}
    return {"docid": change.new_docid, **key, **texts}


def _count_differences(changes: Iterable[_EntryChange]) -> Counter[str]:
    """Return how many more (or fewer) records contain each word. Those of reference data are counted apart."""
    differences: Counter[str] = Counter()
    for change in changes:
        if change.moved_to is None and _has_same_terms(change):
            continue
        if change.stored:
            is_reference = change.docid >= REFERENCE_DATA
            differences.subtract(as_counted(words_in(change.stored), is_reference=is_reference))
        if change.after:
            is_reference = change.new_docid >= REFERENCE_DATA
            differences.update(as_counted(change.after.words, is_reference=is_reference))
    return differences


def _entry_changes(
    connection: Connection, writes: Sequence[IndexWrite], codec: TermCodec, *, is_complete: bool
) -> list[_EntryChange]:
    """Return the entries to write, in the order of their docids, in which FTS5 writes fastest."""
    public = {Reference(write.resource.name, write.record_id): public_record(write.after) for write in writes}
    facts = {key: facts_of(RESOURCES[key.resource], record) for key, record in public.items() if record}
    labels = _labels(connection, public, facts, is_complete=is_complete)
    link_texts = LinkTexts()
    changes: list[_EntryChange] = []
    by_resource: dict[str, list[IndexWrite]] = {}
    for write in writes:
        by_resource.setdefault(write.resource.name, []).append(write)
    for name, group in by_resource.items():
        resource = RESOURCES[name]
        present = _present(connection, resource, [write.record_id for write in group if write.before], codec)
        reference_data = reference_data_among(connection, resource, public)
        numbering = _Numbering(connection, resource)
        for write in group:
            key = Reference(name, write.record_id)
            record = public[key]
            after = IndexEntry.of(resource, record, facts[key], labels, link_texts) if record else None
            # A record that `fill_index` has not reached yet has a previous representation but no entry.
            docid, label, stored = present.get(write.record_id, (None, "", None))
            if after is None and docid is None:
                continue
            is_reference = write.record_id in reference_data
            moved_to = None
            if docid is None:
                docid = numbering.next(is_reference)
            elif after and is_reference != (docid >= REFERENCE_DATA):
                moved_to = numbering.next(is_reference)
            changes.append(_EntryChange(docid, moved_to, write, record, stored, label, after))
    return sorted(changes, key=lambda change: change.docid)


class _Numbering:
    """The next docids of a resource, and of its reference data."""

    def __init__(self, connection: Connection, resource: Resource) -> None:
        self._connection = connection
        self._first = resource.number * SPAN
        self._last: dict[bool, int] = {}

    def next(self, is_reference: bool) -> int:
        first = self._first + (REFERENCE_DATA if is_reference else 0)
        if is_reference not in self._last:
            ((last,),) = rows_of(self._connection, _LAST_DOCID, first=first, last=first + SPAN - 1)
            self._last[is_reference] = last or first
        self._last[is_reference] += 1
        return self._last[is_reference]


def _labels(
    connection: Connection,
    written: Mapping[Reference, dict[str, Any] | None],
    facts: Mapping[Reference, Facts],
    *,
    is_complete: bool,
) -> dict[Reference, str]:
    """Return the labels of the public records to which the written ones link.

    They are in the index. While it is being filled, those that it does not have yet are made from the records.
    """
    labels = {key: label_of(RESOURCES[key.resource], record) for key, record in written.items() if record}
    unknown: dict[str, set[str]] = {}
    for of_record in facts.values():
        for reference in of_record.references:
            if reference not in written:
                unknown.setdefault(reference.resource, set()).add(reference.record_id)
    for name, ids in unknown.items():
        for chunk in chunks(sorted(ids)):
            rows = rows_of(connection, _PREVIEWS, resource=name, ids=chunk)
            labels_by_id = {record_id: label_in(RESOURCES[name], preview) for record_id, preview in rows}
            missing = set() if is_complete else set(chunk) - labels_by_id.keys()
            for linked in with_bodies(connection, RESOURCES[name], missing):
                record = public_record(linked.body)
                labels_by_id[linked.record_id] = label_of(linked.resource, record) if record else ""
            labels |= {Reference(name, record_id): label for record_id, label in labels_by_id.items()}
    return labels


def _present(
    connection: Connection, resource: Resource, ids: list[str], codec: TermCodec
) -> dict[str, tuple[int, str, str]]:
    """Return docid, label and terms of the entries of these records."""
    present: dict[str, tuple[int, str, str]] = {}
    for chunk in chunks(ids):
        for record_id, docid, preview, stored in rows_of(connection, _PRESENT, resource=resource.name, ids=chunk):
            terms_now = stored if isinstance(stored, str) else codec.decompress(stored)
            present[record_id] = (docid, label_in(resource, preview), terms_now)
    return present


def _dependent_writes(
    connection: Connection, changes: Sequence[_EntryChange], written: Mapping[Reference, str | bytes | None]
) -> list[IndexWrite]:
    """Return the records that have to be indexed again because of some changes.

    These are the records that link to one with another name, if they are few; and reference data to which a record
    links now, or does not link any more.
    """
    linking: list[Linking] = []
    few: dict[Reference, int] = {}
    added: set[Reference] = set()
    removed: set[Reference] = set()
    for change in changes:
        if change.write.before and change.label != _label_after(change):
            more = few_linking(connection, change.reference, sum(few.values()))
            if more is None:
                queue_refresh(connection, change.reference)
            few |= more or {}
        before, after = _reference_links(change)
        added |= after - before
        removed |= before - after
    for name in sorted({reference.resource for reference in few}):
        ids = {reference.record_id for reference in few if reference.resource == name and reference not in written}
        linking += with_bodies(connection, RESOURCES[name], ids)
    linking += misplaced(connection, added, removed, written, sum(few.values()))
    different = {item.reference: item for item in linking}
    return [IndexWrite(item.resource, item.record_id, item.body, item.body) for item in different.values()]


def _label_after(change: _EntryChange) -> str:
    return label_in(change.write.resource, change.after.preview) if change.after else ""


def _reference_links(change: _EntryChange) -> tuple[set[Reference], set[Reference]]:
    """Return the links of a record to possible reference data, before and after a change.

    Links to itself do not count.
    """
    before: set[Reference] = set()
    after: set[Reference] = set()
    resource = change.write.resource
    if change.stored is not None and change.docid < REFERENCE_DATA:
        before = reference_links(resource, public_record(change.write.before))
    if change.after and change.new_docid < REFERENCE_DATA:
        after = reference_links(resource, change.record)
    return before, after


def clear_index(connection: Connection) -> None:
    """Erase removed terms from the database. FTS5 only marks them as removed until it merges its segments."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("INSERT INTO search_terms (search_terms) VALUES ('optimize')"))
        if connection.scalar(select(STATE.c.dictionary_id)) is not None:
            learn(connection)
