"""`include`: the records that others name or that belong to them, read along in as few statements as possible."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, func, literal_column, select, union_all

from app.core.database.sql import utf8
from app.core.database.statements import Query, Read, Rows
from app.core.errors import ErrorItem, Invalid
from app.core.log import CHANGES
from app.core.model.resource import RESOURCES, Include, Resource, on_record
from app.core.reading.pages import Cursors

MAX_INCLUDED = 200

MAX_IN_PATH = 100


def select_stored(resource: Resource, *columns: Any, state: str = "published") -> Select[Any]:
    """Public records (or drafts): the columns, then the representation's bytes (the Change's, or newer rendered)."""
    table = resource.table
    body = utf8(func.coalesce(table.body, CHANGES.c.body))
    found = select(*columns, body).join(CHANGES, CHANGES.c.sequence == table.change)
    return found.where(table.state == literal_column(f"'{state}'"))


@dataclass(frozen=True)
class IncludeStep:
    """One link that is followed: from records of `source`, under the name that was asked.

    `at_once`: only from the records that the answer is about, so it needs nothing that other steps find.
    """

    name: str
    include: Include
    source: str
    in_first_statement: bool

    def select(self, bind: str, single: bool, *columns: Any) -> Select[Any]:
        """What it finds, from the ids bound to a name."""
        table = self.include.resource.table
        parameter = self.include.resource.parameters[self.include.parameter]
        found = select_stored(self.include.resource, *columns, table.id).where(on_record(parameter, bind, single))
        return found.order_by(table.id).limit(literal_column(str(MAX_INCLUDED + 1)))


class Includes:
    """What one value of `include` brings along to records of a resource.

    Names are followed in the order given: what records name (partners, indicators) from all that are there already,
    what belongs to a record (its figures, its milestones) only from the records that the answer is about.
    """

    def __init__(self, resource: Resource, names: str) -> None:
        self.resource = resource
        self.steps: list[IncludeStep] = []
        known = [resource.name]
        root_only = True
        for name in names.split(","):
            edges = [(RESOURCES[source].includes.get(name), source) for source in known]
            found = [(edge, at) for edge, at in edges if edge and (not edge.nested or at == resource.name)]
            if not found or any(step.name == name for step in self.steps):
                raise Invalid(_no_include(known))
            self.steps += [IncludeStep(name, edge, at, root_only and at == resource.name) for edge, at in found]
            known += [edge.resource.name for edge, _ in found if edge.resource.name not in known]
            root_only = root_only and all(edge.resource is not resource for edge, _ in found)
        self.at_once = [step for step in self.steps if step.in_first_statement]
        self.needs_more = len(self.at_once) < len(self.steps)
        self._found = lru_cache(maxsize=2)(self._build)
        self._later = {step: Query(step.select("ids", False)) for step in self.steps if not step.in_first_statement}

    def parts(self, bind: str, single: bool) -> Iterator[Select[Any]]:
        """One select of (number, id, body) for each step that can be taken at once."""
        for number, step in enumerate(self.at_once):
            yield step.select(bind, single, literal_column(str(number)).label("part"))

    def _build(self, single: bool) -> Query:
        return Query(union_in_order(*self.parts("ids", single)))

    def read(self, ids: Sequence[str], rows: Rows | None = None) -> Read:
        """The tail of an answer about these records: `"included": …, "included_next": …`; `rows`: of its `parts`."""
        if rows is None:
            rows = (yield self._found(False), {"ids": list(ids)}) if self.at_once and ids else ()
        early: list[list[tuple[str, bytes]]] = [[] for _ in self.at_once]
        for number, record_id, body in rows:
            early[number].append((record_id, body))
        known: dict[str, list[str]] = {self.resource.name: list(ids)}
        found: dict[str, dict[str, bytes]] = {}
        further: dict[str, list[str]] = {}
        at_once = iter(early)
        for step in self.steps:
            kind, named = found.setdefault(step.name, {}), known[step.source]
            pairs = next(at_once) if step.in_first_statement else (yield self._later[step], {"ids": list(named)})
            if len(pairs) > MAX_INCLUDED:
                further.setdefault(step.name, []).extend(_further(step.include, named, pairs[MAX_INCLUDED - 1][0]))
            kind.update(pairs[:MAX_INCLUDED])
            resource = step.include.resource.name
            if self.needs_more:
                known[resource] = list(dict.fromkeys([*known.get(resource, ()), *kind]))
        kinds = _object({name: _object(kind) for name, kind in found.items()})
        return b'"included":%s,"included_next":%s' % (kinds, json.dumps(further).encode() if further else b"{}")


@lru_cache(maxsize=512)
def includes_of(resource: Resource, names: str) -> Includes:
    """What this value of `include` means; Invalid when it names what cannot be followed."""
    return Includes(resource, names)


def union_in_order(*parts: Select[Any]) -> Any:
    """The rows of each select, one select after the other.

    Both engines append in order (PostgreSQL: readers switch parallel plans off).
    """
    wrapped = [select(part.subquery()) for part in parts]
    return wrapped[0] if len(wrapped) == 1 else union_all(*wrapped)


def _object(members: Mapping[str, bytes]) -> bytes:
    """A JSON object of members that are JSON already, under names that need no escape: ids and names of includes."""
    return b"{%s}" % b",".join([b'"%s":%s' % (name.encode(), one) for name, one in members.items()])


def _further(edge: Include, ids: Sequence[str], last: str) -> Iterator[str]:
    """Paths to what lies behind the last included record; a path names so many records that it stays short."""
    path = f"/v1/{edge.resource.name}"
    for start in range(0, len(ids), MAX_IN_PATH):
        asked = [(edge.parameter, one) for one in ids[start : start + MAX_IN_PATH]]
        yield Cursors(path, asked).next((), last, last)


def _no_include(known: Sequence[str]) -> ErrorItem:
    possible = sorted({include for source in known for include in RESOURCES[source].includes})
    detail = f"include takes each of these once, in the order to follow them: {', '.join(possible)}."
    return ErrorItem(parameter="include", code="unknown_include", detail=detail)
