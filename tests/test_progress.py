"""Progress: what counts, what is compared with what, what may be added, and what is shown where."""

import json
import re
from datetime import date
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.analysis.progress import reading
from app.analysis.progress.assembly import progress
from app.analysis.progress.figures import MAX_FIGURES
from app.analysis.progress.reading import parts_below
from app.core.database.engine import Database
from app.core.stored_records import query_in_order
from app.figures.models import FIGURES
from app.projects.models import PROJECTS
from tests.support.databases import url_of
from tests.support.http import client_of
from tests.support.records import figure, project, stated, store

SMART = "/v1/projects/smart-factory-cooperation/progress"


def entries(
    *figures: dict[str, Any], manager: str | None = None, direction: str = "up", since: str | None = None
) -> list[Any]:
    given = [stated(each) for each in figures]
    indicators = {"enterprises-supported": {"name": {"en": "x"}, "direction": direction}}
    return progress(given, manager, [], indicators, date.fromisoformat(since) if since else None)


def entry(*figures: dict[str, Any], **how: Any) -> Any:
    (found,) = entries(*figures, **how)
    return found


def ids(numbers: list[Any]) -> list[str]:
    return [number.figure["id"] for number in numbers]


def test_the_smart_factory_project_is_half_way_and_its_plan_completes_it(client: TestClient) -> None:
    answered = client.get(SMART).json()
    enterprises, experts = answered["indicators"]
    assert enterprises["name"]["en"] == "Enterprises supported"
    assert [number["figure"]["value"] for number in enterprises["targets"]] == [50]
    (actual,) = enterprises["actuals"]
    assert (actual["figure"]["value"], actual["figure"]["period"]["latest"]) == (26, "2022-12-31")
    assert actual["progress"] == enterprises["progress"]
    stand = enterprises["progress"]
    assert (stand["percentage"], stand["gap"], stand["computed"], stand["date"]) == (52, 24, "26 / 50", "2022-12-31")
    assert (stand["compared_by"], stand["reached"], stand["qualifier"]) == ("relation", False, "exact")
    assert [part["figure"]["value"] for part in actual["parts"]] == [14, 12]
    assert actual["figure"]["citations"][0]["as_written"] == "26 doanh nghiệp"
    (plan,) = enterprises["plans"]
    assert (plan["figure"]["value"], plan["figure"]["period"]["edtf"]) == (24, "2023")
    (added,) = enterprises["sums"]
    assert (added["computed"], added["equal"]) == ("26 + 24 = 50", True)
    assert (experts["progress"]["computed"], experts["progress"]["percentage"]) == ("51 / 100", 51)


def test_parts_are_shown_once_under_their_roll_up(client: TestClient) -> None:
    parts = client.get(SMART).json()["parts"]
    assert {part["project"] for part in parts} == {"smart-factory-batch-1-2023", "smart-factory-support-in-localities"}
    batch, localities = sorted(parts, key=lambda part: str(part["project"]))
    assert [number["figure"]["value"] for number in batch["indicators"][0]["actuals"]] == [12]
    assert len(batch["indicators"][0]["actuals"][0]["parts"]) == 5
    assert batch["rolls_up"]
    assert [part["project"] for part in localities["parts"]] == ["da-nang-smart-factory-project"]
    below = client.get("/v1/projects/smart-factory-support-in-localities/progress").json()
    under = {part["project"]: part["rolls_up"] for part in below["parts"]}
    assert under == {"smart-factory-batch-1-2023": False, "da-nang-smart-factory-project": True}


def test_an_actual_without_target_and_a_target_without_actual_are_not_zero() -> None:
    alone = entry(figure("a", "actual", 5)).progress
    assert (alone.percentage, alone.gap, alone.reached, alone.why_not) == (None, None, None, "no_target")
    waiting = entry(figure("t", "target", 5)).progress
    assert (waiting.target, waiting.percentage, waiting.why_not) == ("t", None, "no_actual")
    none_done = entry(figure("t", "target", 5), figure("a", "actual", 0)).progress
    assert (none_done.percentage, none_done.gap, none_done.reached, none_done.why_not) == (0, 5, False, None)
    zero = entry(figure("t", "target", 0), figure("a", "actual", 3), direction="down").progress
    assert (zero.percentage, zero.gap, zero.reached, zero.why_not) == (None, -3, False, "zero_target")
    words = entry(figure("t", "target", None, text={"en": "many"}), figure("a", "actual", 3))
    assert (words.progress.why_not, words.targets[0].figure["value"]) == ("no_value", None)
    assert entry(figure("t", "target", 5), figure("a", "actual", -3)).progress.why_not == "negative"


