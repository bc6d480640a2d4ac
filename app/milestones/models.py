"""Milestones: dated events, starts, ends, deadlines and offices held."""

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
from app.core.values.text import LanguageMap, Line

MILESTONE_KIND = CodeList(
    "milestone_kind",
    "What sort of event or date a milestone is.",
    {
        "meeting": Code("Meeting or conference", "Cuộc họp, hội nghị"),
        "visit": Code("Visit", "Chuyến thăm, chuyến công tác"),
        "signing": Code("Signing", "Ký kết"),
        "approval": Code("Approval or decision", "Phê duyệt, quyết định"),
        "launch": Code("Launch", "Khởi động"),
        "start": Code("Start", "Bắt đầu"),
        "end": Code("End", "Kết thúc"),
        "completion": Code("Completion or closing ceremony", "Tổng kết, hoàn thành"),
        "publication": Code("Publication", "Công bố, phát hành"),
        "training": Code("Training", "Đào tạo"),
        "chairmanship": Code("Chairmanship or office held", "Chức chủ tịch, nhiệm kỳ"),
        "target_date": Code("Target date or deadline", "Thời hạn mục tiêu"),
        "consultation": Code("Consultation", "Lấy ý kiến, trao đổi"),
        "event": Code("Other event", "Sự kiện khác"),
    },
)
MILESTONE_STATUS = CodeList(
    "milestone_status",
    "As the latest cited document says; being overdue is a finding, never a status.",
    {
        "planned": Code("Planned", "Dự kiến"),
        "done": Code("Done", "Đã diễn ra"),
        "cancelled": Code("Cancelled", "Đã hủy"),
        "unknown": Code("Unknown", "Không rõ"),
    },
)


class Participant(Voice):
    """Who took part, and in what capacity."""

    capacity: Line | None = Field(default=None, description="host, speaker, chair, delegation member …")


class MilestoneFields(RecordFields):
    """Something that happened or is to happen at a time."""

    title: LanguageMap
    description: LanguageMap | None = Field(default=None, description="What it is, in our words.")
    kind: Annotated[str, MILESTONE_KIND]
    status: Annotated[str, MILESTONE_STATUS]
    date: Edtf | None = Field(default=None, description="When, as precisely as stated; null when not stated.")
    place: PlaceId | None = None
    part_of: MilestoneId | None = Field(
        default=None, description="The wider event, such as the conference of a session."
    )
    project: ProjectId | None = None
    agreement: AgreementId | None = None
    participants: list[Participant] = Field(default=[], max_length=500)
    documents: list[DocumentId] = Field(
        default=[], max_length=50, description="What was published, approved or discussed."
    )

    def links(self) -> Iterator[tuple[Table, dict[str, Any]]]:
        """The partners of its participants, and its documents."""
        for participant in self.participants:
            if participant.partner:
                yield PARTICIPANTS, {"partner_id": participant.partner}
        yield from ((DOCUMENTS_OF, {"document_id": document}) for document in self.documents)


class MilestoneShown(MilestoneFields, Record):
    """A milestone as the registry shows it."""

    resource: Literal["milestones"]


class Milestone(RecordRow, table=True):
    """Columns of milestones that lists filter and sort by."""

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
    about="Meetings, signings, starts, ends, publications, deadlines and offices held, dated as precisely as known.",
    fields=MilestoneFields,
    shown=MilestoneShown,
    table=Milestone,
    citations=citation_table("milestones"),
    number=6,
    names=("title",),
    example="smart-factory-mou-2022-signing",
    trees=("part_of",),
    filters={
        "kind": EqualFilter(Milestone.kind, Annotated[str, MILESTONE_KIND], "Of any of these kinds."),
        "status": EqualFilter(Milestone.status, Annotated[str, MILESTONE_STATUS], "In any of these states."),
        "title": TextFilter(Milestone.title_text),
        "date": DuringFilter(Milestone.date_earliest, Milestone.date_latest, "When."),
    },
    sorts={"title": Milestone.title_sort, "date": Milestone.date_earliest, "status": Milestone.status},
    links={
        "partner": Link(
            "partners", (PARTICIPANTS.c.partner_id,), "With this partner taking part.", "partners", "milestones"
        ),
        "part_of": Link(
            "milestones", (Milestone.part_of,), "Part of this milestone.", "whole", "parts", opposite="whole_of"
        ),
        "project": Link("projects", (Milestone.project,), "Of this project.", "projects", "milestones"),
        "agreement": Link("agreements", (Milestone.agreement,), "Of this agreement.", "agreements", "milestones"),
        "place": Link("places", (Milestone.place,), "In this place.", "places", "milestones", tree=True),
        "about_document": Link(
            "documents",
            (DOCUMENTS_OF.c.document_id,),
            "At which this document was published, approved or discussed.",
            "about_documents",
            opposite="treated_at",
        ),
    },
)
