"""Weigh imports and their lines."""

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.add_column("import_lines", sa.Column("size", sa.Integer(), server_default="0", nullable=False))
    op.add_column("imports", sa.Column("bytes", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    """Revert the change."""
    op.drop_column("imports", "bytes")
    op.drop_column("import_lines", "size")
