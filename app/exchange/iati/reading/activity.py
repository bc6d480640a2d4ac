"""An activity of another program as a project, with all that it states about it."""

from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

from app.core.errors import ErrorItem
from app.exchange.formats.lines import ParsedLine
from app.exchange.iati.reading.amounts import Amounts
from app.exchange.iati.reading.documents import DocumentLinks, project_link
from app.exchange.iati.reading.findings import IMPORTED, keep, warnings_of
from app.exchange.iati.reading.parser import Node
from app.exchange.iati.reading.places import Recipients
from app.exchange.iati.reading.results import Results
from app.exchange.iati.reading.source import Origin
from app.exchange.iati.reading.values import MAX_LINE, clean_text, day_of, joined, line_of, period, texts_of
from app.exchange.iati.reporter import ACTIVITY
from app.projects.models import SDG, SECTOR

STATUS = {"1": "proposed", "2": "active", "3": "past", "4": "completed", "5": "cancelled", "6": "suspended"}
PIPELINE = "1"  # a stage that the registry divides further
ROLES = {"1": "funding", "2": "accountable", "3": "extending", "4": "implementing"}
# The types of dates: the actual one before the planned one.
STARTS = ("2", "1")
ENDS = ("4", "3")
DAC_SECTORS = {"": 5, "1": 5, "2": 3}  # digits of a code, by vocabulary
GOALS = ("7", "8")  # vocabularies of sectors that are those of the goals
GOAL_TAGS = ("2", "3")
PARENT = "1"
LIMITS = {"roles": 500, "places": 500, "sectors": 30, "sdgs": 60, "part_of": 20}


def digest_of(identifier: str) -> bytes:
    """Return a short form of the identifier of an activity."""
    return blake2b(identifier.encode(), digest_size=12).digest()


def identifier_of(activity: Node) -> str:
    """Return the identifier of an activity; empty if it has none."""
    node = activity.first("iati-identifier")
    text = clean_text(node.content) if node else ""
    return line_of(text) if len(text) <= MAX_LINE else ""


