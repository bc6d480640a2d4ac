"""The audit: its findings on the dataset, what each rule flags and leaves alone, pages, filters and the command."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.analysis.audit.rules import ALL
from app.analysis.audit.walk import AuditRequest, read_all_findings
from app.cli import main
from app.core.database.engine import Database
from app.core.database.statement_cache import StatementCache
from app.core.model.resource import RESOURCES
from app.core.writing.batch import Batch
from tests.support.cursors import signed
from tests.support.databases import NewDatabase, url_of
from tests.support.http import client_of, get, walk

DAY = "2026-11-22"
# Every finding on the five documents, each looked up in them. (rule, resource, id, further records)
EXPECTED = {
    # «17 các hiệp định thương mại tự do»: with whom is not said (mofa-moit-2024, paragraph 13).
    ("agreement_with_one_party", "agreements/viet-nam-free-trade-agreements", ""),
    # «giai đoạn 2 … trong 4 năm tiếp theo» (paragraph 8) against «giai đoạn 2024-2028» (paragraphs 9 and 10); the texts
    # count with both ends: «02 năm (2022 – 2023)».
    (
        "duration_disagrees_with_period",
        "figures/eco-industrial-parks-phase-2-duration",
        "projects/eco-industrial-parks-viet-nam-2024-2028",
    ),
    # The Ministry of Planning and Investment was there until February 2025; these go on, or are still asked for.
    ("link_to_ended", "partners/department-for-economic-zones-management", "partners/mpi partners/mof"),
    ("link_to_ended", "projects/eco-industrial-parks-viet-nam", "partners/mpi partners/mof"),
    ("link_to_ended", "projects/eco-industrial-parks-viet-nam-2024-2028", "partners/mpi partners/mof"),
    ("link_to_ended", "projects/eco-industrial-parks-viet-nam-since-2015", "partners/mpi partners/mof"),
    ("link_to_ended", "projects/swiss-support-for-eco-industrial-parks-requested", "partners/mpi partners/mof"),
    # Đà Nẵng and Quảng Nam became a new Đà Nẵng in July 2025; no end of the project is known.
    ("link_to_ended", "projects/da-nang-smart-factory-project", "places/da-nang places/da-nang-2025"),
    # «Phiên họp ngày mai», 11 December 2020: told beforehand only.
    ("overdue_milestone", "milestones/asean-apo-conference-second-session", ""),
    ("overdue_milestone", "milestones/asean-smart-manufacturing-roadmap-consultation", ""),
    ("overdue_statement", "statements/plan-second-session-smart-manufacturing", ""),
    ("overdue_statement", "statements/plan-consult-on-draft-roadmap", ""),
    # The second phase was to start in 2024; the only source is of 2023.
    ("overdue_milestone", "milestones/eco-industrial-parks-viet-nam-2024-2028-start", ""),
    ("overdue_project", "projects/eco-industrial-parks-viet-nam-2024-2028", ""),
    ("overdue_project", "projects/geipp-2024-2028", ""),
    # «Tháng 4/2025, Việt Nam sẽ tổ chức Hội nghị thượng đỉnh»
    ("overdue_milestone", "milestones/sustainable-development-summit-2025", ""),
    ("overdue_statement", "statements/plan-sustainable-development-summit", ""),
    # 50 enterprises and 100 experts «trong 02 năm (2022 – 2023)»; the last results are of the end of 2022.
    ("overdue_milestone", "milestones/smart-factory-targets-2023", ""),
    ("overdue_project", "projects/smart-factory-cooperation", ""),
    ("overdue_statement", "statements/smart-factory-cooperation-objective", ""),
    ("overdue_statement", "statements/smart-factory-plan-2023", ""),
    ("overdue_target", "figures/smart-factory-enterprises-plan-2023", ""),
    ("overdue_target", "figures/smart-factory-enterprises-target-2022-2023", ""),
    ("overdue_target", "figures/smart-factory-experts-target-2022-2023", ""),
    # Exports: 70% of the plan for 2024 after eight months.
    ("overdue_target", "figures/export-value-plan-2024", ""),
}


def brief(finding: Any) -> tuple[str, str, str]:
    first, *others = (f"{record['resource']}/{record['id']}" for record in finding["records"])
    return finding["rule"], first, " ".join(others)


def test_the_dataset_has_exactly_its_true_findings(client: TestClient) -> None:
    found = get(client, f"/v1/audit?as_of={DAY}&limit=200")
    assert found["as_of"] == DAY
    assert {brief(item) for item in found["items"]} == EXPECTED
    assert len(found["items"]) == len(EXPECTED)


def test_nothing_is_overdue_before_its_day(client: TestClient) -> None:
    found = {brief(item)[:2] for item in walk(client, "/v1/audit?as_of=2020-12-10")}
    assert {rule for rule, _ in found} == {"agreement_with_one_party", "duration_disagrees_with_period"}
    after = {brief(item)[:2] for item in walk(client, "/v1/audit?as_of=2020-12-12")}
    assert {record for rule, record in after - found if rule == "overdue_milestone"} == {
        "milestones/asean-apo-conference-second-session",
        "milestones/asean-smart-manufacturing-roadmap-consultation",
    }


def test_a_finding_shows_its_words_and_how_it_was_computed(client: TestClient) -> None:
    (finding,) = get(client, "/v1/audit?rule=duration_disagrees_with_period")["items"]
    assert finding["severity"] == "warning"
    assert finding["computed"] == {"how": "2028 − 2024 + 1", "expected": 4, "found": 5}
    assert finding["message"]["vi"] == "Giai đoạn 2024 – 2028 dài 5 năm, nguồn nêu 4 năm."
    assert {(each["id"], each["paragraph"], each["as_written"]) for each in finding["evidence"]} == {
        ("eco-industrial-parks-phase-2-duration", 8, "4 năm tiếp theo"),
        ("eco-industrial-parks-viet-nam-2024-2028", 10, "2024-2028"),
    }


def test_every_finding_of_the_dataset_has_evidence_in_words(client: TestClient) -> None:
    for finding in walk(client, f"/v1/audit?as_of={DAY}"):
        assert finding["evidence"], finding
        assert {(each["resource"], each["id"]) for each in finding["evidence"]} <= {
            (record["resource"], record["id"]) for record in finding["records"]
        }


# -- each rule, with records of our own -------------------------------------------------------------------------

Records = dict[str, dict[str, dict[str, Any]]]
TITLE = {"vi": "x", "en": "x"}
DEFAULTS: dict[str, dict[str, Any]] = {
    "figures": {"indicator": "@things", "kind": "actual", "unit": "enterprise", "project": "@project"},
    "indicators": {"name": TITLE, "unit": "enterprise"},
    "projects": {"title": TITLE, "kind": "project", "status": "unknown"},
    "agreements": {
        "title": TITLE,
        "kind": "other",
        "status": "signed",
        "parties": [{"partner": "a"}, {"partner": "b"}],
    },
    "milestones": {"title": TITLE, "kind": "event", "status": "done"},
    "statements": {"summary": TITLE, "kind": "claim"},
    "partners": {"name": TITLE, "kind": "other"},
    "places": {"name": TITLE, "level": "province"},
    "documents": {"title": TITLE, "kind": "news"},
}
SHARED: Records = {
    "documents": {"doc": {}, "other-doc": {}},
    "partners": {
        "a": {},
        "b": {},
        "old": {"period": "../2020-12-31", "succeeded_by": ["a"]},
        "gone": {"period": "../2020-12-31"},
        "replaced": {"succeeded_by": ["b"]},
        "twin": {"merged_into": "a"},
        "later": {"period": "../2030", "succeeded_by": ["a"]},
    },
    "places": {"old-place": {"period": "../2020-12-31", "succeeded_by": ["new-place"]}, "new-place": {}},
}


def figures(**given: dict[str, Any]) -> Records:
    """Figures of one project and indicator, by id."""
    return {"figures": given}


def part(value: float | None, **fields: Any) -> dict[str, Any]:
    return {"value": value, "text": TITLE, "relations": [{"kind": "part_of", "figure": "@total"}], **fields}


def by(place: str) -> dict[str, Any]:
    return {"breakdown": {"province": place}}


def versus(*figure_ids: str, kind: str = "compared_with") -> dict[str, Any]:
    return {"relations": [{"kind": kind, "figure": f"@{each}"} for each in figure_ids]}


def target(**fields: Any) -> dict[str, Any]:
    return {"value": 50, "kind": "target", "period": "2022/2023", **fields}


def done(value: int, **fields: Any) -> dict[str, Any]:
    return {"value": value, "period": "../2022-12", "measured": "cumulative", **versus("target"), **fields}


def plan(value: int, **fields: Any) -> dict[str, Any]:
    return {"value": value, "kind": "plan", "period": "2023", "measured": "over_period", **versus("target"), **fields}


def share(value: float, **fields: Any) -> dict[str, Any]:
    relations = [{"kind": "share_of", "figure": "@base"}, {"kind": "compared_with", "figure": "@amount"}]
    return {"value": value, "unit": "percent", "relations": relations, **fields}


def change(value: float, unit: str = "percent") -> dict[str, Any]:
    relations = [{"kind": "change_of", "figure": "@now"}, {"kind": "compared_with", "figure": "@before"}]
    return {"value": value, "unit": unit, "relations": relations}


def lasts(value: float, between: str, unit: str = "year", **fields: Any) -> Records:
    figure = {"kind": "duration", "unit": unit, "value": value, **fields}
    return {"projects": {"project": {"period": between}}, "figures": {"length": figure}}


def milestone(kind: str, date: str, period: str, **fields: Any) -> Records:
    event = {"kind": kind, "date": date, "project": "@project", **fields}
    return {"projects": {"project": {"period": period}}, "milestones": {"event": event}}


def signing(signed_on: str, *dates: str) -> Records:
    events = {f"s{n}": {"kind": "signing", "date": date, "agreement": "@mou"} for n, date in enumerate(dates)}
    return {"agreements": {"mou": {"signed_on": signed_on}}, "milestones": events}


def one(resource: str, **fields: Any) -> Records:
    return {resource: {"it": fields}}


def twice(here: dict[str, Any], there: dict[str, Any]) -> Records:
    cited = [{"document": "other-doc"}]
    return figures(here={"period": "2023", **here}, there={"period": "2023", "citations": cited, **there})


PARTS, SHORT = "parts_exceed_total", "parts_short_of_total"
PLAN, SHARE, LENGTH = "plan_misses_target", "percentage_disagrees_with_base", "duration_disagrees_with_period"
OUTSIDE, SIGNED, SAME, DIFFER = (
    "milestone_outside_project",
    "signing_dates_disagree",
    "same_as_differs",
    "sources_disagree",
)
LINK = "link_to_ended"
HALF = {"unit": "USD", "as_written": "1,2 tỷ"}
# What it shows: (the rule, the records, the first records of the findings of that rule)
CASES: dict[str, tuple[str, Records, set[str]]] = {
    "names of curated partners": (
        "name_of_curated_partner",
        {
            "partners": {
                "curated": {
                    "name": {"en": "Sea Bureau", "vi": "Cục Biển"},
                    "abbreviation": "SBX",
                    "aliases": ["Sea B."],
                },
                "other": {"name": {"en": "Other Bureau"}},
                "alias": {"name": {"en": "Alias"}, "aliases": ["A", "sbx", "B"], "managed_by": "a"},
                "name": {"name": {"en": "Name", "vi": "cuc bien"}, "managed_by": "a"},
                "abbreviation": {"name": {"en": "Abbreviation"}, "abbreviation": "SEA B.", "managed_by": "a"},
                "itself": {
                    "name": {"en": "Sea"},
                    "aliases": ["Bureau", "Sea Bureau of a town"],
                    "managed_by": "@itself",
                },
                "draft": {"name": {"en": "Sea Bureau"}, "managed_by": "a", "state": "draft"},
                "twin": {"name": {"en": "Sea"}, "managed_by": "a"},
            }
        },
        {"alias", "name", "abbreviation"},
    ),
    "parts beyond the total": (
        PARTS,
        figures(total={"value": 5}, p=part(3, **by("p")), q=part(3, **by("q"))),
        {"total"},
    ),
    "parts that make the total": (
        PARTS,
        figures(total={"value": 6}, p=part(3, **by("p")), q=part(3, **by("q"))),
        set(),
    ),
    "parts that may overlap": (PARTS, figures(total={"value": 5}, p=part(3), q=part(3)), set()),
    "one part beyond the total": (PARTS, figures(total={"value": 5}, p=part(6)), {"total"}),
    "one part told twice": (PARTS, figures(total={"value": 5}, p=part(3, **by("p")), q=part(3, **by("p"))), set()),
    "a total of at least so many": (
        PARTS,
        figures(total={"value": 5, "qualifier": "at_least"}, p=part(3, **by("p")), q=part(3, **by("q"))),
        set(),
    ),
    "parts that are about so many": (
        PARTS,
        figures(total={"value": 20}, p=part(10, **by("p")), q=part(12, qualifier="about", **by("q"))),
        set(),
    ),
    "rounded parts": (
        PARTS,
        figures(
            total={"value": 2_300_000_000, "unit": "USD", "as_written": "2,3 tỷ"},
            p=part(1_200_000_000, **HALF, **by("p")),
            q=part(1_200_000_000, **HALF, **by("q")),
        ),
        set(),
    ),
    "parts of another kind": (PARTS, figures(total={"value": 5}, p=part(6, kind="target")), set()),
    "a draft part": (
        PARTS,
        figures(total={"value": 5}, p=part(3, **by("p")), q=part(3, state="draft", **by("q"))),
        set(),
    ),
    "parts that leave a rest": (
        SHORT,
        figures(total={"value": 9}, p=part(3, **by("p")), q=part(3, **by("q"))),
        {"total"},
    ),
    "parts with a rest that is named": (
        SHORT,
        figures(total={"value": 9}, p=part(3, **by("p")), q=part(3, **by("q")), r=part(None, **by("còn lại"))),
        set(),
    ),
    "a single part": (SHORT, figures(total={"value": 9}, p=part(3, **by("p"))), set()),
    "more than so many parts": (
        SHORT,
        figures(total={"value": 9}, p=part(3, **by("p")), q=part(3, qualifier="more_than", **by("q"))),
        set(),
    ),
    "parts by two dimensions": (
        SHORT,
        figures(
            total={"value": 9},
            p=part(4, **by("p")),
            q=part(5, **by("q")),
            women=part(4, breakdown={"sex": "f"}),
            men=part(4, breakdown={"sex": "m"}),
        ),
        {"total"},
    ),
    "26 and 20 of 50": (PLAN, figures(target=target(), actual=done(26), next=plan(20)), {"target"}),
    "26 by a month and 20 of 50": (
        PLAN,
        figures(target=target(), actual=done(26, period="2022-12"), next=plan(20)),
        {"target"},
    ),
    "26 and 24 of 50": (PLAN, figures(target=target(), actual=done(26), next=plan(24)), set()),
    "more than the target": (PLAN, figures(target=target(), actual=done(26), next=plan(30)), set()),
    "more than the limit": (
        PLAN,
        figures(target=target(qualifier="at_most"), actual=done(26), next=plan(30)),
        {"target"},
    ),
    "a plan for half of the rest": (
        PLAN,
        figures(target=target(), actual=done(26), next=plan(5, period="2023-01/2023-06")),
        set(),
    ),
    "two plans for the rest": (
        PLAN,
        figures(
            target=target(),
            actual=done(26),
            first=plan(5, period="2023-01/2023-06"),
            second=plan(5, period="2023-07/2023-12"),
        ),
        {"target"},
    ),
    "at least 20 planned": (
        PLAN,
        figures(target=target(), actual=done(26), next=plan(20, qualifier="at_least")),
        set(),
    ),
    "no result yet": (PLAN, figures(target=target(), next=plan(20)), set()),
    "a share that is another": (SHARE, figures(base={"value": 200}, amount={"value": 100}, it=share(70)), {"it"}),
    "a share that is rounded": (SHARE, figures(base={"value": 300}, amount={"value": 100}, it=share(33)), set()),
    "a share written to a tenth": (
        SHARE,
        figures(base={"value": 300}, amount={"value": 100}, it=share(33.5, as_written="33,5%")),
        {"it"},
    ),
    "a share of more than so many": (
        SHARE,
        figures(base={"value": 200, "qualifier": "more_than"}, amount={"value": 100}, it=share(40)),
        set(),
    ),
    "a share of nothing known": (
        SHARE,
        figures(base={"value": None, "text": TITLE}, amount={"value": 1}, it=share(9)),
        set(),
    ),
    "a share of zero": (SHARE, figures(base={"value": 0}, amount={"value": 1}, it=share(9)), set()),
    "a change that is another": (SHARE, figures(now={"value": 110}, before={"value": 100}, it=change(15)), {"it"}),
    "a change as computed": (SHARE, figures(now={"value": 90}, before={"value": 100}, it=change(-10)), set()),
    "a difference that is another": (
        SHARE,
        figures(now={"value": 110}, before={"value": 100}, it=change(9, "enterprise")),
        {"it"},
    ),
    "four years from 2024 to 2028": (LENGTH, lasts(4, "2024/2028"), {"length"}),
    "five years from 2024 to 2028": (LENGTH, lasts(5, "2024/2028"), set()),
    "60 months from 2024 to 2028": (LENGTH, lasts(60, "2024/2028", "month"), set()),
    "18 months within two years": (LENGTH, lasts(18, "2024/2025", "month"), set()),
    "30 months within two years": (LENGTH, lasts(30, "2024/2025", "month"), {"length"}),
    "two years between months": (LENGTH, lasts(2, "2022-02/2024-02"), set()),
    "three years between months": (LENGTH, lasts(3, "2022-02/2024-02"), {"length"}),
    "about four years": (LENGTH, lasts(4, "2024/2028", qualifier="about"), set()),
    "more than four years": (LENGTH, lasts(4, "2024/2028", qualifier="more_than"), set()),
    "an open period": (LENGTH, lasts(4, "2015/.."), set()),
    "an uncertain period": (LENGTH, lasts(4, "2024~/2028"), set()),
    "a duration with a period of its own": (LENGTH, lasts(1, "2024/2028", period="2024"), set()),
    "a partner's share of the time": (LENGTH, lasts(1, "2024/2028", partner="a"), set()),
    "a start after the end": (OUTSIDE, milestone("start", "2024-01-01", "2022/2023"), {"event"}),
    "a training before the start": (OUTSIDE, milestone("training", "2021", "2022/2023"), {"event"}),
    "a launch that can be inside": (OUTSIDE, milestone("launch", "2021/2022", "2022-06/2023"), set()),
    "a launch around then": (OUTSIDE, milestone("launch", "2021~", "2022/2023"), set()),
    "a signing before the start": (OUTSIDE, milestone("signing", "2021-11", "2022/2023"), set()),
    "a visit after the end": (OUTSIDE, milestone("visit", "2024", "2022/2023"), {"event"}),
    "a closing ceremony after the end": (OUTSIDE, milestone("completion", "2024-02", "2022/2023"), set()),
    "a training that was cancelled": (OUTSIDE, milestone("training", "2021", "2022/2023", status="cancelled"), set()),
    "a signing on another day": (SIGNED, signing("2022-02", "2022-03-01"), {"mou"}),
    "a signing in that month": (SIGNED, signing("2022-02", "2022-02-28"), set()),
    "two signings, one on the day": (SIGNED, signing("2022-02", "2022-03-01", "2022-02-03"), set()),
    "planned for yesterday": ("overdue_milestone", one("milestones", status="planned", date="2026-11-21"), {"it"}),
    "planned for today": ("overdue_milestone", one("milestones", status="planned", date="2026-11-22"), set()),
    "planned for this month": ("overdue_milestone", one("milestones", status="planned", date="2026-11"), set()),
    "planned from some day on": ("overdue_milestone", one("milestones", status="planned", date="2020/.."), set()),
    "planned, and done": ("overdue_milestone", one("milestones", status="done", date="2020"), set()),
    "planned without a date": ("overdue_milestone", one("milestones", status="planned"), set()),
    "a result without a period": ("result_without_period", figures(it={"value": 3}), {"it"}),
    "a total of a plan without a period": (
        "result_without_period",
        figures(it={"value": 3, "kind": "plan", "measured": "over_period"}),
        {"it"},
    ),
    "a target without a period": ("result_without_period", figures(it={"value": 3, "kind": "target"}), set()),
    "a result up to a day": ("result_without_period", figures(it={"value": 3, "period": "../2022"}), set()),
    "a result since a year": ("result_without_end", figures(it={"value": 3, "period": "2015/.."}), {"it"}),
    "a result between years": ("result_without_end", figures(it={"value": 3, "period": "2015/2023-11"}), set()),
    "a target from a year on": (
        "result_without_end",
        figures(it={"value": 3, "kind": "target", "period": "2015/.."}),
        set(),
    ),
    "done in 2031": ("fact_in_future", one("milestones", date="2031-01"), {"it"}),
    "planned for 2031": ("fact_in_future", one("milestones", date="2031-01", status="planned"), set()),
    "done this month": ("fact_in_future", one("milestones", date="2026-11"), set()),
    "done by 2031": ("fact_in_future", one("milestones", date="../2031"), set()),
    "completed until 2031": ("fact_in_future", one("projects", status="completed", period="2020/2031"), {"it"}),
    "completed until this year": ("fact_in_future", one("projects", status="completed", period="2020/2026"), set()),
    "completed from 2031 on": ("fact_in_future", one("projects", status="past", period="2031/.."), {"it"}),
    "completed without an end": ("fact_in_future", one("projects", status="past", period="2020/.."), set()),
    "active until 2031": ("fact_in_future", one("projects", status="active", period="2020/2031"), set()),
    "signed in 2031": ("fact_in_future", one("agreements", signed_on="2031"), {"it"}),
    "meant to be signed in 2031": ("fact_in_future", one("agreements", status="intended", signed_on="2031"), set()),
    "published in 2031": ("fact_in_future", one("documents", published_on="2031"), {"it"}),
    "a draft for 2031": ("fact_in_future", one("documents", published_on="2031", status="draft"), set()),
    "a result of 2031": ("fact_in_future", figures(it={"value": 3, "period": "2031"}), {"it"}),
    "a target for 2031": ("fact_in_future", figures(it={"value": 3, "kind": "target", "period": "2031"}), set()),
    "half an enterprise": ("impossible_count", figures(it={"value": 12.5}), {"it"}),
    "fewer than no enterprises": ("impossible_count", figures(it={"value": -1}), {"it"}),
    "fewer enterprises than before": (
        "impossible_count",
        figures(before={"value": 3}, it={"value": -1, **versus("before", kind="change_of")}),
        set(),
    ),
    "more by half an enterprise": (
        "impossible_count",
        figures(before={"value": 3}, it={"value": 0.5, **versus("before", kind="change_of")}),
        {"it"},
    ),
    "no enterprises": ("impossible_count", figures(it={"value": 0}), set()),
    "half a dollar": ("impossible_count", figures(it={"value": -0.5, "unit": "USD"}), set()),
    "texts that cannot be read": (
        "garbled_text",
        {
            "projects": {
                "mojibake": {"title": {"vi": "Bá»™ CÃ´ng ThÆ°Æ¡ng"}},
                "tcvn3": {"title": TITLE, "description": {"vi": "Bé C«ng Th­¬ng, V¨n phßng ®¹i diÖn"}},
                "vni": {"title": {"vi": "Boä Coâng Thöông Vieät Nam"}},
                "lost": {"title": {"vi": "B? Công Th??ng Vi?t Nam"}},
                "replaced": {"title": {"vi": "B\ufffd Công Th\ufffd\ufffdng"}},
                "question": {"title": {"vi": "Hợp tác gì? Với ai?"}},
                "german": {"title": {"de": "Förderung für Öl, Größe und Maß"}},
                "quoted": {"title": {"vi": "«Bộ Công Thương» đã ký – «quá» nhanh"}},
                "link": {"title": TITLE, "description": {"en": "See http://x.example/a?b and http://y.example/c?d"}},
            },
            "partners": {"partner": {"name": {"vi": "Tá»•ng cá»¥c Thá»‘ng kÃª"}}},
            "statements": {"said": {"summary": {"vi": "Thá»© trÆ°á»Ÿng nÃªu"}}},
        },
        {"mojibake", "tcvn3", "vni", "lost", "replaced", "partner", "said"},
    ),
    "a figure of nobody": ("figure_without_partner", figures(it={"value": 3}), {"it"}),
    "a figure about a partner": ("figure_without_partner", figures(it={"value": 3, "partner": "a"}), set()),
    "a figure that somebody stated": (
        "figure_without_partner",
        figures(it={"value": 3, "said_by": {"partner": "a"}}),
        set(),
    ),
    "a figure of a project with partners": (
        "figure_without_partner",
        {
            "projects": {"project": {"roles": [{"partner": "a", "role": "implementing"}]}},
            **figures(it={"value": 3}),
        },
        set(),
    ),
    "a figure of an agreement": (
        "figure_without_partner",
        {"agreements": {"mou": {}}, **figures(it={"value": 3, "agreement": "@mou"})},
        set(),
    ),
    "a figure of a document with an issuer": (
        "figure_without_partner",
        {"documents": {"law": {"issuer": "a"}}, **figures(it={"value": 3, "document": "@law"})},
        set(),
    ),
    "a commitment that was due": ("overdue_statement", one("statements", kind="commitment", due="2025"), {"it"}),
    "a commitment that was kept": (
        "overdue_statement",
        {
            "milestones": {"deed": {}},
            "statements": {"it": {"kind": "commitment", "due": "2025", "fulfilled_by": ["@deed"]}},
        },
        set(),
    ),
    "a commitment whose deed was cancelled": (
        "overdue_statement",
        {
            "milestones": {"deed": {"status": "cancelled"}, "later": {"status": "planned"}},
            "statements": {"it": {"kind": "commitment", "due": "2025", "fulfilled_by": ["@deed", "@later"]}},
        },
        {"it"},
    ),
    "a claim about a day": ("overdue_statement", one("statements", kind="claim", due="2025"), set()),
    "an agreement meant for last year": (
        "overdue_agreement",
        one("agreements", status="intended", period="2025/2030"),
        {"it"},
    ),
    "an agreement meant for this year": (
        "overdue_agreement",
        one("agreements", status="intended", period="2026/2030"),
        set(),
    ),
    "an agreement that was signed": (
        "overdue_agreement",
        one("agreements", status="signed", period="2025/2030"),
        set(),
    ),
    "a project agreed for last year": ("overdue_project", one("projects", status="agreed", period="2025/2030"), {"it"}),
    "a project agreed for this year": ("overdue_project", one("projects", status="agreed", period="2026/2030"), set()),
    "an active project that is over": ("overdue_project", one("projects", status="active", period="2022/2025"), {"it"}),
    "an active project without end": ("overdue_project", one("projects", status="active", period="2015/.."), set()),
    "a target without a result": ("overdue_target", figures(target=target()), {"target"}),
    "a target with an earlier result": ("overdue_target", figures(target=target(), actual=done(26)), {"target"}),
    "a target with its result": (
        "overdue_target",
        figures(target=target(), actual=done(26, period="../2023-12")),
        set(),
    ),
    "a target with a result elsewhere": (
        "overdue_target",
        figures(
            target=target(places=["new-place"]),
            actual=done(26, period="../2023-12", places=["old-place"]),
            whole=target(),
            both=target(places=["old-place", "new-place"]),
        ),
        {"target"},
    ),
    "a target to come": ("overdue_target", figures(target=target(period="2026/2030")), set()),
    "no party": ("agreement_without_parties", one("agreements", parties=[]), {"it"}),
    "two parties": ("agreement_without_parties", one("agreements"), set()),
    "one party": ("agreement_with_one_party", one("agreements", parties=[{"partner": "a"}]), {"it"}),
    "a figure that only its submitter knows": (
        "figure_without_document",
        figures(it={"value": 1, "citations": [], "managed_by": "a"}, cited={"value": 1}),
        {"it"},
    ),
    "the same, with another number": (
        SAME,
        figures(it={"value": 1, **versus("there", kind="same_as")}, there={"value": 2}),
        {"it"},
    ),
    "the same, more roughly": (
        SAME,
        figures(it={"value": 17, **versus("there", kind="same_as")}, there={"value": 16, "qualifier": "about"}),
        set(),
    ),
    "two documents, two numbers": (DIFFER, twice({"value": 5}, {"value": 6}), {"here"}),
    "two documents, one number": (DIFFER, twice({"value": 5}, {"value": 5}), set()),
    "one document, two numbers": (DIFFER, twice({"value": 5}, {"value": 6, "citations": [{"document": "doc"}]}), set()),
    "two documents, two periods": (DIFFER, twice({"value": 5}, {"value": 6, "period": "2024"}), set()),
    "two documents, two places": (DIFFER, twice({"value": 5, "places": ["new-place"]}, {"value": 6}), set()),
    "two documents, two kinds": (DIFFER, twice({"value": 5}, {"value": 6, "kind": "plan"}), set()),
    "two documents, up to now": (
        DIFFER,
        twice({"value": 5, "period": "2015/.."}, {"value": 6, "period": "2015/.."}),
        set(),
    ),
    "two documents, no time": (DIFFER, twice({"value": 5, "period": None}, {"value": 6, "period": None}), set()),
    "two targets without a time": (
        DIFFER,
        twice({"value": 5, "period": None, "kind": "target"}, {"value": 6, "period": None, "kind": "target"}),
        {"here"},
    ),
    "two documents, one of them roughly": (DIFFER, twice({"value": 5}, {"value": 4, "qualifier": "more_than"}), set()),
    "two documents of no project": (
        DIFFER,
        twice({"value": 5, "project": None}, {"value": 6, "project": None}),
        {"here"},
    ),
    "a project that goes on with one that ended": (
        LINK,
        one("projects", status="active", roles=[{"partner": "old", "role": "lead"}, {"partner": "a", "role": "lead"}]),
        {"it"},
    ),
    "a project that ended with it": (
        LINK,
        one("projects", status="completed", period="2019", roles=[{"partner": "old", "role": "lead"}]),
        set(),
    ),
    "a project after its end": (
        LINK,
        one("projects", status="completed", period="2021", roles=[{"partner": "gone", "role": "lead"}]),
        {"it"},
    ),
    "a project with one that ends later": (
        LINK,
        one("projects", status="active", roles=[{"partner": "later", "role": "lead"}]),
        set(),
    ),
    "a project with a twin": (
        LINK,
        one("projects", status="past", roles=[{"partner": "twin", "role": "lead"}]),
        {"it"},
    ),
    "a project with one that was replaced": (
        LINK,
        one("projects", status="active", roles=[{"partner": "replaced", "role": "lead"}]),
        {"it"},
    ),
    "a visit to a place of its day": (LINK, one("milestones", date="2019", place="old-place"), set()),
    "a visit to a place that is no more": (LINK, one("milestones", date="2023", place="old-place"), {"it"}),
    "a target for a place that is no more": (
        LINK,
        figures(it=target(period="2030", places=["old-place"]), then=target(period="2019", places=["old-place"])),
        {"it"},
    ),
    "a statement to one that ended": (LINK, one("statements", due="2030", to=["old"]), {"it"}),
    "a statement of its day": (LINK, one("statements", to=["old"]), set()),
    "an agreement that one signed who was no more": (
        LINK,
        one("agreements", signed_on="2026-01-01", signatories=[{"partner": "old"}], signed_in="old-place"),
        {"it"},
    ),
    "an agreement that one signed for who was no more": (
        LINK,
        one("agreements", signed_on="2026-01-01", signatories=[{"name": "X", "for": "old"}]),
        {"it"},
    ),
    "an agreement that one signed in their day": (
        LINK,
        one("agreements", signed_on="2019", signatories=[{"partner": "old"}], signed_in="old-place"),
        set(),
    ),
    "an agreement that goes on": (
        LINK,
        one("agreements", period="2019/2030", parties=[{"partner": "old"}, {"partner": "b"}]),
        {"it"},
    ),
    "a unit of one that ended": (LINK, one("partners", parent="old"), {"it"}),
    "a unit that ended with it": (LINK, one("partners", parent="old", period="../2020-12-31"), set()),
}


def own(name: str) -> str:
    """What the ids of a case begin with."""
    return re.sub("[^a-z0-9]+", "-", name) + "-" if name else ""


def stored_records(name: str, records: Records) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The records of a case, their own ids (@id) made its own."""
    base: Records = {"indicators": {"things": {}}, "projects": {"project": {}}} if name else {}
    for resource in RESOURCES:
        for record_id, fields in {**base.get(resource, {}), **records.get(resource, {})}.items():
            cited = {} if resource == "indicators" else {"citations": [{"document": "doc"}]}
            whole = json.dumps({**DEFAULTS[resource], **cited, **fields}).replace('"@', f'"{own(name)}')
            yield resource, own(name) + record_id, json.loads(whole)


