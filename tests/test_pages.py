"""The pages for developers: what they link to, what their search finds, how large they are."""

import re
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

ROOT = Path(__file__).parents[1]
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
MAX_ELEMENTS = 20_000
MAX_CONTRACT_OF_OPERATION = 60_000  # bytes: a phone has to load and show it


def page(client: TestClient, path: str) -> str:
    """A page as a browser gets it."""
    response = client.get(path, headers=HTML)
    assert response.status_code == 200, path
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return response.text


def found_pages(client: TestClient) -> dict[str, str]:
    """Every page that links lead to from the first one, by path."""
    pages: dict[str, str] = {}
    waiting = ["/guides", "/problems"]
    while waiting:
        path = waiting.pop()
        if path not in pages:
            pages[path] = page(client, path)
            waiting += re.findall(r'href="(/(?:docs|reference|guides|problems)(?:/[^"#?/.]+)?)[#"]', pages[path])
    return pages


def test_every_link_of_every_page_leads_somewhere(client: TestClient) -> None:
    pages = found_pages(client)
    assert {"/docs", "/guides/operating", "/reference/projects", "/reference/schemas", "/problems"} <= set(pages)
    links = {link for text in pages.values() for link in re.findall(r'(?:href|src)="([^"]+)"', text)}
    targets = {unescape(link) for link in links if link.startswith("/")}
    for target in sorted(targets):
        path, _, fragment = target.partition("#")
        text = pages.get(path)
        if text is None:
            assert client.get(path, headers=HTML).status_code == 200, target
        elif fragment and not fragment.startswith("/"):  # such as an operation in the viewer
            assert f'id="{fragment}"' in text, target
    for path, text in pages.items():
        for fragment in re.findall(r'href="#([^"]+)"', text):
            assert f'id="{fragment}"' in text, f"{path}#{fragment}"


def test_no_page_loads_anything_from_another_host_or_is_too_large(client: TestClient) -> None:
    for path, text in found_pages(client).items():
        loaded = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="([^"]+)"', text)
        assert loaded
        assert all(link.startswith("/docs/assets/") for link in loaded), path
        assert len(re.findall("<[a-z]", text)) < MAX_ELEMENTS, path


def test_the_first_path_answers_in_the_form_that_a_client_asks_for(client: TestClient) -> None:
    for accept in ("application/json", "*/*"):
        answer = client.get("/", headers={"Accept": accept})
        assert answer.json() == client.get("/v1").json()
        assert "Accept" in answer.headers["vary"]
    text = page(client, "/")
    examples = re.findall(r'<li><a href="([^"]+)">[^<]+</a><br><code>GET ', text)
    assert len(examples) == 3
    for path in examples:
        assert client.get(unescape(path)).json()["items"]


def test_every_operation_can_be_opened_and_sent(client: TestClient) -> None:
    listed = page(client, "/docs")
    contract = client.get("/docs/openapi.json").json()
    for path, methods in contract["paths"].items():
        for method, operation in methods.items():
            name = operation["operationId"]
            assert f'<details class="operation" id="{name}"' in listed
            answer = client.get(f"/docs/operations/{name}.json")
            assert len(answer.content) < MAX_CONTRACT_OF_OPERATION
            shown = answer.json()
            assert shown["paths"][path][method]["summary"] == operation["summary"]
            for reference in re.findall(r'"#/components/(\w+)/([^"]+)"', answer.text):
                assert reference[1] in shown["components"][reference[0]]
    assert client.get("/docs/operations/nothing.json").status_code == 404


def test_only_the_contract_of_the_pages_has_examples(client: TestClient) -> None:
    complete = client.get("/docs/openapi.json").json()
    compact = client.get("/openapi.json").json()
    assert complete["components"]["schemas"]["ProjectShown"]["examples"][0]["resource"] == "projects"
    assert "examples" not in compact["components"]["schemas"]["ProjectShown"]
    assert len(str(compact)) < 0.9 * len(str(complete))


def test_every_operation_is_in_the_reference(client: TestClient) -> None:
    contract = client.get("/openapi.json").json()
    overview = page(client, "/reference")
    for paths in (contract["paths"], contract["webhooks"]):
        for operation in (operation for methods in paths.values() for operation in methods.values()):
            for tag in operation["tags"]:
                assert f'href="/reference/{tag}#{operation["operationId"]}"' in overview
                assert f'id="{operation["operationId"]}"' in page(client, f"/reference/{tag}")
    schemas = page(client, "/reference/schemas")
    assert all(f'id="{name}"' in schemas for name in contract["components"]["schemas"])


@pytest.mark.parametrize("word", ["pagination", "authentication", "export", "rate limit", "webhook", "If-Match", "vi"])
def test_search_finds_what_developers_look_for(client: TestClient, word: str) -> None:
    text = page(client, f"/reference?q={word}")
    assert '<ul class="found"><li>' in text


def test_a_search_repeats_nothing_as_markup(client: TestClient) -> None:
    text = page(client, "/reference?q=<script>alert(1)</script>" + "x" * 500)
    assert "<script>alert" not in text
    assert "0 results" in text


def test_each_file_of_the_documentation_is_a_guide(client: TestClient) -> None:
    listed = page(client, "/guides")
    for path in ROOT.glob("docs/*.md"):
        assert f'href="/guides/{path.stem}"' in listed
    assert client.get("/guides/nothing").status_code == 404
    assert client.get("/reference/nothing").status_code == 404
