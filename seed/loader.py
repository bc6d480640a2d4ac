"""Brings the dataset into a database through the one road of writes, and leaves alone what others have changed."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import bindparam, select
from sqlmodel import Session

from app.core.changes import CHANGES
from app.core.database import Database
from app.core.resource import RESOURCES
from app.core.writing import Batch, referrers
from seed.files import Dataset, Key

ACTOR = "seed"


@dataclass
class Outcome:
    """What a run of the seed did: ids by what happened to them."""

    created: list[Key] = field(default_factory=list)
    updated: list[Key] = field(default_factory=list)
    unchanged: list[Key] = field(default_factory=list)
    deleted: list[Key] = field(default_factory=list)
    left_alone: list[tuple[Key, str]] = field(default_factory=list)


def load(database: Database, dataset: Dataset) -> Outcome:
    """Create, update and delete what the dataset implies, in one transaction: whole or not at all.

    A record whose last Change is not the seed's own is left alone. A record that the seed wrote and the dataset no
    longer has is deleted, unless others refer to it.
    """
    outcome = Outcome()
    with _no_collector(), database.write() as session:
        last = _last_changes(session, dataset)
        batch = Batch(session, ACTOR)
        for resource in RESOURCES.values():
            records = dataset.of(resource.name)
            present = batch.stored(resource, records)
            for record_id, fields in records.items():
                key = (resource.name, record_id)
                actor, action = last.get(key, (ACTOR, ""))
                if actor != ACTOR:
                    outcome.left_alone.append((key, f"{action}d by {actor} since"))
                    continue
                done = batch.put(resource, record_id, fields, present.get(record_id))
                getattr(outcome, done).append(key)
        batch.flush()
        _remove(session, dataset, last, outcome)
    return outcome


def _last_changes(session: Session, dataset: Dataset) -> dict[Key, tuple[str, str]]:
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


def _remove(session: Session, dataset: Dataset, last: dict[Key, tuple[str, str]], outcome: Outcome) -> None:
    """Delete what the dataset dropped, as far as nobody refers to it."""
    batch = Batch(session, ACTOR)
    dropped = [
        key
        for key, (actor, action) in last.items()
        if actor == ACTOR and action != "delete" and key not in dataset.records
    ]
    gone = set(dropped)
    for name, record_id in dropped:
        others = [each for each in referrers(session, RESOURCES[name], record_id) if _owner(each) not in gone]
        if others:
            outcome.left_alone.append(((name, record_id), f"{others[0][0]}/{others[0][1]} refers to it"))
            continue
        batch.delete(RESOURCES[name], record_id, batch.stored(RESOURCES[name], [record_id])[record_id])
        outcome.deleted.append((name, record_id))
    batch.flush()


def _owner(referrer: tuple[str, str]) -> Key:
    table, record_id = referrer
    return next(name for name in RESOURCES if table == name or table.startswith(f"{name}_")), record_id


@contextmanager
def _no_collector() -> Iterator[None]:
    """Without the garbage collector, which many live objects slow down threefold and which finds nothing here."""
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
