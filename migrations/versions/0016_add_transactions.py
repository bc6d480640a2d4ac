"""Add transactions."""

import sqlalchemy as sa
from alembic import op

from migrations.tables import BYTEWISE, SEQUENCE

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "transactions",
        sa.Column("id", BYTEWISE, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", BYTEWISE, nullable=False),
        sa.Column("updated_at", BYTEWISE, nullable=False),
        sa.Column("managed_by", BYTEWISE, nullable=True),
        sa.Column("state", BYTEWISE, nullable=False),
        sa.Column("change", SEQUENCE, nullable=False),
        sa.Column("rendering", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("kind", BYTEWISE, nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("currency", BYTEWISE, nullable=False),
        sa.Column("budget_type", BYTEWISE, nullable=True),
        sa.Column("date_earliest", BYTEWISE, nullable=True),
        sa.Column("date_latest", BYTEWISE, nullable=True),
        sa.Column("period_earliest", BYTEWISE, nullable=True),
        sa.Column("period_latest", BYTEWISE, nullable=True),
        sa.Column("project", BYTEWISE, nullable=True),
        sa.Column("agreement", BYTEWISE, nullable=True),
        sa.Column("provider", BYTEWISE, nullable=True),
        sa.Column("receiver", BYTEWISE, nullable=True),
        sa.CheckConstraint(
            "kind IN ('budget', 'planned_disbursement', 'incoming_funds', 'outgoing_commitment', 'disbursement', 'expenditure', 'interest_payment', 'loan_repayment', 'reimbursement', 'purchase_of_equity', 'sale_of_equity', 'credit_guarantee', 'incoming_commitment', 'outgoing_pledge', 'incoming_pledge')",
            name=op.f("ck_transactions_kind"),
        ),
        sa.CheckConstraint("state IN ('published', 'draft')", name=op.f("ck_transactions_state")),
        sa.CheckConstraint("date_earliest <= date_latest", name=op.f("ck_transactions_date")),
        sa.CheckConstraint("period_earliest <= period_latest", name=op.f("ck_transactions_period")),
        sa.ForeignKeyConstraint(
            ["agreement"],
            ["agreements.id"],
            name=op.f("fk_transactions_agreement_agreements"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["change"],
            ["changes.sequence"],
            name=op.f("fk_transactions_change_changes"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["managed_by"],
            ["partners.id"],
            name=op.f("fk_transactions_managed_by_partners"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["project"],
            ["projects.id"],
            name=op.f("fk_transactions_project_projects"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["provider"],
            ["partners.id"],
            name=op.f("fk_transactions_provider_partners"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["receiver"],
            ["partners.id"],
            name=op.f("fk_transactions_receiver_partners"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transactions")),
        sa.UniqueConstraint("change", name=op.f("uq_transactions_change")),
    )
    op.create_index(op.f("ix_transactions_agreement"), "transactions", ["agreement"], unique=False)
    op.create_index(
        op.f("ix_transactions_currency_date_earliest_id"),
        "transactions",
        ["currency", "date_earliest", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_transactions_currency_id"), "transactions", ["currency", "id"], unique=False)
    op.create_index(
        op.f("ix_transactions_currency_period_earliest_id"),
        "transactions",
        ["currency", "period_earliest", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_transactions_currency_updated_at_id"), "transactions", ["currency", "updated_at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_transactions_currency_value_id"), "transactions", ["currency", "value", "id"], unique=False
    )
    op.create_index(op.f("ix_transactions_date_earliest_id"), "transactions", ["date_earliest", "id"], unique=False)
    op.create_index(
        op.f("ix_transactions_id"),
        "transactions",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'draft'"),
        postgresql_where=sa.text("state = 'draft'"),
    )
    op.create_index(
        op.f("ix_transactions_kind_date_earliest_id"), "transactions", ["kind", "date_earliest", "id"], unique=False
    )
    op.create_index(op.f("ix_transactions_kind_id"), "transactions", ["kind", "id"], unique=False)
    op.create_index(
        op.f("ix_transactions_kind_period_earliest_id"), "transactions", ["kind", "period_earliest", "id"], unique=False
    )
    op.create_index(
        op.f("ix_transactions_kind_updated_at_id"), "transactions", ["kind", "updated_at", "id"], unique=False
    )
    op.create_index(op.f("ix_transactions_kind_value_id"), "transactions", ["kind", "value", "id"], unique=False)
    op.create_index(op.f("ix_transactions_managed_by"), "transactions", ["managed_by"], unique=False)
    op.create_index(op.f("ix_transactions_period_earliest_id"), "transactions", ["period_earliest", "id"], unique=False)
    op.create_index(op.f("ix_transactions_project_id"), "transactions", ["project", "id"], unique=False)
    op.create_index(op.f("ix_transactions_provider"), "transactions", ["provider"], unique=False)
    op.create_index(op.f("ix_transactions_receiver"), "transactions", ["receiver"], unique=False)
    op.create_index(op.f("ix_transactions_updated_at_id"), "transactions", ["updated_at", "id"], unique=False)
    op.create_index(op.f("ix_transactions_value_id"), "transactions", ["value", "id"], unique=False)
    op.create_table(
        "transactions_citations",
        sa.Column("record_id", BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document_id", BYTEWISE, nullable=False),
        sa.Column("paragraph", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name=op.f("fk_transactions_citations_document_id_documents"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["transactions.id"],
            name=op.f("fk_transactions_citations_record_id_transactions"),
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name=op.f("pk_transactions_citations")),
    )
    op.create_index(
        op.f("ix_transactions_citations_document_id_record_id"),
        "transactions_citations",
        ["document_id", "record_id"],
        unique=False,
    )


def downgrade() -> None:
    """Revert the change."""
    op.drop_index(op.f("ix_transactions_citations_document_id_record_id"), table_name="transactions_citations")
    op.drop_table("transactions_citations")
    op.drop_index(op.f("ix_transactions_value_id"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_updated_at_id"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_receiver"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_provider"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_project_id"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_period_earliest_id"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_managed_by"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_kind_value_id"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_kind_updated_at_id"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_kind_period_earliest_id"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_kind_id"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_kind_date_earliest_id"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_id"), table_name="transactions", sqlite_where=sa.text("state = 'draft'"))
    op.drop_index(op.f("ix_transactions_date_earliest_id"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_currency_value_id"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_currency_updated_at_id"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_currency_period_earliest_id"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_currency_id"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_currency_date_earliest_id"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_agreement"), table_name="transactions")
    op.drop_table("transactions")
