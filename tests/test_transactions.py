"""Transactions: written, filtered, added up within one currency, and exported to IATI and back."""

from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from app.core.database.engine import Database
from app.exchange.imports.command import import_file
from tests.support.databases import NewDatabase, url_of
from tests.support.http import client_of, get, walk
from tests.support.iati import STANDARD, parsed
from tests.support.keys import Key

PAYMENT: dict[str, Any] = {
    "kind": "disbursement",
    "value": 0.1,
    "currency": "USD",
    "date": "2023-05-06",
    "value_date": "2023-05-06",
    "project": "port",
    "provider": "unido",
    "receiver": "moit",
    "description": {"en": "Zebrafish"},
    "managed_by": "unido",
}
BUDGET = {**PAYMENT, "kind": "budget", "budget_type": "original", "period": "2023-01-01/2023-12-31", "date": None}
PORT = {
    "title": {"en": "Port"},
    "description": {"en": "A port."},
    "kind": "project",
    "status": "active",
    "period": "2020/2024",
    "roles": [{"partner": "unido", "role": "funding"}],
    "places": ["viet-nam"],
    "sectors": ["21040"],
    "managed_by": "unido",
}
RECORDS = {
    "first": PAYMENT,
    "second": {**PAYMENT, "value": 0.2, "date": "2024-01"},
    "third": {**PAYMENT, "value": -5, "currency": "EUR", "receiver": None},
    "plan": BUDGET,
    "long-plan": {**BUDGET, "period": "2020/2024", "budget_type": "revised"},
}


def put(client: TestClient, key: Key, path: str, record: dict[str, Any]) -> Any:
    return client.put(path, json=record, headers={**key, "If-None-Match": "*"})


def ids(client: TestClient, query: str) -> set[str]:
    return {item["id"] for item in walk(client, query)} - {"example-of-a-disbursement"}


def test_transactions_are_written_found_and_added(registry: TestClient, editor: Key) -> None:
    assert put(registry, editor, "/v1/projects/port", PORT).status_code == 201
    for name, record in RECORDS.items():
        written = put(registry, editor, f"/v1/transactions/{name}", record)
        assert written.status_code == 201, written.text
    assert ids(registry, "/v1/transactions?kind=budget") == {"plan", "long-plan"}
    assert ids(registry, "/v1/projects/port/transactions?currency=EUR") == {"third"}
    assert ids(registry, "/v1/partners/moit/transactions?date=2023-05") == {"first"}
    assert ids(registry, "/v1/transactions?receiver_none=true&project=port") == {"third"}
    assert {hit["id"] for hit in get(registry, "/v1/search?q=zebrafish")["items"]} >= {"first"}
    assert registry.get("/v1/transactions.csv?project=port").text.count("\n") == 6
    for wrong in ({"currency": "XX"}, {"date": None}, {"value": None}, {"provider": "nobody"}):
        refusal = put(registry, editor, "/v1/transactions/wrong", {**PAYMENT, **wrong})
        assert refusal.status_code == 422, wrong
    page = registry.get("/transactions/third", headers={"Accept": "text/html"})
    assert (page.status_code, "-5 EUR" in page.text) == (200, True), page.text
    assert registry.get("/changes", headers={"Accept": "text/html"}).status_code == 200
    groups = get(registry, "/v1/transactions/aggregate?project=port&group_by=year")["groups"]
    sums = {(each["key"]["year"], each["key"]["kind"], each["key"]["currency"]): each["sum"] for each in groups}
    assert sums == {
        ("2023", "budget", "USD"): 0.1,
        (None, "budget", "USD"): 0.1,
        ("2023", "disbursement", "EUR"): -5,
        ("2023", "disbursement", "USD"): 0.1,
        ("2024", "disbursement", "USD"): 0.2,
    }
    (group,) = get(registry, "/v1/transactions/aggregate?project=port&kind=disbursement&currency=USD")["groups"]
    assert (group["sum"], group["count"]) == (0.3, 2)
    assert registry.get("/v1/transactions/aggregate?group_by=colour").status_code == 422


def test_transactions_are_in_the_activity(
    registry: TestClient, editor: Key, new_database: NewDatabase, migrated: str, tmp_path: Path
) -> None:
    """The standard elements have the exact ones; others are in the extension and in the report of losses."""
    put(registry, editor, "/v1/projects/port", PORT)
    for name, record in RECORDS.items():
        put(registry, editor, f"/v1/transactions/{name}", record)
    content = registry.get("/v1/projects/port.xml").content
    if STANDARD.exists():
        root = parsed(content)
        assert [each.text for each in root.findall("iati-activity/transaction/value")] == ["0.1", "-5"]
        (budget,) = root.findall("iati-activity/budget")
        assert (budget.get("type"), budget.find("period-end").get("iso-date")) == ("1", "2023-12-31")
        assert root.find("iati-activity/transaction/receiver-org/narrative") is not None
    report = [line for line in registry.get("/v1/iati/loss-report.jsonl?id=port").text.splitlines() if "second" in line]
    assert "no_day" in report[0]
    path = tmp_path / "port.xml"
    path.write_bytes(content.replace(b"hoptac:", b"other:").replace(b"xmlns:hoptac", b"xmlns:other"))
    with Database(new_database(migrated)) as copy:
        options = {"resource": None, "mode": "all", "dry_run": False}
        assert import_file(copy, path, options, None)[0] == []
        with client_of(url_of(copy)) as client:
            amounts = {(item["kind"], item["value"], item["currency"]) for item in walk(client, "/v1/transactions")}
    assert amounts == {("budget", 0.1, "USD"), ("disbursement", 0.1, "USD"), ("disbursement", -5, "EUR")}
