"""The plan of an import: the record of each line, and the order in which the lines are written."""

import json
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import chain
from typing import Any

from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.error_codes import ERROR_DETAILS
from app.core.errors import ErrorItem, Invalid
from app.core.model.resource import RESOURCES, Resource
from app.exchange.imports.planning.identify import Identification, Match, names_to_find, stated_manager
from app.exchange.imports.planning.links import LinkNames, Names, link_positions
from app.exchange.imports.planning.name_index import MAX_NAMES, NameIndex, TooManyNames
from app.exchange.imports.planning.new_ids import NewIds
from app.exchange.imports.planning.ordering import components
from app.exchange.imports.storage.absent_lines import ABSENT
from app.exchange.imports.storage.compact import IntLists, TextList, digest
from app.exchange.imports.storage.line_chunks import LINE_BYTES, PendingLine, pending_lines, written_records
from app.exchange.imports.table_rows import load_row

# Lines that link to each other in a circle are written in one transaction. More are refused with mode=rows.
MAX_GROUP = 1_000
MAX_GROUP_BYTES = 2_000_000

STEP_SECONDS = 0.2  # for which one step reads lines
MAX_LINKS = 5_000_000  # between the lines of a file; the plan takes 8 bytes for each

MAX_TITLES = 20  # names of one line by which its record is found
MAX_REFUSALS = 1_000  # details of refused lines that are kept; lines with the same one share it


OpenSession = Callable[[], AbstractContextManager[Session]]
Line = tuple[PendingLine, dict[str, Any]]  # with its record


class TooMuch(Exception):
    """The lines take too much memory or time. The text says that to the client."""


