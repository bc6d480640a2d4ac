"""Milestones: dated events, starts, ends, deadlines and terms of office."""

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
from app.core.values.links import AgreementId, DocumentId, MilestoneId, PlaceId, ProjectId
from app.core.values.text import LanguageMap, TextOrLanguageMap

MILESTONE_KIND = CodeList(
    "milestone_kind",
    "The type of event or date that a milestone records. "
    "`meeting`: a meeting, conference or forum. "
    "`visit`: a delegation travels to a country, an office or a factory. "
    "`signing`: an agreement is signed. "
    "`approval`: a competent body approves or decides something. "
    "`launch`: an event at which a project is opened. "
    "`start`: the date at which its work begins. "
    "`end`: the date at which its work stops. "
    "`completion`: an event at which a project is concluded. "
    "`publication`: a document is published. "
    "`training`: a course takes place. "
    "`chairmanship`: a country or person holds an office for some time. "
    "`target_date`: something has to be done by this date. "
    "`consultation`: opinions on a draft or a question are collected. "
    "`event`: anything else.",
    {
        "meeting": Code("Meeting or conference", "Cuộc họp, hội nghị"),
        "visit": Code("Visit or working trip", "Chuyến thăm, chuyến công tác"),
        "signing": Code("Signing of an agreement", "Ký kết"),
        "approval": Code("Approval or decision", "Phê duyệt, quyết định"),
        "launch": Code("Launch event", "Khởi động"),
        "start": Code("Start of a project or period", "Bắt đầu"),
        "end": Code("End of a project or period", "Kết thúc"),
        "completion": Code("Completion or closing ceremony", "Tổng kết, hoàn thành"),
        "publication": Code("Publication of a document", "Công bố, phát hành"),
        "training": Code("Training course", "Đào tạo"),
        "chairmanship": Code("Chairmanship or term of office", "Chức chủ tịch, nhiệm kỳ"),
        "target_date": Code("Target date or deadline", "Thời hạn mục tiêu"),
        "consultation": Code("Consultation on a draft or question", "Lấy ý kiến, trao đổi"),
        "event": Code("Other event", "Sự kiện khác"),
    },
)
MILESTONE_STATUS = CodeList(
    "milestone_status",
    "Whether a milestone has taken place, according to the latest document that it cites. "
    "`planned`: it is announced. It remains planned after its date until a document says otherwise; `/v1/audit` "
    "reports it as overdue. "
    "`done`: a document reports it. "
    "`cancelled`: a document states that it will not take place. "
    "`unknown`: no document states whether it took place.",
    {
        "planned": Code("Planned, not yet reported as done", "Dự kiến"),
        "done": Code("Has taken place", "Đã diễn ra"),
        "cancelled": Code("Cancelled, will not take place", "Đã hủy"),
        "unknown": Code("Not stated in the sources", "Không rõ"),
    },
)


class Participant(Voice):
    """A person, office or partner that took part in a milestone, and in what capacity."""

    capacity: TextOrLanguageMap | None = Field(
        default=None,
        description="Role at the event, such as host, speaker, chair or member of a delegation, by language. "
        "A plain text is accepted as `und`, a text whose language is not stated.",
    )


