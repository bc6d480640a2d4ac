"""Writing groups of lines: all are written, then the integrity rules are checked, and violations are undone.

Since the rules run after the writes, they see the lines of the same group and all earlier ones, as they would if each
record had been written by a request of its own.
"""

import contextlib
from collections.abc import Callable
from itertools import chain
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.error_codes import ERROR_DETAILS
from app.core.errors import Conflict, ErrorItem, IdTaken, Invalid, Problem
from app.core.model.resource import RESOURCES, Resource
from app.core.values.links import links_in
from app.core.writing.batch import Batch
from app.core.writing.edit import Edit, actor, used_ids
from app.core.writing.integrity import LookupCache, Proposal, violations
from app.core.writing.representation import DeletedRecord
from app.exchange.imports.line import RESTORED, ImportLine, RecordKey
from app.exchange.imports.storage.compact import digest


class _HasRefusedLines(Exception):
    """The savepoint must be rolled back because lines of its groups are refused."""


class LineWriter:
    """Writes groups of lines inside a transaction, as one caller. `refused` has the digests of the records of all
    refused lines.

    `by_line` is the mode `rows`: what a refused line wrote is undone, and the other groups are written without it.
    Otherwise refused lines only get their verdict, since the caller rolls the transaction back. `check_time` is called
    before the work on each line, and can raise an error.
    """

    def __init__(
        self,
        session: Session,
        caller: Caller,
        *,
        by_line: bool,
        refused: set[bytes],
        dry_run: bool = False,
        check_time: Callable[[], None] = lambda: None,
    ) -> None:
        self.dry_run = dry_run
        self.session = session
        self.check_time = check_time
        self.caller = caller
        self.by_line = by_line
        self.refused = refused

    def write(self, groups: list[list[ImportLine]]) -> None:
        """Write the groups and give each line its verdict."""
        lines = list(chain.from_iterable(groups))
        try:
            with self.session.begin_nested():
                self._put(lines)
                has_refused = self._check_rules(lines)
                if has_refused and self.by_line:
                    raise _HasRefusedLines
        except _HasRefusedLines:
            self._write_without_refused(groups)
        except IntegrityError:
            self._write_without_conflicts(groups)
        else:
            self._add_refused(lines)

    def put_context(self, lines: list[ImportLine]) -> None:
        """Write lines that were judged before, without the rules, so that the lines of this chunk can link to them."""
        try:
            with self.session.begin_nested():
                self._put(lines)
        except IntegrityError:  # such as a code that an earlier line of the file has released
            for line in lines:
                with contextlib.suppress(IntegrityError), self.session.begin_nested():
                    self._put([line])

    def _write_without_refused(self, groups: list[list[ImportLine]]) -> None:
        """Write the groups without refused lines again, and then, each alone, those with an identifier in use.

        Such a group is tried again because the other record with the identifier may be one that is refused now.
        """
        accepted = []
        conflicting = []
        for group in groups:
            errors = list(chain.from_iterable(line.errors for line in group if line.is_refused))
            if not errors:
                accepted.append(group)
            elif len(groups) > 1 and any(error.code == "taken" for error in errors):
                conflicting.append(group)
            else:
                self._refuse_rest(group)
        if accepted:
            self.write(accepted)
        for group in conflicting:
            self.write([group])

    def _write_without_conflicts(self, groups: list[list[ImportLine]]) -> None:
        """Write the groups without identifiers in use again. If that leaves out none, write each half by itself."""
        free = [group for group in groups if not self._is_in_conflict(group, is_alone=len(groups) == 1)]
        half = len(free) // 2 if len(free) == len(groups) else 0
        for part in (free[:half], free[half:]):
            if part:
                self.write(part)

    def _is_in_conflict(self, group: list[ImportLine], *, is_alone: bool) -> bool:
        """Refuse a group that the database rejected if other records have its identifiers, or if it was written alone.

        Return whether it is refused.
        """
        has_conflict = False
        for line in group:
            if line.fields is not None and line.is_written:
                proposal = Proposal(self.session, line.resource, line.record_id, line.fields, self.caller)
                errors = [error for error in violations(proposal) if error.code == "taken"]
                if errors:
                    line.refuse(errors)
                    has_conflict = True
        if has_conflict:
            self._refuse_rest(group)
        elif is_alone:
            self._refuse_rest(group, "conflict")
        return has_conflict or is_alone

    def _refuse_rest(self, group: list[ImportLine], code: str = "line_refused") -> None:
        """Refuse the other lines of a group too."""
        for line in group:
            if line.is_written:
                line.refuse([ErrorItem(code=code, detail=ERROR_DETAILS[code])])
        self._add_refused(group)

    def _add_refused(self, lines: list[ImportLine]) -> None:
        self.refused |= {digest(*line.key) for line in lines if line.is_refused}

    def _put(self, lines: list[ImportLine]) -> None:
        """Write the record of each line, and refuse lines that are wrong by themselves."""
        batch = Batch(self.session, actor(self.caller), is_indexed=not self.dry_run, limits_size=True)
        by_resource: dict[str, list[ImportLine]] = {}
        for line in lines:
            line.reset()
            by_resource.setdefault(line.resource.name, []).append(line)
        for name, group in by_resource.items():
            resource = RESOURCES[name]
            ids = [line.record_id for line in group]
            present = batch.stored(resource, ids)
            used = used_ids(self.session, resource, [record_id for record_id in ids if record_id not in present])
            for line in group:
                self.check_time()
                line.present = present.get(line.record_id)
                try:
                    self._put_line(batch, line, is_used=line.record_id in used)
                except Problem as problem:
                    line.refuse(_errors_of(problem))
        batch.flush()

    def _put_line(self, batch: Batch, line: ImportLine, *, is_used: bool) -> None:
        """Add the write of a line to the batch. `is_used`: a deleted record had its id. Raise a Problem if refused."""
        if any(error.code == "large_group" for error in line.plan_errors):
            raise Invalid(*line.plan_errors)  # the records to which it links are not written either
        present = line.present
        edit = Edit(self.session, self.caller, line.resource, line.record_id)
        deleted = None
        if line.leaves_record and not line.plan_errors:
            line.verdict = "unchanged"
            return
        if not line.is_without_record:
            deleted = self._check_id(edit, line, is_used=is_used)
        line.merged = edit.with_manager(line.merged_record(), present)
        if line.plan_errors:
            raise Invalid(*_all_errors(edit, line))
        line.fields = edit.validate(line.merged)
        if present is not None and line.is_stale(present):
            raise Invalid(ErrorItem(pointer="/version", code="stale", detail=ERROR_DETAILS["stale"]))
        line.verdict = batch.put(line.resource, line.record_id, line.fields, present, deleted)

    def _check_id(self, edit: Edit, line: ImportLine, *, is_used: bool) -> DeletedRecord | None:
        """Return the deleted record that the line restores, if any. Raise a Problem if the line cannot write its id."""
        present = line.present
        if line.is_new and (present is not None or is_used):  # another writer has used the id since the plan was made
            raise Conflict(ERROR_DETAILS["conflict"])
        if present is None:
            deleted = edit.deleted() if is_used else None
            line.matched_by = RESTORED if deleted else line.matched_by
            return deleted
        if not self.caller.can_see(present.state, present.managed_by):
            raise IdTaken
        edit.check_writable(present)
        return None

    def _check_rules(self, lines: list[ImportLine]) -> bool:
        """Refuse the lines that violate a rule, and return whether there are any."""
        written = [line for line in lines if line.is_written]
        lookups = LookupCache()
        lookups.look_up(self.session, (line.fields for line in written if line.fields))
        newly_refused = {line.key for line in lines if line.is_refused}
        has_refused = False

        def is_refused(key: RecordKey) -> bool:
            return key in newly_refused or digest(*key) in self.refused

        for line in written:
            self.check_time()
            errors = self._violations(line, lookups)
            if errors:
                line.refuse(_with_refused_links(line, errors, is_refused))
                has_refused = True
        for line in lines:
            if line.is_refused and line.merged and line.fields is None:
                self.check_time()
                edit = Edit(self.session, self.caller, line.resource, line.record_id)
                errors = edit.rule_errors(line.merged, line.errors)
                line.errors += [error for error in errors if line.shows(error)]
        return has_refused

    def _violations(self, line: ImportLine, lookups: LookupCache) -> list[ErrorItem]:
        is_new = line.is_independent and line.present is None
        proposal = Proposal(self.session, line.resource, line.record_id, line.fields, self.caller, lookups, is_new)
        errors = violations(proposal)
        if not errors and line.unpublishes and self.by_line:
            return referrer_errors(self.session, self.caller, line.resource, line.record_id)
        return errors


