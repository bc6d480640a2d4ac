"""Merging a twin: every record that names it names the one that stays, in one transaction, each with its Change."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sqlalchemy import update
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.access.keys import KEYS
from app.core.errors import ErrorItem, IdTaken, Invalid, NotFound
from app.core.model.fields import RecordFields
from app.core.model.resource import RESOURCES, Resource
from app.core.values.links import links_in
from app.core.writing.batch import Batch
from app.core.writing.conditions import Conditions
from app.core.writing.edit import WriteResult, actor
from app.core.writing.integrity import Proposal, trees
from app.core.writing.references import referrers
from app.core.writing.representation import StoredRecord, accepted_fields, writable_members

PARTNERS = "partners"
MAX_NAMES = 100  # and identifiers, of one partner
WHEN_MERGED: list[Callable[[Session, str, str], object]] = []  # told of the twin and the other, before the commit


def merge(session: Session, caller: Caller, duplicate: str, into: str, conditions: Conditions) -> WriteResult:
    """Leave the twin `merged_into` the other, and nothing that names it; again has no effect.

    Who looks for the twin finds the other: it takes over its codes, and its names as aliases.
    """
    partners = RESOURCES[PARTNERS]
    batch = Batch(session, actor(caller))
    present = batch.stored(partners, [duplicate, into])
    if duplicate not in present:
        raise NotFound
    conditions.check(session, present[duplicate])
    merged = json.loads(present[duplicate].body)["merged_into"]
    if merged == into:
        return WriteResult(duplicate, present[duplicate].tag, present[duplicate].body.encode())
    if merged is not None:
        raise IdTaken("The partner was merged into another one before.")
    _ensure_mergeable(present.get(into), duplicate, into)
    left = _renamed(partners, duplicate, present[duplicate], duplicate, into)
    stays = _with_names_of(left, _renamed(partners, into, present[into], duplicate, into))
    written = [Proposal(session, partners, into, stays, caller), *_rewrite(batch, caller, duplicate, into)]
    batch.put(partners, into, stays, present[into])
    batch.put(partners, duplicate, left.model_copy(update={"merged_into": into, "identifiers": []}), present[duplicate])
    batch.flush()
    session.execute(update(KEYS).where(KEYS.c.partner == duplicate).values(partner=into))
    for then in WHEN_MERGED:
        then(session, duplicate, into)
    if any(True for proposal in written for _ in trees(proposal)):
        detail = "Merged, a partner would be part or successor of itself: change those links first."
        raise Invalid(ErrorItem(pointer="/into", code="cycle", detail=detail))
    now = batch.stored(partners, [duplicate])[duplicate]
    return WriteResult(duplicate, now.tag, now.body.encode())


def _ensure_mergeable(present: StoredRecord | None, duplicate: str, into: str) -> None:
    """Invalid unless the other is a public partner that was not merged itself."""
    stays = present is not None and present.state == "published" and not json.loads(present.body)["merged_into"]
    if not stays or duplicate == into:
        detail = "This must be another partner, public and not merged itself."
        raise Invalid(ErrorItem(pointer="/into", code="unknown_record", detail=detail))


def _rewrite(batch: Batch, caller: Caller, duplicate: str, into: str) -> Iterator[Proposal]:
    """Put every record that names the twin, changed to name the other."""
    by_resource: dict[str, list[str]] = {}
    for name, record_id in referrers(batch.session, RESOURCES[PARTNERS], duplicate):
        if (name, record_id) != (PARTNERS, into):
            by_resource.setdefault(name, []).append(record_id)
    for name, ids in by_resource.items():
        resource = RESOURCES[name]
        for record_id, present in batch.stored(resource, ids).items():
            fields = _renamed(resource, record_id, present, duplicate, into)
            batch.put(resource, record_id, fields, present)
            yield Proposal(batch.session, resource, record_id, fields, caller)


def _with_names_of(duplicate: Any, stays: Any) -> RecordFields:
    """The partner that stays, with what the twin is known by, as far as there is room."""
    known = {*stays.name.values(), stays.abbreviation, *stays.aliases}
    names = [
        each
        for each in (*duplicate.name.values(), duplicate.abbreviation, *duplicate.aliases)
        if each and each not in known
    ]
    codes = [each for each in duplicate.identifiers if each not in stays.identifiers]
    more = {"aliases": [*stays.aliases, *dict.fromkeys(names)], "identifiers": [*stays.identifiers, *codes]}
    found: RecordFields = stays.model_copy(update={name: each[:MAX_NAMES] for name, each in more.items()})
    return found


def _renamed(resource: Resource, record_id: str, present: StoredRecord, duplicate: str, into: str) -> RecordFields:
    """The fields of a record with the one id in the place of the other; nothing stays listed twice, or names itself."""
    given = writable_members(json.loads(present.body))
    for pointer, target, named in links_in(accepted_fields(resource, present.body)):
        if (target, named) == (PARTNERS, duplicate):
            itself = (resource.name, record_id) == (PARTNERS, into) and pointer != "/managed_by"
            _set(given, pointer.split("/")[1:], None if itself else into)
    for name, each in given.items():
        if isinstance(each, list):
            given[name] = _without_duplicates(each)
    return resource.fields.model_validate(given)


def _set(value: Any, steps: list[str], new: str | None) -> None:
    for step in steps[:-1]:
        value = value[int(step) if isinstance(value, list) else step]
    value[int(steps[-1]) if isinstance(value, list) else steps[-1]] = new


def _without_duplicates(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value is not None and value not in found:
            found.append(value)
    return found
