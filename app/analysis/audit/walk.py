"""The audit as a read: rule by rule it examines the candidates, ordered by id, in steps of bounded cost.

A page ends when it has enough findings, or after enough steps. Its position in the walk is the cursor of the next page.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, func, literal_column, select

from app.analysis.audit.rule import SEVERITY, Case, Finding, Rule
from app.analysis.audit.rules import ALL
from app.core.database.engine import Database
from app.core.database.statement_cache import STATEMENTS
from app.core.database.statements import Query, Read
from app.core.model.resource import Resource, on_record
from app.core.reading.filter_conditions import FilterShape, filter_shape
from app.core.reading.includes import select_stored
from app.core.values.json import from_json

RECORDS = 10_000  # maximum number of records that one step passes
CANDIDATES = 200  # maximum number of candidates among them
STEPS = 40  # maximum cost of a page, in steps
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
        """Whether a filter also matches everything below what it names."""
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
            cases, until, passed = yield from _step(rule, request, at.after)
            steps += 1 + len(cases) // HEAVY + (passed // HEAVY_TREE if request.has_tree else 0)
            at, is_full = _examine(rule, cases, at, page, limit)
            if is_full:
                return page, at
            at = at._replace(after=until, last_id="", last_number=0)
    return page, None


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


def _step(rule: Rule, request: AuditRequest, after: str) -> Read:
    """Return the next candidates as cases, the id up to which records were searched for them, and their number."""
    values = {**request.values(rule.resource), "after": after}
    ((last, passed),) = yield STATEMENTS.query(_window, rule.resource, request.shape), values
    until = last if passed == RECORDS else END
    rows = yield STATEMENTS.query(_candidates, rule, request.shape), {**values, "until": until}
    if len(rows) == CANDIDATES:
        until = rows[-1][0]
    cases = {row[0]: Case(rule, from_json(row[1]), [], request.as_of) for row in rows}
    for query in rule.related_queries if cases else ():
        rows = yield query, {"ids": list(cases), "as_of": request.as_of}
        for candidate_id, body in rows:
            cases[candidate_id].related.append(from_json(body))
    return list(cases.values()), until, passed


def _window(resource: Resource, shape: FilterShape) -> Query:
    """Return the query for the last id of the next step, and the number of its records."""
    table = resource.table
    following = select(table.id).where(*_records_after(resource, shape)).order_by(table.id)
    records = following.limit(literal_column(str(RECORDS))).subquery()
    return Query(select(func.max(records.c.id), func.count()))


def _candidates(rule: Rule, shape: FilterShape) -> Query:
    table = rule.resource.table
    statement = select_stored(rule.resource, table.id).where(*rule.where, *_records_after(rule.resource, shape))
    statement = statement.where(table.id <= bindparam("until")).order_by(table.id)
    return Query(statement.limit(literal_column(str(CANDIDATES))))


def _records_after(resource: Resource, shape: FilterShape) -> list[ColumnElement[bool]]:
    """Return the conditions for published records after the bound `after` that match the filters."""
    table = resource.table
    conditions = [table.state == literal_column("'published'"), table.id > bindparam("after")]
    for name, single in shape:
        parameter = resource.parameter_of(name)
        assert parameter
        conditions.append(on_record(parameter, name, single))
    return conditions
