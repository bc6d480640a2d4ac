"""The sources of timeline entries: dates of milestones, agreements, projects and statements.

An entry is placed on the first day that its date can mean. An end or a due date is placed on the last day. If this day
is unknown, the entry is placed on the other end of the date. Entries of one day are ordered by the other end of their
date or period, then by source (in the order of SOURCES), then by id.

One event has one entry. If a signing, start or end also has a milestone that the request includes, only the milestone
is returned, unless it was cancelled. The date of a signing's milestone must be compatible with the date of the
agreement; the milestone of a start or end must have the same first or last day. Otherwise both are returned.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, literal_column

from app.agreements.models import AGREEMENTS
from app.core.database.sql import unindexed
from app.core.model.resource import Resource
from app.core.values.codelists import Code, CodeList
from app.core.values.dates import OPEN_END, OPEN_START
from app.milestones.models import MILESTONES
from app.projects.models import PROJECTS
from app.statements.models import STATEMENTS

WHAT = CodeList(
    "timeline_what",
    "What happens at an entry of a timeline. "
    "`signing`: an agreement is signed. "
    "`start` and `end`: a project or an agreement starts or ends. "
    "`due`: a target date is reached, or the due date of a request, commitment or the like. "
    "`milestone`: any other event.",
    {
        "milestone": Code("Milestone", "Mốc sự kiện"),
        "signing": Code("Signing", "Ký kết"),
        "start": Code("Start", "Bắt đầu"),
        "end": Code("End", "Kết thúc"),
        "due": Code("Due", "Đến hạn"),
    },
)

# The type of a timeline entry for each kind of milestone. Milestones of other kinds have the type `milestone`.
WHAT_OF_KIND = {"signing": "signing", "start": "start", "end": "end", "target_date": "due"}

NO_START: Any = literal_column(f"'{OPEN_START}'")
NO_END: Any = literal_column(f"'{OPEN_END}'")
PUBLISHED: Any = literal_column("'published'")

# The requested period as days, and extended to full years: the start of a project in «2022» is a day in its column.
FROM: Any = bindparam("period_from")
TO: Any = bindparam("period_to")
FROM_YEAR: Any = bindparam("period_from_year")
TO_YEAR: Any = bindparam("period_to_year")

MILESTONE = MILESTONES.table
AGREEMENT = AGREEMENTS.table


@dataclass(frozen=True, eq=False)
class EntrySource:
    """Entries of one resource: what they can be, the column of their day (`at`), and that of the other end.

    `field` is the field with the date. `within` is the condition that an entry can be in the requested period. For
    starts and ends it accepts too many entries, because their precision has no column; these are filtered after the
    read. `shown_by` is the condition for a milestone that is returned in place of the entry.
    """

    resource: Resource
    whats: tuple[str, ...]
    field: str
    at: Any
    other: Any
    within: ColumnElement[bool]
    where: tuple[ColumnElement[bool], ...]
    shown_by: ColumnElement[bool] | None = None


def _dated(resource: Resource, whats: tuple[str, ...], name: str, *where: Any, **options: Any) -> Iterator[EntrySource]:
    """Return the sources of dated entries: those with a known day, and those placed on the other end of their date.

    Each of the two is a range of an index.
    """
    earliest = getattr(resource.table, f"{name}_earliest")
    latest = getattr(resource.table, f"{name}_latest")
    within = and_(latest >= FROM, earliest <= TO)
    on_last_day = whats[-1] == "due"
    at, other, is_open = (latest, earliest, NO_END) if on_last_day else (earliest, latest, NO_START)
    yield EntrySource(resource, whats, name, at, other, within, (at != is_open, *where), **options)
    yield EntrySource(resource, whats, name, other, at, within, (at == is_open, *where), **options)


def _extent(resource: Resource, link: Any) -> Iterator[EntrySource]:
    """Return the sources of the starts and ends of a period. An open end has no entry."""
    start = resource.table.period_earliest
    end = resource.table.period_latest
    milestone_starts = and_(link == resource.table.id, unindexed(MILESTONE.date_earliest) == start)
    milestone_ends = and_(link == resource.table.id, unindexed(MILESTONE.date_latest) == end)
    start_within = and_(start >= FROM_YEAR, start <= TO)
    end_within = and_(end >= FROM, end <= TO_YEAR)
    yield EntrySource(resource, ("start",), "period", start, end, start_within, (start != NO_START,), milestone_starts)
    yield EntrySource(resource, ("end",), "period", end, start, end_within, (end != NO_END,), milestone_ends)


SIGNED = and_(
    MILESTONE.agreement == AGREEMENT.id,
    unindexed(MILESTONE.date_latest) >= AGREEMENT.signed_on_earliest,
    unindexed(MILESTONE.date_earliest) <= AGREEMENT.signed_on_latest,
)

SOURCES = (
    *_dated(MILESTONES, ("milestone", "signing", "start"), "date"),
    *_dated(MILESTONES, ("end", "due"), "date"),
    *_dated(AGREEMENTS, ("signing",), "signed_on", shown_by=SIGNED),
    *_extent(AGREEMENTS, MILESTONE.agreement),
    *_extent(PROJECTS, MILESTONE.project),
    *_dated(STATEMENTS, ("due",), "due"),
)
