"""The table of synonyms and stop words (`synonyms.yaml`): reading, checking and looking up.

A row is a set of words of the same meaning, with the reason why it is there. A change of the table affects the next
search; nothing has to be indexed again.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from app.core.search.tokens import Token, tokenize

FILE = Path(__file__).with_name("synonyms.yaml")
MAX_ROW = 80  # words and phrases of a row
MAX_PHRASE = 10  # words of a phrase

SAME = 0.9  # weights of other words of a row, compared with the one that was typed
RELATED = 0.5

OTHER_MEMBERS = {"synonyms": ("related",), "questions": ("prefers",)}

_Tokens = tuple[Token, ...]


class Entry(NamedTuple):
    """The words of a row with their weights."""

    alternatives: tuple[tuple[_Tokens, float], ...]


class Match(NamedTuple):
    """An entry that stands at the start of some tokens, and the number of these tokens."""

    entry: Entry
    length: int


class SynonymTable:
    """The table, by the folded words of its phrases."""

    def __init__(self, content: Any) -> None:
        self._entries: dict[tuple[str, ...], list[tuple[_Tokens, Entry]]] = {}
        self._stops: dict[tuple[str, ...], list[_Tokens]] = {}
        self._preferred: dict[tuple[str, ...], list[tuple[_Tokens, str]]] = {}
        for row in content["synonyms"]:
            self._add(row)
        for row in content["stop_words"]:
            for phrase in _tokens_of(row["words"]):
                self._stops.setdefault(_folded(phrase), []).append(phrase)
        for row in content["questions"]:
            for phrase in _tokens_of(row["words"]):
                self._stops.setdefault(_folded(phrase), []).append(phrase)
                self._preferred.setdefault(_folded(phrase), []).append((phrase, row["prefers"]))
        self._longest = max(map(len, (*self._entries, *self._stops)), default=0)

    def _add(self, row: Any) -> None:
        same = _tokens_of(row["words"])
        related = _tokens_of(row.get("related", ()))
        for phrase in same:
            others = [(other, SAME) for other in same if other != phrase]
            entry = Entry((*others, *((other, RELATED) for other in related)))
            self._entries.setdefault(_folded(phrase), []).append((phrase, entry))

    def longest(self, tokens: Sequence[Token]) -> Match | None:
        """Return the longest phrase of the table with which the tokens start."""
        for length in range(min(self._longest, len(tokens)), 0, -1):
            start = tokens[:length]
            entries = [entry for phrase, entry in self._entries.get(_folded(start), ()) if _reads_as(start, phrase)]
            if entries:
                together = dict.fromkeys(chain.from_iterable(entry.alternatives for entry in entries))
                return Match(Entry(tuple(together)), length)
        return None

    def stop_length(self, tokens: Sequence[Token]) -> int:
        """Return how many of the first tokens are a stop word or phrase."""
        for length in range(min(self._longest, len(tokens)), 0, -1):
            start = tokens[:length]
            if tuple(start) in self._stops.get(_folded(start), ()):
                return length
        return 0

    def preferred(self, tokens: Sequence[Token]) -> set[str]:
        """Return the resources that questions in these tokens ask for."""
        results = set()
        for start in range(len(tokens)):
            for length in range(1, min(self._longest, len(tokens) - start) + 1):
                part = tokens[start : start + length]
                rows = self._preferred.get(_folded(part), ())
                results |= {resource for phrase, resource in rows if _reads_as(part, phrase)}
        return results

    def without_stop_words(self) -> "SynonymTable":
        """Return the table for a query that has nothing but stop words."""
        table = SynonymTable({"synonyms": [], "stop_words": [], "questions": []})
        table._entries = self._entries
        table._longest = self._longest
        return table


@cache
def synonym_table() -> SynonymTable:
    """Return the table of this program."""
    return SynonymTable(yaml.safe_load(FILE.read_text("utf-8")))


def _folded(tokens: Sequence[Token]) -> tuple[str, ...]:
    return tuple([token.folded for token in tokens])


def _reads_as(typed: Sequence[Token], phrase: _Tokens) -> bool:
    """Return whether typed words can be a phrase: those with diacritics have the same ones."""
    pairs = zip(typed, phrase, strict=True)
    return all(word.exact in (word.folded, listed.exact) for word, listed in pairs)


def _tokens_of(phrases: Sequence[str]) -> list[_Tokens]:
    return [tuple(tokenize(phrase)) for phrase in phrases]


def problems(content: Any) -> Iterator[str]:
    """Yield the errors in the content of the file."""
    if not isinstance(content, dict) or set(content) != {"synonyms", "stop_words", "questions"}:
        yield "the table has other parts than synonyms, stop_words and questions"
        return
    for part, rows in content.items():
        for number, row in enumerate(rows, 1):
            yield from (f"{part}, row {number}: {problem}" for problem in _row_problems(part, row))
    yield from _repeated(content["synonyms"])


def _row_problems(part: str, row: Any) -> Iterator[str]:
    members = {"words", "reason", *OTHER_MEMBERS.get(part, ())}
    if not isinstance(row, dict) or not set(row) <= members:
        yield f"a row has the members {', '.join(sorted(members))}"
        return
    if not isinstance(row.get("reason"), str) or not row["reason"].strip():
        yield "the reason is missing"
    for name in ("words", "related"):
        words = row.get(name, [])
        if not isinstance(words, list) or len(words) > MAX_ROW or not all(isinstance(word, str) for word in words):
            yield f'{name} is not a list of up to {MAX_ROW} texts; quote words such as "no"'
        elif not all(0 < len(tokenize(word)) <= MAX_PHRASE for word in words):
            yield f"a text of {name} has no word, or more than {MAX_PHRASE}"
    if not row.get("words"):
        yield "words is empty"


def _repeated(rows: Sequence[Any]) -> Iterator[str]:
    seen: dict[_Tokens, int] = {}
    for number, row in enumerate(rows, 1):
        for phrase in _tokens_of([word for word in row.get("words", ()) if isinstance(word, str)]):
            if seen.setdefault(phrase, number) != number:
                words = " ".join(token.exact for token in phrase)
                yield f"synonyms, row {number}: «{words}» is in row {seen[phrase]} too"
