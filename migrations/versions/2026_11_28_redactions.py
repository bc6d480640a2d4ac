"""The log of texts that were taken down."""

import sqlalchemy as sa
from alembic import op

revision: str = "20261128_redactions"
down_revision: str | None = "20261127_imports"
branch_labels = None
depends_on = None

BYTEWISE = sa.String().with_variant(sa.String(collation="C"), "postgresql")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "redactions",
        sa.Column("change", SEQUENCE, nullable=False),
        sa.Column("at", BYTEWISE, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("digests", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["change"],
            ["changes.sequence"],
            name="fk_redactions_change_changes",
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("change", name="pk_redactions"),
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_table("redactions")
