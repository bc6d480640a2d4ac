"""Finding records by the names and codes that a file contains: among those of the registry, and in the file itself.

The file is read first, and its names are collected (`want`). Then the names of the registry are read once, in pages,
and only those that the file contains are kept (`scan`). So the memory depends on the file alone.

Every partner can give any name to its own records. So if several records have a name, it means the record that the
registry curates (`managed_by` is null), or else the record of the caller's partner.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.database.sql import chunks
from app.core.model.resource import RESOURCES, Resource
from app.core.writing.batch import Batch
from app.exchange.imports.planning.names import (
    CODES,
    DELETED,
    NamedRecord,
    codes_of,
    folded_name,
    normalized_name,
    other_names,
    title_member,
    title_texts,
)
from app.exchange.imports.storage.compact import digest

MAX_COMPARED = 50  # records with one name, apart from diacritics and letter case
NAMES_LENGTH = 4_000  # characters of the names of one record by which it is found
MAX_WEIGHT = 8_000_000  # characters of the records that were compared lately
READ_BYTES = 2_000_000  # of representations that are read at once
MAX_NAMES = 500_000  # in a file; each takes about 120 bytes of memory
PAGE = 1_000  # records whose names are read at once


class TooManyNames(Exception):
    """The file has more names than the plan of an import can keep."""


class NameMatch(NamedTuple):
    """A record that a text names, and by what: its name, an alternative name or a code."""

    id: str
    how: str


class _Row(NamedTuple):
    """The names of a record of the registry, folded."""

    id: str
    state: str
    manager: str | None
    names: list[str]


class NameIndex:
    """The records that have the names of a file: those that the caller can see, and those in the file."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self._wanted: dict[str, dict[bytes, list[str] | None]] = {}  # ids by the digest of a folded name, by resource
        self._number = 0  # of these names
        self._managers: dict[tuple[str, str], str | None] = {}  # of the records in `_wanted`
        self._records: dict[tuple[str, str], NamedRecord] = {}  # that were compared lately
        self._weight = 0
        self._in_file: dict[bytes, str | set[str]] = {}  # ids by the digest of a resource and a name

    def want(self, resource: str, text: str) -> None:
        """Add a name that the scan has to find. Raise TooManyNames if there are too many."""
        wanted = self._wanted.setdefault(resource, {})
        before = len(wanted)
        wanted.setdefault(digest(folded_name(text)), None)
        self._number += len(wanted) - before
        if self._number > MAX_NAMES:
            raise TooManyNames

    @property
    def has_wanted(self) -> bool:
        """Whether the scan has anything to find."""
        return bool(self._wanted)

    def is_wanted(self, resource: str, text: str) -> bool:
        """Return whether the file contains this name, apart from diacritics and letter case."""
        return digest(folded_name(text)) in self._wanted.get(resource, ())

    def add(self, resource: str, record: dict[str, Any], record_id: str) -> None:
        """Add those names that a line gives to its record and that the file contains elsewhere too."""
        if resource not in self._wanted:
            return
        texts = [*title_texts(RESOURCES[resource], record).values(), *other_names(record), *codes_of(record)]
        for text in texts:
            if self.is_wanted(resource, text):
                key = digest(resource, normalized_name(text))
                others = self._in_file.setdefault(key, record_id)
                if others != record_id:
                    self._in_file[key] = {record_id}.union([others] if isinstance(others, str) else others)

    def scan(self, session: Session, position: tuple[str, str] = ("", "")) -> tuple[str, str] | None:
        """Read one page of names, after this resource and id. Return where the next page begins; None at the end."""
        names = sorted(name for name in self._wanted if name >= position[0])
        if not names:
            return None
        resource = RESOURCES[names[0]]
        after = position[1] if names[0] == position[0] else ""
        rows = list(page_of_names(session, resource, after))
        for row in rows:
            if self.caller.can_see(row.state, row.manager):
                self._note(resource.name, row)
        if len(rows) == PAGE:
            return resource.name, rows[-1].id
        return (names[1], "") if len(names) > 1 else None

    def _note(self, resource: str, row: _Row) -> None:
        wanted = self._wanted[resource]
        for name in row.names:
            key = digest(name)
            if key in wanted:
                ids = wanted[key] or []
                self._managers[resource, row.id] = row.manager
                if row.id not in ids:
                    ids.append(row.id)
                if len(ids) > 2 * MAX_COMPARED:
                    ids = self._first(resource, ids)
                wanted[key] = ids

    def _first(self, resource: str, ids: list[str]) -> list[str]:
        return sorted(ids, key=lambda record_id: self._preference(resource, record_id))[:MAX_COMPARED]

    def candidates(self, resource: str, text: str) -> list[str]:
        """Return the records of the registry that have this name, apart from diacritics and letter case."""
        ids = self._wanted.get(resource, {}).get(digest(folded_name(text))) or []
        return self._first(resource, ids) if len(ids) > MAX_COMPARED else ids

    def namesakes(self, session: Session, resource: str, text: str) -> set[str]:
        """Return the records of the registry that have this name, also those that the text cannot mean."""
        candidates = self.candidates(resource, text)
        if len(candidates) < 2:
            return set(candidates)
        name = normalized_name(text)
        return {record_id for record_id in candidates if self.record(session, resource, record_id).how(name)}

    def find(self, session: Session, resource: str, text: str, countries: set[str] | None = None) -> list[NameMatch]:
        """Return the records that this text can mean. `countries`: of those in the registry, only records of these."""
        name = normalized_name(text)
        matches: dict[str, str] = {}
        for record_id in self.candidates(resource, text):
            record = self.record(session, resource, record_id)
            how = record.how(name)
            if how and (countries is None or record.country in countries):
                matches[record_id] = how
        in_file = self._in_file.get(digest(resource, name), ())
        for record_id in [in_file] if isinstance(in_file, str) else in_file:
            if countries is None:
                matches.setdefault(record_id, "name")
        best = min((self._preference(resource, record_id) for record_id in matches), default=0)
        return [NameMatch(*item) for item in sorted(matches.items()) if self._preference(resource, item[0]) == best]

    def _preference(self, resource: str, record_id: str) -> int:
        """Return 0 for a curated record, 1 for one of the caller or of the file alone, 2 for others."""
        manager = self._managers.get((resource, record_id), self.caller.partner)
        if manager is None and (resource, record_id) in self._managers:
            return 0
        return 1 if manager == self.caller.partner else 2

    def is_in_registry(self, resource: str, record_id: str) -> bool:
        """Return whether the scan found this record in the registry."""
        return (resource, record_id) in self._managers

    def record(self, session: Session, resource: str, record_id: str) -> NamedRecord:
        """Return a record of the registry, without names if it was deleted meanwhile."""
        if (resource, record_id) not in self._records:
            self.load(session, resource, [record_id])
        return self._records[resource, record_id]

    def load(self, session: Session, resource: str, ids: Iterable[str]) -> None:
        """Read records of the registry that will be compared, with a few statements for all of them."""
        missing = [record_id for record_id in dict.fromkeys(ids) if (resource, record_id) not in self._records]
        if not missing:
            return
        batch = Batch(session, "")
        sizes = batch.stored_sizes(RESOURCES[resource], missing) if len(missing) > 1 else {}
        for part in _parts(missing, sizes):
            present = batch.stored(RESOURCES[resource], part)
            for record_id in part:
                body = present[record_id].body if record_id in present else None
                self._keep(resource, record_id, NamedRecord.of(RESOURCES[resource], body) if body else DELETED)

    def _keep(self, resource: str, record_id: str, record: NamedRecord) -> None:
        self._weight += record.weight()
        if self._weight > MAX_WEIGHT:
            self._records.clear()
            self._weight = record.weight()
        self._records[resource, record_id] = record


