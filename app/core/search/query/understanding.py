"""From the text of a query to its interpretations: reads the counts of its words and corrects typing errors."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from app.core.database.statements import Read
from app.core.search import vocabulary
from app.core.search.candidates import term_values
from app.core.search.counts import Counts, read_counts
from app.core.search.query.concepts import Concept, Word, concepts_of, with_completions, words_to_count
from app.core.search.query.interpretation import (
    ALL_WORDS,
    CORRECTED,
    OTHER_DIACRITICS,
    SOME_WORDS,
    Interpretation,
    all_concepts,
    some_concepts,
    whole_names,
)
from app.core.search.query.synonyms import synonym_table
from app.core.search.tokens import PAIR_JOINT, SPELLING, is_syllable, pair_of, prefixes, token_of
from app.core.search.vocabulary import (
    ALL_RECORDS,
    REFERENCE_WORD,
    SIMILAR_WORDS,
    WORDS_WITH_PREFIX,
)
from app.core.values.normal_forms import normalized

MAX_WORDS = 12  # words of a query; the others are ignored
MIN_PREFIX = 2  # characters of an unfinished word
LAST_CHARACTER = "\U0010ffff"  # sorts after every letter
MIN_CORRECTED = 5  # letters of a word that is corrected
_JOINTS = frozenset("/.,")  # between digits or letters, they join a number such as 35/2022


def words_of(query: str) -> list[Word]:
    """Return the first `MAX_WORDS` words. Quotes, operators and other characters only separate them."""
    text = normalized("NFC", query)
    words = []
    for results in SPELLING.finditer(text):
        is_joined = (
            text[results.end() : results.end() + 1] in _JOINTS and text[results.end() + 1 : results.end() + 2].isalnum()
        )
        words.append(Word(results[0], token_of(results[0]), is_joined))
    return words[:MAX_WORDS]


@dataclass
class Understanding:
    """A query on its way to its interpretations, each of which is read when it is needed."""

    query: str
    includes_reference_data: bool = False
    last: str | None = None  # the name of the last Change before the words were counted; see `Counts`
    total: int = 1  # number of records; read with the concepts
    _has_name: bool = True  # whether a name or code equals the words; read with the concepts
    _concepts_of: dict[tuple[Word, ...], tuple[list[Concept], bool]] = field(default_factory=dict)
    _corrections: list[list[Word] | None] = field(default_factory=list)  # the result of `_corrected`, once it is read

    @cached_property
    def words(self) -> list[Word]:
        """The words of the query."""
        return words_of(self.query)

    @property
    def preferred(self) -> frozenset[str]:
        """The resources in which the answer to the query is looked for first."""
        return frozenset(synonym_table().preferred([word.token for word in self.words]))

    def interpretation(self, number: int) -> Read:
        """Read the interpretation with this number, such as `CORRECTED`, or None if the query does not have it."""
        if not self.words:
            return None
        concepts: list[Concept] = yield from self._concepts(self.words)
        if number == ALL_WORDS:
            return self._all("all_words", None, self.words, concepts)
        corrected: list[Word] | None = yield from self._corrected(concepts)
        words = corrected or self.words
        spelling = " ".join(word.spelling for word in words) if corrected else None
        if corrected:
            concepts = yield from self._concepts(words)
        if number == CORRECTED:
            return self._all("corrected", spelling, words, concepts) if corrected else None
        if number == OTHER_DIACRITICS:
            if not _may_lose_diacritics(words):
                return None
            return self._all("other_diacritics", spelling, words, concepts, exact=False)
        return some_concepts(self._all("some_words", spelling, words, concepts)) if number == SOME_WORDS else None

    def _all(
        self,
        reading: str,
        corrected: str | None,
        words: Sequence[Word],
        concepts: Sequence[Concept],
        *,
        exact: bool = True,
    ) -> Interpretation:
        tokens = [word.token for word in words]
        return all_concepts(
            reading, corrected, tokens, concepts, total=self.total, has_name=self._has_name, exact=exact
        )

    def _concepts(self, words: Sequence[Word]) -> Read:
        """Return the concepts of some words. They are read once for all interpretations."""
        key = tuple(words)
        if key not in self._concepts_of:
            concepts = yield from self._read_concepts(words)
            self._concepts_of[key] = concepts, self._has_name
        concepts, self._has_name = self._concepts_of[key]
        return concepts

    def _read_concepts(self, words: Sequence[Word]) -> Read:
        """Read the concepts of some words. The last word may be unfinished, if no record has it."""
        table = synonym_table()
        stems = sorted(words_to_count(words, table))
        if self.includes_reference_data:
            stems += [REFERENCE_WORD + stem for stem in stems]
        names = whole_names([word.token for word in words])
        counts: Counts = yield from read_counts(stems, term_values(names))
        self._has_name = counts.has_name
        if not self._concepts_of:
            self.last = counts.last
        self.total = max(1, counts.records(ALL_RECORDS))
        concepts = concepts_of(words, counts, table)
        last = words[-1]
        if not concepts or not concepts[-1].typed.endswith(last.spelling) or _is_finished(words, concepts[-1], counts):
            return concepts
        completions: dict[tuple[str, ...], int] = yield from self._completions(words)
        if completions and (not concepts[-1].is_present or len(next(iter(completions))) > 1):
            finished = concepts_of(words[:-1], counts, table) if len(words) > 1 else []
            unfinished = concepts[-1]._replace(typed=last.spelling)
            concepts = [*finished, with_completions(unfinished, completions, self.total)]
        return concepts

    def _completions(self, words: Sequence[Word]) -> Read:
        """Read the most frequent words that start with the last word, with their numbers of records.

        After a syllable, they are the second syllables of pairs.
        """
        last = words[-1]
        pairs: dict[str, int] = {}
        if len(words) > 1 and is_syllable(words[-2].token.folded):
            pairs = yield from self._starting({pair_of(words[-2].token.folded, last.token.folded)})
            if pairs or is_syllable(last.token.folded):
                return {tuple(pair.split(PAIR_JOINT)[1:]): records for pair, records in pairs.items()}
        starts = prefixes(last.spelling) if len(last.spelling) >= MIN_PREFIX else set()
        completions: dict[str, int] = yield from self._starting(starts)
        return {(word,): records for word, records in completions.items()}

    def _starting(self, starts: set[str]) -> Read:
        """Read the most frequent words with these starts, with their numbers of records."""
        counts: dict[str, int] = {}
        for start in sorted(starts):
            for prefix in ("", REFERENCE_WORD) if self.includes_reference_data else ("",):
                values = {"start": prefix + start, "end": f"{prefix}{start}{LAST_CHARACTER}"}
                rows = yield WORDS_WITH_PREFIX, values
                counts |= {word.removeprefix(REFERENCE_WORD): records for word, records in rows}
        return counts

    def _corrected(self, concepts: Sequence[Concept]) -> Read:
        """Return the words with unknown ones replaced by the most similar known ones; None if none can be replaced."""
        if not self._corrections:
            self._corrections.append((yield from self._read_corrected(concepts)))
        return self._corrections[0]

    def _read_corrected(self, concepts: Sequence[Concept]) -> Read:
        unknown = {concept.typed for concept in concepts if not concept.is_present}
        words = list(self.words)
        for position, word in enumerate(words):
            if word.spelling in unknown and _may_be_misspelt(word):
                rows = yield SIMILAR_WORDS, vocabulary.similarity_values(word.token.folded)
                nearest = vocabulary.nearest(word.token.folded, rows)
                if nearest:
                    words[position] = Word(nearest, token_of(nearest), word.is_joined)
        return words if words != self.words else None


def _is_finished(words: Sequence[Word], concept: Concept, counts: Counts) -> bool:
    """Return whether the last word need not be completed.

    The word must be in the vocabulary. If it is a syllable after another one, the pair must be in it, too.
    """
    both = [word.token.folded for word in words[-2:]]
    if not concept.is_present or not all(map(is_syllable, both)) or concept.typed != words[-1].spelling:
        return concept.is_present
    return len(both) == 1 or counts.records(pair_of(*both)) > 0


def _may_be_misspelt(word: Word) -> bool:
    """Return whether an unknown word may be a typing error: not an abbreviation, and no syllable of Vietnamese."""
    folded = word.token.folded
    is_abbreviation = sum(map(str.isupper, word.spelling)) > 1
    is_real_word = is_syllable(folded) or synonym_table().longest([word.token]) is not None
    return len(folded) >= MIN_CORRECTED and not is_abbreviation and not is_real_word


def _may_lose_diacritics(words: Sequence[Word]) -> bool:
    """Return whether words may be meant without their diacritics: at least two of them, so that they confirm it."""
    return len(words) > 1 and any(word.token.exact != word.token.folded for word in words)
