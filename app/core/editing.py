"""What a request may do to a record: create, replace, patch, delete; under which conditions, in one transaction."""

import asyncio
import json
import re
import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session

from app.core.bodies import checked_by, partly_checked, top_of
from app.core.changes import CHANGES, LAST_OF_RECORD
from app.core.database import Database
from app.core.edge import CODINGS
from app.core.errors import (
    MOST_ERRORS,
    BadRequest,
    Conflict,
    ErrorItem,
    Forbidden,
    Gone,
    IdTaken,
    Invalid,
    NoCondition,
    NotFound,
    ReferredTo,
    Stale,
    Unavailable,
)
from app.core.keys import Asker, asker_still
from app.core.record import RecordFields
from app.core.resource import RESOURCES, Resource
from app.core.rules import Proposal, mistakes
from app.core.sql import chunks
from app.core.text import RESERVED, stem_of
from app.core.writing import Batch, Stored, is_same, referrers, writable

MOST_WAITING = 500
PATIENCE = 30  # seconds that a write waits for those of other processes
MOST_REFERRERS, MOST_LOOKED_AT = 50, 1_000
NUMBERED = 50  # ids with a number that are tried before one with random letters

Outcome = TypeVar("Outcome")


class Editor:
    """Carries out the writes of this process, one after the other in the order they came, off the event loop."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._waiting = 0

    @property
    def is_waited_for(self) -> bool:
        """Whether any write is under way or waits for its turn."""
        return self._waiting > 0

    async def run(self, asker: Asker, work: Callable[[Session, Asker], Outcome]) -> Outcome:
        """The outcome, after the commit; nothing is left of work that raises."""
        if self._waiting >= MOST_WAITING:
            raise Unavailable("Too many writes are waiting.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, asker, work)
        finally:
            self._waiting -= 1

    def _commit(self, asker: Asker, work: Callable[[Session, Asker], Outcome]) -> Outcome:
        try:
            with self.database.write(patience=PATIENCE) as session:
                return work(session, asker_still(session, asker))
        except IntegrityError as error:  # the rules should have said so first
            structlog.get_logger("hoptac.error").error("refused by the database", constraint=str(error.orig))
            raise Conflict("The database refuses this beside what is there.") from None
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise Unavailable from error

    def close(self) -> None:
        """Finish what is under way."""
        self._thread.shutdown(wait=True)


@dataclass(frozen=True)
class Written:
    """A record after a write: created (or replayed), its tag and its bytes."""

    id: str
    tag: str
    body: bytes
    created: bool = False
    replayed: bool = False


# That of what is made of several records (Asked.tag): the last Change then, rendering, and what was asked.
_MADE_TAG = re.compile(r"(?P<last>\d{1,18})-(?P<chain>[0-9a-f]{8})-(?P<rendering>\d+)-[0-9a-f]{16}")
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')


@dataclass(frozen=True)
class Conditions:
    """If-Match and If-None-Match of a write; empty where absent."""

    if_match: str = ""
    if_none_match: str = ""

    def check(self, session: Session, present: Stored | None) -> None:
        """Stale when the record is not as the conditions say.

        If-Match may name an answer that was made of several records, or cut: the record must be as it was then.
        """
        tag = present.tag if present else None
        if self.if_match and not _names(self.if_match, tag, strong=True) and not self._has_seen(session, present):
            raise Stale
        if self.if_none_match and _names(self.if_none_match, tag, strong=False):
            raise Stale

    def _has_seen(self, session: Session, present: Stored | None) -> bool:
        """Whether If-Match names an answer made when the record was as it is."""
        for weak, tag in _TAG.findall(CODINGS.sub("", self.if_match)) if present else ():
            made = None if weak else _MADE_TAG.fullmatch(tag)
            if present and made and made["rendering"] == str(present.rendering):
                last = int(made["last"])
                chain = session.scalar(select(CHANGES.c.chain).where(CHANGES.c.sequence == last)) or ""
                if last >= int(present.change.partition("-")[0]) and chain.startswith(made["chain"]):
                    return True
        return False

    def require(self) -> None:
        """NoCondition unless If-Match says what is to be changed."""
        if not self.if_match:
            raise NoCondition


def _names(tags: str, tag: str | None, *, strong: bool) -> bool:
    """Whether a list of tags names this one, in whatever coding; `*` names any, a weak tag is no strong one."""
    if tags.strip() == "*":
        return tag is not None
    found = _TAG.findall(CODINGS.sub("", tags))
    if not found:
        raise BadRequest("If-Match and If-None-Match take ETags in quotes, or *.")
    return any(each == tag for weak, each in found if not (strong and weak))


@dataclass(frozen=True)
class Edit:
    """One write of one record by one asker, inside its transaction."""

    session: Session
    asker: Asker
    resource: Resource
    record_id: str
    conditions: Conditions = Conditions()

    def put(self, given: dict[str, Any]) -> Written:
        """Create the record or replace it."""
        present = self._present()
        if present is None:
            self._refuse_taken()
            self.conditions.check(self.session, None)
        else:
            if not self.asker.sees(present.state, present.managed_by):
                raise IdTaken
            self.refuse_others(present)
        return self._store(self._kept(given, present), present)

    def create(self, given: dict[str, Any]) -> Written:
        """Create the record; IdTaken when there is or was one."""
        self._refuse_taken()
        return self._store(self._kept(given, None), None)

    def patch(self, patch: dict[str, Any]) -> Written:
        """Merge a patch (RFC 7396) into the record."""
        present = self._must()
        merged = merge(writable(json.loads(present.body)), own_members(self.resource, self.record_id, patch))
        merged.setdefault("managed_by", None)  # left out after the merge: the patch says null
        return self._store(self._kept(merged, present), present)

    def delete(self) -> None:
        """Remove the record; it leaves its Changes."""
        present = self._must()
        self.conditions.check(self.session, present)
        self.conditions.require()
        self.refuse_referred(published_only=False)
        batch = Batch(self.session, actor(self.asker))
        batch.delete(self.resource, self.record_id, present)
        batch.flush()

    def _present(self) -> Stored | None:
        batch = Batch(self.session, "")
        return batch.stored(self.resource, [self.record_id]).get(self.record_id)

    def _must(self) -> Stored:
        """The record, which must be there and the asker's to write."""
        present = self._present()
        if present is None:
            raise Gone if was_public(self.session, self.resource, self.record_id, self.asker) else NotFound
        if not self.asker.sees(present.state, present.managed_by):
            raise NotFound
        self.refuse_others(present)
        return present

    def refuse_others(self, present: Stored) -> None:
        """Forbidden or IdTaken when the record is there but not the asker's to write."""
        if not self.asker.may_write(present.managed_by):
            raise Forbidden("The record is kept by another partner.")
        if json.loads(present.body).get("merged_into"):
            raise IdTaken("The record was merged into another one: write that one.")

    def _refuse_taken(self) -> None:
        if taken(self.session, self.resource, [self.record_id]):
            raise IdTaken

    def _kept(self, given: dict[str, Any], present: Stored | None) -> RecordFields:
        """The fields; Invalid also with what the rules find in members that are right by themselves."""
        whole = self.whole(given, present)
        try:
            return self.checked(whole)
        except Invalid as found:
            raise Invalid(*found.errors, *self.further(whole, found.errors)) from None

    def whole(self, given: dict[str, Any], present: Stored | None) -> dict[str, Any]:
        """Who keeps the record stays as it is when left out, or is the key's partner at first."""
        return {"managed_by": present.managed_by if present else self.asker.partner, **given}

    def checked(self, whole: dict[str, Any]) -> RecordFields:
        """The fields, by themselves; Forbidden when they give the record to another partner."""
        fields = checked_by(self.resource.fields, whole)
        if not self.asker.writes_all and fields.managed_by != self.asker.partner:
            raise Forbidden("Only a key with the scope records:write says who keeps a record.")
        return fields

    def further(self, whole: dict[str, Any], errors: list[ErrorItem]) -> list[ErrorItem]:
        """What the rules find wrong in members that are right by themselves."""
        fields = partly_checked(self.resource.fields, whole, errors) if len(errors) < MOST_ERRORS else None
        if fields is None:
            return []
        wrong = {top_of(each) for each in errors}
        proposal = Proposal(self.session, self.resource, self.record_id, fields, self.asker)
        return [each for each in mistakes(proposal) if top_of(each) not in wrong]

    def _store(self, fields: RecordFields, present: Stored | None) -> Written:
        if present is not None:
            # Also where it would change nothing: of two who count from 4 to 5, one must hear that it is 5 already.
            self.conditions.check(self.session, present)
            if is_same(self.resource, self.record_id, fields, present):
                return Written(self.record_id, present.tag, present.body.encode())
            self.conditions.require()
            if present.state == "published" and fields.state == "draft":
                self.refuse_referred(published_only=True)
        wrong = mistakes(Proposal(self.session, self.resource, self.record_id, fields, self.asker))
        if wrong:
            raise Invalid(*wrong)
        batch = Batch(self.session, actor(self.asker))
        batch.put(self.resource, self.record_id, fields, present)
        batch.flush()
        now = batch.stored(self.resource, [self.record_id])[self.record_id]
        return Written(self.record_id, now.tag, now.body.encode(), created=present is None)

    def refuse_referred(self, *, published_only: bool) -> None:
        """ReferredTo, naming what the asker may see, when others would be left with a link to nothing."""
        found = referrers(self.session, self.resource, self.record_id, None if published_only else MOST_LOOKED_AT)
        names, hidden = [], False
        for name in dict.fromkeys(resource for resource, _ in found):
            ids = [record_id for resource, record_id in found if resource == name]
            for record_id, state, keeper in _seen(self.session, RESOURCES[name], ids):
                if published_only and state != "published":
                    continue
                if self.asker.sees(state, keeper):
                    names.append(f"{name}/{record_id}")
                else:
                    hidden = True
        if names or hidden:
            errors = [ErrorItem(code="referrer", detail=f"{name} refers to it.") for name in names[:MOST_REFERRERS]]
            raise ReferredTo("Other records refer to this one: change those first.", errors=errors)


