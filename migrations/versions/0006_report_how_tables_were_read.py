"""Report how tables were read."""

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.add_column("import_lines", sa.Column("warnings", sa.Text(), nullable=True))
    op.add_column("imports", sa.Column("report", sa.Text(), nullable=True))


def downgrade() -> None:
    """Revert the change."""
    op.drop_column("imports", "report")
    op.drop_column("import_lines", "warnings")
