"""Snippets: which field of a record is shown for a hit, which part of it, and which words are highlighted."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, takewhile
from operator import itemgetter
from typing import Any, NamedTuple

from app.core.model.resource import Resource
from app.core.model.texts import Texts, name_texts, other_texts
from app.core.search.query.concepts import WEAK, Concept
from app.core.search.query.interpretation import Interpretation
from app.core.search.ranking import Hit
from app.core.search.tokens import (
    JOINED_NAME_LENGTHS,
    SPELLING,
    Token,
    joined_name,
    spellings_in,
    tokenize,
    tokens_of,
)
from app.core.values.normal_forms import normalized

MAX_SNIPPET = 160  # characters of a snippet, without the ellipses
MAX_BEFORE = 40  # characters before the first highlight
MAX_FIELD = 5_000  # characters of a field in which the words of the query are searched for
MAX_RECORD = 20_000  # characters of all fields of a record: 1 ms

Names = Sequence[tuple[str, str]]  # paths and texts, as in Texts
Matches = list[tuple[int, int, int]]  # start and end of each matched word in a text, and the number of its concept

_SPACE = re.compile(r"\s")
_FOLDED = itemgetter(0)  # of a token
_EXACT = itemgetter(1)


class Snippet(NamedTuple):
    """A part of a field, in NFC. `highlights` are [start, end) in its code points."""

    field: str
    text: str
    highlights: list[tuple[int, int]]


def snippet(resource: Resource, record: Mapping[str, Any], words: "QueryWords", hit: Hit) -> Snippet:
    """Return the snippet for a hit. It is from the first field with the largest number of different concepts.

    Long fields and long records are examined in part. If no word is in this part, the snippet is the main name.
    """
    names = name_texts(resource, record)
    if not hit.is_in_texts:
        return _cut(*_joined_name(names or headings(resource, record), words))
    codes = [(name, record[name]) for name in ("id", *resource.unique) if record[name]]
    texts = names if hit.tier == "in_names" and names else [*names, *other_texts(resource, record), *codes]
    if hit.tier == "whole_name":
        texts = _equal_to_query(texts, words.typed) or texts
    best = _best_text(texts, words, words.size)
    return _cut(*(best or _joined_name(names or headings(resource, record) or codes, words)))


def snippet_of_names(resource: Resource, names: Names, words: "QueryWords", hit: Hit) -> Snippet | None:
    """Return the snippet for a hit given all its names, or its heading. None: it may be from another text."""
    if not (names and resource.names):
        return None if hit.is_in_texts else _cut(*_joined_name(names or [("id", hit.record_id)], words))
    most = words.number_in(hit.names)  # no name has more concepts
    if not hit.is_in_texts:
        return _cut(*(_joined_name(names, words) if most else _main_name(names)))
    if hit.tier == "in_names":
        return _cut(*(_best_text(names, words, most) or _joined_name(names, words)))
    if hit.tier == "whole_name":
        best = _best_text(_equal_to_query(names, words.typed), words, most)
    else:  # no text has more concepts than a name with all of them
        best = _best_text(names, words, most) if most == words.size else None
        best = best if best and _size(best[2]) == words.size else None
    return _cut(*best) if best else None


def _best_text(texts: Names, words: "QueryWords", most: int) -> tuple[str, str, Matches] | None:
    """Return the first of the fields with the largest number of different concepts, with what matches in it.

    No field has more than `most` of them.
    """
    best: tuple[str, str, list[str], list[int | None]] | None = None
    best_size = 0
    for field, text in _beginnings(texts):
        text = normalized("NFC", text)
        spellings = spellings_in(text)
        numbers = words.numbers_of(spellings)
        different = set(numbers)
        size = len(different) - (None in different)
        if size > best_size:
            best = (field, text, spellings, numbers)
            best_size = size
        if size >= most:
            break
    return best and (best[0], best[1], _matches(*best[1:]))


def _matches(text: str, spellings: Sequence[str], numbers: Sequence[int | None]) -> Matches:
    """Return what matches in a text, given its words and the number of the concept of each.

    No word starts between two others, so each word is found at its place.
    """
    matches: Matches = []
    end = 0
    for spelling, number in zip(spellings, numbers, strict=True):
        start = text.find(spelling, end)
        end = start + len(spelling)
        if number is not None:
            matches.append((start, end, number))
    return matches


def _size(matches: Matches) -> int:
    return len({number for _, _, number in matches})


def headings(resource: Resource, record: Mapping[str, Any]) -> Texts:
    """Return the texts that stand for a record without a name; its id if it has none."""
    texts = [text for text in other_texts(resource, record) if text[0].partition(".")[0] in resource.heading]
    return texts or [("id", record["id"])]


def _beginnings(texts: Names) -> Iterator[tuple[str, str]]:
    """Yield the fields with the first characters of their texts, until they are as many as are examined."""
    left = MAX_RECORD
    for field, text in texts:
        if left <= 0:
            return
        yield field, text[: min(left, MAX_FIELD)]
        left -= len(text)


def _joined_name(names: Names, words: "QueryWords") -> tuple[str, str, Matches]:
    """Return the name that matches when its words are written as one (hanoi). All of it is highlighted.

    If there is none, return the main name without highlights.
    """
    for field, text in names:
        text = normalized("NFC", text)
        beginning = list(islice(SPELLING.finditer(text), JOINED_NAME_LENGTHS.stop))
        joined = joined_name(tokenize(text)) if len(beginning) in JOINED_NAME_LENGTHS else ""
        if joined and words.numbers_of([joined]) != [None]:
            return field, text, [(0, len(text), 0)]
    return _main_name(names)


def _main_name(names: Names) -> tuple[str, str, Matches]:
    field, text = names[0]
    return field, normalized("NFC", text[:MAX_FIELD]), []


def _equal_to_query(texts: Names, typed: Sequence[str]) -> Texts:
    """Return the texts that consist of the words of the query."""
    return [(field, text) for field, text in _beginnings(texts) if [item.folded for item in tokenize(text)] == typed]


class QueryWords:
    """The words of a query, with the number of the concept to which each belongs.

    A word without diacritics also matches words that have some.
    """

    def __init__(self, concepts: Sequence[Concept], tokens: Sequence[Token], *, is_exact: bool) -> None:
        self.typed = [token.folded for token in tokens]
        self._exact: dict[str, int] = {}
        self._folded: dict[str, int] = {}
        self._spaced: list[tuple[str, int]] = []
        groups = [list(chain.from_iterable(item.tokens for item in concept.alternatives)) for concept in concepts]
        for number, group in enumerate(groups or [[token] for token in tokens]):
            for token in group:
                if token.folded in WEAK:
                    continue
                if is_exact and token.exact != token.folded:
                    used = self._exact.setdefault(token.exact, number)
                else:
                    used = self._folded.setdefault(token.folded, number)
                self._spaced.append((f" {token.folded} ", used))
        self.size = len({number for _, number in self._spaced})

    @classmethod
    def of(cls, interpretation: Interpretation, tier: str) -> "QueryWords":
        """Return the words of a query that are highlighted in hits of a tier: all that were typed in a whole name."""
        concepts = () if tier == "whole_name" else interpretation.concepts
        return cls(concepts, interpretation.tokens, is_exact=interpretation.reading != "other_diacritics")

    def number_in(self, names: str) -> int:
        """Return how many concepts have a word in the folded names of a record (see `IndexEntry`)."""
        return len({number for word, number in self._spaced if word in names})

    def numbers_of(self, spellings: Sequence[str]) -> list[int | None]:
        """Return the number of the concept that each word of a text matches; None for each other word."""
        tokens = tokens_of(spellings)
        if not self._exact:
            return list(map(self._folded.get, map(_FOLDED, tokens)))
        if not self._folded:
            return list(map(self._exact.get, map(_EXACT, tokens)))
        return [self._folded.get(folded, self._exact.get(exact)) for folded, exact in tokens]


def _cut(field: str, text: str, matches: Matches) -> Snippet:
    """Return the part of the text with the largest number of different words, cut between words."""
    if len(text) <= MAX_SNIPPET:
        return Snippet(field, text, [(start, end) for start, end, _ in matches])
    first = _best_start(matches)
    begin = max(0, min(first - MAX_BEFORE, len(text) - MAX_SNIPPET))
    begin, end = _between_words(text, begin, begin + MAX_SNIPPET)
    prefix = "…" if begin else ""
    suffix = "…" if end < len(text) else ""
    shift = len(prefix) - begin
    highlights = [(start + shift, stop + shift) for start, stop, _ in matches if start >= begin and stop <= end]
    return Snippet(field, prefix + text[begin:end] + suffix, highlights)


def _best_start(matches: Matches) -> int:
    """Return the start of the first match from which a snippet reaches the largest number of different words."""
    reach = MAX_SNIPPET - MAX_BEFORE

    def word_count(number: int) -> int:
        end = matches[number][0] + reach
        return len({word for _, _, word in takewhile(lambda match: match[1] <= end, islice(matches, number, None))})

    best = max(range(len(matches)), key=lambda number: (word_count(number), -number), default=None)
    return 0 if best is None else matches[best][0]


def _between_words(text: str, begin: int, end: int) -> tuple[int, int]:
    """Move both ends of a snippet inwards to a space, unless the word that they cut is very long."""
    if begin and (space := _SPACE.search(text, begin, begin + MAX_BEFORE // 2)):
        begin = space.end()
    if end < len(text):
        last_space = text.rfind(" ", end - MAX_BEFORE // 2, end)
        end = last_space if last_space > begin else end
    return begin, end
