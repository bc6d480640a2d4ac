"""Documents: texts that records cite, and the instruments, plans and publications that they refer to."""

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
from app.core.values.urls import WebUrl

DOCUMENT_KIND = CodeList(
    "document_kind",
    "The type of text. "
    "`news`: an article of a news site or newspaper. "
    "`legal_instrument`: a law, decree, circular, resolution or the like. "
    "`strategy_or_plan`: a strategy, plan or roadmap. "
    "`publication`: a book, standard, white paper or the like. "
    "`international_goals`: goals or commitments that countries have declared. "
    "`report`: a report. "
    "`web_page`: any other page on the web.",
    {
        "news": Code("News article", "Bài báo"),
        "legal_instrument": Code("Legal instrument", "Văn bản quy phạm pháp luật"),
        "strategy_or_plan": Code("Strategy, plan or roadmap", "Chiến lược, kế hoạch, lộ trình"),
        "publication": Code("Publication", "Ấn phẩm"),
        "international_goals": Code("International goals", "Mục tiêu, cam kết quốc tế"),
        "report": Code("Report", "Báo cáo"),
        "web_page": Code("Web page", "Trang web"),
    },
)
DOCUMENT_STATUS = CodeList(
    "document_status",
    "The status of an instrument, plan or publication, as the latest cited source states it. "
    "`in_force`: an instrument applies, or a plan or publication was published. "
    "`draft`: its text exists as a draft. "
    "`proposed`: somebody suggested or requested it, and no draft is known. "
    "`unknown`: no source states a status.",
    {
        "in_force": Code("In force or published", "Có hiệu lực hoặc đã công bố"),
        "draft": Code("Draft", "Dự thảo"),
        "proposed": Code("Proposed or requested", "Được đề xuất"),
        "unknown": Code("Unknown", "Không rõ"),
    },
)


class DocumentFields(HasIdentifiers, RecordFields):
    """A text that records cite, or an instrument, plan or publication that they refer to."""

    kind: Annotated[str, DOCUMENT_KIND] = Field(
        description="Type of text. `/v1/codelists/document_kind` explains the codes."
    )
    status: Annotated[str, DOCUMENT_STATUS] | None = Field(
        default=None,
        description="Status of an instrument, plan or publication. `/v1/codelists/document_status` explains the codes.",
    )
    title: LanguageMap = Field(description="Title, by language.")
    description: LanguageMap | None = Field(
        default=None, description="Summary in the words of the registry, by language."
    )
    number: Line | None = Field(default=None, description="Official number, such as 35/2022/NĐ-CP.")
    issuer: PartnerId | None = Field(default=None, description="Id of the partner that issued it.")
    publisher: Line | None = Field(default=None, description="Name of the publisher, as the text states it.")
    published_on: Edtf | None = Field(default=None, description="Date of publication or, for an instrument, of issue.")
    happened_on: Edtf | None = Field(
        default=None, description="Date of the event that the document reports, if it states one."
    )
    language: LanguageTag | None = Field(default=None, description="Language of the text, as a BCP 47 tag.")
    url: WebUrl | None = Field(
        default=None,
        description="Web address of the text, percent-encoded and without a user name. It is stored as it was sent.",
    )
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None,
        description="SHA-256 of the text in UTF-8. With it, citations need a paragraph number and the cited words.",
    )
    paragraphs: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Number of paragraphs of the text: its lines that are not blank."
    )


class DocumentShown(DocumentFields, Record):
    """A document as the registry returns it."""

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
    about="Texts that records cite, and the instruments, plans and publications that they refer to.",
    fields=DocumentFields,
    shown=DocumentShown,
    table=Document,
    citations=citation_table("documents"),
    identifiers=identifier_table("documents"),
    number=4,
    names=("title", "number"),
    example="samsung-smart-factory-2023",
    filters={
        "kind": EqualFilter(Document.kind, Annotated[str, DOCUMENT_KIND], "Documents of these kinds."),
        "status": EqualFilter(
            Document.status, Annotated[str, DOCUMENT_STATUS], "Documents with one of these statuses."
        ),
        "number": EqualFilter(Document.number, Line, "Documents with these official numbers."),
        "title": TextFilter(Document.title_text),
        "published_on": DuringFilter(
            Document.published_on_earliest, Document.published_on_latest, "Date of publication or issue."
        ),
        "happened_on": DuringFilter(
            Document.happened_on_earliest, Document.happened_on_latest, "Date of the event that the document reports."
        ),
    },
    sorts={"title": Document.title_sort, "published_on": Document.published_on_earliest},
    links={
        "issuer": Link(
            "partners",
            (Document.issuer,),
            "Documents that this partner issued.",
            "partners",
            "documents",
            opposite="issuer_of",
        )
    },
)
