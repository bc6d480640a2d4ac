"""Accept every unit of the code list, and name other units."""

import sqlalchemy as sa
from alembic import op

from migrations.tables import drop_check

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    for table in ("figures", "indicators"):
        drop_check(table, f"ck_{table}_unit")
        op.add_column(table, sa.Column("unit_text_key", sa.Text(), nullable=True))


def downgrade() -> None:
    """Revert the change, except the checks of units: records may have units that they did not accept."""
    for table in ("figures", "indicators"):
        op.drop_column(table, "unit_text_key")
