"""Note the last backup."""

import sqlalchemy as sa
from alembic import op

from migrations.tables import BYTEWISE

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "backups",
        sa.Column("at", BYTEWISE, nullable=False),
        sa.Column("head", BYTEWISE, nullable=False),
        sa.PrimaryKeyConstraint("at", name=op.f("pk_backups")),
    )


def downgrade() -> None:
    """Revert the change."""
    op.drop_table("backups")
