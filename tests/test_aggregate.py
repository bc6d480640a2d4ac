"""Aggregates: groups equal a plain recomputation, and nothing is added that must not be."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, literal, select, text
from starlette.testclient import TestClient

from app.analysis.aggregates import reading
from app.analysis.aggregates.grouping import COLUMNS
from app.analysis.aggregates.hierarchy import Above, Hierarchy, TooManyAbove, transitive_parents
from app.analysis.aggregates.places import MAX_ADDED
from app.analysis.aggregates.reading import MAX_LEFT_OUT, Aggregates
from app.analysis.aggregates.sums import (
    NOT_ADDED_KINDS,
    NOT_ADDED_UNITS,
    split_summands,
    total,
)
from app.core.change_log import CHANGES
from app.core.database.engine import Database
from app.core.database.statements import Query
from app.core.maintenance.rerender import render_all_again
from app.core.maintenance.schema import migrate
from app.core.values.numbers import Quantity
from app.figures.indicators import INDICATORS
from app.figures.models import FIGURES, PLACES_OF
from app.places.models import PLACES
from app.projects.models import PROJECTS
from tests.support.databases import NewDatabase, migrate_down, url_of
from tests.support.http import PATCH, client_of, get, walk
from tests.support.imports import ended, lines_of
from tests.support.keys import Key
from tests.support.log import redact
from tests.support.records import FIGURE, figure, project, stated, store
from tests.support.selection import examples

PATH = "/v1/figures/aggregate"


def above(*edges: tuple[str, str]) -> Above:
    return transitive_parents(edges, [low for low, _ in edges])


HIGHER = Hierarchy(
    above(("part", "whole"), ("part-of-part", "part"), ("round", "about"), ("about", "round")),
    above(("sub", "main")),
    above(("ha-noi", "viet-nam"), ("da-nang", "viet-nam"), ("ha-tay", "viet-nam"), ("ha-tay", "ha-noi")),
    above(("ha-tay", "ha-noi")),
    above(("department", "moit"), ("mpi", "mof")),
)


def number(figure_id: str, value: Any, period: str | None = "2023", **more: Any) -> dict[str, Any]:
    return figure(figure_id, "actual", value, period, **{"measured": "over_period", **more})


def added(*figures: dict[str, Any]) -> tuple[Any, dict[str, tuple[str, str | None]]]:
    kept, left = split_summands([stated(each) for each in figures], HIGHER)
    quantity = total(kept)
    return quantity and (quantity.value, quantity.high), {each.figure: (each.reason, each.because_of) for each in left}


def related(kind: str, *others: str) -> list[dict[str, str]]:
    return [{"kind": kind, "figure": other} for other in others]


AT: dict[str, Any] = {"project": "main", "places": ["viet-nam"]}


@pytest.mark.parametrize(
    ("figures", "value", "left"),
    [
        ([number("a", 1, project="one"), number("b", 2, project="two")], 3, {}),
        ([number("a", 1, "2022"), number("b", 2, "2023")], 3, {}),
        ([number("whole", 5), number("part", 3), number("part-of-part", 2)], 5,
         {"part": ("part_of", "whole"), "part-of-part": ("part_of", "part")}),
        ([number("whole", 5), number("part-of-part", 2)], 5, {"part-of-part": ("part_of", "whole")}),
        ([number("part", 3)], 3, {}),
        ([number("whole", None, text={"en": "many"}), number("part", 3)], 3, {"whole": ("no_value", None)}),
        ([number("round", 3), number("about", 4)], 4, {"round": ("part_of", "about")}),
        ([number("b", 3, relations=related("same_as", "a")), number("a", 3)], 3, {"b": ("same_as", "a")}),
        ([number("part", 3), number("z", 3, "2020", relations=related("same_as", "part")), number("whole", 9)], 9,
         {"z": ("same_as", "part"), "part": ("part_of", "whole")}),
        ([number("a", 10, "../2021", measured="cumulative"), number("b", 26, "../2022", measured="cumulative")], 26,
         {"a": ("earlier_total", "b")}),
        ([number("a", 10, "2021", measured="at_date"), number("b", 26, "2022", measured="at_date")], 26,
         {"a": ("earlier_total", "b")}),
        ([number("a", 26, "../2022", measured="cumulative"), number("b", 5, "2022")], 26,
         {"b": ("overlapping_period", "a")}),
        ([number("a", 26, "../2022", measured="cumulative"), number("b", 24, "2023")], 50, {}),
        ([number("a", 7, "2022"), number("b", 50, "2022/2023")], 50, {"a": ("overlapping_period", "b")}),
        ([number("a", 7), number("b", 8)], 7, {"b": ("competing", "a")}),
        ([number("a", 7, None), number("b", 8)], 8, {"a": ("overlapping_period", "b")}),
        ([number("a", 7, **AT), number("b", 3, **{**AT, "places": ["da-nang"]})], 7, {"b": ("within_area", "a")}),
        ([number("a", 7, "2022", **AT), number("b", 3, **{**AT, "places": ["da-nang"]})], 10, {}),
        ([number("a", 7, places=["ha-noi"]), number("b", 3, places=["da-nang"])], 10, {}),
        ([number("a", 7, places=["ha-noi"]), number("b", 3, places=["ha-tay"])], 7, {"b": ("merged_area", "a")}),
        ([number("a", 7, "2009", places=["ha-noi"]), number("b", 3, "2007", places=["ha-tay"])], 10, {}),
        ([number("a", 7, project="main"), number("b", 3, project="sub")], 7, {"b": ("within_project", "a")}),
        ([number("a", 7), number("b", 3, breakdown={"sex": "female"})], 7, {"b": ("within_breakdown", "a")}),
        ([number("a", 7, breakdown={"sex": "male"}), number("b", 3, breakdown={"sex": "female"})], 10, {}),
        ([number("a", 7, partner="moit"), number("b", 3, partner="seco")], 10, {}),
        ([number("a", 7, partner="moit"), number("b", 3)], 7, {"b": ("competing", "a")}),
        ([number("a", 7, partner="department"), number("b", 9, partner="moit")], 9, {"a": ("within_partner", "b")}),
        ([number("a", 50, "../2024", measured="cumulative", partner="mpi"),
          number("b", 70, "../2025", measured="cumulative", partner="mof")], 70, {"a": ("within_partner", "b")}),
        ([number("a", 5, breakdown={"size": "small"}), number("b", 60, breakdown={"region": "north"}),
          number("c", 40, breakdown={"region": "south"})], 100, {"a": ("within_breakdown", "b")}),
        ([number("a", 0.1, "2021"), number("b", 0.2, "2022")], Decimal("0.3"), {}),
        ([], None, {}),
    ],
)  # fmt: skip
def test_what_must_not_be_added_is_left_out_with_its_reason(figures: Any, value: Any, left: Any) -> None:
    found, reasons = added(*figures)
    assert (found and found[0]) == value
    assert reasons == left


def test_ranges_and_qualifiers_are_added_too() -> None:
    ranged, about = number("a", 10, value_high=12), number("b", 5, qualifier="about")
    most, more = number("c", 1, qualifier="at_most"), number("d", 1, qualifier="more_than")
    assert total([stated(ranged), stated(about)]) == Quantity(Decimal(15), Decimal(17), "about")
    several = [([about], "about"), ([ranged, most], "at_most"), ([most, more], None), ([about, most, more], None)]
    for figures, qualifier in several:
        summed = total([stated(each) for each in figures])
        assert summed is not None
        assert summed.qualifier == qualifier


def random_figures(chance: random.Random, count: int) -> Iterator[dict[str, Any]]:
    for position in range(count):
        others = [f"random-{chance.randrange(count):03}" for _ in range(2)]
        kinds = ["part_of", "part_of", "same_as", "compared_with"]
        words = chance.random() < 0.1
        low = chance.randrange(100)
        yield figure(
            f"random-{position:03}",
            chance.choice(["actual", "actual", "target", "rank"]),
            None if words else low,
            chance.choice(["2021", "2022", "2023-05", "2021/2023", "../2022", "2022/..", None]),
            value_high=low + 5 if chance.random() < 0.1 and not words else None,
            text={"en": "many"} if words else None,
            indicator=chance.choice(["random-enterprises", "random-experts"]),
            unit=chance.choice(["enterprise", "enterprise", "percent"]),
            measured=chance.choice(["over_period", "over_period", "cumulative", "at_date", None]),
            qualifier=chance.choice(["exact", "exact", "about", "at_least"]),
            places=chance.sample(["viet-nam", "da-nang", "ha-noi", "random-ha-tay"], chance.choice([0, 1, 1, 2])),
            breakdown=chance.choice([{}, {}, {"sex": "nữ"}, {"sex": "nam", "age": "young"}]),
            relations=related(chance.choice(kinds), chance.choice(others)) if chance.random() < 0.3 else [],
            project=chance.choice([None, "random-main", "random-sub", "random-other", "random-third"]),
            partner=chance.choice([None, None, "moit"]),
            state="draft" if chance.random() < 0.1 else "published",
        )


def figures_of_projects(chance: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Figures about one place, most of which are alone in their project, with a unit or value that needs care."""
    for position, made in enumerate(random_figures(chance, count)):
        others = [f"island-{chance.randrange(count)}"] if chance.random() < 0.1 else []
        project_id = chance.choice(["random-main", "random-sub", *(f"random-{chance.randrange(60)}" for _ in range(9))])
        changed = {"id": f"island-{position}", "places": ["random-island"], "project": project_id}
        value = made["value"] and made["value"] + chance.choice([0, 0.25, 0.5, 10**14])
        yield {
            **made,
            **changed,
            "value": value,
            "value_high": None,
            "unit": chance.choice(["enterprise"] * 9 + ["percent"]),
            "relations": [{"kind": chance.choice(["part_of", "same_as"]), "figure": other} for other in others],
        }


