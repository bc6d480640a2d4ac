"""Reading progress: a project with all that is part of it, and many projects page by page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, func, literal_column, select

from app.analysis.progress.progress import KINDS, MAX_LEVELS, IndicatorProgress, is_counted, progress
from app.core.database.sql import one_of
from app.core.database.statements import Query, Read
from app.core.errors import ErrorItem, Invalid
from app.core.model.filters import Parameter, equals
from app.core.model.resource import Id
from app.core.reading.conditions import FilterShape, conditions, filter_shape
from app.core.reading.cursors import Cursors
from app.core.reading.includes import select_stored
from app.core.reading.parameters import DEFAULT_LIMIT, MAX_ITEMS, Digits, filter_fields, query_model
from app.core.reading.reads import reading_of
from app.core.reading.results import ReadRequest, computed
from app.core.values.dates import Edtf
from app.core.values.json import from_json
from app.core.values.text import LanguageMap
from app.figures.indicators import INDICATORS
from app.figures.models import FIGURES
from app.figures.stated import StatedFigure, day_of
from app.projects.models import PARTS, PROJECT_KIND, PROJECT_STATUS, PROJECTS

MAX_FIGURES = 1_000  # decided about in one answer

MAX_PROJECT_PARTS = 200  # projects shown under a project

PROJECT, FIGURE, INDICATOR = PROJECTS.table, FIGURES.table, INDICATORS.table


@dataclass(frozen=True)
class ProjectProgress:
    """A project and where its indicators stand, by its own figures. No indicators: nobody stated a figure."""

    project: Annotated[str, Field(description="Id of the project.", examples=[PROJECTS.example])]
    title: LanguageMap
    kind: Annotated[str, PROJECT_KIND]
    status: Annotated[str, PROJECT_STATUS]
    period: Edtf | None
    managed_by: Annotated[str | None, Field(description="Its manager: whose figures count without a document.")]
    part_of: Annotated[list[str], Field(description="Wider projects; the first is the roll-up.")]
    indicators: list[IndicatorProgress]


@dataclass(frozen=True)
class PartProgress(ProjectProgress):
    """A project shown under a wider one, with numbers of its own: they are never added to the wider one's."""

    rolls_up: Annotated[bool, Field(description="Whether its roll-up is the project it is shown under.")]
    parts: "list[PartProgress]"


@dataclass(frozen=True)
class WholeProgress(ProjectProgress):
    """A project with its parts, phases and batches, each shown once: under its roll-up if that is here."""

    parts: list[PartProgress]
    more_parts: Annotated[bool, Field(description=f"There are more than {MAX_PROJECT_PARTS}, or deeper ones.")]


@dataclass(frozen=True)
class ProgressPage:
    """A page of projects that have targets, plans, baselines or actuals."""

    items: list[ProjectProgress]
    next: Annotated[str | None, Field(description="Path of the next page; null at the end.")]


def _kinds() -> ColumnElement[bool]:
    counted: ColumnElement[bool] = FIGURE.kind.in_([literal_column(f"'{kind}'") for kind in KINDS])
    return and_(counted, FIGURE.state == literal_column("'published'"))


def _tree() -> Select[Any]:
    """A public project and all that is part of it, nearest first; depth is bounded, so that a cycle ends."""
    top = select(PROJECT.id.label("id"), literal_column("0").label("depth")).where(
        PROJECT.id == bindparam("id"), PROJECT.state == "published"
    )
    tree = top.cte("tree", recursive=True)
    below = select(PARTS.c.record_id, tree.c.depth + literal_column("1")).join(tree, PARTS.c.whole_id == tree.c.id)
    public = below.join(PROJECT, PROJECT.id == PARTS.c.record_id).where(PROJECT.state == "published")
    tree = tree.union(public.where(tree.c.depth < literal_column(str(MAX_LEVELS + 1))))
    nearest = select(tree.c.id, func.min(tree.c.depth).label("depth")).group_by(tree.c.id).subquery()
    found = select_stored(PROJECTS).join(nearest, nearest.c.id == PROJECT.id)
    return found.order_by(nearest.c.depth, nearest.c.id).limit(literal_column(str(MAX_PROJECT_PARTS + 2)))


