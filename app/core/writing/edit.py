"""One write of a request: it creates, replaces, patches or deletes a record, if the conditions and rules allow it."""

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.change_log import CHANGES, LAST_OF_RECORD
from app.core.database.connection_reads import rows_of
from app.core.database.sql import chunks, one_of
from app.core.database.statements import Query
from app.core.errors import MAX_ERRORS, ErrorItem, Forbidden, Gone, IdTaken, Invalid, NotFound, ReferredTo
from app.core.model.fields import RecordFields
from app.core.model.resource import RESOURCES, Resource
from app.core.model.validation import top_member, validate, validate_partly
from app.core.search.about import Reference
from app.core.values.text import RESERVED, id_stem
from app.core.writing.batch import Batch
from app.core.writing.integrity import LookupCache, Proposal, violations
from app.core.writing.patch import merge, writable_body
from app.core.writing.preconditions import UNCONDITIONAL, Conditions
from app.core.writing.references import referrers
from app.core.writing.representation import Content, DeletedRecord, StoredRecord, writable_members
from app.core.writing.write_group import WriteGroup

MAX_REFERRERS = 50  # referrers that a problem lists
MAX_CHECKED_REFERRERS = 1_000  # referrers that are read for each kind of link
_USED_IDS = Query(
    select(CHANGES.c.record_id)
    .where(CHANGES.c.resource == bindparam("resource"), one_of(CHANGES.c.record_id, "ids"))
    .distinct(),
    looks_up=True,
)

NUMBERS_AT_ONCE = 50  # ids with a number that are tried with one statement; a POST then takes random letters


@dataclass(frozen=True)
class WriteResult:
    """A record after a write: its ETag and representation. `replayed` is True for a repeated idempotency key."""

    id: str
    tag: str
    body: bytes
    created: bool = False
    replayed: bool = False


@dataclass(frozen=True)
class Edit:
    """One write of one record by one caller, inside a transaction."""

    session: Session
    caller: Caller
    resource: Resource
    record_id: str
    conditions: Conditions = UNCONDITIONAL

    def put(self, members: dict[str, Any]) -> WriteResult:
        """Create or replace the record, or restore it if it was deleted and the caller may write it."""
        present = self._read()
        deleted = None
        if present is None:
            deleted = self.deleted()
            self.conditions.check(self.session, None)
        else:
            if not self.caller.can_see(present.state, present.managed_by):
                raise IdTaken
            self.check_writable(present)
        return self._store(self._validate(members, present), present, deleted)

    def create(self, members: dict[str, Any]) -> WriteResult:
        """Create the record. Raise IdTaken if there is or was a record with this id."""
        self._check_unused()
        return self._store(self._validate(members, None), None)

    def patch(self, patch: dict[str, Any]) -> WriteResult:
        """Apply a JSON Merge Patch to the record."""
        present = self.read_writable()
        merged = merge(writable_members(json.loads(present.body)), writable_body(self.resource, self.record_id, patch))
        # A patch with `managed_by: null` removes the member. Without this, `with_manager` would put it back.
        merged.setdefault("managed_by", None)
        return self._store(self._validate(merged, present), present)

    def delete(self) -> None:
        """Delete the record. Its Changes stay in the log."""
        present = self.read_writable()
        self.conditions.check(self.session, present)
        self.conditions.require()
        self.check_referrers(published_only=False)
        batch = Batch(self.session, actor(self.caller))
        batch.delete(self.resource, self.record_id, present)
        batch.flush()

    @property
    def _group(self) -> WriteGroup | None:
        return WriteGroup.of(self.session)

    @property
    def _reference(self) -> Reference:
        return Reference(self.resource.name, self.record_id)

    def _read(self) -> StoredRecord | None:
        if self._group is not None and self._reference in self._group.stored:
            return self._group.stored[self._reference]
        batch = Batch(self.session, "")
        return batch.stored(self.resource, [self.record_id]).get(self.record_id)

    def read_writable(self) -> StoredRecord:
        """Return the record. Raise NotFound, Gone, Forbidden or IdTaken if the caller cannot write it."""
        present = self._read()
        if present is None:
            raise Gone if was_visible(self.session, self.resource, self.record_id, self.caller) else NotFound
        if not self.caller.can_see(present.state, present.managed_by):
            raise NotFound
        self.check_writable(present)
        return present

    def check_writable(self, present: StoredRecord) -> None:
        """Raise Forbidden if the caller may not write the record, and IdTaken if it was merged."""
        if not self.caller.may_write(present.managed_by):
            raise Forbidden("The key writes only records that its partner manages, and this record is not one of them.")
        if json.loads(present.body).get("merged_into"):
            raise IdTaken("The record was merged into another one. Write to that one.")

    def deleted(self) -> DeletedRecord | None:
        """Return the deleted record with this id, if there was one. Raise IdTaken if the caller may not write it."""
        if self._is_unused():
            return None
        last = self.session.execute(LAST_OF_RECORD, {"resource": self.resource.name, "id": self.record_id}).first()
        if last is None:
            return None
        body = json.loads(last.body) if last.body else None
        if last.action != "delete" or body is None or not self.caller.may_write(body["managed_by"]):
            raise IdTaken
        return DeletedRecord(last.version, body["created_at"])

    def _check_unused(self) -> None:
        if not self._is_unused() and used_ids(self.session, self.resource, [self.record_id]):
            raise IdTaken

    def _is_unused(self) -> bool:
        return self._group is not None and self._reference in self._group.unused

    def _validate(self, members: dict[str, Any], present: StoredRecord | None) -> RecordFields:
        """Return the fields. Raise Invalid with all errors, those of the integrity rules included."""
        body = self.with_manager(members, present)
        try:
            return self.validate(body)
        except Invalid as invalid:
            raise Invalid(*invalid.errors, *self.rule_errors(body, invalid.errors)) from None

    def with_manager(self, members: dict[str, Any], present: StoredRecord | None) -> dict[str, Any]:
        """Return the members with `managed_by`: if absent, that of the record or, for a new one, the key's partner."""
        return {"managed_by": present.managed_by if present else self.caller.partner, **members}

    def validate(self, body: dict[str, Any]) -> RecordFields:
        """Return the fields, checked without other records. Raise Forbidden if another partner would manage them."""
        fields = validate(self.resource.fields, body)
        if not self.caller.writes_all and fields.managed_by != self.caller.partner:
            raise Forbidden("Only a key with the scope records:write can set managed_by to another partner.")
        return fields

    def rule_errors(self, body: dict[str, Any], errors: list[ErrorItem]) -> list[ErrorItem]:
        """Return the violations of the integrity rules in the members that have none of these errors."""
        fields = validate_partly(self.resource.fields, body, errors) if len(errors) < MAX_ERRORS else None
        if fields is None:
            return []
        invalid_members = {top_member(error) for error in errors}
        return [error for error in violations(self._proposal(fields)) if top_member(error) not in invalid_members]

    def _proposal(self, fields: RecordFields, present: StoredRecord | None = None, *, is_new: bool = False) -> Proposal:
        lookups = LookupCache() if self._group is None else self._group.lookups
        return Proposal(self.session, self.resource, self.record_id, fields, self.caller, lookups, is_new, present)

    def _store(
        self, fields: RecordFields, present: StoredRecord | None, deleted: DeletedRecord | None = None
    ) -> WriteResult:
        content = Content(self.resource, self.record_id, fields)
        if present is not None:
            # The conditions apply even if nothing would change: if two clients both raise a number from 4 to 5, the
            # second one must learn that it was 5 already.
            self.conditions.check(self.session, present)
            if content.is_stored(present):
                return WriteResult(self.record_id, present.tag, present.body.encode())
            self.conditions.require()
            if present.state == "published" and fields.state == "draft":
                self.check_referrers(published_only=True)
        errors = violations(self._proposal(fields, present, is_new=present is None))
        if errors:
            raise Invalid(*errors)
        batch = Batch(self.session, actor(self.caller), limits_size=True)
        pending = batch.replace(content, present, deleted)
        batch.flush()
        return WriteResult(self.record_id, pending.tag, pending.body, created=present is None)

    def check_referrers(self, *, published_only: bool) -> None:
        """Raise ReferredTo if other records link to this one. Its errors list those that the caller can see."""
        all_referrers = referrers(
            self.session, self.resource, self.record_id, MAX_CHECKED_REFERRERS, published_only=published_only
        )
        ids: dict[str, list[str]] = {}
        for name, record_id in all_referrers:
            ids.setdefault(name, []).append(record_id)
        visible = []
        has_hidden = False
        for name, ids_of_resource in ids.items():
            for record_id, state, manager in _visibility(self.session, RESOURCES[name], ids_of_resource):
                if self.caller.can_see(state, manager):
                    visible.append(f"{name}/{record_id}")
                else:
                    has_hidden = True
        if visible or has_hidden:
            errors = [ErrorItem(code="referrer", detail=f"{name} refers to it.") for name in visible[:MAX_REFERRERS]]
            raise ReferredTo("Other records refer to this one. Change those first.", errors=errors)