class Plan:
    """The record of each line, and groups of lines whose links lead to their own group or an earlier one.

    It is made once, in short transactions that only read. The records may change before the lines are written, so
    writing a line reads its record again. It takes about 200 bytes of memory for a line.
    """

    def __init__(self, caller: Caller, import_id: str, *, by_line: bool, is_table: bool = False) -> None:
        self.import_id = import_id
        self.caller = caller
        self.groups = IntLists()
        self.resources: set[str] = set()  # of the lines
        self.has_unclear_lines = False  # whether the record of a line could not be determined
        self.is_table = is_table
        self._by_line = by_line
        self._numbers = array("I")  # of the lines, ascending; the position of a line in it is that in the next three
        self._sizes = array("I")
        self._matches = TextList()
        self._links = IntLists()  # the numbers of other lines
        self._line_of: dict[bytes, int] = {}  # the number of the line, by the digest of the resource and id
        self._earlier: dict[int, int] = {}  # the earlier line about the same record
        self._before: dict[int, list[int]] = {}  # the withdrawals that come before the one of a line
        self._refused: dict[int, ErrorItem] = {}
        self._refusals: dict[tuple[str | None, str, str], ErrorItem] = {}  # which lines share
        self._names = NameIndex(caller)
        self._link_names = LinkNames(self._names, self._line_of)
        self._identification = Identification(caller, self._names)
        self._new_ids = NewIds(self._line_of)

    def load(self, record: str) -> dict[str, Any]:
        """Return the record of a line from its JSON."""
        loaded: dict[str, Any] = load_row(record) if self.is_table else json.loads(record)
        return loaded

    def size(self, number: int) -> int:
        """Return the bytes of a line, 0 for one that an earlier run has written."""
        position = self._position(number)
        return 0 if position is None else int(self._sizes[position])

    def match(self, number: int, content: dict[str, Any]) -> Match:
        """Return the record of a line, and how it was found."""
        matched_by, _, record_id = self._matches[self._position(number)].partition(" ")
        return (record_id, matched_by or None) if record_id else (content.get("id") or "", None)

    def refusal(self, number: int) -> ErrorItem | None:
        """Return why a line is refused, if the plan refuses it."""
        earlier = self._earlier.get(number)
        if earlier is not None:
            return ErrorItem(code="repeated_line", detail=f"Line {earlier} is about the same record.")
        return self._refused.get(number)

    def linked_lines(self, numbers: Iterable[int]) -> Iterator[int]:
        """Yield the lines to which these link. Lines that an earlier run has written are left out of `numbers`."""
        for number in numbers:
            position = self._position(number)
            if position is not None:
                yield from self._links[position]

    def _position(self, number: int) -> Any:
        """Return the position of a line, or None for one that an earlier run has written."""
        position = bisect_left(self._numbers, number)
        return position if position < len(self._numbers) and self._numbers[position] == number else None

    def make(self, open_session: OpenSession, add_absent: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Read every line that has no verdict yet: for its names, then to find its record, then to find its links.

        `add_absent` is called when the records of all lines are known. Each step of the iteration is one transaction.
        Raise TooMuch for too many names or links.
        """
        with open_session() as session:
            for resource, record_id, number in written_records(session, self.import_id):
                self._line_of[digest(resource, record_id)] = number
        try:
            yield from self._read_lines(open_session, self._add_names, _read_nothing)
        except TooManyNames:
            raise TooMuch(f"The file has more than {MAX_NAMES:,} names of records. Divide it.") from None
        yield from self._scan(open_session)
        yield from self._read_lines(open_session, self._look_up, self._add_record)
        add_absent()
        yield from self._read_lines(open_session, _prepare_nothing, self._add_links)
        if self._link_names.has_unknown:
            with open_session() as session:
                self._link_names.find_hints(session)
        for group in components(self._graph()):
            for bounded in self._bounded([self._numbers[position] for position in group]):
                self.groups.append(bounded)

    def _read_lines(
        self,
        open_session: OpenSession,
        prepare: Callable[[Session, list[Line]], None],
        read: Callable[[Session, PendingLine, dict[str, Any]], None],
    ) -> Iterator[None]:
        """Read the lines in steps: `prepare` gets all lines of a step, then `read` one after the other."""
        after = -1
        while True:
            with open_session() as session:
                lines = [(line, self.load(line.record)) for line in pending_lines(session, self.import_id, after)]
                end = time.monotonic() + STEP_SECONDS
                prepare(session, lines)
                for line, record in lines:
                    read(session, line, record)
                    after = line.number
                    if time.monotonic() > end:
                        break
            if not lines:
                return
            yield

    def _scan(self, open_session: OpenSession) -> Iterator[None]:
        position: tuple[str, str] | None = ("", "") if self._names.has_wanted else None
        while position is not None:
            with open_session() as session:
                end = time.monotonic() + STEP_SECONDS
                while position is not None and time.monotonic() < end:
                    position = self._names.scan(session, position)
            yield

    def _graph(self) -> IntLists:
        """Return the links between lines, by their positions. Those that an earlier run has written are left out."""
        graph = IntLists()
        for position in range(len(self._numbers)):
            targets = map(self._position, self._links[position])
            graph.append(target for target in targets if target is not None)
        return graph

    def _bounded(self, group: list[int]) -> list[list[int]]:
        """Return the group. If it is too large for one transaction, refuse its lines and return one group for each."""
        is_small = len(group) <= MAX_GROUP and sum(map(self.size, group)) <= MAX_GROUP_BYTES
        if is_small or not self._by_line:
            return [group]
        for number in group:
            self._refuse(number, ErrorItem(code="large_group", detail=ERROR_DETAILS["large_group"]))
        return [[number] for number in group]

    def _refuse(self, number: int, error: ErrorItem) -> None:
        if len(self._refusals) > MAX_REFUSALS:
            error = ErrorItem(pointer=error.pointer, code=error.code, detail=ERROR_DETAILS[error.code])
        self._refused[number] = self._refusals.setdefault((error.pointer, error.code, error.detail), error)

    def _add_names(self, session: Session, lines: list[Line]) -> None:
        """Note the ids that lines state and the names that must be found."""
        records = [(RESOURCES[line.resource], record) for line, record in lines]
        for (resource, record), (line, _) in zip(records, lines, strict=True):
            self.resources.add(resource.name)
            if record.get("id") is not None:
                self._line_of.setdefault(digest(resource.name, record["id"]), line.number)
            else:
                for text in names_to_find(resource, record)[:MAX_TITLES]:
                    self._names.want(resource.name, text)
        self._link_names.collect(session, records)

    def _look_up(self, session: Session, lines: list[Line]) -> None:
        """Read the data that is needed to find the records of these lines."""
        by_resource: dict[str, list[dict[str, Any]]] = {}
        for line, record in lines:
            if record.get("id") is None:
                self._link_names.resolve(session, RESOURCES[line.resource], record)
                by_resource.setdefault(line.resource, []).append(record)
            else:
                self._names.add(line.resource, record, record["id"])
        self._identification.start()
        self._new_ids.start()
        for name, records in by_resource.items():
            self._identification.look_up(session, RESOURCES[name], records)
            self._new_ids.look_up(session, RESOURCES[name], records)

    def _add_record(self, session: Session, line: PendingLine, record: dict[str, Any]) -> None:
        self._numbers.append(line.number)
        self._sizes.append(line.size)
        self.has_unclear_lines |= line.has_errors and record.get("id") is None
        stored = ""
        try:
            stored = self._match(session, line.number, RESOURCES[line.resource], record)
        except Invalid as invalid:
            self._refuse(line.number, invalid.errors[0])
            self.has_unclear_lines = True
        self._matches.append(stored)

    def _match(self, session: Session, number: int, resource: Resource, record: dict[str, Any]) -> str:
        """Find the record of a line. Return the columns to store, none for a line with an id."""
        stated_id = record.get("id")
        if stated_id is not None:
            self._add_line(resource, stated_id, number)
            return ""
        match = self._identification.identify(session, resource, record)
        if match is None:
            manager = stated_manager(record)
            manager = (self.caller.partner or "") if manager is None else manager
            earlier = self._new_ids.earlier_line(resource, record, manager, number)
            if earlier is not None:
                self._earlier[number] = earlier
                return ""
            match = (self._new_ids.new_id(session, resource, record), None)
        record_id, matched_by = match
        if self._add_line(resource, record_id, number):
            self._names.add(resource.name, record, record_id)
        return f"{matched_by or ''} {record_id}"

    def _add_line(self, resource: Resource, record_id: str, number: int) -> bool:
        """Note the line of a record. Return False if another line is about the same record."""
        first = self._line_of.setdefault(digest(resource.name, record_id), number)
        if first != number:
            self._earlier[number] = first
        return first == number

    def has_line(self, resource: str, record_id: str) -> bool:
        """Return whether a line is about this record."""
        return digest(resource, record_id) in self._line_of

    def add_withdrawals(
        self, numbers: list[int], records: list[tuple[str, str]], linking: Mapping[tuple[str, str], Iterable[Any]]
    ) -> None:
        """Add lines that turn these records into drafts.

        `linking` lists the others that link to a record. They come before it, because no published record may link to a
        draft.
        """
        for number, (resource, record_id) in zip(numbers, records, strict=True):
            self._numbers.append(number)
            self._sizes.append(LINE_BYTES)
            self._matches.append(f"{ABSENT} {record_id}")
            self._line_of[digest(resource, record_id)] = number
        for number, record in zip(numbers, records, strict=True):
            if record in linking:
                self._before[number] = sorted(self._line_of[digest(*other)] for other in linking[record])

    def _add_links(self, session: Session, line: PendingLine, record: dict[str, Any]) -> None:
        targets = chain(self._targets(session, RESOURCES[line.resource], record), self._before.get(line.number, ()))
        self._links.append(dict.fromkeys(targets))
        if self._links.total > MAX_LINKS:
            raise TooMuch(f"The lines link to each other more than {MAX_LINKS:,} times. Divide the file.")

    def _targets(self, session: Session, resource: Resource, record: dict[str, Any]) -> Iterator[int]:
        """Yield the lines to whose records this one links."""
        self._link_names.resolve(session, resource, record)
        for position in link_positions(resource, record):
            number = self._line_of.get(digest(position.target, position.text))
            if number is not None:
                yield number

    def resolve_names(
        self, session: Session, resource: Resource, record: dict[str, Any], *, with_ids: bool = False
    ) -> Names:
        """Replace names by ids in the links of a record: see LinkNames."""
        return self._link_names.resolve(session, resource, record, with_ids=with_ids)


def _prepare_nothing(_: Session, __: list[Line]) -> None:
    """Read nothing for the lines of a step together."""


def _read_nothing(_: Session, __: PendingLine, ___: dict[str, Any]) -> None:
    """Read nothing of a line that was prepared."""