@pytest.mark.parametrize(
    ("actual", "target", "percentage", "qualifier", "reached"),
    [
        ({"value": 26, "qualifier": "more_than"}, {"value": 50}, (52, None), "more_than", None),
        ({"value": 60, "qualifier": "at_least"}, {"value": 50}, (120, None), "at_least", True),
        ({"value": 26}, {"value": 50, "qualifier": "at_least"}, (52, None), "at_most", False),
        ({"value": 26, "qualifier": "about"}, {"value": 50}, (52, None), "about", None),
        ({"value": 26, "qualifier": "nearly"}, {"value": 50, "qualifier": "nearly"}, (52, None), "about", None),
        ({"value": 26, "qualifier": "as_many_as"}, {"value": 50}, (52, None), "exact", False),
        ({"value": 20, "value_high": 30}, {"value": 50}, (40, 60), "exact", False),
        ({"value": 20}, {"value": 40, "value_high": 50}, (40, 50), "exact", False),
        ({"value": 20, "qualifier": "at_least"}, {"value": 50, "qualifier": "at_least"}, (None, None), None, None),
        ({"value": 1}, {"value": 3}, (33.3333, None), "exact", False),
        ({"value": 0.1}, {"value": 0.3}, (33.3333, None), "exact", False),
    ],
)
def test_percentages_carry_ranges_and_qualifiers(
    actual: Any, target: Any, percentage: Any, qualifier: Any, reached: Any
) -> None:
    one, other = figure("t", "target", **target), figure("a", "actual", **actual)
    found = entry(one, other).progress
    assert (found.percentage, found.percentage_high) == percentage
    assert (found.qualifier, found.reached) == (qualifier, reached)
    assert (found.why_not == "uncertain") is (percentage[0] is None)


def test_whether_it_is_good_follows_the_direction() -> None:
    both = figure("t", "target", 10), figure("a", "actual", 12)
    assert [entry(*both, direction=way).progress.reached for way in ("up", "down", "none")] == [True, False, None]


def test_the_target_is_the_named_one_else_that_of_the_period() -> None:
    targets = figure("early", "target", 10, "2021/2022"), figure("late", "target", 20, "2023/2024")
    by_period = entry(*targets, figure("a", "actual", 5, "../2023-06")).progress
    assert (by_period.target, by_period.compared_by) == ("late", "period")
    named = [{"kind": "compared_with", "figure": "early"}]
    by_name = entry(*targets, figure("a", "actual", 5, "../2023-06", relations=named)).progress
    assert (by_name.target, by_name.compared_by) == ("early", "relation")
    assert entry(*targets, figure("a", "actual", 5, "../2025")).progress.why_not == "no_target"
    level = figure("level", "target", 9, "2050", measured="at_date")
    assert entry(level, figure("a", "actual", 5, "2022", measured="at_date")).progress.target == "level"
    assert entry(figure("t", "target", 9, None), figure("a", "actual", 5, None)).progress.target == "t"
    assert entry(figure("t", "target", 9, "2023"), figure("a", "actual", 5, None)).progress.target is None


def test_breakdowns_and_areas_are_kept_apart() -> None:
    women = figure("w", "target", 5, breakdown={"sex": "female"})
    everybody = figure("t", "target", 50), figure("a", "actual", 20)
    assert [each.breakdown for each in entries(women, *everybody)] == [{}, {"sex": "female"}]
    areas = figure("t1", "target", 5, places=["da-nang"]), figure("t2", "target", 9, places=["ha-noi"])
    done = figure("a1", "actual", 1, places=["da-nang"]), figure("a2", "actual", 3, places=["ha-noi"])
    shares = {each.progress.target: each.progress.percentage for each in entries(*areas, *done)}
    assert shares == {"t1": 20, "t2": 33.3333}


