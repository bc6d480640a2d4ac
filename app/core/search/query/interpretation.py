"""How a query is understood: its interpretations, their stages, and the codes of `reading` and `tier`.

A query is read as concepts (see `concepts`). Its interpretations are, from strict to loose: all its concepts, all after
the correction of typing errors, all with other diacritics, some of its concepts. A looser one is used only if the
stricter ones have no hits. But if a strict one has few hits, those of some concepts follow on the same pages: one weak
record must not hide better ones.

An interpretation is a list of stages. A stage is a boolean expression of terms (see `tokens`). Its hits come before the
hits of later stages, and each record is a hit of the first stage that matches it. If few records contain the rarest
concept, all of them are ranked together, in one stage. Otherwise there are stages for names, texts, and links:

    whole_name  '1f7…'                        a name is «solar panels»
    in_names    ('2solar' & ('2panel' | …))   the names contain all concepts
    in_texts    ('3solar' & ('3panel' | …))   the texts of the record contain them
    in_links    …                             its texts, labels and links contain them

Each expression but the first also excludes the ones before it: `& !(…)`.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from math import prod
from typing import NamedTuple

from app.core.search.query.concepts import WEAK, Alternative, Concept
from app.core.search.tokens import (
    EXACT_LINK,
    EXACT_NAME,
    EXACT_TEXT,
    LINK,
    LINK_PAIR,
    NAME,
    PAIR,
    PAIR_JOINT,
    TEXT,
    Token,
    whole_name_term,
)
from app.core.values.codelists import Code, CodeList

FEW = 100  # records: if no more contain the rarest concept, they are ranked together
MAX_EXPECTED = 50  # records: the same applies if no more are expected to contain all concepts
SPECIFIC = 1.8  # weight of a concept that few records have: a record with it in a name needs no other concept
ENOUGH = 0.45  # share of the weight of all concepts that a record must contain
MAX_LOOSE = 6  # the heaviest concepts, of which some may be missing

# The numbers of the interpretations. They are part of cursors.
ALL_WORDS = 0
CORRECTED = 1
OTHER_DIACRITICS = 2
SOME_WORDS = 3

SOME = "some_words"  # the reading and the tier in which concepts are missing

INTERPRETATION = CodeList(
    "search_reading",
    "How a query was understood. A less strict way is used only if the stricter ones have no hits.",
    {
        "all_words": Code("All words; the last one may be unfinished", "Đủ các từ, từ cuối có thể chưa gõ hết"),
        "corrected": Code("All words, with typing errors corrected", "Đủ các từ, sau khi sửa lỗi gõ"),
        "other_diacritics": Code("All words, some with other diacritics", "Đủ các từ, có từ khác dấu"),
        "some_words": Code("Some of the words, as many as possible", "Một số từ trong các từ đã gõ"),
    },
)

TIER = CodeList(
    "search_tier",
    "Where a hit contains the words of a query. The order of hits also depends on how close its words are.",
    {
        "whole_name": Code("A name, code or id equals the query", "Tên, mã hoặc id đúng bằng cụm từ tìm"),
        "in_names": Code("In the names", "Trong tên"),
        "in_texts": Code("In the names or other texts", "Trong tên hoặc nội dung"),
        "in_links": Code(
            "In its texts, the labels of its codes, or the names of linked records",
            "Trong nội dung, nhãn mã hoặc tên của bản ghi liên kết",
        ),
        "some_words": Code("Some of the words", "Một số từ"),
    },
)


class Scope(NamedTuple):
    """The terms that count in a stage: for folded and for exact words, and for pairs; and its tier."""

    tier: str
    words: tuple[str, ...] = ()
    exact_words: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()


WHOLE_NAMES = Scope("whole_name")
NAMES = Scope("in_names", (NAME,), (EXACT_NAME,), (PAIR,))
TEXTS = Scope("in_texts", (TEXT,), (EXACT_TEXT,), (PAIR,))
LINKS = Scope("in_links", (TEXT, LINK), (EXACT_TEXT, EXACT_LINK), (PAIR, LINK_PAIR))
LOOSE = Scope(SOME)

ALL_TOGETHER = (LINKS,)
ONE_AFTER_THE_OTHER = (WHOLE_NAMES, NAMES, TEXTS, LINKS)


class Stage(NamedTuple):
    """A step of an interpretation: its tier, and an expression of terms in the syntax of PostgreSQL's tsquery.

    At most about `records` match it.
    """

    tier: str
    terms: str
    records: int


class Interpretation(NamedTuple):
    """One way to understand a query.

    `reading` is a code of `search_reading`. `scopes` are those of its stages. No more than `rarest_count` records
    contain all concepts, of `total` in the index. `has_name`: a name or code may equal the query. If not, no stage
    looks for one.
    """

    reading: str
    corrected: str | None
    tokens: tuple[Token, ...]
    concepts: tuple[Concept, ...]
    scopes: tuple[Scope, ...]
    exact: bool
    rarest_count: int
    has_name: bool
    total: int

    def stage(self, number: int) -> Stage:
        """Return a stage, without the hits of the stages before. Most queries need only the first ones."""
        scope = self.scopes[number]
        if scope is LOOSE:
            loose, records = self._loosened()
            return Stage(SOME, f"({loose} & !{self._strict_terms(number)})" if number else loose, records)
        if scope is WHOLE_NAMES:
            return Stage(scope.tier, self.whole_name, 0)
        if number == 0:
            return Stage(scope.tier, self._strict_terms(1), self.rarest_count)
        terms = _all_in(self.concepts, scope, exact=self.exact)
        # The terms of a scope are also terms of the next one, so that only the last one is left out.
        if number > 1 or self.has_name:
            before = self.whole_name if number == 1 else self._strict_terms(number)
            terms = f"({terms} & !{before})"
        return Stage(scope.tier, terms, self.rarest_count)

    @property
    def all_terms(self) -> str:
        """The expression of the hits of all stages."""
        is_loose = self.scopes[-1] is LOOSE
        strict = len(self.scopes) - is_loose
        terms = [self._strict_terms(strict)] if strict else []
        return _any_of([*terms, self.stage(strict).terms] if is_loose else terms)

    def with_loose(self) -> "Interpretation | None":
        """Return the interpretation with a last stage of the records that have some concepts, if there can be any."""
        can_be_loose = len(self.concepts) > 1 and LOOSE not in self.scopes and self._loosened()[0]
        return self._replace(scopes=(*self.scopes, LOOSE)) if can_be_loose else None

    @property
    def whole_name(self) -> str:
        """The term of the records that have a name or code of exactly these words."""
        return _term(whole_name_term(token.exact if self.exact else token.folded for token in self.tokens))

    def _strict_terms(self, number: int) -> str:
        """Return the expression of the hits of the first stages, which are not loose."""
        scope = self.scopes[number - 1]
        if scope is WHOLE_NAMES:
            return self.whole_name
        names = [self.whole_name] if self.has_name else []
        return _any_of([*names, _all_in(self.concepts, scope, exact=self.exact)])

    def _loosened(self) -> tuple[str, int]:
        return _loose_terms(self.concepts, exact=self.exact)


def all_concepts(
    reading: str,
    corrected: str | None,
    tokens: Sequence[Token],
    concepts: Sequence[Concept],
    *,
    total: int,
    has_name: bool = True,
    exact: bool = True,
) -> Interpretation:
    """Return the interpretation in which a record has all concepts. `total` is the number of all records."""
    scopes: tuple[Scope, ...] = (WHOLE_NAMES,)
    rarest = 0
    if concepts and all(concept.is_present for concept in concepts):
        rarest = min(concept.records for concept in concepts)
        is_small = rarest <= FEW or total * prod(item.records / total for item in concepts) <= MAX_EXPECTED
        scopes = ALL_TOGETHER if is_small else ONE_AFTER_THE_OTHER
    return Interpretation(reading, corrected, tuple(tokens), tuple(concepts), scopes, exact, rarest, has_name, total)


def some_concepts(interpretation: Interpretation) -> Interpretation | None:
    """Return the interpretation in which a record has some of the concepts of another one, which has no hits."""
    if interpretation.with_loose() is None:
        return None
    return interpretation._replace(reading=SOME, scopes=(LOOSE,))


def whole_names(tokens: Sequence[Token]) -> str:
    """Return the expression of the records that have a name or code of exactly these words, in either form."""
    folded = whole_name_term(token.folded for token in tokens)
    return _any_of([_term(folded), _term(whole_name_term(token.exact for token in tokens))])


def _loose_terms(concepts: Sequence[Concept], *, exact: bool) -> tuple[str, int]:
    """Return the expression of the records that have concepts of enough of the weight of all, or a rare one in a name.

    The expression is empty if no record can have enough. Also return the estimated maximum number of matches.
    """
    needed = ENOUGH * sum(concept.weight for concept in concepts)
    heaviest = sorted(concepts, key=lambda concept: -concept.weight)[:MAX_LOOSE]
    results = [concept for concept in heaviest if concept.is_present]
    minimal: list[tuple[Concept, ...]] = []
    for size in range(1, len(results) + 1):
        for chosen in combinations(results, size):
            is_enough = sum(concept.weight for concept in chosen) >= needed
            if is_enough and not any(set(smaller) <= set(chosen) for smaller in minimal):
                minimal.append(chosen)
    specific = [concept for concept in results if concept.weight >= SPECIFIC]
    terms = [_all_in(chosen, LINKS, exact=exact) for chosen in minimal]
    terms += [_all_in([concept], NAMES, exact=exact) for concept in specific]
    records = sum(min(concept.records for concept in chosen) for chosen in minimal)
    return _any_of(terms) if terms else "", records + sum(concept.records for concept in specific)


def _all_in(concepts: Iterable[Concept], scope: Scope, *, exact: bool) -> str:
    return _all_of([_concept(item, scope, exact=exact) for item in concepts])


def _concept(concept: Concept, scope: Scope, *, exact: bool) -> str:
    """Return the expression for a concept.

    If an alternative needs all parts of another one and more, each record that it matches has the other one too: it is
    left out. «Memorandum of understanding» is, beside «memorandum».
    """
    alternatives = [dict.fromkeys(_parts(item, scope, exact=exact)) for item in concept.alternatives]
    if len(alternatives) > 1:
        alternatives = [item for item in alternatives if not any(other.keys() < item.keys() for other in alternatives)]
    return _any_of(map(_all_of, alternatives))


def _parts(alternative: Alternative, scope: Scope, *, exact: bool) -> list[str]:
    """Return the expressions of which a record with an alternative fulfils all."""
    words = [token for token in alternative.tokens if token.folded not in WEAK or len(alternative.tokens) == 1]
    pairs = alternative.pairs
    if scope is not NAMES:  # a record with a pair has both of its folded words, but the pair may not be in a name
        implied = set(PAIR_JOINT.join(pairs).split(PAIR_JOINT))
        words = [token for token in words if token.folded not in implied or (exact and token.exact != token.folded)]
    parts = [_word(token, scope, exact=exact) for token in words]
    return parts + [_any_of([_term(prefix + pair) for prefix in scope.pairs]) for pair in pairs]


def _word(token: Token, scope: Scope, *, exact: bool) -> str:
    """Return the expression for a word. One without diacritics also matches words that have some."""
    if exact and token.exact != token.folded:
        return _any_of([_term(prefix + token.exact) for prefix in scope.exact_words])
    return _any_of([_term(prefix + token.folded) for prefix in scope.words])


def _term(term: str) -> str:
    return f"'{term}'"  # needs no escaping: tokens consist of letters, digits and marks


def _all_of(terms: Iterable[str]) -> str:
    return _joined(" & ", terms)


def _any_of(terms: Iterable[str]) -> str:
    return _joined(" | ", terms)


def _joined(operator: str, terms: Iterable[str]) -> str:
    different = list(dict.fromkeys(terms))
    return different[0] if len(different) == 1 else f"({operator.join(different)})"


def fts5(terms: str) -> str:
    """Return the same expression in the syntax of FTS5."""
    return terms.replace("& !", "NOT ").replace("&", "AND").replace("|", "OR").replace("'", '"')
