"""`include`: linked records that a response contains in addition, read in as few statements as possible."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from typing import Any, Protocol

from sqlalchemy import Executable, Select, case, func, literal_column, select, union_all

from app.core.change_log import CHANGES
from app.core.database.sql import bounded, unfitted, utf8
from app.core.database.statement_cache import STATEMENTS
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, Rows, fitting
from app.core.errors import MAX_ERRORS, ErrorItem, Invalid
from app.core.model.resource import COMPUTED_INCLUDES, Include, Resource, on_record
from app.core.reading.cursors import Cursors
from app.core.reading.results import ReadRequest
from app.core.values.text import Suggestions

MAX_INCLUDED = 200  # records for each step
MAX_ROUNDS = 5  # links in a chain of included records; `included_next` has the paths of the records after these
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


class IncludedShape(Protocol):
    """The form in which a request wants the included records."""

    @property
    def languages(self) -> tuple[str | None, str | None]:
        """The languages of the labels and of the texts, if they are stated."""

    def apply_to_included(self, name: str, records: Mapping[str, tuple[Resource, bytes]]) -> Mapping[str, bytes]:
        """Return the requested form of the records that a name includes."""

    def parameters_of_included(self, name: str) -> list[tuple[str, str]]:
        """Return the parameters with which a list returns its records in this form."""


@dataclass(frozen=True)
class IncludeStep:
    """One link that an include follows, from records of the resource `source`."""

    name: str
    include: Include
    source: str

    def keys(self, bind: str, single: bool, *columns: Any) -> Select[Any]:
        """Select the keys of the linked records of the records whose ids are bound to `bind`."""
        resource = self.include.resource
        parameter = resource.parameters[self.include.parameter]
        linked = select_keys(resource, *columns).where(on_record(parameter, bind, single))
        return linked.order_by(resource.table.id).limit(literal_column(str(MAX_INCLUDED + 1)))


class Includes:
    """The records that one value of `include` adds to records of a resource. The order of its names does not matter.

    Links (partners, indicators) are followed from the requested records, and from the records that the other names
    added, until no name adds a record. Nested lists (figures, milestones) and computed results start only from the
    requested records.
    """

    def __init__(self, resource: Resource, names: str) -> None:
        self.resource = resource
        requested = set(names.split(","))
        computed = COMPUTED_INCLUDES.get(resource.name, {})
        self.computed = {name: computed[name].compute for name in computed if name in requested}
        self.steps = _steps(resource, requested)
        followed = dict.fromkeys([*(step.name for step in self.steps), *self.computed])
        if unknown := requested - followed.keys():
            raise Invalid(*_unknown_includes(resource, self.steps, unknown))
        self.names = ",".join(followed)
        self.first_steps = [step for step in self.steps if step.source == resource.name]
        self.later_steps = [step for step in self.steps if not step.include.nested and self._has_sources(step)]
        self.needs_more = bool(self.later_steps or self.computed)
        self.resources: dict[str, list[Resource]] = {}
        for step in self.steps:
            self.resources.setdefault(step.name, []).append(step.include.resource)

    def _has_sources(self, step: IncludeStep) -> bool:
        """Return whether another name adds records from which the link of a step is followed."""
        return any(other.name != step.name and other.include.resource.name == step.source for other in self.steps)

    def parts(self, texts_of: TextsOf, bind: str, single: bool) -> Iterator[Select[Any]]:
        """Yield a select of (number, id, body) for each step of the first statement."""
        for number, step in enumerate(self.first_steps):
            keys = step.keys(bind, single, literal_column(str(number)).label("part"))
            yield texts_of(step.include.resource, keys)

    def read(self, request: ReadRequest, ids: Sequence[str], shape: IncludedShape, rows: Rows | None = None) -> Read:
        """Return the last members of a response: `"included": …, "included_next": …`.

        `ids` are those of the requested records. `rows` are the rows of `parts` if they have been read already, after
        that of the requested record. `shape` is the form of the included records.
        """
        if rows is None:
            first = STATEMENTS.query(_first_statement, self.resource, self.names)
            values = {"ids": list(ids), "most_bytes": MAX_PAGE_BYTES}
            rows = (yield first, values) if self.first_steps and ids else ()
        first_reads, left = _split(rows, len(self.first_steps))
        records = IncludedRecords(request, shape, self.steps, left + sum(read.size for read in first_reads))
        for step, read in zip(self.first_steps, first_reads, strict=True):
            yield from records.add(step, ids, read)
        for _ in range(MAX_ROUNDS):
            if not (yield from self._follow(records)):
                break
        yield from records.add_paths_of_the_rest(self.later_steps)
        members = {name: _object(shape.apply_to_included(name, by_id)) for name, by_id in records.by_name.items()}
        for name, compute in self.computed.items():
            members[name] = _object((yield from compute(ids, *shape.languages)) if ids else {})
        next_paths = json.dumps(records.next_paths).encode() if records.next_paths else b"{}"
        return b'"included":%s,"included_next":%s' % (_object(members), next_paths)

    def _follow(self, records: "IncludedRecords") -> Read:
        """Follow each link from the records that it was not followed from yet; return whether there were any."""
        has_followed = False
        for step in self.later_steps:
            if sources := records.sources(step):
                has_followed = True
                yield from records.add(step, sources, (yield from _read_later(step, sources, records.left)))
        return has_followed


class IncludedRecords:
    """The records that the names of an include have added so far, and those from which each step was followed."""

    def __init__(self, request: ReadRequest, shape: IncludedShape, steps: Sequence[IncludeStep], left: int) -> None:
        self.by_name: dict[str, dict[str, tuple[Resource, bytes]]] = {step.name: {} for step in steps}
        self.next_paths: dict[str, list[str]] = {}
        self.left = left  # bytes
        self._request = request
        self._shape = shape
        self._followed: dict[IncludeStep, set[str]] = {}

    def sources(self, step: IncludeStep) -> list[str]:
        """Return the ids of the records of other names from which a step was not followed yet."""
        others = [records for name, records in self.by_name.items() if name != step.name]
        ids = dict.fromkeys(
            record_id
            for record_id, (resource, _) in chain.from_iterable(records.items() for records in others)
            if resource.name == step.source
        )
        followed = self._followed.get(step, set())
        return [record_id for record_id in ids if record_id not in followed]

    def add(self, step: IncludeStep, ids: Sequence[str], read: "StepRecords") -> Read:
        """Add the records of a step that was followed from these ids, and the paths of the remaining ones."""
        self._followed.setdefault(step, set()).update(ids)
        self.left -= read.size
        resource = step.include.resource
        for record_id, body in read.pairs:
            self.by_name[step.name].setdefault(record_id, (resource, body))
        if read.has_more:
            shaping = self._shape.parameters_of_included(step.name)
            paths = yield from _next_paths(self._request, step.include, ids, read.last_id, shaping)
            self.next_paths.setdefault(step.name, []).extend(paths)

    def add_paths_of_the_rest(self, steps: Iterable[IncludeStep]) -> Read:
        """Add the paths of the records behind links that are too far away to be followed."""
        for step in steps:
            if sources := self.sources(step):
                yield from self.add(step, sources, StepRecords.of((), is_cut=True))


def _steps(resource: Resource, names: Collection[str]) -> list[IncludeStep]:
    """Return the steps that these names can take from a resource.

    The order of the names has no effect on their order.
    """
    steps: list[IncludeStep] = []
    sources = [resource]
    for source in sources:  # grows
        edges = [edge for edge in source.includes.values() if edge.name in names]
        edges = [edge for edge in edges if source is resource or not edge.nested]
        steps += [IncludeStep(edge.name, edge, source.name) for edge in edges]
        sources += [target for target in dict.fromkeys(edge.resource for edge in edges) if target not in sources]
    return steps


@dataclass(frozen=True)
class StepRecords:
    """The records of a step as pairs of id and body, and whether there may be more than one response can contain."""

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

    If the rows do not fit into a response, the step with the first row that does not fit is cut, and all later steps.
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
    """Return a JSON object whose members are JSON already. Their names (ids, names of includes) need no escapes."""
    return b"{%s}" % b",".join([b'"%s":%s' % (name.encode(), value) for name, value in members.items()])


def _next_paths(
    request: ReadRequest, edge: Include, ids: Sequence[str], last: str | None, shaping: Sequence[tuple[str, str]]
) -> Read:
    """Return paths of the records after the last included one, or of all records if there is none.

    Each path has few enough ids to stay short. `shaping` are the parameters of the form of the records.
    """
    paths = []
    for start in range(0, len(ids), MAX_IN_PATH):
        parameters = [(edge.parameter, record_id) for record_id in ids[start : start + MAX_IN_PATH]]
        cursors: Cursors = yield from request.cursors(parameters, f"/v1/{edge.resource.name}")
        paths.append(cursors.start(shaping) if last is None else cursors.next(shaping, last, last))
    return paths


def _unknown_includes(resource: Resource, steps: Sequence[IncludeStep], names: Iterable[str]) -> Iterator[ErrorItem]:
    """Yield the error of each name that cannot be followed from the records that the other names add."""
    reached = {resource.name: resource} | {step.include.resource.name: step.include.resource for step in steps}
    edges = chain.from_iterable(source.includes.values() for source in reached.values())
    linked = {edge.name for edge in edges if edge.name in resource.includes or not edge.nested}
    possible = sorted({*COMPUTED_INCLUDES.get(resource.name, {}), *linked})
    suggestions = Suggestions()
    for name in sorted(names)[:MAX_ERRORS]:
        detail = f"include takes these names: {', '.join(possible)}.{suggestions.similar_to(name, possible)}"
        yield ErrorItem(parameter="include", code="unknown_include", detail=detail)
