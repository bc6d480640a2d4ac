"""What the API returns about texts and their paragraphs."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from app.core.model.fields import Instant
from app.core.reading.cursors import MAX_CURSOR
from app.core.reading.parameters import DEFAULT_LIMIT, MAX_ITEMS, Digits
from app.core.values.evidence import Citation
from app.documents.texts.tables import TEXT_TERMS

MAX_QUOTATIONS = 2_000  # of a response

Places = Annotated[
    list[tuple[int, int]],
    Field(
        description="Start and end of the first 20 places where the paragraph has the quoted words, in code "
        "points. The end is exclusive. Empty if the paragraph is not shown or does not have the words.",
        examples=[[[30, 45]]],
    ),
]


class TextTerms(BaseModel, defer_build=True):
    """The terms under which a text is stored."""

    model_config = ConfigDict(extra="forbid")

    shown: Annotated[str, TEXT_TERMS] = Field(description="Which paragraphs everyone may read.")


class TextShown(BaseModel, defer_build=True):
    """A text that the registry holds."""

    document: str = Field(description="Id of the document.")
    sha256: str = Field(description="SHA-256 of the text in UTF-8, which is that of the document.")
    paragraphs: int = Field(description="Number of paragraphs of the text.")
    shown: Annotated[str, TEXT_TERMS] = Field(description="Which paragraphs everyone may read.")
    stored_at: Instant = Field(description="Time at which the text was stored (RFC 3339, UTC).")


class ParagraphQuotation(Citation):
    """A citation of a paragraph, with the record that it belongs to."""

    resource: str = Field(description="Resource of the record with this citation.", examples=["figures"])
    id: str = Field(description="Id of the record with this citation.")
    places: Places


class ParagraphShown(BaseModel, defer_build=True):
    """A paragraph of a document, with the records that cite it."""

    document: str = Field(description="Id of the document.")
    paragraph: int = Field(description="Number of the paragraph, counted from 1.", examples=[12])
    text: str | None = Field(
        description="The paragraph in NFC. Null: the registry does not hold the text, or must not show the paragraph."
    )
    quotations: list[ParagraphQuotation] = Field(
        description="Citations of the paragraph in public records, in the order in which it has their words."
    )
    has_more: bool = Field(
        description=f"Whether quotations are missing, because more than {MAX_ITEMS} records of a resource cite the "
        f"paragraphs of the response, or these have more than {MAX_QUOTATIONS} quotations."
    )


class ParagraphPage(BaseModel, defer_build=True):
    """A page of paragraphs, in the order of the text."""

    items: list[ParagraphShown] = Field(
        description="All paragraphs, if everyone may read them. Otherwise those that public records cite."
    )
    next: str | None = Field(description="Path of the next page; null on the last page.")


class ParagraphsQuery(BaseModel, defer_build=True):
    """The size of a page of paragraphs, and where it starts."""

    model_config = ConfigDict(extra="forbid")

    limit: Digits = Field(
        default=DEFAULT_LIMIT, ge=1, le=MAX_ITEMS, description="Maximum number of paragraphs on a page."
    )
    cursor: str | None = Field(
        default=None, max_length=MAX_CURSOR, description="Start of the page, from `next` of the previous page."
    )


def quotation_order(quotation: dict[str, Any]) -> tuple[Any, ...]:
    """Return the key by which the quotations of a paragraph are sorted."""
    return (quotation["places"][:1] or [(1 << 30, 0)], quotation["resource"], quotation["id"])
