"""URLs in records: parsed, and stored exactly as they were sent."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.values import urls
from app.core.values.urls import parse_web_url
from tests.support.http import PATCH, get, problem
from tests.support.keys import Key

DOCUMENT = {"title": {"en": "A page"}, "kind": "web_page", "managed_by": "unido"}
ACCEPTED = [
    "https://example.org",
    "https://Example.ORG:443/a/../b?q=%C3%A9&r=[1]#part",
    "http://[2001:db8:0:0::1]:8080/",
    "http://192.0.2.1/",
    "https://xn--i-tc-vna.example/",
    "https://a_b.example./x",
]
REFUSED = [
    "http://[::1",
    "http://",
    "http:///x",
    "http:x",
    "https:/example.org",
    "HTTPS://example.org",
    "//example.org/",
    "ftp://example.org/",
    "javascript://example.org/%0aalert(1)",
    "http://?x",
    "http://anything goes",
    "http://exa mple.org/",
    " http://example.org/",
    "http://example.org/a b",
    "http://example.org/\u00a0",
    "http://example.org\\@inside/",
    "http://example.org/%zz",
    "http://exam%70le.org/",
    "http://example.org:99999/",
    "http://example.org:0/",
    "http://example.org:/",
    "http://example.org:x/",
    "http://user@example.org/",
    "http://user:secret@example.org/",
    "http://@example.org/",
    "http://127.1/",
    "http://0x7f.0.0.1/",
    "http://2130706433/",
    "http://256.1.1.1/",
    "http://a..example/",
    "http://..",
    "http://" + "a" * 64 + ".example/",
    "http://đối-tác.example/",
    "http://example.org/" + "a" * 2_000,
]


@pytest.mark.parametrize("url", ACCEPTED)
def test_a_url_is_stored_as_it_was_sent(registry: TestClient, editor: Key, url: str) -> None:
    body = {**DOCUMENT, "url": url, "identifiers": [{"scheme": "url", "value": url}]}
    assert registry.put("/v1/documents/page", json=body, headers=editor).status_code == 201
    found = get(registry, "/v1/documents/page")
    assert (found["url"], found["identifiers"]) == (url, body["identifiers"])


@pytest.mark.parametrize("url", REFUSED)
def test_what_is_no_url_is_refused_with_its_place(registry: TestClient, editor: Key, url: str) -> None:
    bodies: dict[str, dict[str, Any]] = {"/url": {"url": url}}
    if len(url) < 1_000:
        bodies["/identifiers/0/value"] = {"identifiers": [{"scheme": "url", "value": url}]}
    for pointer, members in bodies.items():
        answer = registry.put("/v1/documents/page", json={**DOCUMENT, **members}, headers=editor)
        (error,) = problem(answer, 422, "invalid")["errors"]
        assert (error["pointer"], error["code"]) == (pointer, "invalid_value")
        assert "secret" not in answer.text, "what was sent is not repeated"


def test_other_identifiers_need_no_url(registry: TestClient, editor: Key) -> None:
    body = {**DOCUMENT, "identifiers": [{"scheme": "x-port", "value": "P 2/é"}]}
    assert registry.put("/v1/documents/page", json=body, headers=editor).status_code == 201


def test_a_url_of_an_earlier_version_stays(registry: TestClient, editor: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read, deleted and rewritten by others as before. Only its record needs another one at the next edit."""
    with monkeypatch.context() as earlier:
        earlier.setattr(urls, "parse_web_url", lambda _: None)
        body = {**DOCUMENT, "url": "http://[::1", "issuer": "coast"}
        partner = {"name": {"en": "Coast"}, "kind": "other", "managed_by": "unido"}
        for path, record in (("partners/coast", partner), ("documents/page", body)):
            assert registry.put(f"/v1/{path}", json=record, headers=editor).status_code == 201
    assert get(registry, "/v1/documents/page")["url"] == "http://[::1"
    headers = {**editor, **PATCH, "If-Match": "*"}
    answer = registry.patch("/v1/documents/page", content='{"number": "1"}', headers=headers)
    assert [error["pointer"] for error in problem(answer, 422, "invalid")["errors"]] == ["/url"]
    merge = registry.post("/v1/partners/coast/merge", json={"into": "unido"}, headers={**editor, "If-Match": "*"})
    assert merge.status_code == 200, merge.text
    found = get(registry, "/v1/documents/page")
    assert (found["url"], found["issuer"]) == ("http://[::1", "unido")
    assert registry.delete("/v1/documents/page", headers={**editor, "If-Match": "*"}).status_code == 204


def test_the_contract_states_the_format(client: TestClient) -> None:
    schemas = get(client, "/openapi.json")["components"]["schemas"]
    (url,) = [each for each in schemas["PartialDocument"]["properties"]["url"]["anyOf"] if each["type"] == "string"]
    assert url == {"type": "string", "format": "uri", "pattern": "^https?://", "maxLength": 2000}
    assert schemas["WebhookFields"]["properties"]["url"]["format"] == "uri"


def test_parsers_agree() -> None:
    assert parse_web_url("https://Example.org:8443/x?y").port == 8443
