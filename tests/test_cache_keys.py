"""The keys of responses for a cache in front of the server: a Change deletes every response that it alters."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.catalogue import RESOURCES
from app.core.asgi import purged_caching
from app.core.database.engine import Database
from app.core.values.cache_keys import REGISTRY, keys_of_change
from tests.support.http import drop, patch, put
from tests.support.keys import Key
from tests.support.log import changes
from tests.support.records import CITED, FIGURE, PARTNER, PROJECT

PROJECT_PATH = "/v1/projects/smart-factory-cooperation"
KEYS = {
    "/v1/partners/unido": ["partners/unido"],
    "/v1/partners/unido?fields=name&lang=vi": ["partners/unido"],
    f"{PROJECT_PATH}?include=partners,figures,indicators": [
        *("projects/smart-factory-cooperation", "figures", "indicators", "partners"),
    ],
    f"{PROJECT_PATH}?include=progress": ["changes"],
    f"{PROJECT_PATH}?as_of=2100-01-01": ["changes"],
    "/v1/projects": ["projects"],
    "/v1/projects/select?fields=id&status=active&sort=-updated_at&total=true": ["projects"],
    "/v1/projects?place=viet-nam&partner=unido&include=documents": ["documents", "partners", "places", "projects"],
    "/v1/partners?project_none=true": ["partners", "projects"],
    "/v1/projects?partner_none=true": ["projects"],
    "/v1/projects?q=factory": ["changes"],
    f"{PROJECT_PATH}/figures": ["figures", "projects"],
    "/v1/projects/facets?facet=status&status=active": ["projects"],
    "/v1/projects/facets?facet=partner&facet=role&place=viet-nam&lang=en": ["partners", "places", "projects"],
    **{
        path: ["changes"]
        for path in (
            *(
                "/v1/search?q=unido",
                f"{PROJECT_PATH}/progress",
                "/v1/changes",
            ),
            *(f"{PROJECT_PATH}/history", f"{PROJECT_PATH}/evidence", "/v1/figures/aggregate?group_by=unit"),
            *("/", "/partners/unido", "/v1/codelists", "/changes.atom", "/v1/timeline", "/v1/audit"),
        )
    },
}
UNKEYED = [
    *("/v1/partners/nobody", "/v1/export", "/v1/projects.csv", "/v1/changes?wait=1&after=100000", "/readyz"),
    *("/v1/projects?unknown=1", "/partners/nobody", "/v1/imports/template"),
]
NAMES = ("surrogate-key", "cache-tag", "cache-groups", "surrogate-control", "cdn-cache-control")


@pytest.fixture
def registry_settings() -> dict[str, object]:
    return {"shared_max_age": 3_600, "shared_stale": 60}


def keys_of(answer: Any) -> list[str]:
    return list(answer.headers.get("surrogate-key", "").split())


def test_a_response_names_what_it_depends_on(registry: TestClient) -> None:
    for path, keys in KEYS.items():
        for answer in (registry.get(path), registry.get(path), registry.head(path)):  # from the response cache too
            assert (answer.status_code, keys_of(answer)) == (200, [REGISTRY, *keys]), path
            assert answer.headers["cache-tag"].split(",") == keys_of(answer)
            assert answer.headers["cache-groups"] == ", ".join(f'"{key}"' for key in keys_of(answer))
            assert answer.headers["surrogate-control"] == "max-age=3600, stale-while-revalidate=60"
            assert answer.headers["cdn-cache-control"] == "public, max-age=3600, stale-while-revalidate=60"
            assert answer.headers["cache-control"] == "public, max-age=0, must-revalidate"
            assert "Hoptac-At-Least" in answer.headers["vary"]
        unchanged = registry.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (unchanged.status_code, keys_of(unchanged)) == (304, [REGISTRY, *keys]), path


def test_what_no_cache_may_keep_has_no_keys(registry: TestClient, editor: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    put(registry, editor, "partners/draft", {**PARTNER, "state": "draft"})
    for path in ("/v1/partners/unido", "/v1/partners/draft", "/v1/partners?state=draft", "/v1/partners"):
        assert not {*registry.get(path, headers=editor).headers} & {*NAMES}, path
    for path in UNKEYED:
        assert not {*registry.get(path).headers} & {*NAMES}, path
    assert not {*registry.request("QUERY", "/v1/partners", json={}).headers} & {*NAMES}
    monkeypatch.setattr(purged_caching, "MAX_MAKING", 0.0)
    assert not {*registry.get("/v1/partners/moit").headers} & {*NAMES}, "it may be old when it arrives"


def test_a_write_names_what_it_alters(registry: TestClient, editor: Key, client: TestClient) -> None:
    name = "cache-group-invalidation"
    created = put(registry, editor, "partners/fresh", PARTNER)
    assert created.headers[name] == '"partners/fresh", "partners", "changes"'
    posted = registry.post("/v1/partners", json=PARTNER, headers=editor)
    assert posted.headers[name] == f'"partners/{posted.json()["id"]}", "partners", "changes"'
    deleted = registry.delete("/v1/partners/fresh", headers={**editor, "If-Match": "*"})
    assert deleted.headers[name] == created.headers[name]
    assert name not in registry.put("/v1/partners/fresh", json={}, headers=editor).headers
    assert name not in registry.get("/v1/partners").headers
    assert name not in client.put("/v1/partners/fresh", json={}).headers


def test_without_the_setting_a_response_has_no_keys(client: TestClient) -> None:
    for path in KEYS:
        assert not {*client.get(path).headers} & {*NAMES}, path


Write = Callable[[TestClient, Key], Any]
FIGURE_OF = {**FIGURE, "project": "smart-factory-cooperation", "period": "2023"}
WRITES: dict[str, Write] = {
    "a figure of a project": lambda client, key: put(client, key, "figures/fresh", FIGURE_OF),
    "its value": lambda client, key: patch(client, key, "figures/fresh", value=4),
    "its project": lambda client, key: patch(client, key, "figures/fresh", project=None),
    "its deletion": lambda client, key: drop(client, key, "figures/fresh"),
    "a draft": lambda client, key: put(client, key, "projects/fresh", {**PROJECT, "state": "draft"}),
    "its publication": lambda client, key: patch(client, key, "projects/fresh", state="published"),
    "its role": lambda client, key: patch(
        client, key, "projects/fresh", roles=[{"partner": "unido", "role": "funding"}], places=["ha-noi"]
    ),
    "its withdrawal": lambda client, key: patch(client, key, "projects/fresh", state="draft"),
    "a name": lambda client, key: patch(client, key, "partners/unido", name={"en": "Renamed", "vi": "Tên mới"}),
    "a part of a place": lambda client, key: patch(client, key, "places/ha-noi", parent=None),
    "a quotation": lambda client, key: patch(client, key, "indicators/enterprises-supported", citations=CITED),
    "a partner": lambda client, key: put(client, key, "partners/fresh", PARTNER),
    "its merging": lambda client, key: client.post(
        "/v1/partners/fresh/merge", json={"into": "unido"}, headers={**key, "If-Match": "*"}
    ).raise_for_status(),
}
WATCHED = [
    *KEYS,
    *(f"/v1/{resource.name}" for resource in RESOURCES),
    *(f"/v1/{resource.name}?total=true&q=fresh" for resource in RESOURCES),
    *(
        "/v1/figures/fresh",
        "/v1/projects/fresh",
        "/v1/partners/fresh",
        "/v1/places/ha-noi",
        "/projects/fresh",
        "/projects",
    ),
    *(
        "/v1/partners?project=fresh",
        "/v1/projects?partner=fresh",
        "/v1/projects?place_none=true",
        "/v1/projects?place=ha-noi",
    ),
    *("/v1/partners/unido/projects", "/v1/partners/unido?include=projects,figures", "/v1/places/viet-nam/projects"),
    *(f"/v1/{each}/facets?facet=place&facet=managed_by&facet=document" for each in ("projects", "figures")),
    *("/v1/projects?partner_not=unido", "/v1/indicators?figure=fresh", "/v1/partners?country=viet-nam", "/v1/places"),
    *("/v1/indicators/enterprises-supported?include=figures", "/v1/documents/samsung-smart-factory-2023/indicators"),
    *("/projects/smart-factory-cooperation", "/v1/figures?project=smart-factory-cooperation&include=partners,projects"),
]


def test_a_change_deletes_every_response_that_it_alters(
    registry: TestClient, seeded_database: Database, editor: Key
) -> None:
    def states() -> dict[str, tuple[int, bytes, list[str]]]:
        answers = {path: registry.get(path) for path in dict.fromkeys(WATCHED)}
        return {path: (each.status_code, each.content, keys_of(each)) for path, each in answers.items()}

    before = states()
    kept = 0
    altered: set[str] = set()
    for name, write in WRITES.items():
        last = len(changes(seeded_database))
        write(registry, editor)
        written = changes(seeded_database)[last:]
        deleted = {key for each in written for key in keys_of_change(each.resource, each.record_id, each.shown)}
        after = states()
        for path, (status, body, keys) in before.items():
            if (status, body) != after[path][:2]:
                assert not keys or deleted & {*keys}, f"{name} has altered {path}, which depends on {keys}"
                altered.add(path)
            kept += bool(keys and not deleted & {*keys})
        before = after
    assert kept > 200, "the keys are not finer than a key of everything"
    assert len(altered) > 30