@pytest.fixture(scope="module")
def cases_url(new_database: NewDatabase, migrated: str) -> str:
    """A database with the records of all cases."""
    url = new_database(migrated)
    database = Database(url)
    with database.write() as session:
        batch = Batch(session, "test")
        for name, records in {"": SHARED, **{name: case[1] for name, case in CASES.items()}}.items():
            for resource, record_id, fields in stored_records(name, records):
                kind = RESOURCES[resource]
                batch.put(kind, record_id, kind.fields.model_validate(fields), None)
        batch.flush()
    database.close()
    return url


@pytest.fixture(scope="module")
def cases(cases_url: str) -> Iterator[TestClient]:
    """A client over the cases."""
    with client_of(cases_url) as made:
        yield made


@pytest.fixture(scope="module")
def all_findings(cases: TestClient) -> list[Any]:
    """Every finding of the cases."""
    return walk(cases, f"/v1/audit?as_of={DAY}&limit=200")


@pytest.mark.parametrize("name", CASES)
def test_a_rule_flags_what_it_should_and_leaves_the_rest(all_findings: list[Any], name: str) -> None:
    rule, _, expected = CASES[name]
    prefix = own(name)
    first = [each["records"][0]["id"] for each in all_findings if each["rule"] == rule]
    assert {each.removeprefix(prefix) for each in first if each.startswith(prefix)} == expected


