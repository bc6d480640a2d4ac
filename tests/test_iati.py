"""Projects and partners as IATI: valid files, nothing made up, nothing lost without a word."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import iatikit
import pytest
from starlette.testclient import TestClient

from app.agreements.models import AGREEMENTS
from app.catalogue import RESOURCES
from app.core.database.engine import Database
from app.core.maintenance.schema import migrate
from app.exchange.formats.media_types import XML
from app.exchange.iati import files, pages
from app.exchange.iati.activity import ATTRIBUTES, LOST, WRITERS
from app.exchange.iati.extension.schema import extension_schema
from app.exchange.iati.extension.shapes import NAMESPACE
from app.exchange.iati.losses import LOSS, SAME_IN_ALL
from app.exchange.iati.results import MEMBERS
from app.exchange.imports.command import import_file
from app.figures.codelists import FIGURE_KIND, MEASURED, QUALIFIER
from app.figures.models import FIGURES
from app.milestones.models import MILESTONES
from app.partners.models import PARTNERS
from app.projects.models import PARTNER_ROLE, PROJECT_KIND, PROJECT_STATUS, PROJECTS
from app.statements.models import STATEMENTS
from seed.files import Dataset
from seed.loader import load
from tests.support.databases import NewDatabase, new_sqlite, url_of
from tests.support.http import client_of, walk
from tests.support.iati import STANDARD, needs_standard, parsed, records_in
from tests.support.imports import counts, ended
from tests.support.keys import Key
from tests.support.records import FIGURE, delete, store

ACTIVITIES = "/v1/iati/activities.xml"
ORGANISATIONS = "/v1/iati/organisations.xml"
LOSSES = "/v1/iati/loss-report.jsonl"
OF_THE_COPY = ("version", "created_at", "updated_at")
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


@needs_standard
def test_another_program_reads_the_same(ports: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schemas = tmp_path / "__iatikitcache__" / "standard" / "schemas"
    schemas.mkdir(parents=True)
    (schemas / "203").symlink_to(STANDARD / "2.03")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "activities.xml").write_bytes(ports.get(ACTIVITIES).content)
    dataset = iatikit.Dataset("activities.xml")
    assert (dataset.filetype, dataset.version) == ("activity", "2.03")
    assert dataset.validate_iati()
    dates = {
        activity.iati_identifier: (
            activity.planned_start,
            activity.actual_start,
            activity.planned_end,
            activity.actual_end,
        )
        for activity in dataset.activities
    }
    assert dates["GB-CHC-1-P7"] == (date(2030, 2, 3), None, date(2031, 12, 31), None)
    assert dates["XM-EXAMPLE-1-plain-port"] == (None, date(2020, 1, 1), None, date(2021, 6, 30))
    titles = {activity.iati_identifier: activity.title for activity in dataset.activities}
    assert titles["XM-EXAMPLE-1-plain-port"] == ["Cảng", "Port"]


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
    text = ports.get("/v1/iati/loss-report.txt?id=geipp&lang=vi").text
    assert text.startswith("projects/geipp\n  activity-date: /period: IATI bắt buộc")


def test_each_member_is_in_an_element_or_in_the_report(client: TestClient) -> None:
    assert set(WRITERS) | set(LOST) | set(ATTRIBUTES) == set(PROJECTS.shown.model_fields) - {*SAME_IN_ALL}
    assert set(MEMBERS) == set(FIGURES.shown.model_fields) - {*SAME_IN_ALL}
    losses = losses_of(client)
    for resource in (MILESTONES, AGREEMENTS, STATEMENTS):
        for item in walk(client, f"/v1/{resource.name}?limit=200"):
            stated = {f"/{name}" for name, value in item.items() if value not in (None, [], {})}
            assert set(losses[resource.name, item["id"]]) == stated - {"/resource", "/state"}


def records_of(client: TestClient) -> dict[tuple[str, str], dict[str, Any]]:
    """All records, without their versions and times."""
    return {
        (resource.name, item["id"]): {name: value for name, value in item.items() if name not in OF_THE_COPY}
        for resource in RESOURCES
        for item in walk(client, f"/v1/{resource.name}?limit=200")
    }


def imported(url: str, path: Path) -> tuple[list[str], str]:
    """Import a file into a database."""
    database = Database(url)
    try:
        return import_file(database, path, {"resource": None, "mode": "all", "dry_run": False}, None)
    finally:
        database.close()


@needs_standard
def test_an_import_of_an_export_gives_the_same_records(
    ports: TestClient,
    new_database: NewDatabase,
    migrated: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "MAX_BELONGING", 3)
    monkeypatch.setattr(files, "AT_ONCE", 7)
    path = tmp_path / "activities.xml"
    path.write_bytes(ports.get(ACTIVITIES).content)
    root = parsed(path.read_bytes())
    assert set(names_of(records_in(root))) == all_names(ports)
    assert "too_many" in losses_of(ports)["projects", "odd-port"]["/figures"]
    copy = new_database(migrated)
    assert imported(copy, path)[0] == []
    with client_of(copy) as client:
        assert records_of(client) == records_of(ports)
        assert client.get(ACTIVITIES).status_code == 200
    assert " 0 created, 0 updated, " in imported(copy, path)[1]


def test_a_file_can_be_sent_to_the_api(registry: TestClient, editor: Key) -> None:
    result, _ = ended(registry, editor, registry.get(f"{ACTIVITIES}?status=active").content, "", XML)
    created, updated, unchanged, refused = counts(result)
    assert (created, updated, refused) == (0, 0, 0)
    assert unchanged > 50
    refusal = registry.post("/v1/imports?resource=projects", content=b"<x/>", headers={**editor, "Content-Type": XML})
    assert refusal.status_code == 422


def random_registry(seed: int, count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Projects and figures with any of their members."""
    chance = Random(seed)
    choose = chance.choice
    periods = ["2020", "2021-05/2030", "../2024", "2019/..", "2022-01-05/2022-01-05", "2018~/2019?", None]
    partners = ["unido", "moit", "seco", "samsung-vietnam"]
    projects = [
        {
            "id": f"random-{number}",
            "title": {choose(["vi", "en", "ko", "und"]): choose([HOSTILE, "Cảng", "x"])},
            "description": choose([None, {"en": "A"}, {"vi": HOSTILE, "en": "B"}]),
            "kind": choose(list(PROJECT_KIND.codes)),
            "status": choose(list(PROJECT_STATUS.codes)),
            "period": choose(periods),
            "part_of": [f"random-{wider}" for wider in chance.sample(range(number), min(number, choose([0, 1, 2])))],
            "roles": [
                {"partner": choose(partners), "role": choose(list(PARTNER_ROLE.codes))}
                for _ in range(choose([0, 2, 3]))
            ],
            "places": chance.sample(["da-nang", "viet-nam", "ha-noi", "thailand", "world"], choose([0, 1, 2])),
            "sectors": chance.sample(["32120", "210", "43010"], choose([0, 1, 1, 2])),
            "sdgs": chance.sample(["9", "9.3", "17"], choose([0, 1, 2])),
            "managed_by": "unido",
        }
        for number in range(count)
    ]
    figures = [
        {
            **FIGURE,
            "id": f"figure-{number}",
            "kind": choose(list(FIGURE_KIND.codes)),
            "value": value if (value := choose([0, -1.5, 2e-9, 999_999_999_999_999, None])) is not None else None,
            "text": {"vi": HOSTILE} if value is None else None,
            "qualifier": choose(list(QUALIFIER.codes)),
            "measured": choose([None, *MEASURED.codes]),
            "period": choose(periods),
            "project": f"random-{chance.randrange(count)}",
            "breakdown": choose([{}, {"sex": "female"}]),
            "places": choose([[], ["da-nang"]]),
        }
        for number in range(2 * count)
    ]
    return projects, figures


