"""Short forms for the tables of the first migration.

A change here would make new databases differ from those that exist. A later migration states each operation in full, as
`make migration` writes it. It uses only the column types of this module.
"""

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

# Ids, codes, dates, instants and sort keys: text in byte order on both engines.
BYTEWISE = sa.String().with_variant(sa.String(collation="C"), "postgresql")
# The number of a Change. On SQLite, as a primary key it is the rowid.
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


def required_columns(*names: str, kind: Any = BYTEWISE) -> list[sa.Column[Any]]:
    """Return columns of one type that always have a value."""
    return [required(name, kind) for name in names]


def optional(name: str, kind: Any = BYTEWISE, *items: Any) -> sa.Column[Any]:
    """Return a column that may be empty."""
    return sa.Column(name, kind, *items)


def optional_columns(*names: str, kind: Any = BYTEWISE) -> list[sa.Column[Any]]:
    """Return columns of one type that may be empty."""
    return [optional(name, kind) for name in names]


def primary(name: str, kind: Any = BYTEWISE, *items: Any) -> sa.Column[Any]:
    """Return a column of the primary key, without automatic numbers."""
    return sa.Column(name, kind, *items, primary_key=True, autoincrement=False)


def key_to(target: str, **options: Any) -> sa.ForeignKey:
    """Return a foreign key to a column, such as `partners.id`."""
    return sa.ForeignKey(target, **AT_COMMIT, **options)


def link(name: str, table: str) -> sa.Column[Any]:
    """Return an optional column that holds the id of a record of another table."""
    return sa.Column(name, BYTEWISE, key_to(f"{table}.id"), info={"link": True})


def links(**tables: str) -> list[sa.Column[Any]]:
    """Return an optional column for each name, which holds the id of a record of that table."""
    return [link(name, table) for name, table in tables.items()]


def code(name: str, *codes: str, is_required: bool = True) -> sa.Column[Any]:
    """Return a column that holds one of these codes; `Schema.table` adds the check."""
    return sa.Column(name, BYTEWISE, nullable=not is_required, info={"codes": codes})


def date(name: str) -> tuple[sa.Column[Any], sa.Column[Any]]:
    """Return the columns of the first and the last day of a date; `Schema.table` adds the check of their order."""
    return optional(f"{name}_earliest"), optional(f"{name}_latest")


def words(name: str) -> tuple[sa.Column[Any], sa.Column[Any]]:
    """Return the columns of a text: one to sort by, and one to filter by."""
    return required(f"{name}_sort"), required(f"{name}_text", sa.Text())


