"""Bind keys to networks and record their events."""

import sqlalchemy as sa
from alembic import op

from migrations.tables import BYTEWISE, SEQUENCE

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "key_events",
        sa.Column("id", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("key", BYTEWISE, nullable=False),
        sa.Column("action", BYTEWISE, nullable=False),
        sa.Column("reason", BYTEWISE, nullable=True),
        sa.Column("actor", BYTEWISE, nullable=True),
        sa.Column("address", BYTEWISE, nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_at", BYTEWISE, nullable=False),
        sa.Column("last_at", BYTEWISE, nullable=False),
        sa.CheckConstraint(
            "action IN ('create', 'change', 'rotate', 'revoke', 'refuse')", name=op.f("ck_key_events_action")
        ),
        sa.CheckConstraint(
            "reason IN ('wrong_secret', 'replaced', 'revoked', 'expired', 'wrong_network', 'missing_scope')",
            name=op.f("ck_key_events_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["key"], ["keys.id"], name=op.f("fk_key_events_key_keys"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_events")),
    )
    op.create_index(op.f("ix_key_events_key_id"), "key_events", ["key", "id"], unique=False)
    op.add_column("keys", sa.Column("networks", BYTEWISE, nullable=True))


def downgrade() -> None:
    """Revert the change."""
    op.drop_column("keys", "networks")
    op.drop_index(op.f("ix_key_events_key_id"), table_name="key_events")
    op.drop_table("key_events")
