"""Names and codes in the links of an import, and all mistakes of a line at once."""

import pytest
from starlette.testclient import TestClient

from tests.support.http import get
from tests.support.imports import COAST, PORTS, Record, counts, ended, lines_of
from tests.support.keys import Key

CSV = "text/csv"
MILESTONE: Record = {
    "resource": "milestones",
    "id": "by-name",
    "title": {"en": "Talks"},
    "kind": "meeting",
    "status": "planned",
    "managed_by": "UNIDO",
}


def errors_of(line: Record) -> list[tuple[str, str]]:
    return [(error["pointer"], error["code"]) for error in line["errors"]]


def test_every_link_takes_a_name_or_a_code(registry: TestClient, editor: Key) -> None:
    project = {
        **PORTS,
        "period": "2024",
        "places": ["Đà Nẵng", "vn-hn"],
        "identifiers": [{"scheme": "moit-no", "value": "M 1"}],
    }
    agreement = get(registry, "/v1/agreements?limit=1")["items"][0]
    document = get(registry, "/v1/documents/samsung-smart-factory-2023")
    milestone = {
        **MILESTONE,
        "project": "moit-no:M 1",
        "agreement": next(iter(agreement["title"].values())),
        "documents": [document["title"]["vi"]],
        "place": "Viet Nam",
    }
    named = {**MILESTONE, "id": "by-title", "project": "GREEN ports"}
    indicator = get(registry, "/v1/indicators/enterprises-supported")["name"]["vi"]
    figure = {"resource": "figures", "id": "by-names", "indicator": indicator, "kind": "actual", "value": 3}
    figure |= {"unit": "enterprise", "project": "Cảng xanh", "managed_by": "unido"}
    for verdict in ("created", "unchanged"):
        _, lines = ended(registry, editor, lines_of(figure, milestone, named, project))
        assert {line["verdict"] for line in lines} == {verdict}, [line["errors"] for line in lines]
    assert get(registry, "/v1/projects/green-ports")["places"][0] == "da-nang"
    assert get(registry, "/v1/figures/by-names")["indicator"] == "enterprises-supported"
    shown = get(registry, "/v1/milestones/by-name")
    assert (shown["project"], shown["agreement"]) == ("green-ports", agreement["id"])
    assert (shown["documents"], shown["place"]) == (["samsung-smart-factory-2023"], "viet-nam")


def test_a_small_letter_does_not_make_a_name_an_id(registry: TestClient, editor: Key) -> None:
    ended(registry, editor, lines_of(COAST))
    line = {**PORTS, "roles": [{"partner": "cdh", "role": "lead"}, {"partner": "moit", "role": "host"}]}
    assert counts(ended(registry, editor, lines_of(line))[0]) == (1, 0, 0, 0)
    assert [each["partner"] for each in get(registry, "/v1/projects/green-ports")["roles"]] == ["coast-agency", "moit"]


def test_an_id_is_taken_as_an_id_first(registry: TestClient, editor: Key) -> None:
    ended(registry, editor, lines_of({**COAST, "aliases": ["MOIT"]}))
    line = {**PORTS, "roles": [{"partner": "moit", "role": "lead"}]}
    named = {**PORTS, "id": "named", "roles": [{"partner": "Moit", "role": "lead"}]}
    _, lines = ended(registry, editor, lines_of(line, named), "?dry_run=true&mode=rows")
    assert lines[0]["record"]["roles"][0]["partner"] == "moit"
    assert {item["how"] for item in lines[0]["resolved"] if item["text"] == "moit"} == {"id"}


def test_a_name_of_two_records_lists_them(registry: TestClient, editor: Key) -> None:
    ended(registry, editor, lines_of(PORTS, {**PORTS, "id": "other-ports"}))
    _, lines = ended(registry, editor, lines_of({**MILESTONE, "project": "Green ports"}))
    (error,) = lines[0]["errors"]
    assert (error["code"], error["pointer"]) == ("ambiguous", "/project")
    assert "projects/green-ports, projects/other-ports" in error["detail"]


