"""Agreements between partners: signed, intended, or claimed by a speaker."""

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
from app.core.values.text import LanguageMap, TextOrLanguageMap

AGREEMENT_KIND = CodeList(
    "agreement_kind",
    "The legal form of an agreement. Use the most specific code that the source supports. "
    "`memorandum_of_understanding`: it states what the sides intend to do together, mostly without legal duties. "
    "`framework_agreement`: it sets the rules for later agreements or projects. "
    "`free_trade_agreement`: countries reduce tariffs and other barriers to their trade. "
    "`treaty`: another agreement between governments that binds them by law. "
    "`loan_agreement`: money that has to be paid back. "
    "`grant_agreement`: money or goods that do not have to be paid back. "
    "`letter_of_intent`: a short declaration, often of one side, that an agreement is wanted. "
    "`contract`: one side delivers goods or services and the other one pays for them. "
    "`project_document`: the plan of one project with its aims, work and budget, which its partners sign. "
    "`other`: the source names another form, or none.",
    {
        "memorandum_of_understanding": Code("Memorandum of understanding", "Biên bản ghi nhớ"),
        "framework_agreement": Code("Framework agreement", "Thỏa thuận khung"),
        "free_trade_agreement": Code("Free trade agreement", "Hiệp định thương mại tự do"),
        "treaty": Code("Treaty or other intergovernmental agreement", "Hiệp định, điều ước quốc tế"),
        "loan_agreement": Code("Loan agreement", "Hiệp định vay"),
        "grant_agreement": Code("Grant agreement", "Hiệp định tài trợ"),
        "letter_of_intent": Code("Letter of intent", "Ý định thư"),
        "contract": Code("Contract", "Hợp đồng"),
        "project_document": Code("Project document", "Văn kiện dự án"),
        "other": Code("Other form of agreement", "Khác"),
    },
)
AGREEMENT_STATUS = CodeList(
    "agreement_status",
    "The stage that an agreement has reached, according to the latest document that it cites. "
    "`intended`: the sides want to sign it. "
    "`signed`: it was signed, and no source states that it applies. "
    "`in_force`: a source states that it applies. "
    "`ended`: it expired, was terminated or was replaced. "
    "`claimed`: only a speaker mentioned it, and no document shows that it was signed.",
    {
        "intended": Code("Intended, not yet signed", "Dự kiến"),
        "signed": Code("Signed", "Đã ký"),
        "in_force": Code("In force", "Có hiệu lực"),
        "ended": Code("No longer in force", "Đã hết hiệu lực"),
        "claimed": Code("Claimed by a speaker, not documented", "Được nêu, chưa có văn bản"),
    },
)


class Party(Value):
    """A partner that is a party to an agreement."""

    partner: PartnerId = Field(description="Id of the partner.")
    side: TextOrLanguageMap | None = Field(
        default=None,
        description="Name of the side of the agreement to which it belongs, such as the country it represents, by "
        "language. A plain text is accepted as `und`, a text whose language is not stated.",
    )


class Signatory(Voice):
    """A person or office that signed an agreement, and the party on whose behalf."""

    for_party: PartnerId | None = Field(
        default=None, alias="for", description="Id of the party on whose behalf they signed."
    )


class AgreementFields(HasIdentifiers, RecordFields):
    """A memorandum of understanding, treaty, loan, grant, contract or other agreement between partners."""

    title: LanguageMap = Field(description="Title of the agreement.")
    description: LanguageMap | None = Field(
        default=None, description="Summary of the agreement, in the words of the registry."
    )
    kind: Annotated[str, AGREEMENT_KIND] = Field(description="Legal form, a code of the list `agreement_kind`.")
    status: Annotated[str, AGREEMENT_STATUS] = Field(
        description="Stage according to the latest cited document, a code of the list `agreement_status`."
    )
    signed_on: Edtf | None = Field(default=None, description="Date of signature, as precisely as the source states it.")
    signed_in: PlaceId | None = Field(default=None, description="Id of the place where it was signed.")
    period: Edtf | None = Field(default=None, description="Period that the agreement covers.")
    parties: list[Party] = Field(default=[], max_length=200, description="Partners that are parties to it.")
    signatories: list[Signatory] = Field(
        default=[], max_length=200, description="Persons and offices that signed it, as the source names them."
    )
    projects: list[ProjectId] = Field(default=[], max_length=200, description="Ids of the projects it is about.")
    part_of: AgreementId | None = Field(default=None, description="Id of the wider agreement to which it belongs.")
    amends: list[AgreementId] = Field(
        default=[], max_length=50, description="Ids of the agreements that it changes or extends."
    )
    legal_basis: list[DocumentId] = Field(
        default=[], max_length=50, description="Ids of the legal instruments and other documents on which it is based."
    )

    def links(self) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Return the link rows of its parties, signatories, projects, amended agreements and legal basis."""
        yield from ((PARTIES, {"partner_id": party.partner}) for party in self.parties)
        for signatory in self.signatories:
            for partner in dict.fromkeys(filter(None, (signatory.partner, signatory.for_party))):
                yield SIGNATORIES, {"partner_id": partner}
        yield from ((PROJECTS_OF, {"project_id": project}) for project in self.projects)
        yield from ((AMENDS, {"amended_id": amended}) for amended in self.amends)
        yield from ((LEGAL_BASIS, {"document_id": document}) for document in self.legal_basis)


class AgreementShown(AgreementFields, Record):
    """An agreement as the registry returns it."""

    resource: Literal["agreements"]


class Agreement(RecordRow, table=True):
    """The table of agreements: one row each, with the columns that lists filter and sort by."""

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
    about="Memoranda, treaties, loans, grants and contracts, with their parties, signatories and legal basis.",
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
        "kind": EqualFilter(Agreement.kind, Annotated[str, AGREEMENT_KIND], "Has any of these kinds."),
        "status": EqualFilter(Agreement.status, Annotated[str, AGREEMENT_STATUS], "Has any of these statuses."),
        "title": TextFilter(Agreement.title_text),
        "signed_on": DuringFilter(Agreement.signed_on_earliest, Agreement.signed_on_latest, "Date of signature."),
        "period": DuringFilter(Agreement.period_earliest, Agreement.period_latest, "Period that it covers."),
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
            "Has this partner as a party or signatory.",
            "partners",
            "agreements",
        ),
        "party": Link("partners", (PARTIES.c.partner_id,), "Has this partner as a party."),
        "signatory": Link("partners", (SIGNATORIES.c.partner_id,), "Was signed by or on behalf of this partner."),
        "project": Link("projects", (PROJECTS_OF.c.project_id,), "Is about this project.", "projects", "agreements"),
        "place": Link("places", (Agreement.signed_in,), "Was signed in this place.", "places", "agreements", tree=True),
        "part_of": Link(
            "agreements", (Agreement.part_of,), "Is part of this agreement.", "whole", "parts", opposite="whole_of"
        ),
        "amends": Link(
            "agreements", (AMENDS.c.amended_id,), "Changes or extends this agreement.", "amended", opposite="amended_by"
        ),
        "legal_basis": Link(
            "documents", (LEGAL_BASIS.c.document_id,), "Is based on this document.", "legal_basis", opposite="basis_of"
        ),
    },
)
