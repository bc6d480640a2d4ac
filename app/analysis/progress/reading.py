"""Reads of progress: one project with its sub-projects, and a page of many projects."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Select, bindparam, exists, func, literal_column, select

from app.analysis.progress.assembly import IndicatorProgress, is_counted, progress
from app.analysis.progress.figures import MAX_FIGURES, is_shown_figure, read_figures, read_indicators
from app.analysis.progress.grouping import MAX_LEVELS
from app.core.database.sql import bounded_query, one_of, unindexed
from app.core.database.statement_cache import STATEMENTS
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, fitting
from app.core.model.filters import Parameter, equals
from app.core.model.labels import LabelsOrNone, in_one_language, labelled
from app.core.model.negations import negation
from app.core.model.resource import COMPUTED_INCLUDES, ComputedInclude, Id
from app.core.reading.cursors import MAX_CURSOR, Cursors
from app.core.reading.filter_conditions import FilterShape, conditions, filter_shape
from app.core.reading.filter_ids import resolve_ids
from app.core.reading.parameters import DEFAULT_LIMIT, LANGUAGES, MAX_ITEMS, Digits, filter_fields, query_model
from app.core.reading.reads import reading_of
from app.core.reading.results import ReadRequest, computed
from app.core.stored_records import query_in_order, select_keys, select_texts
from app.core.values.dates import Edtf
from app.core.values.json import from_json, to_json
from app.core.values.text import LanguageMap
from app.figures.models import FIGURES
from app.figures.stated import StatedFigure, day_of
from app.projects.models import PARTS, PROJECT_KIND, PROJECT_STATUS, PROJECTS

MAX_PROJECT_PARTS = 200  # sub-projects shown under a project
MAX_TREE = 20_000  # positions of sub-projects among which these are the nearest

PROJECT = PROJECTS.table
FIGURE = FIGURES.table


@dataclass(frozen=True)
class ProjectProgress:
    """A project with the progress of its indicators, from its own figures only."""

    project: Annotated[str, Field(description="Id of the project.", examples=[PROJECTS.example])]
    title: Annotated[LanguageMap, Field(description="Title of the project, by language.")]
    kind: Annotated[str, PROJECT_KIND, Field(description="Type of cooperation.")]
    status: Annotated[str, PROJECT_STATUS, Field(description="Stage that the latest cited document states.")]
    period: Annotated[Edtf | None, Field(description="Time from its start to its end. Null: unknown.")]
    managed_by: Annotated[
        str | None,
        Field(description="Id of the partner that maintains the project. Its figures count without a document."),
    ]
    part_of: Annotated[list[str], Field(description="Ids of the wider projects; the first one is the roll-up.")]
    indicators: Annotated[
        list[IndicatorProgress], Field(description="Progress of each indicator. Empty: the project has no figures.")
    ]
    more_figures: Annotated[
        bool,
        Field(
            description=f"Whether figures are, or may be, missing, because a response has at most {MAX_FIGURES} and a "
            "bounded size. Those of the project's manager and of the curators come before those of other partners."
        ),
    ]
    labels: LabelsOrNone = field(init=False, default=None)  # an item without labels does not have this member


@dataclass(frozen=True)
class PartProgress(ProjectProgress):
    """A sub-project with its own numbers, which are never added to those of the wider project."""

    rolls_up: Annotated[bool, Field(description="Whether the project under which it is shown is its roll-up.")]
    parts: Annotated["list[PartProgress]", Field(description="Projects that are part of this one.")]


@dataclass(frozen=True)
class WholeProgress(ProjectProgress):
    """A project with its sub-projects.

    Each sub-project is shown once, under the first of its wider projects that is part of the response.
    """

    parts: Annotated[list[PartProgress], Field(description="Projects that are part of this one.")]
    more_parts: Annotated[
        bool,
        Field(
            description=f"Whether sub-projects are missing: there are more than {MAX_PROJECT_PARTS}, or more than "
            f"{MAX_LEVELS} levels."
        ),
    ]


@dataclass(frozen=True)
class ProgressPage:
    """A page of projects that have targets, plans, baselines or actuals."""

    items: Annotated[list[ProjectProgress], Field(description="Projects, ordered by id.")]
    next: Annotated[str | None, Field(description="Path of the next page; null on the last page.")]


def project_tree() -> Select[Any]:
    """Select a public project and its sub-projects, nearest first. The depth is limited, so that cycles end.

    A project is found once on each level on which it is. Both engines find level after level, and stop at MAX_TREE.
    """
    top = select(PROJECT.id.label("id"), literal_column("0").label("depth")).where(
        PROJECT.id == bindparam("id"), PROJECT.state == "published"
    )
    tree = top.cte("tree", recursive=True)
    below = select(PARTS.c.record_id, tree.c.depth + literal_column("1")).join(tree, PARTS.c.whole_id == tree.c.id)
    public = below.join(PROJECT, PROJECT.id == PARTS.c.record_id).where(PROJECT.state == "published")
    tree = tree.union(public.where(tree.c.depth < literal_column(str(MAX_LEVELS + 1))))
    positions = select(tree.c.id, tree.c.depth).limit(literal_column(str(MAX_TREE))).subquery()
    nearest = select(positions.c.id, func.min(positions.c.depth).label("depth")).group_by(positions.c.id).subquery()
    keys = select_keys(PROJECTS).join(nearest, nearest.c.id == PROJECT.id)
    return keys.order_by(nearest.c.depth, nearest.c.id).limit(literal_column(str(MAX_PROJECT_PARTS + 2)))


PROJECTS_BY_ID = bounded_query(select_texts(PROJECTS, PROJECT.id).where(one_of(PROJECT.id, "ids")))
PROJECT_TREE = query_in_order(PROJECTS, project_tree())
_BY_ID = select_keys(FIGURES).where(is_shown_figure(unindexed(FIGURE.kind)), one_of(FIGURE.id, "ids"))
FIGURES_BY_ID = query_in_order(FIGURES, _BY_ID.order_by(FIGURE.id).limit(literal_column(str(MAX_FIGURES))))
MANAGERS = Query(select(PROJECT.id, PROJECT.managed_by).where(one_of(PROJECT.id, "ids")))


class Results(NamedTuple):
    """The progress of the indicators of a project, and whether figures are missing."""

    indicators: list[IndicatorProgress]
    more_figures: bool


def _progress_of(projects: Sequence[Mapping[str, Any]], indicators: list[str] | None, top: str = "") -> Read:
    """Read the Results of projects, by the id of the project, for all indicators or only these.

    The own figures of the project `top` come first.
    """
    managers = {project["id"]: project["managed_by"] for project in projects}
    figures, counts, is_cut = yield from read_figures(list(managers), indicators, top)
    records = yield from read_indicators(figures, managers, top)
    figures_by_id = {figure.id: figure for figure in figures if figure["indicator"] in records}
    named = yield from _read_named(projects, figures_by_id)
    own: dict[str, list[StatedFigure]] = {project["id"]: [] for project in projects}
    for figure in figures_by_id.values():
        own[figure["project"]].append(figure)
    results = {}
    for project in projects:
        figures_of_project = own[project["id"]]
        since = day_of(project["period"], "earliest")
        entries = progress(figures_of_project, project["managed_by"], named, records, since)
        # Of a project without figures in the response, the number is not known.
        is_missing = counts.get(project["id"], int(is_cut)) > len(figures_of_project)
        results[project["id"]] = Results(entries, is_missing)
    return results


def _read_named(projects: Sequence[Mapping[str, Any]], figures: Mapping[str, StatedFigure]) -> Read:
    """Read the counted figures with which others can be compared: these figures, and those to which they relate."""
    named_ids = set(chain.from_iterable(figure.related("compared_with") for figure in figures.values()))
    other_ids = named_ids - figures.keys()
    rows = (
        (yield FIGURES_BY_ID, {"ids": sorted(other_ids)[:MAX_FIGURES], "most_bytes": MAX_PAGE_BYTES})
        if other_ids
        else ()
    )
    named = [*figures.values(), *(StatedFigure.of(body) for _, body in fitting(rows))]
    managers = {project["id"]: project["managed_by"] for project in projects}
    other_projects = {figure["project"] for figure in named} - {None} - managers.keys()
    managers |= dict((yield MANAGERS, {"ids": sorted(other_projects)}) if other_projects else ())
    return [figure for figure in named if is_counted(figure, managers.get(figure["project"]))]


def read_progress(project_id: str, query: Any, request: ReadRequest) -> Read:
    """Read the progress of one project with its sub-projects."""
    return (yield from computed(request, lambda: _read_project(project_id, query, request), encode=vars))


def _read_project(project_id: str, query: Any, request: ReadRequest) -> Read:
    rows = yield PROJECT_TREE, {"id": project_id, "most_bytes": MAX_PAGE_BYTES}
    if not rows:
        yield from reading_of(PROJECTS).raise_missing(project_id, request)
    projects = [from_json(body) for _, body in fitting(rows[: MAX_PROJECT_PARTS + 1])]
    results = yield from _progress_of(projects, query.indicator, project_id)
    below = parts_below(projects)

    def parts_of(above: str) -> list[PartProgress]:
        return [
            PartProgress(
                **_members(project, results),
                rolls_up=project["part_of"][0] == above,
                parts=parts_of(project["id"]),
            )
            for project in below.get(above, ())
        ]

    has_more = len(rows) > 1 + sum(map(len, below.values()))
    shown_project = WholeProgress(**_members(projects[0], results), parts=parts_of(project_id), more_parts=has_more)
    return _shaped(shown_project, query.labels, query.lang), None


def _shaped(item: ProjectProgress, labels: str | None, lang: str | None) -> Any:
    """Return a project and its parts with labels, and with their texts in one language, if these are stated."""
    return _with_texts(from_json(to_json(item, vars)), labels, lang) if labels or lang else item


def _with_texts(members: dict[str, Any], labels: str | None, lang: str | None) -> dict[str, Any]:
    if "parts" in members:
        members = {**members, "parts": [_with_texts(part, labels, lang) for part in members["parts"]]}
    if lang:
        members = in_one_language(ProjectProgress, members, lang)
    return labelled(ProjectProgress, members, labels) if labels else members


def parts_below(projects: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the projects to show under each project, by its id; each once. The first project is the top.

    A project is shown under its roll-up: the first of the wider projects that is in the list. If roll-ups form a
    cycle, it is shown under any wider project that has a position already. Projects more than MAX_LEVELS deep are left
    out.
    """
    ids = {project["id"] for project in projects}
    wider = {project["id"]: [wider_id for wider_id in project["part_of"] if wider_id in ids] for project in projects}
    placed = {projects[0]["id"]}
    remaining = list(projects[1:])
    below: dict[str, list[Mapping[str, Any]]] = {}
    for _ in range(MAX_LEVELS):
        ready = [project for project in remaining if wider[project["id"]][0] in placed]
        ready = ready or [project for project in remaining if placed & set(wider[project["id"]])]
        for project in ready:
            above = next(wider_id for wider_id in wider[project["id"]] if wider_id in placed)
            below.setdefault(above, []).append(project)
        placed |= {project["id"] for project in ready}
        remaining = [project for project in remaining if project["id"] not in placed]
    return below


