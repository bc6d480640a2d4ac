"""What a request may do to a record: create, replace, patch, delete; under which conditions, in one transaction."""

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.database.sql import chunks
from app.core.errors import MAX_ERRORS, ErrorItem, Forbidden, Gone, IdTaken, Invalid, NotFound, ReferredTo
from app.core.log import CHANGES, LAST_OF_RECORD
from app.core.model.fields import RecordFields
from app.core.model.resource import RESOURCES, Resource
from app.core.model.validation import top_member, validate, validate_partly
from app.core.values.text import RESERVED, id_stem
from app.core.writing.batch import Batch
from app.core.writing.conditions import UNCONDITIONAL, Conditions
from app.core.writing.integrity import Proposal, violations
from app.core.writing.patch import merge, writable_body
from app.core.writing.references import referrers
from app.core.writing.representation import Content, StoredRecord, writable_members

MAX_REFERRERS, MAX_LOOKED_AT = 50, 1_000

MAX_NUMBERED_IDS = 50  # ids with a number that are tried before one with random letters


@dataclass(frozen=True)
class WriteResult:
    """A record after a write: created (or replayed), its tag and its bytes."""

    id: str
    tag: str
    body: bytes
    created: bool = False
    replayed: bool = False


@dataclass(frozen=True)
class Edit:
    """One write of one record by one caller, inside its transaction."""

    session: Session
    caller: Caller
    resource: Resource
    record_id: str
    conditions: Conditions = UNCONDITIONAL

    def put(self, given: dict[str, Any]) -> WriteResult:
        """Create the record or replace it."""
        present = self._read()
        if present is None:
            self._refuse_taken()
            self.conditions.check(self.session, None)
        else:
            if not self.caller.can_see(present.state, present.managed_by):
                raise IdTaken
            self.refuse_others(present)
        return self._store(self._validate(given, present), present)

    def create(self, given: dict[str, Any]) -> WriteResult:
        """Create the record; IdTaken when there is or was one."""
        self._refuse_taken()
        return self._store(self._validate(given, None), None)

    def patch(self, patch: dict[str, Any]) -> WriteResult:
        """Merge a patch (RFC 7396) into the record."""
        present = self._read_writable()
        merged = merge(writable_members(json.loads(present.body)), writable_body(self.resource, self.record_id, patch))
        merged.setdefault("managed_by", None)  # left out after the merge: the patch says null
        return self._store(self._validate(merged, present), present)

    def delete(self) -> None:
        """Remove the record; it leaves its Changes."""
        present = self._read_writable()
        self.conditions.check(self.session, present)
        self.conditions.require()
        self.refuse_referred(published_only=False)
        batch = Batch(self.session, actor(self.caller))
        batch.delete(self.resource, self.record_id, present)
        batch.flush()

    def _read(self) -> StoredRecord | None:
        batch = Batch(self.session, "")
        return batch.stored(self.resource, [self.record_id]).get(self.record_id)

    def _read_writable(self) -> StoredRecord:
        """The record, which must be there and the caller's to write."""
        present = self._read()
        if present is None:
            raise Gone if was_public(self.session, self.resource, self.record_id, self.caller) else NotFound
        if not self.caller.can_see(present.state, present.managed_by):
            raise NotFound
        self.refuse_others(present)
        return present

    def refuse_others(self, present: StoredRecord) -> None:
        """Forbidden or IdTaken when the record is there but not the caller's to write."""
        if not self.caller.may_write(present.managed_by):
            raise Forbidden("The record is kept by another partner.")
        if json.loads(present.body).get("merged_into"):
            raise IdTaken("The record was merged into another one: write that one.")

    def _refuse_taken(self) -> None:
        if used_ids(self.session, self.resource, [self.record_id]):
            raise IdTaken

    def _validate(self, given: dict[str, Any], present: StoredRecord | None) -> RecordFields:
        """The fields; Invalid also with what the rules find in members that are right by themselves."""
        whole = self.with_manager(given, present)
        try:
            return self.validate(whole)
        except Invalid as found:
            raise Invalid(*found.errors, *self.further_errors(whole, found.errors)) from None

    def with_manager(self, given: dict[str, Any], present: StoredRecord | None) -> dict[str, Any]:
        """Who keeps the record stays as it is when left out, or is the key's partner at first."""
        return {"managed_by": present.managed_by if present else self.caller.partner, **given}

    def validate(self, whole: dict[str, Any]) -> RecordFields:
        """The fields, by themselves; Forbidden when they give the record to another partner."""
        fields = validate(self.resource.fields, whole)
        if not self.caller.writes_all and fields.managed_by != self.caller.partner:
            raise Forbidden("Only a key with the scope records:write says who keeps a record.")
        return fields

    def further_errors(self, whole: dict[str, Any], errors: list[ErrorItem]) -> list[ErrorItem]:
        """What the rules find wrong in members that are right by themselves."""
        fields = validate_partly(self.resource.fields, whole, errors) if len(errors) < MAX_ERRORS else None
        if fields is None:
            return []
        wrong = {top_member(each) for each in errors}
        proposal = Proposal(self.session, self.resource, self.record_id, fields, self.caller)
        return [each for each in violations(proposal) if top_member(each) not in wrong]

    def _store(self, fields: RecordFields, present: StoredRecord | None) -> WriteResult:
        content = Content(self.resource, self.record_id, fields)
        if present is not None:
            # Also where it would change nothing: of two who count from 4 to 5, one must hear that it is 5 already.
            self.conditions.check(self.session, present)
            if content.is_stored(present):
                return WriteResult(self.record_id, present.tag, present.body.encode())
            self.conditions.require()
            if present.state == "published" and fields.state == "draft":
                self.refuse_referred(published_only=True)
        wrong = violations(Proposal(self.session, self.resource, self.record_id, fields, self.caller))
        if wrong:
            raise Invalid(*wrong)
        batch = Batch(self.session, actor(self.caller))
        pending = batch.replace(content, present)
        batch.flush()
        return WriteResult(self.record_id, pending.tag, pending.body, created=present is None)

    def refuse_referred(self, *, published_only: bool) -> None:
        """ReferredTo, naming what the caller may see, when others would be left with a link to nothing."""
        found = referrers(self.session, self.resource, self.record_id, None if published_only else MAX_LOOKED_AT)
        names, hidden = [], False
        for name in dict.fromkeys(resource for resource, _ in found):
            ids = [record_id for resource, record_id in found if resource == name]
            for record_id, state, manager in _visibility(self.session, RESOURCES[name], ids):
                if published_only and state != "published":
                    continue
                if self.caller.can_see(state, manager):
                    names.append(f"{name}/{record_id}")
                else:
                    hidden = True
        if names or hidden:
            errors = [ErrorItem(code="referrer", detail=f"{name} refers to it.") for name in names[:MAX_REFERRERS]]
            raise ReferredTo("Other records refer to this one: change those first.", errors=errors)


