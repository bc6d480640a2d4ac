"""The ranking: the order of hits, and the pages of them. To change which name is the closest, see `_rank_key`.

**Order.** The hits of an earlier stage come first (see `interpretation`). The hits of a stage are divided into windows.
Within a window, the hits whose names are closest to the query come first.

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

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from app.core.database.statements import Query, Read
from app.core.errors import BadCursor
from app.core.model.resource import RESOURCES, Resource
from app.core.search.candidates import NO_TERMS, WINDOW, term_values
from app.core.search.counts import ensure_index_ready
from app.core.search.query.concepts import Concept
from app.core.search.query.interpretation import (
    ALL_WORDS,
    CORRECTED,
    OTHER_DIACRITICS,
    SOME,
    SOME_WORDS,
    WHOLE_NAMES,
    Interpretation,
    Stage,
)
from app.core.search.query.understanding import Understanding
from app.core.search.scoring import Scoring
from app.core.search.tables import REFERENCE_DATA, SPAN

INTERPRETATIONS = (ALL_WORDS, CORRECTED, OTHER_DIACRITICS, SOME_WORDS)
_POSITION = re.compile(r"[0-9]{1,19}(\.[0-9]{1,19}){3}")
ALL_DOCIDS = (0, REFERENCE_DATA - 1)  # of a search in all resources
MAX_NUMBER = 1 << 62  # in a cursor
# PostgreSQL searches blocks if more matches are expected than this times the square root of all records. To gather a
# match takes 1 to 4 µs, and to search the first blocks and the large ones 0.5 and 2 ms.
FREQUENT = 2.5


class Hit(NamedTuple):
    """A record that matches a query, and its tier.

    `is_in_texts`: its own texts have at least one word of the query. `names` and `preview` are from its index entry.
    """

    resource: str
    record_id: str
    tier: str
    is_in_texts: bool
    names: str
    preview: bytes


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
        in_range = all(0 <= number < MAX_NUMBER for number in position)
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

    @property
    def words_in_records(self) -> list[str]:
        """The words of the query that some record contains."""
        return [concept.typed for concept in self._concepts if self._is_in_records(concept)]

    @property
    def words_in_none(self) -> list[str]:
        """The words of the query that no record contains."""
        return [concept.typed for concept in self._concepts if not self._is_in_records(concept)]

    @property
    def _concepts(self) -> Sequence[Concept]:
        return self.interpretation.concepts if self.interpretation else ()

    def _is_in_records(self, concept: Concept) -> bool:
        """Return whether a record contains a concept. The words of a code are not counted, only the whole code is."""
        return concept.is_present or any(hit.tier == WHOLE_NAMES.tier for hit in self.hits)


@dataclass
class Ranking:
    """A query over some resources, or over all if the list is empty.

    `window` returns the statement of `window_of_candidates`, given whether it searches blocks. `values` are the bound
    values of its condition.
    """

    query: str
    window: Callable[[bool], Query]
    resources: Sequence[Resource] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    few: int = 1  # if a strict interpretation has fewer hits, those of some words follow
    last: str | None = None  # the name of the last Change before the last page was read, as in `Counts`

    def read_page(self, position: SearchPosition | None, limit: int) -> Read:
        """Read the `RankedPage` at a position, or the first page of the strictest interpretation that has hits."""
        understanding = Understanding(self.query, any(resource.is_reference_data for resource in self.resources))
        if not understanding.words:
            yield from ensure_index_ready()
        strictest: Interpretation | None = None
        for number in INTERPRETATIONS if position is None else [position.interpretation]:
            interpretation: Interpretation | None = yield from understanding.interpretation(number)
            self.last = understanding.last
            strictest = strictest or interpretation
            if interpretation is None:
                continue
            start = position or SearchPosition(number, 0, 0, 0)
            folded = [token.folded for token in interpretation.tokens]
            preferred = understanding.preferred
            scoring = Scoring(interpretation.concepts, folded, preferred, has_name=interpretation.has_name)
            hits, following, used = yield from self._hits(interpretation, start, limit, scoring)
            if hits or position:
                return RankedPage(hits, following, used)
        return RankedPage([], None, strictest)

    def match_values(self, interpretation: Interpretation | None) -> dict[str, Any]:
        """Return the values with which `is_match` is true for each hit. The query must be over one resource."""
        ranges = self._ranges()
        after = ranges[0][0]
        upto = ranges[-1][1]
        terms = interpretation.all_terms if interpretation else NO_TERMS
        return {**term_values(terms), "docid_after": after, "docid_upto": upto}

    def _hits(self, interpretation: Interpretation, start: SearchPosition, limit: int, scoring: Scoring) -> Read:
        """Read windows until there is one hit more than the page needs: the next page starts with that one.

        Return the hits, the position of the next page, and the interpretation with the stages that have hits.
        """
        hits: list[Hit] = []
        position: SearchPosition | None = start
        used = interpretation
        if start.stage >= len(interpretation.scopes):
            used = interpretation.with_loose() or interpretation
        while position is not None and position.stage < len(used.scopes):
            stage = used.stage(position.stage)
            rows = yield from self._window(used, stage, position)
            ranked = scoring.ranked(rows, is_strict=stage.tier != SOME)
            last = position
            with_loose = used.with_loose() if rows and self._has_few(used, position, rows) else None
            if with_loose:
                used = with_loose
                last = SearchPosition(position.interpretation, len(used.scopes) - 1, 0, 0)
                rows = yield from self._window(used, used.stage(last.stage), last)
                ranked = scoring.merged(ranked, scoring.ranked(rows, is_strict=False))
            end = position.skip + limit - len(hits)
            on_page = ranked[position.skip : end]
            hits += [
                Hit(_resource_of(item[3][0]), item[2], *scoring.tier(item), item[3][2], item[3][5]) for item in on_page
            ]
            if len(ranked) > end:
                return hits, position._replace(skip=end), used
            position = self._next_window(last, rows)
        return hits, None, used

    def _window(self, interpretation: Interpretation, stage: Stage, position: SearchPosition) -> Read:
        """Read the candidates of a window."""
        if stage.tier == WHOLE_NAMES.tier and not interpretation.has_name:
            return []
        in_blocks = stage.records > FREQUENT * math.sqrt(interpretation.total)
        values = {**self.values, **term_values(stage.terms), **self._bounds(position)}
        rows = yield self.window(in_blocks), values
        return rows

    def _has_few(self, used: Interpretation, position: SearchPosition, rows: Sequence[Any]) -> bool:
        """Return whether these are all hits of the only stage, and so few that those of a looser one follow."""
        return len(used.scopes) == 1 and position.after == 0 and len(rows) < self.few

    def _ranges(self) -> list[tuple[int, int]]:
        """Return the ranges of docids of the resources: one for each, or a single one for all resources."""
        starts = [resource.number * SPAN for resource in self.resources]
        starts += [REFERENCE_DATA + item.number * SPAN for item in self.resources if item.is_reference_data]
        return [(start, start + SPAN - 1) for start in sorted(starts)] or [ALL_DOCIDS]

    def _bounds(self, position: SearchPosition) -> dict[str, int]:
        """Return the docids of a window: from the first range that is not used up, after the docid of the position."""
        after = upto = position.after
        for start, end in self._ranges():
            if end > position.after:
                after = max(position.after, start)
                upto = end
                break
        return {"docid_after": after, "docid_upto": upto}

    def _next_window(self, position: SearchPosition, rows: Sequence[tuple[Any, ...]]) -> SearchPosition:
        """Return the position of the window after this one: in the same range, the next range, or the next stage."""
        if len(rows) == WINDOW:
            return position._replace(after=rows[-1][0], skip=0)
        ends = [end for _, end in self._ranges() if end > position.after]
        if len(ends) > 1:
            return position._replace(after=ends[0], skip=0)
        return SearchPosition(position.interpretation, position.stage + 1, 0, 0)


def _resource_of(docid: int) -> str:
    return _resources()[docid % REFERENCE_DATA // SPAN]


@cache
def _resources() -> dict[int, str]:
    return {resource.number: name for name, resource in RESOURCES.items()}
