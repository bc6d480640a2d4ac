"""Statements: who asked, promised, recommended or claimed what, of whom."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from sqlalchemy import Table, Text
from sqlmodel import Field

from app.core.database.tables import BYTEWISE, in_codes
from app.core.model.fields import Record, RecordFields
from app.core.model.filters import DuringFilter, EqualFilter, TextFilter
from app.core.model.resource import Link, Resource
from app.core.model.tables import RecordRow, citation_table, link_table, list_indexes, refers_to
from app.core.values.codelists import Code, CodeList
from app.core.values.dates import Edtf
from app.core.values.evidence import Voice
from app.core.values.links import AgreementId, DocumentId, MilestoneId, PartnerId, ProjectId
from app.core.values.text import LanguageMap

STATEMENT_KIND = CodeList(
    "statement_kind",
    "What a speaker does with a statement; none of them makes it a fact.",
    {
        "request": Code("Request", "Đề nghị, mong muốn"),
        "commitment": Code("Commitment", "Cam kết"),
        "recommendation": Code("Recommendation", "Kiến nghị"),
        "objective": Code("Objective", "Mục tiêu"),
        "plan": Code("Plan", "Kế hoạch"),
        "expectation": Code("Expectation", "Kỳ vọng"),
        "claim": Code("Claim", "Nhận định về sự việc"),
        "assessment": Code("Assessment", "Đánh giá"),
    },
)


class StatementFields(RecordFields):
    """Something said, in our words, with who said it and for whom."""

    kind: Annotated[str, STATEMENT_KIND]
    summary: LanguageMap = Field(description="What was said, in our words.")
    said_by: Voice | None = Field(default=None, description="Who said it; null: the document itself.")
    relayed_for: Voice | None = Field(default=None, description="Whose view the speaker relayed, if another's.")
    to: list[PartnerId] = Field(default=[], max_length=100, description="Partners it is addressed to.")
    project: ProjectId | None = None
    agreement: AgreementId | None = None
    occasion: MilestoneId | None = Field(default=None, description="The milestone at which it was said.")
    documents: list[DocumentId] = Field(default=[], max_length=50, description="Instruments or plans it speaks of.")
    due: Edtf | None = Field(default=None, description="When it is to be done, if stated.")
    fulfilled_by: list[MilestoneId] = Field(default=[], max_length=50, description="Milestones that carried it out.")

    def links(self) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Whom it is addressed to, what it speaks of, what carried it out."""
        yield from ((ADDRESSEES, {"partner_id": partner}) for partner in self.to)
        yield from ((DOCUMENTS_OF, {"document_id": document}) for document in self.documents)
        yield from ((FULFILMENTS, {"milestone_id": milestone}) for milestone in self.fulfilled_by)


class StatementShown(StatementFields, Record):
    """A statement as the registry shows it."""

    resource: Literal["statements"]


class Statement(RecordRow, table=True):
    """Columns of statements that lists filter and sort by."""

    __tablename__ = "statements"
    __table_args__ = (
        in_codes("kind", STATEMENT_KIND),
        *list_indexes(
            codes=("kind",),
            sorts=("due_earliest",),
            alone=("summary_sort", "due_latest", "project", "agreement"),
        ),
    )

    kind: str = Field(sa_type=BYTEWISE)
    said_by_id: str | None = Field(sa_type=BYTEWISE, foreign_key="partners.id", index=True)
    relayed_for_id: str | None = Field(sa_type=BYTEWISE, foreign_key="partners.id", index=True)
    project: str | None = Field(sa_type=BYTEWISE, foreign_key="projects.id")
    agreement: str | None = Field(sa_type=BYTEWISE, foreign_key="agreements.id")
    occasion: str | None = Field(sa_type=BYTEWISE, foreign_key="milestones.id", index=True)
    due_earliest: str | None = Field(sa_type=BYTEWISE)
    due_latest: str | None = Field(sa_type=BYTEWISE)
    summary_sort: str = Field(sa_type=BYTEWISE)
    summary_text: str = Field(sa_type=Text)


ADDRESSEES = link_table("statements", "addressees", refers_to("partner_id", "partners"))
DOCUMENTS_OF = link_table("statements", "documents", refers_to("document_id", "documents"))
FULFILMENTS = link_table("statements", "fulfilments", refers_to("milestone_id", "milestones"))

STATEMENTS = Resource(
    name="statements",
    one="statement",
    about="Requests, commitments, recommendations, objectives and claims: who said what, for whom, to whom.",
    fields=StatementFields,
    shown=StatementShown,
    table=Statement,
    citations=citation_table("statements"),
    number=7,
    heading=("summary",),
    example="unido-commits-to-country-programme",
    filters={
        "kind": EqualFilter(Statement.kind, Annotated[str, STATEMENT_KIND], "Of any of these kinds."),
        "summary": TextFilter(Statement.summary_text),
        "due": DuringFilter(Statement.due_earliest, Statement.due_latest, "When it is to be done."),
    },
    sorts={"summary": Statement.summary_sort, "due": Statement.due_earliest, "kind": Statement.kind},
    links={
        "partner": Link(
            "partners",
            (Statement.said_by_id, Statement.relayed_for_id, ADDRESSEES.c.partner_id),
            "Said by, relayed for, or addressed to this partner.",
            "partners",
            "statements",
        ),
        "speaker": Link("partners", (Statement.said_by_id,), "Said by this partner."),
        "relayed_for": Link("partners", (Statement.relayed_for_id,), "Relayed for this partner."),
        "to": Link("partners", (ADDRESSEES.c.partner_id,), "Addressed to this partner."),
        "project": Link("projects", (Statement.project,), "About this project.", "projects", "statements"),
        "agreement": Link("agreements", (Statement.agreement,), "About this agreement.", "agreements", "statements"),
        "milestone": Link(
            "milestones",
            (Statement.occasion, FULFILMENTS.c.milestone_id),
            "Said at, or carried out by, this milestone.",
            "milestones",
            "statements",
        ),
        "about_document": Link(
            "documents",
            (DOCUMENTS_OF.c.document_id,),
            "Speaking of this document.",
            "about_documents",
            opposite="spoken_of_by",
        ),
    },
)
