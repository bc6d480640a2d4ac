"""The audit as a read: rule by rule it examines the candidates, ordered by id, in steps of bounded cost.

A page ends when it has enough findings, or after enough steps. Its position in the walk is the cursor of the next page.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, func, literal_column, select
from sqlalchemy.orm import aliased

from app.analysis.audit.rule import SEVERITY, Case, Finding, Rule
from app.analysis.audit.rules import ALL
from app.core.database.engine import Database
from app.core.database.sql import one_of
from app.core.database.statement_cache import STATEMENTS
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, fitting
from app.core.model.resource import Resource, on_record
from app.core.model.tables import RecordRow
from app.core.reading.filter_conditions import FilterShape, filter_shape
from app.core.stored_records import query_in_order, select_keys
from app.core.values.json import from_json

RECORDS = 10_000  # maximum number of records that one step passes; with filters, of those that match them
SEARCHED = 50_000  # maximum number of records among which a step looks for those that match the filters
CANDIDATES = 200  # maximum number of candidates among them
STEPS = 40  # maximum cost of a page, in steps
HEAVY_BYTES = 250_000  # bytes of candidates and related records that cost as much as one step
HEAVY = 50  # number of candidates that cost as much as one step
HEAVY_TREE = 1_250  # number of records that cost as much as one step, if each is looked up in a tree of places

END = "~"  # sorts after every id
SEVERITIES = list(SEVERITY.codes)

# Filters by the first record of a finding: it has this id, or it is or is linked with this project, partner and so on.
FILTERS = ("id", "project", "agreement", "partner", "place", "document")


class AuditPosition(NamedTuple):
    """A position in the walk: the rule, the record after which to continue, and the last finding after that record."""

    rule: str
    resource: str
    after: str
    last_id: str
    last_number: int


@dataclass(frozen=True)
class AuditRequest:
    """The parameters of an audit: its day, its rules, and filters of records (`only`)."""

    as_of: str
    rules: Sequence[str] | None = None
    resources: Sequence[str] | None = None
    severity: str = SEVERITIES[0]
    only: Mapping[str, Sequence[str]] | None = None

    def applicable_rules(self) -> list[Rule]:
        """Return the rules to run, in the order of the walk."""
        minimum = SEVERITIES.index(self.severity)
        return [
            rule
            for rule in ALL
            if (not self.rules or rule.name in self.rules)
            and (not self.resources or rule.resource.name in self.resources)
            and SEVERITIES.index(rule.severity) >= minimum
            and all(rule.resource.parameter_of(name) for name in self.only or ())
        ]

    @property
    def shape(self) -> FilterShape:
        """The part of the filters that decides the SQL."""
        return tuple((name, len(ids) == 1) for name, ids in (self.only or {}).items())

    @property
    def has_tree(self) -> bool:
        """Whether a filter also matches everything below the record that it names."""
        return "place" in (self.only or {})

    def values(self, resource: Resource) -> dict[str, Any]:
        """Return the bound values of the statements about a resource."""
        parameters = {name: parameter for name in self.only or () if (parameter := resource.parameter_of(name))}
        return {"as_of": self.as_of, **filter_shape(parameters, self.only or {})[1]}


def findings(request: AuditRequest, limit: int, start: AuditPosition | None = None) -> Read:
    """Return at most `limit` findings after a position, and the position of the next page (None at the end).

    A page can have fewer findings than `limit`, even none, and not be the last: its cost is limited too.
    """
    page: list[Finding] = []
    steps = 0
    for rule in request.applicable_rules():
        at = AuditPosition(rule.name, rule.resource.name, "", "", 0)
        if start and at[:2] <= start[:2]:
            if at[:2] < start[:2]:
                continue
            at = start
        while at.after != END:
            if steps >= STEPS:
                return page, at
            step: Step = yield from _step(rule, request, at.after)
            steps += step.cost(has_tree=request.has_tree, records_in_step=rule.records_in_step)
            at, is_full = _examine(rule, step.cases, at, page, limit)
            if is_full:
                return page, at
            at = at._replace(after=step.until, last_id="", last_number=0)
    return page, None


def findings_of(resource: Resource, ids: Sequence[str], as_of: str, severity: str) -> Read:
    """Return the findings about a few records, without a walk. Candidates after the first CANDIDATES are left out."""
    results: list[Finding] = []
    for rule in AuditRequest(as_of, resources=[resource.name], severity=severity).applicable_rules():
        bound = {"as_of": as_of, "ids": list(ids), "most_bytes": MAX_PAGE_BYTES}
        candidates = fitting((yield STATEMENTS.query(_candidates_among, rule), bound))
        related: Any = ()
        if candidates:
            related, _ = yield from _related(rule, [row[0] for row in candidates], as_of)
        for case in _cases(rule, candidates, related, as_of) if related is not None else ():
            results += rule.examine(case)
    return results


def _cases(rule: Rule, candidates: Sequence[Any], related: Iterable[Any], as_of: str) -> list[Case]:
    """Return the candidates with their related records."""
    cases = {record_id: Case(rule, from_json(body), [], as_of) for record_id, body in candidates}
    for candidate, _, body in related:
        cases[candidate].related.append(from_json(body))
    return list(cases.values())


async def read_all_findings(database: Database, request: AuditRequest) -> list[Finding]:
    """Return the findings of all pages."""
    reader = database.reader()
    all_findings: list[Finding] = []
    start = None
    try:
        while True:
            page, start = await reader.run(lambda start=start: findings(request, STEPS * HEAVY, start))  # type: ignore[misc]
            all_findings += page
            if start is None:
                return all_findings
    finally:
        await reader.close()


def _examine(
    rule: Rule, cases: Iterable[Case], at: AuditPosition, page: list[Finding], limit: int
) -> tuple[AuditPosition, bool]:
    """Add the findings after a position to the page.

    Return the position after the last one, and whether there is another finding for which the page has no room.
    """
    for case in cases:
        for number, finding in enumerate(rule.examine(case)):
            if (case.record["id"], number) <= at[3:]:
                continue
            if len(page) == limit:
                return at, True
            page.append(finding)
            at = at._replace(last_id=case.record["id"], last_number=number)
        at = at._replace(after=case.record["id"])
    return at, False


class Step(NamedTuple):
    """The candidates of a step as cases, and the cost of finding them among the records up to the id `until`.

    `passed` is the number of records that match the filters, `searched` that of all records, and `size` the bytes of
    the candidates and their related records.
    """

    cases: list[Case]
    until: str
    passed: int
    searched: int
    size: int

    def cost(self, *, has_tree: bool, records_in_step: int | None = None) -> int:
        """Return the cost in steps of usual size."""
        of_tree = self.passed // HEAVY_TREE if has_tree else 0
        of_rule = self.passed // records_in_step if records_in_step else 0
        by_size = len(self.cases) // HEAVY + self.size // HEAVY_BYTES
        return max(1, self.searched // RECORDS) + by_size + of_tree + of_rule


def _step(rule: Rule, request: AuditRequest, after: str) -> Read:
    """Return the next step of the walk. It has fewer candidates if they and their related records are large.

    A candidate is skipped if its related records are too large even for a step of its own.
    """
    values = {**request.values(rule.resource), "after": after}
    ((last, passed, last_searched, searched),) = yield STATEMENTS.query(_window, rule.resource, request.shape), values
    until = last if passed == RECORDS else last_searched if searched == SEARCHED else END
    bounds = {"until": until, "most_bytes": MAX_PAGE_BYTES}
    rows = yield STATEMENTS.query(_candidates, rule, request.shape), {**values, **bounds}
    candidates = fitting(rows)
    if len(rows) == CANDIDATES or len(candidates) < len(rows):
        until = candidates[-1][0]
    size = sum([len(body) for _, body in candidates])
    while candidates:
        related, read = yield from _related(rule, [row[0] for row in candidates], request.as_of)
        size += read
        if related is not None:
            break
        until = candidates[max(1, len(candidates) // 2) - 1][0]
        candidates = candidates[: len(candidates) // 2]
    cases = _cases(rule, candidates, related if candidates and related else (), request.as_of)
    return Step(cases, until, passed, searched, size)


def _related(rule: Rule, ids: list[str], as_of: str) -> Read:
    """Return the related records of candidates with their ids, None if they have too many bytes, and the bytes read."""
    related: list[tuple[Any, ...]] = []
    size = 0
    for query in rule.related_queries:
        rows = yield query, {"ids": ids, "as_of": as_of, "most_bytes": MAX_PAGE_BYTES}
        size += sum([len(row[-1]) for row in rows])
        if size > MAX_PAGE_BYTES or len(fitting(rows)) < len(rows):
            return None, size
        related += rows
    return related, size


def _window(resource: Resource, shape: FilterShape) -> Query:
    """Return the query for the last id of the next step, with the numbers of records that it passes and searches.

    With filters, the ids of all records are limited too: a step must not search all of them for the few that match.
    """
    table = resource.table
    if not shape:
        records = _first(select(table.id).where(*_records_after(resource, shape)), table, RECORDS).subquery()
        return Query(select(func.max(records.c.id), func.count(), func.max(records.c.id), func.count()))
    every = _first(select(table.id).where(table.id > bindparam("after")), table, SEARCHED).subquery()
    searched = select(func.max(every.c.id).label("last"), func.count().label("number")).cte("searched")
    until = select(searched.c.last).scalar_subquery()
    of_filters = _first(select(table.id).where(*_records_after(resource, shape), table.id <= until), table, RECORDS)
    passed = of_filters.subquery()
    matching = select(func.max(passed.c.id).label("last"), func.count().label("number")).subquery("matching")
    return Query(select(matching.c.last, matching.c.number, searched.c.last, searched.c.number))


def _first(query: Select[tuple[str]], table: type[RecordRow], limit: int) -> Select[tuple[str]]:
    return query.order_by(table.id).limit(literal_column(str(limit)))


def _candidates(rule: Rule, shape: FilterShape) -> Query:
    table = rule.resource.table
    keys = select_keys(rule.resource).where(*rule.where, *_records_after(rule.resource, shape))
    keys = keys.where(table.id <= bindparam("until")).order_by(table.id)
    return query_in_order(rule.resource, keys.limit(literal_column(str(CANDIDATES))))


def _candidates_among(rule: Rule) -> Query:
    """Return the query for the candidates among the records with these ids.

    OFFSET makes every planner look up each record: with an index of the conditions it would read all candidates.
    """
    table = rule.resource.table
    named: Any = aliased(table)
    matching = select(table.id).where(table.id == named.id, *rule.where).offset(literal_column("0")).correlate(named)
    among = select(named.id).where(one_of(named.id, "ids"), matching.exists())
    keys = select_keys(rule.resource).where(table.id.in_(among)).order_by(table.id)
    return query_in_order(rule.resource, keys.limit(literal_column(str(CANDIDATES))))


def _records_after(resource: Resource, shape: FilterShape) -> list[ColumnElement[bool]]:
    """Return the conditions for published records after the bound `after` that match the filters."""
    table = resource.table
    conditions = [table.state == literal_column("'published'"), table.id > bindparam("after")]
    for name, single in shape:
        parameter = resource.parameter_of(name)
        assert parameter
        conditions.append(on_record(parameter, name, single))
    return conditions
