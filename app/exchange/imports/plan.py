"""The plan of an import: the record of each line, and the order in which the lines are written."""

import json
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.errors import ERROR_DETAILS, ErrorItem, Invalid
from app.core.model.resource import RESOURCES, Resource
from app.core.values.links import link_paths, text_positions
from app.core.values.text import SLUGS
from app.exchange.imports.identify import Match, identify
from app.exchange.imports.ordering import components
from app.exchange.imports.partner_names import PartnerNames, TooManyNames
from app.exchange.imports.storage.compact import IntLists, TextList, digest
from app.exchange.imports.storage.line_chunks import PendingLine, pending_lines, written_records

# Lines that link to each other in a circle are written in one transaction. More are refused with mode=rows.
MAX_GROUP = 1_000
MAX_GROUP_BYTES = 2_000_000

STEP_SECONDS = 0.2  # for which one step reads lines
MAX_LINKS = 5_000_000  # between the lines of a file; the plan takes 8 bytes for each

OpenSession = Callable[[], AbstractContextManager[Session]]
ReadLine = Callable[[Session, PendingLine, dict[str, Any]], None]


class TooMuch(Exception):
    """The lines take too much memory or time. The text says that to the client."""


class Plan:
    """The record of each line, and groups of lines whose links lead to their own group or an earlier one.

    It is made once, in short transactions that only read. The records may change before the lines are written, so
    writing a line reads its record again. It takes about 200 bytes of memory for a line.
    """

    def __init__(self, caller: Caller, import_id: str, *, by_line: bool) -> None:
        self.import_id = import_id
        self.caller = caller
        self.names = PartnerNames(caller)
        self.groups = IntLists()
        self._by_line = by_line
        self._numbers = array("I")  # of the lines, ascending; the position of a line in it is that in the next three
        self._sizes = array("I")
        self._matches = TextList()
        self._links = IntLists()  # the numbers of other lines
        self._line_of: dict[bytes, int] = {}  # the number of the line, by the digest of the resource and id
        self._earlier: dict[int, int] = {}  # the earlier line about the same record
        self._refused: dict[int, ErrorItem] = {}
        self._refusals: dict[tuple[str | None, str], ErrorItem] = {}  # which lines share

    def size(self, number: int) -> int:
        """Return the bytes of a line, 0 for one that an earlier run has written."""
        position = self._position(number)
        return 0 if position is None else int(self._sizes[position])

    def match(self, number: int, content: dict[str, Any]) -> Match:
        """Return the record of a line, and by what it was found."""
        matched_by, _, record_id = self._matches[self._position(number)].partition(" ")
        return (record_id, matched_by or None) if record_id else (content.get("id", ""), None)

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

    def make(self, open_session: OpenSession) -> Iterator[None]:
        """Read every line that has no verdict yet, once to find its record and once to find its links.

        Each step of the iteration is one transaction. Raise TooMuch for too many names or links.
        """
        with open_session() as session:
            for resource, record_id, number in written_records(session, self.import_id):
                self._line_of[digest(resource, record_id)] = number
        try:
            yield from self._read_lines(open_session, self._add_record)
        except TooManyNames as error:
            raise TooMuch(str(error)) from None
        yield from self._read_lines(open_session, self._add_links)
        for group in components(self._graph()):
            for bounded in self._bounded([self._numbers[position] for position in group]):
                self.groups.append(bounded)

    def _read_lines(self, open_session: OpenSession, read: ReadLine) -> Iterator[None]:
        after = -1
        while True:
            with open_session() as session:
                lines = pending_lines(session, self.import_id, after)
                end = time.monotonic() + STEP_SECONDS
                for line in lines:
                    read(session, line, json.loads(line.record))
                    after = line.number
                    if time.monotonic() > end:
                        break
            if not lines:
                return
            yield

    def _graph(self) -> IntLists:
        """Return the links between lines, by their positions. Those that an earlier run has written are left out."""
        graph = IntLists()
        for position in range(len(self._numbers)):
            targets = map(self._position, self._links[position])
            graph.append(target for target in targets if target is not None)
        return graph

    def _bounded(self, group: list[int]) -> list[list[int]]:
        """Return the group; if it is too large to be written in one transaction, each of its lines, refused."""
        is_small = len(group) <= MAX_GROUP and sum(map(self.size, group)) <= MAX_GROUP_BYTES
        if is_small or not self._by_line:
            return [group]
        for number in group:
            self._refuse(number, ErrorItem(code="large_group", detail=ERROR_DETAILS["large_group"]))
        return [[number] for number in group]

    def _refuse(self, number: int, error: ErrorItem) -> None:
        self._refused[number] = self._refusals.setdefault((error.pointer, error.code), error)

    def _add_record(self, session: Session, line: PendingLine, record: dict[str, Any]) -> None:
        self._numbers.append(line.number)
        self._sizes.append(line.size)
        match = ""
        try:
            match = self._match(session, line.number, RESOURCES[line.resource], record)
        except Invalid as invalid:
            self._refuse(line.number, invalid.errors[0])
        self._matches.append(match)

    def _match(self, session: Session, number: int, resource: Resource, record: dict[str, Any]) -> str:
        """Find the record of a line. Return what is stored of that: nothing for a line with an id."""
        record_id = record.get("id")
        stored = ""
        if record_id is None:
            record_id, matched_by = identify(session, self.caller, resource, record, self.names)
            stored = f"{matched_by or ''} {record_id}"
        first = self._line_of.setdefault(digest(resource.name, record_id), number)
        if first != number:
            self._earlier[number] = first
        elif resource.name == "partners":
            self.names.add(record, record_id)
        return stored

    def _add_links(self, session: Session, line: PendingLine, record: dict[str, Any]) -> None:
        self._links.append(dict.fromkeys(self._targets(session, RESOURCES[line.resource], record)))
        if self._links.total > MAX_LINKS:
            raise TooMuch(f"The lines link to each other more than {MAX_LINKS:,} times. Divide the file.")

    def _targets(self, session: Session, resource: Resource, record: dict[str, Any]) -> Iterator[int]:
        """Yield the lines to whose records this one links."""
        self.resolve_names(session, resource, record)
        for path, target in link_paths(resource.fields):
            for parent, key, _ in text_positions(record, path):
                number = self._line_of.get(digest(target, parent[key]))
                if number is not None:
                    yield number

    def resolve_names(self, session: Session, resource: Resource, record: dict[str, Any]) -> list[ErrorItem]:
        """Replace names of partners by their ids in the links of a record. Return an error for each unclear name."""
        errors = []
        for path, target in link_paths(resource.fields):
            for parent, key, pointer in text_positions(record, path) if target == "partners" else ():
                if _is_id(parent[key]):
                    continue
                partners = self.names.find(session, parent[key])
                if len(partners) == 1:
                    parent[key] = next(iter(partners))
                else:
                    code = "ambiguous" if partners else "unknown_record"
                    errors.append(ErrorItem(pointer=pointer, code=code, detail=ERROR_DETAILS[code]))
        return errors


def _is_id(text: str) -> bool:
    try:
        SLUGS.validate_python(text)
    except ValueError:
        return False
    return True
