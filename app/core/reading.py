"""The road of a read: from checked parameters to the stored bytes, in as few compiled statements as possible."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select, bindparam, func, literal_column, select

from app.core.changes import CHANGES
from app.core.database import Query, Read
from app.core.errors import ErrorItem, Gone, Invalid, NotFound
from app.core.index import INDEXING, RECORDS
from app.core.matching import Candidates, Found, Matching, found_among
from app.core.paging import FOUND, Page, Shape, Sort, beyond, cursor, nullable
from app.core.record import RENDERING
from app.core.resource import RESOURCES, Include, Resource, on_record, owner_of
from app.core.sql import one_of, utf8

MOST_INCLUDED = 200
MOST_IN_PATH = 100


@dataclass(frozen=True)
class Answer:
    """What a read found: the body (None: the asker's copy is current), its tag, and where a list goes on."""

    body: bytes | None
    tag: str
    next: str | None = None


# A tag names a Change by its number and by the head of its chain value: a database that is made anew counts anew.
_HEAD = func.substr(CHANGES.c.chain, 1, 8)
LAST_CHANGE = Query(select(CHANGES.c.sequence, _HEAD).order_by(CHANGES.c.sequence.desc()).limit(1))
LAST_OF_RECORD = Query(
    select(CHANGES.c.action)
    .where(CHANGES.c.resource == bindparam("resource"), CHANGES.c.record_id == bindparam("id"))
    .order_by(CHANGES.c.sequence.desc())
    .limit(1)
)


def stored(resource: Resource, *columns: Any) -> Select[Any]:
    """Public records: the columns, then the representation's bytes (the Change's, or its newer rendering)."""
    table = resource.table
    body = utf8(func.coalesce(table.body, CHANGES.c.body))
    found = select(*columns, body).join(CHANGES, CHANGES.c.sequence == table.change)
    return found.where(table.state == literal_column("'published'"))


class Reading:
    """The reads of one resource; statements are compiled once for each shape of a request."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        table = resource.table
        self._detail = Query(stored(resource, table.change, _HEAD, table.rendering).where(table.id == bindparam("id")))
        self._exists = Query(select(table.id).where(table.id == bindparam("id"), table.state == "published"))
        self._by_ids = Query(stored(resource, table.id).where(one_of(table.id, "ids")))
        self._statement = lru_cache(maxsize=1024)(self._build)
        self._candidates = lru_cache(maxsize=256)(self._build_candidates)
        self._count = lru_cache(maxsize=256)(self._build_count)
        self._included = lru_cache(maxsize=256)(self._build_included)

    def detail(self, record_id: str, query: BaseModel, has: Callable[[str], bool]) -> Read:
        """One record, whole, or with `fields` and `include`."""
        shaped = query.model_fields_set
        tag = ""
        if shaped:
            tag = yield from tag_of_many(query, self.resource.name, record_id)
        rows = yield self._detail, {"id": record_id}
        if not rows:
            yield from self._missing(record_id)
        change, head, rendering, body = rows[0]
        if not shaped:
            tag = f"{change}-{head}-{rendering}"
        if has(tag):
            return Answer(None, tag)
        if shaped:
            included = yield from self._include(query, [record_id])
            body = _with(_only(query, self.resource)(body), included)
        return Answer(body, tag)

    def _missing(self, record_id: str) -> Read:
        rows = yield LAST_OF_RECORD, {"resource": self.resource.name, "id": record_id}
        raise Gone if rows and rows[0][0] == "delete" else NotFound

    def nested(self, parent: str, include: Include, query: BaseModel, has: Callable[[str], bool], path: str) -> Read:
        """The list of what belongs to one record of this resource, which must exist."""
        if include.parameter in query.model_fields_set:
            said = "The path says this already."
            raise Invalid(ErrorItem(parameter=include.parameter, code="given_by_path", detail=said))
        if not (yield self._exists, {"id": parent}):
            yield from self._missing(parent)
        answer = yield from READINGS[include.resource.name].page(query, has, path, {include.parameter: [parent]})
        return answer

    def page(
        self, query: BaseModel, has: Callable[[str], bool], path: str, also: Mapping[str, Any] | None = None
    ) -> Read:
        """A page of records that match, in a total order, and the path of the next page."""
        tag = yield from tag_of_many(query, path, f"indexing {INDEXING}")
        if has(tag):
            return Answer(None, tag)
        page = Page(self.resource, query, also or {}, path)
        said: dict[str, Any] = {}
        if page.query.q is None:
            rows, following = yield from self._in_order(page)
        else:
            rows, following, said = yield from self._found(page)
        only = _only(query, self.resource)
        parts = [b'{"items":[', b",".join(only(row[2]) for row in rows), b'],"next":', json.dumps(following).encode()]
        if page.query.total:
            ((count,),) = yield self._count(page.shape), page.values
            parts += [b',"total":%d' % count]
        parts += [b',"%s":%s' % (name.encode(), json.dumps(value).encode()) for name, value in said.items()]
        included = yield from self._include(query, [row[1] for row in rows])
        return Answer(_with(b"".join(parts) + b"}", included), tag, following)

    def bodies(self, ids: Sequence[str]) -> Read:
        """The representations of these records, by id."""
        rows = yield self._by_ids, {"ids": list(ids)}
        return dict(rows)

    def _in_order(self, page: Page) -> Read:
        """The page's rows in the order of its sort, and the path of the next page."""
        rows: list[Any] = []
        for segment in page.segments():
            statement = self._statement(page.shape, page.sort, segment)
            rows += yield statement, {**page.values, **page.after, "most": page.limit + 1 - len(rows)}
            if len(rows) > page.limit:
                return rows[: page.limit], page.next(*rows[page.limit - 1][:2])
        return rows, None

    def _found(self, page: Page) -> Read:
        """The same of the records that a query finds, best first if no sort is given; and how it was understood."""
        matching = Matching(page.query.q, self._candidates(page.shape), [self.resource], page.values)
        found: Found = yield from matching.page(page.place, page.limit if page.by_relevance else 1)
        page.narrow(FOUND, matching.everything(found.sense))
        said = {"reading": found.reading, "corrected": found.corrected}
        if not page.by_relevance:
            return *(yield from self._in_order(page)), said
        ids = [hit.record_id for hit in found.hits]
        bodies = yield from self.bodies(ids)
        rows = [("", record_id, bodies[record_id]) for record_id in ids]
        return rows, page.next(str(found.next), "") if found.next else None, said

    def _where(self, shape: Shape) -> list[ColumnElement[bool]]:
        """The conditions of a shape; those on one link table must hold for the same link."""
        conditions: list[ColumnElement[bool]] = []
        of_links: dict[Any, list[ColumnElement[bool]]] = {}
        for name, single in shape:
            if name == FOUND:
                conditions.append(found_among(self.resource))
                continue
            parameter = self.resource.parameters[name]
            if parameter.link is None:
                conditions.append(parameter.where(name, single))
            else:
                of_links.setdefault(parameter.link, []).append(parameter.where(name, single))
        for link, each in of_links.items():
            conditions.append(owner_of(link).c.id.in_(select(link.c.record_id).where(*each)))
        return conditions

    def _build(self, shape: Shape, sort: Sort, segment: str) -> Query:
        table, column = self.resource.table, self.resource.all_sorts[sort.name]
        statement = stored(self.resource, column, table.id).where(*self._where(shape)).limit(bindparam("most"))
        order = [table.id.desc() if sort.ties_descending else table.id]
        if segment.startswith("absent"):
            statement = statement.where(column.is_(None))
        elif sort.name != "id":
            statement = statement.where(column.is_not(None)) if nullable(column) else statement
            order = [column.desc() if sort.descending else column, *order]
        if segment.endswith("after"):
            statement = statement.where(beyond(column, table.id, sort, segment))
        return Query(statement.order_by(*order))

    def _build_candidates(self, shape: Shape) -> Candidates:
        """Candidates on which the other filters hold: each is looked up, whatever a planner thinks of it (OFFSET)."""
        table = self.resource.table
        held = select(table.id).where(table.id == RECORDS.c.record_id, *self._where(shape)).offset(literal_column("0"))
        return Candidates(held.exists() if shape else None)

    def _build_count(self, shape: Shape) -> Query:
        table = self.resource.table
        return Query(select(func.count()).select_from(table).where(table.state == "published", *self._where(shape)))

    def _build_included(self, parameter: str) -> Query:
        condition = on_record(self.resource.parameters[parameter], parameter, False)
        table = self.resource.table
        found = stored(self.resource, table.id).where(condition).order_by(table.id)
        return Query(found.limit(literal_column(str(MOST_INCLUDED + 1))))

    def _include(self, query: BaseModel, ids: Sequence[str]) -> Read:
        """The records asked for with `include`, each kind found from those before it.

        What records name (partners, indicators) is followed from all that are there already; what belongs to a
        record (its figures, its milestones) only from records of the resource that was asked.
        """
        names: str | None = query.include  # type: ignore[attr-defined]
        if not names:
            return None
        known: dict[str, list[str]] = {self.resource.name: list(ids)}
        found: dict[str, dict[str, bytes]] = {}
        further: dict[str, list[str]] = {}
        for name in names.split(","):
            edges = self._edges(name, known)
            if not edges or name in found:
                raise Invalid(_no_include(list(known)))
            kind = found.setdefault(name, {})
            for edge, source in edges:
                rows = yield READINGS[edge.resource.name]._included(edge.parameter), {edge.parameter: known[source]}
                if len(rows) > MOST_INCLUDED:
                    further.setdefault(name, []).extend(_further(edge, known[source], rows[MOST_INCLUDED - 1][0]))
                kind.update(rows[:MOST_INCLUDED])
            for edge, _ in edges:
                known[edge.resource.name] = list(dict.fromkeys([*known.get(edge.resource.name, ()), *kind]))
        return found, further

    def _edges(self, name: str, known: Iterable[str]) -> list[tuple[Include, str]]:
        edges = [(RESOURCES[source].includes.get(name), source) for source in known]
        return [(edge, at) for edge, at in edges if edge and (not edge.nested or at == self.resource.name)]


READINGS: dict[str, Reading] = {}


def tag_of_many(query: BaseModel, *names: str) -> Read:
    """The tag of an answer made from several records: the last Change and what was asked."""
    rows = yield LAST_CHANGE, {}
    last, head = rows[0] if rows else (0, "")
    asked = json.dumps([*names, query.model_dump(exclude_unset=True)], sort_keys=True).encode()
    return f"{last}-{head}-{RENDERING}-{hashlib.blake2b(asked, digest_size=8).hexdigest()}"


def _only(query: BaseModel, resource: Resource) -> Callable[[bytes], bytes]:
    """Cuts a representation down to the asked fields."""
    asked: str | None = query.fields  # type: ignore[attr-defined]
    if not asked:
        return lambda body: body
    names = asked.split(",")
    shown = {entry.alias or name for name, entry in resource.shown.model_fields.items()}
    unknown = [name for name in names if name not in shown]
    if unknown:
        detail = "fields names something that this resource does not have."
        raise Invalid(ErrorItem(parameter="fields", code="unknown_field", detail=detail))
    keep = {"id", *names}

    def cut(body: bytes) -> bytes:
        record = json.loads(body)
        kept = {name: value for name, value in record.items() if name in keep}
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()

    return cut


def _with(body: bytes, included: Any) -> bytes:
    if included is None:
        return body
    found, further = included
    kinds = _object({name: _object(kind) for name, kind in found.items()})
    return b'%s,"included":%s,"included_next":%s}' % (body[:-1], kinds, json.dumps(further).encode())


def _object(members: Mapping[str, bytes]) -> bytes:
    """A JSON object of members that are JSON already."""
    return b"{%s}" % b",".join(b"%s:%s" % (json.dumps(name).encode(), one) for name, one in members.items())


def _further(edge: Include, ids: Sequence[str], last: str) -> Iterator[str]:
    """Paths to what lies behind the last included record; a path names so many records that it stays short."""
    path = f"/v1/{edge.resource.name}"
    for start in range(0, len(ids), MOST_IN_PATH):
        asked = [(edge.parameter, one) for one in ids[start : start + MOST_IN_PATH]]
        place = cursor(f"{path}?{urlencode(sorted(asked))}", last, last)
        yield f"{path}?{urlencode([*asked, ('cursor', place)])}"


def _no_include(known: Sequence[str]) -> ErrorItem:
    possible = sorted({include for source in known for include in RESOURCES[source].includes})
    detail = f"include takes each of these once, in the order to follow them: {', '.join(possible)}."
    return ErrorItem(parameter="include", code="unknown_include", detail=detail)
