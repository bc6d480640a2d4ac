"""`/v1/documents/{document_id}/text` and `…/paragraphs`."""

import asyncio

from fastapi import APIRouter, Request, Response

from app.core.access.caller import Caller
from app.core.errors import BadFile, Conflict, Gone, NotFound
from app.core.http.bodies import read_body
from app.core.http.operations import PathParameter, checked_id, id_in_path, operation
from app.core.http.read_endpoints import OF_DETAILS
from app.core.http.responses import private_json, read_request, write_response
from app.core.http.write_endpoints import OF_BODIES, WRITERS
from app.documents.models import DOCUMENTS
from app.documents.texts import storing
from app.documents.texts.models import ParagraphPage, ParagraphShown, ParagraphsQuery, TextShown, TextTerms
from app.documents.texts.paragraphs import MAX_BYTES, NotReadable, parse_text
from app.documents.texts.reading import NO_PARAGRAPH, read_paragraph, read_paragraphs, read_text

PLAIN_TEXT = "text/plain"
MAX_DIGITS = 7
PATH = id_in_path(DOCUMENTS)
OF_PARAGRAPH = {**PATH, "number": PathParameter("Number of the paragraph, counted from 1.", "12", int)}
BODY = {
    PLAIN_TEXT: {
        "schema": {
            "type": "string",
            "format": "binary",
            "description": "The text in UTF-8, byte by byte as it was hashed.",
        }
    }
}

router = APIRouter(prefix="/v1/documents/{document_id}", tags=["documents"])


@operation(
    router,
    "GET",
    "/text",
    "Read what is known of the text of a document",
    returns=TextShown,
    in_path=PATH,
    problems=OF_DETAILS,
)
async def read_document_text(request: Request, document_id: str) -> Response:
    """Whether the registry holds the text, and who may read it. `…/paragraphs` has the paragraphs."""
    checked_id(document_id)
    return await write_response(request, lambda: read_text(document_id, read_request(request)), logged=False)


@operation(
    router,
    "PUT",
    "/text",
    "Store the text of a document",
    returns=TextShown,
    in_path=PATH,
    accepts=BODY,
    scopes=WRITERS,
    problems=(NotFound, Gone, BadFile, Conflict, *OF_BODIES),
)
async def put_document_text(request: Request, caller: Caller, query: TextTerms, document_id: str) -> Response:
    """The registry accepts a text only if its SHA-256 and its number of paragraphs are those of the document.

    With `shown`, you state which paragraphs everyone may read. The others only prove that quoted words are in the text:
    they are in no response, search, export, feed or mirror. A text has at most 2,000,000 bytes and 10,000 paragraphs of
    20,000 characters. A stored text does not change the document and creates no Change. If the document gets another
    `sha256`, its text is no longer used.
    """
    checked_id(document_id)
    body = await read_body(request, (PLAIN_TEXT,), MAX_BYTES)
    try:
        text = await asyncio.to_thread(parse_text, body)
    except NotReadable as error:
        raise BadFile(str(error)) from None
    editor = request.app.state.editor
    stored = await editor.run(
        caller, lambda session, caller: storing.put_text(session, caller, document_id, text, query.shown)
    )
    return private_json(stored)


@operation(
    router,
    "DELETE",
    "/text",
    "Remove the text of a document",
    in_path=PATH,
    scopes=WRITERS,
    statuses={"204": "Removed. The document and its citations stay as they are."},
    problems=(NotFound, Gone),
)
async def delete_document_text(request: Request, caller: Caller, document_id: str) -> Response:
    """Remove the stored text with all its paragraphs."""
    checked_id(document_id)
    editor = request.app.state.editor
    await editor.run(caller, lambda session, caller: storing.delete_text(session, caller, document_id))
    return Response(None, 204)


@operation(
    router,
    "GET",
    "/paragraphs",
    "List the paragraphs of a document",
    returns=ParagraphPage,
    in_path=PATH,
    problems=OF_DETAILS,
)
async def list_document_paragraphs(request: Request, query: ParagraphsQuery, document_id: str) -> Response:
    """Paragraphs with the quotations in them, and with their text if the registry holds it and may show it."""
    checked_id(document_id)
    return await write_response(
        request, lambda: read_paragraphs(document_id, query, read_request(request)), logged=False
    )


@operation(
    router,
    "GET",
    "/paragraphs/{number}",
    "Read a paragraph of a document",
    returns=ParagraphShown,
    in_path=OF_PARAGRAPH,
    problems=OF_DETAILS,
)
async def read_document_paragraph(request: Request, document_id: str, number: str) -> Response:
    """One paragraph, the places of all quotations in it, and the public records that cite it."""
    checked_id(document_id)
    at = checked_number(number)
    return await write_response(request, lambda: read_paragraph(document_id, at, read_request(request)), logged=False)


def checked_number(number: str) -> int:
    """Return the number of a paragraph in a path; raises NotFound for any other text."""
    if not (number.isascii() and number.isdigit() and len(number) <= MAX_DIGITS):
        raise NotFound(NO_PARAGRAPH)
    return int(number)
