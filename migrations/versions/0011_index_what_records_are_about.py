"""Index what records are about."""

import sqlalchemy as sa
from alembic import op

from migrations.tables import BYTEWISE, create_search_terms

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels = None
depends_on = None

# `hoptac migrate` fills the index again, so its tables are emptied here. FTS5 cannot empty a table of the old kind.


def upgrade() -> None:
    """Apply the change."""
    _empty(stores_terms=True)
    with op.batch_alter_table("search_records") as records:
        for name in ("texts", "about", "label"):
            records.add_column(sa.Column(name, sa.Text(), nullable=False))
    with op.batch_alter_table("search_words") as words:
        words.add_column(sa.Column("stem", BYTEWISE, nullable=False))
    op.create_index(op.f("ix_search_words_stem"), "search_words", ["stem"])
    op.create_table(
        "search_refreshes",
        sa.Column("resource", BYTEWISE, nullable=False),
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("after", BYTEWISE, nullable=False),
        sa.PrimaryKeyConstraint("resource", "record_id", name=op.f("pk_search_refreshes")),
    )


def downgrade() -> None:
    """Revert the change."""
    _empty(stores_terms=False)
    op.drop_table("search_refreshes")
    op.drop_index(op.f("ix_search_words_stem"), "search_words")
    with op.batch_alter_table("search_words") as words:
        words.drop_column("stem")
    with op.batch_alter_table("search_records") as records:
        for name in ("label", "about", "texts"):
            records.drop_column(name)


def _empty(*, stores_terms: bool) -> None:
    op.execute("DROP TABLE search_terms")
    create_search_terms(stores_terms=stores_terms)
    for table in ("search_records", "search_words", "search_pairs", "search_state"):
        op.execute(f"DELETE FROM {table}")
