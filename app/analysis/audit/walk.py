"""The audit as a read: it walks the candidates of each rule in steps of bounded cost, in one order, from any place."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, literal_column, select

from app.analysis.audit.rule import SEVERITY, Case, Finding, Rule
from app.analysis.audit.rules import ALL
from app.core.database.engine import Database
from app.core.database.statements import Query, Read
from app.core.model.resource import Resource, on_record
from app.core.reading.conditions import FilterShape, filter_shape
from app.core.reading.includes import select_stored
from app.core.values.json import from_json

# What one step looks at: so many records, of which so many may be candidates. A page takes so many steps at most, and
# so many candidates weigh as much as one more.
RECORDS, CANDIDATES, STEPS, HEAVY = 10_000, 200, 40, 50

END = "~"  # after every id

WEIGHTS = list(SEVERITY.codes)

# What findings can be narrowed to: records that are, name or are named by one of these.
FILTERS = ("id", "project", "agreement", "partner", "place", "document")


class AuditPosition(NamedTuple):
    """A place in the walk: in which rule, after which record, and what was the last finding given behind it."""

    rule: str
    resource: str
    after: str
    last_id: str
    last_number: int


@dataclass(frozen=True)
class AuditRequest:
    """An audit that is asked for: its day, its rules, and the records it is narrowed to."""

    as_of: str
    rules: Sequence[str] | None = None
    resources: Sequence[str] | None = None
    severity: str = WEIGHTS[0]
    only: Mapping[str, Sequence[str]] | None = None

    def chosen(self) -> list[Rule]:
        """The rules that apply, in the order of the walk."""
        least = WEIGHTS.index(self.severity)
        return [
            rule
            for rule in ALL
            if (not self.rules or rule.name in self.rules)
            and (not self.resources or rule.resource.name in self.resources)
            and WEIGHTS.index(rule.severity) >= least
            and all(rule.resource.parameter_of(name) for name in self.only or ())
        ]

    @property
    def shape(self) -> FilterShape:
        """What decides the statements."""
        return tuple((name, len(ids) == 1) for name, ids in (self.only or {}).items())

    def values(self, resource: Resource) -> dict[str, Any]:
        """What the statements about a resource bind."""
        parameters = {name: found for name in self.only or () if (found := resource.parameter_of(name))}
        return {"as_of": self.as_of, **filter_shape(parameters, self.only or {})[1]}


def findings(request: AuditRequest, limit: int, start: AuditPosition | None = None) -> Read:
    """At most `limit` findings from a position on, and where to go on (None at the end).

    A page may hold fewer findings than asked, even none, and still not be the last: its cost is bounded, not its
    yield.
    """
    found: list[Finding] = []
    steps = 0
    for rule in request.chosen():
        at = AuditPosition(rule.name, rule.resource.name, "", "", 0)
        if start and at[:2] <= start[:2]:
            if at[:2] < start[:2]:
                continue
            at = start
        while at.after != END:
            if steps >= STEPS:
                return found, at
            cases, until = yield from _step(rule, request, at.after)
            steps += 1 + len(cases) // HEAVY
            at, full = _decide(rule, cases, at, found, limit)
            if full:
                return found, at
            at = at._replace(after=until, last_id="", last_number=0)
    return found, None


async def read_all_findings(database: Database, request: AuditRequest) -> list[Finding]:
    """All findings, as the walk goes from page to page."""
    reader, found, start = database.reader(), list[Finding](), None
    try:
        while True:
            page, start = await reader.run(lambda start=start: findings(request, STEPS * HEAVY, start))  # type: ignore[misc]
            found += page
            if start is None:
                return found
    finally:
        await reader.close()


def _decide(
    rule: Rule, cases: Iterable[Case], at: AuditPosition, found: list[Finding], limit: int
) -> tuple[AuditPosition, bool]:
    """Add the findings behind `at`; how far that went, and whether there is one more than the limit."""
    for case in cases:
        for number, finding in enumerate(rule.decide(case)):
            if (case.record["id"], number) <= at[3:]:
                continue
            if len(found) == limit:
                return at, True
            found.append(finding)
            at = at._replace(last_id=case.record["id"], last_number=number)
        at = at._replace(after=case.record["id"])
    return at, False


def _step(rule: Rule, request: AuditRequest, after: str) -> Read:
    """The next candidates as cases, and the id up to which they were looked for."""
    values = {**request.values(rule.resource), "after": after}
    rows = yield _window(rule.resource, request.shape), values
    until = rows[0][0] if rows else END
    rows = yield _candidates(rule, request.shape), {**values, "until": until}
    if len(rows) == CANDIDATES:
        until = rows[-1][0]
    cases = {row[0]: Case(rule, from_json(row[1]), [], request.as_of) for row in rows}
    for query in rule.beside if cases else ():
        beside = yield query, {"ids": list(cases), "as_of": request.as_of}
        for candidate, body in beside:
            cases[candidate].candidates.append(from_json(body))
    return list(cases.values()), until


@lru_cache(maxsize=256)
def _window(resource: Resource, shape: FilterShape) -> Query:
    """The id up to which the next step looks; none where less than a step is left."""
    table = resource.table
    statement = select(table.id).where(*_onwards(resource, shape)).order_by(table.id)
    return Query(statement.offset(literal_column(str(RECORDS - 1))).limit(literal_column("1")))


@lru_cache(maxsize=1024)
def _candidates(rule: Rule, shape: FilterShape) -> Query:
    table = rule.resource.table
    statement = select_stored(rule.resource, table.id).where(*rule.where, *_onwards(rule.resource, shape))
    statement = statement.where(table.id <= bindparam("until")).order_by(table.id)
    return Query(statement.limit(literal_column(str(CANDIDATES))))


def _onwards(resource: Resource, shape: FilterShape) -> list[ColumnElement[bool]]:
    """Published records behind `after` that the audit is narrowed to."""
    table = resource.table
    found = [table.state == literal_column("'published'"), table.id > bindparam("after")]
    for name, single in shape:
        parameter = resource.parameter_of(name)
        assert parameter
        found.append(on_record(parameter, name, single))
    return found
