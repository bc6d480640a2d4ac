"""The score of a candidate: how much of a query a record contains, where, and how closely together.

It is computed from the folded words of the record (`IndexEntry`), the same on both engines. The score of a concept is
the weight of the best place where it stands, times the weight of the alternative (`concepts`) that stands there. The
score of a record is the weighted mean of the scores of the concepts, reduced by the share of those that it does not
contain, plus a bonus each for a close name, for words that stand together, and for its resource.
"""

from collections.abc import Sequence
from functools import cache
from itertools import chain, pairwise
from typing import Any, NamedTuple

from app.core.model.resource import RESOURCES
from app.core.search.entries import CODE_LINE
from app.core.search.query.concepts import Alternative, Concept
from app.core.search.query.interpretation import SOME
from app.core.search.tables import REFERENCE_DATA, SPAN

IN_NAMES = 1.0
IN_TEXTS = 0.65
IN_LINKS = 0.5
APART = 0.3  # words of a phrase that do not stand together

EQUAL_NAME = 1.0  # bonus for a name that equals the query, starts with it, or contains it
NAME_START = 0.3
NAME_PART = 0.2
CLOSE_NAME = 0.2  # for a name that has few other words
TOGETHER = 0.1  # for concepts that stand together as in the query
LOOSE = 0.2  # subtracted if a record does not have all concepts with their diacritics
PREFERRED = 0.2  # for the resource that a question asks for
PRIOR = {"projects": 0.06, "agreements": 0.06, "partners": 0.04, "documents": 0.04, "milestones": 0.03, "places": 0.03}

Row = Sequence[Any]  # docid, record_id, names, texts, about, preview

# A candidate: a smaller number for a better score, the number with which its docid starts, its id, its row, and
# whether it has all concepts. Candidates with the same score are in the order of their resources and ids. As these
# differ, the tuples are sorted as they are. A NamedTuple would take five times as long to make.
Ranked = tuple[float, int, str, Row, bool]


class _Written(NamedTuple):
    """A way to write a concept: the phrase, its weight, and its words if they need not stand together."""

    phrase: str
    weight: float
    apart: tuple[str, ...]


