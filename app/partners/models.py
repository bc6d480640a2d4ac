"""Partners: organisations, countries acting as a side, and collectives such as «the localities»."""

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
from app.core.writing.integrity import Proposal

PARTNER_KIND = CodeList(
    "partner_kind",
    "What sort of organisation a partner is; `iati` is its IATI OrganisationType.",
    {
        "state": Code("Country acting as a side", "Quốc gia với tư cách một bên", "10"),
        "government": Code("Government, ministry or central agency", "Chính phủ, bộ, cơ quan trung ương", "10"),
        "local_government": Code("Local government or provincial agency", "Chính quyền, cơ quan địa phương", "11"),
        "other_public": Code("Other public body", "Cơ quan công khác", "15"),
        "international_organisation": Code("International organisation", "Tổ chức quốc tế", "40"),
        "ngo": Code("Non-governmental organisation", "Tổ chức phi chính phủ", "21"),
        "company": Code("Company", "Doanh nghiệp", "70"),
        "academic": Code("Academic, training or research", "Đào tạo, nghiên cứu", "80"),
        "media": Code("Media", "Báo chí", "90"),
        "collective": Code("Collective of organisations", "Tập hợp các tổ chức", "90"),
        "other": Code("Other", "Khác", "90"),
    },
    iati="OrganisationType",
)


class PartnerFields(HasIdentifiers, RecordFields):
    """An organisation under all the spellings that sources use for it."""

    name: LanguageMap
    abbreviation: Line | None = Field(default=None, description="The usual short form, such as MOIT.")
    aliases: list[Line] = Field(default=[], max_length=100, description="Other spellings and short forms.")
    kind: Annotated[str, PARTNER_KIND]
    description: LanguageMap | None = Field(default=None, description="What it is, in our words.")
    parent: PartnerId | None = Field(default=None, description="The partner it is a unit of.")
    country: PlaceId | None = Field(default=None, description="The place (country) it belongs to; null: international.")
    collective: bool = Field(default=False, description="True when it stands for several that are not named.")
    period: Edtf | None = Field(default=None, description="When it existed under this name; null: no limits recorded.")
    succeeded_by: list[PartnerId] = Field(default=[], max_length=50, description="Partners that took over its work.")
    merged_into: PartnerId | None = Field(
        default=None, description="The record that replaces this one, if it was a twin."
    )

    def links(self) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Its successors."""
        yield from ((SUCCESSORS, {"successor_id": successor}) for successor in self.succeeded_by)


class PartnerShown(PartnerFields, Record):
    """A partner as the registry shows it."""

    resource: Literal["partners"]


class Partner(RecordRow, table=True):
    """Columns of partners that lists filter and sort by."""

    __tablename__ = "partners"
    __table_args__ = (
        in_codes("kind", PARTNER_KIND),
        *list_indexes(codes=("kind",), sorts=("name_sort",), alone=("period_latest",)),
    )

    kind: str = Field(sa_type=BYTEWISE)
    parent: str | None = Field(sa_type=BYTEWISE, foreign_key="partners.id", index=True)
    # Places have a keeper among the partners: of the two tables' keys, this is the one to add last.
    country: str | None = Field(sa_column=Column(BYTEWISE, ForeignKey("places.id", use_alter=True), index=True))
    merged_into: str | None = Field(sa_type=BYTEWISE, foreign_key="partners.id", index=True)
    collective: bool = Field(index=True)
    period_earliest: str | None = Field(sa_type=BYTEWISE)
    period_latest: str | None = Field(sa_type=BYTEWISE)
    name_sort: str = Field(sa_type=BYTEWISE)
    name_text: str = Field(sa_type=Text)


SUCCESSORS = link_table("partners", "successors", refers_to("successor_id", "partners"))


def merged_by_merging(proposal: Proposal) -> Iterator[ErrorItem]:
    """`merged_into` is written by merging, which rewrites all links too."""
    if proposal.fields.merged_into is not None:
        yield ErrorItem(pointer="/merged_into", code="read_only", detail="Merge the partner: POST …/merge.")


PARTNERS = Resource(
    name="partners",
    one="partner",
    about="Organisations, countries acting as a side, and collectives: one record each, whatever the spelling.",
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
        "kind": EqualFilter(Partner.kind, Annotated[str, PARTNER_KIND], "Of any of these kinds."),
        "collective": EqualFilter(Partner.collective, bool, "Whether it stands for several that are not named."),
        "name": TextFilter(Partner.name_text, "Text in a name, abbreviation or alias, with or without diacritics."),
    },
    sorts={"name": Partner.name_sort},
    links={
        "country": Link("places", (Partner.country,), "Belonging to this country.", "places", "partners"),
        "parent": Link(
            "partners", (Partner.parent,), "A unit of this partner.", "parent", "units", opposite="parent_of"
        ),
        "succeeded_by": Link(
            "partners",
            (SUCCESSORS.c.successor_id,),
            "Its work went to this partner.",
            "successors",
            opposite="successor_of",
        ),
        "merged_into": Link("partners", (Partner.merged_into,), "Replaced by this partner."),
    },
)
