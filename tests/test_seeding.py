"""The seed: the same road as every write, nothing twice, nobody overruled, whole or not at all."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from app.core.change_log import chain_entry, chain_value, digest
from app.core.database.engine import Database
from app.core.maintenance import rerender
from app.core.maintenance.rerender import render_again
from app.core.model.fields import RENDERING
from app.core.model.resource import RESOURCES, Resource
from app.core.values.text import LanguageMap
from app.core.writing import batch as writing
from app.core.writing.batch import Batch
from app.core.writing.references import referrers
from app.core.writing.representation import accepted_fields, linked_records, render
from app.figures.models import Relation
from seed.files import Dataset, read
from seed.loader import load
from tests.support.databases import url_of
from tests.support.log import changes
from tests.support.records import change, delete


def stored(database: Database, resource: Resource, record_id: str) -> Any:
    with database.write() as session:
        return Batch(session, "test").stored(resource, [record_id]).get(record_id)


def edited(dataset: Dataset, resource: str, record_id: str, **values: Any) -> Dataset:
    copy = Dataset(dict(dataset.records), dataset.files, dataset.ignored)
    copy.records[resource, record_id] = copy.records[resource, record_id].model_copy(update=values)
    return copy


def without(dataset: Dataset, *keys: tuple[str, str]) -> Dataset:
    records = {key: fields for key, fields in dataset.records.items() if key not in keys}
    return Dataset(records, dataset.files, dataset.ignored)


def test_each_record_has_version_1_a_representation_and_a_change(seeded_database: Database, dataset: Dataset) -> None:
    log = changes(seeded_database)
    assert [row.sequence for row in log] == list(range(1, len(dataset.records) + 1))
    assert {(row.resource, row.record_id) for row in log} == set(dataset.records)
    assert {(row.actor, row.action, row.version) for row in log} == {("seed", "create", 1)}
    assert {row.shown for row in log} == {"create"}
    assert all(json.loads(row.body)["id"] == row.record_id for row in log)
    assert_chained(log)


def assert_chained(log: list[Any]) -> None:
    chain = ""
    for row in log:
        assert digest(row.body.encode(), row.salt or "") == row.digest
        said = (row.at, row.actor, row.action, row.resource, row.record_id, row.version)
        chain = chain_value(chain, row.sequence, chain_entry(*said, row.digest))
        assert chain == row.chain


def test_what_everyone_sees_of_drafts(seeded_database: Database) -> None:
    for number, state in enumerate(("draft", "draft", "published", "published", "draft")):
        change(seeded_database, "partners", "unido", "me", state=state, name={"en": f"Name {number}"})
    log = changes(seeded_database)[-5:]
    assert [(row.action, row.shown) for row in log] == [
        ("update", "delete"),
        ("update", None),
        ("update", "create"),
        ("update", "update"),
        ("update", "delete"),
    ]
    assert_chained(changes(seeded_database))


def test_time_never_runs_backwards(seeded_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers of the log see by the instants where a transaction begins, so no two transactions have the same."""
    monkeypatch.setattr(writing, "now", lambda: "2020-01-01T00:00:00.000000Z")
    for name in ("While the clock was wrong", "And still"):
        change(seeded_database, "partners", "unido", "me", name={"en": name})
    instants = [datetime.fromisoformat(row.at) for row in changes(seeded_database)[-3:]]
    assert instants[1] - instants[0] == instants[2] - instants[1] == timedelta(microseconds=1)


def test_seeding_twice_writes_nothing(seeded_database: Database, dataset: Dataset) -> None:
    before = changes(seeded_database)
    outcome = load(seeded_database, dataset)
    assert (outcome.created, outcome.updated, outcome.deleted, outcome.left_alone) == ([], [], [], [])
    assert len(outcome.unchanged) == len(dataset.records)
    assert changes(seeded_database) == before


