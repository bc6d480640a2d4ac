"""Projects and partners as IATI: valid files, nothing made up, nothing lost without a word."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.catalogue import RESOURCES
from app.core.database.engine import Database
from app.exchange.iati.activity import ATTRIBUTES, LOST, WRITERS
from app.exchange.iati.extension.schema import extension_schema
from app.exchange.iati.losses import LOSS, SAME_IN_ALL
from app.exchange.iati.results import MEMBERS
from app.figures.models import FIGURES
from app.milestones.models import MILESTONES
from app.partners.models import PARTNERS
from app.projects.models import PROJECTS
from tests.support.databases import url_of
from tests.support.http import client_of, walk
from tests.support.iati import needs_standard, parsed, records_in
from tests.support.records import FIGURE, delete, store

ACTIVITIES = "/v1/iati/activities.xml"
ORGANISATIONS = "/v1/iati/organisations.xml"
LOSSES = "/v1/iati/loss-report.jsonl"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
WHOLE = {
    "title": {"vi": "Cảng", "en": "Port"},
    "description": {"en": "A port."},
    "kind": "project",
    "status": "completed",
    "period": "2020/2021-06",
    "roles": [{"partner": "unido", "role": "funding"}],
    "places": ["da-nang"],
    "sectors": ["21040"],
    "managed_by": "unido",
}
HOSTILE = "a<b>&\"'\t\n]]> \u200b\ufffe\uffff 😀 <!DOCTYPE x>"


def whole(project_id: str, **more: Any) -> dict[str, Any]:
    return {"id": project_id, **WHOLE, **more}


def names_of(records: list[Any]) -> Counter[tuple[str, str]]:
    return Counter((record.tag.partition("}")[2], record.get("id")) for record in records)


def all_names(client: TestClient, *but: str) -> set[tuple[str, str]]:
    return {
        (resource.one, item["id"])
        for resource in RESOURCES
        if resource.name not in but
        for item in walk(client, f"/v1/{resource.name}?limit=200&fields=id")
    }


@needs_standard
def test_the_dataset_is_valid_and_complete(client: TestClient) -> None:
    response = client.get(ACTIVITIES)
    assert response.headers["content-type"] == "application/xml"
    root = parsed(response.content)
    assert len(root.findall("iati-activity")) == 4
    assert set(names_of(records_in(root))) == all_names(client)
    organisations = parsed(client.get(ORGANISATIONS).content)
    assert organisations.findtext("iati-organisation/organisation-identifier") == "XM-EXAMPLE-1"
    partners = names_of(records_in(organisations))
    assert set(partners) == {name for name in all_names(client) if name[0] == "partner"}
    assert set(partners.values()) == {1}
    assert extension_schema() == client.get("/v1/iati/extension.xsd").text, "make contract"


@needs_standard
def test_an_activity_has_what_its_project_states(client: TestClient) -> None:
    root = parsed(client.get("/v1/projects/smart-factory-cooperation.xml").content)
    (activity,) = root.findall("iati-activity")
    assert activity.findtext("iati-identifier") == "XM-EXAMPLE-1-smart-factory-cooperation"
    assert [each.get(XML_LANG) for each in activity.findall("title/narrative")] == ["vi", "en"]
    assert activity.find("reporting-org").get("secondary-reporter") == "1"
    assert [(each.get("type"), each.get("iso-date")) for each in activity.findall("activity-date")] == [
        ("2", "2022-01-01"),
        ("3", "2023-12-31"),
    ]
    assert "2022 to 2023" in [each.text for each in activity.findall("activity-date/narrative")]
    assert [each.get("code") for each in activity.findall("recipient-country")] == ["VN"]
    assert not activity.xpath(".//@percentage")
    assert activity.xpath("sector/@code") == ["32120+11430"]
    assert activity.xpath("tag[@vocabulary='2']/@code") == ["4", "9"]
    targets = activity.xpath(".//target/@value")
    assert targets == ["50", "100"]
    assert activity.xpath(".//actual[not(dimension)]/@value") == ["26", "51"]
    assert activity.xpath(".//actual/dimension/@value") == ["northern-viet-nam", "southern-viet-nam"]


@pytest.fixture
def ports(seeded_database: Database) -> Iterator[TestClient]:
    """A client of the dataset with projects that state everything, with original identifiers and hostile texts."""
    store(
        seeded_database,
        PARTNERS,
        {"id": "donor", "name": {"en": HOSTILE, "und": "x"}, "kind": "ngo", "managed_by": "unido",
         "identifiers": [{"scheme": "iati-org", "value": "GB-CHC-1"}]},
        {"id": "reporter", "name": {"en": "We"}, "kind": "government", "managed_by": "unido",
         "identifiers": [{"scheme": "iati-org", "value": "XM-EXAMPLE-1"}]},
    )  # fmt: skip
    store(
        seeded_database,
        PROJECTS,
        whole("plain-port"),
        whole("port-of-other", identifiers=[{"scheme": "iati-activity", "value": "GB-CHC-1-P7"}],
              part_of=["plain-port"], status="agreed", period="2030-02-03/2031", follows=["plain-port"]),
        whole("port-of-us", roles=[{"partner": "reporter", "role": "accountable"},
                                   {"partner": "donor", "role": "host"}]),
        whole("odd-port", title={"en": HOSTILE, "zh-Hant": "港"}, description={"und": HOSTILE}, status="suspended",
              period="2019-03~/..", places=["da-nang", "thailand"], sectors=["210", "43010"], sdgs=["9", "9.3"],
              identifiers=[{"scheme": "iati-activity", "value": "A/B & C|?"}, {"scheme": "local", "value": HOSTILE}],
              roles=[{"partner": "donor", "role": "funding"}, {"partner": "unido", "role": "lead"}]),
        whole("later-port", status="past", period="2020/9998"),
    )  # fmt: skip
    store(
        seeded_database,
        FIGURES,
        {**FIGURE, "id": "f-target", "kind": "target", "value": 1e-7, "qualifier": "about", "period": "2020/2021",
         "project": "odd-port", "places": ["da-nang", "ha-noi"], "breakdown": {"sex": HOSTILE},
         "measured": "over_period"},
        {**FIGURE, "id": "f-range", "value": 1, "value_high": 2, "period": "2020-05", "project": "odd-port"},
        {**FIGURE, "id": "f-text", "value": None, "text": {"vi": HOSTILE}, "period": "2020-05", "project": "odd-port"},
        {**FIGURE, "id": "f-base", "kind": "baseline", "value": -3.5, "period": "../2018", "project": "odd-port"},
        {**FIGURE, "id": "f-level", "measured": "at_date", "period": "../2020", "project": "odd-port"},
        {**FIGURE, "id": "f-open", "measured": "over_period", "period": "../2020", "project": "odd-port"},
        {**FIGURE, "id": "f-plan", "kind": "plan", "period": "2020", "project": "odd-port"},
    )  # fmt: skip
    with client_of(url_of(seeded_database)) as client:
        yield client


def activity_of(root: Any, identifier: str) -> Any:
    (activity,) = [each for each in root.findall("iati-activity") if each.findtext("iati-identifier") == identifier]
    return activity


@needs_standard
def test_nothing_is_made_up_and_odd_texts_are_safe(ports: TestClient) -> None:
    root = parsed(ports.get(ACTIVITIES).content)
    other = activity_of(root, "GB-CHC-1-P7")
    assert other.find("reporting-org").get("secondary-reporter") == "1"
    assert other.xpath("other-identifier[@type='A1']/@ref") == ["port-of-other"]
    assert other.xpath("related-activity/@ref") == ["XM-EXAMPLE-1-plain-port"]
    assert [(each.get("type"), each.get("iso-date")) for each in other.findall("activity-date")] == [
        ("1", "2030-02-03"),
        ("3", "2031-12-31"),
    ]
    assert activity_of(root, "XM-EXAMPLE-1-port-of-us").find("reporting-org").get("secondary-reporter") == "0"
    plain = activity_of(root, "XM-EXAMPLE-1-plain-port")
    assert plain.xpath("activity-date/@type") == ["2", "4"]
    assert plain.xpath("activity-date/@iso-date") == ["2020-01-01", "2021-06-30"]
    assert plain.xpath("sector/@vocabulary") == ["1"]
    assert activity_of(root, "XM-EXAMPLE-1-later-port").xpath("activity-date/@type") == ["2"]
    odd = activity_of(root, "XM-EXAMPLE-1-odd-port")
    assert odd.findtext("title/narrative") == HOSTILE.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
    assert odd.xpath("participating-org/@ref") == ["GB-CHC-1"]
    assert odd.xpath("participating-org/@type") == []
    assert odd.xpath("recipient-region/@code") == ["viet-nam+thailand"]
    assert odd.xpath("sector/@code") == ["210+43010"]
    assert odd.xpath("result/indicator/@measure") == ["1", "5"]
    assert odd.xpath(".//target/@value") == ["0.0000001"]
    assert odd.xpath(".//target/location/@ref") == ["da-nang"]
    assert [odd.xpath(".//baseline")[0].get(name) for name in ("year", "iso-date", "value")] == [
        "2018",
        "2018-12-31",
        "-3.5",
    ]
    assert odd.xpath(".//indicator[@measure='5']//actual/@value") == []
    assert odd.xpath("count(.//actual)") == 3  # level, range and text
    organisations = parsed(ports.get(ORGANISATIONS).content)
    assert organisations.xpath("iati-organisation/organisation-identifier/text()") == ["GB-CHC-1", "XM-EXAMPLE-1"]
    assert organisations.xpath("iati-organisation/reporting-org/@secondary-reporter") == ["1", "0"]


def losses_of(client: TestClient, query: str = "") -> dict[tuple[str, str], dict[str, set[str]]]:
    """The reasons of each member that is lost, by record."""
    found: dict[tuple[str, str], dict[str, set[str]]] = {}
    for line in client.get(LOSSES + query).text.splitlines():
        entry = json.loads(line)
        assert entry["detail"] == LOSS.codes[entry["reason"]].label
        of_record = found.setdefault((entry["resource"], entry["id"]), {})
        for member in entry["members"]:
            of_record.setdefault(member, set()).add(entry["reason"])
    return found


def test_the_report_names_what_is_lost(ports: TestClient) -> None:
    losses = losses_of(ports)
    odd = losses["projects", "odd-port"]
    expected = {
        "/title/en": "other_form", "/description/und": "other_form", "/period": "less_precise", "/roles/1": "no_code",
        "/places": "no_percentages", "/sectors": "no_percentages", "/identifiers/0": "other_form",
        "/identifiers/1": "other_form", "/managed_by": "no_element",
    }  # fmt: skip
    assert {member: reasons for member, reasons in odd.items() if member in expected} == {
        member: {reason} for member, reason in expected.items()
    }
    assert losses["projects", "port-of-other"]["/follows"] == {"no_code"}
    assert losses["projects", "later-port"]["/period"] == {"less_precise", "no_day"}
    assert losses["figures", "f-plan"]["/value"] == {"not_a_result"}
    assert losses["figures", "f-open"]["/value"] == {"no_day"}
    assert losses["figures", "f-range"]["/value"] == {"no_number"}
    assert losses["figures", "f-target"]["/places/1"] == {"not_linked"}
    assert losses["figures", "f-target"]["/breakdown/sex"] == {"other_form"}
    assert losses["partners", "samsung-vietnam"]["/name"] == {"not_an_organisation"}
    assert "/name" not in losses["partners", "donor"]
    of_projects = losses_of(ports, "?id=odd-port&id=geipp")
    assert {name for name in of_projects if name[0] == "projects"} == {("projects", "odd-port"), ("projects", "geipp")}
    assert of_projects["projects", "geipp"]["/period"] == {"missing"}
    text = ports.get("/v1/iati/loss-report.txt?id=geipp", headers={"Accept-Language": "vi"}).text
    assert text.startswith("projects/geipp\n  activity-date: /period: IATI bắt buộc")


def test_each_member_is_in_an_element_or_in_the_report(client: TestClient) -> None:
    assert set(WRITERS) | set(LOST) | set(ATTRIBUTES) == set(PROJECTS.shown.model_fields) - {*SAME_IN_ALL}
    assert set(MEMBERS) == set(FIGURES.shown.model_fields) - {*SAME_IN_ALL}
    losses = losses_of(client)
    for resource in (MILESTONES, RESOURCES[2], RESOURCES[4]):
        for item in walk(client, f"/v1/{resource.name}?limit=200"):
            stated = {f"/{name}" for name, value in item.items() if value not in (None, [], {})}
            assert set(losses[resource.name, item["id"]]) == stated - {"/resource", "/state"}


def test_problems_say_what_to_do(ports: TestClient, seeded_database: Database, tmp_path: Path) -> None:
    lacking = ports.get("/v1/projects/geipp.xml")
    assert (lacking.status_code, lacking.json()["code"]) == (409, "not_exportable")
    assert [error["pointer"] for error in lacking.json()["errors"]] == ["/period"]
    assert ports.get(f"{ACTIVITIES}?id=geipp").json()["code"] == "not_exportable"
    assert ports.get(f"{ACTIVITIES}?state=draft").status_code == 422
    assert ports.get("/v1/iati/loss-report.pdf").status_code == 404
    assert ports.get("/v1/projects/no-such.xml").status_code == 404
    assert ports.get("/v1/projects/A.b.xml").status_code == 404
    delete(seeded_database, PROJECTS.name, "later-port", "test")
    assert ports.get("/v1/projects/later-port.xml").status_code == 410
    current = ports.get("/v1/projects/port-of-us.xml")
    tag = current.headers["etag"]
    assert ports.get("/v1/projects/port-of-us.xml", headers={"If-None-Match": tag}).status_code == 304
    tag = ports.get(ACTIVITIES).headers["etag"]
    assert ports.get(ACTIVITIES, headers={"If-None-Match": tag}).status_code == 304
    head = ports.head(ACTIVITIES)
    assert (head.status_code, head.content) == (200, b"")
    with client_of(url_of(seeded_database), iati_reporting_org="") as unset:
        for path in (ACTIVITIES, ORGANISATIONS, LOSSES, "/v1/projects/port-of-us.xml"):
            problem = unset.get(path).json()
            assert problem["code"] == "not_configured"
            assert "HOPTAC_IATI_REPORTING_ORG" in problem["detail"]
