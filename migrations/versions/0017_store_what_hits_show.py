"""Store what a hit of the search shows with its terms: its project, and its names or heading."""

import sqlalchemy as sa
from alembic import op

from migrations.tables import create_search_terms

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels = None
depends_on = None

# `hoptac migrate` fills the index again, so its tables are emptied here.


def upgrade() -> None:
    """Apply the change."""
    _replace("own_names", sa.Column("preview", sa.LargeBinary(), nullable=False))


def downgrade() -> None:
    """Revert the change."""
    _replace("preview", sa.Column("own_names", sa.Text(), nullable=False))


def _replace(column: str, by: "sa.Column[str] | sa.Column[bytes]") -> None:
    op.execute("DROP TABLE search_terms")
    create_search_terms(stores_terms=False)
    for table in ("search_records", "search_words", "search_pairs", "search_state"):
        op.execute(f"DELETE FROM {table}")
    with op.batch_alter_table("search_records") as records:
        records.drop_column(column)
        records.add_column(by)
