"""Add the key that signs cursors."""

import secrets

import sqlalchemy as sa
from alembic import op

from migrations.tables import BYTEWISE

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and its only row, a random key of this database."""
    op.create_table(
        "cursor_key",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", BYTEWISE, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cursor_key")),
    )
    insert = sa.text("INSERT INTO cursor_key (id, key) VALUES (1, :key)")
    op.execute(insert.bindparams(key=secrets.token_hex(32)))


def downgrade() -> None:
    """Revert the change."""
    op.drop_table("cursor_key")
