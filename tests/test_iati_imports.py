"""IATI files of other publishers: every element is in a record or in the report, and nothing is invented."""

import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from starlette.testclient import TestClient

from app.core.database.engine import Database
from app.core.errors import TooLarge
from app.exchange.formats.lines import Reading
from app.exchange.formats.media_types import XML
from app.exchange.iati.extension.shapes import NAMESPACE
from app.exchange.iati.reading.file import iati_lines
from app.exchange.iati.reading.findings import IatiReport
from app.exchange.imports.command import import_file
from tests.support.databases import url_of
from tests.support.http import client_of, get, walk
from tests.support.iati import STANDARD, needs_standard
from tests.support.imports import counts, ended
from tests.support.keys import Key

ROLES = {"1": "funding", "2": "accountable", "3": "extending", "4": "implementing"}
FILES = [*sorted(STANDARD.glob("files/*.xml")), *sorted(STANDARD.glob("*-example-annotated.xml"))]


def imported(database: Database, path: Path, **options: Any) -> tuple[list[str], str]:
    return import_file(database, path, {"resource": None, "mode": "rows", "dry_run": False, **options}, None)


def report_of(content: bytes) -> IatiReport:
    reading = Reading()
    assert list(iati_lines(io.BytesIO(content), reading))
    assert isinstance(reading.report, IatiReport)
    return reading.report


def path_in(element: Any, root: Any) -> str:
    names = [str(ancestor.tag) for ancestor in element.iterancestors() if ancestor is not root]
    return "/".join([*reversed(names), str(element.tag)]).replace("{", "").replace("}", "|")


def elements_in(root: Any) -> Iterator[Any]:
    return (element for element in root.iter() if isinstance(element.tag, str) and element is not root)


def stated(elements: Any) -> list[Any]:
    """The results that state a number or a text."""
    return [
        element for element in elements if element.get("value") or "".join(element.xpath("comment//text()")).strip()
    ]


def total(client: TestClient, path: str) -> int:
    return int(get(client, f"{path}&limit=1&total=true")["total"])


@needs_standard
def test_real_files_are_accounted_for(database: Database) -> None:
    """Counts of records equal those of lxml, and the report has each element of each file."""
    for path in FILES:
        assert imported(database, path, dry_run=True)[0] == [], path.name
        refused, summary = imported(database, path)
        assert (refused, " 0 refused" in summary) == ([], True), path.name
        assert " 0 created, 0 updated, " in imported(database, path)[1], path.name
    with client_of(url_of(database)) as client:
        for path in FILES:
            root = etree.parse(path).getroot()
            report = report_of(path.read_bytes())
            counted = Counter(path_in(element, root) for element in elements_in(root))
            assert {row.path: row.count for row in report.elements} == counted
            for row in report.elements:
                missing = sum(each.count for each in report.not_imported if each.path == row.path)
                assert row.imported + missing == row.count, row
            for activity in root.findall("iati-activity"):
                check_activity(client, activity)
            addresses = {link.get("url") for link in root.iter("document-link")}
            documents = walk(client, "/v1/documents?limit=200")
            held = {document["url"] or document["identifiers"][0]["value"] for document in documents}
            assert addresses <= held
            assert sum(row.imported for row in report.elements if row.path.endswith("document-link")) == sum(
                1 for _ in root.iter("document-link")
            )


def check_activity(client: TestClient, activity: Any) -> None:
    identifier = activity.findtext("iati-identifier").strip()
    (project,) = get(client, f"/v1/projects?identifier=iati-activity:{identifier}")["items"]
    mentions = {
        (element.get("role"), element.get("ref") or element.findtext("narrative").strip())
        for element in activity.findall("participating-org")
    }
    assert Counter(role["role"] for role in project["roles"]) == Counter(ROLES[role] for role, _ in mentions)
    figures = f"/v1/figures?project={project['id']}"
    for kind in ("target", "actual", "baseline"):
        assert total(client, f"{figures}&kind={kind}") == len(stated(activity.iter(kind))), (identifier, kind)
    money = activity.xpath("budget|planned-disbursement|transaction")
    assert total(client, f"/v1/transactions?project={project['id']}") == len(money)
    indicators = {figure["indicator"] for figure in walk(client, f"{figures}&limit=200")}
    assert len(indicators) == sum(1 for each in activity.iter("indicator") if stated(each.iter(*ROLES_OF_FIGURES)))
    memoranda = {
        link.get("url") for link in activity.iter("document-link") if link.find("category[@code='A09']") is not None
    }
    agreements = walk(client, f"/v1/agreements?project={project['id']}")
    assert memoranda <= {item["value"] for agreement in agreements for item in agreement["identifiers"]}


