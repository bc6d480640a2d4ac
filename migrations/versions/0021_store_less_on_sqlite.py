"""Store the dictionary with which the terms of records are compressed, and link tables as their primary keys."""

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels = None
depends_on = None

# `hoptac migrate` makes the dictionary afterwards.

WITHOUT_ROWID = " WITHOUT ROWID"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("search_state", sa.Column("dictionary_id", sa.BigInteger(), nullable=True))
    op.add_column("search_state", sa.Column("dictionary", sa.LargeBinary(), nullable=True))
    for table, sql in _link_tables():
        _copy(table, sql + WITHOUT_ROWID)


def downgrade() -> None:
    """Revert the change."""
    for table, sql in _link_tables():
        _copy(table, sql.removesuffix(WITHOUT_ROWID))
    op.drop_column("search_state", "dictionary")
    op.drop_column("search_state", "dictionary_id")


def _link_tables() -> list[tuple[str, str]]:
    """Return the names of the link tables on SQLite, and the statements that created them."""
    if op.get_bind().dialect.name != "sqlite":
        return []
    query = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql LIKE '%PRIMARY KEY (record_id, position)%'"
    )
    return [(name, sql) for name, sql in op.get_bind().exec_driver_sql(query)]


def _copy(table: str, sql: str) -> None:
    """Replace a table by a copy that this statement creates. No other table refers to its rows."""
    connection = op.get_bind()
    of_table = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL ORDER BY rowid"
    indexes = connection.exec_driver_sql(of_table, (table,)).scalars().all()
    op.execute(f"ALTER TABLE {table} RENAME TO replaced")
    for statement in (sql, f"INSERT INTO {table} SELECT * FROM replaced ORDER BY record_id, position"):
        op.execute(sa.text(statement.replace(":", r"\:")))
    op.execute("DROP TABLE replaced")
    for index in indexes:
        op.execute(sa.text(index.replace(":", r"\:")))
