"""The ranking: the order of hits, and the pages of them. To change which name is the closest, see `_rank_key`.

**Order.** The hits of an earlier stage come first (see `interpretation`). Within a stage they come in windows, and
within a window by how closely their names match the query.

**Docids.** Each indexed record has a docid: the number of its resource times `SPAN`, plus a counter. So the docids of a
resource are one range, and partners (number 1, docids from 1,099,511,627,777) come before projects.

**Windows.** The index returns the candidates of a stage in the order of their docids. The first `WINDOW` (100) are read
and sorted, then the next 100. So a query never reads all its hits, and its cost does not grow with their number. The
price is that a very close name in the second window comes after all hits of the first one.

**Positions.** A page starts at a position: the interpretation, the stage, the docid after which the window starts, and
the number of hits of the window that earlier pages have shown. As long as the data is the same, these orders never
change, so each hit is on one page only.

Example: 130 partners have «solar» in their names, and a page has 20 hits. The stages are `whole_name` (0), `in_names`
(1) and so on; no name is just «solar». The first page is the best 20 of the first window. The next one starts at
`0.1.0.20`: interpretation 0, stage 1, the window after docid 0, without its first 20 hits. After five pages the window
is used up, and the sixth starts at `0.1.1099511627955.0`, if that is the last docid of the window. The second window
has the other 30 hits. The seventh page starts at `0.1.1099511627955.20`, shows the last 10 and continues with stage 2.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.core.database.statements import Query, Read
from app.core.errors import BadCursor, Unavailable
from app.core.model.resource import Resource
from app.core.search.candidates import NO_TERMS, WINDOW, term_values
from app.core.search.index import INDEXING, READY, SPAN
from app.core.search.interpretation import ALL_WORDS, CORRECTED, SOME_WORDS, Interpretation, TypedQuery, interpret

INTERPRETATIONS = (ALL_WORDS, CORRECTED, SOME_WORDS)
_POSITION = re.compile(r"[0-9]{1,19}(\.[0-9]{1,19}){3}")
ALL_DOCIDS = (0, 1 << 62)
FREQUENT = 4_000  # records; PostgreSQL walks only if all words of the query are in more


class Hit(NamedTuple):
    """A record that matches a query, and its tier."""

    resource: str
    record_id: str
    tier: str


class SearchPosition(NamedTuple):
    """The place in the hits of a query where a page starts, as in `0.1.1099511627955.20`.

    `after` is the docid after which the window starts. `skip` is the number of its hits that earlier pages have shown.
    """

    interpretation: int
    stage: int
    after: int
    skip: int

    @classmethod
    def from_cursor(cls, value: Any) -> "SearchPosition":
        """Return the position in a cursor. Raise BadCursor if it cannot be one."""
        if not isinstance(value, str) or not _POSITION.fullmatch(value):
            raise BadCursor
        position = cls(*map(int, value.split(".")))
        in_range = all(0 <= number < ALL_DOCIDS[1] for number in position)
        if position.interpretation not in INTERPRETATIONS or not in_range:
            raise BadCursor
        return position

    def __str__(self) -> str:
        return ".".join(map(str, self))


class RankedPage(NamedTuple):
    """Hits in their order, the position of the next page, and the interpretation (None for a query without words)."""

    hits: list[Hit]
    next: SearchPosition | None
    interpretation: Interpretation | None

    @property
    def reading(self) -> str:
        """The interpretation as a code of `search_reading`."""
        return self.interpretation.reading if self.interpretation else "all_words"

    @property
    def corrected(self) -> str | None:
        """The corrected query, if typing errors were corrected."""
        return self.interpretation.corrected if self.interpretation else None


@dataclass
class Ranking:
    """A query over some resources, or over all if the list is empty.

    `window` is the statement of `window_of_candidates`, and `values` are the bound values of its condition.
    """

    query: str
    window: Query
    resources: Sequence[Resource] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    def read_page(self, position: SearchPosition | None, limit: int) -> Read:
        """Read the `RankedPage` at a position, or the first page of the strictest interpretation that has hits."""
        yield from _ensure_index_ready()
        strictest: Interpretation | None = None
        for number in INTERPRETATIONS if position is None else [position.interpretation]:
            interpretation: Interpretation | None = yield from interpret(TypedQuery.of(self.query), number)
            strictest = strictest or interpretation
            if interpretation is None:
                continue
            start = position or SearchPosition(number, 0, 0, 0)
            hits, following = yield from self._hits(interpretation, start, limit)
            if hits or position:
                return RankedPage(hits, following, interpretation)
        return RankedPage([], None, strictest)

    def match_values(self, interpretation: Interpretation | None) -> dict[str, Any]:
        """Return the values with which `is_match` is true for each hit. The query must be over one resource."""
        ((after, upto),) = self._ranges()
        terms = interpretation.all_terms if interpretation else NO_TERMS
        return {**term_values(terms), "docid_after": after, "docid_upto": upto}

    def _hits(self, interpretation: Interpretation, start: SearchPosition, limit: int) -> Read:
        """Read windows until there is one hit more than the page needs: the next page starts with that one."""
        hits: list[Hit] = []
        key = _rank_key(interpretation)
        position: SearchPosition | None = start
        while position is not None and position.stage < len(interpretation.stages):
            stage = interpretation.stages[position.stage]
            bounds = self._bounds(interpretation, position)
            rows = yield self.window, {**self.values, **term_values(stage.terms), **bounds}
            ranked = sorted(rows, key=key)
            end = position.skip + limit - len(hits)
            hits += [Hit(row[1], row[2], stage.tier) for row in ranked[position.skip : end]]
            if len(ranked) > end:
                return hits, position._replace(skip=end)
            position = self._next_window(position, rows)
        return hits, None

    def _ranges(self) -> list[tuple[int, int]]:
        """Return the ranges of docids of the resources: one for each, or a single one for all resources."""
        numbers = sorted(resource.number for resource in self.resources)
        return [(number * SPAN, number * SPAN + SPAN - 1) for number in numbers] or [ALL_DOCIDS]

    def _bounds(self, interpretation: Interpretation, position: SearchPosition) -> dict[str, int]:
        """Return the docids of a window: from the first range that is not used up, after the docid of the position."""
        after = upto = position.after
        for start, end in self._ranges():
            if end > position.after:
                after = max(position.after, start)
                upto = end
                break
        walk = upto if interpretation.rarest_count > FREQUENT else after
        return {"docid_after": after, "docid_upto": upto, "docid_walk": walk}

    def _next_window(self, position: SearchPosition, rows: Sequence[tuple[Any, ...]]) -> SearchPosition:
        """Return the position of the window after this one: in the same range, the next range, or the next stage."""
        if len(rows) == WINDOW:
            return position._replace(after=rows[-1][0], skip=0)
        ends = [end for _, end in self._ranges() if end > position.after]
        if len(ends) > 1:
            return position._replace(after=ends[0], skip=0)
        return SearchPosition(position.interpretation, position.stage + 1, 0, 0)


def _ensure_index_ready() -> Read:
    if [tuple(row) for row in (yield READY, {})] != [(INDEXING,)]:
        raise Unavailable("The search index is not complete. Run `hoptac migrate`, or wait until it has finished.")


def _rank_key(interpretation: Interpretation) -> Callable[[Sequence[Any]], Any]:
    """Return the sort key of the candidates in a window, given as rows of the index.

    The first number of the key says how a name of the record matches the query, here «ha noi». The best match counts:

    0. The name equals the query: «Hà Nội».
    1. The name starts with it: «Hà Nội Port».
    2. The name contains it: «Port of Hà Nội».
    3. The name starts with it and completes its last word: «Ha Noise Lab».
    4. The name contains it and completes its last word: «The Ha Noise Lab».
    5. No name contains the words of the query one after the other.

    Among these the shorter name comes first; in case 5, the record with more of the words in its names. If that is
    equal, too, the number of the resource and the id decide.
    """
    words = [f" {token.folded} " for token in interpretation.tokens]
    phrase = " ".join(token.folded for token in interpretation.tokens)
    patterns = (f"\n {phrase} \n", f"\n {phrase} ", f" {phrase} ", f"\n {phrase}", f" {phrase}")
    loosest = patterns[-1]

    def key(row: Sequence[Any]) -> tuple[int, int, int, int, str]:
        docid, _, record_id, names = row
        if loosest in names:  # a part of every other pattern
            for rank, pattern in enumerate(patterns):
                position = names.find(pattern)
                if position >= 0:
                    start = names.rfind("\n", 0, position + 1)
                    return rank, 0, names.find("\n", position + 1) - start, docid // SPAN, record_id
        word_count = sum(word in names for word in words)
        first_name_length = names.find("\n", 1) if word_count else 0
        return len(patterns), -word_count, first_name_length, docid // SPAN, record_id

    return key
