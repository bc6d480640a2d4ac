"""Report records and names of imports."""

import sqlalchemy as sa
from alembic import op

from migrations.tables import BYTEWISE

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.add_column("import_lines", sa.Column("outcome", sa.Text(), nullable=True))
    op.add_column("import_lines", sa.Column("resolved", sa.Text(), nullable=True))
    op.add_column("imports", sa.Column("absent", sa.Integer(), server_default="0", nullable=False))
    op.add_column("imports", sa.Column("complete", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("imports", sa.Column("missing", BYTEWISE, server_default="list", nullable=False))


def downgrade() -> None:
    """Revert the change."""
    op.drop_column("imports", "missing")
    op.drop_column("imports", "complete")
    op.drop_column("imports", "absent")
    op.drop_column("import_lines", "resolved")
    op.drop_column("import_lines", "outcome")