class Scoring:
    """Scores the candidates of one query. `has_name`: a name or code may equal it."""

    def __init__(
        self, concepts: Sequence[Concept], typed: Sequence[str], preferred: frozenset[str], *, has_name: bool
    ) -> None:
        total = sum(item.weight for item in concepts) or 1.0
        self._concepts = [(item.weight / total, _written_forms(item)) for item in concepts]
        # Most candidates contain the heaviest form of a concept, so it is compared first, without a call.
        self._heaviest: list[tuple[float, str, float, list[_Written]]] = []
        self._in_name: list[tuple[float, str, int, list[str]]] = []  # each with the number of words as typed
        for (weight, written), concept in zip(self._concepts, concepts, strict=True):
            if written:
                phrase, heaviest, _ = written[0]
                self._heaviest.append((weight, phrase, heaviest, written))
                others = [item.phrase for item in written[1:]]
                self._in_name.append((weight, phrase, len(concept.alternatives[0].tokens), others))
        self._only_concept = (self._in_name[0][0], self._in_name[0][2]) if len(self._in_name) == 1 else None
        phrase = " ".join(typed)
        self._code = f"{CODE_LINE} {phrase} \n" if has_name else ""
        self._name_part = f" {phrase} "
        self._name_start = f"\n {phrase} "
        self._equal_name = f"\n {phrase} \n"
        self._neighbours = [
            f"{first[0].phrase}{second[0].phrase[1:]}"
            for (_, first), (_, second) in pairwise(self._concepts)
            if first and second
        ]
        self._boni = _boni_of_resources(preferred)

    def ranked(self, rows: Sequence[Row], *, is_strict: bool) -> list[Ranked]:
        """Return the candidates of a stage in their order."""
        malus = 0.0 if is_strict else LOOSE
        score = self.score
        return sorted([(-round(score(row) - malus, 6), row[0] // SPAN, row[1], row, is_strict) for row in rows])

    @staticmethod
    def merged(*ranked: list[Ranked]) -> list[Ranked]:
        """Return the candidates of some stages in one order."""
        return sorted(chain.from_iterable(ranked))

    def score(self, row: Row) -> float:
        """Return the score of a candidate."""
        docid, _, names, texts, links_text, _ = row
        score = 0.0
        share = 0.0
        in_name = -1
        for weight, phrase, best, written in self._heaviest:
            position = names.find(phrase)
            if position < 0:
                best, position = _best(written, names, texts, links_text)
                if not best:
                    continue
            score += weight * best
            share += weight
            if in_name < 0:
                in_name = position
        score *= (1 + share) / 2
        if in_name >= 0:
            score += self._name_bonus(names, in_name)
        if self._code and self._code in links_text:
            score += EQUAL_NAME
        if self._neighbours:
            together = [pair for pair in self._neighbours if pair in names or pair in texts]
            score += TOGETHER * len(together) / len(self._neighbours)
        return score + self._boni[docid // SPAN]

    def _name_bonus(self, names: str, position: int) -> float:
        """Return the bonus for names that are close to the query; `position` is where one has a word of it."""
        bonus = 0.0
        if self._name_part in names:
            bonus = NAME_PART
            if self._name_start in names:
                bonus = EQUAL_NAME if self._equal_name in names else NAME_START
        start = names.rfind("\n", 0, position + 1)
        end = names.find("\n", position + 1)
        number_of_words = names.count(" ", start, end) - 1
        if self._only_concept:  # it is in this name
            share, words = self._only_concept
            return bonus + CLOSE_NAME * share * min(1.0, words / number_of_words)
        name = names[start:end]
        words = 0
        share = 0.0
        for weight, phrase, length, others in self._in_name:
            if phrase in name or (others and any(other in name for other in others)):
                words += length
                share += weight
        return bonus + CLOSE_NAME * share * min(1.0, words / number_of_words)

    def tier(self, ranked: Ranked) -> tuple[str, bool]:
        """Return where a hit contains the query, as a code of `search_tier`, and whether its own texts have a word."""
        _, _, _, (_, _, names, texts, links_text, _), is_strict = ranked
        if not is_strict:
            return SOME, self._number_in(names, texts) > 0
        if self._equal_name in names or (self._code and self._code in links_text):
            return "whole_name", True
        if self._number_in(names) == len(self._concepts):
            return "in_names", True
        in_texts = self._number_in(names, texts)
        if in_texts == len(self._concepts):
            return "in_texts", True
        return "in_links", in_texts > 0

    def _number_in(self, names: str, texts: str = "") -> int:
        """Return how many concepts these texts contain."""
        return sum([item[1] in names or _best(item[3], names, texts, "")[0] > 0 for item in self._heaviest])


@cache
def _boni_of_resources(preferred: frozenset[str]) -> dict[int, float]:
    """Return the boni of all resources by the numbers with which their docids start."""
    boni = {}
    for name, resource in RESOURCES.items():
        boni[resource.number] = PRIOR.get(name, 0.0) + PREFERRED * (name in preferred)
        boni[resource.number + REFERENCE_DATA // SPAN] = boni[resource.number]
    return boni


def _written_forms(concept: Concept) -> list[_Written]:
    """Return the ways to write a concept, those with the largest weights first."""
    return sorted(map(_written, concept.alternatives), key=lambda item: -item.weight)


def _written(alternative: Alternative) -> _Written:
    words = [token.folded for token in alternative.tokens]
    apart = tuple(f" {word} " for word in words) if len(words) > 1 else ()
    return _Written(f" {' '.join(words)} ", alternative.weight, apart)


def _best(written: Sequence[_Written], names: str, texts: str, links_text: str) -> tuple[float, int]:
    """Return the score of a concept, and its position in the names, -1 if it is elsewhere; 0 and -1 if it is nowhere.

    The weights of `written` never increase, so a form that cannot be better is looked for in the names only.
    """
    best = 0.0
    for phrase, weight, _ in written:
        position = names.find(phrase)
        if position >= 0:
            return max(best, weight), position
        if best < weight * IN_TEXTS and phrase in texts:
            best = weight * IN_TEXTS
        elif best < weight * IN_LINKS and phrase in links_text:
            best = weight * IN_LINKS
    if best:
        return best, -1
    apart = [item for item in written if item.apart]
    if not apart:
        return 0.0, -1
    whole = f"{names}{texts}{links_text}"
    return APART * max((item.weight for item in apart if all(word in whole for word in item.apart)), default=0.0), -1
