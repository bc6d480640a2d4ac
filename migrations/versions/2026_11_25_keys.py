"""Keys of those who write, and what was answered under an Idempotency-Key."""

import sqlalchemy as sa
from alembic import op

revision: str = "20261125_keys"
down_revision: str | None = "20261124_list_indexes"
branch_labels = None
depends_on = None

BYTEWISE = sa.String().with_variant(sa.String(collation="C"), "postgresql")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "keys",
        sa.Column("id", BYTEWISE, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", BYTEWISE, nullable=False),
        sa.Column("scopes", BYTEWISE, nullable=False),
        sa.Column("partner", BYTEWISE, nullable=True),
        sa.Column("created_at", BYTEWISE, nullable=False),
        sa.Column("expires_at", BYTEWISE, nullable=True),
        sa.Column("revoked_at", BYTEWISE, nullable=True),
        sa.Column("last_used_at", BYTEWISE, nullable=True),
        sa.Column("previous_hash", BYTEWISE, nullable=True),
        sa.Column("previous_until", BYTEWISE, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
    )
    op.create_index("ix_keys_partner", "keys", ["partner"])
    op.create_table(
        "replays",
        sa.Column("key", BYTEWISE, nullable=False),
        sa.Column("token", BYTEWISE, nullable=False),
        sa.Column("request", BYTEWISE, nullable=False),
        sa.Column("at", BYTEWISE, nullable=False),
        sa.Column("change", SEQUENCE, nullable=False),
        sa.Column("rendering", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", "token", name="pk_replays"),
    )
    op.create_index("ix_replays_at", "replays", ["at"])


def downgrade() -> None:
    """Remove both."""
    op.drop_table("replays")
    op.drop_table("keys")
