"""The words that public records hold: how many records each, how they go on, and which are like one typed wrong."""

from collections.abc import Iterable, Mapping

from rapidfuzz.distance import OSA
from sqlalchemy import Column, Connection, Index, Integer, Table, bindparam, delete, func, insert, select, update
from sqlmodel import SQLModel

from app.core.database.sql import chunks, one_of
from app.core.database.statements import Query
from app.core.database.tables import BYTEWISE

MAX_ENDINGS = 20  # words that the beginning of a word stands for

MAX_ALIKE = 200  # words that are compared with one typed wrong

WORDS = Table(
    "search_words",
    SQLModel.metadata,
    Column("word", BYTEWISE, primary_key=True),
    Column("records", Integer, nullable=False),
)

# Pairs of neighbouring letters: two letters changed places leave no three in a row of a short word as they were.
PAIRS = Table(
    "search_pairs",
    SQLModel.metadata,
    Column("pair", BYTEWISE, primary_key=True),
    Column("word", BYTEWISE, primary_key=True),
    Index(None, "word"),
)

RECORD_COUNTS = Query(select(WORDS.c.word, WORDS.c.records).where(one_of(WORDS.c.word, "words")))

WORDS_WITH_PREFIX = Query(
    select(WORDS.c.word, WORDS.c.records)
    .where(WORDS.c.word > bindparam("start"), WORDS.c.word < bindparam("end"))
    .order_by(WORDS.c.records.desc(), WORDS.c.word)
    .limit(MAX_ENDINGS)
)

_shared = func.count().label("shared")

_candidates = (
    select(PAIRS.c.word, _shared)
    .where(one_of(PAIRS.c.pair, "pairs"))
    .where(func.length(PAIRS.c.word).between(bindparam("shortest"), bindparam("longest")))
    .group_by(PAIRS.c.word)
    .having(_shared >= bindparam("shared"))
    .order_by(_shared.desc(), PAIRS.c.word)
    .limit(MAX_ALIKE)
    .subquery()
)

SIMILAR_WORDS = Query(select(WORDS.c.word, WORDS.c.records).join(_candidates, _candidates.c.word == WORDS.c.word))


def update_counts(connection: Connection, change: Mapping[str, int]) -> None:
    """Add these numbers of records to words: a word comes with its first record and goes with its last."""
    changed = sorted(word for word, records in change.items() if records)
    present: dict[str, int] = {}
    for chunk in chunks(changed):
        query = select(WORDS.c.word, WORDS.c.records).where(WORDS.c.word.in_(chunk))
        present.update(map(tuple, connection.execute(query)))
    fresh = [{"word": word, "records": change[word]} for word in changed if word not in present]
    known = [{"key": word, "records": present[word] + change[word]} for word in changed if word in present]
    gone = [row for row in known if not row["records"]]
    for statement, rows in (
        (insert(WORDS), fresh),
        (
            insert(PAIRS),
            [{"pair": pair, "word": row["word"]} for row in fresh for pair in letter_pairs(str(row["word"]))],
        ),
        (update(WORDS).where(WORDS.c.word == bindparam("key")), known),
        (delete(WORDS).where(WORDS.c.word == bindparam("key")), gone),
        (delete(PAIRS).where(PAIRS.c.word == bindparam("key")), gone),
    ):
        if rows:
            connection.execute(statement, rows)


def letter_pairs(word: str) -> list[str]:
    """The pairs of letters by which a word is found when it is typed wrong; numbers have none."""
    if any(map(str.isdigit, word)):
        return []
    return sorted({first + second for first, second in zip(f"^{word}", f"{word}$", strict=True)})


def tolerance(word: str) -> int:
    """How many slips are forgiven: none in a word of up to three letters, one up to seven, then two."""
    return 0 if len(word) < 4 or not letter_pairs(word) else 1 if len(word) < 8 else 2


def similarity_values(word: str) -> dict[str, object]:
    """The values for ALIKE. One slip changes at most three pairs (letters that changed places: three)."""
    slips, own = tolerance(word), letter_pairs(word)
    shortest, longest = len(word) - slips, len(word) + slips
    return {"pairs": own, "shared": max(1, len(own) - 3 * slips), "shortest": shortest, "longest": longest}


def nearest(word: str, candidates: Iterable[tuple[str, int]]) -> str | None:
    """The candidate with the fewest slips, of those the one most records hold.

    A slip is a letter added, left out, mistaken, or swapped with its neighbour (optimal string alignment).
    """
    most = tolerance(word)
    measured = [(OSA.distance(word, other), -records, other) for other, records in candidates]
    return min((row for row in measured if row[0] <= most), default=(0, 0, None))[2]
