"""An index for each sort of a list within each of its codes: SQLite sorted all records of the code."""

from alembic import op

revision: str = "20261124_list_indexes"
down_revision: str | None = "20261123_search"
branch_labels = None
depends_on = None

INDEXES = {
    "agreements": [
        ("kind", "title_sort", "id"),
        ("kind", "signed_on_earliest", "id"),
        ("kind", "period_earliest", "id"),
        ("kind", "updated_at", "id"),
        ("status", "title_sort", "id"),
        ("status", "signed_on_earliest", "id"),
        ("status", "period_earliest", "id"),
        ("status", "updated_at", "id"),
    ],
    "documents": [
        ("kind", "title_sort", "id"),
        ("kind", "published_on_earliest", "id"),
        ("kind", "updated_at", "id"),
        ("status", "title_sort", "id"),
        ("status", "published_on_earliest", "id"),
        ("status", "updated_at", "id"),
    ],
    "milestones": [
        ("kind", "date_earliest", "id"),
        ("kind", "updated_at", "id"),
        ("status", "date_earliest", "id"),
        ("status", "updated_at", "id"),
    ],
    "partners": [("kind", "name_sort", "id"), ("kind", "updated_at", "id")],
    "places": [("level", "name_sort", "id"), ("level", "updated_at", "id")],
    "projects": [
        ("kind", "title_sort", "id"),
        ("kind", "period_earliest", "id"),
        ("kind", "period_latest", "id"),
        ("kind", "updated_at", "id"),
        ("status", "title_sort", "id"),
        ("status", "period_earliest", "id"),
        ("status", "period_latest", "id"),
        ("status", "updated_at", "id"),
    ],
    "statements": [("kind", "due_earliest", "id"), ("kind", "updated_at", "id")],
    "indicators": [("unit", "name_sort", "id"), ("unit", "updated_at", "id")],
    "figures": [
        ("kind", "value", "id"),
        ("kind", "period_earliest", "id"),
        ("kind", "updated_at", "id"),
        ("indicator", "value", "id"),
        ("indicator", "period_earliest", "id"),
        ("indicator", "updated_at", "id"),
    ],
}


def upgrade() -> None:
    """Make them."""
    for table, indexes in INDEXES.items():
        for columns in indexes:
            op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def downgrade() -> None:
    """Drop them."""
    for table, indexes in INDEXES.items():
        for columns in indexes:
            op.drop_index(f"ix_{table}_{'_'.join(columns)}", table_name=table)
