"""Writes of texts: a text is accepted if it is the one whose digest its document states."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.change_log import now
from app.core.database.sql import chunks
from app.core.errors import Conflict, NotFound
from app.core.writing.edit import Edit
from app.core.writing.write_quota import count_written
from app.documents.models import DOCUMENTS
from app.documents.texts.paragraphs import ParsedText
from app.documents.texts.tables import PARAGRAPHS, TEXTS, count_change, remove_text

PARAGRAPH_BYTES = 100  # of a row and its entry in the primary key, without the ids in both

NO_DIGEST = "The document states no `sha256`. State it first, with the number of `paragraphs`."
OTHER_DIGEST = "The SHA-256 of the text is not that of the document. Send the bytes of the text unchanged."
NO_TEXT = "The registry does not hold the text of this document."


def put_text(session: Session, caller: Caller, document_id: str, text: ParsedText, terms: str) -> dict[str, Any]:
    """Store the text of a document that the caller may write. Raise Conflict if it is the text of another document."""
    document = json.loads(Edit(session, caller, DOCUMENTS, document_id).read_writable().body)
    quota = session.info["limits"].quota
    if quota:
        count_written(session, caller.key, stored_size(document_id, text), quota)
    return store_text(session.connection(), document, text, terms)


def stored_size(document_id: str, text: ParsedText) -> int:
    """Return about how many bytes a text takes on disk. Measured, short paragraphs take 100 times their size."""
    return text.size + len(text.paragraphs) * (PARAGRAPH_BYTES + 2 * len(document_id))


def delete_text(session: Session, caller: Caller, document_id: str) -> None:
    """Remove the text of a document that the caller may write."""
    Edit(session, caller, DOCUMENTS, document_id).read_writable()
    if not remove_text(session.connection(), document_id):
        raise NotFound(NO_TEXT)


def store_text(connection: Connection, document: Mapping[str, Any], text: ParsedText, terms: str) -> dict[str, Any]:
    """Replace the text of a document, and return its description. Raise Conflict if it is not that of the document."""
    if reason := mismatch(document, text):
        raise Conflict(reason)
    document_id = document["id"]
    remove_text(connection, document_id)
    row = {"sha256": text.sha256, "paragraphs": len(text.paragraphs), "shown": terms, "stored_at": now()}
    connection.execute(insert(TEXTS), {"document_id": document_id, **row})
    for numbered in chunks(enumerate(text.paragraphs, 1)):
        rows = [{"document_id": document_id, "number": number, "text": paragraph} for number, paragraph in numbered]
        connection.execute(insert(PARAGRAPHS), rows)
    count_change(connection)
    return {"document": document_id, **row}


def mismatch(document: Mapping[str, Any], text: ParsedText) -> str | None:
    """Return why a text is not that of a document; None if it is."""
    if document["sha256"] is None:
        return NO_DIGEST
    if document["sha256"] != text.sha256:
        return OTHER_DIGEST
    count = len(text.paragraphs)
    detail = f"The text has {count} paragraphs. The document states another number of `paragraphs`."
    return None if document["paragraphs"] == count else detail
