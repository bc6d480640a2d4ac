"""One project as an activity: which elements its members become, and what those leave out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from app.core.values.codelists import CodeList
from app.core.values.text import NOT_IN_XML
from app.exchange.iati.amounts import Amounts
from app.exchange.iati.dates import is_day, texts_of
from app.exchange.iati.documents import agreement_link, document_link
from app.exchange.iati.extension.writing import record_element
from app.exchange.iati.losses import OF_THE_REGISTRY, Loss, present
from app.exchange.iati.markup import element, narrated, narratives, text
from app.exchange.iati.pages import Linked
from app.exchange.iati.places import OWN, joined, location, recipient_elements, recipients
from app.exchange.iati.reporter import ACTIVITY, IDENTIFIER, ORGANISATION, Reporter, identifier_in
from app.exchange.iati.results import Results
from app.partners.models import PARTNER_KIND
from app.projects.models import PARTNER_ROLE, PROJECT_KIND, PROJECT_STATUS, PROJECTS, SECTOR

Record = Mapping[str, Any]

# The elements of an activity that we write, in the order of the schema.
ORDER = (
    *("iati-identifier", "reporting-org", "title", "description", "participating-org", "other-identifier"),
    *("activity-status", "activity-date", "recipient-country", "recipient-region", "location", "sector", "tag"),
    *("budget", "planned-disbursement", "transaction", "document-link", "related-activity", "result"),
)
STARTED = ("active", "past", "completed", "suspended")  # stages at which the start has been
ENDED = ("past", "completed")
PLANNED_START = "1"
ACTUAL_START = "2"
PLANNED_END = "3"
ACTUAL_END = "4"
OWN_IDENTIFIER = "A1"  # types of other identifiers
OTHER_IDENTIFIER = "A9"
DAC_PURPOSE = "1"  # vocabularies of sectors
DAC_GROUP = "2"
SDG_GOAL = "2"  # vocabularies of tags
SDG_TARGET = "3"
PARENT = "1"
NATIONALITY_UNKNOWN = ("ngo",)  # IATI has codes for national and international ones, and the kind does not say which


def missing(project: Record, linked: Linked) -> Iterator[Loss]:
    """Yield what a project lacks to be a valid activity. IATI requires these elements, and nothing is made up."""
    if not project["description"]:
        yield Loss("/description", "description", "missing")
    if not any(_iati_role(role) for role in project["roles"]):
        yield Loss("/roles", "participating-org", "missing")
    if PROJECT_STATUS.codes[project["status"]].iati is None:
        yield Loss("/status", "activity-status", "missing")
    if not (project["period"] or {}).get("earliest"):
        yield Loss("/period", "activity-date", "missing")
    if not recipients(project, linked):
        yield Loss("/places", "recipient-country", "missing")
    if not project["sectors"]:
        yield Loss("/sectors", "sector", "missing")


def _iati_role(role: Record) -> str | None:
    return PARTNER_ROLE.codes[role["role"]].iati


class Activity:
    """The elements of a project that can be an activity, and the losses in them."""

    def __init__(self, project: Record, linked: Linked, reporter: Reporter) -> None:
        self.project = project
        self.linked = linked
        self.reporter = reporter
        self.losses: list[Loss] = []
        self._parts: list[tuple[str, str]] = []
        for name in present(project):
            if name in LOST:
                self.lose(f"/{name}", *LOST[name])
            elif name not in ATTRIBUTES:
                WRITERS[name](self, project[name])
        _memoranda(self)
        self.results = Results(project, linked)
        self.amounts = Amounts(project, linked)
        self._parts += [*self.amounts.elements, *(("result", result) for result in self.results.elements)]

    def add(self, name: str, xml: str) -> None:
        """Add an element."""
        self._parts.append((name, xml))

    def lose(self, member: str, element_name: str, reason: str) -> None:
        """Note that an element does not have a member."""
        self.losses.append(Loss(member, element_name, reason))

    def check_characters(self, name: str, texts: Mapping[str, str], element_name: str) -> None:
        """Note the texts of a member that an element has in another form."""
        for language, value in texts.items():
            if NOT_IN_XML.search(value):
                self.lose(f"/{name}/{language}", element_name, "other_form")

    def losses_of(self, resource: str, record_id: str) -> list[Loss] | None:
        """Return what the elements of a figure or transaction leave out; None for other records."""
        losses = {"figures": self.results.losses, "transactions": self.amounts.losses}.get(resource, {})
        return losses.get(record_id)

    @property
    def xml(self) -> str:
        """The whole element, with the extension."""
        parts = sorted(self._parts, key=lambda part: ORDER.index(part[0]))
        belonging = [record_element(resource, record) for resource, record in self.linked.all_belonging(self.project)]
        attributes = {"last-updated-datetime": self.project["updated_at"]}
        own = record_element(PROJECTS, self.project)
        return element("iati-activity", attributes, *[xml for _, xml in parts], own, *belonging) + "\n"


def _identifier(activity: Activity, record_id: str) -> None:
    project = activity.project
    reporter = activity.reporter
    identifier = reporter.activity_id(project)
    partners = activity.linked.all_of("partners", [role["partner"] for role in project["roles"]])
    manager = activity.linked.get("partners", project["managed_by"] or "")
    is_own = reporter.is_one_of([*partners, manager]) and reporter.owns(identifier)
    activity.add("iati-identifier", element("iati-identifier", None, text(identifier)))
    activity.add("reporting-org", reporter.element(is_secondary=not is_own))
    if identifier != f"{reporter.ref}-{record_id}":
        _add_identifier(activity, record_id, OWN_IDENTIFIER, reporter.name, reporter.ref)


def _add_identifier(activity: Activity, value: str, kind: str, owner: str, ref: str | None = None) -> None:
    owner_org = narrated("owner-org", {"en": owner}, {"ref": ref})
    activity.add("other-identifier", element("other-identifier", {"ref": value, "type": kind}, owner_org))


def _texts(name: str) -> Callable[[Activity, Any], None]:
    def write(activity: Activity, texts: Mapping[str, str]) -> None:
        activity.add(name, narrated(name, texts))
        activity.check_characters(name, texts, name)

    return write


def _own_code(codes: CodeList) -> Callable[[Activity, str], None]:
    def write(activity: Activity, code: str) -> None:
        uri = f"{activity.reporter.base}/v1/codelists/{codes.name}"
        attributes = {"vocabulary": OWN, "vocabulary-uri": uri, "code": code}
        activity.add("tag", narrated("tag", codes.codes[code].label, attributes))

    return write


def _status(activity: Activity, status: str) -> None:
    code = PROJECT_STATUS.codes[status].iati
    activity.add("activity-status", element("activity-status", {"code": code}))
    if sum(entry.iati == code for entry in PROJECT_STATUS.codes.values()) > 1:
        _own_code(PROJECT_STATUS)(activity, status)


def _period(activity: Activity, period: Record) -> None:
    """Write the days. A day that the version of the record precedes has not been, so it is a planned one."""
    status = activity.project["status"]
    as_of = activity.project["updated_at"][:10]
    started = status in STARTED and period["earliest"] <= as_of
    _add_date(activity, "earliest", ACTUAL_START if started else PLANNED_START)
    if period["latest"] is None:
        return
    if status not in ENDED:
        _add_date(activity, "latest", PLANNED_END)
    elif started and period["latest"] <= as_of:
        _add_date(activity, "latest", ACTUAL_END)
    else:
        activity.lose("/period", "activity-date", "no_day")


def _add_date(activity: Activity, end: str, kind: str) -> None:
    period = activity.project["period"]
    exact = is_day(period, end)
    stated = "" if exact else narratives(texts_of(period, is_extent=True))
    activity.add("activity-date", element("activity-date", {"iso-date": period[end], "type": kind}, stated))
    if not exact:
        activity.lose("/period", "activity-date", "less_precise")


def _roles(activity: Activity, roles: Iterable[Record]) -> None:
    for number, role in enumerate(roles):
        partner = activity.linked.get("partners", role["partner"])
        code = _iati_role(role)
        if code is None or partner is None:
            reason = "no_code" if code is None else "not_linked"
            activity.lose(f"/roles/{number}", "participating-org", reason)
            continue
        kind = None if partner["kind"] in NATIONALITY_UNKNOWN else PARTNER_KIND.codes[partner["kind"]].iati
        attributes = {"ref": identifier_in(partner, ORGANISATION), "role": code, "type": kind}
        activity.add("participating-org", narrated("participating-org", partner["name"], attributes))


def _places(activity: Activity, places: Iterable[str]) -> None:
    places_of_activity = recipients(activity.project, activity.linked)
    for name, xml in recipient_elements(places_of_activity, activity.reporter.base):
        activity.add(name, xml)
    if len(places_of_activity) > 1:
        activity.lose("/places", "recipient-region", "no_percentages")
    for place in activity.linked.all_of("places", places):
        activity.add("location", location(place))


def _sectors(activity: Activity, sectors: list[str]) -> None:
    """Write the sector. Several ones would need percentages, so they are one of the registry's own vocabulary."""
    if len(sectors) == 1:
        vocabulary = DAC_PURPOSE if len(sectors[0]) == 5 else DAC_GROUP
        activity.add("sector", element("sector", {"vocabulary": vocabulary, "code": sectors[0]}))
        return
    uri = f"{activity.reporter.base}/v1/codelists/{SECTOR.name}"
    attributes = {"vocabulary": OWN, "vocabulary-uri": uri, "code": "+".join(sectors)}
    labels = joined([SECTOR.codes[sector].label for sector in sectors])
    activity.add("sector", narrated("sector", labels, attributes))
    activity.lose("/sectors", "sector", "no_percentages")