def test_a_stage_of_a_longer_target_is_no_progress_to_date() -> None:
    target = figure("t", "target", 50, "2021/2023", measured="over_period")
    stage = figure("a", "actual", 10, "2022", measured="over_period")
    assert entry(target, stage).progress.why_not == "part_of_period"
    assert entry(target, stage).actuals[0].progress.percentage == 20
    to_date = figure("c", "actual", 9, "../2021", measured="cumulative")
    assert entry(target, stage, to_date).progress.why_not == "part_of_period"  # who knows since when it counts
    assert entry(target, stage, to_date, since="2021-01-01").progress.computed == "(9 + 10) / 50"


def test_a_total_up_to_a_day_is_not_measured_against_one_year() -> None:
    year = figure("year", "target", 20, "2023", measured="over_period")
    whole = figure("whole", "target", 50, "2022/2024", measured="over_period")
    own, total = figure("own", "actual", 18, "2023", measured="over_period"), figure("total", "actual", 30, "../2023")
    found = entry(year, whole, own, total, since="2022-03-01").progress
    assert (found.actual, found.target, found.computed, found.reached) == ("total", "whole", "30 / 50", False)
    alone = entry(year, own, total, since="2022-03-01")
    assert (alone.progress.actual, alone.progress.computed) == ("own", "18 / 20")
    assert [each.progress.target for each in alone.actuals] == [None, "year"]
    assert entry(year, total, since="2023-01-01").progress.computed == "30 / 20"
    two_years = figure("two", "actual", 40, "2022/2023", measured="over_period")
    assert entry(year, two_years).progress.why_not == "no_target"


def test_results_of_one_year_after_the_other_are_added_up() -> None:
    target = figure("t", "target", 100, "2022/2024", measured="over_period")
    years = [figure(f"a{year}", "actual", year - 1990, str(year), measured="over_period") for year in range(2021, 2026)]
    found = entry(target, *years).progress
    assert (found.actual, found.added, found.computed) == ("a2024", ["a2022", "a2023", "a2024"], "(32 + 33 + 34) / 100")
    assert (found.percentage, found.gap, found.reached, found.date) == (99, 1, False, "2024-12-31")
    gap = entry(target, years[1], years[3]).progress
    assert (gap.actual, gap.added, gap.computed, gap.date) == ("a2022", [], "32 / 100", "2022-12-31")
    said_otherwise = {**years[2], "id": "other", "value": 40}
    assert entry(target, years[1], years[2], said_otherwise).progress.computed == "32 / 100"
    said_again = {**years[2], "id": "again"}
    quarter = {**years[2], "id": "quarter", "value": 5, "period": "2023-01/2023-03"}
    assert entry(target, years[1], years[2], said_again, quarter).progress.computed == "(32 + 33) / 100"
    elsewhere = {**years[2], "places": ["da-nang"]}
    assert entry(target, years[1], elsewhere).progress.computed == "32 / 100"
    last = figure("end", "actual", 7, "9999", measured="over_period")
    assert entry({**target, "period": "9999"}, last).progress.computed == "7 / 100"
    total = figure("c", "actual", 26, "../2022")
    assert entry(target, total, years[2], since="2022-01-01").progress.computed == "(26 + 33) / 100"
    plan = figure("p", "plan", 35, "2024", measured="over_period")
    (added,) = entry(target, years[1], years[2], plan).sums
    assert (added.added, added.computed, added.equal) == (["a2022", "a2023", "p"], "32 + 33 + 35 = 100", True)


def test_the_latest_result_is_one_with_a_target_and_of_its_area() -> None:
    target = figure("t", "target", 50, "../2023")
    country, later = figure("all", "actual", 26, "../2022"), figure("late", "actual", 60, "../2024-03")
    hanoi = figure("hanoi", "actual", 5, "../2023-03", places=["ha-noi"])
    assert entry(target, country, hanoi).progress.computed == "26 / 50"
    assert entry(target, hanoi).progress.computed == "5 / 50"
    assert entry(target, country, later).progress.computed == "26 / 50"
    assert entry(target, later).progress.why_not == "no_target"


