"""The terms of each record as SQLite stores them: compressed with a dictionary of what many records have in common.

FTS5 removes a record only if it gets the terms that it has. Without a dictionary they would be the largest part of the
database, after the log. The labels of codes, places and partners are repeated in thousands of records, so the
dictionary is made of the terms of some records of each resource, once there are enough.

A word of these records can be in the dictionary. After a redaction it is therefore made again from the records as they
are then.
"""

import secrets
import zlib
from collections.abc import Iterator
from typing import Any

import zstandard
from sqlalchemy import Connection, select, update

from app.core.database.connection_reads import rows_of
from app.core.database.statements import Query
from app.core.model.resource import RESOURCES
from app.core.model.row_writes import update_rows
from app.core.search.tables import RECORDS, SPAN, STATE
from app.core.search.vocabulary import ALL_RECORDS, WORDS

MIN_RECORDS = 10_000  # in a registry with a dictionary
SAMPLES = 200  # records of each resource; with more of them, or a larger dictionary, the terms take 3 % less
MIN_SAMPLES = 100  # in all; zstd needs seven
SIZE = 65_536
LEVEL = 3
BATCH = 2_000  # records that are compressed again at once
MAX_CODECS = 8  # that a process keeps, each with about 300 kB

_MAGIC = b"\x28\xb5\x2f\xfd"  # starts what a dictionary compressed

_RECORDS_WITHOUT_DICTIONARY = Query(
    select(WORDS.c.records).join_from(WORDS, STATE, STATE.c.dictionary_id.is_(None)).where(WORDS.c.word == ALL_RECORDS)
)


class TermCodec:
    """Compresses the terms of records, with a dictionary if there is one."""

    def __init__(self, dictionary: bytes | None) -> None:
        self._compressor: zstandard.ZstdCompressor | None = None
        if dictionary is not None:
            learned = zstandard.ZstdCompressionDict(dictionary)
            learned.precompute_compress(level=LEVEL)
            self._compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=learned, write_dict_id=False)
            self._decompressor = zstandard.ZstdDecompressor(dict_data=learned)

    def compress(self, terms: str) -> bytes:
        """Return terms for `decompress`.

        Without a dictionary it is zlib, whose fastest level is only 3 % larger than the best one. With a window of 4 kB
        it takes half the time, since zlib prepares less memory: most records have 1 kB of terms.
        """
        if self._compressor is not None:
            return self._compressor.compress(terms.encode())
        compressor = zlib.compressobj(level=1, wbits=12, memLevel=5)
        return compressor.compress(terms.encode()) + compressor.flush()

    def decompress(self, stored: bytes) -> str:
        """Return the terms that were stored, also before there was a dictionary."""
        if stored.startswith(_MAGIC):
            return self._decompressor.decompress(stored).decode()
        return zlib.decompress(stored).decode()


_WITHOUT_DICTIONARY = TermCodec(None)
_codecs: dict[int, TermCodec] = {}  # by the ids of their dictionaries


def codec_of(connection: Connection, dictionary_id: int | None) -> TermCodec:
    """Return the codec with a dictionary of this database, which a process reads once."""
    if dictionary_id is None:
        return _WITHOUT_DICTIONARY
    if dictionary_id not in _codecs:
        if len(_codecs) >= MAX_CODECS:
            _codecs.clear()
        _codecs[dictionary_id] = TermCodec(connection.scalar(select(STATE.c.dictionary)))
    return _codecs[dictionary_id]


def learn_if_many(connection: Connection) -> int | None:
    """Make the first dictionary of an SQLite database that has enough records. Return its id, None if it has not."""
    if connection.dialect.name != "sqlite":
        return None
    rows = rows_of(connection, _RECORDS_WITHOUT_DICTIONARY)
    return learn(connection) if rows and rows[0][0] >= MIN_RECORDS else None


def learn(connection: Connection) -> int | None:
    """Make a dictionary of the terms of some records, and compress those of all records with it. Return its id.

    If too few records are left to make one of, there is none, and None is returned.
    """
    before = codec_of(connection, connection.scalar(select(STATE.c.dictionary_id)))
    samples: list[Any] = [before.decompress(stored).encode() for stored in _samples(connection)]
    dictionary = zstandard.train_dictionary(SIZE, samples).as_bytes() if len(samples) >= MIN_SAMPLES else None
    after = TermCodec(dictionary)
    query = select(RECORDS.c.docid, RECORDS.c.stored_terms).order_by(RECORDS.c.docid).limit(BATCH)
    docid = 0
    while rows := connection.execute(query.where(RECORDS.c.docid > docid)).all():
        again = [{"docid": docid, "stored_terms": after.compress(before.decompress(terms))} for docid, terms in rows]
        update_rows(connection, RECORDS, "docid", again)
        docid = rows[-1].docid
    # Codecs are kept by this id, and a process can have several databases.
    dictionary_id = secrets.randbits(62) if dictionary else None
    connection.execute(update(STATE).values(dictionary_id=dictionary_id, dictionary=dictionary))
    return dictionary_id


def _samples(connection: Connection) -> Iterator[bytes]:
    """Yield the stored terms of some records of each resource."""
    for resource in RESOURCES.values():
        first = resource.number * SPAN
        query = select(RECORDS.c.stored_terms).where(RECORDS.c.docid.between(first, first + SPAN - 1))
        yield from connection.scalars(query.order_by(RECORDS.c.docid.desc()).limit(SAMPLES))
