"""The file from which records come: what all activities share, and the citations of their records."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import ErrorItem
from app.core.model.resource import RESOURCES
from app.exchange.formats.cells.numbers import Decimals
from app.exchange.formats.lines import ParsedLine, checked_line
from app.exchange.iati.reading.findings import Tally
from app.exchange.iati.reading.organisations import Organisations
from app.exchange.iati.reading.values import Numbers, Texts, line_of

FILE_IDS = "iati-file-"  # the ids of documents that stand for a file begin with this
POINT: Decimals = "point"  # the decimal sign of amounts, by the standard
ONLY_NEW = "new"  # of a member in `moved`: a record that exists keeps its own
OF_A_SOURCE = {"/citations": "source"}  # every line has this mark: the record keeps its other citations
WHOLE = ""  # the pointer of the whole record
INFERRED_NOTE = {
    "en": "The standard of IATI has no element for it, or the file does not state it.",
    "vi": "Tiêu chuẩn IATI không có phần tử này, hoặc tệp không nêu.",
}
FILE_TITLES = {
    "iati-activities": {"en": "IATI activity file", "vi": "Tệp hoạt động IATI"},
    "iati-organisations": {"en": "IATI organisation file", "vi": "Tệp tổ chức IATI"},
}


def stated(record: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a record that state something."""
    return {name: value for name, value in record.items() if value not in (None, [], {})}


@dataclass
class SourceFile:
    """A file of another program, of which everything was read once."""

    root: str
    version: str
    sha256: str
    language: str
    published_on: str | None
    organisations: Organisations = field(default_factory=Organisations)
    activities: set[bytes] = field(default_factory=set)  # digests of their identifiers
    publishers: dict[str, str] = field(default_factory=dict)  # names, by reference
    amounts: Numbers = field(default_factory=lambda: Numbers(None, POINT))
    results: Numbers = field(default_factory=Numbers)
    tally: Tally = field(default_factory=Tally)
    agreements: dict[str, dict[str, Any]] = field(default_factory=dict)  # by the id of their document
    countries: set[str] = field(default_factory=set)  # codes
    number: int = 0  # of the line that was made last
    line_ids: set[str] = field(default_factory=set)  # ids of documents and places that have a line

    @property
    def document_id(self) -> str:
        """The id of the document that stands for the file."""
        return f"{FILE_IDS}{self.sha256[:16]}"

    def line(
        self,
        resource: str,
        record: dict[str, Any],
        only_new: Iterable[str] = (),
        errors: Iterable[ErrorItem] = (),
        warnings: Iterable[ErrorItem] = (),
    ) -> ParsedLine:
        """Return the next line of the import. `only_new`: pointers of members that only a new record gets."""
        self.number += 1
        content = {"resource": resource, **stated(record)}
        marks = {**OF_A_SOURCE, **dict.fromkeys(only_new, ONLY_NEW)}
        return checked_line(self.number, RESOURCES[resource], content, marks, errors, warnings)

    def document(self) -> ParsedLine:
        """Return the document that stands for the file."""
        names = list(self.publishers.values())
        by = f": {names[0]}" if len(names) == 1 else ""
        record = {
            "id": self.document_id,
            "kind": "report",
            "title": {tag: f"{text}{by}" for tag, text in FILE_TITLES[self.root].items()},
            "publisher": names[0] if len(names) == 1 else None,
            "published_on": self.published_on,
            "identifiers": [{"scheme": "sha256", "value": self.sha256}],
            "citations": [{"document": self.document_id}],
        }
        return self.line("documents", record)


@dataclass(frozen=True)
class Origin:
    """The activity or organisation of a file from which a record comes."""

    file: SourceFile
    identifier: str
    publisher: str
    language: str

    def citations(
        self, record: dict[str, Any], inferred: Iterable[str] = (), more: Iterable[dict[str, Any]] = ()
    ) -> list[dict[str, Any]]:
        """Return the citations of a record: of the file, for what it states and what follows from it, and others."""
        guesses = list(inferred)
        members = [name for name in stated(record) if name not in (*guesses, "id")]
        note: Texts = {"en": f"Reported by {self.publisher}.", "vi": f"Do {self.publisher} báo cáo."}
        own: dict[str, Any] = {"document": self.file.document_id, "as_written": line_of(self.identifier) or None}
        if self.publisher and len(self.file.publishers) > 1:  # else the document that stands for the file names it
            own["note"] = note
        citations = [{**own, "supports": members if guesses else []}]
        if guesses:
            citations.append({**own, "supports": guesses, "basis": "inferred", "note": INFERRED_NOTE})
        return [*citations, *more]