class Activity:
    """The records of one activity. The project comes last, when it is known which documents it cites."""

    def __init__(self, node: Node, origin: Origin) -> None:
        self.node = node
        self.origin = origin
        self._project = [project_link(origin.identifier)] if origin.identifier else []
        self._recipients = Recipients(origin)
        self._links = DocumentLinks(origin, self._project)
        self._record: dict[str, Any] = {}
        self._inferred = ["kind"]

    def lines(self) -> Iterator[ParsedLine]:
        """Yield the line of each record."""
        for name in dict.fromkeys(child.name for child in self.node.children):
            if name in READERS:
                READERS[name](self, self.node.named(name))
        self._read_recipients()
        self._read_sectors()
        errors = self._errors()
        self.node.fate = "refused" if errors else IMPORTED
        more = self._links.citations_in(self.node, ["title"])
        results = [] if errors else list(Results(self.node, self.origin, self._links).lines())
        results += [] if errors else Amounts(self.node, self.origin).lines()
        project = {**self._record, "kind": "project", "status": self._record.get("status", "unknown")}
        project["citations"] = self.origin.citations(project, self._inferred, more)
        warnings = list(warnings_of(self.node))
        yield from self._recipients.lines
        yield from self._links.lines
        yield self.origin.file.line("projects", project, ["/kind"], errors, warnings)
        yield from results

    def add_to(self, name: str, values: list[Any], node: Node) -> None:
        """Add values to a list of the project, unless it is full, and note whether the element is kept."""
        items = self._record.setdefault(name, [])
        new = [value for value in values if value not in items]
        node.fate = "too_many" if len(items) + len(new) > LIMITS[name] else IMPORTED
        if node.fate == IMPORTED:
            items += new

    def _errors(self) -> list[ErrorItem]:
        errors = []
        if not self.origin.identifier:
            errors.append(ErrorItem(pointer="/identifiers", code="no_id", detail=NO_IDENTIFIER))
        if not self._record.get("title"):
            errors.append(ErrorItem(pointer="/title", code="not_stated", detail=NO_TITLE))
        return errors

    def read_identifier(self, nodes: list[Node]) -> None:
        """Read `iati-identifier`."""
        nodes[0].fate = IMPORTED if self.origin.identifier else "empty"
        if self.origin.identifier:
            self._record["identifiers"] = [{"scheme": ACTIVITY, "value": self.origin.identifier}]

    def read_reporter(self, nodes: list[Node]) -> None:
        """Read `reporting-org`, which the citations name and which is a partner."""
        self.origin.file.organisations.link(nodes[0], self.origin.language)
        keep(nodes[0])

    def read_title(self, nodes: list[Node]) -> None:
        """Read `title`."""
        self._record["title"] = texts_of(nodes[0], self.origin.language)

    def read_descriptions(self, nodes: list[Node]) -> None:
        """Read the descriptions of all types, the general one first, as one."""
        in_order = sorted(nodes, key=lambda node: node.get("type") or "1")
        parts = [texts_of(node, self.origin.language) for node in in_order]
        texts = joined(parts)
        for node, part in zip(in_order, parts, strict=True):
            if any(text not in texts.get(tag, "") for tag, text in part.items()):
                node.fate = "too_long"
        self._record["description"] = texts

    def read_status(self, nodes: list[Node]) -> None:
        """Read `activity-status`."""
        code = nodes[0].get("code")
        nodes[0].fate = IMPORTED if code in STATUS else "unknown_code"
        if code in STATUS:
            self._record["status"] = STATUS[code]
        if code == PIPELINE:
            self._inferred.append("status")

    def read_dates(self, nodes: list[Node]) -> None:
        """Read the actual dates, and the planned ones where there are none."""
        days: dict[str, tuple[str, Node]] = {}
        for node in nodes:
            day = day_of(node)
            kind = node.get("type")
            if kind not in (*STARTS, *ENDS):
                node.fate = "unknown_code"
            elif day and kind in days:
                node.fate = "repeated"
            elif day:
                days[kind] = (day, node)
        ends = [_chosen(days, kinds) for kinds in (STARTS, ENDS)]
        if ends[0] and ends[1] and ends[1][0] < ends[0][0]:
            for _, node in (ends[0], ends[1]):
                node.fate = "date_order"
            return
        stated = [end[0] if end else None for end in ends]
        if any(stated):
            self._record["period"] = period(stated[0], stated[1])

    def read_organisations(self, nodes: list[Node]) -> None:
        """Read `participating-org`."""
        for node in nodes:
            role = ROLES.get(node.get("role"))
            partner = self.origin.file.organisations.link(node, self.origin.language)
            if role is None:
                node.fate = "unknown_code"
            elif partner is not None:
                self.add_to("roles", [{"partner": partner, "role": role}], node)
                keep(*node.children)

    def _read_recipients(self) -> None:
        """Read the countries and regions of the activity and of its transactions."""
        names = ("recipient-country", "recipient-region")
        nodes = self.node.named(*names)
        for transaction in self.node.named("transaction"):
            nodes += transaction.named(*names)
        for node in nodes:
            self._recipients.add(node)
        self._record["places"] = self._recipients.places[: LIMITS["places"]]

    def read_tags(self, nodes: list[Node]) -> None:
        """Read the tags that are goals or targets of the United Nations."""
        for node in nodes:
            self._read_goal(node, GOAL_TAGS)

    def read_related(self, nodes: list[Node]) -> None:
        """Read the wider activities, if they are in the file."""
        for node in nodes:
            ref = line_of(node.get("ref"))
            if node.get("type") != PARENT:
                node.fate = "no_member"
            elif digest_of(ref) not in self.origin.file.activities or ref == self.origin.identifier:
                node.fate = "not_in_file"
            else:
                self.add_to("part_of", [project_link(ref)], node)

    def read_contact(self, nodes: list[Node]) -> None:
        """Leave out addresses and names of persons."""
        for node in nodes:
            node.fate = "contact"

    def _read_sectors(self) -> None:
        """Read the sectors of the activity and of its transactions."""
        nodes = self.node.named("sector")
        for transaction in self.node.named("transaction"):
            nodes += transaction.named("sector")
        for node in nodes:
            vocabulary = node.get("vocabulary")
            code = node.get("code")
            if vocabulary in GOALS:
                self._read_goal(node, GOALS)
            elif vocabulary not in DAC_SECTORS:
                node.fate = "own_vocabulary"
            elif code not in SECTOR.codes or len(code) != DAC_SECTORS[vocabulary]:
                node.fate = "unknown_code"
            else:
                self.add_to("sectors", [code], node)
                texts_of(node, self.origin.language)

    def _read_goal(self, node: Node, vocabularies: tuple[str, str]) -> None:
        vocabulary = node.get("vocabulary")
        code = node.get("code").strip(".").lower()
        if vocabulary not in vocabularies:
            node.fate = "own_vocabulary"
        elif code not in SDG.codes or ("." in code) != (vocabulary == vocabularies[1]):
            node.fate = "unknown_code"
        else:
            self.add_to("sdgs", [code], node)
            texts_of(node, self.origin.language)


def _chosen(days: dict[str, tuple[str, Node]], kinds: tuple[str, str]) -> tuple[str, Node] | None:
    """Return the first of these dates that is stated, and note that the other one is not kept."""
    stated = [days[kind] for kind in kinds if kind in days]
    for _, node in stated[1:]:
        node.fate = "other_date"
    return stated[0] if stated else None


NO_IDENTIFIER = "The activity has no iati-identifier."
NO_TITLE = "The activity has no title."
READERS: dict[str, Callable[[Activity, list[Node]], None]] = {
    "iati-identifier": Activity.read_identifier,
    "reporting-org": Activity.read_reporter,
    "title": Activity.read_title,
    "description": Activity.read_descriptions,
    "participating-org": Activity.read_organisations,
    "activity-status": Activity.read_status,
    "activity-date": Activity.read_dates,
    "contact-info": Activity.read_contact,
    "tag": Activity.read_tags,
    "related-activity": Activity.read_related,
}
