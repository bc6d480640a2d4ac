"""The tables of a resource: columns of every record, link tables and indexes."""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ConfigDict
from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text
from sqlmodel import Field, SQLModel

from app.core.database.tables import BYTEWISE, SEQUENCE, only_where


class RecordRow(SQLModel):
    """The columns of every resource's table.

    SQLModel does not validate tables. Rows are therefore written only by `app.core`, from validated fields.
    """

    model_config = ConfigDict(defer_build=True)  # type: ignore[assignment]

    id: str = Field(sa_type=BYTEWISE, primary_key=True)
    version: int = Field(sa_type=Integer)
    created_at: str = Field(sa_type=BYTEWISE)
    updated_at: str = Field(sa_type=BYTEWISE)
    managed_by: str | None = Field(sa_type=BYTEWISE, foreign_key="partners.id", index=True)
    state: str = Field(sa_type=BYTEWISE)
    change: int = Field(sa_type=SEQUENCE, foreign_key="changes.sequence", unique=True)
    rendering: int = Field(sa_type=Integer)
    body: str | None = Field(default=None, sa_type=Text)


def list_indexes(*, codes: Sequence[str], sorts: Sequence[str], alone: Sequence[str] = ()) -> Iterator[Index]:
    """Yield the indexes of a list: on each code, on each sort and on each pair of both, always with the id.

    With the pairs, a list that is filtered by one code is read from an index in its order. Without them, SQLite would
    sort all records with that code. The columns in `alone` are indexed without pairs. Drafts have a partial index.
    """
    ordered = [*sorts, "updated_at"]
    yield Index(None, "id", **only_where("state = 'draft'"))
    for column in [*codes, *ordered, *alone]:
        yield Index(None, column, "id")
    for code in codes:
        yield from (Index(None, code, column, "id") for column in ordered)


def refers_to(column: str, table: str, **kwargs: Any) -> Column[Any]:
    """Return a column of a link table that refers to a record of another table."""
    return Column(column, BYTEWISE, ForeignKey(f"{table}.id"), nullable=False, **kwargs)


def link_table(owner: str, name: str, *columns: Column[Any]) -> Table:
    """Return a link table. Its rows keep the order of the writer and are deleted with their record.

    On SQLite it has no rowid, so that the table is the index of its primary key, and not a second copy of it.
    """
    return Table(
        f"{owner}_{name}",
        SQLModel.metadata,
        Column("record_id", BYTEWISE, ForeignKey(f"{owner}.id", ondelete="CASCADE"), primary_key=True),
        Column("position", Integer, primary_key=True, autoincrement=False),
        *columns,
        *(Index(None, column.name, "record_id") for column in columns if column.index is not False),
        sqlite_with_rowid=False,
    )


def citation_table(owner: str) -> Table:
    """Return the table of a resource's citations."""
    return link_table(
        owner, "citations", refers_to("document_id", "documents"), Column("paragraph", Integer, index=False)
    )


def identifier_table(owner: str, *, unique: bool = True) -> Table:
    """Return the table of a resource's codes in other registers; with `unique` no two records share a code."""
    table = link_table(
        owner, "identifiers", Column("scheme", BYTEWISE, index=False), Column("value", BYTEWISE, index=False)
    )
    Index(f"{'uq' if unique else 'ix'}_{table.name}_scheme_value", table.c.scheme, table.c.value, unique=unique)
    return table
