"""Agreements: what was signed, or is meant to be, as a record of its own."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from sqlalchemy import Table, Text
from sqlmodel import Field

from app.core.database.tables import BYTEWISE, in_codes
from app.core.model.fields import HasIdentifiers, Record, RecordFields
from app.core.model.filters import DuringFilter, EqualFilter, TextFilter
from app.core.model.resource import Link, Resource
from app.core.model.tables import RecordRow, citation_table, identifier_table, link_table, list_indexes, refers_to
from app.core.values.codelists import Code, CodeList
from app.core.values.dates import Edtf
from app.core.values.evidence import Value, Voice
from app.core.values.links import AgreementId, DocumentId, PartnerId, PlaceId, ProjectId
from app.core.values.text import LanguageMap, Line

AGREEMENT_KIND = CodeList(
    "agreement_kind",
    "The form of an agreement.",
    {
        "memorandum_of_understanding": Code("Memorandum of understanding", "Biên bản ghi nhớ"),
        "framework_agreement": Code("Framework agreement", "Thỏa thuận khung"),
        "free_trade_agreement": Code("Free trade agreement", "Hiệp định thương mại tự do"),
        "treaty": Code("Treaty or intergovernmental agreement", "Hiệp định, điều ước quốc tế"),
        "loan_agreement": Code("Loan agreement", "Hiệp định vay"),
        "grant_agreement": Code("Grant agreement", "Hiệp định tài trợ"),
        "letter_of_intent": Code("Letter of intent", "Ý định thư"),
        "contract": Code("Contract", "Hợp đồng"),
        "project_document": Code("Project document", "Văn kiện dự án"),
        "other": Code("Other", "Khác"),
    },
)
AGREEMENT_STATUS = CodeList(
    "agreement_status",
    "Where an agreement stands, as the latest cited document says.",
    {
        "intended": Code("Intended", "Dự kiến"),
        "signed": Code("Signed", "Đã ký"),
        "in_force": Code("In force", "Có hiệu lực"),
        "ended": Code("Ended", "Đã hết hiệu lực"),
        "claimed": Code("Claimed by a speaker, not documented", "Được nêu, chưa có văn bản"),
    },
)


class Party(Value):
    """A side of an agreement."""

    partner: PartnerId
    side: Line | None = Field(default=None, description="The side it signs for, where several sign for one.")


class Signatory(Voice):
    """Who signed, in which office, for which party."""

    for_party: PartnerId | None = Field(default=None, alias="for", description="Id of the party signed for.")


class AgreementFields(HasIdentifiers, RecordFields):
    """A memorandum, treaty, loan, grant or contract between partners."""

    title: LanguageMap
    description: LanguageMap | None = Field(default=None, description="What it is about, in our words.")
    kind: Annotated[str, AGREEMENT_KIND]
    status: Annotated[str, AGREEMENT_STATUS]
    signed_on: Edtf | None = Field(default=None, description="When it was signed, as precisely as stated.")
    signed_in: PlaceId | None = Field(default=None, description="The place where it was signed.")
    period: Edtf | None = Field(default=None, description="The time it covers.")
    parties: list[Party] = Field(default=[], max_length=200)
    signatories: list[Signatory] = Field(default=[], max_length=200)
    projects: list[ProjectId] = Field(default=[], max_length=200, description="Projects it is about.")
    part_of: AgreementId | None = Field(default=None, description="The wider agreement it belongs to.")
    amends: list[AgreementId] = Field(default=[], max_length=50, description="Agreements that it changes or extends.")
    legal_basis: list[DocumentId] = Field(default=[], max_length=50, description="Documents that it rests on.")

    def links(self) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Parties, who signed for whom, projects, amended agreements and legal basis."""
        yield from ((PARTIES, {"partner_id": party.partner}) for party in self.parties)
        for signatory in self.signatories:
            for partner in dict.fromkeys(filter(None, (signatory.partner, signatory.for_party))):
                yield SIGNATORIES, {"partner_id": partner}
        yield from ((PROJECTS_OF, {"project_id": project}) for project in self.projects)
        yield from ((AMENDS, {"amended_id": amended}) for amended in self.amends)
        yield from ((LEGAL_BASIS, {"document_id": document}) for document in self.legal_basis)