class MilestoneFields(RecordFields):
    """An event, date or term of office that took place or is planned."""

    title: LanguageMap = Field(description="Title of the milestone.")
    description: LanguageMap | None = Field(
        default=None, description="Summary of the milestone, in the words of the registry."
    )
    kind: Annotated[str, MILESTONE_KIND] = Field(
        description="Type of event or date, a code of the list `milestone_kind`."
    )
    status: Annotated[str, MILESTONE_STATUS] = Field(
        description="Status according to the latest cited document, a code of the list `milestone_status`."
    )
    date: Edtf | None = Field(
        default=None, description="Date or period, as precisely as the source states it; null if it states none."
    )
    place: PlaceId | None = Field(default=None, description="Id of the place where it takes place.")
    part_of: MilestoneId | None = Field(
        default=None, description="Id of the wider milestone, such as the conference to which a session belongs."
    )
    project: ProjectId | None = Field(default=None, description="Id of the project to which it belongs.")
    agreement: AgreementId | None = Field(default=None, description="Id of the agreement to which it belongs.")
    participants: list[Participant] = Field(
        default=[], max_length=500, description="Persons, offices and partners that take part."
    )
    documents: list[DocumentId] = Field(
        default=[], max_length=50, description="Ids of the documents that were published, approved or discussed."
    )

    def links(self) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Return the link rows of its participants that are partners, and of its documents."""
        for participant in self.participants:
            if participant.partner:
                yield PARTICIPANTS, {"partner_id": participant.partner}
        yield from ((DOCUMENTS_OF, {"document_id": document}) for document in self.documents)


class MilestoneShown(MilestoneFields, Record):
    """A milestone as the registry returns it."""

    resource: Literal["milestones"]


class Milestone(RecordRow, table=True):
    """The table of milestones: one row each, with the columns that lists filter and sort by."""

    __tablename__ = "milestones"
    __table_args__ = (
        in_codes("kind", MILESTONE_KIND),
        in_codes("status", MILESTONE_STATUS),
        *list_indexes(
            codes=("kind", "status"),
            sorts=("date_earliest",),
            alone=("title_sort", "date_latest", "project", "agreement"),
        ),
    )

    kind: str = Field(sa_type=BYTEWISE)
    status: str = Field(sa_type=BYTEWISE)
    date_earliest: str | None = Field(sa_type=BYTEWISE)
    date_latest: str | None = Field(sa_type=BYTEWISE)
    place: str | None = Field(sa_type=BYTEWISE, foreign_key="places.id", index=True)
    part_of: str | None = Field(sa_type=BYTEWISE, foreign_key="milestones.id", index=True)
    project: str | None = Field(sa_type=BYTEWISE, foreign_key="projects.id")
    agreement: str | None = Field(sa_type=BYTEWISE, foreign_key="agreements.id")
    title_sort: str = Field(sa_type=BYTEWISE)
    title_text: str = Field(sa_type=Text)


PARTICIPANTS = link_table("milestones", "participants", refers_to("partner_id", "partners"))
DOCUMENTS_OF = link_table("milestones", "documents", refers_to("document_id", "documents"))

MILESTONES = Resource(
    name="milestones",
    one="milestone",
    about="Meetings, signings, starts, ends, publications, deadlines and terms of office, dated as precisely as known.",
    fields=MilestoneFields,
    shown=MilestoneShown,
    table=Milestone,
    citations=citation_table("milestones"),
    number=6,
    names=("title",),
    example="smart-factory-mou-2022-signing",
    trees=("part_of",),
    filters={
        "kind": EqualFilter(Milestone.kind, Annotated[str, MILESTONE_KIND], "Has any of these kinds."),
        "status": EqualFilter(Milestone.status, Annotated[str, MILESTONE_STATUS], "Has any of these statuses."),
        "title": TextFilter(Milestone.title_text),
        "date": DuringFilter(Milestone.date_earliest, Milestone.date_latest, "Date of the milestone."),
    },
    sorts={"title": Milestone.title_sort, "date": Milestone.date_earliest, "status": Milestone.status},
    links={
        "partner": Link(
            "partners", (PARTICIPANTS.c.partner_id,), "Has this partner as a participant.", "partners", "milestones"
        ),
        "part_of": Link(
            "milestones", (Milestone.part_of,), "Is part of this milestone.", "whole", "parts", opposite="whole_of"
        ),
        "project": Link("projects", (Milestone.project,), "Belongs to this project.", "projects", "milestones"),
        "agreement": Link(
            "agreements", (Milestone.agreement,), "Belongs to this agreement.", "agreements", "milestones"
        ),
        "place": Link("places", (Milestone.place,), "Milestones in this place.", "places", "milestones", tree=True),
        "about_document": Link(
            "documents",
            (DOCUMENTS_OF.c.document_id,),
            "Published, approved or discussed this document.",
            "about_documents",
            opposite="treated_at",
        ),
    },
)