def _figures(*where: ColumnElement[bool]) -> Query:
    found = select_stored(FIGURES).where(_kinds(), *where).order_by(FIGURE.id)
    return Query(found.limit(literal_column(str(MAX_FIGURES + 1))))


PROJECT_TREE = Query(_tree())

OF_PROJECTS = one_of(FIGURE.project, "projects")

FIGURES_OF = _figures(OF_PROJECTS)

FIGURES_OF_INDICATORS = _figures(OF_PROJECTS, one_of(FIGURE.indicator, "indicators"))

NAMED_FIGURES = _figures(one_of(FIGURE.id, "ids"))

MANAGERS = Query(select(PROJECT.id, PROJECT.managed_by).where(one_of(PROJECT.id, "ids")))

MEASURES = Query(select_stored(INDICATORS, INDICATOR.id).where(one_of(INDICATOR.id, "ids")))


def _numbers(projects: Sequence[Mapping[str, Any]], indicators: list[str] | None) -> Read:
    """What every one of these projects has to show, by its id."""
    values: dict[str, Any] = {"projects": [each["id"] for each in projects]}
    if indicators:
        rows = yield FIGURES_OF_INDICATORS, {**values, "indicators": indicators}
    else:
        rows = yield FIGURES_OF, values
    if len(rows) > MAX_FIGURES:
        detail = f"More than {MAX_FIGURES} figures: ask for single indicators, or for fewer projects with limit."
        raise Invalid(ErrorItem(parameter="indicator", code="too_many_figures", detail=detail))
    figures = {each.id: each for each in (StatedFigure.of(body) for (body,) in rows)}
    beside = {other for each in figures.values() for other in each.related("compared_with")} - figures.keys()
    rows = (yield NAMED_FIGURES, {"ids": sorted(beside)[:MAX_FIGURES]}) if beside else ()
    others = [*figures.values(), *(StatedFigure.of(body) for (body,) in rows)]
    managers = {each["id"]: each["managed_by"] for each in projects}
    unknown = {each["project"] for each in others} - {None} - managers.keys()
    managers |= dict((yield MANAGERS, {"ids": sorted(unknown)}) if unknown else ())
    named = [each for each in others if is_counted(each, managers.get(each["project"]))]
    rows = yield MEASURES, {"ids": sorted({each["indicator"] for each in figures.values()})}
    known = {name: from_json(body) for name, body in rows}
    own: dict[str, list[StatedFigure]] = {each["id"]: [] for each in projects}
    for figure in figures.values():
        own[figure["project"]].append(figure)
    return {
        each["id"]: progress(own[each["id"]], each["managed_by"], named, known, day_of(each["period"], "earliest"))
        for each in projects
    }


def read_progress(project_id: str, query: Any, request: ReadRequest) -> Read:
    """The progress of one project and, nested, of what is part of it."""
    return (yield from computed(request, lambda: _whole(project_id, query, request), encode=vars))


def _whole(project_id: str, query: Any, request: ReadRequest) -> Read:
    rows = yield PROJECT_TREE, {"id": project_id}
    if not rows:
        yield from reading_of(PROJECTS).raise_missing(project_id, request)
    projects = [from_json(body) for (body,) in rows[: MAX_PROJECT_PARTS + 1]]
    numbers = yield from _numbers(projects, query.indicator)
    below = parts_below(projects)

    def part(project: Mapping[str, Any], above: str) -> PartProgress:
        parts = [part(each, project["id"]) for each in below.get(project["id"], ())]
        return PartProgress(**_about(project, numbers), rolls_up=project["part_of"][0] == above, parts=parts)

    parts = [part(each, project_id) for each in below.get(project_id, ())]
    more = len(rows) > 1 + sum(map(len, below.values()))
    whole = WholeProgress(**_about(projects[0], numbers), parts=parts, more_parts=more)
    return whole, None


