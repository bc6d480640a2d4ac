"""What of a record to show for a hit: the field that holds most of the words, and a piece of it with them marked."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from app.core.model.resource import Resource
from app.core.model.texts import Texts, name_texts, other_texts
from app.core.search.interpretation import Interpretation
from app.core.search.tokens import WORD, Word, joined, word, words

MAX_SNIPPET = 160  # characters of a snippet, without the ellipses
BEFORE = 40  # characters before the first word that is marked

Highlights = list[tuple[int, int, str]]


class Snippet(NamedTuple):
    """Where a hit was found, and the text there, in NFC; `highlights` are [start, end) in its code points."""

    field: str
    text: str
    highlights: list[tuple[int, int]]


def snippet(resource: Resource, record: Mapping[str, Any], sense: Interpretation, tier: str) -> Snippet:
    """The piece of this record that shows best why it was found."""
    named = name_texts(resource, record)
    codes = [(name, record[name]) for name in ("id", *resource.unique) if record[name]]
    texts = named if tier.endswith("_names") else [*named, *other_texts(resource, record), *codes]
    if tier == "whole_name":
        texts = _whole(texts, sense) or texts
    marked = _marked(sense.words, sense.prefixes, tier)
    wanted = len({each.folded for each in sense.words})
    best: tuple[str, str, Highlights] = ("", "", [])
    most = 0
    for field, text in texts:
        text = unicodedata.normalize("NFC", text)
        spots = [(*each.span(), folded) for each in WORD.finditer(text) if (folded := marked[each[0]]) is not None]
        held = len({folded for _, _, folded in spots})
        if held > most:
            best, most = (field, text, spots), held
        if held >= wanted:
            break
    return _cut(*(best if most else _joined(named, sense)))


def _joined(named: Texts, sense: Interpretation) -> tuple[str, str, Highlights]:
    """The name that was found written as one word; all of it is marked."""
    begun = (*(each.folded for each in sense.words), *sense.prefixes)
    for field, text in named:
        if (one := joined(words(text))) and one.startswith(begun):
            text = unicodedata.normalize("NFC", text)
            return field, text, [(0, len(text), "")]
    return "", "", []


def _whole(texts: Texts, sense: Interpretation) -> Texts:
    """The texts that are the query, word by word."""
    query = [each.folded for each in sense.words]
    return [(field, text) for field, text in texts if [each.folded for each in words(text)] == query]


class _Marked(dict[str, str | None]):
    """The folded form of each spelling that is marked, None of every other; decided when it is first met."""

    def __init__(self, matches: Callable[[Word], bool]) -> None:
        self._matches = matches

    def __missing__(self, spelling: str) -> str | None:
        met = word(spelling)
        found = self[spelling] = met.folded if self._matches(met) else None
        return found


@lru_cache(maxsize=16)
def _marked(asked: tuple[Word, ...], starts: frozenset[str], tier: str) -> _Marked:
    """The words of texts that were found in this tier."""
    return _Marked(_matcher(asked, starts, tier))


def _matcher(asked: tuple[Word, ...], starts: frozenset[str], tier: str) -> Callable[[Word], bool]:
    """Tells whether a word of a text is one that was found."""
    folded = frozenset(each.folded for each in asked)
    if tier.startswith("exact"):
        exact = frozenset(each.exact for each in asked)
        plain = frozenset(each.folded for each in asked if each.exact == each.folded)
        return lambda each: each.exact in exact or each.folded in plain
    if tier.startswith("begun"):
        begun = tuple(starts)
        return lambda each: each.folded in folded or each.folded.startswith(begun)
    return lambda each: each.folded in folded


def _cut(field: str, text: str, spots: Highlights) -> Snippet:
    """The stretch of the text with most different words, cut between words."""
    if len(text) <= MAX_SNIPPET:
        return Snippet(field, text, [(start, end) for start, end, _ in spots])
    reach = MAX_SNIPPET - BEFORE
    first = max(
        (start for start, _, _ in spots),
        key=lambda at: (len({word for start, end, word in spots if at <= start and end <= at + reach}), -at),
    )
    begin = max(0, min(first - BEFORE, len(text) - MAX_SNIPPET))
    begin, end = _between_words(text, begin, begin + MAX_SNIPPET)
    before, after = "…" if begin else "", "…" if end < len(text) else ""
    shift = len(before) - begin
    marks = [(start + shift, stop + shift) for start, stop, _ in spots if start >= begin and stop <= end]
    return Snippet(field, before + text[begin:end] + after, marks)


_SPACE = re.compile(r"\s")


def _between_words(text: str, begin: int, end: int) -> tuple[int, int]:
    """The nearest places inside that cut no word, unless the word is very long."""
    if begin and (space := _SPACE.search(text, begin, begin + BEFORE // 2)):
        begin = space.end()
    if end < len(text):
        last = text.rfind(" ", end - BEFORE // 2, end)
        end = last if last > begin else end
    return begin, end
