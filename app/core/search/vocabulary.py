"""The vocabulary: all words of public records, their completions, and the corrections of words that are not in it."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import snowballstemmer
from rapidfuzz.distance import OSA
from sqlalchemy import Column, Connection, Index, Integer, Table, bindparam, func, select
from sqlmodel import SQLModel

from app.core.database.sql import one_of
from app.core.database.statements import Query
from app.core.database.tables import BYTEWISE
from app.core.model.row_writes import delete_rows, insert_rows, read_rows, update_rows
from app.core.search.tokens import CACHED_WORDS, PAIR_JOINT, is_syllable

ALL_RECORDS = PAIR_JOINT  # the word of every record: its count is the number of records
REFERENCE_WORD = 2 * PAIR_JOINT  # starts the words of reference data, which are counted by themselves
MIN_STEMMED = 4  # letters of a word that may have inflected forms
MAX_COMPLETIONS = 20  # words that an unfinished word may stand for
MAX_SIMILAR = 200  # words whose distance to an unknown word is computed

ROW_BYTES = 36  # of a row of PAIRS on SQLite, with its entries in two indexes, without the words

WORDS = Table(
    "search_words",
    SQLModel.metadata,
    Column("word", BYTEWISE, primary_key=True),
    Column("stem", BYTEWISE, nullable=False, index=True),  # see `stem_of`
    Column("records", Integer, nullable=False),  # the number of records that contain the word
)

# Pairs of neighbouring letters, by which words similar to an unknown word are found. Groups of three letters would not
# do: two letters in the wrong order can change all the groups of a short word.
PAIRS = Table(
    "search_pairs",
    SQLModel.metadata,
    Column("pair", BYTEWISE, primary_key=True),
    Column("word", BYTEWISE, primary_key=True),
    Index(None, "word"),
)

WORDS_WITH_PREFIX = Query(
    select(WORDS.c.word, WORDS.c.records)
    .where(WORDS.c.word > bindparam("start"), WORDS.c.word < bindparam("end"))
    .order_by(WORDS.c.records.desc(), WORDS.c.word)
    .limit(MAX_COMPLETIONS)
)

_shared = func.count().label("shared")
_similar = (
    select(PAIRS.c.word, _shared)
    .where(one_of(PAIRS.c.pair, "pairs"))
    .where(func.length(PAIRS.c.word).between(bindparam("shortest"), bindparam("longest")))
    .group_by(PAIRS.c.word)
    .having(_shared >= bindparam("shared"))
    .order_by(_shared.desc(), PAIRS.c.word)
    .limit(MAX_SIMILAR)
    .subquery()
)
SIMILAR_WORDS = Query(select(WORDS.c.word, WORDS.c.records).join(_similar, _similar.c.word == WORDS.c.word))


_STEMMER = snowballstemmer.stemmer("english")


@lru_cache(maxsize=CACHED_WORDS)
def stem_of(word: str) -> str:
    """Return the stem that a word shares with its inflected forms: factories → factori, also of factory.

    A word that can be a syllable of Vietnamese, which has no inflection, is its own stem.
    """
    if word.startswith(REFERENCE_WORD):
        return REFERENCE_WORD + stem_of(word.removeprefix(REFERENCE_WORD))
    if len(word) < MIN_STEMMED or not word.isascii() or not word.isalpha() or is_syllable(word):
        return word
    stem = str(_STEMMER.stemWord(word))
    return word if is_syllable(stem) else stem


def update_counts(connection: Connection, differences: Mapping[str, int]) -> dict[str, int]:
    """Add to the number of records of each word. A word without records is removed.

    Return the new words, each with about how many bytes it takes on disk.
    """
    changed = sorted(word for word, difference in differences.items() if difference)
    present: dict[str, int] = dict(read_rows(connection, WORDS, ("word", "records"), "word", changed))
    new_words = [word for word in changed if word not in present]
    inserted = [{"word": word, "stem": stem_of(word), "records": differences[word]} for word in new_words]
    counts = {word: records + differences[word] for word, records in present.items()}
    insert_rows(connection, WORDS, inserted)
    insert_rows(connection, PAIRS, list(_pair_rows(new_words)))
    remaining = [{"word": word, "records": count} for word, count in counts.items() if count]
    update_rows(connection, WORDS, "word", remaining)
    for table in (WORDS, PAIRS):
        delete_rows(connection, table, "word", [word for word, count in counts.items() if not count])
    return {word: bytes_on_disk(word) for word in new_words}


def bytes_on_disk(word: str) -> int:
    """Return about how many bytes a word takes: a row for itself and for each pair. Each row has the word three
    times, in the table and in two indexes. A word of 8 letters takes 600 bytes.
    """
    return (len(letter_pairs(word)) + 1) * (3 * len(word) + ROW_BYTES)


def _pair_rows(words: Iterable[str]) -> Iterator[dict[str, str]]:
    for word in words:
        yield from ({"pair": pair, "word": word} for pair in letter_pairs(word))


def letter_pairs(word: str) -> list[str]:
    """Return the pairs of neighbouring letters in a word, with its start (^) and end ($).

    Numbers and pairs of words have none, because they are never corrected.
    """
    if not word.isalpha():
        return []
    return sorted({first + second for first, second in zip(f"^{word}", f"{word}$", strict=True)})


def tolerance(word: str) -> int:
    """Return the number of typing errors that are corrected: 0 in up to three letters, 1 in up to seven, else 2."""
    if len(word) < 4 or not letter_pairs(word):
        return 0
    return 1 if len(word) < 8 else 2


def similarity_values(word: str) -> dict[str, object]:
    """Return the values for `SIMILAR_WORDS`.

    One typing error changes at most three pairs: two letters in the wrong order change the pair of both and the pairs
    on either side. So a similar word shares all pairs but three for each error.
    """
    errors = tolerance(word)
    pairs = letter_pairs(word)
    return {
        "pairs": pairs,
        "shared": max(1, len(pairs) - 3 * errors),
        "shortest": len(word) - errors,
        "longest": len(word) + errors,
    }


def nearest(word: str, candidates: Iterable[tuple[str, int]]) -> str | None:
    """Return the candidate with the fewest typing errors, or None when all have too many.

    If several have the fewest, return the one in the most records. A typing error is a letter that is added,
    left out, replaced, or swapped with its neighbour (optimal string alignment).
    """
    max_errors = tolerance(word)
    alike = [(candidate, records) for candidate, records in candidates if candidate[0] == word[0]]
    measured = [(OSA.distance(word, candidate), -records, candidate) for candidate, records in alike]
    return min((row for row in measured if row[0] <= max_errors), default=(0, 0, None))[2]