def test_a_target_of_another_project_counts_when_its_own_manager_says_it(seeded_database: Database) -> None:
    store(seeded_database, PROJECTS, project("whole", managed_by="unido"), project("part", "whole", managed_by="moit"))
    own: dict[str, Any] = {"citations": [], "project": "whole", "managed_by": "unido"}
    aim, claim = figure("aim", "target", 50, **own), figure("claim", "target", 9, **{**own, "managed_by": "seco"})
    store(seeded_database, FIGURES, aim, claim)
    for day, target in (("01", "aim"), ("02", "claim")):
        said: dict[str, Any] = {"citations": [], "project": "part", "managed_by": "moit"}
        named = [{"kind": "compared_with", "figure": target}]
        store(seeded_database, FIGURES, figure(f"of-{target}", "actual", 25, f"../2023-{day}", relations=named, **said))
    with client_of(url_of(seeded_database)) as client:
        (shown,) = client.get("/v1/projects/part/progress").json()["indicators"]
    assert [each["progress"]["computed"] for each in shown["actuals"]] == ["25 / 50", None]
    assert shown["progress"]["target"] == "aim"


def test_competing_actuals_of_one_date_have_no_common_percentage() -> None:
    said = figure("t", "target", 50), figure("a", "actual", 10), figure("b", "actual", 11)
    found = entry(*said)
    assert (found.progress.why_not, found.progress.percentage, found.progress.gap) == ("competing", None, None)
    assert [each.progress.percentage for each in found.actuals] == [20, 22]


def test_only_a_total_and_the_plan_that_continues_it_are_added() -> None:
    target = figure("t", "target", 50, "2022/2023")
    total, plan = figure("a", "actual", 26, "../2022"), figure("p", "plan", 20, "2023", measured="over_period")
    (added,) = entry(target, total, plan).sums
    assert (added.added, added.value, added.target, added.equal) == (["a", "p"], 46, "t", False)
    (about,) = entry(target, total, {**plan, "qualifier": "about"}).sums
    assert (about.qualifier, about.equal) == ("about", None)
    assert entry(total, plan).sums[0].equal is None
    for other in (
        {**total, "measured": "over_period"},
        {**total, "period": "../2022-11"},
        {**total, "period": "../2023-01"},
        {**total, "unit": "project"},
        {**total, "value": None, "text": {"en": "many"}},
    ):
        assert [sums for each in entries(target, other, plan) for sums in each.sums] == []
    women = {"breakdown": {"sex": "female"}}
    assert [sums for each in entries(target, {**total, **women}, {**plan, **women}) for sums in each.sums] == []


def test_claims_of_others_stand_beside_and_do_not_count() -> None:
    target = figure("t", "target", 50)
    own = figure("own", "actual", 10, citations=[], managed_by="moit")
    other = figure("other", "actual", 45, citations=[], managed_by="seco")
    found = entry(target, own, other, manager="moit")
    assert (found.progress.actual, ids(found.actuals), ids(found.claims)) == ("own", ["own"], ["other"])
    assert found.claims[0].progress is None
    only = entry(other, manager="moit")
    assert (ids(only.claims), only.progress.why_not) == (["other"], "no_actual")
    assert ids(entry(other, manager=None).claims) == ["other"]
    named = figure("a", "actual", 5, relations=[{"kind": "compared_with", "figure": "wish"}])
    wish = figure("wish", "target", 9, citations=[], managed_by="seco")
    assert entry(named, wish, manager="moit").progress.why_not == "no_target"


def test_parts_of_a_total_that_go_round_are_shown_once() -> None:
    def part(name: str, of: str) -> dict[str, Any]:
        return figure(name, "actual", 1, relations=[{"kind": "part_of", "figure": of}])

    def walk(numbers: list[Any]) -> list[str]:
        return [each for number in numbers for each in (number.figure["id"], *walk(number.parts))]

    for circle in (("a", "a"), ("a", "b", "b", "a"), ("a", "b", "b", "c", "c", "b")):
        figures = [part(one, of) for one, of in zip(circle[::2], circle[1::2], strict=True)]
        assert sorted(walk(entry(*figures).actuals)) == sorted(set(circle))
    chain = [part(f"n{number:03}", f"n{number + 1:03}") for number in range(300)] + [figure("n300", "actual", 1)]
    assert len(walk(entry(*chain).actuals)) == 301