def test_an_edited_dataset_yields_exactly_the_updates_it_implies(seeded_database: Database, dataset: Dataset) -> None:
    name: LanguageMap = {"vi": "Tên mới", "en": "A new name"}
    outcome = load(seeded_database, edited(dataset, "partners", "unido", name=name))
    assert outcome.updated == [("partners", "unido")]
    (last,) = changes(seeded_database)[len(dataset.records) :]
    assert (last.action, last.version, json.loads(last.body)["name"]) == ("update", 2, name)
    found = stored(seeded_database, RESOURCES["partners"], "unido")
    assert found.version == 2
    assert found.created_at < found.updated_at


def test_links_follow_the_record(seeded_database: Database, dataset: Dataset) -> None:
    def links(table: str) -> int:
        with seeded_database.engine.connect() as connection:
            query = f"SELECT count(*) FROM {table} WHERE record_id = 'smart-factory-cooperation'"
            return int(connection.exec_driver_sql(query).scalar() or 0)

    cited = links("projects_citations")
    assert links("projects_roles") > 1
    load(seeded_database, edited(dataset, "projects", "smart-factory-cooperation", roles=[], places=[]))
    assert (links("projects_roles"), links("projects_places"), links("projects_citations")) == (0, 0, cited)


def test_what_others_changed_is_left_alone_and_named(seeded_database: Database, dataset: Dataset) -> None:
    change(seeded_database, "partners", "unido", "somebody", abbreviation="Unido")
    name: LanguageMap = {"vi": "Khác", "en": "Other"}
    outcome = load(seeded_database, edited(dataset, "partners", "unido", name=name))
    assert outcome.updated == []
    assert outcome.left_alone == [(("partners", "unido"), "updated by somebody since")]
    assert json.loads(stored(seeded_database, RESOURCES["partners"], "unido").body)["abbreviation"] == "Unido"


def test_what_others_deleted_is_not_made_again(seeded_database: Database, dataset: Dataset) -> None:
    delete(seeded_database, "figures", "net-zero-target-2050-stated-2024", "somebody")
    outcome = load(seeded_database, dataset)
    assert outcome.created == []
    assert outcome.left_alone == [(("figures", "net-zero-target-2050-stated-2024"), "deleted by somebody since")]


def test_what_the_dataset_drops_is_deleted_unless_others_refer_to_it(
    seeded_database: Database, dataset: Dataset
) -> None:
    statement = ("statements", "moit-documents-impressive")
    outcome = load(seeded_database, without(dataset, statement))
    assert outcome.deleted == [statement]
    assert stored(seeded_database, RESOURCES[statement[0]], statement[1]) is None
    assert changes(seeded_database)[-1].action == "delete"
    again = load(seeded_database, dataset)
    assert again.created == [statement]
    assert changes(seeded_database)[-1].version == 1

    with seeded_database.write() as session:
        assert referrers(session, RESOURCES["partners"], "unido")
    kept = load(seeded_database, without(dataset, ("indicators", "duration")))
    assert kept.deleted == []
    assert kept.left_alone[0][0] == ("indicators", "duration")


def test_what_names_a_record_that_others_deleted_is_left_alone(seeded_database: Database, dataset: Dataset) -> None:
    delete(seeded_database, "figures", "net-zero-target-2050-stated-2024", "somebody")
    relation = Relation(kind="same_as", figure="net-zero-target-2050-stated-2024")
    outcome = load(seeded_database, edited(dataset, "figures", "smart-factory-duration", relations=[relation]))
    assert (
        ("figures", "smart-factory-duration"),
        "it links to figures/net-zero-target-2050-stated-2024, which does not exist",
    ) in outcome.left_alone
    assert outcome.updated == []


