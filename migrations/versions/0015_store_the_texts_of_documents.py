"""Store the texts of documents."""

import sqlalchemy as sa
from alembic import op

from migrations.tables import BYTEWISE

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "text_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_text_state")),
    )
    op.create_table(
        "texts",
        sa.Column("document_id", BYTEWISE, nullable=False),
        sa.Column("sha256", BYTEWISE, nullable=False),
        sa.Column("paragraphs", sa.Integer(), nullable=False),
        sa.Column("shown", BYTEWISE, nullable=False),
        sa.Column("stored_at", BYTEWISE, nullable=False),
        sa.CheckConstraint("shown IN ('full', 'cited_paragraphs', 'nobody')", name=op.f("ck_texts_shown")),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name=op.f("fk_texts_document_id_documents"),
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("document_id", name=op.f("pk_texts")),
    )
    op.create_table(
        "text_paragraphs",
        sa.Column("document_id", BYTEWISE, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["texts.document_id"],
            name=op.f("fk_text_paragraphs_document_id_texts"),
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("document_id", "number", name=op.f("pk_text_paragraphs")),
    )


def downgrade() -> None:
    """Revert the change."""
    op.drop_table("text_paragraphs")
    op.drop_table("texts")
    op.drop_table("text_state")