def test_projects_that_go_round_are_shown_once() -> None:
    def project(name: str, *wholes: str) -> dict[str, Any]:
        return {"id": name, "part_of": list(wholes)}

    circle = [project("top", "b"), project("a", "b", "top"), project("b", "a")]
    below = parts_below(circle)
    assert sorted(each["id"] for parts in below.values() for each in parts) == ["a", "b"]
    rolled = parts_below([project("top"), project("x", "top"), project("y", "x", "top")])
    assert [each["id"] for each in rolled["x"]] == ["y"]


def test_drafts_never_count(seeded_database: Database) -> None:
    store(seeded_database, PROJECTS, project("hidden", "smart-factory-cooperation", state="draft"))
    store(seeded_database, PROJECTS, project("below-hidden", "hidden"))
    store(seeded_database, FIGURES, figure("later", "actual", 49, "../2023-11", state="draft"))
    with client_of(url_of(seeded_database)) as client:
        answered = client.get(SMART)
        assert answered.json()["indicators"][0]["progress"]["percentage"] == 52
        assert "hidden" not in answered.text
        assert client.get("/v1/projects/hidden/progress").status_code == 404
        assert "hidden" not in client.get("/v1/progress?limit=50").text


def test_cycles_depth_and_numbers_of_projects_are_bounded(seeded_database: Database) -> None:
    chain = [project(f"chain-{number}", f"chain-{number - 1}") for number in range(1, 30)]
    store(seeded_database, PROJECTS, project("chain-0", "chain-29"), *chain)
    store(
        seeded_database, PROJECTS, project("wide"), *(project(f"narrow-{number:03}", "wide") for number in range(250))
    )
    with client_of(url_of(seeded_database)) as client:
        answered = client.get("/v1/projects/chain-0/progress").json()
        assert answered["more_parts"] is True
        assert json.dumps(answered).count('"rolls_up": true') == 10
        wide = client.get("/v1/projects/wide/progress").json()
        assert (len(wide["parts"]), wide["more_parts"]) == (200, True)


