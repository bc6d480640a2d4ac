"""The timeline: what is on it, in which order, and that pages and filters agree with a plain recomputation."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.database.engine import Database
from app.core.model.resource import RESOURCES
from app.core.values.dates import Edtf, ends
from app.core.writing.batch import Batch
from tests.support.cursors import signed
from tests.support.databases import NewDatabase
from tests.support.http import client_of, get, walk

Entry = tuple[str, str, int, str, str, str]  # at, other end, rank, id, what, resource
KINDS = {"signing": "signing", "start": "start", "end": "end", "target_date": "due"}
RANKS = {("milestones", False): 0, ("milestones", True): 1, ("agreements", "signing"): 2, ("agreements", "start"): 3}
RANKS |= {("agreements", "end"): 4, ("projects", "start"): 5, ("projects", "end"): 6, ("statements", "due"): 7}


def brief(entry: Any) -> tuple[str, str, str]:
    return entry["what"], entry["date"]["edtf"], f"{entry['resource']}/{entry['id']}"


# -- the dataset ------------------------------------------------------------------------------------------------


def test_a_project_with_its_parts_in_order(client: TestClient) -> None:
    found = walk(client, "/v1/timeline?project=smart-factory-cooperation&parts=true&limit=3")
    assert [brief(entry) for entry in found] == [
        ("start", "2022", "milestones/smart-factory-cooperation-start"),
        ("start", "2022", "agreements/smart-factory-mou-2022"),
        ("signing", "2022-02", "milestones/smart-factory-mou-2022-signing"),
        ("start", "2023", "projects/smart-factory-batch-1-2023"),
        ("milestone", "2023-08", "milestones/smart-factory-batch-1-2023-closing"),
        ("end", "2023-08", "projects/smart-factory-batch-1-2023"),
        ("signing", "2023-09", "milestones/da-nang-smart-factory-mou-signing"),
        ("end", "2023", "agreements/smart-factory-mou-2022"),
        ("end", "2023", "projects/smart-factory-cooperation"),
        ("due", "2023", "milestones/smart-factory-targets-2023"),
        ("due", "2023", "statements/smart-factory-cooperation-objective"),
        ("due", "2023", "statements/smart-factory-plan-2023"),
    ]
    alone = walk(client, "/v1/timeline?project=smart-factory-cooperation")
    assert [brief(entry) for entry in found if entry in alone] == [brief(entry) for entry in alone]
    assert len(alone) == len(found) - 4


def test_an_entry_says_what_a_front_end_draws(client: TestClient) -> None:
    (entry,) = get(client, "/v1/timeline?what=signing&project=da-nang-smart-factory-project")["items"]
    assert entry == {
        "what": "signing",
        "at": "2023-09-01",
        "date": {"edtf": "2023-09", "earliest": "2023-09-01", "latest": "2023-09-30"},
        "precision": "month",
        "resource": "milestones",
        "id": "da-nang-smart-factory-mou-signing",
        "field": "date",
        "kind": "signing",
        "kind_list": "milestone_kind",
        "title": entry["title"],
        "status": "done",
        "status_list": "milestone_status",
        "projects": ["da-nang-smart-factory-project"],
        "agreement": "da-nang-smart-factory-mou-2023",
        "places": ["da-nang"],
        "partners": ["industry-agency", "da-nang-department-of-industry-and-trade", "samsung-vietnam"],
        "inferred": ["/date", "/place"],
    }
    assert {"vi", "en"} <= set(entry["title"])


def test_a_signing_is_shown_once_and_by_the_agreement_where_the_milestone_is_not_asked_for(client: TestClient) -> None:
    signings = walk(client, "/v1/timeline?what=signing")
    assert {entry["resource"] for entry in signings} == {"milestones"}
    assert len({entry["agreement"] for entry in signings}) == len(signings) == 3
    # SECO is a party, but is not said to have taken part in the signing.
    (of_seco,) = walk(client, "/v1/timeline?what=signing&partner=seco")
    assert brief(of_seco) == ("signing", "../2023-11-07", "agreements/eco-industrial-parks-mou-2024-2028")


def test_open_ends_and_what_has_no_date_are_no_entries(client: TestClient) -> None:
    found = {brief(entry)[::2] for entry in walk(client, "/v1/timeline?limit=200")}
    assert ("start", "milestones/eco-industrial-parks-support-start-2015") in found
    assert ("end", "projects/eco-industrial-parks-viet-nam-since-2015") not in found
    assert not any(record == "milestones/wcsp-5" for _, record in found)


def test_what_can_fall_in_a_period(client: TestClient) -> None:
    found = {brief(entry)[::2] for entry in walk(client, "/v1/timeline?period=2023-06/2023-08")}
    assert ("milestone", "milestones/smart-factory-batch-1-2023-closing") in found
    assert ("end", "projects/smart-factory-cooperation") in found  # some day of 2023
    assert ("signing", "milestones/da-nang-smart-factory-mou-signing") not in found  # September
    assert ("start", "milestones/smart-factory-cooperation-start") not in found  # 2022


# -- records of our own: every page and filter against a plain recomputation --------------------------------------

TITLE = {"vi": "x", "en": "x"}
DATES = [
    "2022",
    "2022-01",
    "2022-01-01",
    "2022-01-01T10:30",
    "2022~",
    "2022-33",
    "2022/2023",
    "2021-11/2022-02",
    "2023-06",
]
DATES += [
    "2022-12",
    "2022-12-31",
    "../2022-05-31",
    "[..2022]",
    "2022/..",
    "2023-02-28",
    "2020",
    "2020-02-29",
    "2022-01/..",
]
PERIODS = [
    "2022",
    "2022/2023",
    "2022-01/2022-12-31",
    "2015/..",
    "../2022-05",
    "2022-01-01/2023~",
    "2023-06-30/2024",
    "2020/2022",
]

Records = dict[str, dict[str, dict[str, Any]]]


def invented() -> Records:
    """Some hundred records with all sorts of dates, linked at random, some of them drafts."""
    chance = random.Random(5)
    ids = {name: [f"{name[:2]}-{number:02}" for number in range(count)] for name, count in COUNTS.items()}

    def some(name: str, limit: int = 2) -> list[str]:
        return chance.sample(ids[name], chance.randint(0, limit))

    def maybe(values: list[str]) -> str | None:
        return chance.choice([None, *values])

    records: Records = {
        "places": {each: {"name": TITLE, "level": "province"} for each in ids["places"]},
        "partners": {each: {"name": TITLE, "kind": "other"} for each in ids["partners"]},
        "projects": {
            each: {
                "title": TITLE, "kind": "project", "status": "active", "period": maybe(PERIODS),
                "part_of": chance.sample(ids["projects"][:number], min(number, chance.randint(0, 1))),
                "roles": [{"partner": partner, "role": "lead"} for partner in some("partners")],
                "places": some("places"),
            }
            for number, each in enumerate(ids["projects"])
        },
        "agreements": {
            each: {
                "title": TITLE, "kind": "other", "status": "signed", "signed_on": maybe(DATES),
                "period": maybe(PERIODS),
                "signed_in": maybe(ids["places"]), "projects": some("projects"),
                "parties": [{"partner": partner} for partner in some("partners")],
            }
            for each in ids["agreements"]
        },
        "milestones": {
            each: {
                "title": TITLE, "kind": chance.choice([*KINDS, *KINDS, "meeting", "visit"]),
                "status": "cancelled" if each.endswith("7") else "done",
                "date": maybe(DATES), "project": maybe(ids["projects"]), "agreement": maybe(ids["agreements"]),
                "place": maybe(ids["places"]), "participants": [{"partner": partner} for partner in some("partners")],
            }
            for each in ids["milestones"]
        },
        "statements": {
            each: {
                "summary": TITLE, "kind": "plan", "due": maybe(DATES), "project": maybe(ids["projects"]),
                "agreement": maybe(ids["agreements"]), "to": some("partners"),
            }
            for each in ids["statements"]
        },
    }  # fmt: skip
    records["places"]["pl-00"]["parent"] = "pl-01"
    for name in ("projects", "agreements", "milestones", "statements"):
        for each in chance.sample(ids[name], 4):
            records[name][each]["state"] = "draft"
    return records


COUNTS = {"places": 4, "partners": 5, "projects": 30, "agreements": 40, "milestones": 160, "statements": 40}
RECORDS = invented()
PUBLIC = {
    name: {each: fields for each, fields in records.items() if fields.get("state") != "draft"}
    for name, records in RECORDS.items()
}


@pytest.fixture(scope="module")
def made(new_database: NewDatabase, migrated: str) -> Iterator[TestClient]:
    """A client over the invented records."""
    url = new_database(migrated)
    database = Database(url)
    with database.write() as session:
        batch = Batch(session, "test")
        for name, records in RECORDS.items():
            for record_id, fields in records.items():
                batch.put(RESOURCES[name], record_id, RESOURCES[name].fields.model_validate(fields), None)
        batch.flush()
    database.close()
    with client_of(url) as client:
        yield client


def span(edtf: str) -> tuple[str, str]:
    date = Edtf.of(edtf)
    return (
        date.earliest.isoformat() if date.earliest else "0001-01-01",
        date.latest.isoformat() if date.latest else "9999-12-31",
    )


def in_period(edtf: str, asked: str | None) -> bool:
    (first, last), (start, end) = span(edtf), span(asked) if asked else ("0001-01-01", "9999-12-31")
    return last >= start and first <= end


def below(projects: set[str]) -> set[str]:
    found: set[str] = set()
    while projects - found:
        found |= projects
        projects = {each for each, fields in PUBLIC["projects"].items() if found & set(fields["part_of"])} | found
    return found


def passes(name: str, record_id: str, asked: dict[str, Any]) -> bool:
    record, projects = RECORDS[name][record_id], asked.get("project") and set(asked["project"])
    if projects and asked.get("parts"):
        projects = below(projects)
    own = {record_id} if name == "projects" else set(record.get("projects", [record.get("project")]))
    named = {each for each, fields in PUBLIC["agreements"].items() if record_id in fields["projects"]}
    agreements = {"projects": named, "agreements": {record_id}}.get(name, {record.get("agreement")})
    partners = {each["partner"] for kind in ("participants", "parties", "roles") for each in record.get(kind, [])}
    places = set(record.get("places", [record.get("place"), record.get("signed_in")])) - {None}
    places |= {"pl-01"} if "pl-00" in places else set()
    return (
        (not projects or bool(own & projects))
        and (not asked.get("agreement") or bool(agreements & set(asked["agreement"])))
        and (not asked.get("partner") or bool((partners | set(record.get("to", []))) & set(asked["partner"])))
        and (not asked.get("place") or (name != "statements" and bool(places & set(asked["place"]))))
    )


def entry(name: str, record_id: str, what: str, edtf: str, extent: str) -> Entry:
    """An entry with its place in the order; `extent` is the whole date or period it is taken from."""
    last = what in ("end", "due")
    earliest, latest = span(extent)
    at, other = (latest, earliest) if last else (earliest, latest)
    if at in ("0001-01-01", "9999-12-31"):
        at, other = other, at
    rank = RANKS[name, last] if name == "milestones" else RANKS[name, what]
    return at, other, rank, record_id, what, f"{name}/{edtf}"


def raw_entries(name: str, record_id: str) -> Iterator[tuple[str, str, str]]:
    """What, date and whole extent of the entries of a record, before a milestone stands for one."""
    record = RECORDS[name][record_id]
    if name == "milestones" and record["date"]:
        yield KINDS.get(record["kind"], "milestone"), record["date"], record["date"]
    if name == "statements" and record["due"]:
        yield "due", record["due"], record["due"]
    if record.get("signed_on"):
        yield "signing", record["signed_on"], record["signed_on"]
    if record.get("period"):
        for what, end in zip(("start", "end"), ends(record["period"]), strict=True):
            if end:
                yield what, end, record["period"]


def stands_for(milestone: dict[str, Any], name: str, record_id: str, what: str, extent: str) -> bool:
    link = {"agreements": "agreement", "projects": "project"}.get(name)
    if not link or milestone[link] != record_id or KINDS.get(milestone["kind"]) != what or not milestone["date"]:
        return False
    if milestone["status"] == "cancelled":
        return False
    (first, last), (earliest, latest) = span(milestone["date"]), span(extent)
    same = {"start": first == earliest, "end": last == latest}
    return same.get(what, first <= latest and last >= earliest)


def recomputed(**asked: Any) -> list[Entry]:
    found = []
    shown = [
        milestone
        for record_id, milestone in PUBLIC["milestones"].items()
        if passes("milestones", record_id, asked)
        and milestone["date"]
        and in_period(milestone["date"], asked.get("period"))
    ]
    for name in ("milestones", "agreements", "projects", "statements"):
        for record_id in PUBLIC[name]:
            for what, edtf, extent in raw_entries(name, record_id):
                wanted = not asked.get("what") or what in asked["what"]
                if not wanted or not passes(name, record_id, asked) or not in_period(edtf, asked.get("period")):
                    continue
                if not any(stands_for(milestone, name, record_id, what, extent) for milestone in shown):
                    found.append(entry(name, record_id, what, edtf, extent))
    return sorted(found)


QUESTIONS: list[dict[str, Any]] = [
    {},
    {"what": ["start"]},
    {"what": ["milestone", "due"]},
    {"what": ["signing", "end"]},
    {"project": ["pr-03"]},
    {"project": ["pr-00", "pr-01"], "parts": True},
    {"agreement": ["ag-07", "ag-08", "ag-09", "ag-10", "ag-11"]},
    {"partner": ["pa-01"]},
    {"partner": ["pa-01", "pa-02"], "what": ["signing", "start"]},
    {"place": ["pl-01"]},
    {"place": ["pl-02"], "partner": ["pa-03"]},
    {"period": "2022-06"},
    {"period": "../2021"},
    {"period": "2022-12-31/.."},
    {"period": "2022-01-01", "what": ["start", "end", "signing"]},
    {"period": "2023", "partner": ["pa-00"]},
]


@pytest.mark.parametrize("asked", QUESTIONS, ids=str)
@pytest.mark.parametrize("limit", [pytest.param(7, marks=pytest.mark.slow), 31, 200])
def test_every_page_is_what_a_plain_recomputation_says(made: TestClient, asked: dict[str, Any], limit: int) -> None:
    pairs = [(name, one) for name, value in asked.items() for one in (value if isinstance(value, list) else [value])]
    path = f"/v1/timeline?limit={limit}&" + "&".join(f"{name}={str(one).lower()}" for name, one in pairs)
    expected = recomputed(**asked)
    assert expected
    for sign, wanted in (("", expected), ("-", expected[::-1])):
        found = walk(made, f"{path}&sort={sign}date")
        assert [
            (each["at"], each["id"], each["what"], f"{each['resource']}/{each['date']['edtf']}") for each in found
        ] == [(at, record_id, what, shown) for at, _, _, record_id, what, shown in wanted]


@pytest.mark.parametrize(
    ("edtf", "precision"),
    [("2022", "year"), ("2022~", "year"), ("2022-33", "quarter"), ("2022-01", "month"), ("2022-01-01", "day"),
     ("2022-01-01T10:30", "minute"), ("2022/2023", "interval"), ("[..2022]", "interval")],
)  # fmt: skip
def test_precision_is_said(made: TestClient, edtf: str, precision: str) -> None:
    found = [each for each in walk(made, "/v1/timeline?what=milestone&limit=200") if each["date"]["edtf"] == edtf]
    assert found
    assert {each["precision"] for each in found} == {precision}


# -- mistakes, tags -----------------------------------------------------------------------------------------------

BAD: list[tuple[str, int, str | None]] = [
    ("what=party", 422, "invalid_value"),
    ("sort=title", 422, "invalid_value"),
    ("period=soon", 422, "invalid_value"),
    ("period=../..", 422, "invalid_value"),
    ("project=A", 422, "invalid_value"),
    ("limit=201", 422, "invalid_value"),
    ("limit=9223372036854775808", 422, "invalid_value"),
    ("kind=meeting", 422, "unknown_parameter"),
    ("cursor=", 400, None),
    ("cursor=%C3%A9", 400, None),
    ("place=%00", 400, None),
    ("place=%ED%A0%80", 400, None),
]


@pytest.mark.parametrize(("asked", "status", "code"), BAD)
def test_bad_questions_are_told(client: TestClient, asked: str, status: int, code: str | None) -> None:
    response = client.get(f"/v1/timeline?{asked}")
    assert response.status_code == status, response.text
    assert [each["code"] for each in response.json()["errors"]] == ([code] if code else [])


def test_a_cursor_is_bound_to_what_was_asked(client: TestClient) -> None:
    following = get(client, "/v1/timeline?limit=2&partner=mpi")["next"]
    assert client.get(following).status_code == 200
    swaps: list[Callable[[str], str]] = [lambda path: path.replace("mpi", "moit"), lambda path: path + "&sort=-date"]
    for swap in swaps:
        assert client.get(swap(following)).status_code == 400


@pytest.mark.parametrize(
    "place", [["\0", "x", 0], ["2022-01-01", "2022-01-01", True], ["2022-01-01", "2022-01-01", 99], 7, {}]
)
def test_a_cursor_made_by_hand_does_no_harm(client: TestClient, seeded: str, place: Any) -> None:
    for record_id in ("x", "\ud800", "\0"):
        made_up = signed(seeded, "/v1/timeline", [], place, record_id)
        assert client.get(f"/v1/timeline?cursor={made_up}").status_code in (200, 400)


def test_nothing_asked_for_is_an_empty_page_and_a_current_copy_is_304(client: TestClient) -> None:
    assert get(client, "/v1/timeline?place=viet-nam&what=due&partner=seco") == {"items": [], "next": None}
    assert get(client, "/v1/timeline?project=nobody&parts=true")["items"] == []
    first = client.get("/v1/timeline?limit=3")
    assert 'rel="next"' in first.headers["link"]
    assert client.get("/v1/timeline?limit=3", headers={"If-None-Match": first.headers["etag"]}).status_code == 304