ROLES_OF_FIGURES = ("target", "actual", "baseline")

ACTIVITY = """<iati-activity xml:lang="en" default-currency="USD" last-updated-datetime="2024-01-02T00:00:00Z">
<iati-identifier>XX-1-{number}</iati-identifier>
<reporting-org ref="XX-1" type="21"><narrative>Reporter</narrative></reporting-org>
<title><narrative>Clean water {number}</narrative><narrative xml:lang="FR">Eau propre</narrative></title>
{more}
</iati-activity>"""
FILE = '<iati-activities version="{version}" generated-datetime="{day}T00:00:00Z">{content}</iati-activities>'


def file_of(*more: str, version: str = "2.03", day: str = "2024-01-02") -> bytes:
    activities = [ACTIVITY.format(number=number, more=text) for number, text in enumerate(more, 1)]
    return FILE.format(version=version, day=day, content="".join(activities)).encode()


def result(*indicators: str) -> str:
    return f"<result type='1'><title><narrative>Output</narrative></title>{''.join(indicators)}</result>"


def indicator(name: str, measure: str, *values: str) -> str:
    periods = [
        f"<period><period-start iso-date='2020-01-01'/><period-end iso-date='2020-12-31'/>{value}</period>"
        for value in values
    ]
    return f"<indicator measure='{measure}'><title><narrative>{name}</narrative></title>{''.join(periods)}</indicator>"


def sent(client: TestClient, key: Key, content: bytes, query: str = "?mode=rows") -> tuple[Any, list[Any]]:
    found, lines = ended(client, key, content, query, XML)
    return found, lines