def _parts(ids: list[str], sizes: dict[str, int]) -> Iterator[list[str]]:
    """Yield the ids in lists whose representations fit into READ_BYTES, with at least one id in candidate."""
    part: list[str] = []
    size = 0
    for record_id in ids:
        size += sizes.get(record_id, 0)
        if part and size > READ_BYTES:
            yield part
            part = []
            size = sizes.get(record_id, 0)
        part.append(record_id)
    yield part


def page_of_names(session: Session, resource: Resource, after: str) -> Iterator[_Row]:
    """Yield the names and codes of at most PAGE records after an id, in the order of their ids."""
    table = resource.table
    text = getattr(table, f"{title_member(resource)}_text", None)
    columns = [func.substr(text, 1, NAMES_LENGTH)] if text is not None else []
    columns += [getattr(table, name) for name in CODES if hasattr(table, name)]
    query = select(table.id, table.state, table.managed_by, *columns)
    query = query.where(table.id > after).order_by(table.id).limit(PAGE)
    if resource.merged_into_column is not None:
        # A merged record has no names of its own any more, but its row has to count for the length of the page.
        query = query.add_columns(table.merged_into)
    rows = session.execute(query).all()
    ids = [row[0] for row in rows]
    more = _codes(session, resource, ids)
    titles = _titles(session, resource, ids) if text is None else {}
    for row in rows:
        values = row[3 : 3 + len(columns)]
        is_merged = len(row) > 3 + len(columns) and row[-1] is not None
        names = [] if is_merged else [*_names(values, has_text=text is not None), *more.get(row[0], [])]
        yield _Row(row[0], row[1], row[2], [*names, *titles.get(row[0], [])])


def _names(values: Iterable[str | None], *, has_text: bool) -> list[str]:
    names: list[str] = []
    for position, value in enumerate(values):
        if value is not None and position == 0 and has_text:
            names += _complete_names(value)
        elif value is not None:
            names.append(folded_name(value))
    return names


def _complete_names(text: str) -> list[str]:
    """Return the names in a text of at most NAMES_LENGTH characters, of which the last can be cut off."""
    names = text.split(" | ")
    return [" ".join(name.split()) for name in (names[:-1] if len(text) == NAMES_LENGTH else names)]


def _codes(session: Session, resource: Resource, ids: list[str]) -> dict[str, list[str]]:
    """Return the folded codes of these records, alone and with their schemes."""
    table = resource.identifiers
    codes: dict[str, list[str]] = {}
    for chunk in chunks(ids) if table is not None else ():
        assert table is not None
        query = select(table.c.record_id, table.c.scheme, table.c.value).where(table.c.record_id.in_(chunk))
        for record_id, scheme, value in session.execute(query):
            codes.setdefault(record_id, []).extend((folded_name(value), folded_name(f"{scheme}:{value}")))
    return codes


def _titles(session: Session, resource: Resource, ids: list[str]) -> dict[str, list[str]]:
    """Return the folded names of records whose table has no column with them."""
    if not title_member(resource):
        return {}
    batch = Batch(session, "")
    titles: dict[str, list[str]] = {}
    for part in _parts(ids, batch.stored_sizes(resource, ids)):
        for record_id, stored in batch.stored(resource, part).items():
            titles[record_id] = list(map(folded_name, NamedRecord.of(resource, stored.body).titles.values()))
    return titles
