"""The concepts of a query: each is a word, a Vietnamese word of two syllables, or an entry of the synonym table.

1. Entries of the table are found first, the longest ones before others: «Bộ KH&ĐT» is one concept.
2. Stop words are dropped, unless the query has no other words.
3. Vietnamese syllables that stand together are joined to words. Which pairs are words is decided by the vocabulary: the
   pairs that make up most of the occurrences of their syllables. Syllables of which no pair with a neighbour is in any
   record are unknown as a whole: «Nhật Bản» is not found, although «nhật» and «bản» are.
4. Every other word is a concept with the words of the same stem.

The weight of a concept is from 1 (in all records) to 3 (in none).
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

from app.core.search.counts import Counts
from app.core.search.query.synonyms import Entry, SynonymTable
from app.core.search.tokens import Token, is_syllable, makes_pair, pair_of, token_of
from app.core.search.vocabulary import ALL_RECORDS, stem_of

SAME_STEM = 0.9  # weights of the words for a concept, compared with the word as it was typed
SYNONYM = 0.9
RELATED = 0.5
COMPLETED = 0.8
PART_OF_PHRASE = 0.5  # weight of a syllable whose pair with a neighbour belongs to a word already
MAX_SAME_STEM = 6
CACHED_PHRASES = 1 << 12  # an entry takes about 400 bytes


class Alternative(NamedTuple):
    """One way to write a concept: tokens that stand together, or only occur together if they make no pairs."""

    tokens: tuple[Token, ...]
    weight: float

    @property
    def pairs(self) -> tuple[str, ...]:
        """The pairs of its tokens that the vocabulary counts."""
        return _pairs_of(self.tokens)

    def records(self, counts: Counts) -> int:
        """Return the largest possible number of records that contain it."""
        return min(map(counts.records, _needed_words(self.tokens)), default=0)


WEAK = frozenset({"of", "and", "the", "for", "in", "on"})


@lru_cache(maxsize=CACHED_PHRASES)
def _pairs_of(tokens: tuple[Token, ...]) -> tuple[str, ...]:
    both_folded = pairwise([token.folded for token in tokens])
    return tuple([pair_of(*both) for both in both_folded if makes_pair(*both)])


@lru_cache(maxsize=CACHED_PHRASES)
def _needed_words(tokens: tuple[Token, ...]) -> tuple[str, ...]:
    """Return the words and pairs that each record with these tokens has."""
    return (*[token.folded for token in tokens if token.folded not in WEAK], *_pairs_of(tokens))


class Concept(NamedTuple):
    """A part of a query, the ways to write it that records have, and its weight."""

    typed: str
    alternatives: tuple[Alternative, ...]
    weight: float
    records: int

    @property
    def is_present(self) -> bool:
        """Whether any record contains it."""
        return bool(self.alternatives)


class Word(NamedTuple):
    """A word of the query. `is_joined`: a sign joins it to the next one, as in 35/2022."""

    spelling: str
    token: Token
    is_joined: bool


def words_to_count(words: Sequence[Word], table: SynonymTable) -> set[str]:
    """Return the stems and pairs whose numbers of records decide what the concepts of a query are."""
    stems = {ALL_RECORDS}
    for word in words:
        stems.add(stem_of(word.token.folded))
    for first, second in pairwise(words):
        stems.add(pair_of(first.token.folded, second.token.folded))
    for start in range(len(words)):
        match = table.longest([word.token for word in words[start:]])
        for tokens, _ in match.entry.alternatives if match else ():
            alternative = Alternative(tokens, 1)
            stems.update(stem_of(token.folded) for token in tokens)
            stems.update(alternative.pairs)
    return stems


class _Reader:
    """Splits the words of a query into concepts."""

    def __init__(self, words: Sequence[Word], counts: Counts, table: SynonymTable) -> None:
        self._words = words
        self._counts = counts
        self._table = table
        self._total = max(1, counts.records(ALL_RECORDS))

    def concepts(self) -> Iterator[Concept]:
        run: list[Word] = []
        position = 0
        while position < len(self._words):
            tokens = [word.token for word in self._words[position:]]
            match = self._table.longest(tokens)
            stop_length = self._table.stop_length(tokens)
            if match and match.length >= stop_length and not (match.length == 1 and self._is_in_word(run, position)):
                yield from self._of_run(run)
                run = []
                typed = self._words[position : position + match.length]
                yield self._of_entry(typed, match.entry)
                position += match.length
            elif stop_length:
                yield from self._of_run(run)
                run = []
                position += stop_length
            else:
                run.append(self._words[position])
                position += 1
        yield from self._of_run(run)

    def _is_in_word(self, run: Sequence[Word], position: int) -> bool:
        """Return whether a syllable makes a known pair with a neighbour: «thai» of «hệ sinh thái» is not Thailand."""
        neighbours = [(word, self._words[position]) for word in run[-1:]]
        neighbours += [(self._words[position], word) for word in self._words[position + 1 : position + 2]]
        both = [(first.token.folded, second.token.folded) for first, second in neighbours]
        return any(is_syllable(a) and is_syllable(b) and self._counts.records(pair_of(a, b)) for a, b in both)

    def _of_entry(self, typed: Sequence[Word], entry: Entry) -> Concept:
        own = tuple(word.token for word in typed)
        alternatives = [Alternative(own, 1.0), *(Alternative(*item) for item in entry.alternatives if item[0] != own)]
        stems = chain.from_iterable(map(self._with_stems, alternatives))
        return self._concept(typed, stems)

    def _with_stems(self, alternative: Alternative) -> list[Alternative]:
        """Return an alternative, and the words of the same stem if it is a single word."""
        if len(alternative.tokens) > 1:
            return [alternative]
        word = alternative.tokens[0].folded
        same = self._counts.with_stem(stem_of(word))[:MAX_SAME_STEM]
        weight = alternative.weight * SAME_STEM
        return [alternative, *(Alternative((token_of(other),), weight) for other in same if other != word)]

    def _of_run(self, run: Sequence[Word]) -> Iterator[Concept]:
        """Yield the concepts of words between entries of the table and stop words."""
        part: list[Word] = []
        for word in run:
            if part and self._separates(part[-1], word):
                yield from self._of_part(part)
                part = []
            part.append(word)
        if part:
            yield from self._of_part(part)

    @staticmethod
    def _separates(before: Word, after: Word) -> bool:
        both_syllables = is_syllable(before.token.folded) and is_syllable(after.token.folded)
        return not (both_syllables or before.is_joined)

    def _of_part(self, part: Sequence[Word]) -> Iterator[Concept]:
        """Yield the concepts of syllables that stand together, of a number such as 35/2022, or of a single word."""
        if len(part) == 1:
            yield self._concept(part, self._with_stems(Alternative((part[0].token,), 1.0)))
        elif part[0].is_joined and any(map(str.isdigit, part[0].spelling)):
            yield self._concept(part, [Alternative(tuple(word.token for word in part), 1.0)])
        else:
            yield from self._of_syllables(part)

    def _of_syllables(self, part: Sequence[Word]) -> Iterator[Concept]:
        pairs = self._chosen_pairs(part)
        position = 0
        left: list[int] = []
        while position < len(part):
            if position in pairs:
                yield from self._of_left(part, left)
                left = []
                yield self._pair(part, position, 1.0)
                position += 2
            else:
                left.append(position)
                position += 1
        yield from self._of_left(part, left)

    def _of_left(self, part: Sequence[Word], left: Sequence[int]) -> Iterator[Concept]:
        """Yield the concepts of syllables that are not in a chosen pair."""
        if len(left) > 1:
            yield Concept(_typed([part[position] for position in left]), (), (len(left) + 1) // 2 * self._weight(0), 0)
            return
        for position in left:
            starts = [start for start in (position - 1, position) if 0 <= start < len(part) - 1]
            near = [start for start in starts if self._pair_records(part, start)]
            if near:
                alternatives = [Alternative(_two(part, start), 1.0) for start in near]
                yield self._concept([part[position]], alternatives, PART_OF_PHRASE)
            else:
                yield self._concept([part[position]], [Alternative((part[position].token,), 1.0)])

    def _chosen_pairs(self, part: Sequence[Word]) -> set[int]:
        """Return the starts of the pairs that are words.

        No two of them have a common syllable, and the sum of their cohesion is as large as possible.
        """
        best: list[tuple[float, tuple[int, ...]]] = [(0.0, ()), (0.0, ())]
        for end in range(2, len(part) + 1):
            start = end - 2
            without = best[end - 1]
            gain = self._cohesion(part, start)
            with_pair = (best[start][0] + gain, (*best[start][1], start))
            best.append(with_pair if gain and with_pair[0] > without[0] else without)
        return set(best[-1][1])

    def _cohesion(self, part: Sequence[Word], start: int) -> float:
        records = self._pair_records(part, start)
        rarer = min(self._counts.records(word.token.folded) for word in part[start : start + 2])
        return records / rarer if records and rarer else 0.0

    def _pair_records(self, part: Sequence[Word], start: int) -> int:
        first, second = part[start : start + 2]
        return self._counts.records(pair_of(first.token.folded, second.token.folded))

    def _pair(self, part: Sequence[Word], start: int, weight: float) -> Concept:
        return self._concept(part[start : start + 2], [Alternative(_two(part, start), 1.0)], weight)

    def _concept(self, typed: Sequence[Word], alternatives: Iterable[Alternative], factor: float = 1.0) -> Concept:
        counted = {item: item.records(self._counts) for item in alternatives}
        present = [item for item, records in counted.items() if records]
        records = min(self._total, sum(counted.values()))
        return Concept(_typed(typed), tuple(present), factor * self._weight(records), records)

    def _weight(self, records: int) -> float:
        return 3 - 2 * math.log1p(records) / math.log1p(self._total)


def _typed(words: Iterable[Word]) -> str:
    return " ".join(word.spelling for word in words)


def _two(part: Sequence[Word], start: int) -> tuple[Token, Token]:
    return part[start].token, part[start + 1].token


def concepts_of(words: Sequence[Word], counts: Counts, table: SynonymTable) -> list[Concept]:
    """Return the concepts of a query; of its stop words if it has nothing else."""
    concepts = list(_Reader(words, counts, table).concepts())
    if not concepts and words:
        concepts = list(_Reader(words, counts, table.without_stop_words()).concepts())
    return list({concept.typed: concept for concept in concepts}.values())


def with_completions(concept: Concept, completions: Mapping[tuple[str, ...], int], total: int) -> Concept:
    """Return the concept of an unfinished word with its completions."""
    added = [Alternative(tuple(map(token_of, words)), COMPLETED) for words in completions]
    records = min(total, concept.records + sum(completions.values()))
    return concept._replace(alternatives=(*concept.alternatives, *added), records=records)
