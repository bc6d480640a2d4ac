"""Repeat what aggregates need of a figure in the links to its places, in an index of their own."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from migrations.tables import BYTEWISE

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels = None
depends_on = None

COPIED = ("kind", "indicator", "unit", "project", "value", "qualifier")
ADDED: dict[str, Any] = {
    "is_public": sa.Boolean(),
    **dict.fromkeys(("kind", "indicator", "unit", "project"), BYTEWISE),
    "value": sa.Double(),
    "qualifier": BYTEWISE,
    "is_plain": sa.Boolean(),
}


def upgrade() -> None:
    """Apply the change."""
    for name, kind in ADDED.items():
        op.add_column("figures_places", sa.Column(name, kind))
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    high = "CAST(coalesce(figures.body, changes.body) AS json) ->> 'value_high'"
    if not is_postgresql:
        high = "json_extract(coalesce(figures.body, changes.body), '$.value_high')"
    copied = ", ".join(f"{name} = figures.{name}" for name in COPIED)
    op.execute(
        f"UPDATE figures_places SET {copied}, is_public = (figures.state = 'published'),"
        f" is_plain = (figures.value IS NOT NULL AND {high} IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM figures_relations WHERE figures_relations.record_id = figures.id))"
        " FROM figures JOIN changes ON changes.sequence = figures.change WHERE figures.id = figures_places.record_id"
    )
    op.create_index(
        "ix_figures_places_sums",
        "figures_places",
        [
            "place_id",
            "is_public",
            "kind",
            "indicator",
            "unit",
            "project",
            "value",
            "qualifier",
            "is_plain",
            "record_id",
        ],
    )


def downgrade() -> None:
    """Revert the change."""
    op.drop_index("ix_figures_places_sums", "figures_places")
    for name in reversed(ADDED):
        op.drop_column("figures_places", name)
