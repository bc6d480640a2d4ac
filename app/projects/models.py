"""Projects: cooperation of partners under one name, from a framework to a batch, including support only requested."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from sqlalchemy import Column, Table, Text
from sqlmodel import Field

from app.core.database.tables import BYTEWISE, in_codes
from app.core.model.fields import HasIdentifiers, Record, RecordFields
from app.core.model.filters import DuringFilter, EqualFilter, TextFilter
from app.core.model.resource import Link, Resource
from app.core.model.tables import RecordRow, citation_table, identifier_table, link_table, list_indexes, refers_to
from app.core.values.codelists import Code, CodeList, codes_of
from app.core.values.dates import Edtf
from app.core.values.evidence import Value
from app.core.values.links import PartnerId, PlaceId, ProjectId
from app.core.values.text import LanguageMap

PROJECT_KIND = CodeList(
    "project_kind",
    "The type of cooperation. "
    "A `framework` is a standing cooperation that can contain programmes and projects. "
    "A `programme` or a `project` is one that the source calls by this word. "
    "A `phase` is a stage in time of a programme or project, and a `batch` one round of it. "
    "A `group` stands for several projects that the source mentions without naming each of them. "
    "An `initiative`, a `plan` or a `mechanism` (a standing procedure by which partners work together) is one that the "
    "source calls by this word. "
    "With `requested_support` a partner asks another partner for help.",
    {
        "framework": Code("Framework or standing cooperation", "Khuôn khổ, quan hệ hợp tác"),
        "programme": Code("Programme", "Chương trình"),
        "project": Code("Project", "Dự án"),
        "phase": Code("Phase", "Giai đoạn"),
        "batch": Code("Batch", "Đợt"),
        "group": Code("Group of unnamed projects", "Nhóm dự án không nêu tên từng dự án"),
        "initiative": Code("Initiative", "Sáng kiến"),
        "plan": Code("Plan", "Kế hoạch"),
        "mechanism": Code("Mechanism", "Cơ chế"),
        "requested_support": Code("Requested support", "Hỗ trợ được đề nghị"),
    },
)
PROJECT_STATUS = CodeList(
    "project_status",
    "The stage of a project, as the latest cited document states it. "
    "`requested`: a partner asked another partner for it. "
    "`proposed`: it was suggested, and nobody has promised it. "
    "`committed`: a partner promised it. "
    "`agreed`: the partners agreed on it, and it has not started. "
    "`active`: it is under way. "
    "`past`: it took place, and no source states that it was completed. "
    "`completed`: a source states that it was completed. "
    "`suspended`: it was stopped for some time. "
    "`cancelled`: it was stopped for good, or will not take place. "
    "`unknown`: no source states a stage. "
    "`iati` is the code of IATI ActivityStatus.",
    {
        "requested": Code("Requested", "Được đề nghị", "1"),
        "proposed": Code("Proposed", "Được đề xuất", "1"),
        "committed": Code("Committed", "Đã cam kết", "1"),
        "agreed": Code("Agreed, not started yet", "Đã thỏa thuận, chưa bắt đầu", "1"),
        "active": Code("Active", "Đang thực hiện", "2"),
        "past": Code("Past, completion not stated", "Đã diễn ra", "3"),
        "completed": Code("Completed", "Đã hoàn thành", "4"),
        "suspended": Code("Suspended", "Tạm dừng", "6"),
        "cancelled": Code("Cancelled", "Đã hủy", "5"),
        "unknown": Code("Unknown", "Không rõ"),
    },
    iati="ActivityStatus",
)
PARTNER_ROLE = CodeList(
    "partner_role",
    "What a partner does in a project. "
    "`funding`: it provides the money. "
    "`accountable`: it oversees the project and answers for its results. "
    "`extending`: it manages the budget and the direction on behalf of the funding partner. "
    "`implementing`: it carries out the work. "
    "`lead`: it directs the work of the partners. "
    "`counterpart`: it takes part as one of the sides that cooperate, or as their contact point. "
    "`beneficiary`: it receives the support or its benefit. "
    "`host`: it provides the place where the project is carried out. "
    "The first four are the codes of IATI OrganisationRole.",
    {
        "funding": Code("Funding", "Tài trợ", "1"),
        "accountable": Code("Accountable", "Chịu trách nhiệm", "2"),
        "extending": Code("Extending", "Quản lý vốn", "3"),
        "implementing": Code("Implementing", "Thực hiện", "4"),
        "lead": Code("Lead", "Chủ trì"),
        "counterpart": Code("Counterpart", "Đối tác, đầu mối"),
        "beneficiary": Code("Beneficiary", "Thụ hưởng"),
        "host": Code("Host", "Nơi tổ chức"),
    },
    iati="OrganisationRole",
)
SECTOR = CodeList(
    "sector",
    "Purpose codes of the OECD DAC creditor reporting system (CRS), five digits, and their groups, three digits. "
    "A filter by a group also finds its purpose codes.",
    codes_of("sector", lambda code: code[:3] if len(code) > 3 else None, iati=True),
    source="OECD DAC, as in the IATI code lists Sector and SectorCategory; Vietnamese labels: Hoptac",
    iati="Sector",
)
SDG = CodeList(
    "sdg",
    "The 17 Sustainable Development Goals of the 2030 Agenda of the United Nations, and their 169 targets, such as "
    "`9.3`. A filter by a goal also finds its targets.",
    codes_of("sdg", lambda code: code.partition(".")[0] if "." in code else None, iati=True),
    source="United Nations, A/RES/70/1, as in the IATI code lists UNSDG-Goals and UNSDG-Targets",
    iati="UNSDG-Goals",
)


class Role(Value):
    """A partner of a project and its role. A partner can have several roles."""

    partner: PartnerId = Field(description="Id of the partner.")
    role: Annotated[str, PARTNER_ROLE] = Field(
        description="What the partner does in the project. `/v1/codelists/partner_role` explains the codes."
    )


class ProjectFields(HasIdentifiers, RecordFields):
    """A cooperation of partners: a framework, programme, project, phase, batch, plan, requested support or the like."""

    title: LanguageMap = Field(description="Title, by language.")
    description: LanguageMap | None = Field(
        default=None, description="Summary in the words of the registry, by language."
    )
    kind: Annotated[str, PROJECT_KIND] = Field(
        description="Type of cooperation. `/v1/codelists/project_kind` explains the codes."
    )
    status: Annotated[str, PROJECT_STATUS] = Field(
        description="Stage that the latest cited document states. `/v1/codelists/project_status` explains the codes."
    )
    period: Edtf | None = Field(
        default=None, description="Time from its start to its end, as precisely as the sources state it."
    )
    part_of: list[ProjectId] = Field(
        default=[],
        max_length=20,
        description="Ids of the wider projects it belongs to. `progress` shows it under the first one, its roll-up.",
    )
    follows: list[ProjectId] = Field(
        default=[], max_length=20, description="Ids of the earlier projects that this one continues."
    )
    roles: list[Role] = Field(default=[], max_length=500, description="Partners and their roles.")
    places: list[PlaceId] = Field(default=[], max_length=500, description="Ids of the places where it takes place.")
    sectors: list[Annotated[str, SECTOR]] = Field(
        default=[], max_length=30, description="Sectors, as OECD DAC purpose codes of five digits, or groups of three."
    )
    sdgs: list[Annotated[str, SDG]] = Field(
        default=[],
        max_length=60,
        description="Sustainable Development Goals that it serves, or their targets, by number.",
    )

    def links(self) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Return the rows of its link tables: wider and earlier projects, partners, places, sectors and goals."""
        yield from ((PARTS, {"whole_id": wider}) for wider in self.part_of)
        yield from ((FOLLOWS, {"earlier_id": earlier}) for earlier in self.follows)
        yield from ((ROLES, {"partner_id": role.partner, "role": role.role}) for role in self.roles)
        yield from ((PLACES_OF, {"place_id": place}) for place in self.places)
        yield from ((SECTORS, {"sector": sector}) for sector in self.sectors)
        yield from ((SDGS, {"sdg": sdg}) for sdg in self.sdgs)