def test_a_dense_tree_is_read_to_a_limit(seeded_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 12,000 sub-projects that are part of 19 others each, the page of a project took 2 s, and more with more."""
    names = [f"dense-{number:02}" for number in range(60)]
    dense = [project(name, "dense", *names[max(0, number - 10) : number]) for number, name in enumerate(names)]
    store(seeded_database, PROJECTS, project("dense"), *dense)
    monkeypatch.setattr(reading, "MAX_TREE", 70)
    limited = query_in_order(PROJECTS, reading.project_tree())
    with client_of(url_of(seeded_database)) as client:
        assert len(client.get("/v1/projects/dense/progress").json()["parts"]) == 60
        monkeypatch.setattr(reading, "PROJECT_TREE", limited)
        assert len(client.get("/v1/projects/dense/progress").json()["parts"]) == 60  # the nearest ones come first
    monkeypatch.setattr(reading, "MAX_TREE", 20)
    monkeypatch.setattr(reading, "PROJECT_TREE", query_in_order(PROJECTS, reading.project_tree()))
    with client_of(url_of(seeded_database)) as client:
        assert len(client.get("/v1/projects/dense/progress").json()["parts"]) == 19


def test_the_figures_of_other_partners_leave_room_for_the_own_ones(seeded_database: Database) -> None:
    """With 1,000 figures or five large ones, one partner could make the progress and page of any project fail."""
    with client_of(url_of(seeded_database)) as client:
        before = client.get(SMART).json()
    large = {f"a{letter}": "x" * 20_000 for letter in ascii_lowercase}  # 0.5 MB
    claim: dict[str, Any] = {"citations": [], "managed_by": "unido"}
    texts = [figure(f"a-{number}", "actual", None, text=large, **claim) for number in range(10)]
    store(seeded_database, FIGURES, *texts)
    many = [figure(f"many-{number:04}", "actual", 1, **claim) for number in range(MAX_FIGURES)]
    store(seeded_database, FIGURES, *many, figure("z-of-asean", "actual", 3, citations=[], managed_by="asean"))
    with client_of(url_of(seeded_database)) as client:
        after = client.get(SMART).json()
        for path in ("/v1/progress?project=smart-factory-cooperation", "/projects/smart-factory-cooperation"):
            assert client.get(path).status_code == 200, path
        included = client.get("/v1/projects/smart-factory-cooperation?include=progress")
    assert (before["more_figures"], after["more_figures"], included.status_code) == (False, True, 200)
    assert len(after["indicators"]) == len(before["indicators"])
    for left, right in zip(before["indicators"], after["indicators"], strict=True):
        assert {**left, "claims": []} == {**right, "claims": []}
    assert "z-of-asean" in json.dumps(after)  # partners take turns


def test_the_first_figures_of_a_project_with_too_many_are_read(seeded_database: Database) -> None:
    many = [figure(f"many-{number:04}", "actual", 1, indicator="experts-trained") for number in range(MAX_FIGURES)]
    store(seeded_database, FIGURES, *many)
    with client_of(url_of(seeded_database)) as client:
        assert client.get(SMART).json()["more_figures"] is True
        narrow = client.get(f"{SMART}?indicator=enterprises-supported").json()
        assert ([each["indicator"] for each in narrow["indicators"]], narrow["more_figures"]) == (
            ["enterprises-supported"],
            False,
        )


def test_the_list_walks_every_project_with_figures_once(client: TestClient) -> None:
    figures = client.get("/v1/figures?kind=target&kind=plan&kind=actual&kind=baseline&limit=200").json()["items"]
    wanted = sorted({each["project"] for each in figures if each["project"]})
    path, found = "/v1/progress?limit=2", []
    while path:
        page = client.get(path).json()
        found += [item["project"] for item in page["items"]]
        path = page["next"]
    assert found == wanted


def test_the_list_is_filtered_like_projects_and_by_indicator(client: TestClient) -> None:
    def projects(query: str) -> list[str]:
        return [item["project"] for item in client.get(f"/v1/progress?{query}").json()["items"]]

    assert projects("project=smart-factory-cooperation") == ["smart-factory-cooperation"]
    assert projects("project=smart-factory-cooperation&project=nobody&status=completed") == []
    assert projects("partner=samsung-vietnam&role=implementing&place=viet-nam")
    (item,) = client.get("/v1/progress?indicator=experts-trained").json()["items"]
    assert [each["indicator"] for each in item["indicators"]] == ["experts-trained"]
    whole = client.get(SMART).json()["indicators"]
    assert client.get("/v1/progress?project=smart-factory-cooperation").json()["items"][0]["indicators"] == whole


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/projects/nobody/progress", 404),
        ("/v1/projects/facets/progress", 404),
        ("/v1/projects/%00/progress", 404),
        (f"{SMART}?indicator=%00", 400),
        (f"{SMART}?indicator=A", 422),
        (f"{SMART}?indicator=", 422),
        (f"{SMART}?limit=1", 422),
        ("/v1/progress?indicater=x", 422),
        ("/v1/progress?limit=0", 422),
        ("/v1/progress?limit=201", 422),
        ("/v1/progress?limit=9223372036854775808", 422),
        ("/v1/progress?cursor=", 400),
        ("/v1/progress?cursor=%F0%9F%98%80", 400),
        ("/v1/progress?id=smart-factory-cooperation", 422),
    ],
)
def test_what_cannot_be_asked_is_refused(client: TestClient, path: str, status: int) -> None:
    answered = client.get(path)
    assert answered.status_code == status
    assert answered.headers["content-type"] == "application/problem+json"


def test_a_cursor_is_bound_to_its_filters(client: TestClient) -> None:
    following = client.get("/v1/progress?limit=1").json()["next"]
    assert client.get(f"{following}&status=active").status_code == 400


def test_readme_shows_the_progress_that_is_answered(client: TestClient) -> None:
    pattern = r"progress' \| jq '\.indicators\[0\] \| \{progress, sums\}'\n(.*?)\n```"
    (shown,) = re.findall(pattern, (Path(__file__).parents[1] / "README.md").read_text("utf-8"), re.DOTALL)
    answered = client.get(SMART).json()["indicators"][0]
    assert json.loads(shown) == {"progress": answered["progress"], "sums": answered["sums"]}


def test_progress_has_a_tag(client: TestClient) -> None:
    for path in (SMART, "/v1/progress"):
        tag = client.get(path).headers["etag"]
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
