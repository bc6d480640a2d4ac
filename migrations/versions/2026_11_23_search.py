"""The search index: terms of every public record, and the vocabulary. It is filled by `hoptac migrate`."""

import sqlalchemy as sa
from alembic import op

revision: str = "20261123_search"
down_revision: str | None = "20261122_partner_periods"
branch_labels = None
depends_on = None

BYTEWISE = sa.String().with_variant(sa.String(collation="C"), "postgresql")
DOCID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables; the terms are a table of their kind on each engine."""
    op.create_table(
        "search_records",
        sa.Column("docid", DOCID, autoincrement=False, nullable=False),
        sa.Column("resource", BYTEWISE, nullable=False),
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("docid", name="pk_search_records"),
        sa.UniqueConstraint("resource", "record_id", name="uq_search_records_resource_record_id"),
    )
    op.create_table(
        "search_words",
        sa.Column("word", BYTEWISE, nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("word", name="pk_search_words"),
    )
    op.create_table(
        "search_pairs",
        sa.Column("pair", BYTEWISE, nullable=False),
        sa.Column("word", BYTEWISE, nullable=False),
        sa.PrimaryKeyConstraint("pair", "word", name="pk_search_pairs"),
    )
    op.create_index("ix_search_pairs_word", "search_pairs", ["word"])
    op.create_table(
        "search_state",
        sa.Column("indexing", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("indexing", name="pk_search_state"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE TABLE search_terms (rowid bigint PRIMARY KEY, terms tsvector NOT NULL)")
        # A short list of what is not merged yet: a search reads all of it, a bulk load writes better with one.
        op.execute(
            "CREATE INDEX ix_search_terms_terms ON search_terms USING gin (terms) WITH (gin_pending_list_limit = 1024)"
        )
    else:
        op.execute(
            "CREATE VIRTUAL TABLE search_terms"
            " USING fts5(terms, content='', detail=none, columnsize=0, tokenize='ascii')"
        )
        # Small pages: a search for a rare word and a frequent one skips most of the frequent one's records.
        op.execute("INSERT INTO search_terms (search_terms, rank) VALUES ('pgsz', 512)")


def downgrade() -> None:
    """Drop them: everything in them follows from the records."""
    for table in ("search_terms", "search_state", "search_pairs", "search_words", "search_records"):
        op.execute(f"DROP TABLE {table}")