def _visibility(session: Session, resource: Resource, ids: list[str]) -> list[tuple[str, str, str | None]]:
    """Return (id, state, managed_by) of these records."""
    table = resource.table
    rows: list[tuple[str, str, str | None]] = []
    for chunk in chunks(ids):
        query = select(table.id, table.state, table.managed_by).where(table.id.in_(chunk))
        rows += [(row[0], row[1], row[2]) for row in session.execute(query.order_by(table.id))]
    return rows


def actor(caller: Caller) -> str:
    """Return the actor of the Changes of this caller."""
    return f"key:{caller.key}" if caller.key else "command"


def used_ids(session: Session, resource: Resource, ids: Iterable[str]) -> set[str]:
    """Return those ids that a record has or had."""
    tried = list(ids)
    rows = rows_of(session.connection(), _USED_IDS, resource=resource.name, ids=tried) if tried else ()
    return {row[0] for row in rows}


def was_visible(session: Session, resource: Resource, record_id: str, caller: Caller) -> bool:
    """Return whether there was a record, deleted since, whose last version the caller could see."""
    last = session.execute(LAST_OF_RECORD, {"resource": resource.name, "id": record_id}).first()
    return last is not None and caller.could_see(last[1])


def numbered_ids(stem: str, first: int) -> list[str]:
    """Return the ids with the next numbers, as many as are tried with one statement."""
    return [f"{stem}-{number}" for number in range(first, first + NUMBERS_AT_ONCE)]


def first_id(resource: Resource, members: dict[str, Any]) -> str:
    """Return the id made from the name or title of a record, which may be in use."""
    heading = next((members[name] for name in ("title", "name", "summary", "indicator") if members.get(name)), "")
    return id_stem(heading) or resource.one


def free_id(session: Session, resource: Resource, members: dict[str, Any]) -> str:
    """Return an unused id made from the name or title of a record, with a number if necessary."""
    stem = first_id(resource, members)
    group = WriteGroup.of(session)
    if group is not None and Reference(resource.name, stem) in group.unused and stem not in RESERVED:
        return stem
    ids = [stem, *numbered_ids(stem, 2)]
    used = used_ids(session, resource, ids) | RESERVED
    return next((record_id for record_id in ids if record_id not in used), f"{stem}-{secrets.token_hex(4)}")
