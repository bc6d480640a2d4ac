"""How a query is understood: its interpretations, their stages, and the codes of `reading` and `tier`.

A query has up to three interpretations, from strict to loose: all its words, the corrected words, some of its words. A
looser one is tried only if the stricter ones have no hits. An interpretation is a list of stages. A stage is a boolean
expression of terms (see `tokens`); its hits come before the hits of later stages, and each record is a hit of the first
stage that matches it. Example: the stages for all words of «solar pan», if some records contain `pan`:

    whole_name      '1f7…'                                         a name is «solar pan»
    in_names        ('2solar' & '2pan')                            the names contain both words
    in_texts        ('3solar' & '3pan')                            the record contains both words
    begun_in_names  ('2solar' & ('2pan' | '2panel' | '2panels'))   the same, with each completion of `pan`
    begun_in_texts  ('3solar' & ('3pan' | '3panel' | '3panels'))

Each expression but the first also excludes the ones before it: `& !(…)`. If the query has diacritics, three stages for
exact spelling come first.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from app.core.database.statements import Read
from app.core.search import vocabulary
from app.core.search.tokens import (
    EXACT_NAME,
    EXACT_TEXT,
    NAME,
    SPELLING,
    TEXT,
    Token,
    prefixes,
    token_of,
    whole_name_term,
)
from app.core.search.vocabulary import RECORD_COUNTS, SIMILAR_WORDS, WORDS_WITH_PREFIX
from app.core.values.codelists import Code, CodeList

MAX_WORDS = 12  # words of a query; the others are ignored
MAX_ALTERNATIVES = 4  # rare words of which one at a time is left out
MIN_PREFIX = 2  # characters of an unfinished word
LAST_CHARACTER = "\U0010ffff"  # sorts after every letter
NO_ESTIMATE = 1 << 30  # more records than a registry has

# The numbers of the interpretations. They are part of cursors.
ALL_WORDS = 0
CORRECTED = 1
SOME_WORDS = 2

INTERPRETATION = CodeList(
    "search_reading",
    "How a query was understood. A less strict way is used only if the stricter ones have no hits.",
    {
        "all_words": Code("All words; the last one may be unfinished", "Đủ các từ, từ cuối có thể chưa gõ hết"),
        "corrected": Code("All words, with typing errors corrected", "Đủ các từ, sau khi sửa lỗi gõ"),
        "some_words": Code("Some of the words, as many as possible", "Một số từ trong các từ đã gõ"),
    },
)

TIER = CodeList(
    "search_tier",
    "Where and how a hit contains the words of a query. The best tier comes first.",
    {
        "whole_name": Code("A name, code or id equals the query", "Tên, mã hoặc id đúng bằng cụm từ tìm"),
        "exact_in_names": Code("In the names, with the same diacritics", "Trong tên, đúng dấu"),
        "exact_in_texts": Code("In any text, with the same diacritics", "Trong nội dung, đúng dấu"),
        "in_names": Code("In the names", "Trong tên"),
        "in_texts": Code("In any text", "Trong nội dung"),
        "begun_in_names": Code("In the names, with the last word completed", "Trong tên, từ cuối chưa gõ hết"),
        "begun_in_texts": Code("In any text, with the last word completed", "Trong nội dung, từ cuối chưa gõ hết"),
        "some_in_names": Code("Some of the words, in the names", "Một số từ, trong tên"),
        "some_in_texts": Code("Some of the words, in any text", "Một số từ, trong nội dung"),
    },
)


class Stage(NamedTuple):
    """A step of an interpretation: its tier, and an expression of terms in the syntax of PostgreSQL's tsquery."""

    tier: str
    terms: str


class Interpretation(NamedTuple):
    """One way to understand a query.

    `reading` is a code of `search_reading`. `prefixes` are the folded forms of the unfinished last word, if it has
    completions. `all_terms` matches the hits of all stages. No more than `rarest_count` records contain all words.
    """

    reading: str
    corrected: str | None
    tokens: tuple[Token, ...]
    prefixes: frozenset[str]
    stages: tuple[Stage, ...]
    all_terms: str
    rarest_count: int


class TypedQuery(NamedTuple):
    """The words of a query as they were typed."""

    spellings: tuple[str, ...]

    @classmethod
    def of(cls, query: str) -> "TypedQuery":
        """Return the first `MAX_WORDS` words. Quotes, operators and other characters only separate them."""
        return cls(tuple(SPELLING.findall(unicodedata.normalize("NFC", query))[:MAX_WORDS]))

    @property
    def tokens(self) -> tuple[Token, ...]:
        """The words as tokens."""
        return tuple(map(token_of, self.spellings))


def interpret(typed: TypedQuery, number: int) -> Read:
    """Read the interpretation with this number, such as `CORRECTED`, or None if the query does not have it."""
    if not typed.spellings:
        return None
    counts = yield from _record_counts(typed)
    last = typed.spellings[-1]
    starts = prefixes(last) if len(last) >= MIN_PREFIX else set()
    completions = yield from _completions(starts)
    if number == ALL_WORDS:
        return _all_words("all_words", None, typed, counts, starts, completions)
    corrected = yield from _corrected(typed, counts, bool(completions))
    if corrected is None:
        return _some_words(None, typed, counts) if number == SOME_WORDS else None
    counts = yield from _record_counts(corrected)
    spelling = " ".join(corrected.spellings)
    if number == CORRECTED:
        return _all_words("corrected", spelling, corrected, counts, set(), {})
    return _some_words(spelling, corrected, counts)


def _record_counts(typed: TypedQuery) -> Read:
    """Read the number of records for each word of the query that is in the vocabulary."""
    rows = yield RECORD_COUNTS, {"words": [token.folded for token in typed.tokens]}
    return dict(rows)


