"""What belongs to a project or agreement comes out of the index in its order: SQLite sorted it, bodies and all."""

from alembic import op

revision: str = "20261201_children_in_order"
down_revision: str | None = "20261130_mirrors"
branch_labels = None
depends_on = None

TABLES = ("milestones", "statements", "figures")
OWNERS = ("project", "agreement")


def upgrade() -> None:
    """Put the id behind the owner."""
    for table in TABLES:
        for owner in OWNERS:
            op.drop_index(f"ix_{table}_{owner}", table_name=table)
            op.create_index(f"ix_{table}_{owner}_id", table, [owner, "id"])


def downgrade() -> None:
    """Index the owner alone."""
    for table in TABLES:
        for owner in OWNERS:
            op.drop_index(f"ix_{table}_{owner}_id", table_name=table)
            op.create_index(f"ix_{table}_{owner}", table, [owner])