class ProjectShown(ProjectFields, Record):
    """A project as the registry returns it."""

    resource: Literal["projects"]


class Project(RecordRow, table=True):
    """Columns of projects that lists filter and sort by."""

    __tablename__ = "projects"
    __table_args__ = (
        in_codes("kind", PROJECT_KIND),
        in_codes("status", PROJECT_STATUS),
        *list_indexes(codes=("kind", "status"), sorts=("title_sort", "period_earliest", "period_latest")),
    )

    kind: str = Field(sa_type=BYTEWISE)
    status: str = Field(sa_type=BYTEWISE)
    period_earliest: str | None = Field(sa_type=BYTEWISE)
    period_latest: str | None = Field(sa_type=BYTEWISE)
    title_sort: str = Field(sa_type=BYTEWISE)
    title_text: str = Field(sa_type=Text)


PARTS = link_table("projects", "parts", refers_to("whole_id", "projects"))
FOLLOWS = link_table("projects", "follows", refers_to("earlier_id", "projects"))
ROLES = link_table("projects", "roles", refers_to("partner_id", "partners"), Column("role", BYTEWISE, nullable=False))
PLACES_OF = link_table("projects", "places", refers_to("place_id", "places"))
SECTORS = link_table("projects", "sectors", Column("sector", BYTEWISE, nullable=False))
SDGS = link_table("projects", "sdgs", Column("sdg", BYTEWISE, nullable=False))

