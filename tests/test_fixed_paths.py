"""`/.well-known/`: the catalogue of the API, and where to report a vulnerability."""

from datetime import UTC, datetime, timedelta

from starlette.testclient import TestClient

from tests.support.http import client_of


def test_the_catalogue_leads_to_the_contract_and_the_docs(seeded: str, client: TestClient) -> None:
    answer = client.get("/.well-known/api-catalog")
    assert answer.headers["content-type"].startswith("application/linkset+json")
    assert answer.headers["link"] == '</.well-known/api-catalog>; rel="api-catalog"'
    (api,) = answer.json()["linkset"]
    for relation in ("service-desc", "service-doc", "status"):
        (link,) = api[relation]
        assert client.get(link["href"]).status_code == 200
    assert client.get(api["anchor"]).status_code == 200
    assert client.head("/.well-known/api-catalog").headers["link"] == answer.headers["link"]
    assert client.get("/.well-known/security.txt").status_code == 404
    contact = {"security_contact": "mailto:security@registry.example", "public_url": "https://registry.example/hoptac"}
    with client_of(seeded, root_path="/hoptac", **contact) as below:
        (api,) = below.get("/hoptac/.well-known/api-catalog").json()["linkset"]
        assert api["service-desc"][0]["href"] == "https://registry.example/hoptac/openapi.json"
        text = below.get("/hoptac/.well-known/security.txt")
        assert text.headers["content-type"] == "text/plain; charset=utf-8"
        fields = dict(line.split(": ", 1) for line in text.text.splitlines())
    assert fields["Contact"] == contact["security_contact"]
    assert fields["Canonical"] == "https://registry.example/hoptac/.well-known/security.txt"
    expires = datetime.fromisoformat(fields["Expires"])
    assert datetime.now(UTC) + timedelta(days=80) < expires < datetime.now(UTC) + timedelta(days=365)