class Schema:
    """Tables and indexes that are declared first and then created together, so that tables may refer to later ones."""

    def __init__(self) -> None:
        self._tables = sa.MetaData(naming_convention=CONSTRAINT_NAMES)
        self._indexes: list[tuple[str, str, Sequence[str], dict[str, Any]]] = []

    def table(self, name: str, *items: Any) -> None:
        """Declare a table with the checks of its codes and dates."""
        declared = sa.Table(name, self._tables, *items)
        for column in declared.columns:
            field, _, end = column.name.rpartition("_")
            if "codes" in column.info:
                codes = ", ".join(f"'{value}'" for value in column.info["codes"])
                declared.append_constraint(sa.CheckConstraint(f"{column.name} IN ({codes})", name=column.name))
            elif end == "earliest":
                declared.append_constraint(sa.CheckConstraint(f"{field}_earliest <= {field}_latest", name=field))

    def index(self, table: str, *columns: str, name: str | None = None, where: str = "", unique: bool = False) -> None:
        """Declare an index of a table, over the rows that meet the condition `where`."""
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
        others: Sequence[str] = (),
        ends: Sequence[str] = (),
        owners: Sequence[str] = (),
    ) -> None:
        """Declare the table of a resource, and the table of the documents that its records cite.

        With the id as second column, it gets an index for each code and sort of its list, for each sort within each
        code, for the columns `alone`, for the `ends` of dates and for the `owners`, which are links. Every other link
        and the `others` have an index of their own, and the few drafts have one.
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
        links = [column.name for column in columns if "link" in column.info and column.name not in owners]
        indexes: list[tuple[str, ...]] = [(column,) for column in ["managed_by", *links, *others]]
        indexes += [(column, "id") for column in [*codes, *ordered, *alone]]
        # The order matters: of two indexes that serve a query equally well, SQLite uses the one created last.
        for columns_of_index in sorted(indexes):
            self.index(name, *columns_of_index)
        for column in ends:
            self.index(name, column, "id")
        for coded in codes:
            for column in ordered:
                self.index(name, coded, column, "id")
        for column in owners:
            self.index(name, column, "id")
        self.index(name, "id", where="state = 'draft'")
        self._citation_table(name)

    def link_table(self, owner: str, name: str, *columns: sa.Column[Any]) -> None:
        """Declare a table of links of one resource. Its rows are deleted with the record. Each column has an index."""
        self._rows_of(owner, name, *columns)
        for column in sorted(column.name for column in columns):
            self.index(f"{owner}_{name}", column, "record_id")

    def links_to(self, target: str, owner: str, name: str, column: str) -> None:
        """Declare a table of links of one resource to records of another one."""
        self.link_table(owner, name, required(column, BYTEWISE, key_to(f"{target}.id")))

    def _citation_table(self, owner: str) -> None:
        """Declare the table of the documents that records of a resource cite."""
        document = required("document_id", BYTEWISE, key_to("documents.id"))
        self._rows_of(owner, "citations", document, optional("paragraph", sa.Integer()))
        self.index(f"{owner}_citations", "document_id", "record_id")

    def identifier_table(self, owner: str, *, unique: bool = True) -> None:
        """Declare the table of the codes that records of a resource have in other registers."""
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
        """Drop every table, the last one first; on PostgreSQL together with the foreign keys that refer to it."""
        cascade = " CASCADE" if op.get_bind().dialect.name == "postgresql" else ""
        for name in reversed(list(self._tables.tables)):
            op.execute(f"DROP TABLE {name}{cascade}")


def create_search_terms(*, stores_terms: bool = False) -> None:
    """Create the table of the search terms: an FTS5 table on SQLite, a table with a GIN index on PostgreSQL.

    FTS5 removes a row only if it has its terms: it stores them, or receives them again.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE TABLE search_terms (rowid bigint PRIMARY KEY, terms tsvector NOT NULL)")
        # Each search reads the list of pending entries, so it is short. It exists because it speeds up bulk loads.
        op.execute(
            "CREATE INDEX ix_search_terms_terms ON search_terms USING gin (terms) WITH (gin_pending_list_limit = 1024)"
        )
    else:
        without_content = "" if stores_terms else "content='', "
        op.execute(
            "CREATE VIRTUAL TABLE search_terms"
            f" USING fts5(terms, {without_content}detail=none, columnsize=0, tokenize='ascii')"
        )
        # With small pages, a search for a rare and a frequent word skips most records of the frequent one.
        op.execute("INSERT INTO search_terms (search_terms, rank) VALUES ('pgsz', 512)")


def drop_check(table: str, constraint: str) -> None:
    """Drop a check of a table. Existing rows are not touched.

    SQLite before 3.53 has no statement for it, and copying the table would delete every link to its records. Its
    documentation (ALTER TABLE, "Making Other Kinds Of Table Schema Changes") recommends to edit the stored schema.
    """
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.drop_constraint(op.f(constraint), table)
        return
    query = sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name")
    sql = connection.execute(query, {"name": table}).scalar_one()
    edited, count = re.subn(rf",\s*CONSTRAINT {constraint} CHECK \([^()]*\([^()]*\)\)", "", sql)
    if count != 1:
        raise RuntimeError(f"{constraint} is not in the schema of {table}.")
    version = connection.execute(sa.text("PRAGMA schema_version")).scalar_one()
    connection.execute(sa.text("PRAGMA writable_schema = ON"))
    update = sa.text("UPDATE sqlite_master SET sql = :sql WHERE type = 'table' AND name = :name")
    connection.execute(update, {"sql": edited, "name": table})
    connection.execute(sa.text(f"PRAGMA schema_version = {version + 1}"))  # other connections read the schema again
    connection.execute(sa.text("PRAGMA writable_schema = RESET"))  # and so does this one