def _sdgs(activity: Activity, goals: Iterable[str]) -> None:
    for goal in goals:
        vocabulary = SDG_TARGET if "." in goal else SDG_GOAL
        activity.add("tag", element("tag", {"vocabulary": vocabulary, "code": goal}))


def _identifiers(activity: Activity, identifiers: Iterable[Record]) -> None:
    for number, item in enumerate(identifiers):
        if item["scheme"] == ACTIVITY and item["value"] == activity.reporter.activity_id(activity.project):
            continue
        _add_identifier(activity, item["value"], OTHER_IDENTIFIER, item["scheme"])
        if NOT_IN_XML.search(item["value"]) or (item["scheme"] == ACTIVITY and not IDENTIFIER.fullmatch(item["value"])):
            activity.lose(f"/identifiers/{number}", "iati-identifier", "other_form")


def _part_of(activity: Activity, wider: Iterable[str]) -> None:
    for number, project_id in enumerate(wider):
        project = activity.linked.get("projects", project_id)
        if project is None or any(missing(project, activity.linked)):
            activity.lose(f"/part_of/{number}", "related-activity", "not_linked")
            continue
        attributes = {"ref": activity.reporter.activity_id(project), "type": PARENT}
        activity.add("related-activity", element("related-activity", attributes))


def _citations(activity: Activity, citations: Iterable[Record]) -> None:
    """Write the documents that are cited. The paragraphs and the cited words have no element."""
    activity.lose("/citations", "", "no_element")
    ids = dict.fromkeys(citation["document"] for citation in citations)
    for document in activity.linked.all_of("documents", ids):
        link = document_link(document)
        if link is None:
            activity.lose("/citations", "document-link", "no_link")
        else:
            activity.add("document-link", link)


def _memoranda(activity: Activity) -> None:
    """Write the agreements about the project of which the text has an address."""
    for agreement in activity.linked.of("agreements", activity.project):
        if link := agreement_link(agreement):
            activity.add("document-link", link)


WRITERS: dict[str, Callable[[Activity, Any], None]] = {
    "id": _identifier,
    "title": _texts("title"),
    "description": _texts("description"),
    "kind": _own_code(PROJECT_KIND),
    "status": _status,
    "period": _period,
    "part_of": _part_of,
    "roles": _roles,
    "places": _places,
    "sectors": _sectors,
    "sdgs": _sdgs,
    "identifiers": _identifiers,
    "citations": _citations,
}
# The members without an element of their own, with the element that lacks them. The others are in WRITERS.
LOST = {
    "follows": ("related-activity", "no_code"),
    "managed_by": ("", "no_element"),
    **dict.fromkeys(OF_THE_REGISTRY, ("", "no_element")),
}
ATTRIBUTES = ("updated_at",)  # members that are attributes of the activity
