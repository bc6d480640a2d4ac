"""The ids of new records, and lines of one file that have the same title.

A line whose title is not that of a record gets an id made from the title, with a number if the id is taken. Two lines
with one title are about two records if they state different managers, or different codes of one register.
"""

from typing import Any

from sqlmodel import Session

from app.core.error_codes import ERROR_DETAILS
from app.core.errors import ErrorItem, Invalid
from app.core.model.resource import Resource
from app.core.values.text import RESERVED, id_stem
from app.core.writing.edit import numbered_ids, used_ids
from app.exchange.imports.planning.names import identifiers_of, normalized_name, title_texts
from app.exchange.imports.storage.compact import digest

MAX_KINDS = 20  # of lines with one title and manager, by the registers of their codes


class NewIds:
    """The ids that the lines of a file state or get. `line_of` has the number of the line by the digest of an id."""

    def __init__(self, line_of: dict[bytes, int]) -> None:
        self._line_of = line_of
        self._lines: dict[
            bytes, int
        ] = {}  # lines that create a record without stating its id, by everything that is compared
        self._kinds: dict[bytes, list[tuple[frozenset[str], int]]] = {}  # registers and line, by title and manager
        self._next: dict[bytes, int] = {}  # the number to begin with, by the digest of an id without number
        self._unused: set[bytes] = set()  # ids without number that no record has or had, of the lines of this step

    def start(self) -> None:
        """Forget the data that was read for the lines of the previous step."""
        self._unused = set()

    def look_up(self, session: Session, resource: Resource, records: list[dict[str, Any]]) -> None:
        """Read with few statements which of the ids without number are used."""
        stems = {stem_of(resource, record) for record in records}
        unused = stems - used_ids(session, resource, stems) - RESERVED
        self._unused |= {digest(resource.name, stem) for stem in unused}

    def earlier_line(self, resource: Resource, record: dict[str, Any], manager: str, number: int) -> int | None:
        """Return the earlier line about the same new record, if any. Raise Invalid if that cannot be decided."""
        texts = title_texts(resource, record)
        codes = sorted(identifiers_of(record.get("identifiers")))
        title = digest(resource.name, manager, *(f"{tag} {normalized_name(texts[tag])}" for tag in sorted(texts)))
        line = self._lines.setdefault(digest(title.hex(), *(f"{scheme} {value}" for scheme, value in codes)), number)
        if line != number:
            return line
        schemes = frozenset(scheme for scheme, _ in codes)
        kinds = self._kinds.setdefault(title, [])
        if any(schemes == kind for kind, _ in kinds):
            return None
        for other_schemes, other_line in kinds:
            if not schemes & other_schemes:
                detail = f"Line {other_line} has the same title. State the ids, or different codes of one register."
                raise Invalid(ErrorItem(pointer="/id", code="ambiguous", detail=detail))
        if len(kinds) == MAX_KINDS:
            raise Invalid(ErrorItem(pointer="/id", code="ambiguous", detail=ERROR_DETAILS["ambiguous"]))
        kinds.append((schemes, number))
        return None

    def new_id(self, session: Session, resource: Resource, record: dict[str, Any]) -> str:
        """Return an id that no record has or had, and no line of the file."""
        stem = stem_of(resource, record)
        key = digest(resource.name, stem)
        if key in self._unused and key not in self._line_of:
            return stem
        first = self._next.get(key, 2)
        while True:
            ids = numbered_ids(stem, first)
            used = used_ids(session, resource, ids)
            for number, record_id in enumerate(ids, first):
                if record_id not in used and digest(resource.name, record_id) not in self._line_of:
                    self._next[key] = number + 1
                    return record_id
            first += len(ids)


def stem_of(resource: Resource, record: dict[str, Any]) -> str:
    """Return the id without number that is made from the title of a line."""
    return id_stem(title_texts(resource, record)) or resource.one
