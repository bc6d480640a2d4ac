"""What must hold of a record as a whole before it is written. A rule is a function of a proposal that yields mistakes.

These hold for every resource; a resource names its own in its declaration.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Select, null, select
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.database.sql import chunks
from app.core.errors import ERROR_DETAILS, ErrorItem
from app.core.model.fields import RecordFields
from app.core.model.resource import RESOURCES, Resource
from app.core.values.links import links_in

# Of a record that is there: its state, its keeper, and what it was merged into.
RecordState = tuple[str, str | None, str | None]


class LookupCache:
    """What was looked up about named records, for proposals that are judged beside the same state of the database."""

    def __init__(self) -> None:
        self._states: dict[str, dict[str, RecordState | None]] = {}
        self._with_text: dict[str, bool] = {}

    def states(self, session: Session, resource: Resource, ids: Iterable[str]) -> dict[str, RecordState]:
        """Those of the records that there are."""
        known = self._states.setdefault(resource.name, {})
        if missing := {each for each in ids if each not in known}:
            known |= dict.fromkeys(missing)
            known |= _read_states(session, resource, missing)
        return {each: found for each in ids if (found := known[each]) is not None}

    def documents_with_text(self, session: Session, documents: Iterable[str]) -> set[str]:
        """Those of the documents whose text is held here."""
        if missing := {each for each in documents if each not in self._with_text}:
            table = RESOURCES["documents"].table
            self._with_text |= dict.fromkeys(missing, False)
            for chunk in chunks(sorted(missing)):
                query = select(table.id).where(table.sha256.is_not(None), table.id.in_(chunk))
                self._with_text |= {row[0]: True for row in session.execute(query)}
        return {each for each in documents if self._with_text[each]}

    def look_up(self, session: Session, records: Iterable[RecordFields]) -> None:
        """Look up at once what the links and citations of many records name."""
        named: dict[str, set[str]] = {}
        cited: set[str] = set()
        for fields in records:
            cited |= {each.document for each in fields.citations}
            for _, target, record_id in links_in(fields):
                named.setdefault(target, set()).add(record_id)
        for target, ids in named.items():
            self.states(session, RESOURCES[target], ids)
        self.documents_with_text(session, cited)


def _read_states(session: Session, resource: Resource, ids: Iterable[str]) -> dict[str, RecordState]:
    """State, keeper, and what each was merged into."""
    table, found = resource.table, dict[str, RecordState]()
    merged = resource.merged_into_column
    query = select(table.id, table.state, table.managed_by, null() if merged is None else merged)
    for chunk in chunks(sorted(ids)):
        found |= {row[0]: (row[1], row[2], row[3]) for row in session.execute(query.where(table.id.in_(chunk)))}
    return found


@dataclass(frozen=True)
class Proposal:
    """A record as somebody wants it to be, inside the transaction that would write it."""

    session: Session
    resource: Resource
    record_id: str
    fields: Any
    caller: Caller
    lookups: LookupCache = field(default_factory=LookupCache)
    is_new: bool = False  # it is new: nothing that was there before can name it

    def exists(self, query: Select[Any]) -> bool:
        """Whether the query finds any row."""
        return self.session.execute(query.limit(1)).first() is not None

    def forms_cycle(self, start: str, above: Callable[[list[str]], Select[Any]]) -> bool:
        """Whether the record itself is reached from `start` by what `above` selects for some ids, again and again."""
        if self.is_new:
            return start == self.record_id
        seen, waiting = set[str](), {start}
        while waiting and self.record_id not in waiting:
            seen |= waiting
            waiting = {row[0] for row in self.session.execute(above(sorted(waiting)))} - seen - {None}
        return bool(waiting)

    def code_in_use(self, holders: Select[Any], pointer: str) -> Iterator[ErrorItem]:
        """The mistake that other records, selected as (id, state, managed_by), have a code already."""
        for other, state, manager in self.session.execute(holders.limit(2)):
            if other != self.record_id:
                whose = f"{self.resource.name}/{other}" if self.caller.can_see(state, manager) else "Another record"
                yield ErrorItem(pointer=pointer, code="taken", detail=f"{whose} has this code.")


def links(proposal: Proposal) -> Iterator[ErrorItem]:
    """Every link leads to a record that the caller may see; from a published record, to a published one."""
    found: dict[str, dict[str, list[str]]] = {}
    for pointer, target, record_id in links_in(proposal.fields):
        found.setdefault(target, {}).setdefault(record_id, []).append(pointer)
    for target, ids in found.items():
        there = proposal.lookups.states(proposal.session, RESOURCES[target], ids)
        if target == proposal.resource.name:
            there[proposal.record_id] = (proposal.fields.state, proposal.fields.managed_by, None)
        for record_id, pointers in ids.items():
            wrong = _wrong_link(proposal, there.get(record_id))
            if wrong:
                code, detail = wrong
                yield from (ErrorItem(pointer=pointer, code=code, detail=detail) for pointer in pointers)


def _wrong_link(proposal: Proposal, there: RecordState | None) -> tuple[str, str] | None:
    if there is None or not proposal.caller.can_see(*there[:2]):
        return "unknown_record", ERROR_DETAILS["unknown_record"]
    if there[2] is not None:
        return "merged", f"This partner was merged into {there[2]}: name that one."
    if there[0] == "draft" and proposal.fields.state == "published":
        return "links_to_draft", ERROR_DETAILS["links_to_draft"]
    return None


def evidence(proposal: Proposal) -> Iterator[ErrorItem]:
    """A record rests on a citation, or else on the partner that submits it."""
    fields = proposal.fields
    if proposal.resource.needs_evidence and not fields.citations and fields.managed_by is None:
        yield ErrorItem(pointer="/citations", code="no_evidence", detail=ERROR_DETAILS["no_evidence"])


def citations(proposal: Proposal) -> Iterator[ErrorItem]:
    """A text that is held here is cited by paragraph and words; another source is named in the note."""
    cited = proposal.fields.citations
    texts = proposal.lookups.documents_with_text(proposal.session, {each.document for each in cited})
    for number, each in enumerate(cited):
        if each.basis == "external" and each.note is None:
            detail = "basis external takes a note that names the source."
        elif each.document in texts and (each.paragraph is None or each.as_written is None):
            detail = "The text of this document is held: say the paragraph and the words as written."
        else:
            continue
        yield ErrorItem(pointer=f"/citations/{number}", code="incomplete_citation", detail=detail)


def trees(proposal: Proposal) -> Iterator[ErrorItem]:
    """Nothing is part of itself, follows itself or contains itself, however long the way."""
    for name in proposal.resource.trees:
        column = proposal.resource.links[name].columns[0]
        if isinstance(column, Column):
            owner: Any = column.table.c.record_id
        else:
            owner = proposal.resource.table.id
        for pointer, _, start in links_in(proposal.fields):
            if pointer.split("/")[1] == name and proposal.forms_cycle(start, _parents(column, owner)):
                yield ErrorItem(pointer=pointer, code="cycle", detail=ERROR_DETAILS["cycle"])


def _parents(column: Any, owner: Any) -> Callable[[list[str]], Select[Any]]:
    return lambda ids: select(column).where(owner.in_(ids))


def identifiers(proposal: Proposal) -> Iterator[ErrorItem]:
    """A register that gives each code once gives it to one record."""
    table = proposal.resource.identifiers
    if table is None:
        return
    once = any(index.unique for index in table.indexes)
    seen: dict[tuple[str, str], int] = {}
    owner = proposal.resource.table
    for number, code in enumerate(proposal.fields.identifiers):
        pointer, pair = f"/identifiers/{number}", (code.scheme, code.value)
        if seen.setdefault(pair, number) != number:
            yield ErrorItem(pointer=pointer, code="taken", detail="The record has this code twice.")
        elif once:
            same = select(owner.id, owner.state, owner.managed_by).join(table, table.c.record_id == owner.id)
            yield from proposal.code_in_use(same.where(table.c.scheme == pair[0], table.c.value == pair[1]), pointer)


OF_ALL: tuple[Callable[[Proposal], Iterable[ErrorItem]], ...] = (links, evidence, citations, trees, identifiers)


def violations(proposal: Proposal) -> list[ErrorItem]:
    """Every mistake that any rule finds."""
    return [each for rule in (*OF_ALL, *proposal.resource.rules) for each in rule(proposal)]