def test_each_rule_is_tried_and_explained(cases: TestClient) -> None:
    tried = {rule for rule, _, expected in CASES.values() if expected}
    shown = get(cases, "/v1/audit/rules")["items"]
    assert tried == {rule["rule"] for rule in shown} == {rule.name for rule in ALL}
    assert {code["code"] for code in get(cases, "/v1/codelists/audit_rule")["codes"]} == tried
    for rule in shown:
        assert len(rule["description"]) > 20
        assert {"vi", "en"} <= set(rule["label"])


# -- pages, filters, tags, mistakes -----------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_cursors_walk_each_finding_once(cases: TestClient, all_findings: list[Any], limit: int) -> None:
    assert walk(cases, f"/v1/audit?as_of={DAY}&limit={limit}") == all_findings
    keys = [(each["rule"], each["records"][0]["resource"], each["records"][0]["id"]) for each in all_findings]
    assert keys == sorted(keys)
    assert len({json.dumps(each) for each in all_findings}) == len(all_findings)


def test_steps_and_short_pages_do_not_lose_findings(
    cases_url: str, all_findings: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.analysis.audit import walk as walking  # noqa: PLC0415 - the limits of a step are its own

    monkeypatch.setattr(walking, "STEPS", 3)
    monkeypatch.setattr(walking, "CANDIDATES", 4)
    monkeypatch.setattr(walking, "RECORDS", 9)
    monkeypatch.setattr(walking, "SEARCHED", 30)
    monkeypatch.setattr(walking, "STATEMENTS", StatementCache())
    of_figure = [each for each in all_findings if each["records"][0]["resource"] == "figures"][-1]
    figure_id = of_figure["records"][0]["id"]

    async def first_page() -> Any:
        reader = database.reader()
        try:
            return await reader.run(lambda: walking.findings(AuditRequest(DAY, only={"id": ["none-such"]}), 100))
        finally:
            await reader.close()

    with Database(cases_url) as database:
        found = asyncio.run(read_all_findings(database, AuditRequest(DAY)))
        found_of_figure = asyncio.run(read_all_findings(database, AuditRequest(DAY, only={"id": [figure_id]})))
        page, position = asyncio.run(first_page())
    assert [brief(json.loads(json.dumps(vars(each)))) for each in found] == [brief(each) for each in all_findings]
    expected = [brief(each) for each in all_findings if each["records"][0] == of_figure["records"][0]]
    assert [brief(json.loads(json.dumps(vars(each)))) for each in found_of_figure] == expected
    assert page == []
    assert position, "a filter that matches no record would search all of them for one page"


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (
            "rule=overdue_milestone&rule=overdue_project",
            lambda f: f["rule"] in ("overdue_milestone", "overdue_project"),
        ),
        ("severity=warning", lambda f: f["severity"] != "note"),
        ("severity=error", lambda f: f["severity"] == "error"),
        ("resource=projects&resource=partners", lambda f: f["records"][0]["resource"] in ("projects", "partners")),
        ("project=geipp-2024-2028", lambda f: f["records"][0]["id"] == "geipp-2024-2028"),
        (
            "partner=mpi&rule=link_to_ended&resource=projects",
            lambda f: "partners/mpi" in brief(f)[2] and brief(f)[1][:8] == "projects",
        ),
        ("id=smart-factory-cooperation", lambda f: f["records"][0]["id"] == "smart-factory-cooperation"),
        ("place=da-nang", lambda f: brief(f)[1] == "projects/da-nang-smart-factory-project"),
    ],
)
def test_findings_can_be_narrowed(client: TestClient, asked: str, kept: Any) -> None:
    everything_found = walk(client, f"/v1/audit?as_of={DAY}&limit=200")
    found = walk(client, f"/v1/audit?as_of={DAY}&{asked}&limit=2")
    assert found == [each for each in everything_found if kept(each)]


