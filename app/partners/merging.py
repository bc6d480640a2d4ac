"""The merge of a partner with its duplicate, in one transaction.

These move to the partner that stays:

- links: every record that links to the duplicate links to the other partner, each change with a Change of its own;
- the identifiers of the duplicate, and its name, abbreviation and aliases, which become aliases;
- its keys, and the subscriptions to webhooks (`WHEN_MERGED`).

Everything else, such as its description, citations and Changes, stays with the duplicate, which gets `merged_into`.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import update
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.access.key_events import add_event
from app.core.access.keys import KEYS
from app.core.errors import Conflict, ErrorItem, IdTaken, Invalid, NotFound
from app.core.model.fields import RecordFields
from app.core.model.resource import RESOURCES, Resource
from app.core.values.links import links_in
from app.core.values.urls import STORED
from app.core.writing.batch import Batch
from app.core.writing.edit import WriteResult, actor
from app.core.writing.integrity import Proposal, trees
from app.core.writing.preconditions import Conditions
from app.core.writing.references import referrers
from app.core.writing.representation import StoredRecord, accepted_fields, writable_members

PARTNERS = "partners"
MAX_RELINKED = 2_000  # records that link to the duplicate
MAX_RELINKED_BYTES = 5_000_000  # of their representations: to write and index a megabyte takes up to a second
MAX_NAMES = 100  # aliases and identifiers of one partner

# Functions that other features add. They are called before the commit with the session and both ids: duplicate, into.
WHEN_MERGED: list[Callable[[Session, str, str], object]] = []


def merge(session: Session, caller: Caller, duplicate: str, into: str, conditions: Conditions) -> WriteResult:
    """Merge a duplicate into another partner, and return the duplicate. If that was done before, change nothing.

    Raise NotFound, Stale, IdTaken if it was merged into another partner, and Invalid if `into` cannot take it over.
    """
    partners = RESOURCES[PARTNERS]
    batch = Batch(session, actor(caller))
    present = batch.stored(partners, [duplicate, into])
    if duplicate not in present:
        raise NotFound
    conditions.check(session, present[duplicate])
    merged_into = json.loads(present[duplicate].body)["merged_into"]
    if merged_into == into:
        return WriteResult(duplicate, present[duplicate].tag, present[duplicate].body.encode())
    if merged_into is not None:
        raise IdTaken("The partner was already merged into another one.")
    _check_target(present.get(into), duplicate, into)
    old_fields = _relinked(partners, duplicate, present[duplicate], duplicate, into)
    new_fields = _with_names_of(old_fields, _relinked(partners, into, present[into], duplicate, into))
    proposals = [Proposal(session, partners, into, new_fields, caller), *_relink(batch, caller, duplicate, into)]
    batch.put(partners, into, new_fields, present[into])
    tombstone = old_fields.model_copy(update={"merged_into": into, "identifiers": []})
    batch.put(partners, duplicate, tombstone, present[duplicate])
    batch.flush()
    moved_keys = update(KEYS).where(KEYS.c.partner == duplicate).values(partner=into).returning(KEYS.c.id)
    for key_id in session.scalars(moved_keys).all():
        add_event(session, key_id, "change", actor(caller), caller.address, f"partner: {duplicate} → {into}")
    for call in WHEN_MERGED:
        call(session, duplicate, into)
    _check_trees(proposals)
    after = batch.stored(partners, [duplicate])[duplicate]
    return WriteResult(duplicate, after.tag, after.body.encode())


def _check_target(present: StoredRecord | None, duplicate: str, into: str) -> None:
    """Raise Invalid unless the partner that stays is another one, public, and not merged itself."""
    is_usable = present is not None and present.state == "published" and not json.loads(present.body)["merged_into"]
    if not is_usable or duplicate == into:
        detail = "This must be the id of another partner that is public and was not merged itself."
        raise Invalid(ErrorItem(pointer="/into", code="unknown_record", detail=detail))


def _check_trees(proposals: Iterable[Proposal]) -> None:
    """Raise Invalid if the moved links form a cycle. The rule reads them from the database, so it needs the flush."""
    if any(any(trees(proposal)) for proposal in proposals):
        detail = "After the merge, a partner would be part of itself or its own successor. Change those links first."
        raise Invalid(ErrorItem(pointer="/into", code="cycle", detail=detail))


def _relink(batch: Batch, caller: Caller, duplicate: str, into: str) -> list[Proposal]:
    """Put every record that links to the duplicate, except `into`, with links to `into`. Return their proposals."""
    by_resource: dict[str, list[str]] = {}
    # One more than allowed, in addition to `into`: that is enough to refuse the merge.
    for name, record_id in referrers(batch.session, RESOURCES[PARTNERS], duplicate, MAX_RELINKED + 2):
        if (name, record_id) != (PARTNERS, into):
            by_resource.setdefault(name, []).append(record_id)
    _check_size(batch, by_resource)
    proposals: list[Proposal] = []
    for name, ids in by_resource.items():
        resource = RESOURCES[name]
        for record_id, present in batch.stored(resource, ids).items():
            fields = _relinked(resource, record_id, present, duplicate, into)
            batch.put(resource, record_id, fields, present)
            proposals.append(Proposal(batch.session, resource, record_id, fields, caller))
    return proposals


def _check_size(batch: Batch, by_resource: Mapping[str, list[str]]) -> None:
    """Raise Conflict if it takes too long to write the records that link to the duplicate: all other writes wait."""
    count = sum(map(len, by_resource.values()))
    size = 0
    if count <= MAX_RELINKED:
        size = sum(sum(batch.stored_sizes(RESOURCES[name], ids).values()) for name, ids in by_resource.items())
    if count > MAX_RELINKED or size > MAX_RELINKED_BYTES:
        raise Conflict(
            f"Too many records link to the duplicate: a merge changes at most {MAX_RELINKED} records with"
            f" {MAX_RELINKED_BYTES} bytes. Change some of the links first, for example with an import."
        )


def _with_names_of(duplicate: Any, partner: Any) -> RecordFields:
    """Return the partner that stays, with names and identifiers of the duplicate added: at most `MAX_NAMES` of each."""
    present_names = {*partner.name.values(), partner.abbreviation, *partner.aliases}
    names = dict.fromkeys((*duplicate.name.values(), duplicate.abbreviation, *duplicate.aliases))
    new_names = [name for name in names if name and name not in present_names]
    new_codes = [code for code in duplicate.identifiers if code not in partner.identifiers]
    extended: RecordFields = partner.model_copy(
        update={
            "aliases": [*partner.aliases, *new_names][:MAX_NAMES],
            "identifiers": [*partner.identifiers, *new_codes][:MAX_NAMES],
        }
    )
    return extended


def _relinked(resource: Resource, record_id: str, present: StoredRecord, duplicate: str, into: str) -> RecordFields:
    """Return the fields of a record with links to `into` in place of the duplicate.

    A list never has a value twice. Links from `into` to itself are removed, except that it may manage itself.
    """
    members = writable_members(json.loads(present.body))
    for pointer, target, linked_id in links_in(accepted_fields(resource, present.body)):
        if (target, linked_id) == (PARTNERS, duplicate):
            links_to_itself = (resource.name, record_id) == (PARTNERS, into) and pointer != "/managed_by"
            _set_member(members, pointer.split("/")[1:], None if links_to_itself else into)
    for name, value in members.items():
        if isinstance(value, list):
            members[name] = _distinct(value)
            _move_support(members["citations"], name, value, members[name])
    return resource.fields.model_validate(members, context=STORED)


def _move_support(citations: list[dict[str, Any]], name: str, before: list[Any], after: list[Any]) -> None:
    """Change JSON Pointers to the items of a list: to their new positions, or to the list if an item was removed."""
    moved = {
        f"/{name}/{position}": f"/{name}/{after.index(item)}" if item in after else f"/{name}"
        for position, item in enumerate(before)
    }
    for citation in citations if len(after) < len(before) else ():
        supports = [_moved(pointer, moved) for pointer in citation["supports"]]
        citation["supports"] = list(dict.fromkeys(supports))


def _moved(pointer: str, moved: dict[str, str]) -> str:
    item = "/".join(pointer.split("/", 3)[:3])
    target = moved.get(item, item)
    return target if target.count("/") == 1 else target + pointer[len(item) :]


def _set_member(value: Any, path: list[str], new: str | None) -> None:
    for step in path[:-1]:
        value = value[int(step) if isinstance(value, list) else step]
    value[int(path[-1]) if isinstance(value, list) else path[-1]] = new


def _distinct(values: Iterable[Any]) -> list[Any]:
    """Return the values once each, without nulls. They may be objects, which a set cannot hold."""
    distinct: list[Any] = []
    for value in values:
        if value is not None and value not in distinct:
            distinct.append(value)
    return distinct
