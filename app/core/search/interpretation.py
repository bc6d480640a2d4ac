"""What a query may mean: as it is typed, with slips of the pen corrected, or some of its words; the strictest first.

A sense is a list of stages, boolean questions about terms of which each leaves out what the ones before it find.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app.core.database.statements import Read
from app.core.search import vocabulary
from app.core.search.tokens import EXACT_NAME, EXACT_TEXT, NAME, TEXT, WORD, Word, exact_phrase_term, prefixes, word
from app.core.search.vocabulary import RECORD_COUNTS, SIMILAR_WORDS, WORDS_WITH_PREFIX
from app.core.values.codelists import Code, CodeList

MAX_WORDS = 12

MAX_ALTERNATIVES = 4  # of leaving out a word

MIN_PREFIX = 2

LAST = "\U0010ffff"  # comes after every letter

INTERPRETATION = CodeList(
    "search_reading",
    "How a query was understood: a looser reading is tried only where the stricter ones find nothing.",
    {
        "all_words": Code("All its words, the last perhaps not finished", "Đủ các từ, từ cuối có thể chưa gõ hết"),
        "corrected": Code("All its words, with slips corrected", "Đủ các từ, sau khi sửa lỗi gõ"),
        "some_words": Code("As many of its words as are found together", "Một số từ trong các từ đã gõ"),
    },
)

TIER = CodeList(
    "search_tier",
    "Where and how a hit holds the words of a query, the best first.",
    {
        "whole_name": Code("A name, code or id that is the whole query", "Tên, mã hoặc id đúng bằng cụm từ tìm"),
        "exact_in_names": Code("In its names, with these diacritics", "Trong tên, đúng dấu"),
        "exact_in_texts": Code("Anywhere, with these diacritics", "Trong nội dung, đúng dấu"),
        "in_names": Code("In its names", "Trong tên"),
        "in_texts": Code("Anywhere", "Trong nội dung"),
        "begun_in_names": Code("In its names, the last word going on", "Trong tên, từ cuối chưa gõ hết"),
        "begun_in_texts": Code("Anywhere, the last word going on", "Trong nội dung, từ cuối chưa gõ hết"),
        "some_in_names": Code("Some of the words, in its names", "Một số từ, trong tên"),
        "some_in_texts": Code("Some of the words, anywhere", "Một số từ, trong nội dung"),
    },
)


class Stage(NamedTuple):
    """A boolean question about terms, in the syntax of PostgreSQL's tsquery."""

    tier: str
    terms: str


class Interpretation(NamedTuple):
    """One way to understand a query. `rarest`: no more records than this hold all its words."""

    reading: str
    corrected: str | None
    words: tuple[Word, ...]
    prefixes: frozenset[str]
    stages: tuple[Stage, ...]
    all_terms: str
    rarest_count: int


class TypedQuery(NamedTuple):
    """The words of a query as they are typed."""

    spellings: tuple[str, ...]

    @classmethod
    def of(cls, query: str) -> "TypedQuery":
        """Its first words; quotes, operators and anything else between words only separate them."""
        return cls(tuple(WORD.findall(unicodedata.normalize("NFC", query))[:MAX_WORDS]))


def interpret(typed: TypedQuery, number: int) -> Read:
    """The sense of this number (0 as typed, 1 corrected, 2 some words); None where there is no such sense."""
    if not typed.spellings:
        return None
    read = yield from _record_counts(typed)
    starts = prefixes(typed.spellings[-1]) if len(typed.spellings[-1]) >= MIN_PREFIX else set()
    endings = yield from _completions(starts)
    if number == 0:
        return _all_words("all_words", None, typed, read, starts, endings)
    correction = yield from _corrected(typed, read, bool(endings))
    if correction:
        typed, corrected = TypedQuery(correction), " ".join(correction)
        read = yield from _record_counts(typed)
        if number == 1:
            return _all_words("corrected", corrected, typed, read, set(), {})
        return _some_words(corrected, typed, read)
    return None if number == 1 else _some_words(None, typed, read)


def _record_counts(typed: TypedQuery) -> Read:
    """How many records hold each word."""
    rows = yield RECORD_COUNTS, {"words": [word(each).folded for each in typed.spellings]}
    return dict(rows)


def _completions(starts: Iterable[str]) -> Read:
    """Words that go on where the query ends, those in most records first, and how many hold each."""
    found: dict[str, int] = {}
    for start in sorted(starts):
        found.update((yield WORDS_WITH_PREFIX, {"start": start, "end": f"{start}{LAST}"}))
    return found


