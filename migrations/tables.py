"""Short forms for what the tables of the first migration have in common.

They are the schema as it was then: a change here would change databases that exist. A later migration spells out
what it does, as `make migration` writes it; of this module it uses only the types.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

# Ids, codes, dates, instants and sort keys: text in byte order on both engines.
BYTEWISE = sa.String().with_variant(sa.String(collation="C"), "postgresql")
# The number of a Change: on SQLite this makes it the number of the row.
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Foreign keys are checked at commit, so that records of one transaction may refer to each other in any order.
AT_COMMIT: Any = {"deferrable": True, "initially": "DEFERRED"}
CONSTRAINT_NAMES = {
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def required(name: str, kind: Any = BYTEWISE, *items: Any, **options: Any) -> sa.Column[Any]:
    """Return a column that always has a value."""
    return sa.Column(name, kind, *items, nullable=False, **options)


def optional(name: str, kind: Any = BYTEWISE, *items: Any) -> sa.Column[Any]:
    """Return a column that may be empty."""
    return sa.Column(name, kind, *items)


def primary(name: str, kind: Any = BYTEWISE, *items: Any) -> sa.Column[Any]:
    """Return a column of the primary key; nothing counts it up."""
    return sa.Column(name, kind, *items, primary_key=True, autoincrement=False)


def key_to(target: str, **options: Any) -> sa.ForeignKey:
    """Return a foreign key to a column, such as `partners.id`."""
    return sa.ForeignKey(target, **AT_COMMIT, **options)


def link(name: str, table: str) -> sa.Column[Any]:
    """Return an optional column that holds the id of a record of another table."""
    return optional(name, BYTEWISE, key_to(f"{table}.id"))


def code(name: str, *codes: str, is_required: bool = True) -> sa.Column[Any]:
    """Return a column that holds one of these codes; the table gets the check."""
    return sa.Column(name, BYTEWISE, nullable=not is_required, info={"codes": codes})


def date(name: str) -> tuple[sa.Column[Any], sa.Column[Any]]:
    """Return the columns of the first and the last day of a date; the table gets the check of their order."""
    return optional(f"{name}_earliest"), optional(f"{name}_latest")


def words(name: str) -> tuple[sa.Column[Any], sa.Column[Any]]:
    """Return the columns of a text: one to sort by, and one to filter by."""
    return required(f"{name}_sort"), required(f"{name}_text", sa.Text())


class Schema:
    """Tables and indexes that are declared first and then created together, whatever refers to what."""

    def __init__(self) -> None:
        self._tables = sa.MetaData(naming_convention=CONSTRAINT_NAMES)
        self._indexes: list[tuple[str, str, Sequence[str], dict[str, Any]]] = []

    def table(self, name: str, *items: Any) -> None:
        """Declare a table, with the checks of its codes and dates."""
        declared = sa.Table(name, self._tables, *items)
        for column in declared.columns:
            field, _, end = column.name.rpartition("_")
            if "codes" in column.info:
                codes = ", ".join(f"'{value}'" for value in column.info["codes"])
                declared.append_constraint(sa.CheckConstraint(f"{column.name} IN ({codes})", name=column.name))
            elif end == "earliest":
                declared.append_constraint(sa.CheckConstraint(f"{field}_earliest <= {field}_latest", name=field))

    def index(self, table: str, *columns: str, name: str | None = None, where: str = "", unique: bool = False) -> None:
        """Declare an index of a table, over those rows that meet the condition."""
        name = name or f"{'uq' if unique else 'ix'}_{table}_{'_'.join(columns)}"
        options: dict[str, Any] = {"unique": unique}
        if where:
            options |= {"sqlite_where": sa.text(where), "postgresql_where": sa.text(where)}
        self._indexes.append((name, table, columns, options))

    def record_table(
        self,
        name: str,
        *columns: sa.Column[Any],
        codes: Sequence[str] = (),
        sorts: Sequence[str] = (),
        alone: Sequence[str] = (),
        links: Sequence[str] = (),
        ends: Sequence[str] = (),
        owners: Sequence[str] = (),
    ) -> None:
        """Declare the table of a resource.

        It gets an index for each code and sort of its list, for each sort within each code, for the columns `alone`,
        the `ends` of dates and the `owners` (all of them with the id), for each of the `links`, and for its drafts,
        which are few.
        """
        self.table(
            name,
            primary("id"),
            required("version", sa.Integer()),
            required("created_at"),
            required("updated_at"),
            link("managed_by", "partners"),
            code("state", "published", "draft"),
            required("change", SEQUENCE, key_to("changes.sequence"), unique=True),
            required("rendering", sa.Integer()),
            optional("body", sa.Text()),
            *columns,
        )
        ordered = [*sorts, "updated_at"]
        with_id = [(column, "id") for column in [*codes, *ordered, *alone]]
        # The order counts: of two indexes that serve a query equally well, SQLite takes the one made last.
        for columns_of_index in sorted([("managed_by",), *((column,) for column in links), *with_id]):
            self.index(name, *columns_of_index)
        for column in ends:
            self.index(name, column, "id")
        for coded in codes:
            for column in ordered:
                self.index(name, coded, column, "id")
        for column in owners:
            self.index(name, column, "id")
        self.index(name, "id", where="state = 'draft'")

    def link_table(self, owner: str, name: str, *columns: sa.Column[Any]) -> None:
        """Declare a table of links of one resource, which come and go with the record; each column gets an index."""
        self._rows_of(owner, name, *columns)
        for column in sorted(column.name for column in columns):
            self.index(f"{owner}_{name}", column, "record_id")

    def links_to(self, target: str, owner: str, name: str, column: str) -> None:
        """Declare a table of links of one resource to records of another one."""
        self.link_table(owner, name, required(column, BYTEWISE, key_to(f"{target}.id")))

    def citation_table(self, owner: str) -> None:
        """Declare the table of the documents that records of a resource cite."""
        document = required("document_id", BYTEWISE, key_to("documents.id"))
        self._rows_of(owner, "citations", document, optional("paragraph", sa.Integer()))
        self.index(f"{owner}_citations", "document_id", "record_id")

    def identifier_table(self, owner: str, *, unique: bool = True) -> None:
        """Declare the table of the codes that other registers give to records of a resource."""
        self._rows_of(owner, "identifiers", optional("scheme"), optional("value"))
        self.index(f"{owner}_identifiers", "scheme", "value", unique=unique)

    def _rows_of(self, owner: str, name: str, *columns: sa.Column[Any]) -> None:
        record = primary("record_id", BYTEWISE, key_to(f"{owner}.id", ondelete="CASCADE"))
        self.table(f"{owner}_{name}", record, primary("position", sa.Integer()), *columns)

    def create(self) -> None:
        """Create every table, then every index in the order of its declaration."""
        self._tables.create_all(op.get_bind(), checkfirst=False)
        for name, table, columns, options in self._indexes:
            op.create_index(name, table, list(columns), **options)

    def drop(self) -> None:
        """Drop every table, the last one first; PostgreSQL lets a table go only without the keys to it."""
        cascade = " CASCADE" if op.get_bind().dialect.name == "postgresql" else ""
        for name in reversed(list(self._tables.tables)):
            op.execute(f"DROP TABLE {name}{cascade}")
