"""Add the partners that did the work of a figure."""

import sqlalchemy as sa
from alembic import op

from migrations.tables import BYTEWISE

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "figures_done_by",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", BYTEWISE, nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"],
            ["partners.id"],
            name=op.f("fk_figures_done_by_partner_id_partners"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["figures.id"],
            name=op.f("fk_figures_done_by_record_id_figures"),
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name=op.f("pk_figures_done_by")),
    )
    op.create_index(
        op.f("ix_figures_done_by_partner_id_record_id"), "figures_done_by", ["partner_id", "record_id"], unique=False
    )


def downgrade() -> None:
    """Revert the change."""
    op.drop_index(op.f("ix_figures_done_by_partner_id_record_id"), table_name="figures_done_by")
    op.drop_table("figures_done_by")
