"""Partners: the links to their pages."""

import json

from starlette.testclient import TestClient

from app.core.database.engine import Database
from app.core.maintenance.redact import Redaction, redact
from app.exchange.formats.media_types import CSV
from tests.support.http import PATCH, get, problem, put
from tests.support.imports import ended
from tests.support.keys import Key
from tests.support.waiting import eventually

PAGES = {
    "website": "https://zebrafish.example/",
    "logo": "https://zebrafish.example/logo.svg",
    "contact_page": "https://zebrafish.example/contact?lang=vi",
}
PATH = "/v1/partners/coast"
RECORD = "partners/coast"


def test_a_partner_has_links_to_its_pages(registry: TestClient, editor: Key, seeded_database: Database) -> None:
    put(registry, editor, RECORD, {"name": {"en": "Coast"}, "kind": "other", "managed_by": "unido", **PAGES})
    shown = get(registry, PATH)
    assert {name: shown[name] for name in PAGES} == PAGES
    assert get(registry, "/v1/partners/unido")["website"] is None
    assert f'<a href="{PAGES["website"]}" rel=' in registry.get("/partners/coast").text
    assert get(registry, "/v1/search?q=zebrafish")["items"] == []

    for name in PAGES:
        for url in ("javascript:alert(1)", "ftp://coast.example", "coast.example", "https://x/" + "a" * 2_000):
            refused = registry.patch(PATH, json={name: url}, headers={**editor, "If-Match": "*", **PATCH})
            assert [error["pointer"] for error in problem(refused, 422, "invalid")["errors"]] == [f"/{name}"]

    table = registry.get("/v1/partners.csv?name=coast").text
    assert set(PAGES) <= set(table.splitlines()[0].split(","))
    unchanged, _ = ended(registry, editor, table.encode(), "?resource=partners", CSV)
    assert (unchanged["unchanged"], unchanged["refused"]) == (1, 0)
    row = b"id,logo,website\ncoast,https://coast.example/new.png,javascript:x\n"
    _, lines = ended(registry, editor, row, "?resource=partners", CSV)
    assert [error["column"] for error in lines[0]["errors"]] == ["website"]
    ended(registry, editor, row.replace(b",javascript:x", b",https://coast.example"), "?resource=partners", CSV)
    assert get(registry, PATH)["logo"] == "https://coast.example/new.png"

    redact(seeded_database, Redaction("coast.example/new.png", "removed", "A private address.", ("partners", "coast")))
    eventually(lambda: get(registry, PATH)["logo"] == "https://removed")
    assert "new.png" not in json.dumps(get(registry, f"{PATH}/history"))