def test_messy_files(registry: TestClient, editor: Key) -> None:
    first = "".join(
        [
            "<participating-org role='4'><narrative>Unido</narrative></participating-org>",  # found by its short name
            "<participating-org role='1' ref='GB-COH-1' type='70'><narrative>Acme</narrative></participating-org>",
            "<participating-org role='4'><narrative>ACME</narrative></participating-org>",  # the one with a reference
            "<participating-org role='2'><narrative>Thuy Si Fund</narrative></participating-org>",
            "<participating-org role='9'><narrative>Acme</narrative></participating-org>",
            "<participating-org role='3'><narrative>Twin</narrative></participating-org>",
            "<activity-status code='2'/>",
            "<activity-date type='1' iso-date='2019-12-01'/><activity-date type='2' iso-date='2020-01-01Z'/>",
            "<activity-date type='3' iso-date='2021-02-30'/>",
            "<recipient-country code='VN'/><recipient-region code='679'/><recipient-country code='QQ'/>",
            "<sector vocabulary='99' code='W1'/><sector vocabulary='7' code='6'/>",
            "<tag vocabulary='3' code='6.1'/><tag vocabulary='99' code='x'/>",
            "<contact-info><person-name><narrative>A Person</narrative></person-name></contact-info>",
            "<transaction><sector code='14030'/><recipient-country code='LA'/></transaction>",
            "<document-link url='https://example.org/mou.pdf' format='application/pdf'>",
            "<title><narrative>Memo</narrative></title><category code='A09'/>",
            "<document-date iso-date='2019-05-06'/></document-link>",
            result(
                indicator("Wells", "1", "<target value='1,300.00'/>", "<actual value='30,000,000.00'/>"),
                indicator("Quality", "5", "<target value='3'><comment><narrative>Good</narrative></comment></target>"),
                indicator(
                    "Share", "2", "<target/><actual value='12.5'><dimension name='Sex' value='female'/></actual>"
                ),
            ),
            "<unheard-of/>",
        ]
    )
    twins = "".join(
        f"<participating-org role='1' ref='XI-TWIN-{number}'><narrative>Twin</narrative></participating-org>"
        for number in (1, 2)
    )
    content = file_of(first, f"{twins}<related-activity type='1' ref='XX-1-1'/>", "")
    found, lines = sent(registry, editor, content)
    assert found["refused"] == 0, [line["errors"] for line in lines if line["errors"]]
    (project,) = get(registry, "/v1/projects?identifier=iati-activity:XX-1-1")["items"]
    assert project["title"] == {"en": "Clean water 1", "fr": "Eau propre"}
    partners = {role["partner"]: role["role"] for role in project["roles"]}
    assert partners["unido"] == "implementing"
    assert sorted(partners) == ["acme", "thuy-si-fund", "unido"]
    assert Counter(role["partner"] for role in project["roles"]) == {"acme": 2, "unido": 1, "thuy-si-fund": 1}
    assert (project["status"], project["period"]["edtf"], project["kind"]) == ("active", "2020-01-01/..", "project")
    assert project["inferred"] == ["/kind"]
    assert project["places"] == ["viet-nam", "dac-region-679", "laos"]
    assert (project["sectors"], project["sdgs"]) == (["14030"], ["6.1", "6"])
    assert get(registry, "/v1/partners/acme")["country"] == "united-kingdom"
    figures = walk(registry, f"/v1/figures?project={project['id']}")
    values = {(figure["kind"], figure["value"], figure["as_written"]) for figure in figures}
    assert values == {
        ("target", 1300, "1,300.00"),
        ("actual", 30_000_000, "30,000,000.00"),
        ("target", None, "3"),
        ("actual", 12.5, "12.5"),
    }
    (words,) = (figure for figure in figures if figure["value"] is None)
    assert words["text"] == {"und": "3", "en": "Good"}
    (agreement,) = get(registry, f"/v1/agreements?project={project['id']}")["items"]
    assert (agreement["kind"], agreement["parties"]) == ("memorandum_of_understanding", [])
    (cited,) = [
        citation for citation in project["citations"] if citation["as_written"] and citation["basis"] == "stated"
    ]
    document = get(registry, f"/v1/documents/{cited['document']}")
    assert cited["as_written"] == "XX-1-1"
    assert document["identifiers"] == [{"scheme": "sha256", "value": found["iati"]["sha256"]}]
    (part,) = get(registry, "/v1/projects?identifier=iati-activity:XX-1-2")["items"]
    assert part["part_of"] == [project["id"]]
    assert {role["partner"] for role in part["roles"]} == {"twin", "twin-2"}
    reasons = {(row["path"].partition("/")[2], row["reason"]) for row in found["iati"]["not_imported"]}
    assert reasons >= {
        ("participating-org", "unknown_code"),
        ("participating-org", "several_organisations"),
        ("activity-date", "other_date"),
        ("activity-date", "bad_date"),
        ("recipient-country", "unknown_code"),
        ("sector", "own_vocabulary"),
        ("contact-info", "contact"),
        ("result/indicator/period/target", "empty"),
        ("unheard-of", "no_member"),
    }
    (line,) = (line for line in lines if line["id"] == project["id"])
    places = {warning["path"]: warning["source_line"] for warning in line["warnings"]}
    assert places["/iati-activity/activity-date[3]"] == 5
    assert counts(sent(registry, editor, content)[0])[:2] == (0, 0)
    check_republished(registry, editor, first, twins, project["id"])


def check_republished(registry: TestClient, editor: Key, first: str, twins: str, project: str) -> None:
    """The same activities in a newer file change nothing; what others have added stays; a change is an update."""
    patch = {**editor, "If-Match": registry.get(f"/v1/projects/{project}").headers["etag"]}
    changed = registry.patch(
        f"/v1/projects/{project}",
        json={"kind": "programme", "follows": ["geipp"], "title": {"vi": "Nước sạch"}},
        headers=patch,
    )
    assert changed.status_code == 200
    related = f"{twins}<related-activity type='1' ref='XX-1-1'/>"
    found, _ = sent(registry, editor, file_of(first, related, "", day="2025-01-02"))
    assert counts(found)[:2] == (1, 0)  # the document that stands for the newer file
    found, lines = sent(registry, editor, file_of(first.replace("status code='2'", "status code='4'"), related, ""))
    assert [line["id"] for line in lines if line["verdict"] == "updated"] == [project]
    after = get(registry, f"/v1/projects/{project}")
    assert (after["status"], after["kind"], after["follows"]) == ("completed", "programme", ["geipp"])
    assert after["title"]["vi"] == "Nước sạch"


