"""Snippets: which field of a record is shown for a hit, which part of it, and which words are highlighted."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import islice, takewhile
from typing import Any, NamedTuple

from app.core.model.resource import Resource
from app.core.model.texts import Texts, name_texts, other_texts
from app.core.search.interpretation import Interpretation
from app.core.search.tokens import MAX_TOKEN_LENGTH, SPELLING, Token, joined_name, token_of, tokenize

MAX_SNIPPET = 160  # characters of a snippet, without the ellipses
MAX_BEFORE = 40  # characters before the first highlight
MAX_FIELD = 5_000  # characters of a field in which the words of the query are searched for
MAX_MATCHED_WORDS = 10_000  # of one query
MAX_RECORD = 20_000  # characters of all fields of a record: 1 ms

Matches = list[tuple[int, int, str]]  # start and end of each matched word in a text, and its folded form

_SPACE = re.compile(r"\s")


class Snippet(NamedTuple):
    """A part of a field, in NFC. `highlights` are [start, end) in its code points."""

    field: str
    text: str
    highlights: list[tuple[int, int]]


def snippet(resource: Resource, record: Mapping[str, Any], interpretation: Interpretation, tier: str) -> Snippet:
    """Return the snippet for a hit. It is from the first field with the largest number of different words.

    Long fields and long records are examined in part. If no word is in this part, the snippet is the main name.
    """
    names = name_texts(resource, record)
    codes = [(name, record[name]) for name in ("id", *resource.unique) if record[name]]
    texts = names if tier.endswith("_names") else [*names, *other_texts(resource, record), *codes]
    if tier == "whole_name":
        texts = _equal_to_query(texts, interpretation) or texts
    matching = _matching_words(interpretation.tokens, interpretation.prefixes, tier)
    query_size = len({token.folded for token in interpretation.tokens})
    best: tuple[str, str, Matches] = ("", "", [])
    best_size = 0
    for field, text in _beginnings(texts):
        text = unicodedata.normalize("NFC", text)
        matches = [
            (*spelling.span(), folded)
            for spelling in SPELLING.finditer(text)
            if (folded := matching[spelling[0][:MAX_TOKEN_LENGTH]]) is not None
        ]
        size = len({folded for _, _, folded in matches})
        if size > best_size:
            best = (field, text, matches)
            best_size = size
        if size >= query_size:
            break
    return _cut(*(best if best_size else _joined_name(names or codes, interpretation)))


def _beginnings(texts: Texts) -> Iterator[tuple[str, str]]:
    """Yield the fields with the first characters of their texts, until they are as many as are examined."""
    left = MAX_RECORD
    for field, text in texts:
        if left <= 0:
            return
        yield field, text[: min(left, MAX_FIELD)]
        left -= len(text)


def _joined_name(names: Texts, interpretation: Interpretation) -> tuple[str, str, Matches]:
    """Return the name that matches when its words are written as one (hanoi). All of it is highlighted.

    If there is none, return the main name without highlights.
    """
    starts = (*(token.folded for token in interpretation.tokens), *interpretation.prefixes)
    for field, text in names:
        joined = joined_name(tokenize(text))
        if joined and joined.startswith(starts):
            text = unicodedata.normalize("NFC", text)
            return field, text, [(0, len(text), "")]
    field, text = names[0]
    return field, unicodedata.normalize("NFC", text[:MAX_FIELD]), []


def _equal_to_query(texts: Texts, interpretation: Interpretation) -> Texts:
    """Return the texts that consist of the words of the query."""
    query = [token.folded for token in interpretation.tokens]
    return [(field, text) for field, text in _beginnings(texts) if [token.folded for token in tokenize(text)] == query]


class _MatchingWords(dict[str, str | None]):
    """The folded form of each spelling that matches and None for each other one, computed at the first use."""

    def __init__(self, matches: Callable[[Token], bool]) -> None:
        self._matches = matches

    def __missing__(self, spelling: str) -> str | None:
        if len(self) >= MAX_MATCHED_WORDS:
            self.clear()
        token = token_of(spelling)
        folded = self[spelling] = token.folded if self._matches(token) else None
        return folded


@lru_cache(maxsize=16)
def _matching_words(query: tuple[Token, ...], prefixes: frozenset[str], tier: str) -> _MatchingWords:
    return _MatchingWords(_matcher(query, prefixes, tier))


def _matcher(query: tuple[Token, ...], prefixes: frozenset[str], tier: str) -> Callable[[Token], bool]:
    """Return the function that decides whether a word of a text matches the query in this tier."""
    folded = frozenset(token.folded for token in query)
    if tier.startswith("exact"):
        exact = frozenset(token.exact for token in query)
        without_diacritics = frozenset(token.folded for token in query if token.exact == token.folded)
        return lambda token: token.exact in exact or token.folded in without_diacritics
    if tier.startswith("begun"):
        starts = tuple(prefixes)
        return lambda token: token.folded in folded or token.folded.startswith(starts)
    return lambda token: token.folded in folded


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
