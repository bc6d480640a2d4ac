"""When partners existed, in columns, since the audit looks for those that are no more; ends that a timeline runs along.

Without batch mode: it would make the table anew, and to drop the old one takes along every link to a partner.
"""

from alembic import op

revision: str = "20261122_partner_periods"
down_revision: str | None = "20261122_registry"
branch_labels = None
depends_on = None


ENDS = {
    "partners": "period_latest",
    "milestones": "date_latest",
    "statements": "due_latest",
    "agreements": "period_latest",
}


def upgrade() -> None:
    """Add the columns; `hoptac migrate` fills them when it renders the partners anew."""
    kind = 'VARCHAR COLLATE "C"' if op.get_bind().dialect.name == "postgresql" else "VARCHAR"
    rule = "CONSTRAINT ck_partners_period CHECK (period_earliest <= period_latest)"
    op.execute(f"ALTER TABLE partners ADD COLUMN period_earliest {kind}")
    op.execute(f"ALTER TABLE partners ADD COLUMN period_latest {kind} {rule}")
    for table, column in ENDS.items():
        op.create_index(f"ix_{table}_{column}_id", table, [column, "id"])
    op.execute("UPDATE partners SET rendering = 0")


def downgrade() -> None:
    """Take them away; the check goes with its column."""
    for table, column in ENDS.items():
        op.drop_index(f"ix_{table}_{column}_id", table_name=table)
    op.execute("ALTER TABLE partners DROP COLUMN period_latest")
    op.execute("ALTER TABLE partners DROP COLUMN period_earliest")
