"""Code lists of other bodies: whole, with wider codes, and as their sources have them; units, and units by a noun."""

import csv
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.values.codelists import ALL
from tests.support.http import get
from tests.support.keys import Key
from tests.support.records import PROJECT

IATI = Path(__file__).parents[2] / "shared" / "iati" / "codelists"
TABLES = ("country", "currency", "sector", "sdg")


def put(client: TestClient, editor: Key, path: str, fields: dict[str, Any]) -> Any:
    return client.put(f"/v1/{path}", json=fields, headers={**editor, "If-None-Match": "*"})


def ids(client: TestClient, path: str) -> list[str]:
    return [item["id"] for item in get(client, path)["items"]]


@pytest.mark.parametrize("table", TABLES)
def test_the_committed_lists_are_those_of_their_sources(table: str) -> None:
    pytest.importorskip("babel", reason="the names of CLDR are not installed")
    pytest.importorskip("pycountry", reason="the codes of ISO are not installed")
    from tools import codelists  # noqa: PLC0415 - needs both

    if table in ("sector", "sdg") and not IATI.is_dir():
        pytest.skip("the code lists of IATI are not here")
    assert codelists.read(table) == codelists.generated(IATI if IATI.is_dir() else None)[table]


def test_the_lists_are_whole(client: TestClient) -> None:
    served = {
        each["name"]: {code["code"]: code for code in each["codes"]} for each in get(client, "/v1/codelists")["items"]
    }
    assert len(served["country"]) == 249
    assert {"JPY", "VND", "XDR", "XCG"} <= set(served["unit"])
    assert {"321", "32120", "14030", "230"} <= set(served["sector"])
    assert sum("." not in code for code in served["sdg"]) == 17
    assert sum("." in code for code in served["sdg"]) == 169
    assert served["country"]["JP"]["label"] == {"en": "Japan", "vi": "Nhật Bản"}
    assert served["unit"]["JPY"]["label"] == {"en": "Japanese Yen", "vi": "Yên Nhật"}
    assert served["sector"]["32120"]["parent"] == "321"
    assert served["sdg"]["9.3"]["parent"] == "9"


@pytest.mark.parametrize("table", TABLES)
def test_countries_sectors_and_goals_have_labels_in_both_languages(table: str) -> None:
    path = Path(__file__).parents[1] / "app" / "core" / "values" / "codes" / f"{table}.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, dialect="excel-tab"):
            assert row["en"]
            if table in ("country", "sector") or row["code"].isdigit():
                assert row["vi"], row["code"]


def test_a_wider_code_finds_and_counts_its_parts(registry: TestClient, editor: Key) -> None:
    for number, codes in enumerate((["32120"], ["321", "32130"], ["33110"], ["14030"])):
        assert put(registry, editor, f"projects/p-{number}", {**PROJECT, "sectors": codes}).status_code == 201
    assert put(registry, editor, "projects/p-goals", {**PROJECT, "sdgs": ["9.3", "17"]}).status_code == 201
    assert {"p-0", "p-1"} <= set(ids(registry, "/v1/projects?sector=321"))
    assert not {"p-2", "p-3"} & set(ids(registry, "/v1/projects?sector=321"))
    assert ids(registry, "/v1/projects?sector=14030") == ["p-3"]
    assert ids(registry, "/v1/projects?sector=140&sector=14030") == ["p-3"]
    assert "p-goals" in ids(registry, "/v1/projects?sdg=9")
    assert ids(registry, "/v1/projects?sdg=9.3") == ["p-goals"]
    counted = get(registry, "/v1/projects/facets?facet=sector&limit=200")["facets"]["sector"]["values"]
    by_code = {each["value"]: each["count"] for each in counted}
    assert by_code["321"] == get(registry, "/v1/projects?sector=321&total=true&limit=1")["total"]
    assert by_code["140"] == 1


def test_any_currency_and_unit_can_be_stored(registry: TestClient, editor: Key) -> None:
    for unit in ("JPY", "hectare", "megawatt_hour", "household", "job"):
        fields = {"managed_by": "unido", "name": {"en": f"In {unit}"}, "unit": unit}
        assert put(registry, editor, f"indicators/in-{unit.lower().replace('_', '-')}", fields).status_code == 201


def test_an_unknown_code_names_the_list(registry: TestClient, editor: Key) -> None:
    refused = put(registry, editor, "projects/x", {**PROJECT, "sectors": ["99999"]})
    assert refused.status_code == 422
    assert "/v1/codelists/sector" in refused.json()["errors"][0]["detail"]