PROJECTS = Resource(
    name="projects",
    one="project",
    about="Frameworks, programmes, projects, phases, batches, initiatives, plans, and support that was only requested.",
    fields=ProjectFields,
    shown=ProjectShown,
    table=Project,
    citations=citation_table("projects"),
    identifiers=identifier_table("projects"),
    number=2,
    names=("title",),
    example="smart-factory-cooperation",
    trees=("part_of", "follows"),
    filters={
        "kind": EqualFilter(Project.kind, Annotated[str, PROJECT_KIND], "Projects of these kinds."),
        "status": EqualFilter(Project.status, Annotated[str, PROJECT_STATUS], "Projects at these stages."),
        "role": EqualFilter(
            ROLES.c.role,
            Annotated[str, PARTNER_ROLE],
            "Projects in which a partner has one of these roles. With `partner`, that partner has it.",
        ),
        "sector": EqualFilter(SECTORS.c.sector, Annotated[str, SECTOR], "Projects in these OECD DAC sectors."),
        "sdg": EqualFilter(SDGS.c.sdg, Annotated[str, SDG], "Projects that serve these Sustainable Development Goals."),
        "title": TextFilter(Project.title_text),
        "period": DuringFilter(Project.period_earliest, Project.period_latest, "Period of the project."),
    },
    sorts={
        "title": Project.title_sort,
        "period": Project.period_earliest,
        "period_end": Project.period_latest,
        "status": Project.status,
    },
    links={
        "partner": Link(
            "partners", (ROLES.c.partner_id,), "Projects in which this partner has a role.", "partners", "projects"
        ),
        "place": Link("places", (PLACES_OF.c.place_id,), "Projects in this place.", "places", "projects", tree=True),
        "part_of": Link(
            "projects",
            (PARTS.c.whole_id,),
            "Projects that are directly part of this project.",
            "wholes",
            "parts",
            opposite="whole_of",
        ),
        "follows": Link(
            "projects",
            (FOLLOWS.c.earlier_id,),
            "Projects that continue this project.",
            "earlier",
            "later",
            opposite="followed_by",
        ),
    },
)
