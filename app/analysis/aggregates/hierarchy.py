"""The hierarchy of figures, projects, places and partners: totals, wider projects, parents and successors."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, Table, literal_column, select, union_all

from app.core.database.sql import one_of
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

    An edge is a node, a node directly above it, and more. On PostgreSQL, each level takes as long as reading all edges.
    """
    edge = edges.subquery("edge")
    higher_edge = edges.subquery("higher")
    first_level: Any = literal_column("1").label("level")
    above = select(*edge.c, first_level).where(one_of(edge.c[0], "ids")).cte("up", recursive=True)
    higher = select(*higher_edge.c, above.c.level + literal_column("1")).join(above, higher_edge.c[0] == above.c[1])
    above = above.union(higher.where(above.c.level < literal_column(str(MAX_LEVELS))))
    return Query(select(*above.c).limit(literal_column(str(MAX_EDGES + 1))))


def _links_of_public(links: Table, owner: Any, target: Any, *more: Any) -> Select[Any]:
    """Select the rows of a link table whose owner is published, as edges."""
    edges = select(links.c.record_id.label("node"), target.label("above"), *more)
    return edges.join(owner, owner.id == links.c.record_id).where(owner.state == literal_column("'published'"))


_BY_SUCCESSION: Any = literal_column("'successor'").label("way")
_BY_PARENT: Any = literal_column("'parent'").label("way")


def _parents_and_successors(owner: Any, successors: Table) -> Query:
    parents = select(owner.id.label("node"), owner.parent.label("above"), _BY_PARENT)
    parents = parents.where(owner.parent.is_not(None), owner.state == literal_column("'published'"))
    succession = _links_of_public(successors, owner, successors.c.successor_id, _BY_SUCCESSION)
    return _edges(select(*union_all(parents, succession).subquery().c))


_TOTALS = _links_of_public(RELATIONS, FIGURES.table, RELATIONS.c.figure_id)
TOTALS = _edges(_TOTALS.where(RELATIONS.c.kind == literal_column("'part_of'")))
WIDER_PROJECTS = _edges(_links_of_public(PARTS, PROJECTS.table, PARTS.c.whole_id))
ABOVE_PLACES = _parents_and_successors(PLACES.table, PLACE_SUCCESSORS)
ABOVE_PARTNERS = _parents_and_successors(PARTNERS.table, PARTNER_SUCCESSORS)


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
    edges = yield query, {"ids": ids}
    if len(edges) > MAX_EDGES or any(edge[-1] == MAX_LEVELS for edge in edges):
        raise TooManyAbove
    return list(dict.fromkeys(edge[:-1] for edge in edges))
