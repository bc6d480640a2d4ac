"""Column types and constraints of all tables, with the same meaning on both engines."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Integer, MetaData, String, Table, event, text
from sqlmodel import SQLModel

from app.core.values.codelists import Code, CodeList

# Constraints have the same names on both engines, so that migrations can refer to them.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# Ids, codes, dates, instants and sort keys: text in byte order, which is the default of SQLite.
BYTEWISE = String().with_variant(String(collation="C"), "postgresql")

# The sequence number of a Change. On SQLite an INTEGER primary key is the rowid and needs no index.
SEQUENCE = BigInteger().with_variant(Integer, "sqlite")

STATE = CodeList(
    "state",
    "Whether a record is public. `published`: everybody can read it. `draft`: only keys that may write it can read it.",
    {"published": Code("Published", "Đã công bố"), "draft": Code("Draft", "Bản nháp")},
)


@event.listens_for(Table, "after_parent_attach")
def _constrain(table: Table, metadata: MetaData) -> None:
    """Add the constraints of every table.

    Foreign keys are checked at commit, so that records of one transaction may refer to each other in any order. A
    state is one of the codes, and no date ends before it starts.
    """
    if metadata is not SQLModel.metadata:  # migrations state their constraints themselves
        return
    for constraint in table.foreign_key_constraints:
        constraint.deferrable = True
        constraint.initially = "DEFERRED"
    if "rendering" in table.c and "state" in table.c:
        table.append_constraint(in_codes("state", STATE))
    for column in table.columns:
        date, _, end = column.name.rpartition("_")
        if end == "earliest":
            table.append_constraint(CheckConstraint(f"{date}_earliest <= {date}_latest", name=date))


def only_where(condition: str) -> dict[str, Any]:
    """Return the arguments for a partial index on SQLite. For PostgreSQL the migration states the condition.

    `postgresql_where` would load the dialect of PostgreSQL, some megabytes, even if the database is SQLite.
    """
    return {"sqlite_where": text(condition)}


def in_codes(column: str, codes: CodeList) -> CheckConstraint:
    """Return the constraint that a column contains one of the codes."""
    listed = ", ".join(f"'{code}'" for code in codes.codes)
    return CheckConstraint(f"{column} IN ({listed})", name=column)