HOUSES = {"vi": "ngôi nhà", "en": "houses"}


def indicator(text: Any = None, unit: str = "other") -> dict[str, Any]:
    return {"managed_by": "unido", "name": {"en": "Built"}, "unit": unit, "unit_text": text}


def figure(value: int, text: Any = None, **changes: Any) -> dict[str, Any]:
    fields = {"managed_by": "unido", "indicator": "built", "kind": "actual", "value": value, "unit": "other"}
    return {**fields, "unit_text": text, **changes}


@pytest.mark.parametrize(("unit", "text"), [("other", None), ("person", HOUSES)])
def test_only_another_unit_has_a_text_and_needs_it(registry: TestClient, editor: Key, unit: str, text: Any) -> None:
    refused = put(registry, editor, "indicators/built", indicator(text, unit))
    assert refused.status_code == 422
    assert "unit_text" in refused.json()["errors"][0]["detail"]


def test_a_figure_has_the_unit_text_of_its_indicator(registry: TestClient, editor: Key) -> None:
    assert put(registry, editor, "indicators/built", indicator(HOUSES)).status_code == 201
    refused = put(registry, editor, "figures/f-0", figure(3, {"vi": "cây cầu"}))
    assert [item["code"] for item in refused.json()["errors"]] == ["other_unit"]
    assert put(registry, editor, "figures/f-1", figure(3, {"vi": "Ngôi  nhà"})).status_code == 201
    changed = registry.put(
        "/v1/indicators/built", json=indicator({"vi": "cây cầu"}), headers={**editor, "If-Match": "*"}
    )
    assert [item["code"] for item in changed.json()["errors"]] == ["other_unit"]


def test_a_part_has_the_unit_text_of_its_total(registry: TestClient, editor: Key) -> None:
    assert put(registry, editor, "indicators/built", indicator(HOUSES)).status_code == 201
    assert put(registry, editor, "indicators/bridges", indicator({"vi": "cây cầu"})).status_code == 201
    assert put(registry, editor, "figures/total", figure(3, HOUSES)).status_code == 201
    part = figure(1, {"vi": "cây cầu"}, indicator="bridges", relations=[{"kind": "part_of", "figure": "total"}])
    refused = put(registry, editor, "figures/part", part)
    assert [item["code"] for item in refused.json()["errors"]] == ["other_unit"]


def test_aggregates_keep_units_with_other_texts_apart(registry: TestClient, editor: Key) -> None:
    nouns = (("built", HOUSES), ("bridges", {"vi": "cây cầu"}))
    for name, text in nouns:
        assert put(registry, editor, f"indicators/{name}", indicator(text)).status_code == 201
        for value in (2, 5):
            path = f"figures/{name}-{value}"
            fields = figure(value, text, indicator=name, period=f"202{value}", measured="over_period")
            assert put(registry, editor, path, fields).status_code == 201
    groups = get(registry, "/v1/figures/aggregate?group_by=kind&unit=other")["groups"]
    assert [(group["key"]["unit_text"], group["count"], group["sum"]) for group in groups] == [
        ("cây cầu", 2, 7),
        ("ngôi nhà", 2, 7),
    ]


def test_all_codes_have_an_english_label() -> None:
    for codes in ALL.values():
        assert all(entry.en for entry in codes.codes.values())


@pytest.mark.parametrize(
    ("codes", "text", "code"),
    [
        ("unit", "ha", "hectare"),
        ("unit", "kWh", "kilowatt_hour"),
        ("unit", "usd", "USD"),
        ("unit", "hộ gia đình", "household"),
        ("sector", "Industrial development", "32120"),
        ("project_status", "Đang thực hiện", "active"),
        ("project_status", " Active ", "active"),
    ],
)
def test_a_label_or_symbol_is_told_from_its_code(codes: str, text: str, code: str) -> None:
    with pytest.raises(ValueError, match=f"^This is not a code of {codes}. Did you mean {code}\\?$"):
        ALL[codes].check(text)


@pytest.mark.parametrize("text", ["", "(", "nothing like it"])
def test_other_text_is_refused_without_a_guess(text: str) -> None:
    with pytest.raises(ValueError, match=r"^This is not a code of unit. See /v1/codelists/unit.$"):
        ALL["unit"].check(text)
