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
from app.exchange.imports import store
from app.exchange.imports.identify import Match, identify
from app.exchange.imports.ordering import components
from app.exchange.imports.partner_names import PartnerNames

OpenSession = Callable[[], AbstractContextManager[Session]]


class Plan:
    """The record of each line, and groups of lines whose links lead to their own group or an earlier one.

    It is made once, in short transactions that only read. The records may change before the lines are written, so
    writing a line reads its record again.
    """

    def __init__(self, caller: Caller, import_id: str) -> None:
        self.import_id = import_id
        self.caller = caller
        self.names = PartnerNames(caller)
        self.numbers: dict[tuple[str, str], int] = {}  # lines by the resource and id of their record
        self.matches: dict[int, Match] = {}  # of lines without id
        self.refused: dict[int, ErrorItem] = {}
        self.groups: list[list[int]] = []

    def make(self, open_session: OpenSession) -> None:
        """Read every line that has no verdict yet, once to find its record and once to find its links."""
        with open_session() as session:
            self.numbers = store.written_records(session, self.import_id)
        written = set(self.numbers.values())
        for session, number, resource, record in self._lines(open_session):
            try:
                self._match(session, number, resource, record)
            except Invalid as invalid:
                self.refused[number] = invalid.errors[0]
        links = {
            number: self._linked_lines(session, resource, record)
            for session, number, resource, record in self._lines(open_session)
        }
        for group in components(links):
            unwritten = [number for number in group if number not in written]
            if unwritten:
                self.groups.append(unwritten)

    def _lines(self, open_session: OpenSession) -> Iterator[tuple[Session, int, Resource, dict[str, Any]]]:
        after = -1
        while True:
            with open_session() as session:
                rows = store.pending_lines(session, self.import_id, after)
                for number, name, record in rows:
                    yield session, number, RESOURCES[name], json.loads(record)
            if len(rows) < store.CHUNK:
                return
            after = rows[-1][0]

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