def parts_below(projects: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Which projects to show under which, the first of them being the top: each once, level by level.

    A project waits for its roll-up, the first of its wholes that is here at all; only where roll-ups go round in a
    circle it takes any whole that is placed. What is more than MOST_LEVELS deep is not placed.
    """
    here = {each["id"] for each in projects}
    wholes = {each["id"]: [whole for whole in each["part_of"] if whole in here] for each in projects}
    placed, left = {projects[0]["id"]}, list(projects[1:])
    below: dict[str, list[Mapping[str, Any]]] = {}
    for _ in range(MAX_LEVELS):
        ready = [each for each in left if wholes[each["id"]][0] in placed]
        ready = ready or [each for each in left if placed & set(wholes[each["id"]])]
        for each in ready:
            above = next(whole for whole in wholes[each["id"]] if whole in placed)
            below.setdefault(above, []).append(each)
        placed |= {each["id"] for each in ready}
        left = [each for each in left if each["id"] not in placed]
    return below


def _about(project: Mapping[str, Any], numbers: Mapping[str, list[IndicatorProgress]]) -> dict[str, Any]:
    shown = {name: project[name] for name in ("title", "kind", "status", "period", "managed_by", "part_of")}
    return {"project": project["id"], **shown, "indicators": numbers[project["id"]]}


class ProgressList:
    """The projects that have figures, page by page, under the filters of the list of projects."""

    def __init__(self) -> None:
        self.statement = lru_cache(maxsize=256)(self._build)

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """Those of the list of projects, and the indicators to show."""
        one_project = replace(PROJECTS.parameters["id"], name="project", about="Any of these projects.")
        measuring = Parameter("indicator", Id, "With figures of this indicator; only those.", _measures, many=True)
        kept = {name: each for name, each in PROJECTS.parameters.items() if name != "id"}
        return {"project": one_project, **kept, "indicator": measuring}

    @cached_property
    def query(self) -> type[BaseModel]:
        """The query model."""
        fields = filter_fields(self.parameters.values())
        fields["limit"] = (Digits, Field(default=DEFAULT_LIMIT, ge=1, le=MAX_ITEMS, description="Projects a page."))
        about = "Where to go on: taken from `next`, for the same filters."
        fields["cursor"] = (str | None, Field(default=None, description=about, max_length=1000))
        return query_model("ProgressListQuery", fields)

    def _build(self, shape: FilterShape) -> Query:
        has_figures = exists().where(FIGURE.project == PROJECT.id, _kinds())
        found = select_stored(PROJECTS).where(has_figures, *conditions(self.parameters, shape))
        return Query(found.where(PROJECT.id > bindparam("after")).order_by(PROJECT.id).limit(bindparam("most")))

    def page(self, query: Any, request: ReadRequest) -> Read:
        """A page of projects with their progress, by id; each sub-project is an item of its own."""
        return (yield from computed(request, lambda: self._page(query, request.path), encode=vars))

    def _page(self, query: Any, path: str) -> Read:
        filters = query.model_dump(exclude_none=True, exclude={"limit", "cursor"})
        shape, values = filter_shape(self.parameters, filters)
        cursors = Cursors(path, list(_pairs(filters)))
        after = cursors.read(query.cursor)[1] if query.cursor is not None else ""
        rows = yield self.statement(shape), {**values, "after": after, "most": query.limit + 1}
        projects = [from_json(body) for (body,) in rows[: query.limit]]
        following = None
        if len(rows) > query.limit:
            last = projects[-1]["id"]
            following = cursors.next([("limit", query.limit)], last, last)
        numbers = yield from _numbers(projects, query.indicator)
        items = [ProjectProgress(**_about(each, numbers)) for each in projects]
        return ProgressPage(items, following), following


def _measures(bind: str, single: bool) -> ColumnElement[bool]:
    return exists().where(FIGURE.project == PROJECT.id, _kinds(), equals(FIGURE.indicator, bind, single))


def _pairs(filters: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in filters.items():
        yield from ((name, one) for one in (value if isinstance(value, list) else [value]))