def _completions(starts: Iterable[str]) -> Read:
    """Read the most frequent words that start with these prefixes, with their numbers of records."""
    completions: dict[str, int] = {}
    for start in sorted(starts):
        completions.update((yield WORDS_WITH_PREFIX, {"start": start, "end": f"{start}{LAST_CHARACTER}"}))
    return completions


def _corrected(typed: TypedQuery, counts: dict[str, int], is_unfinished: bool) -> Read:
    """Read the query with its unknown words replaced by the most similar known ones; None if none can be replaced."""
    spellings = list(typed.spellings)
    for position, token in enumerate(typed.tokens):
        in_vocabulary = token.folded in counts or (is_unfinished and position == len(spellings) - 1)
        if not in_vocabulary and vocabulary.tolerance(token.folded):
            rows = yield SIMILAR_WORDS, vocabulary.similarity_values(token.folded)
            spellings[position] = vocabulary.nearest(token.folded, rows) or spellings[position]
    return TypedQuery(tuple(spellings)) if tuple(spellings) != typed.spellings else None


def _all_words(
    reading: str,
    corrected: str | None,
    typed: TypedQuery,
    counts: dict[str, int],
    starts: set[str],
    completions: dict[str, int],
) -> Interpretation:
    tokens = typed.tokens
    folded = [token.folded for token in tokens]
    stages = list(_whole_word_stages(tokens, counts))
    if completions and all(word in counts for word in folded[:-1]):
        for tier, prefix in (("begun_in_names", NAME), ("begun_in_texts", TEXT)):
            last_word = _any_of(_terms(prefix, [folded[-1], *completions]))
            stages.append(Stage(tier, _all_of([*_terms(prefix, folded[:-1]), last_word])))
    word_counts = [counts.get(word, 0) for word in folded]
    word_counts[-1] += sum(completions.values())
    used_prefixes = frozenset(starts if completions else ())
    return _interpretation(reading, corrected, tokens, used_prefixes, stages, min(word_counts))


def _whole_word_stages(tokens: Sequence[Token], counts: dict[str, int]) -> Iterator[Stage]:
    """Yield the stages in which each word of the query is a word of the record."""
    folded = [token.folded for token in tokens]
    exact = [token.exact for token in tokens]
    all_in_vocabulary = all(word in counts for word in folded)
    if exact != folded:
        yield Stage("whole_name", _term(whole_name_term(exact)))
        if all_in_vocabulary:
            yield Stage("exact_in_names", _exactly(EXACT_NAME, NAME, tokens))
            yield Stage("exact_in_texts", _exactly(EXACT_TEXT, TEXT, tokens))
    yield Stage("whole_name", _term(whole_name_term(folded)))
    if all_in_vocabulary:
        yield Stage("in_names", _all_of(_terms(NAME, folded)))
        yield Stage("in_texts", _all_of(_terms(TEXT, folded)))


def _some_words(corrected: str | None, typed: TypedQuery, counts: dict[str, int]) -> Interpretation | None:
    """Return the interpretation with all known words; then without one of the rarest; then with any one word."""
    tokens = tuple(token for token in dict.fromkeys(typed.tokens) if token.folded in counts)
    rarest_first = sorted({token.folded for token in tokens}, key=lambda word: (counts[word], word))
    if not rarest_first or len(typed.spellings) == 1:
        return None
    stages: list[Stage] = []
    one_word = [[word] for word in rarest_first]
    for alternatives in ([rarest_first], _without_one(rarest_first), one_word):
        if not alternatives:
            continue
        for tier, prefix in (("some_in_names", NAME), ("some_in_texts", TEXT)):
            stages.append(Stage(tier, _any_of([_all_of(_terms(prefix, words)) for words in alternatives])))
    return _interpretation("some_words", corrected, tokens, frozenset(), stages, NO_ESTIMATE)


def _without_one(words: list[str]) -> list[list[str]]:
    """Return the words without the first, without the second, and so on; nothing if single words would be left."""
    if len(words) <= 2:
        return []
    return [words[:position] + words[position + 1 :] for position in range(min(len(words), MAX_ALTERNATIVES))]


def _interpretation(
    reading: str,
    corrected: str | None,
    tokens: tuple[Token, ...],
    used_prefixes: frozenset[str],
    stages: Sequence[Stage],
    rarest_count: int,
) -> Interpretation:
    """Return the interpretation with stages that each exclude the hits of the stages before."""
    disjoint = []
    for position, (tier, terms) in enumerate(stages):
        before = [stage.terms for stage in stages[:position]]
        disjoint.append(Stage(tier, f"({terms} & !{_any_of(before)})" if before else terms))
    all_terms = _any_of([stage.terms for stage in stages])
    return Interpretation(reading, corrected, tokens, used_prefixes, tuple(disjoint), all_terms, rarest_count)


def _term(term: str) -> str:
    return f"'{term}'"  # needs no escaping: tokens consist of letters, digits and marks


def _terms(prefix: str, words: Iterable[str]) -> list[str]:
    return [_term(prefix + word) for word in words]


def _exactly(exact: str, folded: str, tokens: Iterable[Token]) -> str:
    """Return an expression for the exact words. A word without diacritics also matches words that have some."""
    terms = []
    for token in tokens:
        has_diacritics = token.exact != token.folded
        terms.append(_term(exact + token.exact if has_diacritics else folded + token.folded))
    return _all_of(terms)


def _all_of(terms: Iterable[str]) -> str:
    return f"({' & '.join(terms)})"


def _any_of(terms: Iterable[str]) -> str:
    return f"({' | '.join(terms)})"


def fts5(terms: str) -> str:
    """Return the same expression in the syntax of FTS5."""
    return terms.replace("& !", "NOT ").replace("&", "AND").replace("|", "OR").replace("'", '"')
