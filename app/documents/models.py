"""Documents: source texts, and the instruments, plans and publications that records refer to."""

from typing import Annotated, Literal

from pydantic import StringConstraints
from sqlalchemy import Text
from sqlmodel import Field

from app.core.database.tables import BYTEWISE, in_codes
from app.core.model.fields import HasIdentifiers, Record, RecordFields
from app.core.model.filters import DuringFilter, EqualFilter, TextFilter
from app.core.model.resource import Link, Resource
from app.core.model.tables import RecordRow, citation_table, identifier_table, list_indexes
from app.core.values.codelists import Code, CodeList
from app.core.values.dates import Edtf
from app.core.values.links import PartnerId
from app.core.values.text import LanguageMap, LanguageTag, Line

DOCUMENT_KIND = CodeList(
    "document_kind",
    "What sort of text a document is.",
    {
        "news": Code("News article", "Bài báo"),
        "legal_instrument": Code("Law, decree, circular or resolution", "Văn bản quy phạm pháp luật"),
        "strategy_or_plan": Code("Strategy, plan or roadmap", "Chiến lược, kế hoạch, lộ trình"),
        "publication": Code("Publication", "Ấn phẩm"),
        "international_goals": Code("International goals or commitment", "Mục tiêu, cam kết quốc tế"),
        "report": Code("Report", "Báo cáo"),
        "web_page": Code("Web page", "Trang web"),
    },
)
DOCUMENT_STATUS = CodeList(
    "document_status",
    "Where an instrument, plan or publication stands, as the latest cited source says.",
    {
        "in_force": Code("In force or published", "Có hiệu lực hoặc đã công bố"),
        "draft": Code("Draft", "Dự thảo"),
        "proposed": Code("Proposed or asked for", "Được đề xuất"),
        "unknown": Code("Unknown", "Không rõ"),
    },
)


class DocumentFields(HasIdentifiers, RecordFields):
    """A source text, or an instrument, plan or publication that a record refers to."""

    kind: Annotated[str, DOCUMENT_KIND] = Field(description="What sort of text it is.")
    status: Annotated[str, DOCUMENT_STATUS] | None = Field(default=None, description="For instruments and plans.")
    title: LanguageMap
    description: LanguageMap | None = Field(default=None, description="What it is, in our words.")
    number: Line | None = Field(default=None, description="Official number, such as 35/2022/NĐ-CP.")
    issuer: PartnerId | None = Field(default=None, description="Partner that issued it.")
    publisher: Line | None = Field(default=None, description="Who published the text held here, as far as it says.")
    published_on: Edtf | None = Field(default=None, description="When it was published or, for an instrument, issued.")
    happened_on: Edtf | None = Field(default=None, description="When what it reports took place, if it says so.")
    language: LanguageTag | None = Field(default=None, description="BCP 47 tag of the text.")
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s\x00-\x1f]+$", max_length=2000)] | None = None
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="SHA-256 of the UTF-8 text that paragraphs are counted in."
    )
    paragraphs: int | None = Field(default=None, ge=1, le=1_000_000, description="Non-blank lines of that text.")


class DocumentShown(DocumentFields, Record):
    """A document as the registry shows it."""

    resource: Literal["documents"]


class Document(RecordRow, table=True):
    """Columns of documents that lists filter and sort by."""

    __tablename__ = "documents"
    __table_args__ = (
        in_codes("kind", DOCUMENT_KIND),
        in_codes("status", DOCUMENT_STATUS),
        *list_indexes(
            codes=("kind", "status"), sorts=("title_sort", "published_on_earliest"), alone=("happened_on_earliest",)
        ),
    )

    kind: str = Field(sa_type=BYTEWISE)
    status: str | None = Field(sa_type=BYTEWISE)
    number: str | None = Field(sa_type=BYTEWISE, index=True)
    issuer: str | None = Field(sa_type=BYTEWISE, foreign_key="partners.id", index=True)
    sha256: str | None = Field(sa_type=BYTEWISE, index=True)
    published_on_earliest: str | None = Field(sa_type=BYTEWISE)
    published_on_latest: str | None = Field(sa_type=BYTEWISE)
    happened_on_earliest: str | None = Field(sa_type=BYTEWISE)
    happened_on_latest: str | None = Field(sa_type=BYTEWISE)
    title_sort: str = Field(sa_type=BYTEWISE)
    title_text: str = Field(sa_type=Text)


DOCUMENTS = Resource(
    name="documents",
    one="document",
    about="Source texts, and the instruments, plans and publications that records refer to.",
    fields=DocumentFields,
    shown=DocumentShown,
    table=Document,
    citations=citation_table("documents"),
    identifiers=identifier_table("documents"),
    number=4,
    names=("title", "number"),
    example="samsung-smart-factory-2023",
    filters={
        "kind": EqualFilter(Document.kind, Annotated[str, DOCUMENT_KIND], "Of any of these kinds."),
        "status": EqualFilter(Document.status, Annotated[str, DOCUMENT_STATUS], "In any of these states."),
        "number": EqualFilter(Document.number, Line, "With this official number."),
        "title": TextFilter(Document.title_text),
        "published_on": DuringFilter(
            Document.published_on_earliest, Document.published_on_latest, "Published or issued."
        ),
        "happened_on": DuringFilter(Document.happened_on_earliest, Document.happened_on_latest, "What it reports."),
    },
    sorts={"title": Document.title_sort, "published_on": Document.published_on_earliest},
    links={
        "issuer": Link(
            "partners", (Document.issuer,), "Issued by this partner.", "partners", "documents", opposite="issuer_of"
        )
    },
)
