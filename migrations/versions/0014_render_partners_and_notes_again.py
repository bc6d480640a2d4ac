"""Render partners and citation notes again.

Partners have links to their pages, and notes are language maps. No table changes: `hoptac migrate` renders the stored
records again (`RENDERING`). Without a revision a server would start before that was done.
"""

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change no table."""


def downgrade() -> None:
    """Change no table."""