def test_other_records_with_the_name_are_reported(registry: TestClient, editor: Key) -> None:
    """Such as the ministry of another country, which a curated partner precedes."""
    name = "Ministry of Industry and Trade"
    other = {**COAST, "name": {"en": name}, "aliases": [], "country": "switzerland"}
    assert counts(ended(registry, editor, lines_of(other))[0])[0] == 1
    line = {**PORTS, "roles": [{"partner": name, "role": "lead"}]}
    _, lines = ended(registry, editor, lines_of(line))
    (item,) = (each for each in lines[0]["resolved"] if each["pointer"] == "/roles/0/partner")
    assert (item["id"], item["country"], item["others"]) == ("moit", "viet-nam", ["coast-agency"])
    line["roles"] = [{"partner": f"{name} (Switzerland)", "role": "lead"}]
    _, lines = ended(registry, editor, lines_of(line))
    assert get(registry, "/v1/projects/green-ports")["roles"][0]["partner"] == "coast-agency"


@pytest.mark.parametrize("country", ["(Viet Nam)", "(VN)", "(viet-nam)"])
def test_a_country_says_which_partner_is_meant(registry: TestClient, editor: Key, country: str) -> None:
    name = "Ministry of Industry and Trade"
    line = {**PORTS, "roles": [{"partner": f"{name} {country}", "role": "lead"}]}
    _, lines = ended(registry, editor, lines_of(line), "?dry_run=true")
    assert lines[0]["verdict"] == "created", lines
    for other in (f"{name} (Switzerland)", f"{name}, Lào"):
        line["roles"] = [{"partner": other, "role": "lead"}]
        _, lines = ended(registry, editor, lines_of(line), "?dry_run=true")
        assert errors_of(lines[0]) == [("/roles/0/partner", "unknown_record")]
        assert "partners/moit has this name, but its country is viet-nam" in lines[0]["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("period", "place"), [("2024/2027", "da-nang"), ("2025-07-01/..", "da-nang-2025"), (None, "da-nang-2025")]
)
def test_a_name_means_the_place_of_its_time(registry: TestClient, editor: Key, period: str, place: str) -> None:
    ended(registry, editor, lines_of({**PORTS, "period": period, "places": ["Đà Nẵng"]}))
    assert get(registry, "/v1/projects/green-ports")["places"] == [place]


@pytest.mark.parametrize(
    ("place", "hint"), [("Đạ Nâng", "Đà Nẵng (da-nang)"), ("Đà Nẵn", "Đà Nẵng (da-nang)"), ("Zzyzx Qwerty", "")]
)
def test_a_similar_name_is_suggested(registry: TestClient, editor: Key, place: str, hint: str) -> None:
    _, lines = ended(registry, editor, lines_of({**PORTS, "places": [place]}), "?dry_run=true")
    (error,) = lines[0]["errors"]
    assert error["code"] == "unknown_record"
    assert hint in error["detail"]
    assert ("Did you mean" in error["detail"]) == bool(hint)


def test_all_mistakes_of_a_row_are_reported_at_once(registry: TestClient, editor: Key) -> None:
    table = (
        "managed_by,title.vi,kind,status,period,roles.0.partner,roles.0.role,places.0\n"
        "unido,Dự án ba lỗi,project,activ,01/02/2023,Cục Không Có Thật,lead,Nơi Không Có\n"
    )
    _, lines = ended(registry, editor, table.encode(), "?resource=projects", CSV)
    errors = {error["cell"]: error for error in lines[0]["errors"]}
    assert set(errors) == {"D2", "E2", "F2", "H2"}
    assert errors["F2"]["column"] == "roles.0.partner"
    assert not any("pattern" in error["detail"] or "^" in error["detail"] for error in errors.values())


def test_mistakes_of_cells_are_reported_with_the_others(registry: TestClient, editor: Key) -> None:
    table = (
        "id,managed_by,indicator,kind,unit,project,value\n"
        "f-1,unido,enterprises-supported,actual,enterprise,Dự án không có,1.000\n"
        "f-2,unido,enterprises-supported,nope,enterprise,,2.345\n"
    )
    found, lines = ended(registry, editor, table.encode(), "?resource=figures", CSV)
    assert (found["status"], counts(found)) == ("refused", (0, 0, 0, 2))
    assert [{error["cell"] for error in line["errors"]} for line in lines] == [{"F2", "G2"}, {"D3", "G3"}]


def test_a_line_without_record_reports_its_other_mistakes_too(registry: TestClient, editor: Key) -> None:
    ended(registry, editor, lines_of(PORTS, {**PORTS, "id": "other-ports"}))
    line = {"resource": "projects", "title": {"en": "Green ports"}, "status": "activ", "places": ["Nơi Không Có"]}
    _, lines = ended(registry, editor, lines_of(line))
    assert errors_of(lines[0]) == [("/id", "ambiguous"), ("/places/0", "unknown_record"), ("/status", "invalid_value")]
