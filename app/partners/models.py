"""Partners: organisations, countries as parties to agreements, and collectives such as «the localities»."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from sqlalchemy import Column, ForeignKey, Table, Text
from sqlmodel import Field

from app.core.database.tables import BYTEWISE, in_codes
from app.core.errors import ErrorItem
from app.core.model.fields import HasIdentifiers, Record, RecordFields
from app.core.model.filters import EqualFilter, TextFilter
from app.core.model.resource import Link, Resource
from app.core.model.tables import RecordRow, citation_table, identifier_table, link_table, list_indexes, refers_to
from app.core.values.codelists import Code, CodeList
from app.core.values.dates import Edtf
from app.core.values.links import PartnerId, PlaceId
from app.core.values.text import LanguageMap, Line
from app.core.values.urls import WebUrl
from app.core.writing.integrity import Proposal

PARTNER_KIND = CodeList(
    "partner_kind",
    "The type of a partner. "
    "`state`: a country, as a party to a treaty. "
    "`government`: a national government, a ministry or a central agency. "
    "`local_government`: a province, city or district, or one of its agencies. "
    "`other_public`: another body that the state owns or funds, such as a state bank or a public service unit. "
    "`international_organisation`: an organisation whose members are states, or a part of one. "
    "`ngo`: an association or foundation that does not work for profit. "
    "`company`: an enterprise, also if the state owns it. "
    "`academic`: a university, school, training centre or research institute. "
    "`media`: a newspaper, broadcaster or news site. "
    "`collective`: several organisations that a source mentions together, such as the donors of a project. "
    "`other`: none of these. "
    "`iati` is the corresponding IATI OrganisationType.",
    {
        "state": Code("Country as a party", "Quốc gia với tư cách một bên", "10"),
        "government": Code("Government, ministry or central agency", "Chính phủ, bộ, cơ quan trung ương", "10"),
        "local_government": Code("Local government or provincial agency", "Chính quyền, cơ quan địa phương", "11"),
        "other_public": Code("Other public body", "Cơ quan công khác", "15"),
        "international_organisation": Code("International organisation", "Tổ chức quốc tế", "40"),
        "ngo": Code("Non-governmental organisation", "Tổ chức phi chính phủ", "21"),
        "company": Code("Company", "Doanh nghiệp", "70"),
        "academic": Code("Academic, training or research institution", "Đào tạo, nghiên cứu", "80"),
        "media": Code("Media", "Báo chí", "90"),
        "collective": Code("Collective of organisations", "Tập hợp các tổ chức", "90"),
        "other": Code("Other", "Khác", "90"),
    },
    iati="OrganisationType",
)


class PartnerFields(HasIdentifiers, RecordFields):
    """An organisation, with all names that sources use for it."""

    name: LanguageMap = Field(description="Official name of the organisation, by language.")
    abbreviation: Line | None = Field(default=None, description="The usual short form of the name, such as MOIT.")
    aliases: list[Line] = Field(default=[], max_length=100, description="Other names, spellings and short forms.")
    kind: Annotated[str, PARTNER_KIND] = Field(
        description="Type of organisation. `/v1/codelists/partner_kind` explains the codes."
    )
    description: LanguageMap | None = Field(
        default=None, description="What the partner is, in the words of this registry."
    )
    website: WebUrl | None = Field(default=None, description="URL of the partner's website.")
    logo: WebUrl | None = Field(default=None, description="URL of an image with the partner's logo.")
    contact_page: WebUrl | None = Field(
        default=None, description="URL of the page on which the partner states how to contact it."
    )
    parent: PartnerId | None = Field(default=None, description="Id of the partner that this one is a unit of.")
    country: PlaceId | None = Field(
        default=None, description="Id of its country (a place); null if it is international."
    )
    collective: bool = Field(
        default=False, description="True if it stands for several organisations that are not named."
    )
    period: Edtf | None = Field(
        default=None, description="When it existed under this name; null if that is not recorded."
    )
    succeeded_by: list[PartnerId] = Field(
        default=[], max_length=50, description="Ids of the partners that took over its work."
    )
    merged_into: PartnerId | None = Field(
        default=None, description="Id of the partner that replaces this one, if it was a duplicate."
    )

    def links(self) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Yield the rows of its successors."""
        yield from ((SUCCESSORS, {"successor_id": successor}) for successor in self.succeeded_by)


class PartnerShown(PartnerFields, Record):
    """A partner as the API returns it."""

    resource: Literal["partners"]


class Partner(RecordRow, table=True):
    """The table of partners, with the columns by which lists are filtered and sorted."""

    __tablename__ = "partners"
    __table_args__ = (
        in_codes("kind", PARTNER_KIND),
        *list_indexes(codes=("kind",), sorts=("name_sort",), alone=("period_latest",)),
    )

    kind: str = Field(sa_type=BYTEWISE)
    parent: str | None = Field(sa_type=BYTEWISE, foreign_key="partners.id", index=True)
    # Places and partners refer to each other (`places.managed_by`). This foreign key is added when both tables exist.
    country: str | None = Field(sa_column=Column(BYTEWISE, ForeignKey("places.id", use_alter=True), index=True))
    merged_into: str | None = Field(sa_type=BYTEWISE, foreign_key="partners.id", index=True)
    collective: bool = Field(index=True)
    period_earliest: str | None = Field(sa_type=BYTEWISE)
    period_latest: str | None = Field(sa_type=BYTEWISE)
    name_sort: str = Field(sa_type=BYTEWISE)
    name_text: str = Field(sa_type=Text)


SUCCESSORS = link_table("partners", "successors", refers_to("successor_id", "partners"))


def merged_by_merging(proposal: Proposal) -> Iterator[ErrorItem]:
    """Require that `merged_into` is set only by a merge, which also changes all links to the partner."""
    if proposal.fields.merged_into is not None:
        yield ErrorItem(pointer="/merged_into", code="read_only", detail="Only a merge sets this: POST …/merge.")


PARTNERS = Resource(
    name="partners",
    one="partner",
    about="Organisations, countries as parties, and collectives. Each has one record, whatever its name in a source.",
    fields=PartnerFields,
    shown=PartnerShown,
    table=Partner,
    citations=citation_table("partners"),
    identifiers=identifier_table("partners"),
    number=1,
    names=("name", "abbreviation", "aliases"),
    example="unido",
    rules=(merged_by_merging,),
    trees=("parent", "succeeded_by"),
    filters={
        "kind": EqualFilter(Partner.kind, Annotated[str, PARTNER_KIND], "Partners of one of these kinds."),
        "collective": EqualFilter(
            Partner.collective, bool, "Whether the partner stands for several organisations that are not named."
        ),
        "name": TextFilter(
            Partner.name_text, "Text in the name, abbreviation or an alias. Diacritics and letter case are ignored."
        ),
    },
    sorts={"name": Partner.name_sort},
    links={
        "country": Link("places", (Partner.country,), "Partners of this country.", "places", "partners"),
        "parent": Link(
            "partners", (Partner.parent,), "Units of this partner.", "parent", "units", opposite="parent_of"
        ),
        "succeeded_by": Link(
            "partners",
            (SUCCESSORS.c.successor_id,),
            "Partners whose work this partner took over.",
            "successors",
            opposite="successor_of",
        ),
        "merged_into": Link("partners", (Partner.merged_into,), "Partners that were merged into this partner."),
    },
)
