"""The few drafts of each resource can be told without a look at every record."""

import sqlalchemy as sa
from alembic import op

revision: str = "20261202_drafts"
down_revision: str | None = "20261201_children_in_order"
branch_labels = None
depends_on = None

TABLES = (
    "agreements",
    "documents",
    "figures",
    "indicators",
    "milestones",
    "partners",
    "places",
    "projects",
    "statements",
)
DRAFT = sa.text("state = 'draft'")


def upgrade() -> None:
    """Index them."""
    for table in TABLES:
        op.create_index(f"ix_{table}_id", table, ["id"], sqlite_where=DRAFT, postgresql_where=DRAFT)


def downgrade() -> None:
    """Drop the indexes."""
    for table in TABLES:
        op.drop_index(f"ix_{table}_id", table_name=table)