@pytest.fixture(scope="module")
def randomly(new_database: NewDatabase, seeded: str) -> Iterator[TestClient]:
    url = new_database(seeded)
    database = Database(url)
    names = [
        {"id": f"random-{name}", "name": {"en": name}, "unit": "enterprise"} for name in ("enterprises", "experts")
    ]
    wide = (
        project("random-main"),
        project("random-sub", "random-main"),
        project("random-other"),
        project("random-third"),
    )
    merged = {"id": "random-ha-tay", "name": {"vi": "Hà Tây"}, "level": "province", "succeeded_by": ["ha-noi"]}
    store(database, INDICATORS, *names)
    store(database, PROJECTS, *wide)
    store(database, PLACES, merged)
    store(database, FIGURES, *random_figures(random.Random(7), 300))
    store(database, PLACES, {"id": "random-island", "name": {"en": "Island"}, "level": "locality"})
    store(database, PROJECTS, *(project(f"random-{number}") for number in range(60)))
    store(database, FIGURES, *figures_of_projects(random.Random(8), 80))
    database.close()
    with client_of(url) as made:
        yield made


def plain_keys(record: dict[str, Any], names: list[str]) -> list[tuple[Any, ...]]:
    """The groups of a figure, recomputed from its representation alone."""
    period = record["period"]
    year = None
    if period and period["latest"]:
        first, last = (period["earliest"] or "0001")[:4], period["latest"][:4]
        year = int(last) if first == last or record["measured"] in ("cumulative", "at_date") else None
    keys = []
    for place in record["places"] or [None]:
        for dimension, value in record["breakdown"].items() or [(None, None)]:
            ends = period and (period["earliest"], period["latest"])
            special = {"place": place, "dimension": dimension, "dimension_value": value, "year": year, "period": ends}
            keys.append(tuple(special[name] if name in special else record[name] for name in names))
    return list(dict.fromkeys(keys))


