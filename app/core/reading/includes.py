"""`include`: linked records that a response contains in addition, read in as few statements as possible."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol

from sqlalchemy import Select, literal_column, not_

from app.core.database.sql import one_of
from app.core.database.statement_cache import STATEMENTS
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, Rows, fitting
from app.core.errors import MAX_ERRORS, ErrorItem, Invalid
from app.core.model.resource import COMPUTED_INCLUDES, RESOURCES, Include, Resource, on_record
from app.core.reading.cursors import Cursors
from app.core.reading.results import ReadRequest
from app.core.stored_records import TextsOf, ordered_query, select_keys, union_in_order
from app.core.values.links import ids_in_json
from app.core.values.text import Suggestions

MAX_INCLUDED = 200  # records for each step
MAX_ROUNDS = 5  # links in a chain of included records; `included_next` has the paths of the records after these
MAX_IN_PATH = 100  # ids in the path of further records


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
    """One link that an include follows, from records of the resource `source`. `number` is its position among them."""

    number: int
    name: str
    include: Include
    source: str

    def keys(self, part: int, bind: str, single: bool) -> Select[Any]:
        """Select the number of the part and the keys of the records to which the records bound to `bind` link."""
        resource = self.include.resource
        parameter = resource.parameters[self.include.parameter]
        linked = select_keys(resource, literal_column(str(part)).label("part"))
        linked = linked.where(on_record(parameter, bind, single))
        return linked.order_by(resource.table.id).limit(literal_column(str(MAX_INCLUDED + 1)))

    def ids_in(self, body: bytes) -> Iterator[bytes]:
        """Yield the ids of all records to which this step leads from a stored record, and perhaps of others."""
        return ids_in_json(RESOURCES[self.source].shown, self.include.resource.name, body)


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
        # By step: the steps that are followed from the records that it adds.
        self.following = [[later for later in self.later_steps if _can_follow(later, step)] for step in self.steps]
        self.needs_more = bool(self.later_steps or self.computed)
        self.resources: dict[str, list[Resource]] = {}
        for step in self.steps:
            self.resources.setdefault(step.name, []).append(step.include.resource)

    def _has_sources(self, step: IncludeStep) -> bool:
        """Return whether another name adds records from which the link of a step is followed."""
        return any(_can_follow(step, other) for other in self.steps)

    def parts(self, texts_of: TextsOf, bind: str, single: bool) -> Iterator[Select[Any]]:
        """Yield a select of (number, id, body) for each step of the first statement."""
        for number, step in enumerate(self.first_steps):
            yield texts_of(step.include.resource, step.keys(number, bind, single))

    def read(self, request: ReadRequest, ids: Sequence[str], shape: IncludedShape, rows: Rows | None = None) -> Read:
        """Return the last members of a response: `"included": …, "included_next": …`.

        `ids` are those of the requested records. `rows` are the rows of `parts` if they have been read already, after
        that of the requested record. `shape` is the form of the included records.
        """
        if rows is None:
            first = STATEMENTS.query(_first_statement, self.resource, self.names)
            values = {"ids": list(ids), "most_bytes": MAX_PAGE_BYTES}
            rows = (yield first, values) if self.first_steps and ids else ()
        first_reads, left = _split(rows, len(self.first_steps), MAX_PAGE_BYTES)
        records = IncludedRecords(self, request, shape, left)
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
        sources = {step: ids for step in self.later_steps if (ids := records.take_sources(step))}
        reads = yield from _read_later(sources, records)
        for (step, ids), read in zip(sources.items(), reads, strict=True):
            yield from records.add(step, ids, read)
        return bool(sources)


class IncludedRecords:
    """The records that the names of an include have added so far, and those from which each step was followed."""

    def __init__(self, includes: Includes, request: ReadRequest, shape: IncludedShape, left: int) -> None:
        self.by_name: dict[str, dict[str, tuple[Resource, bytes]]] = {step.name: {} for step in includes.steps}
        self.next_paths: dict[str, list[str]] = {}
        self.left = left  # bytes
        self._includes = includes
        self._request = request
        self._shape = shape
        self._followed: list[set[str]] = [set() for _ in includes.steps]
        self._waiting: list[dict[str, bytes]] = [{} for _ in includes.steps]

    def take_sources(self, step: IncludeStep) -> list[str]:
        """Return the ids of records from which a step was not followed yet and may add others, and forget them."""
        waiting, self._waiting[step.number] = self._waiting[step.number], {}
        if not waiting:
            return []
        followed = self._followed[step.number]
        present = {record_id.encode() for record_id in self.by_name[step.name]}
        unfollowed = ((record_id, body) for record_id, body in waiting.items() if record_id not in followed)
        return [record_id for record_id, body in unfollowed if not present.issuperset(step.ids_in(body))]

    def add(self, step: IncludeStep, ids: Sequence[str], read: "StepRecords") -> Read:
        """Add the records of a step that was followed from these ids, and the paths of the remaining ones."""
        self._followed[step.number].update(ids)
        resource = step.include.resource
        records = self.by_name[step.name]
        added = {record_id: (resource, body) for record_id, body in read.pairs if record_id not in records}
        records |= added
        for later in self._includes.following[step.number] if added else ():
            self._waiting[later.number] |= {record_id: body for record_id, (_, body) in added.items()}
        if read.has_more:
            shaping = self._shape.parameters_of_included(step.name)
            paths = yield from _next_paths(self._request, step.include, ids, read.last_id, shaping)
            self.next_paths.setdefault(step.name, []).extend(paths)

    def add_paths_of_the_rest(self, steps: Iterable[IncludeStep]) -> Read:
        """Add the paths of the records behind links that are too far away to be followed."""
        for step in steps:
            if sources := self.take_sources(step):
                yield from self.add(step, sources, StepRecords.of((), is_cut=True))


def _can_follow(later: IncludeStep, step: IncludeStep) -> bool:
    """Return whether a step is followed from the records of another one. A name is not followed from its own."""
    return later.source == step.include.resource.name and later.name != step.name


def _steps(resource: Resource, names: Collection[str]) -> list[IncludeStep]:
    """Return the steps that these names can take from a resource.

    The order of the names has no effect on their order.
    """
    steps: list[IncludeStep] = []
    sources = [resource]
    for source in sources:  # grows
        edges = [edge for edge in source.includes.values() if edge.name in names]
        edges = [edge for edge in edges if source is resource or not edge.nested]
        steps += [IncludeStep(len(steps) + place, edge.name, edge, source.name) for place, edge in enumerate(edges)]
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


def _split(rows: Rows, count: int, most_bytes: int) -> tuple[list[StepRecords], int]:
    """Return the records of each step of a statement, and how many bytes are left for other steps.

    If the rows do not fit into a response, the step with the first row that does not fit is cut, and all later steps.
    """
    fitted = fitting(rows)
    cut_at = count if len(fitted) == len(rows) else rows[len(fitted)][0]
    pairs: list[list[tuple[str, bytes]]] = [[] for _ in range(count)]
    for number, record_id, body in fitted:
        if number >= 0:
            pairs[number].append((record_id, body))
    left = most_bytes - sum(len(row[2]) for row in fitted) if cut_at == count else 0
    return [StepRecords.of(step, is_cut=number >= cut_at) for number, step in enumerate(pairs)], left


def _read_later(sources: Mapping[IncludeStep, Sequence[str]], records: "IncludedRecords") -> Read:
    """Read the records of steps that are not in the first statement, except those that their names have already."""
    if not sources or records.left <= 0:
        return [StepRecords.of((), is_cut=True) for _ in sources]
    values: dict[str, Any] = {"most_bytes": records.left}
    for number, (step, ids) in enumerate(sources.items()):
        values |= {f"ids_{number}": ids, f"present_{number}": list(records.by_name[step.name])}
    rows = yield STATEMENTS.query(_later_statement, tuple(sources)), values
    reads, records.left = _split(rows, len(sources), records.left)
    return reads


def _first_statement(resource: Resource, names: str) -> Query:
    includes = includes_of(resource, names)
    return ordered_query(lambda texts_of: union_in_order(*includes.parts(texts_of, "ids", False)))


def _later_statement(steps: Sequence[IncludeStep]) -> Query:
    def keys(number: int, step: IncludeStep) -> Select[Any]:
        is_present = one_of(step.include.resource.table.id, f"present_{number}")
        return step.keys(number, f"ids_{number}", False).where(not_(is_present))

    def build(texts_of: TextsOf) -> Any:
        parts = [texts_of(step.include.resource, keys(number, step)) for number, step in enumerate(steps)]
        return union_in_order(*parts)

    return ordered_query(build, looks_up=True)


@lru_cache(maxsize=64)
def includes_of(resource: Resource, names: str) -> Includes:
    """Parse a value of `include`; raises Invalid if a name in it cannot be followed."""
    return Includes(resource, names)


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
