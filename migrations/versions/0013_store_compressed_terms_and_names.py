"""Store the terms of the search compressed, and the names that hits show."""

import sqlalchemy as sa
from alembic import op

from migrations.tables import create_search_terms

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels = None
depends_on = None

# `hoptac migrate` fills the index again, so its tables are emptied here.


def upgrade() -> None:
    """Apply the change."""
    _empty(stores_terms=False)
    with op.batch_alter_table("search_records") as records:
        records.drop_column("label")
        records.add_column(sa.Column("own_names", sa.Text(), nullable=False))
        records.add_column(sa.Column("stored_terms", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Revert the change."""
    _empty(stores_terms=True)
    with op.batch_alter_table("search_records") as records:
        records.drop_column("stored_terms")
        records.drop_column("own_names")
        records.add_column(sa.Column("label", sa.Text(), nullable=False))


def _empty(*, stores_terms: bool) -> None:
    op.execute("DROP TABLE search_terms")
    create_search_terms(stores_terms=stores_terms)
    for table in ("search_records", "search_words", "search_pairs", "search_state"):
        op.execute(f"DELETE FROM {table}")