def _visibility(session: Session, resource: Resource, ids: list[str]) -> list[tuple[str, str, str | None]]:
    table, found = resource.table, []
    for chunk in chunks(ids):
        query = select(table.id, table.state, table.managed_by).where(table.id.in_(chunk))
        found += [(row[0], row[1], row[2]) for row in session.execute(query.order_by(table.id))]
    return found


def actor(caller: Caller) -> str:
    """Who a Change is by."""
    return f"key:{caller.key}" if caller.key else "command"


def used_ids(session: Session, resource: Resource, ids: Iterable[str]) -> set[str]:
    """Those of the ids that a record has or had."""
    query = select(CHANGES.c.record_id).where(CHANGES.c.resource == resource.name, CHANGES.c.record_id.in_(list(ids)))
    return {row[0] for row in session.execute(query.distinct())}


def was_public(session: Session, resource: Resource, record_id: str, caller: Caller) -> bool:
    """Whether there was a record, deleted since, that the caller could see at its end."""
    last = session.execute(LAST_OF_RECORD, {"resource": resource.name, "id": record_id}).first()
    return last is not None and caller.could_see(last[1])


def free_id(session: Session, resource: Resource, given: dict[str, Any]) -> str:
    """An id made of what the record is called, with a number when that is taken."""
    said = next((given[name] for name in ("title", "name", "summary", "indicator") if given.get(name)), "")
    stem = id_stem(said) or resource.one
    ids = [stem, *(f"{stem}-{number}" for number in range(2, MAX_NUMBERED_IDS + 1))]
    used = used_ids(session, resource, ids) | RESERVED
    return next((each for each in ids if each not in used), f"{stem}-{secrets.token_hex(4)}")
