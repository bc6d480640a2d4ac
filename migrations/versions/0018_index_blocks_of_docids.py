"""Add the blocks of docids to the search terms on PostgreSQL."""

from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels = None
depends_on = None

# The numbers of the rules of the index with these terms, and of those before. SQLite needs no terms of blocks, so an
# index of the previous rules is complete as it is.
INDEXING = 8
PREVIOUS = 7


def upgrade() -> None:
    """Apply the change."""
    _rewrite("terms || array_to_tsvector(ARRAY['#13/' || (rowid >> 13), '#16/' || (rowid >> 16)])")
    op.execute(f"UPDATE search_state SET indexing = {INDEXING} WHERE indexing = {PREVIOUS}")


def downgrade() -> None:
    """Revert the change."""
    _rewrite("ts_delete(terms, ARRAY['#13/' || (rowid >> 13), '#16/' || (rowid >> 16)])")
    op.execute(f"UPDATE search_state SET indexing = {PREVIOUS} WHERE indexing = {INDEXING}")


def _rewrite(terms: str) -> None:
    """Replace the terms of every row. A new table has no dead rows, and a new index takes a fraction of the time."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("ALTER TABLE search_terms RENAME TO old_terms")
    op.execute(f"CREATE TABLE search_terms AS SELECT rowid, {terms} AS terms FROM old_terms ORDER BY rowid")
    op.execute("DROP TABLE old_terms")
    op.execute("ALTER TABLE search_terms ALTER COLUMN terms SET NOT NULL")
    op.execute("ALTER TABLE search_terms ADD CONSTRAINT search_terms_pkey PRIMARY KEY (rowid)")
    op.execute(
        "CREATE INDEX ix_search_terms_terms ON search_terms USING gin (terms) WITH (gin_pending_list_limit = 1024)"
    )
