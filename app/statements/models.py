"""Statements: requests, commitments, recommendations, plans and claims, with their speakers and addressees."""

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
    "What the speaker does by making the statement. The registry records that it was made and does not confirm that it "
    "is true. "
    "`request`: asks somebody for support or action. "
    "`commitment`: promises what the speaker will do. "
    "`recommendation`: advises others what to do. "
    "`objective`: states what is to be reached, without saying how. "
    "`plan`: states what is to be done, and when. "
    "`expectation`: says what will probably happen. "
    "`claim`: says that something is a fact. "
    "`assessment`: judges something, such as its quality or importance.",
    {
        "request": Code("Request for support or action", "Đề nghị, mong muốn"),
        "commitment": Code("Commitment of the speaker to act", "Cam kết"),
        "recommendation": Code("Recommendation to others", "Kiến nghị"),
        "objective": Code("Objective to be reached", "Mục tiêu"),
        "plan": Code("Plan of action", "Kế hoạch"),
        "expectation": Code("Expectation about the future", "Kỳ vọng"),
        "claim": Code("Claim that something is a fact", "Nhận định về sự việc"),
        "assessment": Code("Assessment or opinion", "Đánh giá"),
    },
)


class StatementFields(RecordFields):
    """A statement that a person, office or partner made, summarised by the registry."""

    kind: Annotated[str, STATEMENT_KIND] = Field(description="Kind of statement, a code of the list `statement_kind`.")
    summary: LanguageMap = Field(description="Summary of the statement, in the words of the registry.")
    said_by: Voice | None = Field(
        default=None, description="The speaker or author; null if the cited document itself makes the statement."
    )
    relayed_for: Voice | None = Field(
        default=None, description="The person, office or partner whose view the speaker relayed, if not their own."
    )
    to: list[PartnerId] = Field(default=[], max_length=100, description="Ids of the partners to which it is addressed.")
    project: ProjectId | None = Field(default=None, description="Id of the project it is about.")
    agreement: AgreementId | None = Field(default=None, description="Id of the agreement it is about.")
    occasion: MilestoneId | None = Field(default=None, description="Id of the milestone at which it was made.")
    documents: list[DocumentId] = Field(
        default=[], max_length=50, description="Ids of the legal instruments, plans or other documents it mentions."
    )
    due: Edtf | None = Field(default=None, description="Date by which it is to be done, if one is stated.")
    fulfilled_by: list[MilestoneId] = Field(
        default=[], max_length=50, description="Ids of the milestones by which it was carried out."
    )

    def links(self) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Return the link rows of its addressees, of documents it mentions, and of milestones that fulfilled it."""
        yield from ((ADDRESSEES, {"partner_id": partner}) for partner in self.to)
        yield from ((DOCUMENTS_OF, {"document_id": document}) for document in self.documents)
        yield from ((FULFILMENTS, {"milestone_id": milestone}) for milestone in self.fulfilled_by)


class StatementShown(StatementFields, Record):
    """A statement as the registry returns it."""

    resource: Literal["statements"]


class Statement(RecordRow, table=True):
    """The table of statements: one row each, with the columns that lists filter and sort by."""

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
    about="Requests, commitments, recommendations, objectives, plans and claims, with their speakers and addressees.",
    fields=StatementFields,
    shown=StatementShown,
    table=Statement,
    citations=citation_table("statements"),
    number=7,
    heading=("summary",),
    example="unido-commits-to-country-programme",
    filters={
        "kind": EqualFilter(Statement.kind, Annotated[str, STATEMENT_KIND], "Has any of these kinds."),
        "summary": TextFilter(Statement.summary_text),
        "due": DuringFilter(Statement.due_earliest, Statement.due_latest, "Date by which it is to be done."),
    },
    sorts={"summary": Statement.summary_sort, "due": Statement.due_earliest, "kind": Statement.kind},
    links={
        "partner": Link(
            "partners",
            (Statement.said_by_id, Statement.relayed_for_id, ADDRESSEES.c.partner_id),
            "Statements made by this partner, quoted from it, or addressed to it.",
            "partners",
            "statements",
        ),
        "speaker": Link("partners", (Statement.said_by_id,), "Was made by this partner."),
        "relayed_for": Link("partners", (Statement.relayed_for_id,), "Statements quoted from this partner."),
        "to": Link("partners", (ADDRESSEES.c.partner_id,), "Is addressed to this partner."),
        "project": Link("projects", (Statement.project,), "Is about this project.", "projects", "statements"),
        "agreement": Link("agreements", (Statement.agreement,), "Is about this agreement.", "agreements", "statements"),
        "milestone": Link(
            "milestones",
            (Statement.occasion, FULFILMENTS.c.milestone_id),
            "Was made at this milestone, or carried out by it.",
            "milestones",
            "statements",
        ),
        "about_document": Link(
            "documents",
            (DOCUMENTS_OF.c.document_id,),
            "Mentions this document.",
            "about_documents",
            opposite="spoken_of_by",
        ),
    },
)
