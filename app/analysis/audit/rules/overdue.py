"""What was planned for a day that has passed, and is still only planned as far as the sources say."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import and_, exists, or_
from sqlalchemy.orm import aliased

from app.agreements.models import AGREEMENTS
from app.analysis.audit.rule import AS_OF, Case, Finding, is_one_of, is_same, rule
from app.core.database.sql import unindexed
from app.core.values.dates import ends, parse_edtf
from app.figures.models import FIGURES, PLACES_OF
from app.milestones.models import MILESTONES
from app.projects.models import PROJECTS
from app.statements.models import FULFILMENTS, STATEMENTS

FIGURE, MILESTONE, PROJECT = FIGURES.table, MILESTONES.table, PROJECTS.table

AGREEMENT, STATEMENT = AGREEMENTS.table, STATEMENTS.table

TO_BE_DONE = ("request", "commitment", "recommendation", "objective", "plan", "expectation")

NOT_STARTED = ("requested", "proposed", "committed", "agreed")


def _passed(case: Case, vi: str, en: str, field: str, day: str) -> Finding:
    """That the day of a field has passed."""
    edtf = case.record[field]["edtf"]
    return case.finding(
        vi,
        en,
        evidence=[(case.record, (field, "status", "kind"))],
        computed={"how": f"{day} < {case.as_of}", "expected": edtf, "found": case.as_of},
        when=edtf,
    )


def _start_passed(case: Case) -> str | None:
    """The last day on which the record's period can start, if it is before the audit."""
    start, _ = ends(case.record["period"]["edtf"])
    last = parse_edtf(start).latest if start else None
    return last.isoformat() if last and last.isoformat() < case.as_of else None


@rule(
    "A planned milestone's day has passed",
    "Mốc dự kiến đã qua ngày",
    "warning",
    MILESTONES,
    MILESTONE.status == "planned",
    MILESTONE.date_latest < AS_OF,
)
def overdue_milestone(case: Case) -> Iterator[Finding]:
    """A milestone is planned, its last possible day has passed, and no cited document says whether it took place."""
    vi = "Dự kiến {when}; thời điểm đó đã qua mà chưa có nguồn nào cho biết kết quả."
    en = "Planned for {when}; that has passed, and no source says what came of it."
    yield _passed(case, vi, en, "date", case.record["date"]["latest"])


@rule(
    "What was to be done by a day is not known to be done",
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
    """A request, commitment, plan or the like was due, the day has passed, and no event that took place did it."""
    vi = "Hạn là {when}; thời điểm đó đã qua mà chưa ghi nhận việc thực hiện."
    en = "Due {when}; that has passed, and nothing recorded carried it out."
    yield _passed(case, vi, en, "due", case.record["due"]["latest"])


@rule(
    "An intended agreement's day has passed",
    "Thỏa thuận dự kiến đã qua ngày",
    "warning",
    AGREEMENTS,
    AGREEMENT.status == "intended",
    or_(AGREEMENT.signed_on_latest < AS_OF, AGREEMENT.period_earliest < AS_OF),
)
def overdue_agreement(case: Case) -> Iterator[Finding]:
    """An agreement is only intended, though its day of signing or the start of its period has passed."""
    vi = "Dự kiến {when}; thời điểm đó đã qua mà chưa có nguồn nào cho biết đã ký."
    en = "Intended for {when}; that has passed, and no source says that it was signed."
    signed, starts = case.record["signed_on"], case.record["period"]
    if signed and signed["latest"] and signed["latest"] < case.as_of:
        yield _passed(case, vi, en, "signed_on", signed["latest"])
    elif starts and (day := _start_passed(case)):
        yield _passed(case, vi, en, "period", day)


@rule(
    "A project's period has begun or ended without its status",
    "Giai đoạn dự án đã bắt đầu hoặc kết thúc mà trạng thái chưa đổi",
    "warning",
    PROJECTS,
    or_(
        and_(is_one_of(PROJECT.status, NOT_STARTED), PROJECT.period_earliest < AS_OF),
        and_(PROJECT.status == "active", PROJECT.period_latest < AS_OF),
    ),
)
def overdue_project(case: Case) -> Iterator[Finding]:
    """A project is not started though its period has begun, or active though its period is over.

    Its status is what the latest cited document says: a newer source is missing.
    """
    if case.record["status"] == "active":
        vi = "Giai đoạn {when} đã kết thúc mà nguồn mới nhất vẫn nêu đang thực hiện."
        en = "Its period {when} is over, and the latest source has it as active."
        yield _passed(case, vi, en, "period", case.record["period"]["latest"])
    elif day := _start_passed(case):
        vi = "Giai đoạn {when} đã bắt đầu mà chưa có nguồn nào cho biết đã triển khai."
        en = "Its period {when} has begun, and no source says that it started."
        yield _passed(case, vi, en, "period", day)


REACHED: Any = aliased(FIGURE)

AIMED_AT, REACHED_IN = PLACES_OF.alias("aimed_at"), PLACES_OF.alias("reached_in")

IN_ONE_AREA = or_(
    ~exists().where(AIMED_AT.c.record_id == FIGURE.id).correlate(FIGURE),
    ~exists().where(REACHED_IN.c.record_id == REACHED.id).correlate(REACHED),
    exists()
    .where(
        AIMED_AT.c.record_id == FIGURE.id,
        REACHED_IN.c.record_id == REACHED.id,
        AIMED_AT.c.place_id == REACHED_IN.c.place_id,
    )
    .correlate(FIGURE, REACHED),
)


@rule(
    "A target's or plan's time has passed without a result",
    "Mục tiêu, kế hoạch đã qua hạn mà chưa có kết quả",
    "note",
    FIGURES,
    is_one_of(FIGURE.kind, ("target", "plan")),
    FIGURE.period_latest < AS_OF,
    ~exists().where(
        unindexed(REACHED.indicator) == FIGURE.indicator,
        is_same(REACHED.project, FIGURE.project),
        unindexed(REACHED.kind) == "actual",
        REACHED.state == "published",
        REACHED.period_latest >= FIGURE.period_latest,
        IN_ONE_AREA,
    ),
)
def overdue_target(case: Case) -> Iterator[Finding]:
    """The period of a target or plan is over, and no result of its indicator, project and area reaches to its end.

    Where one of the two names no place, it may be the same area.
    """
    vi = "Kỳ {when} đã qua mà chưa có số thực hiện đến cuối kỳ."
    en = "The period {when} has passed, and there is no result up to its end."
    yield _passed(case, vi, en, "period", case.record["period"]["latest"])
