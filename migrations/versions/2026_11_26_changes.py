"""What everyone sees of a Change, and a chain that can be verified by those who may not see every Change.

Until now the chain ran over the fields of each row; it is counted anew over one digest for each. Representations that
were hashed without a salt stay so. Without batch mode: it would make the table anew, which every record refers to.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "20261126_changes"
down_revision: str | None = "20261125_keys"
branch_labels = None
depends_on = None

FIELDS = ("at", "actor", "action", "resource", "record_id", "version")
CHANGES = sa.table("changes", *[sa.column(name) for name in ("sequence", *FIELDS, "digest", "shown", "body", "chain")])
ACTIONS = "'create', 'update', 'delete', 'redact'"
SHOWN = {(True, True): "update", (True, False): "delete", (False, True): "create", (False, False): None}
CHUNK = 1_000


def upgrade() -> None:
    """Add the columns and fill them."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    text, sequence = ('VARCHAR COLLATE "C"', "BIGINT") if postgresql else ("VARCHAR", "INTEGER")
    op.execute(f"ALTER TABLE changes ADD COLUMN shown {text} CONSTRAINT ck_changes_shown CHECK (shown IN ({ACTIONS}))")
    op.execute(f"ALTER TABLE changes ADD COLUMN salt {text}")
    op.execute(f"ALTER TABLE changes ADD COLUMN redacted {sequence}")
    _rewrite(lambda row: row.digest, lambda chain, row, lines: f"{chain}\n{row.sequence}\n{_sha256(lines)}")


def downgrade() -> None:
    """Count the chain as it was, and take the columns away; the check goes with its column.

    A salted digest says nothing without its salt: it is made anew.
    """
    _rewrite(lambda row: _sha256(row.body), lambda chain, row, lines: f"{chain}\n{row.sequence}\n{lines}")
    for column in ("redacted", "salt", "shown"):
        op.execute(f"ALTER TABLE changes DROP COLUMN {column}")


def _rewrite(digest: Callable[[Any], str], link: Callable[[str, Any, str], str]) -> None:
    """Fill what follows from the rows before: what was shown, the digest and the chain."""
    connection, after, chain = op.get_bind(), 0, ""
    public: dict[tuple[str, str], bool] = {}
    filled: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in ("digest", "shown", "chain")}
    update = sa.update(CHANGES).where(CHANGES.c.sequence == sa.bindparam("key")).values(filled)
    while True:
        query = sa.select(CHANGES).where(CHANGES.c.sequence > after).order_by(CHANGES.c.sequence).limit(CHUNK)
        rows = connection.execute(query).all()
        if not rows:
            return
        values = []
        for row in rows:
            record = (row.resource, row.record_id)
            is_public = row.action != "delete" and json.loads(row.body)["state"] == "published"
            shown = SHOWN[public.get(record, False), is_public]
            public[record] = is_public
            found = digest(row)
            lines = "\n".join([*(str(getattr(row, name)) for name in FIELDS), found])
            chain = _sha256(link(chain, row, lines))
            values.append({"key": row.sequence, "new_digest": found, "new_shown": shown, "new_chain": chain})
        connection.execute(update, values)
        after = rows[-1].sequence


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
