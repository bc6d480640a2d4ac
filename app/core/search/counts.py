"""What the index contains of the words of a query: how often each word occurs, and whether a name equals the query.

One statement reads all of it, whether the index is ready, and the last Change: each statement of a search takes as long
as the ranking of 30 candidates on SQLite, and of a whole window on PostgreSQL.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import func, literal, literal_column, select, union_all

from app.core.change_log import LAST_CHANGE_NAME
from app.core.database.sql import holds, one_of
from app.core.database.statements import Query, Read
from app.core.errors import Unavailable
from app.core.search.entries import INDEXING
from app.core.search.tables import READY, REFRESHES, STATE, TERMS
from app.core.search.vocabulary import REFERENCE_WORD, WORDS

_NAMES = " names"  # no word has a space
_INDEXING = " indexing"
_LAST = " last"
_WAITING = " waiting"

_counted = select(WORDS.c.word, WORDS.c.stem, WORDS.c.records).where(one_of(WORDS.c.stem, "stems"))
_indexing = select(literal(_INDEXING), literal(""), STATE.c.indexing).where(STATE.c.complete)
_names = select(literal(_NAMES), literal(""), func.count()).select_from(TERMS).where(holds())
_last_change = LAST_CHANGE_NAME.subquery("last_change")
_last = select(literal(_LAST), _last_change.c[0], literal_column("0"))
_waiting = select(literal(_WAITING), literal(""), func.count()).select_from(REFRESHES)
_READ = Query(union_all(_counted, _indexing, _names, _last, _waiting), alone=True)


class Counts:
    """The numbers of records that contain some words.

    `has_name`: a name or code of a record equals the one that was passed to `read_counts`. `last`: the name of the last
    Change, if the index is not behind it.
    """

    def __init__(self, rows: Iterable[Sequence[Any]], *, has_name: bool = True, last: str | None = None) -> None:
        self.has_name = has_name
        self.last = last
        self._records: dict[str, int] = {}
        self._by_stem: dict[str, list[str]] = {}
        for word, stem, records in sorted(rows, key=lambda row: (-row[2], row[0])):
            word = word.removeprefix(REFERENCE_WORD)
            stem = stem.removeprefix(REFERENCE_WORD)
            self._records[word] = self._records.get(word, 0) + records
            if word not in self._by_stem.setdefault(stem, []):
                self._by_stem[stem].append(word)

    def records(self, word: str) -> int:
        """Return the number of records that contain a word or pair."""
        return self._records.get(word, 0)

    def with_stem(self, stem: str) -> list[str]:
        """Return the words with a stem, the most frequent ones first."""
        return self._by_stem.get(stem, [])


def read_counts(stems: Sequence[str], names: dict[str, str]) -> Read:
    """Read the `Counts` of the words with these stems, and whether `names` match a record.

    `names` are the values of `holds`. Raise Unavailable if the index is not ready.
    """
    rows = yield _READ, {"stems": stems, **names}
    states = {word: number for word, _, number in rows if word[:1] == " "}
    check_indexing(states.get(_INDEXING))
    last = next((stem for word, stem, _ in rows if word == _LAST), None)
    counted = [row for row in rows if row[0][:1] != " "]
    return Counts(counted, has_name=states[_NAMES] > 0, last=None if states[_WAITING] else last)


def ensure_index_ready() -> Read:
    """Read whether the index is ready. Raise Unavailable if it is not."""
    rows = yield READY, {}
    check_indexing(rows[0][0] if rows else None)


def check_indexing(indexing: object) -> None:
    """Raise Unavailable if the index is not complete, or belongs to another version of the program."""
    if indexing != INDEXING:
        raise Unavailable("The search index is not complete. Run `hoptac migrate`, or wait until it has finished.")
