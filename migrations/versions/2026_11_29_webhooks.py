"""Subscriptions to what changes, what is sent to them, and how far the log was followed."""

import sqlalchemy as sa
from alembic import op

revision: str = "20261129_webhooks"
down_revision: str | None = "20261128_redactions"
branch_labels = None
depends_on = None

BYTEWISE = sa.String().with_variant(sa.String(collation="C"), "postgresql")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    """Create the three tables; the cursor is at the start, and goes to the end with the first subscription."""
    op.create_table(
        "webhooks",
        sa.Column("id", BYTEWISE, nullable=False),
        sa.Column("key", BYTEWISE, nullable=False),
        sa.Column("partner", BYTEWISE, nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("resources", sa.Text(), nullable=False),
        sa.Column("actions", sa.Text(), nullable=False),
        sa.Column("partners", sa.Text(), nullable=False),
        sa.Column("state", BYTEWISE, nullable=False),
        sa.Column("disabled_because", BYTEWISE, nullable=True),
        sa.Column("disabled_at", BYTEWISE, nullable=True),
        sa.Column("secret", BYTEWISE, nullable=False),
        sa.Column("previous_secret", BYTEWISE, nullable=True),
        sa.Column("previous_until", BYTEWISE, nullable=True),
        sa.Column("created_at", BYTEWISE, nullable=False),
        sa.Column("updated_at", BYTEWISE, nullable=False),
        sa.Column("behind", SEQUENCE, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", BYTEWISE, nullable=True),
        sa.Column("rest_until", BYTEWISE, nullable=True),
        sa.Column("last_accepted_at", BYTEWISE, nullable=True),
        sa.CheckConstraint("state IN ('active', 'disabled')", name=op.f("ck_webhooks_state")),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
    )
    op.create_index("ix_webhooks_behind", "webhooks", ["behind"])
    op.create_index("ix_webhooks_key", "webhooks", ["key"])
    op.create_index("ix_webhooks_partner", "webhooks", ["partner"])
    op.create_table(
        "deliveries",
        sa.Column("id", BYTEWISE, nullable=False),
        sa.Column("webhook", BYTEWISE, nullable=False),
        sa.Column("sequence", SEQUENCE, nullable=True),
        sa.Column("resource", BYTEWISE, nullable=True),
        sa.Column("record_id", BYTEWISE, nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", BYTEWISE, nullable=False),
        sa.Column("once", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", BYTEWISE, nullable=False),
        sa.Column("due_at", BYTEWISE, nullable=False),
        sa.Column("first_attempt_at", BYTEWISE, nullable=True),
        sa.Column("last_attempt_at", BYTEWISE, nullable=True),
        sa.Column("done_at", BYTEWISE, nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("took_ms", sa.Integer(), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'accepted', 'failed')", name=op.f("ck_deliveries_state")),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
    )
    op.create_index("ix_deliveries_webhook_created_at_id", "deliveries", ["webhook", "created_at", "id"])
    op.create_index("ix_deliveries_done_at", "deliveries", ["done_at"])
    for name, columns in (
        ("webhook_due_at", ["webhook", "due_at"]),
        ("due_at", ["due_at"]),
        ("record", ["webhook", "resource", "record_id", "sequence"]),
    ):
        op.create_index(f"ix_deliveries_{name}", "deliveries", columns, sqlite_where=PENDING, postgresql_where=PENDING)
    cursor = op.create_table(
        "webhook_cursor",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("after", SEQUENCE, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_cursor"),
    )
    op.bulk_insert(cursor, [{"id": 1, "after": 0}])


def downgrade() -> None:
    """Remove them."""
    op.drop_table("webhook_cursor")
    op.drop_table("deliveries")
    op.drop_table("webhooks")
