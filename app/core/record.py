"""What every record has in common: accepted fields, shown fields, its table row, and its links to other records."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Annotated, Any

from pydantic import ConfigDict, StringConstraints
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    event,
    text,
)
from sqlmodel import Field, SQLModel

from app.core.codelists import Code, CodeList
from app.core.dates import Edtf
from app.core.evidence import Citation, Identifier, Voice
from app.core.names import PartnerId
from app.core.text import Slug, fold, main_text, sort_key

# Constraints are named alike on both engines, so that migrations can speak of them.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# The number of the present rendering of records: raise it when what a record shows changes; migrate renders again.
RENDERING = 1

# Ids, codes, dates, instants and sort keys: text in byte order, alike on both engines (SQLite's default is byte order).
BYTEWISE = String().with_variant(String(collation="C"), "postgresql")

# The number of a Change: on SQLite this makes it the row's own number, found without an index.
SEQUENCE = BigInteger().with_variant(Integer, "sqlite")

STATE = CodeList(
    "state",
    "Whether a record is public.",
    {"published": Code("Published", "Đã công bố"), "draft": Code("Draft", "Bản nháp")},
)

Instant = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")]


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


class RecordFields(SQLModel):
    """What a writer says of any record."""

    model_config = ConfigDict(extra="forbid", defer_build=True)  # type: ignore[assignment]

    managed_by: PartnerId | None = Field(default=None, description="Id of the partner that keeps this record, if any.")
    state: Annotated[str, STATE] = Field(default="published", description="published, or draft.")
    citations: list[Citation] = Field(default=[], max_length=200, description="The evidence it rests on.")

    def links(self) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Rows of the link tables that follow from this record, in order."""
        yield from ()

    def inferred_fields(self) -> list[str]:
        """Fields whose only support is inferred."""
        support: dict[str, set[str]] = {}
        for citation in self.citations:
            for field in citation.supports:
                support.setdefault(field, set()).add(citation.basis)
        return sorted(field for field, bases in support.items() if bases == {"inferred"})


class Record(SQLModel):
    """What the registry adds to what the writer said."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True, defer_build=True)  # type: ignore[assignment]

    resource: Any = Field(description="The resource's plural name, as in the URL.")
    id: Slug = Field(description="Stable readable id; never renamed, never reused.")
    version: int = Field(ge=1, description="1 when created, one more with each change.")
    created_at: Instant = Field(description="When it was first recorded here (RFC 3339, UTC).")
    updated_at: Instant = Field(description="When it last changed here (RFC 3339, UTC).")
    inferred: list[str] = Field(description="Fields whose only support is inferred from context, not stated.")


class Row(SQLModel):
    """The columns every resource's table has; tables do not validate, so only core builds them from valid fields."""

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


def only_where(condition: str) -> dict[str, Any]:
    """What makes an index a partial one. It is so on PostgreSQL too, but that stands in the migration alone.

    To say it here would load the dialect of PostgreSQL, some megabytes, also where the database is SQLite.
    """
    return {"sqlite_where": text(condition)}


def list_indexes(*, codes: Sequence[str], sorts: Sequence[str], alone: Sequence[str] = ()) -> Iterator[Index]:
    """The indexes of a list: each code and sort by itself, and each sort within each code, all of them with the id.

    So a list of one code comes in its order out of one index; SQLite would else sort all records of that code. For
    `alone` that is not worth an index. One more holds the drafts, which are few.
    """
    ordered = [*sorts, "updated_at"]
    yield Index(None, "id", **only_where("state = 'draft'"))
    for column in [*codes, *ordered, *alone]:
        yield Index(None, column, "id")
    for code in codes:
        yield from (Index(None, code, column, "id") for column in ordered)


def in_codes(column: str, codes: CodeList) -> CheckConstraint:
    """A check that a column holds one of the list's codes."""
    listed = ", ".join(f"'{code}'" for code in codes.codes)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def refers_to(column: str, table: str, **kwargs: Any) -> Column[Any]:
    """A column of a link table that names a record of another table."""
    return Column(column, BYTEWISE, ForeignKey(f"{table}.id"), nullable=False, **kwargs)


def link_table(owner: str, name: str, *columns: Column[Any]) -> Table:
    """A table of one resource's links, in the writer's order; it goes and comes with the record."""
    return Table(
        f"{owner}_{name}",
        SQLModel.metadata,
        Column("record_id", BYTEWISE, ForeignKey(f"{owner}.id", ondelete="CASCADE"), primary_key=True),
        Column("position", Integer, primary_key=True, autoincrement=False),
        *columns,
        *(Index(None, column.name, "record_id") for column in columns if column.index is not False),
    )


def citation_table(owner: str) -> Table:
    """The citations of a resource."""
    return link_table(
        owner, "citations", refers_to("document_id", "documents"), Column("paragraph", Integer, index=False)
    )


def identifier_table(owner: str, *, unique: bool = True) -> Table:
    """The codes that other registers give to a resource's records; most registers give a code once."""
    table = link_table(
        owner, "identifiers", Column("scheme", BYTEWISE, index=False), Column("value", BYTEWISE, index=False)
    )
    Index(f"{'uq' if unique else 'ix'}_{table.name}_scheme_value", table.c.scheme, table.c.value, unique=unique)
    return table


class Identified(SQLModel):
    """Fields of resources that other registers know too."""

    identifiers: list[Identifier] = Field(default=[], max_length=100, description="Codes given by other registers.")


def column_values(table: type[Row], fields: RecordFields) -> dict[str, Any]:
    """The typed columns of a record, by the convention of their names.

    `x`: the field x; `x_earliest`, `x_latest`: the ends of the date x (0001/9999 where open); `x_sort`: x in
    dictionary order; `x_text`: x folded for text filters; `x_id`: the partner of the voice x.
    """
    values: dict[str, Any] = {}
    for column, field, read in _columns(table, type(fields)):
        value = getattr(fields, field)
        values[column] = read(value, fields) if read else value
    return values


@cache
def _columns(table: type[Row], fields: type[RecordFields]) -> list[tuple[str, str, "Form | None"]]:
    """Each column that a writer's fields fill, the field, and how it is read."""
    found: list[tuple[str, str, Form | None]] = []
    for column in [each.name for each in table.__table__.columns]:  # type: ignore[attr-defined]
        if column in Row.model_fields and column not in RecordFields.model_fields:
            continue
        field, _, form = column.rpartition("_")
        read = _FORMS.get(form)
        plain = read is None or column in fields.model_fields
        found.append((column, column, None) if plain else (column, field, read))
    return found


def first_day(value: Edtf | None, _: RecordFields | None = None) -> str | None:
    """The first day of a date as a column holds it."""
    return None if value is None else value.span.days()[0]


def _latest(value: Edtf | None, _: RecordFields) -> str | None:
    return None if value is None else value.span.days()[1]


def _sort(value: dict[str, str], _: RecordFields) -> str:
    return sort_key(main_text(value))


def _text(value: dict[str, str], fields: RecordFields) -> str:
    also = [getattr(fields, "abbreviation", None), *getattr(fields, "aliases", [])]
    return " | ".join(fold(text) for text in [*value.values(), *also] if text)


def _id(value: Voice | None, _: RecordFields) -> str | None:
    return value.partner if value else None


Form = Callable[[Any, RecordFields], str | None]
_FORMS: dict[str, Form] = {
    "earliest": first_day,
    "latest": _latest,
    "sort": _sort,
    "text": _text,
    "id": _id,
}