class AgreementShown(AgreementFields, Record):
    """An agreement as the registry shows it."""

    resource: Literal["agreements"]


class Agreement(RecordRow, table=True):
    """Columns of agreements that lists filter and sort by."""

    __tablename__ = "agreements"
    __table_args__ = (
        in_codes("kind", AGREEMENT_KIND),
        in_codes("status", AGREEMENT_STATUS),
        *list_indexes(
            codes=("kind", "status"),
            sorts=("title_sort", "signed_on_earliest", "period_earliest"),
            alone=("period_latest",),
        ),
    )

    kind: str = Field(sa_type=BYTEWISE)
    status: str = Field(sa_type=BYTEWISE)
    signed_on_earliest: str | None = Field(sa_type=BYTEWISE)
    signed_on_latest: str | None = Field(sa_type=BYTEWISE)
    signed_in: str | None = Field(sa_type=BYTEWISE, foreign_key="places.id", index=True)
    period_earliest: str | None = Field(sa_type=BYTEWISE)
    period_latest: str | None = Field(sa_type=BYTEWISE)
    part_of: str | None = Field(sa_type=BYTEWISE, foreign_key="agreements.id", index=True)
    title_sort: str = Field(sa_type=BYTEWISE)
    title_text: str = Field(sa_type=Text)


PARTIES = link_table("agreements", "parties", refers_to("partner_id", "partners"))
SIGNATORIES = link_table("agreements", "signatories", refers_to("partner_id", "partners"))
PROJECTS_OF = link_table("agreements", "projects", refers_to("project_id", "projects"))
AMENDS = link_table("agreements", "amends", refers_to("amended_id", "agreements"))
LEGAL_BASIS = link_table("agreements", "legal_basis", refers_to("document_id", "documents"))

AGREEMENTS = Resource(
    name="agreements",
    one="agreement",
    about="Memoranda, treaties, loans and contracts: who agreed with whom, signed by whom, on what legal basis.",
    fields=AgreementFields,
    shown=AgreementShown,
    table=Agreement,
    citations=citation_table("agreements"),
    identifiers=identifier_table("agreements"),
    number=3,
    names=("title",),
    example="smart-factory-mou-2022",
    trees=("part_of", "amends"),
    filters={
        "kind": EqualFilter(Agreement.kind, Annotated[str, AGREEMENT_KIND], "Of any of these kinds."),
        "status": EqualFilter(Agreement.status, Annotated[str, AGREEMENT_STATUS], "In any of these states."),
        "title": TextFilter(Agreement.title_text),
        "signed_on": DuringFilter(Agreement.signed_on_earliest, Agreement.signed_on_latest, "When it was signed."),
        "period": DuringFilter(Agreement.period_earliest, Agreement.period_latest, "The time it covers."),
    },
    sorts={
        "title": Agreement.title_sort,
        "signed_on": Agreement.signed_on_earliest,
        "period": Agreement.period_earliest,
        "status": Agreement.status,
    },
    links={
        "partner": Link(
            "partners",
            (PARTIES.c.partner_id, SIGNATORIES.c.partner_id),
            "With this partner as party or signatory.",
            "partners",
            "agreements",
        ),
        "party": Link("partners", (PARTIES.c.partner_id,), "With this partner as a party."),
        "signatory": Link("partners", (SIGNATORIES.c.partner_id,), "Signed by or for this partner."),
        "project": Link("projects", (PROJECTS_OF.c.project_id,), "About this project.", "projects", "agreements"),
        "place": Link("places", (Agreement.signed_in,), "Signed in this place.", "places", "agreements", tree=True),
        "part_of": Link(
            "agreements", (Agreement.part_of,), "Part of this agreement.", "whole", "parts", opposite="whole_of"
        ),
        "amends": Link(
            "agreements", (AMENDS.c.amended_id,), "Changing this agreement.", "amended", opposite="amended_by"
        ),
        "legal_basis": Link(
            "documents", (LEGAL_BASIS.c.document_id,), "Resting on this document.", "legal_basis", opposite="basis_of"
        ),
    },
)
