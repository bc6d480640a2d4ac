"""The records that a query finds: candidates in windows from the index, ranked in Python, each hit exactly once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, func, literal_column, select, true, union_all

from app.core.database.sql import holds, holds_unindexed
from app.core.database.statements import Query, Read
from app.core.errors import BadCursor, Unavailable
from app.core.model.resource import Resource
from app.core.search.index import INDEXING, READY, RECORDS, SPAN, TERMS
from app.core.search.interpretation import Interpretation, TypedQuery, fts5, interpret

WINDOW = 100  # candidates that are ranked together

WALKED_ROWS = 10_000  # PostgreSQL: rows looked at in order, before the index is asked, for words that are frequent

FREQUENT = 4_000  # records

INTERPRETATIONS = range(3)

ALL_DOCIDS = (0, 1 << 62)

NOTHING = "'0'"  # a term that no record has

_WINDOW: Any = literal_column(str(WINDOW))  # in the statement, where planners see it


class Hit(NamedTuple):
    """A record that was found, and the tier it was found in."""

    resource: str
    record_id: str
    tier: str


class SearchPosition(NamedTuple):
    """Where in the hits of a query a page begins: behind `after` in a stage of a sense, `skip` hits into the window."""

    interpretation: int
    stage: int
    after: int
    skip: int

    @classmethod
    def from_cursor(cls, value: Any) -> "SearchPosition":
        """From a cursor; BadCursor when it cannot be a place."""
        try:
            found = cls(*map(int, str(value).split(".")))
        except (ValueError, TypeError):
            raise BadCursor from None
        if found.interpretation not in INTERPRETATIONS or not all(0 <= number < ALL_DOCIDS[1] for number in found):
            raise BadCursor
        return found

    def __str__(self) -> str:
        return ".".join(map(str, self))


class RankedPage(NamedTuple):
    """Hits in their order, where they go on, and the sense in which the query was understood (None: it has no word)."""

    hits: list[Hit]
    next: SearchPosition | None
    interpretation: Interpretation | None

    @property
    def reading(self) -> str:
        """How it was understood, as a code of `search_reading`."""
        return self.interpretation.reading if self.interpretation else "all_words"

    @property
    def corrected(self) -> str | None:
        """The query that was searched for instead, if slips were corrected."""
        return self.interpretation.corrected if self.interpretation else None


class Candidates:
    """The statement that delivers candidates: all that the index finds, or those on which a condition holds."""

    def __init__(self, condition: ColumnElement[bool] | None = None) -> None:
        where = [] if condition is None else [condition]
        self.window = Query(_in_order(where), _in_order_or_gathered(where))


def is_match(resource: Resource) -> ColumnElement[bool]:
    """The condition that a record is found, for the values of `Ranking.match_values`."""
    return resource.table.id.in_(_matches(select(RECORDS.c.record_id), ()))  # type: ignore[no-any-return]


def _matches(statement: Select[Any], where: Iterable[ColumnElement[bool]]) -> Select[Any]:
    """What the index finds. An outer join, which no record needs: so SQLite begins with the terms."""
    found = statement.select_from(TERMS).outerjoin(RECORDS, RECORDS.c.docid == TERMS.c.rowid)
    return found.where(holds(), *_between("docid_after", "docid_upto"), *where)


def _between(after: str, upto: str) -> list[ColumnElement[bool]]:
    return [TERMS.c.rowid > bindparam(after), TERMS.c.rowid <= bindparam(upto)]


def _in_order(where: Sequence[ColumnElement[bool]]) -> Select[Any]:
    return _matches(select(RECORDS), where).order_by(TERMS.c.rowid).limit(_WINDOW)


def _in_order_or_gathered(where: Sequence[ColumnElement[bool]]) -> Any:
    """On PostgreSQL, which has no posting lists in order: look at the next rows; where they are too few, ask GIN.

    Neither way is left to the planner's guess.
    """
    ahead = select(TERMS.c.rowid, TERMS.c.terms).where(*_between("docid_after", "docid_walk"))
    rows = ahead.order_by(TERMS.c.rowid).limit(literal_column(str(WALKED_ROWS))).subquery("ahead")
    near = select(RECORDS).join(rows, rows.c.rowid == RECORDS.c.docid)
    near = near.where(holds_unindexed(rows.c.terms), *where)
    walked = near.order_by(RECORDS.c.docid).limit(_WINDOW).cte("walked")
    full = select(func.count() >= _WINDOW).select_from(walked).scalar_subquery()
    found = select(TERMS.c.rowid).where(holds(), ~full).cte("gathered").prefix_with("MATERIALIZED")
    within = found.c.rowid > bindparam("docid_after"), found.c.rowid <= bindparam("docid_upto")
    next_ones = select(found.c.rowid).where(*within).order_by(found.c.rowid).subquery("next_ones")
    # LATERAL with OFFSET: one is looked up after the other, until there are enough.
    looked_up = select(RECORDS).where(RECORDS.c.docid == next_ones.c.rowid, *where).offset(literal_column("0"))
    one = looked_up.lateral("one")
    far = select(*one.c).select_from(next_ones.join(one, true()))
    both = union_all(select(walked).where(full), far.order_by(next_ones.c.rowid).limit(_WINDOW))
    return both.order_by(literal_column("docid"))


@dataclass
class Ranking:
    """One query over some resources (none named: all), among candidates that are given with their values."""

    query: str
    candidates: Candidates
    resources: Sequence[Resource] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    def read_page(self, place: SearchPosition | None, limit: int) -> Read:
        """Up to so many hits from a place, in the strictest sense that finds anything; returns Found."""
        yield from _ensure_index_ready()
        first: Interpretation | None = None
        for number in INTERPRETATIONS if place is None else [place.interpretation]:
            found: Interpretation | None = yield from interpret(TypedQuery.of(self.query), number)
            first = first or found
            if found is not None:
                start = place or SearchPosition(number, 0, 0, 0)
                hits, following = yield from self._hits(found, start, limit)
                if hits or place:
                    return RankedPage(hits, following, found)
        return RankedPage([], None, first)

    def match_values(self, found: Interpretation | None) -> dict[str, Any]:
        """The values with which `is_match` is true for all that this sense finds in one resource."""
        ((after, upto),) = self._ranges()
        return {**_term_values(found.all_terms if found else NOTHING), "docid_after": after, "docid_upto": upto}

    def _hits(self, found: Interpretation, place: SearchPosition, limit: int) -> Read:
        """Go from window to window until there is one more hit than wanted: there the next page begins."""
        hits: list[Hit] = []
        key = _rank_key(found)
        at: SearchPosition | None = place
        while at is not None and at.stage < len(found.stages):
            stage = found.stages[at.stage]
            rows = yield self.candidates.window, {**self.values, **_term_values(stage.terms), **self._bounds(found, at)}
            ranked = sorted(rows, key=key)
            room = limit - len(hits)
            hits += [Hit(row[1], row[2], stage.tier) for row in ranked[at.skip : at.skip + room]]
            if len(ranked) > at.skip + room:
                return hits, at._replace(skip=at.skip + room)
            at = self._following(at, rows)
        return hits, None

    def _ranges(self) -> list[tuple[int, int]]:
        """The docids of the resources."""
        numbers = sorted(resource.number for resource in self.resources)
        return [(number * SPAN, number * SPAN + SPAN - 1) for number in numbers] or [ALL_DOCIDS]

    def _bounds(self, found: Interpretation, at: SearchPosition) -> dict[str, int]:
        ahead = [(max(at.after, start), end) for start, end in self._ranges() if end > at.after]
        after, upto = ahead[0] if ahead else (at.after, at.after)
        walk = upto if found.rarest_count > FREQUENT else after
        return {"docid_after": after, "docid_upto": upto, "docid_walk": walk}

    def _following(self, at: SearchPosition, rows: Sequence[tuple[Any, ...]]) -> SearchPosition:
        """The window behind this one: of the same resource, of the next one, or of the next stage."""
        if len(rows) == WINDOW:
            return at._replace(after=rows[-1][0], skip=0)
        ends = [end for _, end in self._ranges() if end > at.after]
        return (
            at._replace(after=ends[0], skip=0)
            if len(ends) > 1
            else SearchPosition(at.interpretation, at.stage + 1, 0, 0)
        )


def _ensure_index_ready() -> Read:
    if [tuple(row) for row in (yield READY, {})] != [(INDEXING,)]:
        raise Unavailable("The search index is not complete: run `hoptac migrate`, or wait until it is done.")


def _term_values(terms: str) -> dict[str, Any]:
    return {"fts5": fts5(terms), "tsquery": terms}


def _rank_key(found: Interpretation) -> Callable[[Sequence[Any]], Any]:
    """The order of candidates that were found alike: by how near the query comes to a name of theirs."""
    words = [f" {each.folded} " for each in found.words]
    phrase = " ".join(each.folded for each in found.words)
    needles = (f"\n {phrase} \n", f"\n {phrase} ", f" {phrase} ", f"\n {phrase}", f" {phrase}")

    def key(row: Sequence[Any]) -> tuple[int, int, int, int, str]:
        docid, _, record_id, names = row
        for rank, needle in enumerate(needles if needles[-1] in names else ()):  # the last is in all others
            place = names.find(needle)
            if place >= 0:
                start = names.rfind("\n", 0, place + 1)
                return rank, 0, names.find("\n", place + 1) - start, docid // SPAN, record_id
        held = sum(each in names for each in words)
        return len(needles), -held, names.find("\n", 1) if held else 0, docid // SPAN, record_id

    return key