def _corrected(typed: TypedQuery, known: dict[str, int], is_unfinished: bool) -> Read:
    """The spellings with unknown words replaced by the nearest known one; None where there is nothing to replace."""
    found = list(typed.spellings)
    for place, spelling in enumerate(typed.spellings):
        folded = word(spelling).folded
        is_known = folded in known or (is_unfinished and place == len(found) - 1)
        if not is_known and vocabulary.tolerance(folded):
            rows = yield SIMILAR_WORDS, vocabulary.similarity_values(folded)
            found[place] = vocabulary.nearest(folded, rows) or spelling
    return tuple(found) if tuple(found) != typed.spellings else None


def _all_words(
    reading: str,
    corrected: str | None,
    typed: TypedQuery,
    known: dict[str, int],
    starts: set[str],
    endings: dict[str, int],
) -> Interpretation:
    asked = tuple(map(word, typed.spellings))
    folded, exact = [each.folded for each in asked], [each.exact for each in asked]
    steps: list[tuple[str, str]] = []
    if exact != folded:
        steps.append(("whole_name", _term(exact_phrase_term(exact))))
        if all(each in known for each in folded):
            steps += [("exact_in_names", _exactly(EXACT_NAME, NAME, asked))]
            steps += [("exact_in_texts", _exactly(EXACT_TEXT, TEXT, asked))]
    steps.append(("whole_name", _term(exact_phrase_term(folded))))
    if all(each in known for each in folded):
        steps += [("in_names", _all_of(_terms(NAME, folded))), ("in_texts", _all_of(_terms(TEXT, folded)))]
    if endings and all(each in known for each in folded[:-1]):
        for tier, namespace in (("begun_in_names", NAME), ("begun_in_texts", TEXT)):
            last = _any_of(_terms(namespace, [folded[-1], *endings]))
            steps.append((tier, _all_of([*_terms(namespace, folded[:-1]), last])))
    held = [known.get(each, 0) for each in folded]
    rarest = min([*held[:-1], held[-1] + sum(endings.values())])
    return _interpretation(reading, corrected, asked, frozenset(starts if endings else ()), steps, rarest)


def _some_words(corrected: str | None, typed: TypedQuery, known: dict[str, int]) -> Interpretation | None:
    """The words that any record holds; then all but one of them (of the rarest); then any of them."""
    asked = tuple(each for each in dict.fromkeys(map(word, typed.spellings)) if each.folded in known)
    folded = sorted({each.folded for each in asked}, key=lambda each: (known[each], each))
    if not folded or len(typed.spellings) == 1:
        return None
    ways = [[each for each in folded if each != rare] for rare in folded[:MAX_ALTERNATIVES]] if len(folded) > 2 else []
    steps: list[tuple[str, str]] = []
    for some in ([folded], ways, [[each] for each in folded]):
        for tier, namespace in (("some_in_names", NAME), ("some_in_texts", TEXT)):
            if some:
                steps.append((tier, _any_of([_all_of(_terms(namespace, each)) for each in some])))
    return _interpretation("some_words", corrected, asked, frozenset(), steps, 1 << 30)


def _interpretation(
    reading: str,
    corrected: str | None,
    asked: tuple[Word, ...],
    starts: frozenset[str],
    steps: Sequence[tuple[str, str]],
    rarest: int,
) -> Interpretation:
    stages = []
    for place, (tier, terms) in enumerate(steps):
        before = [each for _, each in steps[:place]]
        stages.append(Stage(tier, f"({terms} & !{_any_of(before)})" if before else terms))
    anything = _any_of([terms for _, terms in steps])
    return Interpretation(reading, corrected, asked, starts, tuple(stages), anything, rarest)


def _term(term: str) -> str:
    return f"'{term}'"  # words hold letters, digits and marks: never a quote


def _terms(namespace: str, folded: Iterable[str]) -> list[str]:
    return [_term(namespace + each) for each in folded]


def _exactly(exact: str, folded: str, asked: Iterable[Word]) -> str:
    """Each word in its spelling; one without diacritics may be meant with some."""
    pairs = [(exact + each.exact) if each.exact != each.folded else (folded + each.folded) for each in asked]
    return _all_of([_term(each) for each in pairs])


def _all_of(terms: Iterable[str]) -> str:
    return f"({' & '.join(terms)})"


def _any_of(terms: Iterable[str]) -> str:
    return f"({' | '.join(terms)})"


def fts5(terms: str) -> str:
    """The same question in the syntax of FTS5."""
    return terms.replace("& !", "NOT ").replace("&", "AND").replace("|", "OR").replace("'", '"')