@needs_standard
def test_files_of_a_generated_registry_are_valid(seeded_database: Database) -> None:
    projects, figures = random_registry(7, 300)
    store(seeded_database, PROJECTS, *projects)
    store(seeded_database, FIGURES, *figures)
    with client_of(url_of(seeded_database)) as client:
        root = parsed(client.get(ACTIVITIES).content)
        assert len(root.findall("iati-activity")) > 20
        assert not root.xpath("//@percentage")
        assert set(names_of(records_in(root))) == all_names(client)
        parsed(client.get(f"{ACTIVITIES}?status=active&sort=-title").content)


def test_both_engines_write_the_same_bytes(
    client: TestClient, engine: str, folder: Path, dataset: Dataset, tmp_path: Path
) -> None:
    if engine == "sqlite":  # the file of PostgreSQL is compared with that of SQLite
        return
    url = new_sqlite(folder, None)
    with Database(url) as database:
        migrate(database)
        load(database, dataset)
    with client_of(url) as other:
        for path in (ACTIVITIES, ORGANISATIONS, LOSSES):
            texts = [re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "", each.get(path).text) for each in (client, other)]
            assert texts[0] == texts[1]


BAD = {
    "nothing": (b"", "not well-formed"),
    "a DOCTYPE": (b"<!DOCTYPE iati-activities [<!ENTITY a 'b'>]><iati-activities>&a;</iati-activities>", "DOCTYPE"),
    "another root": (b"<x/>", "root"),
    "half a file": (b"<iati-activities><iati-activity>", "not well-formed"),
    "of another program": (b"<iati-activities><iati-activity/></iati-activities>", "no version"),
    "deep": (b"<iati-activities>" + b"<a>" * 200, "in each other"),
    "a long tag": (b"<iati-activities a='" + b"x" * 3_000_000, "bytes"),
    "a long record": (b"<iati-activities><h:project xmlns:h='%s'>" + b"x" * 5_000_000, "characters"),
    "deep in a record": (b"<iati-activities><h:project xmlns:h='%s'>" + b"<a>" * 200, "in each other"),
    "a long name in a record": (b"<iati-activities><h:project xmlns:h='%s'><" + b"a" * 600 + b"/>", "name"),
    "long attributes": (
        b"<iati-activities><h:project xmlns:h='%s'>" + (b"<a b='%b'/>" % (b"x" * 900_000)) * 5,
        "characters",
    ),
    "many elements": (b"<iati-activities><h:project xmlns:h='%s'>" + b"<a/>" * 100_001, "elements"),
    "an unknown encoding": (b"<?xml version='1.0' encoding='x-none'?><iati-activities/>", "encoding"),
}


def test_files_of_others_are_refused_whole(database: Database, tmp_path: Path) -> None:
    for name, (content, word) in BAD.items():
        path = tmp_path / "file.xml"
        path.write_bytes(content.replace(b"%s", NAMESPACE.encode()))
        refused, detail = imported(url_of(database), path)
        assert word in refused[0], (name, refused)
        assert detail == "Nothing was imported."
    path.write_text(f"""<iati-activities xmlns:h="{NAMESPACE}"><h:figure id="a"><h:value>NaN</h:value></h:figure>
        <h:nothing id="b"/><h:project id="c"><h:colour>red</h:colour></h:project>
        <h:project id="d"><h:title><h:text encoding="json">[1]</h:text></h:title></h:project></iati-activities>""")
    refused, _ = imported(url_of(database), path)
    assert [line.partition(":")[0] for line in refused] == ["line 1", "line 2", "line 3", "line 4"]


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