def test_findings_of_a_project_are_those_about_it_and_what_names_it(client: TestClient) -> None:
    found = {brief(each)[1] for each in walk(client, f"/v1/audit?as_of={DAY}&project=smart-factory-cooperation")}
    assert found == {
        "projects/smart-factory-cooperation",
        "milestones/smart-factory-targets-2023",
        "statements/smart-factory-cooperation-objective",
        "statements/smart-factory-plan-2023",
        "figures/smart-factory-enterprises-plan-2023",
        "figures/smart-factory-enterprises-target-2022-2023",
        "figures/smart-factory-experts-target-2022-2023",
    }


def test_the_tag_names_the_day(client: TestClient) -> None:
    tags = {client.get(f"/v1/audit?{asked}").headers["etag"] for asked in ("", f"as_of={DAY}", "as_of=2020-01-01")}
    assert len(tags) == 3
    today = client.get("/v1/audit")
    assert client.get("/v1/audit", headers={"If-None-Match": today.headers["etag"]}).status_code == 304
    assert today.json()["as_of"] in today.headers["etag"]


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ("rule=nonsense", 422, "invalid_value"),
        ("severity=grave", 422, "invalid_value"),
        ("severity=note&severity=error", 422, "repeated"),
        ("resource=keys", 422, "invalid_value"),
        ("project=Not+an+id", 422, "invalid_value"),
        ("as_of=2026-02-30", 422, "invalid_value"),
        ("as_of=0", 422, "invalid_value"),
        ("as_of=2026-11-22T00:00", 422, "invalid_value"),
        ("as_of=٢٠٢٦-١١-٢٢", 422, "invalid_value"),
        ("limit=0", 422, "invalid_value"),
        ("limit=9223372036854775808", 422, "invalid_value"),
        ("rules=x", 422, "unknown_parameter"),
        ("cursor=", 400, None),
        ("cursor=AAAA", 400, None),
        ("project=a%00b", 400, None),
    ],
)
def test_bad_questions_are_told(client: TestClient, asked: str, status: int, code: str | None) -> None:
    response = client.get(f"/v1/audit?{asked}")
    assert response.status_code == status, response.text
    assert [each["code"] for each in response.json()["errors"]] == ([code] if code else [])


