"""Imports: files of many records, their lines, and what became of each."""

import sqlalchemy as sa
from alembic import op

revision: str = "20261127_imports"
down_revision: str | None = "20261126_changes"
branch_labels = None
depends_on = None

BYTEWISE = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "imports",
        sa.Column("id", BYTEWISE, nullable=False),
        sa.Column("key", BYTEWISE, nullable=True),
        sa.Column("partner", BYTEWISE, nullable=True),
        sa.Column("resource", BYTEWISE, nullable=True),
        sa.Column("mode", BYTEWISE, nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("status", BYTEWISE, nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", BYTEWISE, nullable=False),
        sa.Column("finished_at", BYTEWISE, nullable=True),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("claim", BYTEWISE, nullable=False),
        sa.Column("claimed_until", BYTEWISE, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_imports"),
    )
    op.create_index("ix_imports_key_id", "imports", ["key", "id"])
    op.create_index("ix_imports_status_claimed_until", "imports", ["status", "claimed_until"])
    op.create_table(
        "import_lines",
        sa.Column("import_id", BYTEWISE, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("given", sa.Text(), nullable=True),
        sa.Column("moved", sa.Text(), nullable=True),
        sa.Column("verdict", BYTEWISE, nullable=True),
        sa.Column("resource", BYTEWISE, nullable=True),
        sa.Column("record_id", BYTEWISE, nullable=True),
        sa.Column("matched_by", BYTEWISE, nullable=True),
        sa.Column("errors", sa.Text(), nullable=True),
        sa.Column("diff", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["imports.id"],
            name="fk_import_lines_import_id_imports",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("import_id", "number", name="pk_import_lines"),
    )
    op.create_index("ix_import_lines_import_id_verdict_number", "import_lines", ["import_id", "verdict", "number"])


def downgrade() -> None:
    """Remove both."""
    op.drop_table("import_lines")
    op.drop_table("imports")
