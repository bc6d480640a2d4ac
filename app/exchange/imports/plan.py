"""The plan of an import: the record of each line, and the order in which the lines are written."""

import json
from collections.abc import Callable, Iterator
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
from app.exchange.imports.partner_names import PartnerNames
from app.exchange.imports.storage.line_chunks import PendingLine, pending_lines, written_records

# Lines that link to each other in a circle are written in one transaction. More are refused with mode=rows.
MAX_GROUP = 1_000
MAX_GROUP_BYTES = 2_000_000

OpenSession = Callable[[], AbstractContextManager[Session]]
ReadLine = Callable[[Session, PendingLine, dict[str, Any]], None]
NO_LINKS: list[int] = []


class Plan:
    """The record of each line, and groups of lines whose links lead to their own group or an earlier one.

    It is made once, in short transactions that only read. The records may change before the lines are written, so
    writing a line reads its record again.
    """

    def __init__(self, caller: Caller, import_id: str, *, by_line: bool) -> None:
        self.import_id = import_id
        self.caller = caller
        self.names = PartnerNames(caller)
        self.numbers: dict[tuple[str, str], int] = {}  # lines by the resource and id of their record
        self.matches: dict[int, Match] = {}  # of lines without id
        self.sizes: dict[int, int] = {}
        self.links: dict[int, list[int]] = {}  # to other lines; lines without such links are left out
        self.refused: dict[int, ErrorItem] = {}
        self.groups: list[list[int]] = []
        self._by_line = by_line

    def make(self, open_session: OpenSession) -> Iterator[None]:
        """Read every line that has no verdict yet, once to find its record and once to find its links.

        Each step of the iteration is one transaction.
        """
        with open_session() as session:
            self.numbers = written_records(session, self.import_id)
        written = set(self.numbers.values())
        yield from self._read_lines(open_session, self._add_record)
        yield from self._read_lines(open_session, self._add_links)
        graph = {number: self.links.get(number, NO_LINKS) for number in self.sizes}
        for group in components(graph):
            unwritten = [number for number in group if number not in written]
            if unwritten:
                self.groups += self._bounded(unwritten)

    def _read_lines(self, open_session: OpenSession, read: ReadLine) -> Iterator[None]:
        after = -1
        while True:
            with open_session() as session:
                lines = pending_lines(session, self.import_id, after)
                for line in lines:
                    read(session, line, json.loads(line.record))
            if not lines:
                return
            after = lines[-1].number
            yield

    def _bounded(self, group: list[int]) -> list[list[int]]:
        """Return the group; if it is too large to be written in one transaction, each of its lines, refused."""
        is_small = len(group) <= MAX_GROUP and sum(map(self.sizes.__getitem__, group)) <= MAX_GROUP_BYTES
        if is_small or not self._by_line:
            return [group]
        refusal = ErrorItem(code="large_group", detail=ERROR_DETAILS["large_group"])
        self.refused |= dict.fromkeys(group, refusal)
        return [[number] for number in group]

    def _add_record(self, session: Session, line: PendingLine, record: dict[str, Any]) -> None:
        self.sizes[line.number] = line.size
        try:
            self._match(session, line.number, RESOURCES[line.resource], record)
        except Invalid as invalid:
            self.refused[line.number] = invalid.errors[0]

    def _add_links(self, session: Session, line: PendingLine, record: dict[str, Any]) -> None:
        links = self._linked_lines(session, RESOURCES[line.resource], record)
        if links:
            self.links[line.number] = links

    def _match(self, session: Session, number: int, resource: Resource, record: dict[str, Any]) -> None:
        """Find the record of a line. Raise Invalid if it cannot be found, or an earlier line has the same record."""
        record_id = record.get("id")
        if record_id is None:
            self.matches[number] = identify(session, self.caller, resource, record, self.names)
            record_id = self.matches[number][0]
        first = self.numbers.setdefault((resource.name, record_id), number)
        if first != number:
            raise Invalid(ErrorItem(code="repeated_line", detail=f"Line {first} is about the same record."))
        if resource.name == "partners":
            self.names.add(record, record_id)

    def _linked_lines(self, session: Session, resource: Resource, record: dict[str, Any]) -> list[int]:
        """Return the lines to whose records this one links."""
        self.resolve_names(session, resource, record)
        numbers = []
        for path, target in link_paths(resource.fields):
            for parent, key, _ in text_positions(record, path):
                number = self.numbers.get((target, parent[key]))
                if number is not None:
                    numbers.append(number)
        return numbers

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
