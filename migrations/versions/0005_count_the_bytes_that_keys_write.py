"""Count the bytes that keys write."""

import sqlalchemy as sa
from alembic import op

from migrations.tables import BYTEWISE

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "written_bytes",
        sa.Column("key", BYTEWISE, nullable=False),
        sa.Column("day", BYTEWISE, nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "day", name=op.f("pk_written_bytes")),
    )


def downgrade() -> None:
    """Revert the change."""
    op.drop_table("written_bytes")