def test_what_has_two_readings_is_refused(registry: TestClient, editor: Key) -> None:
    content = file_of(result(indicator("Wells", "1", "<target value='1.300'/>")), "")
    found, lines = sent(registry, editor, content)
    (refused,) = (line for line in lines if line["verdict"] == "refused")
    (error,) = refused["errors"]
    assert (error["code"], error["source_line"]) == ("two_readings", 5)
    assert error["path"] == "/iati-activity/result[1]/indicator[1]/period[1]/target[1]/@value"
    found, _ = sent(registry, editor, content, "?mode=rows&decimal=comma")
    assert (found["created"], found["refused"]) == (1, 0)
    proved = file_of(result(indicator("Wells", "1", "<target value='1.300'/>", "<actual value='1.200,5'/>")))
    assert sent(registry, editor, proved)[0]["refused"] == 0
    values = {figure["as_written"]: figure["value"] for figure in walk(registry, "/v1/figures?q=Wells&limit=200")}
    assert (values["1.300"], values["1.200,5"]) == (1300, 1200.5)
    without = file_of("").replace(b"<title>", b"<other>").replace(b"</title>", b"</other>")
    found, lines = sent(registry, editor, without)
    assert [line["errors"][0]["code"] for line in lines if line["resource"] == "projects"] == ["not_stated"]


def test_nothing_is_cut_off_and_nothing_is_read_twice() -> None:
    payment = (
        "<transaction><transaction-type code='3'/><transaction-date iso-date='2020-01-02'/>"
        "<value value-date='2020-01-02'>{}</value></transaction>"
    )
    odd = "".join(payment.format(value) for value in ("5", "5", "many", "1.500", ""))
    long = "".join(
        f"<description type='{kind}'><narrative>{letter * 12_000}</narrative></description>"
        for kind, letter in (("1", "a"), ("2", "b"))
    )
    link = f"<document-link url='https://example.org/{'x' * 2_000}'/>"
    content = file_of(odd + long + link, "").replace(b'ref="XX-1"', b'ref="XX-2"', 1)
    lines = list(iati_lines(io.BytesIO(content)))
    records = [json.loads(line.record or b"{}") for line in lines]
    values = [record["value"] for record in records if record.get("resource") == "transactions"]
    assert values == [5, 5, 1.5]
    (cited,) = [record["citations"] for record in records if "Clean water 1" in record.get("title", {}).values()]
    assert cited[0]["note"]["en"] == "Reported by Reporter."
    ids = [record["id"] for record in records if "id" in record]
    assert len(ids) == len(set(ids))
    reasons = {(row.path.partition("/")[2], row.reason, row.count) for row in report_of(content).not_imported}
    assert reasons >= {
        ("description", "too_long", 1),
        ("document-link", "too_long", 1),
        ("transaction", "no_number", 1),
        ("transaction", "empty", 1),
    }
    with pytest.raises(TooLarge, match="name"):
        list(iati_lines(io.BytesIO(file_of(f"<{'x' * 600}/>"))))


def test_records_of_this_program_and_activities_of_others_can_be_in_one_file() -> None:
    record = "<h:partner xmlns:h='{}' id='{}'><h:name><h:text xml:lang='en'>{}</h:text></h:name></h:partner>"
    first, second = (record.format(NAMESPACE, name, name.title()) for name in ("mine", "yours"))
    content = file_of(first, "", second, "<description><narrative>Wells</narrative></description>")
    lines = list(iati_lines(io.BytesIO(content)))
    records = [json.loads(line.record or b"{}") for line in lines]
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    partners = [record["name"] for record in records if record["resource"] == "partners"]
    assert partners == [{"en": "Mine"}, {"en": "Yours"}, {"en": "Reporter"}]
    projects = [record["identifiers"][0]["value"] for record in records if record["resource"] == "projects"]
    assert projects == ["XX-1-2", "XX-1-4"]
    assert sum(row.count for row in report_of(content).elements if row.path == "iati-activity") == 2


@pytest.mark.parametrize(
    ("start", "word"),
    [
        (b"<iati-activities>", "no version"),
        (b'<iati-activities version="1.05">', "version 1 of IATI"),
        (b'<iati-activities version="2.07">', "not known"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><iati-activities version="2.03">', "DOCTYPE"),
    ],
)
def test_versions_and_entities(registry: TestClient, editor: Key, start: bytes, word: str) -> None:
    headers = {**editor, "Content-Type": XML}
    content = start + b"<iati-activity><title/></iati-activity></iati-activities>"
    refusal = registry.post("/v1/imports", content=content, headers=headers)
    assert (refusal.status_code, word in refusal.text) == (400, True), refusal.text
