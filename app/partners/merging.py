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
from app.core.writing.edit import Written, actor
from app.core.writing.integrity import Proposal, trees
from app.core.writing.references import referrers
from app.core.writing.representation import Stored, accepted, writable

PARTNERS = "partners"
MOST_NAMES = 100  # and identifiers, of one partner
WHEN_MERGED: list[Callable[[Session, str, str], object]] = []  # told of the twin and the other, before the commit


def merge(session: Session, caller: Caller, twin: str, into: str, conditions: Conditions) -> Written:
    """Leave the twin `merged_into` the other, and nothing that names it; again has no effect.

    Who looks for the twin finds the other: it takes over its codes, and its names as aliases.
    """
    partners = RESOURCES[PARTNERS]
    batch = Batch(session, actor(caller))
    present = batch.stored(partners, [twin, into])
    if twin not in present:
        raise NotFound
    conditions.check(session, present[twin])
    merged = json.loads(present[twin].body)["merged_into"]
    if merged == into:
        return Written(twin, present[twin].tag, present[twin].body.encode())
    if merged is not None:
        raise IdTaken("The partner was merged into another one before.")
    _ensure_stays(present.get(into), twin, into)
    left = _renamed(partners, twin, present[twin], twin, into)
    stays = _with_names_of(left, _renamed(partners, into, present[into], twin, into))
    written = [Proposal(session, partners, into, stays, caller), *_rewrite(batch, caller, twin, into)]
    batch.put(partners, into, stays, present[into])
    batch.put(partners, twin, left.model_copy(update={"merged_into": into, "identifiers": []}), present[twin])
    batch.flush()
    session.execute(update(KEYS).where(KEYS.c.partner == twin).values(partner=into))
    for then in WHEN_MERGED:
        then(session, twin, into)
    if any(True for proposal in written for _ in trees(proposal)):
        detail = "Merged, a partner would be part or successor of itself: change those links first."
        raise Invalid(ErrorItem(pointer="/into", code="cycle", detail=detail))
    now = batch.stored(partners, [twin])[twin]
    return Written(twin, now.tag, now.body.encode())


def _ensure_stays(present: Stored | None, twin: str, into: str) -> None:
    """Invalid unless the other is a public partner that was not merged itself."""
    stays = present is not None and present.state == "published" and not json.loads(present.body)["merged_into"]
    if not stays or twin == into:
        detail = "This must be another partner, public and not merged itself."
        raise Invalid(ErrorItem(pointer="/into", code="unknown_record", detail=detail))


def _rewrite(batch: Batch, caller: Caller, twin: str, into: str) -> Iterator[Proposal]:
    """Put every record that names the twin, changed to name the other."""
    by_resource: dict[str, list[str]] = {}
    for name, record_id in referrers(batch.session, RESOURCES[PARTNERS], twin):
        if (name, record_id) != (PARTNERS, into):
            by_resource.setdefault(name, []).append(record_id)
    for name, ids in by_resource.items():
        resource = RESOURCES[name]
        for record_id, present in batch.stored(resource, ids).items():
            fields = _renamed(resource, record_id, present, twin, into)
            batch.put(resource, record_id, fields, present)
            yield Proposal(batch.session, resource, record_id, fields, caller)


def _with_names_of(twin: Any, stays: Any) -> RecordFields:
    """The partner that stays, with what the twin is known by, as far as there is room."""
    known = {*stays.name.values(), stays.abbreviation, *stays.aliases}
    names = [each for each in (*twin.name.values(), twin.abbreviation, *twin.aliases) if each and each not in known]
    codes = [each for each in twin.identifiers if each not in stays.identifiers]
    more = {"aliases": [*stays.aliases, *dict.fromkeys(names)], "identifiers": [*stays.identifiers, *codes]}
    found: RecordFields = stays.model_copy(update={name: each[:MOST_NAMES] for name, each in more.items()})
    return found


def _renamed(resource: Resource, record_id: str, present: Stored, twin: str, into: str) -> RecordFields:
    """The fields of a record with the one id in the place of the other; nothing stays listed twice, or names itself."""
    given = writable(json.loads(present.body))
    for pointer, target, named in links_in(accepted(resource, present.body)):
        if (target, named) == (PARTNERS, twin):
            itself = (resource.name, record_id) == (PARTNERS, into) and pointer != "/managed_by"
            _set(given, pointer.split("/")[1:], None if itself else into)
    for name, each in given.items():
        if isinstance(each, list):
            given[name] = _once(each)
    return resource.fields.model_validate(given)


def _set(value: Any, steps: list[str], new: str | None) -> None:
    for step in steps[:-1]:
        value = value[int(step) if isinstance(value, list) else step]
    value[int(steps[-1]) if isinstance(value, list) else steps[-1]] = new


def _once(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value is not None and value not in found:
            found.append(value)
    return found
