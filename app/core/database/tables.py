"""Column types and constraints that every table shares, alike on both engines."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Integer, MetaData, String, Table, event, text
from sqlmodel import SQLModel

from app.core.values.codelists import Code, CodeList

# Constraints are named alike on both engines, so that migrations can speak of them.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# Ids, codes, dates, instants and sort keys: text in byte order, alike on both engines (SQLite's default is byte order).
BYTEWISE = String().with_variant(String(collation="C"), "postgresql")

# The number of a Change: on SQLite this makes it the row's own number, found without an index.
SEQUENCE = BigInteger().with_variant(Integer, "sqlite")

STATE = CodeList(
    "state",
    "Whether a record is public.",
    {"published": Code("Published", "Đã công bố"), "draft": Code("Draft", "Bản nháp")},
)


@event.listens_for(Table, "after_parent_attach")
def _constrain(table: Table, metadata: MetaData) -> None:
    """What holds for every table: links are checked at commit, so that records of one transaction may refer to each
    other in any order; a record has one of the known states; no date ends before it begins.
    """
    if metadata is not SQLModel.metadata:  # a migration spells out its own
        return
    for constraint in table.foreign_key_constraints:
        constraint.deferrable, constraint.initially = True, "DEFERRED"
    if "rendering" in table.c and "state" in table.c:
        table.append_constraint(in_codes("state", STATE))
    for column in table.columns:
        date, _, end = column.name.rpartition("_")
        if end == "earliest":
            table.append_constraint(CheckConstraint(f"{date}_earliest <= {date}_latest", name=date))


def only_where(condition: str) -> dict[str, Any]:
    """What makes an index a partial one. It is so on PostgreSQL too, but that stands in the migration alone.

    To say it here would load the dialect of PostgreSQL, some megabytes, also where the database is SQLite.
    """
    return {"sqlite_where": text(condition)}


def in_codes(column: str, codes: CodeList) -> CheckConstraint:
    """A check that a column holds one of the list's codes."""
    listed = ", ".join(f"'{code}'" for code in codes.codes)
    return CheckConstraint(f"{column} IN ({listed})", name=column)