def _members(project: Mapping[str, Any], results: Mapping[str, Results]) -> dict[str, Any]:
    """Return the members of a ProjectProgress."""
    copied = {name: project[name] for name in ("title", "kind", "status", "period", "managed_by", "part_of")}
    return {"project": project["id"], **copied, **results[project["id"]]._asdict()}


def read_included(project_ids: Sequence[str], labels: str | None, lang: str | None) -> Read:
    """Return the progress of projects as JSON, by the id of the project: `include=progress`."""
    rows = yield PROJECTS_BY_ID, {"ids": list(project_ids), "most_bytes": MAX_PAGE_BYTES}
    projects = [from_json(body) for _, body in fitting(rows)]
    results = yield from _progress_of(projects, None)
    items = {project["id"]: ProjectProgress(**_members(project, results)) for project in projects}
    return {project_id: to_json(_shaped(item, labels, lang), vars) for project_id, item in items.items()}


COMPUTED_INCLUDES[PROJECTS.name] = {"progress": ComputedInclude(ProjectProgress, read_included)}


class ProgressList:
    """The projects that have figures, page by page, with the filters of the list of projects."""

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The filters of the list of projects, and the indicators to show."""
        project = replace(PROJECTS.parameters["id"], name="project", about="Projects with these ids.")
        others_than = negation(project)
        description = "Only figures of these indicators, and projects that have such figures."
        indicator = Parameter("indicator", Id, description, _has_indicator, many=True)
        others = {name: parameter for name, parameter in PROJECTS.parameters.items() if name not in ("id", "id_not")}
        return {"project": project, others_than.name: others_than, **others, "indicator": indicator}

    @cached_property
    def query(self) -> type[BaseModel]:
        """The model of the query string."""
        fields = filter_fields(self.parameters.values())
        limit = "Maximum number of projects on a page."
        fields["limit"] = (Digits, Field(default=DEFAULT_LIMIT, ge=1, le=MAX_ITEMS, description=limit))
        cursor = "Start of the page, from `next` of the previous page with the same filters."
        fields["cursor"] = (str | None, Field(default=None, description=cursor, max_length=MAX_CURSOR))
        return query_model("ProgressListQuery", {**fields, **LANGUAGES})

    def _build(self, shape: FilterShape) -> Query:
        has_figures = exists().where(FIGURE.project == PROJECT.id, is_shown_figure())
        keys = select_keys(PROJECTS).where(has_figures, *conditions(self.parameters, shape))
        keys = keys.where(PROJECT.id > bindparam("after")).order_by(PROJECT.id)
        return query_in_order(PROJECTS, keys.limit(bindparam("most")))

    def page(self, query: Any, request: ReadRequest) -> Read:
        """Read a page of projects with their progress, by id. Each sub-project is an item of its own."""
        return (yield from computed(request, lambda: self._page(query, request), encode=vars))

    def _page(self, query: Any, request: ReadRequest) -> Read:
        filters = query.model_dump(exclude_none=True, exclude={"limit", "cursor", *LANGUAGES})
        resolved, _ = yield from resolve_ids(self.parameters, filters)
        shape, values = filter_shape(self.parameters, resolved)
        cursors: Cursors = yield from request.cursors(list(_pairs(filters)))
        after = cursors.read(query.cursor)[1] if query.cursor is not None else ""
        bounds = {"after": after, "most": query.limit + 1, "most_bytes": MAX_PAGE_BYTES}
        rows = yield STATEMENTS.query(self._build, shape), {**values, **bounds}
        projects = [from_json(body) for _, body in fitting(rows[: query.limit])]
        next_path = None
        if len(rows) > len(projects):
            last_id = projects[-1]["id"]
            shaping = [
                ("limit", query.limit),
                *((name, value) for name in LANGUAGES if (value := getattr(query, name))),
            ]
            next_path = cursors.next(shaping, last_id, last_id)
        results = yield from _progress_of(projects, query.indicator)
        items = [ProjectProgress(**_members(project, results)) for project in projects]
        return ProgressPage([_shaped(item, query.labels, query.lang) for item in items], next_path), next_path


def _has_indicator(bind: str, single: bool) -> ColumnElement[bool]:
    of_indicator = equals(FIGURE.indicator, bind, single)
    return exists().where(FIGURE.project == PROJECT.id, is_shown_figure(), of_indicator)


def _pairs(filters: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Return the name and value of each query parameter, also of those that occur several times."""
    for name, value in filters.items():
        for item in value if isinstance(value, list) else [value]:
            yield name, item
