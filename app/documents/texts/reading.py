"""Reads of texts: what the registry holds, and paragraphs with the records that cite them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, literal_column, select, union

from app.core.database.sql import bounded_query, one_of, unfitted
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, Reader, fitting
from app.core.errors import BadCursor, NotFound, Unavailable
from app.core.model.resource import RESOURCES, Resource
from app.core.reading.cursors import Cursors
from app.core.reading.parameters import MAX_ITEMS
from app.core.reading.reads import reading_of
from app.core.reading.results import ReadRequest, computed, last_change_and_index
from app.core.stored_records import ordered_query, select_keys, select_stored, union_in_order
from app.core.time_limit import check_time
from app.core.values.json import from_json
from app.documents.models import DOCUMENTS, Document
from app.documents.texts.models import MAX_QUOTATIONS, ParagraphsQuery, quotation_order
from app.documents.texts.paragraphs import places_of
from app.documents.texts.storing import NO_TEXT
from app.documents.texts.tables import PARAGRAPHS, TEXTS, read_text_state

NO_PARAGRAPH = "The document has no paragraph with this number."
MAX_PARAGRAPH = 1_000_000  # the highest number that a citation can have

DOCUMENT: Any = Document


class StoredText(NamedTuple):
    """A text that the registry holds: its terms and when it was stored."""

    sha256: str
    paragraphs: int
    shown: str
    stored_at: str


_COLUMNS = [TEXTS.c[name] for name in StoredText._fields]
_STORED = Query(
    select(TEXTS.c.document_id, *_COLUMNS)
    .join(DOCUMENT, DOCUMENT.id == TEXTS.c.document_id)
    .where(
        one_of(TEXTS.c.document_id, "ids"),
        DOCUMENT.state == literal_column("'published'"),
        DOCUMENT.sha256 == TEXTS.c.sha256,
    )
)
_TEXT = unfitted(PARAGRAPHS.c.text).label("text")
_OF_DOCUMENT = PARAGRAPHS.c.document_id == bindparam("document")
_FOLLOWING = bounded_query(
    select(PARAGRAPHS.c.number, _TEXT)
    .where(_OF_DOCUMENT, PARAGRAPHS.c.number > bindparam("after"))
    .order_by(PARAGRAPHS.c.number)
    .limit(bindparam("most"))
)
_NUMBERED = bounded_query(
    select(PARAGRAPHS.c.number, _TEXT)
    .where(_OF_DOCUMENT, one_of(PARAGRAPHS.c.number, "numbers"))
    .order_by(PARAGRAPHS.c.number)
)
_DOCUMENT = Query(select_stored(DOCUMENTS).where(DOCUMENT.id == bindparam("id")), alone=True)


def read_stored(documents: Iterable[str]) -> Read:
    """Read which of these documents the registry holds the text of, by their ids."""
    rows = yield _STORED, {"ids": list(documents)}
    return {row[0]: StoredText(*row[1:]) for row in rows}


def read_numbered(document: str, numbers: Iterable[int], most_bytes: int = MAX_PAGE_BYTES) -> Read:
    """Read the texts of paragraphs by their numbers; of the first ones only, if all have too many bytes."""
    values = {"document": document, "numbers": sorted(numbers), "most_bytes": most_bytes}
    return {number: text.decode() for number, text in fitting((yield _NUMBERED, values))}


def read_text(document_id: str, request: ReadRequest) -> Read:
    """Read the description of the text of a document."""

    def read() -> Read:
        yield from _read_document(document_id, request)
        stored = (yield from read_stored([document_id])).get(document_id)
        if stored is None:
            raise NotFound(NO_TEXT)
        return {"document": document_id, **stored._asdict()}, None

    return (yield from with_texts(request, read))


def read_paragraph(document_id: str, number: int, request: ReadRequest) -> Read:
    """Read one paragraph."""

    def read() -> Read:
        return (yield from paragraph_content(document_id, number, request)), None

    return (yield from with_texts(request, read))


def paragraph_content(document_id: str, number: int, request: ReadRequest) -> Read:
    """Read what is known of one paragraph, as ParagraphShown."""
    document = yield from _read_document(document_id, request)
    count = document["paragraphs"]
    if not 1 <= number <= (count or MAX_PARAGRAPH):
        raise NotFound(NO_PARAGRAPH)
    stored = (yield from read_stored([document_id])).get(document_id)
    (paragraph,) = yield from _with_quotations(document_id, stored, {number: None})
    if count is None and not paragraph["quotations"]:
        raise NotFound(NO_PARAGRAPH)
    return paragraph


def read_paragraphs(document_id: str, query: ParagraphsQuery, request: ReadRequest) -> Read:
    """Read a page of paragraphs."""

    def read() -> Read:
        cursors: Cursors = yield from request.cursors()
        after = 0 if query.cursor is None else _position(cursors, query.cursor)
        yield from _read_document(document_id, request)
        stored = (yield from read_stored([document_id])).get(document_id)
        values: dict[str, Any] = {"document": document_id, "after": after, "most": query.limit + 1}
        if stored and stored.shown == "full":
            rows = yield _FOLLOWING, {**values, "most_bytes": MAX_PAGE_BYTES}
        else:
            rows = yield _cited_numbers(), values
        fitted = fitting(rows)[: query.limit]
        texts = {row[0]: row[1].decode() if len(row) > 1 else None for row in fitted}
        items = yield from _with_quotations(document_id, stored, texts)
        next_path = None
        if len(items) < len(rows):
            next_path = cursors.next([("limit", query.limit)], items[-1]["paragraph"], document_id)
        return {"items": items, "next": next_path}, next_path

    return (yield from with_texts(request, read))


def with_texts(request: ReadRequest, read: Any, *, suffix: str = "") -> Read:
    """Return the result of a read that depends on records and texts."""
    state = yield from read_text_state()
    return (yield from computed(request, read, suffix=f"-{state}{suffix}"))


async def last_state(reader: Reader) -> object:
    """Return the last Change, the state of the index and that of the texts, or None without a response."""
    try:
        return await reader.run(_read_state)
    except Unavailable:
        return None


def _read_state() -> Read:
    last = yield from last_change_and_index()
    return f"{last}.{(yield from read_text_state())}"


def _read_document(document_id: str, request: ReadRequest) -> Read:
    rows = yield _DOCUMENT, {"id": document_id}
    if not rows:
        yield from reading_of(DOCUMENTS).raise_missing(document_id, request)
    return from_json(rows[0][0])


def _position(cursors: Cursors, cursor: str) -> int:
    after, _ = cursors.read(cursor)
    if type(after) is not int or not 0 <= after <= MAX_PARAGRAPH:
        raise BadCursor
    return after


def _with_quotations(document: str, stored: StoredText | None, texts: Mapping[int, str | None]) -> Read:
    """Return paragraphs with their quotations, and with the texts that may be shown: those of the first ones only, if
    all have too many bytes."""
    numbers = list(texts)
    if not numbers:
        return []
    values = {"document": document, "first": numbers[0], "last": numbers[-1], "most_bytes": MAX_PAGE_BYTES}
    rows = yield _citing(), values
    fitted = fitting(rows)
    counts: dict[str, int] = {}
    left = MAX_QUOTATIONS
    quoted: dict[int, list[dict[str, Any]]] = {number: [] for number in numbers}
    for resource, record_id, body in fitted:
        counts[resource] = counts.get(resource, 0) + 1
        for citation in _citations_of(from_json(body), document, quoted) if counts[resource] <= MAX_ITEMS else ():
            left -= 1
            if left < 0:
                break
            quoted[citation["paragraph"]].append({"resource": resource, "id": record_id, **citation})
    if stored is not None and stored.shown != "nobody":
        is_full = stored.shown == "full"
        wanted = [number for number in numbers if number <= stored.paragraphs and (is_full or quoted[number])]
        wanted = [number for number in wanted if texts[number] is None]
        texts = {**texts, **(yield from read_numbered(document, wanted))}
        unread = next((number for number in wanted if texts[number] is None), numbers[-1] + 1)
        numbers = [number for number in numbers if number < unread]
    has_more = len(fitted) < len(rows) or max(counts.values(), default=0) > MAX_ITEMS or left < 0
    return [_paragraph(document, number, texts[number], quoted[number], has_more) for number in numbers]


def _citations_of(record: Mapping[str, Any], document: str, paragraphs: Mapping[int, Any]) -> Iterator[dict[str, Any]]:
    for citation in record["citations"]:
        if citation["document"] == document and citation["paragraph"] in paragraphs:
            yield citation


def _paragraph(
    document: str, number: int, text: str | None, quotations: Sequence[dict[str, Any]], has_more: bool
) -> dict[str, Any]:
    for quotation in quotations:
        check_time()
        quotation["places"] = places_of(quotation["as_written"], text) if text and quotation["as_written"] else []
    ordered = sorted(quotations, key=quotation_order)
    return {"document": document, "paragraph": number, "text": text, "quotations": ordered, "has_more": has_more}


def _citing_resources() -> list[Resource]:
    return [resource for resource in RESOURCES.values() if resource.citations is not None]


@cache
def _cited_numbers() -> Query:
    """Return the query for the numbers of the paragraphs that public records cite, after a number.

    A citation counts if its record is no draft, because a document has thousands of citations, and few records are
    drafts. SQLite reads the list of drafts once. PostgreSQL has no bound for such a list, but finds another plan.
    """

    def statement(is_draft: Callable[[Any, Any], ColumnElement[bool]]) -> Select[Any]:
        selects = []
        for resource in _citing_resources():
            cited: Any = resource.citations
            cites = (cited.c.document_id == bindparam("document"), cited.c.paragraph > bindparam("after"))
            drafts = select(resource.table.id).where(resource.table.state == literal_column("'draft'"))
            selects.append(
                select(cited.c.paragraph.label("number")).where(*cites, ~is_draft(cited.c.record_id, drafts))
            )
        numbers = union(*selects).subquery()
        return select(numbers.c.number).order_by(numbers.c.number).limit(bindparam("most"))

    def is_itself_draft(record: Any, drafts: Any) -> ColumnElement[bool]:
        is_draft: ColumnElement[bool] = drafts.where(drafts.selected_columns.id == record).exists()
        return is_draft

    return Query(statement(ColumnElement.in_), on_postgresql=statement(is_itself_draft))


@cache
def _citing() -> Query:
    """Return the query for the public records that cite paragraphs from `first` to `last`, by resource and id."""

    def part(texts_of: Any, resource: Resource) -> Any:
        cited: Any = resource.citations
        in_range = cited.c.paragraph.between(bindparam("first"), bindparam("last"))
        citing = select(cited.c.record_id).where(cited.c.document_id == bindparam("document"), in_range)
        keys = select_keys(resource, literal_column(f"'{resource.name}'").label("resource"))
        ordered = keys.where(resource.table.id.in_(citing)).order_by(resource.table.id)
        return texts_of(resource, ordered.limit(literal_column(str(MAX_ITEMS + 1))))

    return ordered_query(
        lambda texts_of: union_in_order(*(part(texts_of, resource) for resource in _citing_resources()))
    )