def _seen(session: Session, resource: Resource, ids: list[str]) -> list[tuple[str, str, str | None]]:
    table, found = resource.table, []
    for chunk in chunks(ids):
        query = select(table.id, table.state, table.managed_by).where(table.id.in_(chunk))
        found += [(row[0], row[1], row[2]) for row in session.execute(query.order_by(table.id))]
    return found


def actor(asker: Asker) -> str:
    """Who a Change is by."""
    return f"key:{asker.key}" if asker.key else "command"


def merge(target: Any, patch: Any) -> Any:
    """JSON Merge Patch, as RFC 7396 has it; the days that a date can mean go with its `edtf`."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    if "edtf" in patch:
        merged = {name: value for name, value in merged.items() if name not in ("earliest", "latest")}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def own_members(resource: Resource, record_id: str | None, given: Any) -> dict[str, Any]:
    """A body without what only the registry writes, so that what is read can be written back.

    Invalid when it is no object, or says another resource or id than the path; version, instants and inferred are
    ignored.
    """
    if not isinstance(given, dict):
        raise Invalid(ErrorItem(pointer="", code="invalid_value", detail="The body is an object."))
    named = {"resource": resource.name, "id": record_id or given.get("id")}
    wrong = [name for name, value in named.items() if given.get(name, value) != value]
    if wrong:
        said = "This must be what the path says, or be left out."
        raise Invalid(*(ErrorItem(pointer=f"/{name}", code="read_only", detail=said) for name in wrong))
    return writable(given)


def taken(session: Session, resource: Resource, ids: Iterable[str]) -> set[str]:
    """Those of the ids that a record has or had."""
    query = select(CHANGES.c.record_id).where(CHANGES.c.resource == resource.name, CHANGES.c.record_id.in_(list(ids)))
    return {row[0] for row in session.execute(query.distinct())}


def was_public(session: Session, resource: Resource, record_id: str, asker: Asker) -> bool:
    """Whether there was a record, deleted since, that the asker could see at its end."""
    last = session.execute(LAST_OF_RECORD, {"resource": resource.name, "id": record_id}).first()
    return last is not None and asker.saw(last[1])


def free_id(session: Session, resource: Resource, given: dict[str, Any]) -> str:
    """An id made of what the record is called, with a number when that is taken."""
    said = next((given[name] for name in ("title", "name", "summary", "indicator") if given.get(name)), "")
    stem = stem_of(said) or resource.one
    ids = [stem, *(f"{stem}-{number}" for number in range(2, NUMBERED + 1))]
    used = taken(session, resource, ids) | RESERVED
    return next((each for each in ids if each not in used), f"{stem}-{secrets.token_hex(4)}")
