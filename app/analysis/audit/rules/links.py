"""Links to partners and places that no longer exist."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, exists, or_
from sqlalchemy.orm import aliased

from app.agreements.models import AGREEMENTS, PARTIES, SIGNATORIES
from app.analysis.audit.rule import AS_OF, Case, Finding, JsonRecord, candidates_by, in_language, is_one_of, rule
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

OPEN = ("requested", "proposed", "committed", "agreed", "active", "suspended")

SUCCESSORS = {"partners": PARTNER_SUCCESSORS, "places": PLACE_SUCCESSORS}


@dataclass(frozen=True)
class Reference:
    """A field that names partners or places, by a column of its own or by a link table."""

    field: str
    target: Resource
    link: Table | None = None

    def names(self, one: Any, other: Any) -> ColumnElement[bool]:
        """That record `one` names `other`."""
        if self.link is None:
            named: ColumnElement[bool] = getattr(one, self.field) == other.id
            return named
        target = self.link.c[f"{self.target.one}_id"]
        return and_(self.link.c.record_id == one.id, target == other.id)

    def ids(self, record: JsonRecord) -> set[str]:
        """Whom the record names here."""
        value = record[self.field]
        each = value if isinstance(value, list) else [value]
        named = ([one["partner"], one.get("for")] if isinstance(one, Mapping) else [one] for one in each)
        return {one for ids in named for one in ids if one}


# What each resource names; it matters where the record is about a time after the end, or what it is about goes on.
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

GOES_ON: dict[Resource, Callable[[Any], ColumnElement[bool]]] = {
    PROJECTS: lambda one: and_(is_one_of(one.status, OPEN), _lasts(one.period_latest)),
    AGREEMENTS: lambda one: or_(one.status == "intended", and_(one.status != "ended", one.period_latest >= AS_OF)),
    MILESTONES: lambda one: and_(one.status == "planned", one.date_latest >= AS_OF),
    STATEMENTS: lambda one: one.due_latest >= AS_OF,
    FIGURES: lambda one: and_(is_one_of(one.kind, ("target", "plan")), one.period_latest >= AS_OF),
    PARTNERS: lambda one: and_(one.merged_into.is_(None), _lasts(one.period_latest)),
    PLACES: lambda one: _lasts(one.period_latest),
}

TIMES = ("period_earliest", "signed_on_earliest", "date_earliest", "due_earliest")


def _lasts(latest: Any) -> ColumnElement[bool]:
    return or_(latest.is_(None), latest >= AS_OF)


def _named_too_late(source: Resource, reference: Reference, one: Any, gone: Any) -> ColumnElement[bool]:
    """That `one` names `gone`, which is no more, for a time after its end."""
    successors = SUCCESSORS[reference.target.name]
    taken_over = exists().where(successors.c.record_id == gone.id)
    no_more = or_(gone.period_latest < AS_OF, and_(gone.period_latest.is_(None), taken_over))
    times = [getattr(one, name) for name in TIMES if hasattr(one, name)]
    late = or_(GOES_ON[source](one), *(time > gone.period_latest for time in times))
    replaced = [gone.merged_into.is_not(None)] if reference.target is PARTNERS else []
    return and_(reference.names(one, gone), gone.state == "published", or_(and_(no_more, late), *replaced))


def _candidates(source: Resource) -> ColumnElement[bool]:
    named = [
        exists().where(_named_too_late(source, each, source.table, aliased(each.target.table)))
        for each in REFERENCES[source]
    ]
    return or_(*named)


def _beside(source: Resource) -> Iterator[Query]:
    """What is no more, then what succeeded it."""
    one: Any = aliased(source.table)
    for each in REFERENCES[source]:
        yield candidates_by(each.target, one.id, _named_too_late(source, each, one, each.target.table))
        gone: Any = aliased(each.target.table)
        successors, heir = SUCCESSORS[each.target.name], each.target.table
        took_over: Any = exists().where(successors.c.record_id == gone.id, successors.c.successor_id == heir.id)
        if each.target is PARTNERS:
            took_over = or_(took_over, gone.merged_into == heir.id)
        yield candidates_by(each.target, one.id, _named_too_late(source, each, one, gone), took_over)


def link_to_ended(case: Case) -> Iterator[Finding]:
    """A record names a partner or place that no longer exists, for a time after its end or for what still goes on.

    What was done with a ministry or in a province while there was one is as it should be. A partner that was merged
    into its twin is found at any time. The records after it are those that took over.
    """
    known = {(each["resource"], each["id"]): each for each in case.candidates}
    for reference in REFERENCES[case.rule.resource]:
        for gone_id in sorted(reference.ids(case.record) & {name for _, name in known}):
            gone = known.get((reference.target.name, gone_id))
            if gone is None or not _is_no_more(gone, case.as_of):
                continue
            heirs = [gone.get("merged_into"), *gone["succeeded_by"]]
            successors = [each for heir in heirs if (each := known.get((reference.target.name, heir)))]
            yield _finding(case, reference, gone, successors)


def _is_no_more(record: JsonRecord, as_of: str) -> bool:
    last = (record["period"] or {}).get("latest")
    return bool(record.get("merged_into")) or (last < as_of if last else bool(record["succeeded_by"]))


def _finding(case: Case, reference: Reference, gone: JsonRecord, successors: list[JsonRecord]) -> Finding:
    last = (gone["period"] or {}).get("latest")
    now = ("; kế tục: {heirs}.", "; succeeded by {heirs}.") if successors else (".", ".")
    return case.finding(
        ("{gone} chỉ tồn tại đến {last}" if last else "{gone} không còn tồn tại") + now[0],
        ("{gone} existed until {last}" if last else "{gone} no longer exists") + now[1],
        evidence=[(case.record, (reference.field,)), (gone, ("period", "succeeded_by", "merged_into"))],
        also=successors,
        computed={"how": f"{last or '?'} < {case.as_of}", "expected": last, "found": case.as_of},
        gone=_named([gone]),
        last=last,
        heirs=_named(successors),
    )


def _named(records: list[JsonRecord]) -> dict[str, str]:
    """Their names with their ids: a successor often has the same name."""
    return {
        language: ", ".join(f"{in_language(each['name'], language)} ({each['id']})" for each in records)
        for language in ("vi", "en")
    }


for _source in REFERENCES:
    rule(
        "A link to a partner or place that no longer exists",
        "Liên kết đến đối tác, địa danh không còn",
        "note",
        _source,
        partial(_candidates, _source),  # so many and so long that they would slow every start
        beside=partial(_beside, _source),
    )(link_to_ended)