def test_unique_codes_may_pass_from_record_to_record(seeded_database: Database, dataset: Dataset) -> None:
    north, south = (dataset.records["places", key] for key in ("bac-ninh", "hung-yen"))
    swapped = edited(dataset, "places", "bac-ninh", code=south.code)  # type: ignore[attr-defined]
    swapped = edited(swapped, "places", "hung-yen", code=north.code)  # type: ignore[attr-defined]
    assert len(load(seeded_database, swapped).updated) == 2
    renamed = without(swapped, ("figures", "smart-factory-duration"))
    renamed.records["figures", "smart-factory-years"] = dataset.records["figures", "smart-factory-duration"]
    outcome = load(seeded_database, renamed)
    assert (len(outcome.created), len(outcome.deleted)) == (1, 1)


def test_what_goes_together_goes_and_what_others_need_stays(seeded_database: Database, dataset: Dataset) -> None:
    batch, parts = ("projects", "smart-factory-batch-1-2023"), dataset.of("figures")
    figures = [("figures", key) for key, figure in parts.items() if figure.project == batch[1]]
    others = [key for key, fields in dataset.records.items() if batch in linked_records(fields)]
    outcome = load(seeded_database, without(dataset, batch, *figures, *others))
    assert set(outcome.deleted) == {batch, *figures, *others}
    load(seeded_database, dataset)
    change(seeded_database, "milestones", "smart-factory-mou-2022-signing", "somebody", project=batch[1])
    outcome = load(seeded_database, without(dataset, batch, *figures, *others))
    assert (batch, "milestones/smart-factory-mou-2022-signing links to it") in outcome.left_alone
    assert batch not in outcome.deleted


def test_a_dangling_reference_writes_nothing(seeded_database: Database, dataset: Dataset) -> None:
    before = changes(seeded_database)
    broken = edited(dataset, "projects", "smart-factory-cooperation", part_of=["no-such-project"])
    with pytest.raises(IntegrityError):
        load(seeded_database, broken)
    assert changes(seeded_database) == before


def test_rendering_everything_again_finds_no_difference(seeded_database: Database, dataset: Dataset) -> None:
    for name, record_id in dataset.records:
        resource = RESOURCES[name]
        present = stored(seeded_database, resource, record_id)
        fields = accepted_fields(resource, present.body)
        again = render(resource, record_id, fields, present.version, present.created_at, present.updated_at)
        assert again == present.body.encode()


def test_older_renderings_are_rendered_again_without_a_change(
    seeded_database: Database, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = changes(seeded_database)
    monkeypatch.setattr(rerender, "RENDERING", RENDERING + 1)
    with seeded_database.write() as session:
        assert render_again(session, RESOURCES["places"]) == len(dataset.of("places"))
    with seeded_database.write() as session:
        assert render_again(session, RESOURCES["places"]) == 0
    assert changes(seeded_database) == before
    found = stored(seeded_database, RESOURCES["places"], "da-nang")
    assert found.rendering == RENDERING + 1
    assert json.loads(found.body)["code"] == "VN-DN"


def test_what_is_read_can_be_written_back_unchanged(seeded_database: Database, dataset: Dataset) -> None:
    with seeded_database.write() as session:
        batch = Batch(session, "somebody")
        for resource in RESOURCES.values():
            for record_id, present in batch.stored(resource, dataset.of(resource.name)).items():
                fields = accepted_fields(resource, present.body)
                assert batch.put(resource, record_id, fields, present) == "unchanged"
        assert batch.flush() == 0


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.3, 0.7])
def test_a_seed_killed_half_way_leaves_nothing_or_all(database: Database, dataset: Dataset, moment: float) -> None:
    """The seed runs in a process that is killed at a share of the time that it takes."""
    environment = {**os.environ, "HOPTAC_DATABASE_URL": url_of(database)}
    probe = "from seed.files import read; read(); print('read', flush=True); from app.cli import main; main(['seed'])"
    process = subprocess.Popen(
        [sys.executable, "-c", probe], env=environment, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=20)
    assert len(changes(database)) in (0, len(read().records))
    outcome = load(database, dataset)
    assert len(outcome.created) + len(outcome.unchanged) == len(dataset.records)
    assert len(changes(database)) == len(dataset.records)
