"""Of which registry this database is a mirror, if it is one."""

import sqlalchemy as sa
from alembic import op

revision: str = "20261130_mirrors"
down_revision: str | None = "20261129_webhooks"
branch_labels = None
depends_on = None

BYTEWISE = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "mirrors",
        sa.Column("source", BYTEWISE, nullable=False),
        sa.Column("since", BYTEWISE, nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_mirrors"),
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_table("mirrors")
