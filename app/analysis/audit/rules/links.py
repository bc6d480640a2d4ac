"""Links to partners and places that no longer exist."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, exists, or_
from sqlalchemy.orm import aliased

from app.agreements.models import AGREEMENTS, PARTIES, SIGNATORIES
from app.analysis.audit.rule import (
    AS_OF,
    Case,
    Finding,
    JsonRecord,
    date_in_words,
    in_language,
    is_one_of,
    related_records,
    rule,
)
from app.core.database.statements import Query
from app.core.model.resource import Resource
from app.figures.models import FIGURES
from app.figures.models import PLACES_OF as FIGURES_PLACES
from app.milestones.models import MILESTONES, PARTICIPANTS
from app.partners.models import PARTNERS
from app.partners.models import SUCCESSORS as PARTNER_SUCCESSORS
from app.places.models import PLACES
from app.places.models import SUCCESSORS as PLACE_SUCCESSORS
from app.projects.models import PLACES_OF, PROJECTS, ROLES
from app.statements.models import ADDRESSEES, STATEMENTS

UNFINISHED = ("requested", "proposed", "committed", "agreed", "active", "suspended")
SUCCESSORS = {"partners": PARTNER_SUCCESSORS, "places": PLACE_SUCCESSORS}


@dataclass(frozen=True)
class Reference:
    """A field that links to partners or places, through a column of its own or a link table."""

    field: str
    target: Resource
    link: Table | None = None

    def condition(self, record: Any, target: Any) -> ColumnElement[bool]:
        """Return the condition that a row of the source links to a row of the target."""
        if self.link is None:
            is_linked: ColumnElement[bool] = getattr(record, self.field) == target.id
            return is_linked
        target_id = self.link.c[f"{self.target.one}_id"]
        return and_(self.link.c.record_id == record.id, target_id == target.id)

    def ids(self, record: JsonRecord) -> set[str]:
        """Return the ids that the field of a record holds."""
        value = record[self.field]
        ids: set[str | None] = set()
        for item in value if isinstance(value, list) else [value]:
            ids |= {item["partner"], item.get("for")} if isinstance(item, Mapping) else {item}
        return {record_id for record_id in ids if record_id}


# The links of each resource that the rule examines.
REFERENCES: dict[Resource, tuple[Reference, ...]] = {
    PROJECTS: (Reference("roles", PARTNERS, ROLES), Reference("places", PLACES, PLACES_OF)),
    AGREEMENTS: (
        Reference("parties", PARTNERS, PARTIES),
        Reference("signatories", PARTNERS, SIGNATORIES),
        Reference("signed_in", PLACES),
    ),
    MILESTONES: (Reference("participants", PARTNERS, PARTICIPANTS), Reference("place", PLACES)),
    STATEMENTS: (Reference("to", PARTNERS, ADDRESSEES),),
    FIGURES: (Reference("partner", PARTNERS), Reference("places", PLACES, FIGURES_PLACES)),
    PARTNERS: (Reference("parent", PARTNERS),),
    PLACES: (Reference("parent", PLACES),),
}

# The condition that a record of a resource concerns the day of the audit or a later one.
IS_CURRENT: dict[Resource, Callable[[Any], ColumnElement[bool]]] = {
    PROJECTS: lambda project: and_(is_one_of(project.status, UNFINISHED), _has_not_ended(project.period_latest)),
    AGREEMENTS: lambda agreement: or_(
        agreement.status == "intended", and_(agreement.status != "ended", agreement.period_latest >= AS_OF)
    ),
    MILESTONES: lambda milestone: and_(milestone.status == "planned", milestone.date_latest >= AS_OF),
    STATEMENTS: lambda statement: statement.due_latest >= AS_OF,
    FIGURES: lambda figure: and_(is_one_of(figure.kind, ("target", "plan")), figure.period_latest >= AS_OF),
    PARTNERS: lambda partner: and_(partner.merged_into.is_(None), _has_not_ended(partner.period_latest)),
    PLACES: lambda place: _has_not_ended(place.period_latest),
}

FIRST_DAYS = ("period_earliest", "signed_on_earliest", "date_earliest", "due_earliest")


def _has_not_ended(latest: Any) -> ColumnElement[bool]:
    return or_(latest.is_(None), latest >= AS_OF)


def _outlives(source: Resource, reference: Reference, record: Any, ended: Any) -> ColumnElement[bool]:
    """Return the condition that a record links to an ended partner or place and concerns a time after its end."""
    successors = SUCCESSORS[reference.target.name]
    has_successor = exists().where(successors.c.record_id == ended.id)
    has_ended = or_(ended.period_latest < AS_OF, and_(ended.period_latest.is_(None), has_successor))
    first_days = [getattr(record, name) for name in FIRST_DAYS if hasattr(record, name)]
    is_later = or_(IS_CURRENT[source](record), *(day > ended.period_latest for day in first_days))
    is_merged = [ended.merged_into.is_not(None)] if reference.target is PARTNERS else []
    return and_(
        reference.condition(record, ended), ended.state == "published", or_(and_(has_ended, is_later), *is_merged)
    )


def _candidates(source: Resource) -> ColumnElement[bool]:
    """Return the condition that selects the candidates of a resource."""
    links = [
        exists().where(_outlives(source, reference, source.table, aliased(reference.target.table)))
        for reference in REFERENCES[source]
    ]
    return or_(*links)


def _related(source: Resource) -> Iterator[Query]:
    """Return the queries for the ended partners and places, and for their successors."""
    record: Any = aliased(source.table)
    for reference in REFERENCES[source]:
        target = reference.target.table
        yield related_records(reference.target, record.id, _outlives(source, reference, record, target))
        ended: Any = aliased(target)
        successors = SUCCESSORS[reference.target.name]
        succeeds: Any = exists().where(successors.c.record_id == ended.id, successors.c.successor_id == target.id)
        if reference.target is PARTNERS:
            succeeds = or_(succeeds, ended.merged_into == target.id)
        yield related_records(reference.target, record.id, _outlives(source, reference, record, ended), succeeds)


def link_to_ended(case: Case) -> Iterator[Finding]:
    """A record links to a partner or place that no longer exists, and it concerns a time after the end of that partner
    or place, or is not finished yet.

    Links from the time when the partner or place existed are correct. A link to a partner that was merged into another
    one is always reported. The last records of the finding are the successors.
    """
    related = {(record["resource"], record["id"]): record for record in case.related}
    related_ids = {record_id for _, record_id in related}
    for reference in REFERENCES[case.rule.resource]:
        for ended_id in sorted(reference.ids(case.record) & related_ids):
            ended = related.get((reference.target.name, ended_id))
            if ended is None or not _has_ended(ended, case.as_of):
                continue
            successor_ids = [ended.get("merged_into"), *ended["succeeded_by"]]
            keys = [(reference.target.name, successor_id) for successor_id in successor_ids]
            yield _finding(case, reference, ended, [related[key] for key in keys if key in related])


def _has_ended(record: JsonRecord, as_of: str) -> bool:
    """Return whether a partner or place was merged, or ended before a day; without a known end, whether it has a
    successor."""
    last = (record["period"] or {}).get("latest")
    return bool(record.get("merged_into")) or (last < as_of if last else bool(record["succeeded_by"]))


def _finding(case: Case, reference: Reference, ended: JsonRecord, successors: list[JsonRecord]) -> Finding:
    last = (ended["period"] or {}).get("latest")
    vi = "Bản ghi nêu {ended}, " + ("chỉ tồn tại đến {last}" if last else "nay không còn")
    en = "It names {ended}, which " + ("existed until {last}" if last else "no longer exists")
    if successors:
        vi += "; kế tục: {successors}"
        en += "; succeeded by {successors}"
    return case.finding(
        f"{vi}.",
        f"{en}.",
        evidence=[(case.record, (reference.field,)), (ended, ("period", "succeeded_by", "merged_into"))],
        also=successors,
        computed={"how": f"{last or '?'} < {case.as_of}", "expected": last, "found": case.as_of},
        ended=_names([ended]),
        last=date_in_words(last) if last else "",
        successors=_names_with_periods(successors),
    )


def _names(records: list[JsonRecord]) -> dict[str, str]:
    """Return the names by language."""
    return {
        language: ", ".join(in_language(record["name"], language) for record in records) for language in ("vi", "en")
    }


def _names_with_periods(records: list[JsonRecord]) -> dict[str, str]:
    """Return the names by language, each with the period of the record, because a successor often has the same name."""
    return {language: ", ".join(_name_with_period(record, language) for record in records) for language in ("vi", "en")}


def _name_with_period(record: JsonRecord, language: str) -> str:
    name = in_language(record["name"], language)
    period = record["period"]
    return f"{name} ({date_in_words(period['edtf'], is_extent=True)[language]})" if period else name


for _source in REFERENCES:
    rule(
        "A link to a partner or place that no longer exists",
        "Liên kết đến đối tác, địa danh không còn",
        "note",
        _source,
        partial(_candidates, _source),  # built on the first use, because building them slows every start
        related=partial(_related, _source),
    )(link_to_ended)
