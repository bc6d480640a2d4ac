"""Brings the dataset into a database through the one road of writes, and leaves alone what others have changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import bindparam, select
from sqlmodel import Session

from app.core.database.engine import Database
from app.core.garbage_collection import without_garbage_collection
from app.core.log import CHANGES
from app.core.model.resource import RESOURCES
from app.core.writing.batch import Batch
from app.core.writing.references import referrers
from app.core.writing.representation import linked_records
from seed.files import Dataset, DatasetKey

ACTOR = "seed"


@dataclass
class LoadOutcome:
    """What a run of the seed did: ids by what happened to them."""

    created: list[DatasetKey] = field(default_factory=list)
    updated: list[DatasetKey] = field(default_factory=list)
    unchanged: list[DatasetKey] = field(default_factory=list)
    deleted: list[DatasetKey] = field(default_factory=list)
    left_alone: list[tuple[DatasetKey, str]] = field(default_factory=list)


def load(database: Database, dataset: Dataset) -> LoadOutcome:
    """Create, update and delete what the dataset implies, in one transaction: whole or not at all.

    Left alone and named: a record whose last Change is not the seed's own; a record that names one which others have
    deleted; a record that the dataset dropped while others refer to it.
    """
    outcome = LoadOutcome()
    with without_garbage_collection(), database.write() as session:
        last = _last_changes(session, dataset)
        alone = _left_alone(dataset, last)
        batch = Batch(session, ACTOR)
        _remove(session, batch, dataset, last, outcome)
        for resource in RESOURCES.values():
            records = dataset.of(resource.name)
            present = batch.stored(resource, records)
            for record_id, fields in records.items():
                key = (resource.name, record_id)
                if key in alone:
                    outcome.left_alone.append((key, alone[key]))
                    continue
                done = batch.put(resource, record_id, fields, present.get(record_id))
                getattr(outcome, done).append(key)
        batch.flush()
    return outcome


def _left_alone(dataset: Dataset, last: Mapping[DatasetKey, tuple[str, str]]) -> dict[DatasetKey, str]:
    """Records that are not the seed's to write, and why."""
    alone = {key: f"{action}d by {actor} since" for key, (actor, action) in last.items() if actor != ACTOR}
    missing = {key for key in alone if last[key][1] == "delete"}
    found = bool(missing)
    while found:
        found = False
        for key, fields in dataset.records.items():
            lost = set() if key in alone else missing.intersection(linked_records(fields))
            for name, record_id in sorted(lost):
                alone[key] = f"it names {name}/{record_id}, which is not there"
                found = True
            if lost and key not in last:
                missing.add(key)
    return alone


def _last_changes(session: Session, dataset: Dataset) -> dict[DatasetKey, tuple[str, str]]:
    """Who changed each record last, and how: those of the dataset, and those that the seed wrote before."""
    written = select(CHANGES.c.resource, CHANGES.c.record_id).where(CHANGES.c.actor == ACTOR).distinct()
    keys = sorted({(resource, record_id) for resource, record_id in session.execute(written)} | set(dataset.records))
    query = (
        select(CHANGES.c.actor, CHANGES.c.action)
        .where(CHANGES.c.resource == bindparam("resource"), CHANGES.c.record_id == bindparam("record_id"))
        .order_by(CHANGES.c.sequence.desc())
        .limit(1)
    )
    found = {key: session.execute(query, {"resource": key[0], "record_id": key[1]}).first() for key in keys}
    return {key: (row[0], row[1]) for key, row in found.items() if row is not None}


def _remove(
    session: Session, batch: Batch, dataset: Dataset, last: Mapping[DatasetKey, tuple[str, str]], outcome: LoadOutcome
) -> None:
    """Delete what the dataset dropped, as far as nothing that stays refers to it."""
    ours = {key for key, (actor, action) in last.items() if actor == ACTOR and action != "delete"}
    refer = {key: referrers(session, RESOURCES[key[0]], key[1]) for key in sorted(ours - set(dataset.records))}
    going, kept = set(refer), set(refer)
    while kept:
        kept = {key for key in going if _referrer(key, refer[key], going, dataset, last)}
        going -= kept
    for key, others in refer.items():
        other = _referrer(key, others, going, dataset, last)
        if other is None:
            batch.delete(RESOURCES[key[0]], key[1], batch.stored(RESOURCES[key[0]], [key[1]])[key[1]])
            outcome.deleted.append(key)
        else:
            outcome.left_alone.append((key, f"{other[0]}/{other[1]} refers to it"))


def _referrer(
    key: DatasetKey,
    others: list[DatasetKey],
    going: set[DatasetKey],
    dataset: Dataset,
    last: Mapping[DatasetKey, tuple[str, str]],
) -> DatasetKey | None:
    """A record that names this one and will go on doing so after this run."""
    for other in others:
        ours = other in dataset.records and last.get(other, (ACTOR, ""))[0] == ACTOR
        if other not in going and (not ours or key in linked_records(dataset.records[other])):
            return other
    return None
