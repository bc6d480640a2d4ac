"""The hierarchy of figures, projects, places and partners: totals, wider projects, parents and successors."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Select, Table, literal_column, select, true, union_all

from app.core.database.sql import equal_in_part, in_gathered, one_of
from app.core.database.statements import Query, Read
from app.figures.models import FIGURES, RELATIONS
from app.figures.stated import StatedFigure
from app.partners.models import PARTNERS
from app.partners.models import SUCCESSORS as PARTNER_SUCCESSORS
from app.places.models import PLACES
from app.places.models import SUCCESSORS as PLACE_SUCCESSORS
from app.projects.models import PARTS, PROJECTS

MAX_LEVELS = 20  # of records above each other
MAX_EDGES = 20_000  # of one kind, for one response; 1,000 figures have some thousands
MAX_STEPS = 100_000  # from records to those above them, for one response

Above = Mapping[str, frozenset[str]]  # for an id, all ids above it, directly or indirectly


@dataclass(frozen=True)
class Hierarchy:
    """The ids above each record: the totals of figures, wider projects, and parents and successors of the others.

    `successors` holds the successors of places only; they are in `places` too.
    """

    totals: Above = field(default_factory=dict)
    projects: Above = field(default_factory=dict)
    places: Above = field(default_factory=dict)
    successors: Above = field(default_factory=dict)
    partners: Above = field(default_factory=dict)


class TooManyAbove(Exception):
    """Raised if too many records are above those of one response."""


def transitive_parents(edges: Iterable[Sequence[str]], nodes: Iterable[str]) -> Above:
    """Return all nodes above each of `nodes`, from pairs of a node and one directly above it. Cycles are accepted.

    The time and memory grow with the square of the length of a chain. Raise TooManyAbove after MAX_STEPS.
    """
    direct: dict[str, list[str]] = {}
    for edge in edges:
        direct.setdefault(edge[0], []).append(edge[1])
    above: dict[str, frozenset[str]] = {}
    steps = 0
    for node in direct.keys() & set(nodes):
        seen: set[str] = set()
        remaining = list(direct[node])
        while remaining:
            higher = remaining.pop()
            steps += 1
            if higher not in seen:
                seen.add(higher)
                remaining += direct.get(higher, ())
            if steps + len(remaining) > MAX_STEPS:
                raise TooManyAbove
        above[node] = frozenset(seen)
    return above


def _edges(edges: Select[Any]) -> Query:
    """Return the query for the edges above the bound ids, once for each level on which they are, up to MAX_LEVELS.

    An edge is a node, a node directly above it, and more.
    """
    return Query(partial(_edges_on_sqlite, edges), on_postgresql=partial(_edges_on_postgresql, edges))


_FIRST_LEVEL: Any = literal_column("1").label("level")


def _edges_on_sqlite(edges: Select[Any], nodes: Select[Any] | None = None) -> Any:
    edge = edges.subquery("edge")
    first = select(*edge.c, _FIRST_LEVEL)
    if nodes is None:
        first = first.where(one_of(edge.c[0], "ids"))
    else:
        node = nodes.subquery("node")
        first = first.join(node, node.c[0] == edge.c[0])
    above = first.cte("up", recursive=True)
    higher_edge = edges.subquery("higher")
    return _all_levels(above, select(*higher_edge.c, _next(above)).join(above, higher_edge.c[0] == above.c[1]))


def _edges_on_postgresql(edges: Select[Any], nodes: Select[Any] | None = None) -> Any:
    """Return the statement for PostgreSQL, which would read all edges for each level if it could choose."""
    edge = edges.subquery("edge")
    is_first = one_of(edge.c[0], "ids") if nodes is None else in_gathered(edge.c[0], nodes)
    above = select(*edge.c, _FIRST_LEVEL).where(is_first).cte("up", recursive=True)
    any_edge = edges.subquery("any")
    looked_up = select(*any_edge.c).where(any_edge.c[0] == above.c[1]).offset(literal_column("0")).lateral("higher")
    return _all_levels(above, select(*looked_up.c, _next(above)).select_from(above.join(looked_up, true())))


def _next(above: Any) -> Any:
    return above.c.level + literal_column("1")


def _all_levels(above: Any, higher: Select[Any]) -> Any:
    above = above.union(higher.where(above.c.level < literal_column(str(MAX_LEVELS))))
    return select(*above.c).limit(literal_column(str(MAX_EDGES + 1)))


def _links_of_public(links: Table, owner: Any, target: Any, *more: Any) -> Select[Any]:
    """Select the rows of a link table whose owner is published, as edges.

    All others are drafts, of which there is a small index.
    """
    draft = owner.__table__.alias("draft")
    is_owner = equal_in_part(draft.c.id, links.c.record_id)
    is_draft = select(literal_column("1")).where(is_owner, draft.c.state == literal_column("'draft'")).exists()
    return select(links.c.record_id.label("node"), target.label("above"), *more).where(~is_draft)


_BY_SUCCESSION: Any = literal_column("'successor'").label("way")
_BY_PARENT: Any = literal_column("'parent'").label("way")


def _parents_and_successors(owner: Any, successors: Table) -> Query:
    parents = select(owner.id.label("node"), owner.parent.label("above"), _BY_PARENT)
    parents = parents.where(owner.parent.is_not(None), owner.state == literal_column("'published'"))
    succession = _links_of_public(successors, owner, successors.c.successor_id, _BY_SUCCESSION)
    return _edges(select(*union_all(parents, succession).subquery().c))


_TOTALS = _links_of_public(RELATIONS, FIGURES.table, RELATIONS.c.figure_id)
TOTALS = _edges(_TOTALS.where(RELATIONS.c.kind == literal_column("'part_of'")))
_WIDER_PROJECTS = _links_of_public(PARTS, PROJECTS.table, PARTS.c.whole_id)
WIDER_PROJECTS = _edges(_WIDER_PROJECTS)
ABOVE_PLACES = _parents_and_successors(PLACES.table, PLACE_SUCCESSORS)
ABOVE_PARTNERS = _parents_and_successors(PARTNERS.table, PARTNER_SUCCESSORS)


def select_wider_projects(projects: Select[Any], engine: str) -> Any:
    """Return the select of the edges above the projects that another one selects, each with its level."""
    edges_on = _edges_on_sqlite if engine == "sqlite" else _edges_on_postgresql
    return edges_on(_WIDER_PROJECTS, projects)


def read_hierarchy(figures: Sequence[StatedFigure]) -> Read:
    """Read the hierarchy above these figures and their projects, places and partners. Raise TooManyAbove."""
    figure_ids = [figure.id for figure in figures]
    project_ids = sorted({figure["project"] for figure in figures if figure["project"]})
    place_ids = sorted(frozenset[str]().union(*(figure.area for figure in figures)))
    partner_ids = sorted({figure["partner"] for figure in figures if figure["partner"]})
    totals = yield from read_edges(TOTALS, figure_ids)
    projects = yield from read_edges(WIDER_PROJECTS, project_ids)
    places = yield from read_edges(ABOVE_PLACES, place_ids)
    partners = yield from read_edges(ABOVE_PARTNERS, partner_ids)
    return Hierarchy(
        totals=transitive_parents(totals, figure_ids),
        projects=transitive_parents(projects, project_ids),
        places=transitive_parents(places, place_ids),
        successors=transitive_parents((edge for edge in places if edge[2] == "successor"), place_ids),
        partners=transitive_parents(partners, partner_ids),
    )


def read_edges(query: Query, ids: Sequence[str]) -> Read:
    """Read each edge once. Raise TooManyAbove if there are too many, or edges on the last level."""
    return distinct_edges((yield query, {"ids": ids}))


def distinct_edges(edges: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """Return each edge once, without its level. Raise TooManyAbove for too many, or for edges on the last level."""
    if len(edges) > MAX_EDGES or any(edge[-1] == MAX_LEVELS for edge in edges):
        raise TooManyAbove
    return list(dict.fromkeys(edge[:-1] for edge in edges))
