"""Loading of the dataset into a database, by the same writes as the API. Records that others have changed stay."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import bindparam, select
from sqlmodel import Session

from app.core.change_log import CHANGES
from app.core.database.engine import Database
from app.core.garbage_collection import without_garbage_collection
from app.core.model.columns import first_day
from app.core.model.resource import RESOURCES
from app.core.progress import advance
from app.core.writing.batch import Batch
from app.core.writing.references import referrers
from app.core.writing.representation import linked_records
from app.places.models import PLACES
from seed.files import Dataset, DatasetKey

ACTOR = "seed"


@dataclass
class LoadOutcome:
    """Result of a load: the keys of the records by what was done with them, and the reason where nothing was done."""

    created: list[DatasetKey] = field(default_factory=list)
    updated: list[DatasetKey] = field(default_factory=list)
    unchanged: list[DatasetKey] = field(default_factory=list)
    deleted: list[DatasetKey] = field(default_factory=list)
    left_alone: list[tuple[DatasetKey, str]] = field(default_factory=list)


def load(database: Database, dataset: Dataset) -> LoadOutcome:
    """Create, update and delete records so that the database equals the dataset, in one transaction.

    These records are left alone: one whose last Change has another actor; one that links to a record which another
    actor deleted; one that is no longer in the dataset while other records link to it.
    """
    outcome = LoadOutcome()
    with without_garbage_collection(), database.write() as session:
        last = _last_changes(session, dataset)
        alone = _left_alone(dataset, last, _codes_in_use(session, dataset, last))
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
                action = batch.put(resource, record_id, fields, present.get(record_id))
                getattr(outcome, action).append(key)
            advance(len(records))
        batch.flush()
    return outcome


def _left_alone(
    dataset: Dataset, last: Mapping[DatasetKey, tuple[str, str]], in_use: Mapping[DatasetKey, str]
) -> dict[DatasetKey, str]:
    """Return the records that the load must not write, each with the reason."""
    alone = {key: f"{action}d by {actor} since" for key, (actor, action) in last.items() if actor != ACTOR}
    missing = {key for key in alone if last[key][1] == "delete"}
    missing |= {key for key in in_use if key not in last}
    alone |= in_use
    changed = bool(missing)
    while changed:
        changed = False
        for key, fields in dataset.records.items():
            broken_links = set() if key in alone else missing.intersection(linked_records(fields))
            for name, record_id in sorted(broken_links):
                alone[key] = f"it links to {name}/{record_id}, which does not exist"
                changed = True
            if broken_links and key not in last:
                missing.add(key)
    return alone


def _codes_in_use(
    session: Session, dataset: Dataset, last: Mapping[DatasetKey, tuple[str, str]]
) -> dict[DatasetKey, str]:
    """Return the places whose code another writer has given to a place of their own, each with the reason."""
    table = PLACES.table
    rows = session.execute(select(table.code, table.period_earliest, table.id).where(table.code.is_not(None)))
    holders = {(code, start): place for code, start, place in rows if ("places", place) not in last}
    in_use: dict[DatasetKey, str] = {}
    for place_id, fields in dataset.of("places").items():
        holder = holders.get((fields.code, first_day(fields.period)))
        if holder is not None:
            in_use["places", place_id] = f"places/{holder} has its code"
    return in_use


def _last_changes(session: Session, dataset: Dataset) -> dict[DatasetKey, tuple[str, str]]:
    """Return actor and action of the last Change of each record in the dataset or written by an earlier load."""
    written = select(CHANGES.c.resource, CHANGES.c.record_id).where(CHANGES.c.actor == ACTOR).distinct()
    keys = sorted({(resource, record_id) for resource, record_id in session.execute(written)} | set(dataset.records))
    query = (
        select(CHANGES.c.actor, CHANGES.c.action)
        .where(CHANGES.c.resource == bindparam("resource"), CHANGES.c.record_id == bindparam("record_id"))
        .order_by(CHANGES.c.sequence.desc())
        .limit(1)
    )
    rows = {key: session.execute(query, {"resource": key[0], "record_id": key[1]}).first() for key in keys}
    return {key: (row[0], row[1]) for key, row in rows.items() if row is not None}


def _remove(
    session: Session, batch: Batch, dataset: Dataset, last: Mapping[DatasetKey, tuple[str, str]], outcome: LoadOutcome
) -> None:
    """Delete the records that are no longer in the dataset, except those that a remaining record links to."""
    ours = {key for key, (actor, action) in last.items() if actor == ACTOR and action != "delete"}
    refer = {key: referrers(session, RESOURCES[key[0]], key[1]) for key in sorted(ours - set(dataset.records))}
    to_delete = set(refer)
    linked = set(refer)
    while linked:
        linked = {key for key in to_delete if _referrer(key, refer[key], to_delete, dataset, last)}
        to_delete -= linked
    for key, others in refer.items():
        other = _referrer(key, others, to_delete, dataset, last)
        if other is None:
            batch.delete(RESOURCES[key[0]], key[1], batch.stored(RESOURCES[key[0]], [key[1]])[key[1]])
            outcome.deleted.append(key)
        else:
            outcome.left_alone.append((key, f"{other[0]}/{other[1]} links to it"))


def _referrer(
    key: DatasetKey,
    others: list[DatasetKey],
    to_delete: set[DatasetKey],
    dataset: Dataset,
    last: Mapping[DatasetKey, tuple[str, str]],
) -> DatasetKey | None:
    """Return a record that links to this one and still will after the load; None if there is none."""
    for other in others:
        ours = other in dataset.records and last.get(other, (ACTOR, ""))[0] == ACTOR
        if other not in to_delete and (not ours or key in linked_records(dataset.records[other])):
            return other
    return None
