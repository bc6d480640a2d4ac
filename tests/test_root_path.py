"""A registry below a path of a proxy: everything that a client follows starts with that path and leads somewhere."""

import re
from collections.abc import Iterator

import httpx
import pytest
from starlette.testclient import TestClient

from app.core.public_paths import set_root_path
from app.core.settings import OWN_PATHS, Settings
from app.server.run import _addresses
from tests.support.databases import NewDatabase
from tests.support.http import client_of
from tests.support.imports import send
from tests.support.keys import Key

ROOT = "/registry"
PAGED = [
    "/v1/projects?limit=1",
    "/v1/partners?limit=1&sort=-name",
    "/v1/figures?limit=1&kind=actual",
    "/v1/search?q=viet+nam&limit=1",
    "/v1/timeline?limit=1",
    "/v1/audit?limit=1",
    "/v1/progress?limit=1",
    "/v1/changes?limit=1",
    "/v1/projects/smart-factory-cooperation/figures?limit=1",
]
PAGES = ["/", "/guides", "/guides/keys", "/docs", "/reference", "/reference/search", "/problems"]


@pytest.fixture
def below(seeded: str, new_database: NewDatabase) -> Iterator[TestClient]:
    """A client of a registry below a path, which the proxy has removed."""
    with client_of(new_database(seeded), root_path=ROOT) as client:
        yield client


def followed(client: TestClient, path: str) -> httpx.Response:
    """The response to a path that starts with the one of the proxy, whether or not the proxy removes it."""
    assert path.startswith(f"{ROOT}/"), path
    kept = client.get(path)
    assert client.get(path.removeprefix(ROOT)).content == kept.content
    assert kept.status_code == 200, (path, kept.text)
    return kept  # type: ignore[return-value]


@pytest.mark.parametrize("path", PAGED)
def test_the_next_page_is_below_the_path(below: TestClient, path: str) -> None:
    found = below.get(path)
    following = found.json()["next"]
    assert followed(below, following).json()["items"]
    assert f"<{following}>" in found.headers["link"]


def test_what_the_index_and_the_hits_name_is_below_the_path(below: TestClient) -> None:
    index = below.get("/v1").json()
    paths = [*index["resources"].values(), *(index[name] for name in ("search", "changes", "docs", "openapi"))]
    for path in paths:
        followed(below, path if path != f"{ROOT}/v1/search" else f"{path}?q=apo")
    for hit in below.get("/v1/search?q=apo").json()["items"]:
        followed(below, hit["path"])
    assert below.get("/openapi.json").json()["servers"][0]["url"] == ROOT
    included = below.get("/v1/partners/moit?include=projects").json()["included_next"]
    for path in [path for paths in included.values() for path in paths]:
        followed(below, path)


@pytest.mark.parametrize("path", PAGES)
def test_what_a_page_loads_and_links_to_is_below_the_path(below: TestClient, path: str) -> None:
    content = below.get(path, headers={"Accept": "text/html"}).text
    links = re.findall(r'(?:src|href|action|data-contract)="(/[^"#]*)', content)
    assert links
    for link in links:
        followed(below, link.replace("&amp;", "&"))


def test_problems_and_new_records_are_named_below_the_path(
    below: TestClient, seeded: str, new_database: NewDatabase
) -> None:
    missing = below.get("/v1/projects/nothing").json()
    assert missing["type"] == f"{ROOT}/problems#not_found"
    assert below.get(f"{ROOT}/v1/projects/nothing").json() == missing
    assert below.get(f"{ROOT}x/v1/projects").status_code == 404
    assert below.get(ROOT).status_code == below.get("/").status_code


def test_links_in_the_contract_are_below_the_path(below: TestClient) -> None:
    description = below.get("/openapi.json").json()["info"]["description"]
    links = re.findall(r"\]\((/[^)#]*)[^)]*\)", description)
    assert f"{ROOT}/problems" in links
    for link in links:
        followed(below, link)


@pytest.mark.parametrize(
    ("public_url", "base"), [("", ROOT), (f"https://example.org{ROOT}", f"https://example.org{ROOT}")]
)
def test_links_in_webhooks_are_below_the_path(public_url: str, base: str) -> None:
    assert Settings(root_path=ROOT, public_url=public_url).link_base() == base


@pytest.mark.parametrize("path", ["/..", "/a/../b", "/.", "/registry/", "registry", "/a b", "/v1", "/docs/registry"])
def test_a_path_that_cannot_work_is_rejected(path: str) -> None:
    with pytest.raises(ValueError, match="root_path"):
        Settings(root_path=path)


def test_no_path_of_the_registry_is_one_of_a_proxy(below: TestClient) -> None:
    index = {path.split("/")[1] for path in below.get("/openapi.json").json()["paths"]}
    others = {"docs", "guides", "reference", "problems", "openapi.json", "metrics", ".well-known", "mcp", "llms.txt"}
    assert index | others == {*OWN_PATHS}


def test_the_server_prints_addresses_below_the_path() -> None:
    set_root_path(ROOT)
    assert f"http://127.0.0.1:8000{ROOT}/docs\n" in _addresses("http://127.0.0.1:8000", "/v1")


def test_an_import_is_followed_below_the_path(registry: TestClient, editor: Key) -> None:
    set_root_path(ROOT)
    sent = send(registry, editor, b"", "?dry_run=true")
    assert sent.headers["location"].startswith(f"{ROOT}/v1/imports/")
    made = registry.post(
        "/v1/partners", json={"name": {"en": "Below"}, "kind": "other", "managed_by": "unido"}, headers=editor
    )
    assert made.headers["location"].startswith(f"{ROOT}/v1/partners/")