def shown_key(group: dict[str, Any], names: list[str]) -> tuple[Any, ...]:
    values = [group["key"][name] for name in names]
    return tuple((value["earliest"], value["latest"]) if isinstance(value, dict) else value for value in values)


GROUPINGS = [
    "indicator", "kind", "place", "indicator,place", "indicator,year", "period,indicator", "indicator,dimension",
    "indicator,dimension_value,place", "project,indicator", "partner,measured",
    ",".join(name for name in COLUMNS if name != "unit_text"),
]  # fmt: skip


@pytest.mark.parametrize("filters", ["place=viet-nam", "place=ha-noi&relation=part_of", "place=ha-noi&period=2022"])
def test_groups_are_the_same_without_gathered_links(
    randomly: TestClient, filters: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gathered = get(randomly, f"{PATH}?{filters}&limit=998")
    monkeypatch.setattr(Aggregates, "_build_few_links", lambda *_: Query(select(literal(0))))
    assert get(randomly, f"{PATH}?{filters}&limit=999") == gathered
    assert gathered["groups"]


OF_PLACE = [f"place={place}" for place in ("da-nang", "random-ha-tay", "random-island", "hai-phong")]
OF_PLACE += [
    f"{OF_PLACE[0]}&{more}" for more in ("kind=actual", "unit=enterprise&unit=percent", "qualifier=about", "kind=rank")
]
OF_PLACE += ["place=random-island&indicator=random-experts&kind=actual", "place=random-island&kind=target"]
OF_PLACE += ["place=viet-nam", "place=viet-nam&kind=target&qualifier=about", "place=da-nang&place=random-island"]
OF_PLACE += ["place=ha-noi&place=viet-nam&indicator=random-experts&indicator=random-enterprises"]


@pytest.mark.parametrize("group_by", ["indicator", "kind", "unit", "project", "indicator,project", "project,unit,kind"])
def test_links_to_a_place_give_the_groups_of_its_figures(
    randomly: TestClient, group_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [f"{PATH}?group_by={group_by}&{filters}&limit=" for filters in OF_PLACE]
    linked = [get(randomly, f"{path}998") for path in paths]
    monkeypatch.setattr(reading, "concerns_places", lambda *_: False)
    assert [get(randomly, f"{path}999") for path in paths] == linked
    assert sum(group["left_out_count"] > 0 for each in linked for group in each["groups"]) > 0
    assert any(group["added"] > 3 for each in linked for group in each["groups"]) == ("project" not in group_by)


@pytest.mark.parametrize("group_by", GROUPINGS)
@pytest.mark.parametrize(
    "filters", ["", "&indicator=random-experts&place=viet-nam", "&relation=part_of", "&period=2022"]
)
def test_groups_equal_a_plain_recomputation(randomly: TestClient, group_by: str, filters: str) -> None:
    names = list(dict.fromkeys([*group_by.split(","), "kind", "unit"]))
    records = {each["id"]: each for each in walk(randomly, f"/v1/figures?limit=200{filters}")}
    expected: dict[tuple[Any, ...], list[str]] = {}
    for record in records.values():
        for key in plain_keys(record, names):
            expected.setdefault(key, []).append(record["id"])
    answered = get(randomly, f"{PATH}?group_by={group_by}&limit=1000{filters}")
    assert not answered["more"]
    assert [shown_key(group, names) for group in answered["groups"]] == sorted(
        expected, key=lambda key: [(part is None, str(part)) for part in order(key)]
    )
    for group in answered["groups"]:
        members = [records[each] for each in expected[shown_key(group, names)]]
        values = [each["value"] for each in members if each["value"] is not None]
        assert group["count"] == len(members)
        assert (group["min"], group["max"]) == (min(values, default=None), max(values, default=None))
        check_sum(group, members)


def order(key: tuple[Any, ...]) -> list[Any]:
    """A key as the columns have it: a period is two of them, open ends far away."""
    parts: list[Any] = []
    for part in key:
        if isinstance(part, tuple):
            parts += [part[0] or "0001-01-01", part[1] or "9999-12-31"]
        else:
            parts.append(part)
    return parts


def check_sum(group: dict[str, Any], members: list[dict[str, Any]]) -> None:
    kind, unit = group["key"]["kind"], group["key"]["unit"]
    if group["no_sum"] not in (None, "nothing_to_add"):
        several = len({each["indicator"] for each in members}) > 1
        not_additive = kind in NOT_ADDED_KINDS or unit in NOT_ADDED_UNITS
        assert group["no_sum"] == ("not_additive" if not_additive else "several_indicators" if several else "")
        assert (group["sum"], group["added"]) == (None, 0)
        return
    assert group["added"] + group["left_out_count"] == group["count"]
    if group["left_out_count"] > MAX_LEFT_OUT:
        return
    left = {each["figure"]: each for each in group["left_out"]}
    kept = [each for each in members if each["id"] not in left]
    assert group["sum"] == (sum(each["value"] for each in kept) if kept else None)
    tops = [each["value_high"] if each["value_high"] is not None else each["value"] for each in kept]
    assert group["sum_high"] in (None, sum(tops))
    for one, other in combinations(kept, 2):
        assert may_be_added(one, other), (one["id"], other["id"])
    ids = {each["id"] for each in members}
    for each in left.values():
        assert each["because_of"] is None or each["because_of"] in ids - {each["figure"]}


INSIDE = {"da-nang": {"viet-nam"}, "ha-noi": {"viet-nam"}, "random-ha-tay": {"ha-noi", "viet-nam"}}


def days(record: dict[str, Any]) -> tuple[str, str]:
    period = record["period"] or {"earliest": None, "latest": None}
    first = None if record["measured"] in ("cumulative", "at_date") else period["earliest"]
    return first or "0000", period["latest"] or "9999"


def may_be_added(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """The rules said again, pair by pair and plainly."""
    named = {each["figure"] for each in one["relations"] if each["kind"] in ("part_of", "same_as")}
    if other["id"] in named:
        return False
    if one["partner"] and other["partner"] and one["partner"] != other["partner"]:
        return True
    projects = {one["project"], other["project"]}
    if None not in projects and len(projects) > 1 and projects != {"random-main", "random-sub"}:
        return True
    shared = one["breakdown"].keys() & other["breakdown"].keys()
    if any(one["breakdown"][each] != other["breakdown"][each] for each in shared):
        return True
    if days(one)[0] > days(other)[1] or days(other)[0] > days(one)[1]:
        return True
    pairs = [(low, high) for low in one["places"] for high in other["places"]]
    touching = [low == high or high in INSIDE.get(low, ()) or low in INSIDE.get(high, ()) for low, high in pairs]
    return bool(pairs) and not any(touching)


@settings(max_examples=examples(150), deadline=None)
@given(st.integers(min_value=0, max_value=10**9))
def test_the_order_of_figures_changes_nothing(seed: int) -> None:
    chance = random.Random(seed)
    made = [stated({**each, "unit": "enterprise", "kind": "actual"}) for each in random_figures(chance, 12)]
    totals = above(*((each.id, other) for each in made for other in each.related("part_of")))
    higher = Hierarchy(totals, above(("random-sub", "random-main")), HIGHER.places, HIGHER.successors)
    kept, left = split_summands(made, higher)
    chance.shuffle(made)
    again, left_again = split_summands(made, higher)
    assert {each.id for each in kept} == {each.id for each in again}
    assert sorted(left, key=str) == sorted(left_again, key=str)
    assert len(kept) + len(left) == len(made)
    present = {each.id for each in made}
    assert all(each.because_of is None or each.because_of in present for each in left)
    for each in kept:
        cyclic = {one for one in totals.get(each.id, ()) if each.id in totals.get(one, ())}
        assert not ({one.id for one in kept} - {each.id}) & set(totals.get(each.id, ())) - cyclic


def test_the_dataset_adds_the_enterprises_once(client: TestClient) -> None:
    groups = get(client, f"{PATH}?indicator=enterprises-supported")["groups"]
    found = {group["key"]["kind"]: (group["sum"], group["added"], group["count"]) for group in groups}
    assert found == {"actual": (38, 2, 9), "plan": (24, 1, 1), "target": (50, 1, 1)}
    reasons = {each["figure"]: each["reason"] for each in groups[0]["left_out"]}
    assert reasons["smart-factory-enterprises-2022-north"] == "part_of"
    assert "smart-factory-batch-1-2023-enterprises" not in reasons  # 26 until 2022, and 12 of a batch of 2023
    assert reasons["smart-factory-batch-1-2023-enterprises-ha-noi"] == "part_of"
    batch = get(client, f"{PATH}?project=smart-factory-batch-1-2023&kind=actual")["groups"]
    assert [(group["sum"], group["left_out_count"]) for group in batch] == [(12, 5)]
    (zero,) = get(client, f"{PATH}?indicator=net-emissions")["groups"]
    assert (zero["sum"], zero["left_out"][0]["reason"]) == (0, "same_as")
    (words,) = get(client, f"{PATH}?indicator=export-value&kind=plan")["groups"]
    assert (words["sum"], words["min"], words["no_sum"]) == (None, None, "nothing_to_add")


def repeated_in_links(database: Database) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """What the links to places repeat of their figures, and the same from the representations."""
    table: Any = FIGURES.table
    body = func.coalesce(table.body, CHANGES.c.body)
    names = ("kind", "indicator", "unit", "project", "value", "qualifier")
    columns = (PLACES_OF.c[name] for name in ("record_id", "position", "place_id", "is_public", *names, "is_plain"))
    expected: list[tuple[Any, ...]] = []
    with database.snapshot() as connection:
        repeated = sorted(map(tuple, connection.execute(select(*columns))))
        of_figures = select(table.id, table.state, body).join(CHANGES, CHANGES.c.sequence == table.change)
        for figure_id, state, stored in connection.execute(of_figures):
            record = json.loads(stored)
            is_plain = record["value"] is not None and record["value_high"] is None and not record["relations"]
            for position, place in enumerate(record["places"], 1):
                stated_there = (record[name] for name in names)
                expected.append((figure_id, position, place, state == "published", *stated_there, is_plain))
    return repeated, sorted(expected)


def test_links_to_places_repeat_their_figures(registry: TestClient, editor: Key, seeded_database: Database) -> None:
    """Figures are written, hidden, deleted, restored, imported, redacted, rendered again and migrated."""
    chance = random.Random(11)
    headers = {**editor, "If-Match": "*"}
    statuses: Counter[tuple[str, int]] = Counter()
    lines: list[dict[str, Any]] = []
    for made in random_figures(chance, 60):
        body = {**FIGURE, **made, "id": f"copied-{chance.randrange(6)}", "unit": "enterprise", "relations": []}
        body |= {"indicator": "enterprises-supported", "project": chance.choice([None, "smart-factory-cooperation"])}
        body["places"] = chance.sample(["viet-nam", "da-nang", "ha-noi"], len(made["places"]))
        if chance.random() < 0.3:
            body["relations"] = related("compared_with", "smart-factory-duration")
        path = f"/v1/figures/{body['id']}"
        changed = {name: body[name] for name in chance.sample(["kind", "places", "relations", "state", "project"], 2)}
        method = chance.choice(["PUT", "PUT", "PATCH", "DELETE"])
        if method == "PUT":
            is_there = registry.get(path, headers=editor).status_code == 200
            response = registry.put(path, json=body, headers=headers if is_there else editor)
        elif method == "PATCH":
            response = registry.patch(path, content=json.dumps(changed), headers={**headers, **PATCH})
        else:
            response = registry.delete(path, headers=headers)
        statuses[method, response.status_code] += 1
        lines.append({"resource": "figures", **body})
    assert {("PUT", 200), ("PUT", 201), ("PATCH", 200), ("DELETE", 204)} <= statuses.keys(), statuses
    imported, _ = ended(registry, editor, lines_of(*lines[-9:]), "?mode=rows")
    assert imported["created"] + imported["updated"] > 0
    repeated, expected = repeated_in_links(seeded_database)
    assert repeated == expected
    assert {row[3] for row in repeated} == {row[-1] for row in repeated} == {True, False}
    redact(seeded_database, "many")
    with seeded_database.write() as session:
        session.execute(text("UPDATE figures SET rendering = 0"))
    assert render_all_again(seeded_database) > 0
    again, expected = repeated_in_links(seeded_database)
    assert again == expected
    migrate_down(seeded_database, "0019")
    migrate(seeded_database)
    assert repeated_in_links(seeded_database) == (again, expected)


def test_an_empty_answer_names_the_filters_that_emptied_it(client: TestClient) -> None:
    def because(query: str) -> Any:
        answered = get(client, f"{PATH}?{query}")
        assert answered["groups"] == []
        return answered["empty_because"]

    assert because("project=nobody") == ["project"]
    assert because("kind=plan&unit=USD&project=nobody") == ["project"]
    assert because("kind=baseline&unit=enterprise") == ["kind"]
    assert because("kind=target&unit=ordinal") == ["kind", "unit"]
    assert because("kind=baseline&project=nobody") == []
    assert get(client, PATH)["empty_because"] is None


def test_nothing_at_all_is_an_empty_answer(database: Database) -> None:
    with client_of(url_of(database)) as client:
        assert get(client, PATH) == {"groups": [], "more": False, "empty_because": None}


def test_too_many_figures_have_counts_but_no_sum(seeded_database: Database) -> None:
    many = [number(f"many-{position:04}", 1, "2023") for position in range(MAX_ADDED)]
    store(seeded_database, FIGURES, *many)
    with client_of(url_of(seeded_database)) as client:
        groups = get(client, f"{PATH}?indicator=enterprises-supported")["groups"]
        assert [(group["sum"], group["no_sum"]) for group in groups] == [(None, "too_many")] * 3
        assert groups[0]["count"] == MAX_ADDED + 9
        (narrow,) = get(client, f"{PATH}?indicator=enterprises-supported&kind=plan")["groups"]
        assert narrow["sum"] == 24


def test_a_long_chain_has_no_sum(seeded_database: Database) -> None:
    """All records above each of the others are the square of the length of their chain."""
    chain = [number("chain-00", 1, indicator="enterprises-in-chain")]
    for position in range(1, 40):
        relations = related("part_of", f"chain-{position - 1:02}")
        chain.append(number(f"chain-{position:02}", 1, indicator="enterprises-in-chain", relations=relations))
    names = [f"place-{position:03}" for position in range(250)]
    places = [
        {
            "id": name,
            "name": {"en": name},
            "level": "locality",
            "managed_by": "unido",
            "succeeded_by": names[at + 1 : at + 21],
        }
        for at, name in enumerate(names)
    ]
    indicator = {"name": {"en": "Enterprises in a chain"}, "unit": "enterprise", "managed_by": "unido"}
    store(seeded_database, INDICATORS, {"id": "enterprises-in-chain", **indicator})
    store(seeded_database, PLACES, *reversed(places))
    store(seeded_database, FIGURES, *chain)
    store(seeded_database, FIGURES, number("many-successors", 1, indicator="enterprises-in-chain", places=names[:1]))
    with client_of(url_of(seeded_database)) as client:
        (group,) = get(client, f"{PATH}?indicator=enterprises-in-chain")["groups"]
        assert (group["count"], group["sum"], group["no_sum"]) == (41, None, "too_many")
        for figure_id, expected in (("chain-39", None), ("many-successors", None), ("chain-19", 1)):
            (group,) = get(client, f"{PATH}?id={figure_id}")["groups"]
            assert (group["count"], group["sum"]) == (1, expected), figure_id
    edges = [(str(number), str(number + 1)) for number in range(20_000)]
    assert len(transitive_parents(edges, ["0"])["0"]) == 20_000
    with pytest.raises(TooManyAbove):
        transitive_parents(edges, map(str, range(10)))


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("group_by=", 422),
        ("group_by=colour", 422),
        ("group_by=indicator,", 422),
        ("group_by=%00", 400),
        ("group_by=indicator&group_by=colour", 422),
        ("limit=0", 422),
        ("limit=1001", 422),
        ("limit=9223372036854775808", 422),
        ("sort=id", 422),
        ("value_gte=1e999", 422),
        ("place=%ED%A0%80", 400),
    ],
)
def test_what_cannot_be_aggregated_is_refused(client: TestClient, query: str, status: int) -> None:
    answered = client.get(f"{PATH}?{query}")
    assert answered.status_code == status
    assert "colour" not in answered.text


def test_aggregates_have_a_tag_and_a_limit(client: TestClient) -> None:
    tag = client.get(PATH).headers["etag"]
    assert client.get(PATH, headers={"If-None-Match": tag}).status_code == 304
    short = get(client, f"{PATH}?limit=2")
    assert (len(short["groups"]), short["more"]) == (2, True)
    assert short["groups"] == get(client, PATH)["groups"][:2]
