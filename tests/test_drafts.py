"""Drafts have no influence on what is public, and writes that are refused none on what search finds."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from app.core.database.engine import Database
from app.core.model.fields import RecordFields
from app.core.model.resource import RESOURCES
from app.core.reading.counts.facets import facets_of
from app.core.search.tables import RECORDS
from app.core.search.vocabulary import WORDS
from app.core.writing.batch import Batch
from seed.files import Dataset
from tests.support.keys import key_of

WORD = "zebrafish"


def draft_of(fields: RecordFields) -> RecordFields:
    """A draft with the same links that says something else: it is called otherwise and counts seven times as much."""
    called = {"en": WORD.title()}
    changed: dict[str, Any] = {"state": "draft", "name": called, "title": called, "summary": called}
    changed |= {"as_written": WORD, "identifiers": [], "code": None}
    if value := getattr(fields, "value", None):
        changed["value"] = value * 7
    return fields.model_copy(update={name: changed[name] for name in changed if name in type(fields).model_fields})


def write_drafts(database: Database, dataset: Dataset) -> None:
    """A draft beside every record, and a draft of a figure about every project."""
    figure = draft_of(dataset.records["figures", RESOURCES["figures"].example])
    with database.write() as session:
        batch = Batch(session, "test")
        for (resource, record_id), fields in dataset.records.items():
            batch.put(RESOURCES[resource], f"{record_id}-draft", draft_of(fields), None)
            if resource == "projects":
                about = figure.model_copy(update={"project": record_id})
                batch.put(RESOURCES["figures"], f"of-{record_id}-draft", about, None)
        batch.flush()


def public_reads() -> Iterator[str]:
    """A read of every kind, through every filter and include that follows a link."""
    for name, resource in RESOURCES.items():
        own = f"/v1/{name}/{resource.example}"
        yield f"/v1/{name}?limit=200&total=true&sort=-id"
        yield f"/v1/{name}?q={WORD}&total=true"
        yield f"/v1/{name}?q=hop+tac&sort=id&total=true"
        yield f"{own}?include={','.join(resource.includes)}"
        facets = urlencode([("facet", each) for each in facets_of(resource)])
        yield f"/v1/{name}/facets?{facets}&limit=200"
        yield f"/v1/{name}/facets?{facets}&updated_at_gte=2020-01-01T00:00:00Z"
        yield from (f"{own}/{each.name}?total=true" for each in resource.includes.values() if each.nested)
        for parameter, link in resource.all_links.items():
            draft = f"{RESOURCES[link.target].example}-draft"
            yield f"/v1/{name}?{parameter}={draft}&total=true"
            if link.include:
                yield f"/v1/{link.target}?{link.opposite or resource.one}={resource.example}-draft&total=true"
    project = RESOURCES["projects"].example
    yield f"/v1/search?q={WORD}"
    yield "/v1/search?q=hop+tac&limit=200"
    yield "/v1/progress?limit=20"
    yield f"/v1/progress?indicator={RESOURCES['indicators'].example}"
    yield f"/v1/projects/{project}/progress"
    yield from (f"/v1/figures/aggregate?group_by={each}" for each in ("indicator,place,year", "project", "partner"))
    yield "/v1/audit?limit=200&as_of=2026-11-22"
    yield "/v1/timeline?limit=200"
    yield f"/v1/timeline?project={project}&parts=true&limit=200"


@pytest.mark.slow
def test_drafts_change_no_public_answer(registry: TestClient, seeded_database: Database, dataset: Dataset) -> None:
    reads = list(dict.fromkeys(public_reads()))
    before = {path: registry.get(path) for path in reads}
    assert {path: found.text for path, found in before.items() if found.status_code != 200} == {}
    write_drafts(seeded_database, dataset)
    editor = key_of(seeded_database, "records:write")
    drafts = registry.get("/v1/figures?state=draft&limit=200", headers=editor).json()["items"]
    assert len(drafts) == sum(resource in ("figures", "projects") for resource, _ in dataset.records)
    for headers in ({}, editor):
        changed = [path for path in reads if registry.get(path, headers=headers).content != before[path].content]
        assert changed == []


def test_what_belongs_to_a_draft_is_not_found(
    registry: TestClient, seeded_database: Database, dataset: Dataset
) -> None:
    write_drafts(seeded_database, dataset)
    project = f"/v1/projects/{RESOURCES['projects'].example}-draft"
    for path in (project, f"{project}/figures", f"{project}/progress", f"{project}?include=figures"):
        assert registry.get(path).status_code == 404, path


def indexed(database: Database) -> list[Any]:
    with database.engine.connect() as connection:
        tables = (select(RECORDS).order_by(RECORDS.c.docid), select(WORDS).order_by(WORDS.c.word))
        return [connection.execute(rows).all() for rows in tables]


def test_a_refused_write_leaves_the_index_alone(registry: TestClient, seeded_database: Database) -> None:
    editor = key_of(seeded_database, "records:write")
    partner = {"name": {"en": "Nobody"}, "kind": "other", "managed_by": "unido"}
    for name, more in (("one", {}), ("two", {"parent": "one"}), ("three", {"parent": "two"})):
        assert registry.put(f"/v1/partners/{name}", json={**partner, **more}, headers=editor).status_code == 201
    before = indexed(seeded_database)
    wrong = {**partner, "name": {"en": WORD}}
    refused = [
        registry.put("/v1/partners/four", json={**wrong, "parent": "nobody"}, headers=editor),
        registry.put("/v1/partners/one", json={**wrong, "parent": "three"}, headers={**editor, "If-Match": "*"}),
        registry.put("/v1/partners/one", json=wrong, headers={**editor, "If-Match": '"x"'}),
        registry.post("/v1/partners/one/merge", json={"into": "three"}, headers=editor),  # found out after writing
        registry.delete("/v1/partners/one", headers={**editor, "If-Match": "*"}),
    ]
    assert [each.status_code for each in refused] == [422, 422, 412, 422, 409]
    assert indexed(seeded_database) == before
    written = registry.put("/v1/partners/four", json=wrong, headers=editor)
    assert (written.status_code, indexed(seeded_database) == before) == (201, False)
    assert registry.delete("/v1/partners/four", headers={**editor, "If-Match": "*"}).status_code == 204
    assert indexed(seeded_database) == before
