"""Store the number of public records for each combination of their codes."""

import sqlalchemy as sa
from alembic import op

from migrations.tables import BYTEWISE

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels = None
depends_on = None

# `hoptac migrate` counts the records afterwards.


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "code_counts",
        sa.Column("resource", BYTEWISE, nullable=False),
        sa.Column("codes", BYTEWISE, nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("resource", "codes", name="pk_code_counts"),
    )


def downgrade() -> None:
    """Revert the change."""
    op.drop_table("code_counts")
