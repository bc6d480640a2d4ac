"""`include`: linked records that a response contains in addition, read in as few statements as possible."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import Executable, Select, case, func, literal_column, select, union_all

from app.core.change_log import CHANGES
from app.core.database.sql import bounded, unfitted, utf8
from app.core.database.statement_cache import STATEMENTS
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, Rows, fitting
from app.core.errors import ErrorItem, Invalid
from app.core.model.resource import RESOURCES, Include, Resource, on_record
from app.core.reading.cursors import Cursors
from app.core.reading.results import ReadRequest

MAX_INCLUDED = 200  # records for each step
MAX_IN_PATH = 100  # ids in the path of further records


def select_stored(resource: Resource, *columns: Any, state: str = "published") -> Select[Any]:
    """Select columns of public records (or drafts), and last the bytes of the representation."""
    return _select(utf8, resource, columns, state)


def select_texts(resource: Resource, *columns: Any, state: str = "published") -> Select[Any]:
    """Select columns of public records (or drafts), and last the text of the representation, for `bounded`."""
    return _select(lambda text: unfitted(text).label("body"), resource, columns, state)


def _select(encode: Callable[[Any], Any], resource: Resource, columns: Sequence[Any], state: str) -> Select[Any]:
    """Select columns, and last the representation.

    The representation is that of the last Change, unless the record was rendered again since.
    """
    table = resource.table
    body = encode(func.coalesce(table.body, CHANGES.c.body))
    statement = select(*columns, body).join(CHANGES, CHANGES.c.sequence == table.change)
    return statement.where(table.state == literal_column(f"'{state}'"))


def select_keys(resource: Resource, *columns: Any, state: str = "published") -> Select[Any]:
    """Select columns of public records (or drafts), and last the id, for `TextsOf`."""
    table = resource.table
    return select(*columns, table.id.label("id")).where(table.state == literal_column(f"'{state}'"))


# Adds the text of the representation to an ordered select of keys. There is one function for each engine.
TextsOf = Callable[[Resource, Select[Any]], Select[Any]]


def _texts_after_sort(resource: Resource, keys: Select[Any]) -> Select[Any]:
    """Read the representations of the rows of a page only.

    SQLite would copy the representation of every matching record if it had to sort them. `typeof` does not read it.
    """
    table = resource.table
    page = keys.add_columns(table.change.label("change"), func.typeof(table.body).label("type_of_body")).subquery()
    rendered = select(table.body).where(table.id == page.c.id).correlate(page).scalar_subquery()
    text = func.coalesce(case((page.c.type_of_body != literal_column("'null'"), rendered)), CHANGES.c.body)
    body = select(unfitted(text)).where(CHANGES.c.sequence == page.c.change).correlate(page).scalar_subquery()
    columns = [column for column in page.c if column.key not in ("change", "type_of_body")]
    return select(*columns, body.label("body"))


def _joined_texts(resource: Resource, keys: Select[Any]) -> Select[Any]:
    """Read the representations in the same select. PostgreSQL sorts references to large texts, not the texts."""
    table = resource.table
    body = unfitted(func.coalesce(table.body, CHANGES.c.body)).label("body")
    return bounded(keys.add_columns(body).join_from(table, CHANGES, CHANGES.c.sequence == table.change))


def ordered_query(
    build: Callable[[TextsOf], Executable], *, alone: bool = False, is_in_index_order: bool = False
) -> Query:
    """Return the query of a select of ordered keys with their representations. `build` adds them with its argument.

    If an index always has the order, SQLite does not sort, and a page takes a quarter less with `_joined_texts`.
    """
    joined = partial(build, _joined_texts)
    return Query(joined if is_in_index_order else partial(build, _texts_after_sort), joined, alone=alone)


def query_in_order(resource: Resource, keys: Select[Any]) -> Query:
    """Return the query of one select of ordered keys, with their representations."""
    return ordered_query(lambda texts_of: texts_of(resource, keys))


@dataclass(frozen=True)
class IncludeStep:
    """One link that an include follows, from records of the resource `source`.

    A step is in the first statement if it starts from the requested records only, so it does not need other steps.
    """

    name: str
    include: Include
    source: str
    in_first_statement: bool

    def keys(self, bind: str, single: bool, *columns: Any) -> Select[Any]:
        """Select the keys of the linked records of the records whose ids are bound to `bind`."""
        resource = self.include.resource
        parameter = resource.parameters[self.include.parameter]
        linked = select_keys(resource, *columns).where(on_record(parameter, bind, single))
        return linked.order_by(resource.table.id).limit(literal_column(str(MAX_INCLUDED + 1)))


class Includes:
    """The records that one value of `include` adds to records of a resource.

    The names are followed in their order. Links of records (partners, indicators) are followed from all records that
    were read before; nested lists (figures, milestones) only from the requested records.
    """

    def __init__(self, resource: Resource, names: str) -> None:
        self.resource = resource
        self.names = names
        self.steps: list[IncludeStep] = []
        sources = [resource.name]
        root_only = True
        for name in names.split(","):
            candidates = [(RESOURCES[source].includes.get(name), source) for source in sources]
            edges = [(edge, at) for edge, at in candidates if edge and (not edge.nested or at == resource.name)]
            if not edges or any(step.name == name for step in self.steps):
                raise Invalid(_no_include(sources))
            self.steps += [IncludeStep(name, edge, at, root_only and at == resource.name) for edge, at in edges]
            sources += [edge.resource.name for edge, _ in edges if edge.resource.name not in sources]
            root_only = root_only and all(edge.resource is not resource for edge, _ in edges)
        self.first_steps = [step for step in self.steps if step.in_first_statement]
        self.needs_more = len(self.first_steps) < len(self.steps)

    def parts(self, texts_of: TextsOf, bind: str, single: bool) -> Iterator[Select[Any]]:
        """Yield a select of (number, id, body) for each step of the first statement."""
        for number, step in enumerate(self.first_steps):
            keys = step.keys(bind, single, literal_column(str(number)).label("part"))
            yield texts_of(step.include.resource, keys)

    def read(self, request: ReadRequest, ids: Sequence[str], rows: Rows | None = None) -> Read:
        """Return the last members of a response: `"included": …, "included_next": …`.

        `ids` are those of the requested records. `rows` are the rows of `parts` if they have been read already, after
        that of the requested record.
        """
        if rows is None:
            first = STATEMENTS.query(_first_statement, self.resource, self.names)
            values = {"ids": list(ids), "most_bytes": MAX_PAGE_BYTES}
            rows = (yield first, values) if self.first_steps and ids else ()
        first_reads, left = _split(rows, len(self.first_steps))
        remaining = iter(first_reads)
        ids_by_resource: dict[str, list[str]] = {self.resource.name: list(ids)}
        included: dict[str, dict[str, bytes]] = {}
        next_paths: dict[str, list[str]] = {}
        for step in self.steps:
            records = included.setdefault(step.name, {})
            source_ids = ids_by_resource[step.source]
            read = next(remaining) if step.in_first_statement else (yield from _read_later(step, source_ids, left))
            left -= 0 if step.in_first_statement else read.size
            if read.has_more:
                paths = yield from _next_paths(request, step.include, source_ids, read.last_id)
                next_paths.setdefault(step.name, []).extend(paths)
            records.update(read.pairs)
            resource = step.include.resource.name
            if self.needs_more:
                ids_by_resource[resource] = list(dict.fromkeys([*ids_by_resource.get(resource, ()), *records]))
        members = _object({name: _object(records) for name, records in included.items()})
        return b'"included":%s,"included_next":%s' % (members, json.dumps(next_paths).encode() if next_paths else b"{}")


@dataclass(frozen=True)
class StepRecords:
    """The records of a step as pairs of id and body, and whether there are or may be more than one response takes."""

    pairs: Sequence[tuple[str, bytes]]
    has_more: bool

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, bytes]], *, is_cut: bool) -> "StepRecords":
        """Return at most MAX_INCLUDED of the records."""
        return cls(pairs[:MAX_INCLUDED], is_cut or len(pairs) > MAX_INCLUDED)

    @property
    def last_id(self) -> str | None:
        """The id of the last record, if there is one."""
        return self.pairs[-1][0] if self.pairs else None

    @property
    def size(self) -> int:
        """The bytes of the records."""
        return sum(len(body) for _, body in self.pairs)


def _split(rows: Rows, count: int) -> tuple[list[StepRecords], int]:
    """Return the records of each step of the first statement, and how many bytes are left for other steps.

    If the rows do not fit into a response, the step of the first one that does not is cut, and so are all later steps.
    """
    fitted = fitting(rows)
    cut_at = count if len(fitted) == len(rows) else rows[len(fitted)][0]
    pairs: list[list[tuple[str, bytes]]] = [[] for _ in range(count)]
    for number, record_id, body in fitted:
        if number >= 0:
            pairs[number].append((record_id, body))
    left = MAX_PAGE_BYTES - sum(len(row[2]) for row in fitted) if cut_at == count else 0
    return [StepRecords.of(step, is_cut=number >= cut_at) for number, step in enumerate(pairs)], left


def _read_later(step: IncludeStep, ids: Sequence[str], left: int) -> Read:
    """Read the records of a step that is not in the first statement, if bytes are left for them."""
    if left <= 0 or not ids:
        return StepRecords.of((), is_cut=bool(ids))
    rows = yield STATEMENTS.query(_later_statement, step), {"ids": list(ids), "most_bytes": left}
    fitted = fitting(rows)
    return StepRecords.of(fitted, is_cut=len(fitted) < len(rows))


def _first_statement(resource: Resource, names: str) -> Query:
    includes = includes_of(resource, names)
    return ordered_query(lambda texts_of: union_in_order(*includes.parts(texts_of, "ids", False)))


def _later_statement(step: IncludeStep) -> Query:
    return query_in_order(step.include.resource, step.keys("ids", False))


@lru_cache(maxsize=64)
def includes_of(resource: Resource, names: str) -> Includes:
    """Parse a value of `include`; raises Invalid if a name in it cannot be followed."""
    return Includes(resource, names)


def union_in_order(*parts: Select[Any]) -> Any:
    """Return the rows of each select of `TextsOf` or `bounded`, one select after the other.

    Both engines append in this order: on PostgreSQL, readers switch parallel plans off.
    """
    return parts[0] if len(parts) == 1 else union_all(*parts)


def _object(members: Mapping[str, bytes]) -> bytes:
    """Return a JSON object of members that are JSON already. Their names (ids, names of includes) need no escape."""
    return b"{%s}" % b",".join([b'"%s":%s' % (name.encode(), value) for name, value in members.items()])


def _next_paths(request: ReadRequest, edge: Include, ids: Sequence[str], last: str | None) -> Read:
    """Return paths of the records after the last included one, or of all records if there is none.

    Each path has few enough ids to stay short.
    """
    paths = []
    for start in range(0, len(ids), MAX_IN_PATH):
        parameters = [(edge.parameter, record_id) for record_id in ids[start : start + MAX_IN_PATH]]
        cursors: Cursors = yield from request.cursors(parameters, f"/v1/{edge.resource.name}")
        paths.append(cursors.start() if last is None else cursors.next((), last, last))
    return paths


def _no_include(sources: Sequence[str]) -> ErrorItem:
    names = sorted(set().union(*(RESOURCES[source].includes for source in sources)))
    detail = f"include takes each of these names once, in the order in which to follow them: {', '.join(names)}."
    return ErrorItem(parameter="include", code="unknown_include", detail=detail)
