"""Store mappings of tables."""

import sqlalchemy as sa
from alembic import op

from migrations.tables import BYTEWISE

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "import_mappings",
        sa.Column("owner", BYTEWISE, nullable=False),
        sa.Column("name", BYTEWISE, nullable=False),
        sa.Column("resource", BYTEWISE, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("updated_at", BYTEWISE, nullable=False),
        sa.PrimaryKeyConstraint("owner", "name", name=op.f("pk_import_mappings")),
    )


def downgrade() -> None:
    """Revert the change."""
    op.drop_table("import_mappings")
