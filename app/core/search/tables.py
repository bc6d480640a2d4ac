"""The tables of the search index, without those of the vocabulary."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    column,
    select,
    table,
)
from sqlmodel import SQLModel

from app.core.database.statements import Query
from app.core.database.tables import BYTEWISE, SEQUENCE

BLOCK_BITS = 13  # the docids of a block differ in these last bits only
LARGE_BLOCK_BITS = 16
SPAN = 1 << 40  # the docids of a resource start at its number times this
REFERENCE_DATA = 1 << 60  # is added to the docid of a record that is only reference data (`Resource.is_reference_data`)

RECORDS = Table(
    "search_records",
    SQLModel.metadata,
    Column("docid", SEQUENCE, primary_key=True, autoincrement=False),
    Column("resource", BYTEWISE, nullable=False),
    Column("record_id", BYTEWISE, nullable=False),
    Column("names", Text, nullable=False),  # see `IndexEntry` in entries
    Column("texts", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("preview", LargeBinary, nullable=False),  # JSON in UTF-8, which a reader of bytes need not decode
    Column("stored_terms", LargeBinary),  # compressed, on SQLite only (see `stored_terms`)
    UniqueConstraint("resource", "record_id"),
)

STATE = Table(
    "search_state",
    SQLModel.metadata,
    Column("indexing", Integer, primary_key=True, autoincrement=False),
    Column("complete", Boolean, nullable=False),
    Column("dictionary_id", BigInteger),  # random, of the dictionary of the stored terms
    Column("dictionary", LargeBinary),
)

READY = Query(select(STATE.c.indexing).where(STATE.c.complete))

# This table is not in the metadata, because it is an FTS5 table on SQLite and has a tsvector with a GIN index on
# PostgreSQL.
TERMS = table("search_terms", column("rowid", BigInteger), column("terms"))

# Records whose names have changed and to which many others link, for a background task (see `linked`).
REFRESHES = Table(
    "search_refreshes",
    SQLModel.metadata,
    Column("resource", BYTEWISE, primary_key=True),
    Column("record_id", BYTEWISE, primary_key=True),
    Column("step", Integer, nullable=False),  # the link that is followed: its number in `_links_to`
    Column("after", BYTEWISE, nullable=False),  # the last record whose link was followed
)
