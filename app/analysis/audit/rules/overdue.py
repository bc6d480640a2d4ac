"""Dates that have passed without a source that states the result."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import and_, exists, or_
from sqlalchemy.orm import aliased

from app.agreements.models import AGREEMENTS
from app.analysis.audit.rule import AS_OF, Case, Finding, date_in_words, is_one_of, is_same, rule
from app.core.database.sql import unindexed
from app.core.values.dates import ends, parse_edtf
from app.figures.models import FIGURES, PLACES_OF
from app.milestones.models import MILESTONES
from app.projects.models import PROJECTS
from app.statements.models import FULFILMENTS, STATEMENTS

FIGURE = FIGURES.table
MILESTONE = MILESTONES.table
PROJECT = PROJECTS.table
AGREEMENT = AGREEMENTS.table
STATEMENT = STATEMENTS.table

TO_BE_DONE = ("request", "commitment", "recommendation", "objective", "plan", "expectation")
NOT_STARTED = ("requested", "proposed", "committed", "agreed")


def _passed(case: Case, vi: str, en: str, field: str, day: str) -> Finding:
    """Return the finding that a day of this field has passed."""
    edtf = case.record[field]["edtf"]
    return case.finding(
        vi,
        en,
        evidence=[(case.record, (field, "status", "kind"))],
        computed={"how": f"{day} < {case.as_of}", "expected": edtf, "found": case.as_of},
        when=date_in_words(edtf, is_extent=field == "period"),
    )


def _start_passed(case: Case) -> str | None:
    """Return the last day on which the period can start, if it is before the day of the audit."""
    start, _ = ends(case.record["period"]["edtf"])
    last = parse_edtf(start).latest if start else None
    return last.isoformat() if last and last.isoformat() < case.as_of else None


@rule(
    "The date of a planned milestone has passed",
    "Mốc dự kiến đã qua ngày",
    "warning",
    MILESTONES,
    MILESTONE.status == "planned",
    MILESTONE.date_latest < AS_OF,
)
def overdue_milestone(case: Case) -> Iterator[Finding]:
    """A milestone is planned, its last possible day has passed, and no cited document states whether it took place."""
    vi = "Thời điểm dự kiến ({when}) đã qua mà chưa có nguồn nào cho biết kết quả."
    en = "The planned date ({when}) has passed, and no source states the result."
    yield _passed(case, vi, en, "date", case.record["date"]["latest"])


@rule(
    "The due date of a statement has passed",
    "Việc đến hạn chưa rõ đã làm",
    "note",
    STATEMENTS,
    is_one_of(STATEMENT.kind, TO_BE_DONE),
    STATEMENT.due_latest < AS_OF,
    ~exists().where(
        FULFILMENTS.c.record_id == STATEMENT.id,
        FULFILMENTS.c.milestone_id == MILESTONE.id,
        MILESTONE.state == "published",
        ~is_one_of(unindexed(MILESTONE.status), ("planned", "cancelled")),
    ),
)
def overdue_statement(case: Case) -> Iterator[Finding]:
    """The due date of a request, commitment, plan or other statement has passed, and no recorded event fulfils it."""
    vi = "Thời hạn ({when}) đã qua mà chưa ghi nhận việc thực hiện."
    en = "The due date ({when}) has passed, and no recorded event fulfils it."
    yield _passed(case, vi, en, "due", case.record["due"]["latest"])


@rule(
    "The date of an intended agreement has passed",
    "Thỏa thuận dự kiến đã qua ngày",
    "warning",
    AGREEMENTS,
    AGREEMENT.status == "intended",
    or_(AGREEMENT.signed_on_latest < AS_OF, AGREEMENT.period_earliest < AS_OF),
)
def overdue_agreement(case: Case) -> Iterator[Finding]:
    """An agreement is only intended, although its date of signing or the start of its period has passed."""
    vi = "Thời điểm dự kiến ({when}) đã qua mà chưa có nguồn nào cho biết đã ký."
    en = "The intended date ({when}) has passed, and no source states that it was signed."
    signed_on = case.record["signed_on"]
    if signed_on and signed_on["latest"] and signed_on["latest"] < case.as_of:
        yield _passed(case, vi, en, "signed_on", signed_on["latest"])
    elif case.record["period"] and (day := _start_passed(case)):
        yield _passed(case, vi, en, "period", day)


@rule(
    "The period of a project has started or ended, and its status has not changed",
    "Giai đoạn dự án đã bắt đầu hoặc kết thúc mà trạng thái chưa đổi",
    "warning",
    PROJECTS,
    or_(
        and_(is_one_of(PROJECT.status, NOT_STARTED), PROJECT.period_earliest < AS_OF),
        and_(PROJECT.status == "active", PROJECT.period_latest < AS_OF),
    ),
)
def overdue_project(case: Case) -> Iterator[Finding]:
    """A project has not started although its period has, or is active although its period is over.

    Its status is the one that the latest cited document states, so a newer source is missing.
    """
    if case.record["status"] == "active":
        vi = "Giai đoạn của dự án ({when}) đã kết thúc mà nguồn mới nhất vẫn nêu đang thực hiện."
        en = "Its period ({when}) is over, and the latest source states that it is active."
        yield _passed(case, vi, en, "period", case.record["period"]["latest"])
    elif day := _start_passed(case):
        vi = "Giai đoạn của dự án ({when}) đã bắt đầu mà chưa có nguồn nào cho biết đã triển khai."
        en = "Its period ({when}) has started, and no source states that the project has."
        yield _passed(case, vi, en, "period", day)


RESULT: Any = aliased(FIGURE)

# A target or plan and a result can be about one area: they share a place, or one of them has no place.
TARGET_PLACE = PLACES_OF.alias("target_place")
RESULT_PLACE = PLACES_OF.alias("result_place")
IN_ONE_AREA = or_(
    ~exists().where(TARGET_PLACE.c.record_id == FIGURE.id).correlate(FIGURE),
    ~exists().where(RESULT_PLACE.c.record_id == RESULT.id).correlate(RESULT),
    exists()
    .where(
        TARGET_PLACE.c.record_id == FIGURE.id,
        RESULT_PLACE.c.record_id == RESULT.id,
        TARGET_PLACE.c.place_id == RESULT_PLACE.c.place_id,
    )
    .correlate(FIGURE, RESULT),
)


@rule(
    "The period of a target or plan has passed without a result",
    "Mục tiêu, kế hoạch đã qua hạn mà chưa có kết quả",
    "note",
    FIGURES,
    is_one_of(FIGURE.kind, ("target", "plan")),
    FIGURE.period_latest < AS_OF,
    ~exists().where(
        unindexed(RESULT.indicator) == FIGURE.indicator,
        is_same(RESULT.project, FIGURE.project),
        unindexed(RESULT.kind) == "actual",
        RESULT.state == "published",
        RESULT.period_latest >= FIGURE.period_latest,
        IN_ONE_AREA,
    ),
)
def overdue_target(case: Case) -> Iterator[Finding]:
    """The period of a target or plan is over, and no result for its indicator, project and area covers its end.

    Where one of the two names no place, both can be about the same area.
    """
    vi = "Kỳ của số này ({when}) đã qua mà chưa có số thực hiện đến cuối kỳ."
    en = "Its period ({when}) has passed, and no result up to its end is recorded."
    yield _passed(case, vi, en, "period", case.record["period"]["latest"])