def test_a_cursor_is_bound_to_what_was_asked(client: TestClient) -> None:
    following = get(client, f"/v1/audit?as_of={DAY}&limit=1")["next"]
    assert client.get(following).status_code == 200
    for other in (
        following.replace("note", "warning"),
        following.replace(DAY, "2026-11-23"),
        following + "&rule=link_to_ended",
    ):
        assert client.get(other).status_code == 400


@pytest.mark.parametrize(
    "place", [["\0", "x", "y", 0], ["overdue_target", "figures", "x", 2**70], ["zzz", "", "", -1], 7, None]
)
def test_a_cursor_made_by_hand_does_no_harm(client: TestClient, seeded: str, place: Any) -> None:
    for record_id in ("x", "~", "ÿ", "\ud800", "\0"):
        made_up = signed(seeded, "/v1/audit", [("as_of", DAY), ("severity", "note")], place, record_id)
        assert client.get(f"/v1/audit?as_of={DAY}&cursor={made_up}").status_code in (200, 400)


def test_the_command_exits_with_1_when_something_is_found(
    seeded_database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOPTAC_DATABASE_URL", url_of(seeded_database))
    assert main(["audit", "--as-of", DAY]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(EXPECTED)
    assert main(["audit", "--severity", "error", "--as-of", DAY]) == 0
    assert capsys.readouterr().out == ""
    assert main(["audit", "--json", "--rule", "overdue_project", "--as-of", DAY]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert {brief(each)[1] for each in shown} == {record for rule, record, _ in EXPECTED if rule == "overdue_project"}
    assert main(["audit", "--rule", "nonsense"]) == 2
    assert "--rule" in capsys.readouterr().err
