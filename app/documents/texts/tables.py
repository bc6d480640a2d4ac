"""The tables with the texts of documents, and the number that counts their changes."""

from typing import Any

from sqlalchemy import Column, Connection, ForeignKey, Integer, Table, Text, bindparam, delete, insert, select, update
from sqlmodel import Field, SQLModel

from app.core.database.statements import Query, Read
from app.core.database.tables import BYTEWISE, in_codes
from app.core.maintenance.redact import REMOVED_BY
from app.core.maintenance.redact import TEXTS as REDACTED_TEXTS
from app.core.values.codelists import Code, CodeList

TEXT_TERMS = CodeList(
    "text_terms",
    "Which paragraphs of a stored text everyone may read. "
    "`full`: all of them. "
    "`cited_paragraphs`: those that a public record cites. "
    "`nobody`: none; the text only proves that the quoted words are in it.",
    {
        "full": Code("All paragraphs", "Mọi đoạn"),
        "cited_paragraphs": Code("Cited paragraphs only", "Chỉ các đoạn được dẫn"),
        "nobody": Code("No paragraph", "Không đoạn nào"),
    },
)


class DocumentText(SQLModel, table=True):
    """A text that the registry holds. It counts only as long as its document states the same `sha256`."""

    __tablename__ = "texts"
    __table_args__ = (in_codes("shown", TEXT_TERMS),)

    document_id: str = Field(
        sa_column=Column(BYTEWISE, ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    )
    sha256: str = Field(sa_type=BYTEWISE)
    paragraphs: int = Field(sa_type=Integer)
    shown: str = Field(sa_type=BYTEWISE)
    stored_at: str = Field(sa_type=BYTEWISE)


class TextState(SQLModel, table=True):
    """One row with the number of changes of all texts. Responses that depend on a text have it in their ETag."""

    __tablename__ = "text_state"

    id: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    changes: int = Field(sa_type=Integer)


TEXTS: Table = SQLModel.metadata.tables["texts"]
TEXT_STATE: Table = SQLModel.metadata.tables["text_state"]

_STATE = Query(select(TEXT_STATE.c.changes), alone=True)
_NEXT_STATE = update(TEXT_STATE).values(changes=TEXT_STATE.c.changes + 1)


def read_text_state() -> Read:
    """Read a number that differs after each change of a text, which is no Change of a record."""
    rows = yield _STATE, {}
    return rows[0][0] if rows else 0


def count_change(connection: Connection) -> None:
    """Count a change of a text."""
    if not connection.execute(_NEXT_STATE).rowcount:
        connection.execute(insert(TEXT_STATE), {"id": 1, "changes": 1})


def remove_text(connection: Connection, document_id: str) -> bool:
    """Remove the text of a document with its paragraphs. Return whether there was one."""
    removed = connection.execute(delete(TEXTS).where(TEXTS.c.document_id == bindparam("key")), {"key": document_id})
    if removed.rowcount:
        count_change(connection)
    return bool(removed.rowcount)


def _forget(connection: Connection, row_key: tuple[Any, ...]) -> None:
    remove_text(connection, row_key[0])


# Without the removed words a text has another digest, so a redaction removes it as a whole.
PARAGRAPHS = Table(
    "text_paragraphs",
    SQLModel.metadata,
    Column("document_id", BYTEWISE, ForeignKey("texts.document_id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False, info={REDACTED_TEXTS: "paragraph", REMOVED_BY: _forget}),
)
