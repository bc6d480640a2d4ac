"""Groups of lines are written and then judged beside everything else that is there; what is wrong is taken back.

So a rule sees of a file what it sees of single writes: everything that was written before, and the group itself.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.errors import ERROR_DETAILS, ErrorItem, IdTaken, Invalid, Problem
from app.core.model.fields import RecordFields
from app.core.model.resource import RESOURCES, Resource
from app.core.reading.history import compare
from app.core.values.json import to_json
from app.core.values.links import links_in
from app.core.writing.batch import Batch
from app.core.writing.edit import Edit, actor, used_ids
from app.core.writing.integrity import LookupCache, Proposal, violations
from app.core.writing.patch import merge
from app.core.writing.representation import Content, StoredRecord, writable_members
from app.exchange.imports.identify import names_of_partner, normalized_name
from app.exchange.imports.store import errors_json

LineKey = tuple[str, str]


@dataclass
class ImportLine:
    """A line with the record that it is about, and what becomes of it."""

    number: int
    resource: Resource
    record_id: str
    given: dict[str, Any]
    matched_by: str | None = None
    patch: bool = False  # of a table: what a cell says changes, whatever else its member holds
    earlier_errors: list[ErrorItem] = field(default_factory=list)  # found before anything was looked at
    verdict: str = ""
    errors: list[ErrorItem] = field(default_factory=list)
    present: StoredRecord | None = None
    fields: RecordFields | None = None
    merged_body: dict[str, Any] = field(default_factory=dict)
    is_independent: bool = True  # no other line names it that it leads to

    @property
    def key(self) -> LineKey:
        """The record as (resource, id)."""
        return self.resource.name, self.record_id

    def is_stale(self, present: StoredRecord) -> bool:
        """Whether it was made from another version than the present one, and would change it."""
        if self.fields is None or self.given.get("version") in (None, present.version):
            return False
        return not Content(self.resource, self.record_id, self.fields).is_stored(present)

    def refuse(self, errors: Sequence[ErrorItem]) -> None:
        """It is not to be written."""
        self.verdict, self.errors = "refused", list(errors)

    @property
    def unpublishes(self) -> bool:
        """Whether it makes a draft of what is public."""
        was_public = self.present is not None and self.present.state == "published"
        return self.verdict == "updated" and was_public and self.merged_body.get("state") == "draft"

    def reset(self) -> None:
        """Forget what was found: it is tried once more."""
        self.verdict, self.errors, self.fields, self.merged_body = "", [], None, {}

    def row(self) -> dict[str, Any]:
        """What is noted of it."""
        return {
            "number": self.number,
            "verdict": self.verdict,
            "resource": self.resource.name,
            "record_id": self.record_id or None,
            "matched_by": self.matched_by,
            "errors": errors_json(self.errors),
            "diff": self._diff(),
        }

    def _diff(self) -> str | None:
        if self.verdict != "updated" or self.present is None or self.fields is None:
            return None
        before, after = json.loads(self.present.body), json.loads(self.fields.model_dump_json(by_alias=True))
        return to_json(list(compare(writable_members(before), after))).decode()


class _Wrong(Exception):
    """Some lines of the groups must not stay."""


class LineWriter:
    """Writes groups of lines inside a transaction, as one caller.

    `each`: a line that the rules refuse leaves nothing, and the others go on. Otherwise it only gets its verdict: the
    transaction is to be rolled back then.
    """

    def __init__(self, session: Session, caller: Caller, *, each: bool, refused: set[LineKey]) -> None:
        self.session, self.caller, self.each, self.refused = session, caller, each, refused

    def write(self, groups: list[list[ImportLine]]) -> None:
        """Write what can be written; each line then has its verdict. Where some are wrong, the others try again."""
        lines = [line for group in groups for line in group]
        try:
            with self.session.begin_nested():
                self._put(lines)
                wrong = self._judge(lines)
                if wrong and self.each:
                    raise _Wrong
        except _Wrong:
            self._write_without_refused(groups)
        except IntegrityError:
            self._write_without_clash(groups)
        else:
            self._note_refused(lines)

    def _write_without_refused(self, groups: list[list[ImportLine]]) -> None:
        """Once more, without the groups that the rules refused: those that clash with another line by themselves."""
        good, clashing = [], []
        for group in groups:
            errors = [error for line in group if line.verdict == "refused" for error in line.errors]
            if not errors:
                good.append(group)
            elif len(groups) > 1 and any(error.code == "taken" for error in errors):
                clashing.append(group)
            else:
                self._refuse_rest(group)
        if good:
            self.write(good)
        for group in clashing:
            self.write([group])

    def _write_without_clash(self, groups: list[list[ImportLine]]) -> None:
        """Once more, without the groups whose codes others have by now; if there are none, in halves."""
        free = [group for group in groups if not self._clashes(group, last=len(groups) == 1)]
        half = len(free) // 2 if len(free) == len(groups) else 0
        for part in (free[:half], free[half:]):
            if part:
                self.write(part)

    def _clashes(self, group: list[ImportLine], *, last: bool) -> bool:
        """Whether what is there speaks against a group that the database did not take; it is refused then.

        `last`: it was tried by itself, and is refused in any case.
        """
        found = False
        for line in group:
            if line.fields is not None and line.verdict in ("created", "updated"):
                proposal = Proposal(self.session, line.resource, line.record_id, line.fields, self.caller)
                taken = [each for each in violations(proposal) if each.code == "taken"]
                if taken:
                    line.refuse(taken)
                    found = True
        if found:
            self._refuse_rest(group)
        elif last:
            self._refuse_rest(group, "conflict")
        return found or last

    def _refuse_rest(self, group: list[ImportLine], code: str = "line_refused") -> None:
        """Of a group that must not stay nothing does."""
        for line in group:
            if line.verdict in ("created", "updated"):
                line.refuse([ErrorItem(code=code, detail=ERROR_DETAILS[code])])
        self._note_refused(group)

    def _note_refused(self, lines: list[ImportLine]) -> None:
        self.refused |= {line.key for line in lines if line.verdict == "refused"}

    def _put(self, lines: list[ImportLine]) -> None:
        """Write what each line says of its record; refused by itself, it says why."""
        batch = Batch(self.session, actor(self.caller))
        by_resource: dict[str, list[ImportLine]] = {}
        for line in lines:
            line.reset()
            by_resource.setdefault(line.resource.name, []).append(line)
        for name, group in by_resource.items():
            resource, ids = RESOURCES[name], [line.record_id for line in group]
            present = batch.stored(resource, ids)
            used = used_ids(self.session, resource, [each for each in ids if each not in present])
            for line in group:
                line.present = present.get(line.record_id)
                try:
                    self._decide(batch, line, line.record_id in used)
                except Problem as problem:
                    line.refuse(problem.errors or [ErrorItem(code=problem.code, detail=problem.detail)])
        batch.flush()

    def _decide(self, batch: Batch, line: ImportLine, used: bool) -> None:
        if line.earlier_errors:
            raise Invalid(*line.earlier_errors)
        present, edit = line.present, Edit(self.session, self.caller, line.resource, line.record_id)
        if present is None and used:
            raise IdTaken
        if present is not None:
            if not self.caller.can_see(present.state, present.managed_by):
                raise IdTaken
            edit.check_writable(present)
        line.merged_body = edit.with_manager(merged_line(line), present)
        line.fields = edit.validate(line.merged_body)
        if present is not None and line.is_stale(present):
            raise Invalid(ErrorItem(pointer="/version", code="stale", detail=ERROR_DETAILS["stale"]))
        line.verdict = batch.put(line.resource, line.record_id, line.fields, present)

    def _judge(self, lines: list[ImportLine]) -> bool:
        """Ask the rules about what was written; whether any must not stay."""
        written = [line for line in lines if line.verdict in ("created", "updated")]
        known = LookupCache()
        known.look_up(self.session, (line.fields for line in written if line.fields))
        lost = self.refused | {line.key for line in lines if line.verdict == "refused"}
        wrong = False
        for line in written:
            fresh = line.is_independent and line.present is None
            proposal = Proposal(self.session, line.resource, line.record_id, line.fields, self.caller, known, fresh)
            errors = violations(proposal)
            if not errors and line.unpublishes and self.each:
                errors = dangling_referrers(self.session, self.caller, line.resource, line.record_id)
            if errors:
                line.refuse(_explained(line, errors, lost))
                wrong = True
        for line in lines:
            if line.verdict == "refused" and line.merged_body and line.fields is None:
                edit = Edit(self.session, self.caller, line.resource, line.record_id)
                line.errors += edit.rule_errors(line.merged_body, line.errors)
        return wrong


def dangling_referrers(session: Session, caller: Caller, resource: Resource, record_id: str) -> list[ErrorItem]:
    """Why a record cannot be withdrawn: who would be left with a link to what is public no more."""
    try:
        Edit(session, caller, resource, record_id).check_referrers(published_only=True)
    except Problem as problem:
        return problem.errors or [ErrorItem(code=problem.code, detail=problem.detail)]
    return []


def merged_line(line: ImportLine) -> dict[str, Any]:
    """What the record would say: what the line leaves out stays as it is; null gives a member its default.

    A member of a JSON line replaces that of the record; of a table, each cell does, and each list as a whole.
    """
    given = writable_members(line.given)
    before = {} if line.present is None else writable_members(json.loads(line.present.body))
    if line.matched_by == "name" and isinstance(given.get("name"), dict):
        # What a partner was found by may be a short form: it names nobody anew.
        new = {
            tag: text
            for tag, text in given["name"].items()
            if normalized_name(str(text)) not in names_of_partner(before)
        }
        given = {**given, "name": {**before.get("name", {}), **new}}
    if line.patch:
        whole: dict[str, Any] = merge(before, given)
        return whole
    whole = {**before, **given}
    return {name: value for name, value in whole.items() if value is not None or name == "managed_by"}


def _explained(line: ImportLine, errors: list[ErrorItem], lost: set[LineKey]) -> list[ErrorItem]:
    """A link to what another line would have made says so."""
    if line.fields is None or not any(each.code == "unknown_record" for each in errors):
        return errors
    to_lost = {pointer for pointer, *key in links_in(line.fields) if tuple(key) in lost}
    told = {"code": "line_refused", "detail": ERROR_DETAILS["line_refused"]}
    return [
        each.model_copy(update=told) if each.code == "unknown_record" and each.pointer in to_lost else each
        for each in errors
    ]
