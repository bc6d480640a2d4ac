"""The figures of projects, and their indicators, as many as fit into one response."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, case, func, literal_column, or_, select

from app.analysis.progress.assembly import KINDS
from app.core.database.sql import bounded_query, one_of, unindexed
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, fitting
from app.core.stored_records import query_in_order, select_keys, select_texts
from app.core.values.json import from_json
from app.figures.indicators import INDICATORS
from app.figures.models import FIGURES
from app.figures.stated import StatedFigure
from app.projects.models import PROJECTS

MAX_FIGURES = 1_000  # in one response

PROJECT = PROJECTS.table
FIGURE = FIGURES.table
INDICATOR = INDICATORS.table


class FiguresOfProjects(NamedTuple):
    """Figures, the number of all figures of each of their projects, and whether any figures are missing."""

    figures: list[StatedFigure]
    counts: Mapping[str, int]
    is_cut: bool


def is_shown_figure(kind_column: Any = FIGURE.kind) -> ColumnElement[bool]:
    """Return the condition of the public figures that progress shows."""
    is_of_kind: ColumnElement[bool] = kind_column.in_([literal_column(f"'{kind}'") for kind in KINDS])
    return and_(is_of_kind, FIGURE.state == literal_column("'published'"))


def _figures_in_turn(*where: ColumnElement[bool]) -> Query:
    """Return the query of figures of projects, each with the number of figures of its project.

    The own figures of the project `top` come first, then those of other projects, then those that other partners state
    about a project. Projects and partners take turns, so that no partner can fill a response alone.
    """
    manager = select(PROJECT.managed_by).where(PROJECT.id == FIGURE.project).scalar_subquery()
    is_own = or_(FIGURE.managed_by.is_(None), FIGURE.managed_by == manager)
    is_of_top = FIGURE.project == bindparam("top")
    rank: Any = case((and_(is_own, is_of_top), _rank(0)), (is_own, _rank(1)), else_=_rank(2))
    turn = func.row_number().over(partition_by=(FIGURE.project, FIGURE.managed_by), order_by=FIGURE.id)
    count = func.count().over(partition_by=FIGURE.project).label("of_project")
    keys = select_keys(FIGURES, count).where(is_shown_figure(unindexed(FIGURE.kind)), *where)
    return query_in_order(FIGURES, keys.order_by(rank, turn, FIGURE.id).limit(literal_column(str(MAX_FIGURES + 1))))


def _rank(number: int) -> ColumnElement[int]:
    return literal_column(str(number))


OF_PROJECTS = one_of(FIGURE.project, "projects")
FIGURES_OF_PROJECTS = _figures_in_turn(OF_PROJECTS)
FIGURES_OF_INDICATORS = _figures_in_turn(OF_PROJECTS, one_of(FIGURE.indicator, "indicators"))
INDICATORS_BY_ID = bounded_query(select_texts(INDICATORS, INDICATOR.id).where(one_of(INDICATOR.id, "ids")))


def read_figures(project_ids: Sequence[str], indicators: list[str] | None, top: str) -> Read:
    """Read the FiguresOfProjects, for all indicators or only these."""
    values: dict[str, Any] = {"projects": project_ids, "top": top, "most_bytes": MAX_PAGE_BYTES}
    if indicators:
        rows = yield FIGURES_OF_INDICATORS, {**values, "indicators": indicators}
    else:
        rows = yield FIGURES_OF_PROJECTS, values
    fitted = fitting(rows[:MAX_FIGURES])
    figures = [StatedFigure.of(body) for _, _, body in fitted]
    counts = {figure["project"]: row[0] for figure, row in zip(figures, fitted, strict=True)}
    by_id = sorted(figures, key=lambda figure: figure.id)
    return FiguresOfProjects(by_id, counts, len(fitted) < len(rows))


def read_indicators(figures: Sequence[StatedFigure], managers: Mapping[str, str | None], top: str) -> Read:
    """Read the indicators of figures by id, as many as fit. Those of own figures come first, of `top` before others."""
    ids: list[dict[str, None]] = [{}, {}, {}]
    for figure in figures:
        is_own = figure["managed_by"] in (None, managers[figure["project"]])
        rank = 2 if not is_own else 0 if figure["project"] == top else 1
        ids[rank][figure["indicator"]] = None
    records: dict[str, Any] = {}
    for group in ids:
        missing = [indicator_id for indicator_id in group if indicator_id not in records]
        rows = (yield INDICATORS_BY_ID, {"ids": missing, "most_bytes": MAX_PAGE_BYTES}) if missing else ()
        records |= {indicator_id: from_json(body) for indicator_id, body in fitting(rows)}
    return records
