"""Integrity rules: conditions that a record and its links must satisfy before it is written.

A rule is a function that yields the violations of a proposal. The rules here apply to every resource. A resource lists
its own rules in its declaration.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Select, bindparam, null, select
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.database.connection_reads import rows_of
from app.core.database.sql import one_of
from app.core.database.statements import Query
from app.core.error_codes import ERROR_DETAILS
from app.core.errors import ErrorItem
from app.core.model.fields import RecordFields
from app.core.model.resource import RESOURCES, Resource
from app.core.model.row_writes import read_rows
from app.core.model.support import parts_named
from app.core.values.links import links_in
from app.core.writing.representation import StoredRecord

MAX_ANCESTORS = 1_000  # above one record in a tree
TOO_MANY_ANCESTORS = f"These links lead to more than {MAX_ANCESTORS:,} records. Whether they lead back is not examined."


class RecordState(NamedTuple):
    """The facts that the rules need about a linked record."""

    state: str
    managed_by: str | None
    merged_into: str | None


class LookupCache:
    """The linked records that were looked up for proposals which are examined in the same state of the database."""

    def __init__(self) -> None:
        self._states: dict[str, dict[str, RecordState | None]] = {}
        self._columns: dict[tuple[str, str], tuple[Any, ...] | None] = {}
        self._with_text: dict[str, bool] = {}

    def states(self, session: Session, resource: Resource, ids: Iterable[str]) -> dict[str, RecordState]:
        """Return the states of those records that exist."""
        cached = self._states.setdefault(resource.name, {})
        if missing := {record_id for record_id in ids if record_id not in cached}:
            cached |= dict.fromkeys(missing)
            cached |= _read_states(session, resource, missing)
        return {record_id: state for record_id in ids if (state := cached[record_id]) is not None}

    def note(self, resource: str, record_id: str, row: Mapping[str, Any] | None) -> None:
        """Note that a record was written: its row, or None if it was deleted."""
        state = RecordState(row["state"], row["managed_by"], row.get("merged_into")) if row else None
        self._states.setdefault(resource, {})[record_id] = state
        self._columns.pop((resource, record_id), None)
        if resource == "documents":
            self._with_text.pop(record_id, None)

    def columns(self, session: Session, resource: Resource, record_id: str, *names: str) -> tuple[Any, ...] | None:
        """Return some columns of a record to which others link, always the same of a resource; None without it."""
        key = (resource.name, record_id)
        if key not in self._columns:
            rows = read_rows(session.connection(), resource.table.__table__, names, "id", [record_id])
            self._columns[key] = rows[0] if rows else None
        return self._columns[key]

    def documents_with_text(self, session: Session, documents: Iterable[str]) -> set[str]:
        """Return those documents whose text the registry has."""
        if missing := {document for document in documents if document not in self._with_text}:
            self._with_text |= dict.fromkeys(missing, False)
            with_text = rows_of(session.connection(), _documents_with_text(), ids=sorted(missing))
            self._with_text |= {row[0]: True for row in with_text}
        return {document for document in documents if self._with_text[document]}

    def look_up(self, session: Session, records: Iterable[RecordFields]) -> None:
        """Read all records that these link to or cite, with a few statements for each resource."""
        linked: dict[str, set[str]] = {}
        cited: set[str] = set()
        for fields in records:
            cited |= {citation.document for citation in fields.citations}
            for _, target, record_id in links_in(fields):
                linked.setdefault(target, set()).add(record_id)
        for target, ids in linked.items():
            self.states(session, RESOURCES[target], ids)
        self.documents_with_text(session, cited)


def _read_states(session: Session, resource: Resource, ids: Iterable[str]) -> dict[str, RecordState]:
    rows = rows_of(session.connection(), _states(resource), ids=sorted(ids))
    return {row[0]: RecordState(*row[1:]) for row in rows}


@cache
def _states(resource: Resource) -> Query:
    table = resource.table
    merged_into = null() if resource.merged_into_column is None else resource.merged_into_column
    columns = (table.id, table.state, table.managed_by, merged_into)
    return Query(select(*columns).where(one_of(table.id, "ids")), looks_up=True)


@cache
def _documents_with_text() -> Query:
    table = RESOURCES["documents"].table
    return Query(select(table.id).where(table.sha256.is_not(None), one_of(table.id, "ids")), looks_up=True)


@cache
def _ancestor_query(child: Any, parent: Any, where: tuple[ColumnElement[bool], ...]) -> Select[Any]:
    """Return the statement that finds the ids above `starts`. Building it takes longer than running it."""
    is_start = child.in_(bindparam("starts", expanding=True))
    above = select(parent.label("id")).where(is_start, *where).cte("above", recursive=True)
    # UNION drops ids that were found before, so the statement ends even if other records form a cycle.
    above = above.union(select(parent).join(above, child == above.c.id).where(*where))
    return select(above.c.id).limit(MAX_ANCESTORS + 1)


@dataclass(frozen=True)
class Proposal:
    """A record as it would be after a write, inside the transaction of the write."""

    session: Session
    resource: Resource
    record_id: str
    fields: Any
    caller: Caller
    lookups: LookupCache = field(default_factory=LookupCache)
    is_new: bool = False  # no record can link to it yet
    stored: StoredRecord | None = None  # the record before the write, if it was read

    def had_link(self, name: str, record_id: str) -> bool:
        """Return whether a field of the stored record has a link to this record."""
        value = self._stored_members.get(name)
        return record_id in (value if isinstance(value, list) else [value])

    @cached_property
    def _stored_members(self) -> dict[str, Any]:
        return json.loads(self.stored.body) if self.stored else {}

    @cached_property
    def links(self) -> list[tuple[str, str, str]]:
        """The links of the record as (JSON Pointer, resource, id). Several rules need them."""
        return list(links_in(self.fields))

    def exists(self, query: Select[Any]) -> bool:
        """Return whether the query returns a row."""
        return self.session.execute(query.limit(1)).first() is not None

    def cycles(self, starts: Iterable[str], child: Any, parent: Any, *where: ColumnElement[bool]) -> dict[str, str]:
        """Return those of `starts` that are the record or its descendants in a tree, each with the detail of the error.

        The columns `child` and `parent` have the two ids of each link of the tree. `where` restricts the links. Other
        writes wait for this one, so a record with more than MAX_ANCESTORS ancestors counts as a cycle.
        """
        others = set(starts) - {self.record_id}
        cyclic = set(starts) - others
        if others and not self.is_new:
            above = self._ancestors(others, child, parent, where)
            if self.record_id in above:
                # Find the descendants among them, unless there are too many ancestors to read.
                cyclic |= (others & self._ancestors({self.record_id}, parent, child, where)) or others
            elif len(above) > MAX_ANCESTORS:
                return dict.fromkeys(others, TOO_MANY_ANCESTORS) | dict.fromkeys(cyclic, ERROR_DETAILS["cycle"])
        return dict.fromkeys(cyclic, ERROR_DETAILS["cycle"])

    def _ancestors(self, starts: set[str], child: Any, parent: Any, where: tuple[ColumnElement[bool], ...]) -> set[str]:
        query = _ancestor_query(child, parent, where)
        return set(self.session.execute(query, {"starts": sorted(starts)}).scalars())

    def codes_in_use(self, holders: Select[Any], pointers: Mapping[tuple[str, ...], str]) -> Iterator[ErrorItem]:
        """Yield a violation for each code that another record has.

        `pointers` has the place of each code. `holders` selects (id, state, managed_by) and the parts of the code.
        """
        for other, state, manager, *code in self.session.execute(holders):
            pointer = pointers.get(tuple(code))
            if other != self.record_id and pointer is not None:
                holder = f"{self.resource.name}/{other}" if self.caller.can_see(state, manager) else "Another record"
                yield ErrorItem(pointer=pointer, code="taken", detail=f"{holder} has this code.")


def links(proposal: Proposal) -> Iterator[ErrorItem]:
    """Require that links lead to records that the caller can see, and from published records to published ones."""
    pointers: dict[str, dict[str, list[str]]] = {}
    for pointer, target, record_id in proposal.links:
        pointers.setdefault(target, {}).setdefault(record_id, []).append(pointer)
    for target, pointers_by_id in pointers.items():
        states = proposal.lookups.states(proposal.session, RESOURCES[target], pointers_by_id)
        if target == proposal.resource.name:
            # A record that links to itself is judged by its new state. It may not exist yet.
            states[proposal.record_id] = RecordState(proposal.fields.state, proposal.fields.managed_by, None)
        for record_id, places in pointers_by_id.items():
            violation = _link_violation(proposal, states.get(record_id))
            if violation:
                code, detail = violation
                yield from (ErrorItem(pointer=pointer, code=code, detail=detail) for pointer in places)


def _link_violation(proposal: Proposal, linked: RecordState | None) -> tuple[str, str] | None:
    """Return the code and detail of the violation, if any. None stands for a record that does not exist."""
    if linked is None or not proposal.caller.can_see(linked.state, linked.managed_by):
        return "unknown_record", ERROR_DETAILS["unknown_record"]
    if linked.merged_into is not None:
        return "merged", f"This partner was merged into {linked.merged_into}. Use that id."
    if linked.state == "draft" and proposal.fields.state == "published":
        return "links_to_draft", ERROR_DETAILS["links_to_draft"]
    return None


def evidence(proposal: Proposal) -> Iterator[ErrorItem]:
    """Require a citation, unless a partner manages the record and so is responsible for it."""
    fields = proposal.fields
    if proposal.resource.needs_evidence and not fields.citations and fields.managed_by is None:
        yield ErrorItem(pointer="/citations", code="no_evidence", detail=ERROR_DETAILS["no_evidence"])


def citations(proposal: Proposal) -> Iterator[ErrorItem]:
    """Require the paragraph and words where the registry has the text, and the name of an external source."""
    cited = proposal.fields.citations
    texts = proposal.lookups.documents_with_text(proposal.session, {citation.document for citation in cited})
    for number, citation in enumerate(cited):
        if citation.basis == "external" and citation.note is None:
            detail = "With the basis external, the note must name the source."
        elif citation.document in texts and (citation.paragraph is None or citation.as_written is None):
            detail = "The document states the SHA-256 of its text. State the paragraph and the words (as_written)."
        else:
            continue
        yield ErrorItem(pointer=f"/citations/{number}", code="incomplete_citation", detail=detail)


def supported_parts(proposal: Proposal) -> Iterator[ErrorItem]:
    """Require that each JSON Pointer of a citation leads to a part of the record.

    Otherwise an inferred item could appear as stated, because the pointer leads to an item that was removed.
    """
    cited = [
        (f"/citations/{number}/supports", citation.supports)
        for number, citation in enumerate(proposal.fields.citations)
        if any(name.startswith("/") for name in citation.supports)
    ]
    record = proposal.fields.citable() if cited else {}
    for place, names in cited:
        for position, name in enumerate(names):
            if name.startswith("/") and not any(parts_named(name, record)):
                detail = "This JSON Pointer leads to no part of the record that a citation can support."
                yield ErrorItem(pointer=f"{place}/{position}", code="invalid_value", detail=detail)


def trees(proposal: Proposal) -> Iterator[ErrorItem]:
    """Require that the record is not part of itself or its own successor, not even through other records.

    A link that the record had before can close no new cycle.
    """
    for name in proposal.resource.trees:
        parent = proposal.resource.links[name].columns[0]
        is_link_table = isinstance(parent, Column)
        child: Any = parent.table.c.record_id if is_link_table else proposal.resource.table.id
        own = {pointer: start for pointer, _, start in proposal.links if pointer.split("/")[1] == name}
        pointers = {pointer: start for pointer, start in own.items() if not proposal.had_link(name, start)}
        details = proposal.cycles(pointers.values(), child, parent)
        for pointer, start in pointers.items():
            if start in details:
                yield ErrorItem(pointer=pointer, code="cycle", detail=details[start])


def identifiers(proposal: Proposal) -> Iterator[ErrorItem]:
    """Require that the record has no code twice, and no code of another record where codes are unique."""
    table = proposal.resource.identifiers
    if table is None:
        return
    owner = proposal.resource.table
    pointers: dict[tuple[str, ...], str] = {}
    errors: dict[str, ErrorItem] = {}
    places = [f"/identifiers/{number}" for number in range(len(proposal.fields.identifiers))]
    for pointer, code in zip(places, proposal.fields.identifiers, strict=True):
        if pointers.setdefault((code.scheme, code.value), pointer) != pointer:
            errors[pointer] = ErrorItem(pointer=pointer, code="taken", detail="The record has this code twice.")
    if pointers and any(index.unique for index in table.indexes):
        holders = select(owner.id, owner.state, owner.managed_by, table.c.scheme, table.c.value)
        holders = holders.join(table, table.c.record_id == owner.id)
        schemes, values = (sorted(set(parts)) for parts in zip(*pointers, strict=True))
        holders = holders.where(table.c.scheme.in_(schemes), table.c.value.in_(values))
        errors |= {error.pointer or "": error for error in proposal.codes_in_use(holders, pointers)}
    yield from (errors[pointer] for pointer in places if pointer in errors)


RULES_OF_ALL: tuple[Callable[[Proposal], Iterable[ErrorItem]], ...] = (
    links,
    evidence,
    citations,
    supported_parts,
    trees,
    identifiers,
)


def violations(proposal: Proposal) -> list[ErrorItem]:
    """Return all violations of the rules of every resource and of this one."""
    errors: list[ErrorItem] = []
    for rule in (*RULES_OF_ALL, *proposal.resource.rules):
        errors += rule(proposal)
    return errors