def referrer_errors(session: Session, caller: Caller, resource: Resource, record_id: str) -> list[ErrorItem]:
    """Return an error for each published record that links to a record which is to become a draft."""
    try:
        Edit(session, caller, resource, record_id).check_referrers(published_only=True)
    except Problem as problem:
        return _errors_of(problem)
    return []


def _all_errors(edit: Edit, line: ImportLine) -> list[ErrorItem]:
    """Return the errors of the plan, and those of validation in the other members that the line contains."""
    errors = list(line.plan_errors)
    places = {error.pointer for error in errors}
    try:
        edit.validate(line.merged)
    except Invalid as invalid:
        for error in invalid.errors:
            if error.pointer not in places and line.shows(error):
                errors.append(error)
    except Problem as problem:
        errors += _errors_of(problem)
    return errors


def _errors_of(problem: Problem) -> list[ErrorItem]:
    return problem.errors or [ErrorItem(code=problem.code, detail=problem.detail)]


def _with_refused_links(
    line: ImportLine, errors: list[ErrorItem], is_refused: Callable[[RecordKey], bool]
) -> list[ErrorItem]:
    """Return the errors, with the code `line_refused` for links to records whose lines are refused."""
    if line.fields is None or not any(error.code == "unknown_record" for error in errors):
        return errors
    pointers = {pointer for pointer, *key in links_in(line.fields) if is_refused((key[0], key[1]))}
    link_error: dict[str, Any] = {"code": "line_refused", "detail": ERROR_DETAILS["line_refused"]}
    return [
        error.model_copy(update=link_error) if error.code == "unknown_record" and error.pointer in pointers else error
        for error in errors
    ]
