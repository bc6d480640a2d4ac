"""The types of records, pages and filters. Written from the contract by `tools/python_client.py`.

They describe what a registry of this version sends. A later version can add members and codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NotRequired, TypedDict

ActionCode = Literal["create", "update", "delete"]
AgreementKindCode = Literal[
    "memorandum_of_understanding",
    "framework_agreement",
    "free_trade_agreement",
    "treaty",
    "loan_agreement",
    "grant_agreement",
    "letter_of_intent",
    "contract",
    "project_document",
    "other",
]
AgreementStatusCode = Literal["intended", "signed", "in_force", "ended", "claimed"]
AuditRuleCode = Literal[
    "agreement_with_one_party",
    "agreement_without_parties",
    "duration_disagrees_with_period",
    "fact_in_future",
    "figure_without_document",
    "figure_without_partner",
    "garbled_text",
    "impossible_count",
    "link_to_ended",
    "milestone_outside_project",
    "name_of_curated_partner",
    "overdue_agreement",
    "overdue_milestone",
    "overdue_project",
    "overdue_statement",
    "overdue_target",
    "parts_exceed_total",
    "parts_short_of_total",
    "percentage_disagrees_with_base",
    "plan_misses_target",
    "result_without_end",
    "result_without_period",
    "same_as_differs",
    "signing_dates_disagree",
    "sources_disagree",
]
AuditSeverityCode = Literal["note", "warning", "error"]
BasisCode = Literal["stated", "inferred", "external"]
BudgetStatusCode = Literal["indicative", "committed"]
BudgetTypeCode = Literal["original", "revised"]
ComparedByCode = Literal["relation", "period"]
DirectionCode = Literal["up", "down", "none"]
DocumentKindCode = Literal[
    "news", "legal_instrument", "strategy_or_plan", "publication", "international_goals", "report", "web_page"
]
DocumentStatusCode = Literal["in_force", "draft", "proposed", "unknown"]
FigureKindCode = Literal["target", "plan", "actual", "baseline", "context", "rank", "duration"]
FigureRelationCode = Literal["part_of", "share_of", "change_of", "compared_with", "same_as"]
MeasuredCode = Literal["over_period", "cumulative", "at_date"]
MilestoneKindCode = Literal[
    "meeting",
    "visit",
    "signing",
    "approval",
    "launch",
    "start",
    "end",
    "completion",
    "publication",
    "training",
    "chairmanship",
    "target_date",
    "consultation",
    "event",
]
MilestoneStatusCode = Literal["planned", "done", "cancelled", "unknown"]
NoPercentageCode = Literal[
    "no_target", "no_actual", "no_value", "zero_target", "negative", "uncertain", "part_of_period", "competing"
]
PartnerKindCode = Literal[
    "state",
    "government",
    "local_government",
    "other_public",
    "international_organisation",
    "ngo",
    "company",
    "academic",
    "media",
    "collective",
    "other",
]
PartnerRoleCode = Literal[
    "funding", "accountable", "extending", "implementing", "lead", "counterpart", "beneficiary", "host"
]
PlaceLevelCode = Literal["world", "world_region", "country", "region", "province", "locality"]
PointPrecisionCode = Literal["exact", "centre", "seat", "centroid"]
ProjectKindCode = Literal[
    "framework",
    "programme",
    "project",
    "phase",
    "batch",
    "group",
    "initiative",
    "plan",
    "mechanism",
    "requested_support",
]
ProjectStatusCode = Literal[
    "requested", "proposed", "committed", "agreed", "active", "past", "completed", "suspended", "cancelled", "unknown"
]
QualifierCode = Literal[
    "exact", "about", "nearly", "more_than", "less_than", "at_least", "at_most", "as_many_as", "one_of"
]
SearchReadingCode = Literal["all_words", "corrected", "other_diacritics", "some_words"]
SearchTierCode = Literal["whole_name", "in_names", "in_texts", "in_links", "some_words"]
ShownCode = Literal["create", "update", "delete", "redact"]
StateCode = Literal["published", "draft"]
StatementKindCode = Literal[
    "request", "commitment", "recommendation", "objective", "plan", "expectation", "claim", "assessment"
]
TimelineWhatCode = Literal["milestone", "signing", "start", "end", "due"]
TransactionKindCode = Literal[
    "budget",
    "planned_disbursement",
    "incoming_funds",
    "outgoing_commitment",
    "disbursement",
    "expenditure",
    "interest_payment",
    "loan_repayment",
    "reimbursement",
    "purchase_of_equity",
    "sale_of_equity",
    "credit_guarantee",
    "incoming_commitment",
    "outgoing_pledge",
    "incoming_pledge",
]

Signatory = TypedDict(
    "Signatory",
    {
        "name": "NotRequired[str | None]",
        "office": "NotRequired[dict[str, str] | None]",
        "partner": "NotRequired[str | None]",
        "for": "NotRequired[str | None]",
    },
)


class Agreement(TypedDict):
    """An agreement as the registry returns it."""

    resource: Literal["agreements"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    identifiers: list[Identifier]
    title: dict[str, str]
    description: dict[str, str] | None
    kind: AgreementKindCode
    status: AgreementStatusCode
    signed_on: Edtf | None
    signed_in: str | None
    period: Edtf | None
    parties: list[Party]
    signatories: list[Signatory]
    projects: list[str]
    part_of: str | None
    amends: list[str]
    legal_basis: list[str]
    labels: NotRequired[dict[str, str]]


class AgreementChanges(TypedDict):
    """A memorandum of understanding, treaty, loan, grant, contract or other agreement between partners."""

    resource: NotRequired[Literal["agreements"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    identifiers: NotRequired[list[Identifier]]
    title: NotRequired[dict[str, str]]
    description: NotRequired[dict[str, str] | None]
    kind: NotRequired[AgreementKindCode]
    status: NotRequired[AgreementStatusCode]
    signed_on: NotRequired[Edtf | str | None]
    signed_in: NotRequired[str | None]
    period: NotRequired[Edtf | str | None]
    parties: NotRequired[list[Party]]
    signatories: NotRequired[list[Signatory]]
    projects: NotRequired[list[str]]
    part_of: NotRequired[str | None]
    amends: NotRequired[list[str]]
    legal_basis: NotRequired[list[str]]
    labels: NotRequired[dict[str, str]]


class AgreementDetail(TypedDict):
    """An agreement as the registry returns it."""

    resource: Literal["agreements"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    identifiers: list[Identifier]
    title: dict[str, str]
    description: dict[str, str] | None
    kind: AgreementKindCode
    status: AgreementStatusCode
    signed_on: Edtf | None
    signed_in: str | None
    period: Edtf | None
    parties: list[Party]
    signatories: list[Signatory]
    projects: list[str]
    part_of: str | None
    amends: list[str]
    legal_basis: list[str]
    labels: NotRequired[dict[str, str]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]


class AgreementFields(TypedDict):
    """A memorandum of understanding, treaty, loan, grant, contract or other agreement between partners."""

    resource: NotRequired[Literal["agreements"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    identifiers: NotRequired[list[Identifier]]
    title: dict[str, str]
    description: NotRequired[dict[str, str] | None]
    kind: AgreementKindCode
    status: AgreementStatusCode
    signed_on: NotRequired[Edtf | str | None]
    signed_in: NotRequired[str | None]
    period: NotRequired[Edtf | str | None]
    parties: NotRequired[list[Party]]
    signatories: NotRequired[list[Signatory]]
    projects: NotRequired[list[str]]
    part_of: NotRequired[str | None]
    amends: NotRequired[list[str]]
    legal_basis: NotRequired[list[str]]
    labels: NotRequired[dict[str, str]]


class AgreementFilters(TypedDict):
    """Filters of the list of agreements."""

    id: NotRequired[str | Sequence[str]]
    identifier: NotRequired[str]
    kind: NotRequired[AgreementKindCode | Sequence[AgreementKindCode]]
    status: NotRequired[AgreementStatusCode | Sequence[AgreementStatusCode]]
    title: NotRequired[str]
    signed_on: NotRequired[str]
    signed_on_gte: NotRequired[str]
    signed_on_gt: NotRequired[str]
    signed_on_lte: NotRequired[str]
    signed_on_lt: NotRequired[str]
    period: NotRequired[str]
    period_gte: NotRequired[str]
    period_gt: NotRequired[str]
    period_lte: NotRequired[str]
    period_lt: NotRequired[str]
    partner: NotRequired[str | Sequence[str]]
    party: NotRequired[str | Sequence[str]]
    signatory: NotRequired[str | Sequence[str]]
    project: NotRequired[str | Sequence[str]]
    place: NotRequired[str | Sequence[str]]
    part_of: NotRequired[str | Sequence[str]]
    amends: NotRequired[str | Sequence[str]]
    legal_basis: NotRequired[str | Sequence[str]]
    managed_by: NotRequired[str | Sequence[str]]
    document: NotRequired[str | Sequence[str]]
    whole_of: NotRequired[str | Sequence[str]]
    whole_of_none: NotRequired[bool]
    amended_by: NotRequired[str | Sequence[str]]
    amended_by_none: NotRequired[bool]
    milestone: NotRequired[str | Sequence[str]]
    milestone_none: NotRequired[bool]
    statement: NotRequired[str | Sequence[str]]
    statement_none: NotRequired[bool]
    figure: NotRequired[str | Sequence[str]]
    figure_none: NotRequired[bool]
    transaction: NotRequired[str | Sequence[str]]
    transaction_none: NotRequired[bool]
    updated_at_gte: NotRequired[str]
    updated_at_gt: NotRequired[str]
    updated_at_lte: NotRequired[str]
    updated_at_lt: NotRequired[str]
    id_not: NotRequired[str | Sequence[str]]
    identifier_none: NotRequired[bool]
    kind_not: NotRequired[AgreementKindCode | Sequence[AgreementKindCode]]
    status_not: NotRequired[AgreementStatusCode | Sequence[AgreementStatusCode]]
    signed_on_none: NotRequired[bool]
    period_none: NotRequired[bool]
    partner_not: NotRequired[str | Sequence[str]]
    partner_none: NotRequired[bool]
    party_not: NotRequired[str | Sequence[str]]
    party_none: NotRequired[bool]
    signatory_not: NotRequired[str | Sequence[str]]
    signatory_none: NotRequired[bool]
    project_not: NotRequired[str | Sequence[str]]
    project_none: NotRequired[bool]
    place_not: NotRequired[str | Sequence[str]]
    place_none: NotRequired[bool]
    part_of_not: NotRequired[str | Sequence[str]]
    part_of_none: NotRequired[bool]
    amends_not: NotRequired[str | Sequence[str]]
    amends_none: NotRequired[bool]
    legal_basis_not: NotRequired[str | Sequence[str]]
    legal_basis_none: NotRequired[bool]
    managed_by_not: NotRequired[str | Sequence[str]]
    managed_by_none: NotRequired[bool]
    document_not: NotRequired[str | Sequence[str]]
    document_none: NotRequired[bool]
    whole_of_not: NotRequired[str | Sequence[str]]
    amended_by_not: NotRequired[str | Sequence[str]]
    milestone_not: NotRequired[str | Sequence[str]]
    statement_not: NotRequired[str | Sequence[str]]
    figure_not: NotRequired[str | Sequence[str]]
    transaction_not: NotRequired[str | Sequence[str]]
    sort: NotRequired[str]
    state: NotRequired[StateCode]
    labels: NotRequired[Literal["vi", "en"]]
    lang: NotRequired[Literal["vi", "en"]]


class AgreementPage(TypedDict):
    """A page of agreements."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[Agreement]


class AuditPage(TypedDict):
    """Findings, ordered by rule, resource and id."""

    as_of: str
    items: list[Finding]
    next: str | None


class Change(TypedDict):
    """A Change, as it is shown to readers who cannot see drafts."""

    sequence: int
    at: NotRequired[str]
    actor: NotRequired[str]
    partner: NotRequired[str | None]
    action: NotRequired[ShownCode]
    resource: NotRequired[str]
    id: NotRequired[str]
    version: NotRequired[int]
    proof: NotRequired[Proof]
    record: NotRequired[
        Project | Partner | Agreement | Milestone | Statement | Figure | Indicator | Transaction | Document | Place
    ]


class ChangesPage(TypedDict):
    """A page of the change feed, in the order of commits."""

    items: list[Change]
    next: str
    last: int


class Citation(TypedDict):
    """A paragraph of a document, with the words that support a record or some of its fields."""

    document: str
    paragraph: NotRequired[int | None]
    as_written: NotRequired[str | None]
    supports: NotRequired[list[str]]
    basis: NotRequired[BasisCode]
    note: NotRequired[dict[str, str] | None]


class Comparison(TypedDict):
    """An actual compared with its target."""

    actual: str | None
    added: list[str]
    date: str | None
    target: str | None
    compared_by: ComparedByCode | None
    percentage: int | float | None
    percentage_high: int | float | None
    gap: int | float | None
    gap_high: int | float | None
    qualifier: QualifierCode | None
    reached: bool | None
    computed: str | None
    why_not: NoPercentageCode | None


class Computed(TypedDict):
    """The computation that led to a finding."""

    how: str
    expected: int | float | str | None
    found: int | float | str | None


class DetailParams(TypedDict):
    """Parameters of a detail."""

    labels: NotRequired[Literal["vi", "en"]]
    lang: NotRequired[Literal["vi", "en"]]
    as_of: NotRequired[str]


class Document(TypedDict):
    """A document as the registry returns it."""

    resource: Literal["documents"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    identifiers: list[Identifier]
    kind: DocumentKindCode
    status: DocumentStatusCode | None
    title: dict[str, str]
    description: dict[str, str] | None
    number: str | None
    issuer: str | None
    publisher: str | None
    published_on: Edtf | None
    happened_on: Edtf | None
    language: str | None
    url: str | None
    sha256: str | None
    paragraphs: int | None
    labels: NotRequired[dict[str, str]]


class DocumentChanges(TypedDict):
    """A text that records cite, or an instrument, plan or publication that they refer to."""

    resource: NotRequired[Literal["documents"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    identifiers: NotRequired[list[Identifier]]
    kind: NotRequired[DocumentKindCode]
    status: NotRequired[DocumentStatusCode | None]
    title: NotRequired[dict[str, str]]
    description: NotRequired[dict[str, str] | None]
    number: NotRequired[str | None]
    issuer: NotRequired[str | None]
    publisher: NotRequired[str | None]
    published_on: NotRequired[Edtf | str | None]
    happened_on: NotRequired[Edtf | str | None]
    language: NotRequired[str | None]
    url: NotRequired[str | None]
    sha256: NotRequired[str | None]
    paragraphs: NotRequired[int | None]
    labels: NotRequired[dict[str, str]]


class DocumentDetail(TypedDict):
    """A document as the registry returns it."""

    resource: Literal["documents"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    identifiers: list[Identifier]
    kind: DocumentKindCode
    status: DocumentStatusCode | None
    title: dict[str, str]
    description: dict[str, str] | None
    number: str | None
    issuer: str | None
    publisher: str | None
    published_on: Edtf | None
    happened_on: Edtf | None
    language: str | None
    url: str | None
    sha256: str | None
    paragraphs: int | None
    labels: NotRequired[dict[str, str]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]


class DocumentFields(TypedDict):
    """A text that records cite, or an instrument, plan or publication that they refer to."""

    resource: NotRequired[Literal["documents"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    identifiers: NotRequired[list[Identifier]]
    kind: DocumentKindCode
    status: NotRequired[DocumentStatusCode | None]
    title: dict[str, str]
    description: NotRequired[dict[str, str] | None]
    number: NotRequired[str | None]
    issuer: NotRequired[str | None]
    publisher: NotRequired[str | None]
    published_on: NotRequired[Edtf | str | None]
    happened_on: NotRequired[Edtf | str | None]
    language: NotRequired[str | None]
    url: NotRequired[str | None]
    sha256: NotRequired[str | None]
    paragraphs: NotRequired[int | None]
    labels: NotRequired[dict[str, str]]


class DocumentFilters(TypedDict):
    """Filters of the list of documents."""

    id: NotRequired[str | Sequence[str]]
    identifier: NotRequired[str]
    kind: NotRequired[DocumentKindCode | Sequence[DocumentKindCode]]
    status: NotRequired[DocumentStatusCode | Sequence[DocumentStatusCode]]
    number: NotRequired[str | Sequence[str]]
    title: NotRequired[str]
    published_on: NotRequired[str]
    published_on_gte: NotRequired[str]
    published_on_gt: NotRequired[str]
    published_on_lte: NotRequired[str]
    published_on_lt: NotRequired[str]
    happened_on: NotRequired[str]
    happened_on_gte: NotRequired[str]
    happened_on_gt: NotRequired[str]
    happened_on_lte: NotRequired[str]
    happened_on_lt: NotRequired[str]
    issuer: NotRequired[str | Sequence[str]]
    managed_by: NotRequired[str | Sequence[str]]
    document: NotRequired[str | Sequence[str]]
    project: NotRequired[str | Sequence[str]]
    project_none: NotRequired[bool]
    partner: NotRequired[str | Sequence[str]]
    partner_none: NotRequired[bool]
    basis_of: NotRequired[str | Sequence[str]]
    basis_of_none: NotRequired[bool]
    agreement: NotRequired[str | Sequence[str]]
    agreement_none: NotRequired[bool]
    treated_at: NotRequired[str | Sequence[str]]
    treated_at_none: NotRequired[bool]
    milestone: NotRequired[str | Sequence[str]]
    milestone_none: NotRequired[bool]
    spoken_of_by: NotRequired[str | Sequence[str]]
    spoken_of_by_none: NotRequired[bool]
    statement: NotRequired[str | Sequence[str]]
    statement_none: NotRequired[bool]
    measured_by: NotRequired[str | Sequence[str]]
    measured_by_none: NotRequired[bool]
    figure: NotRequired[str | Sequence[str]]
    figure_none: NotRequired[bool]
    indicator: NotRequired[str | Sequence[str]]
    indicator_none: NotRequired[bool]
    transaction: NotRequired[str | Sequence[str]]
    transaction_none: NotRequired[bool]
    place: NotRequired[str | Sequence[str]]
    place_none: NotRequired[bool]
    updated_at_gte: NotRequired[str]
    updated_at_gt: NotRequired[str]
    updated_at_lte: NotRequired[str]
    updated_at_lt: NotRequired[str]
    id_not: NotRequired[str | Sequence[str]]
    identifier_none: NotRequired[bool]
    kind_not: NotRequired[DocumentKindCode | Sequence[DocumentKindCode]]
    status_not: NotRequired[DocumentStatusCode | Sequence[DocumentStatusCode]]
    status_none: NotRequired[bool]
    number_not: NotRequired[str | Sequence[str]]
    number_none: NotRequired[bool]
    published_on_none: NotRequired[bool]
    happened_on_none: NotRequired[bool]
    issuer_not: NotRequired[str | Sequence[str]]
    issuer_none: NotRequired[bool]
    managed_by_not: NotRequired[str | Sequence[str]]
    managed_by_none: NotRequired[bool]
    document_not: NotRequired[str | Sequence[str]]
    document_none: NotRequired[bool]
    project_not: NotRequired[str | Sequence[str]]
    partner_not: NotRequired[str | Sequence[str]]
    basis_of_not: NotRequired[str | Sequence[str]]
    agreement_not: NotRequired[str | Sequence[str]]
    treated_at_not: NotRequired[str | Sequence[str]]
    milestone_not: NotRequired[str | Sequence[str]]
    spoken_of_by_not: NotRequired[str | Sequence[str]]
    statement_not: NotRequired[str | Sequence[str]]
    measured_by_not: NotRequired[str | Sequence[str]]
    figure_not: NotRequired[str | Sequence[str]]
    indicator_not: NotRequired[str | Sequence[str]]
    transaction_not: NotRequired[str | Sequence[str]]
    place_not: NotRequired[str | Sequence[str]]
    sort: NotRequired[str]
    state: NotRequired[StateCode]
    labels: NotRequired[Literal["vi", "en"]]
    lang: NotRequired[Literal["vi", "en"]]


class DocumentPage(TypedDict):
    """A page of documents."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[Document]


class Edtf(TypedDict):
    """A date as precise as in the source, with the first and the last day that it can mean (null if open)."""

    edtf: str
    earliest: NotRequired[str | None]
    latest: NotRequired[str | None]


class Entry(TypedDict):
    """One dated event of a milestone, agreement, project or statement."""

    what: TimelineWhatCode
    at: str
    date: Edtf
    precision: Literal["year", "quarter", "month", "day", "minute", "interval"]
    resource: Literal["milestones", "agreements", "projects", "statements"]
    id: str
    field: Literal["date", "signed_on", "period", "due"]
    kind: str
    kind_list: str
    title: dict[str, str]
    status: str | None
    status_list: str | None
    projects: list[str]
    agreement: str | None
    places: list[str]
    partners: list[str]
    inferred: list[str]
    labels: NotRequired[dict[str, str]]


class ErrorItem(TypedDict):
    """One error in a request, with its location."""

    parameter: NotRequired[str | None]
    pointer: NotRequired[str | None]
    code: str
    detail: str


class Event(TypedDict):
    """The body of a webhook."""

    type: Literal[
        "agreement.created",
        "agreement.updated",
        "agreement.deleted",
        "agreement.redacted",
        "document.created",
        "document.updated",
        "document.deleted",
        "document.redacted",
        "figure.created",
        "figure.updated",
        "figure.deleted",
        "figure.redacted",
        "indicator.created",
        "indicator.updated",
        "indicator.deleted",
        "indicator.redacted",
        "milestone.created",
        "milestone.updated",
        "milestone.deleted",
        "milestone.redacted",
        "partner.created",
        "partner.updated",
        "partner.deleted",
        "partner.redacted",
        "place.created",
        "place.updated",
        "place.deleted",
        "place.redacted",
        "project.created",
        "project.updated",
        "project.deleted",
        "project.redacted",
        "statement.created",
        "statement.updated",
        "statement.deleted",
        "statement.redacted",
        "transaction.created",
        "transaction.updated",
        "transaction.deleted",
        "transaction.redacted",
        "webhook.test",
    ]
    timestamp: str
    data: Told | Tested


class Evidence(TypedDict):
    """A citation, with the record that it belongs to."""

    document: str
    paragraph: NotRequired[int | None]
    as_written: NotRequired[str | None]
    supports: NotRequired[list[str]]
    basis: NotRequired[BasisCode]
    note: NotRequired[dict[str, str] | None]
    resource: str
    id: str


class FacetValue(TypedDict):
    """A value, and the number of records that have it."""

    value: str
    label: dict[str, str] | None
    count: int


class FacetValues(TypedDict):
    """The values of one facet: the most frequent first, then in the order of the values."""

    values: list[FacetValue]
    more: bool


class Facets(TypedDict):
    """The requested facets, by name."""

    facets: dict[str, FacetValues]
    hints: NotRequired[list[Hint]]


class FeedFilters(TypedDict):
    """Filters, see `/reference`."""

    resource: NotRequired[str | Sequence[str]]
    partner: NotRequired[str]
    record: NotRequired[str]
    proof: NotRequired[bool]


class FieldChange(TypedDict):
    """A difference between two versions."""

    pointer: str
    before: NotRequired[Any]
    after: NotRequired[Any]


class Figure(TypedDict):
    """A figure as the registry returns it."""

    resource: Literal["figures"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    indicator: str
    kind: FigureKindCode
    value: int | float | None
    value_high: int | float | None
    text: dict[str, str] | None
    unit: str
    unit_text: dict[str, str] | None
    qualifier: QualifierCode
    measured: MeasuredCode | None
    period: Edtf | None
    places: list[str]
    breakdown: dict[str, str]
    relations: list[Relation]
    project: str | None
    agreement: str | None
    partner: str | None
    done_by: list[str]
    milestone: str | None
    document: str | None
    said_by: Voice | None
    relayed_for: Voice | None
    as_written: str | None
    labels: NotRequired[dict[str, str]]


class FigureChanges(TypedDict):
    """A number that a source states, and the properties that decide which numbers it can be compared with."""

    resource: NotRequired[Literal["figures"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    indicator: NotRequired[str]
    kind: NotRequired[FigureKindCode]
    value: NotRequired[int | float | None]
    value_high: NotRequired[int | float | None]
    text: NotRequired[dict[str, str] | None]
    unit: NotRequired[str]
    unit_text: NotRequired[dict[str, str] | None]
    qualifier: NotRequired[QualifierCode]
    measured: NotRequired[MeasuredCode | None]
    period: NotRequired[Edtf | str | None]
    places: NotRequired[list[str]]
    breakdown: NotRequired[dict[str, str]]
    relations: NotRequired[list[Relation]]
    project: NotRequired[str | None]
    agreement: NotRequired[str | None]
    partner: NotRequired[str | None]
    done_by: NotRequired[list[str]]
    milestone: NotRequired[str | None]
    document: NotRequired[str | None]
    said_by: NotRequired[Voice | None]
    relayed_for: NotRequired[Voice | None]
    as_written: NotRequired[str | None]
    labels: NotRequired[dict[str, str]]


class FigureDetail(TypedDict):
    """A figure as the registry returns it."""

    resource: Literal["figures"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    indicator: str
    kind: FigureKindCode
    value: int | float | None
    value_high: int | float | None
    text: dict[str, str] | None
    unit: str
    unit_text: dict[str, str] | None
    qualifier: QualifierCode
    measured: MeasuredCode | None
    period: Edtf | None
    places: list[str]
    breakdown: dict[str, str]
    relations: list[Relation]
    project: str | None
    agreement: str | None
    partner: str | None
    done_by: list[str]
    milestone: str | None
    document: str | None
    said_by: Voice | None
    relayed_for: Voice | None
    as_written: str | None
    labels: NotRequired[dict[str, str]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]


class FigureFields(TypedDict):
    """A number that a source states, and the properties that decide which numbers it can be compared with."""

    resource: NotRequired[Literal["figures"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    indicator: str
    kind: FigureKindCode
    value: NotRequired[int | float | None]
    value_high: NotRequired[int | float | None]
    text: NotRequired[dict[str, str] | None]
    unit: str
    unit_text: NotRequired[dict[str, str] | None]
    qualifier: NotRequired[QualifierCode]
    measured: NotRequired[MeasuredCode | None]
    period: NotRequired[Edtf | str | None]
    places: NotRequired[list[str]]
    breakdown: NotRequired[dict[str, str]]
    relations: NotRequired[list[Relation]]
    project: NotRequired[str | None]
    agreement: NotRequired[str | None]
    partner: NotRequired[str | None]
    done_by: NotRequired[list[str]]
    milestone: NotRequired[str | None]
    document: NotRequired[str | None]
    said_by: NotRequired[Voice | None]
    relayed_for: NotRequired[Voice | None]
    as_written: NotRequired[str | None]
    labels: NotRequired[dict[str, str]]


class FigureFilters(TypedDict):
    """Filters of the list of figures."""

    id: NotRequired[str | Sequence[str]]
    kind: NotRequired[FigureKindCode | Sequence[FigureKindCode]]
    unit: NotRequired[str | Sequence[str]]
    qualifier: NotRequired[QualifierCode | Sequence[QualifierCode]]
    measured: NotRequired[MeasuredCode | Sequence[MeasuredCode]]
    dimension: NotRequired[str | Sequence[str]]
    dimension_value: NotRequired[str | Sequence[str]]
    relation: NotRequired[FigureRelationCode | Sequence[FigureRelationCode]]
    value_gte: NotRequired[float]
    value_gt: NotRequired[float]
    value_lte: NotRequired[float]
    value_lt: NotRequired[float]
    period: NotRequired[str]
    period_gte: NotRequired[str]
    period_gt: NotRequired[str]
    period_lte: NotRequired[str]
    period_lt: NotRequired[str]
    indicator: NotRequired[str | Sequence[str]]
    project: NotRequired[str | Sequence[str]]
    agreement: NotRequired[str | Sequence[str]]
    partner: NotRequired[str | Sequence[str]]
    done_by: NotRequired[str | Sequence[str]]
    about: NotRequired[str | Sequence[str]]
    milestone: NotRequired[str | Sequence[str]]
    about_document: NotRequired[str | Sequence[str]]
    speaker: NotRequired[str | Sequence[str]]
    place: NotRequired[str | Sequence[str]]
    related_to: NotRequired[str | Sequence[str]]
    managed_by: NotRequired[str | Sequence[str]]
    document: NotRequired[str | Sequence[str]]
    relating: NotRequired[str | Sequence[str]]
    relating_none: NotRequired[bool]
    updated_at_gte: NotRequired[str]
    updated_at_gt: NotRequired[str]
    updated_at_lte: NotRequired[str]
    updated_at_lt: NotRequired[str]
    id_not: NotRequired[str | Sequence[str]]
    kind_not: NotRequired[FigureKindCode | Sequence[FigureKindCode]]
    unit_not: NotRequired[str | Sequence[str]]
    qualifier_not: NotRequired[QualifierCode | Sequence[QualifierCode]]
    measured_not: NotRequired[MeasuredCode | Sequence[MeasuredCode]]
    measured_none: NotRequired[bool]
    dimension_not: NotRequired[str | Sequence[str]]
    dimension_none: NotRequired[bool]
    dimension_value_not: NotRequired[str | Sequence[str]]
    dimension_value_none: NotRequired[bool]
    relation_not: NotRequired[FigureRelationCode | Sequence[FigureRelationCode]]
    relation_none: NotRequired[bool]
    value_none: NotRequired[bool]
    period_none: NotRequired[bool]
    indicator_not: NotRequired[str | Sequence[str]]
    project_not: NotRequired[str | Sequence[str]]
    project_none: NotRequired[bool]
    agreement_not: NotRequired[str | Sequence[str]]
    agreement_none: NotRequired[bool]
    partner_not: NotRequired[str | Sequence[str]]
    partner_none: NotRequired[bool]
    done_by_not: NotRequired[str | Sequence[str]]
    done_by_none: NotRequired[bool]
    about_not: NotRequired[str | Sequence[str]]
    about_none: NotRequired[bool]
    milestone_not: NotRequired[str | Sequence[str]]
    milestone_none: NotRequired[bool]
    about_document_not: NotRequired[str | Sequence[str]]
    about_document_none: NotRequired[bool]
    speaker_not: NotRequired[str | Sequence[str]]
    speaker_none: NotRequired[bool]
    place_not: NotRequired[str | Sequence[str]]
    place_none: NotRequired[bool]
    related_to_not: NotRequired[str | Sequence[str]]
    related_to_none: NotRequired[bool]
    managed_by_not: NotRequired[str | Sequence[str]]
    managed_by_none: NotRequired[bool]
    document_not: NotRequired[str | Sequence[str]]
    document_none: NotRequired[bool]
    relating_not: NotRequired[str | Sequence[str]]
    sort: NotRequired[str]
    state: NotRequired[StateCode]
    labels: NotRequired[Literal["vi", "en"]]
    lang: NotRequired[Literal["vi", "en"]]


class FigurePage(TypedDict):
    """A page of figures."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[Figure]


class Finding(TypedDict):
    """A contradiction, an overdue date, or evidence that is missing."""

    rule: AuditRuleCode
    severity: AuditSeverityCode
    message: dict[str, str]
    records: list[RecordNamed]
    evidence: list[Evidence]
    computed: Computed | None
    labels: NotRequired[dict[str, str]]


class Hint(TypedDict):
    """A hint about a filter."""

    parameter: str
    position: int
    code: str
    message: dict[str, str]
    into: NotRequired[str | None]


class HistoryPage(TypedDict):
    """A page of versions, the newest first."""

    items: list[Version]
    next: str | None


class HitProject(TypedDict):
    """The project of a hit."""

    id: str
    title: dict[str, str]


class Identifier(TypedDict):
    """The code of a record in another register."""

    scheme: str
    value: str


class Included(TypedDict):
    """The linked records that `include` asked for, by name of the include and by id."""

    partners: NotRequired[dict[str, Partner]]
    places: NotRequired[dict[str, Place]]
    wholes: NotRequired[dict[str, Project]]
    earlier: NotRequired[dict[str, Project]]
    documents: NotRequired[dict[str, Document]]
    parts: NotRequired[dict[str, Project | Agreement | Milestone | Place]]
    later: NotRequired[dict[str, Project]]
    agreements: NotRequired[dict[str, Agreement]]
    milestones: NotRequired[dict[str, Milestone]]
    statements: NotRequired[dict[str, Statement]]
    figures: NotRequired[dict[str, Figure]]
    transactions: NotRequired[dict[str, Transaction]]
    parent: NotRequired[dict[str, Partner | Place]]
    successors: NotRequired[dict[str, Partner | Place]]
    projects: NotRequired[dict[str, Project]]
    units: NotRequired[dict[str, Partner]]
    whole: NotRequired[dict[str, Agreement | Milestone]]
    amended: NotRequired[dict[str, Agreement]]
    legal_basis: NotRequired[dict[str, Document]]
    about_documents: NotRequired[dict[str, Document]]
    indicators: NotRequired[dict[str, Indicator]]
    related: NotRequired[dict[str, Figure]]
    relating: NotRequired[dict[str, Figure]]
    progress: NotRequired[dict[str, ProjectProgress]]


class Indicator(TypedDict):
    """An indicator as the registry returns it."""

    resource: Literal["indicators"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    name: dict[str, str]
    unit: str
    unit_text: dict[str, str] | None
    direction: DirectionCode
    definition: dict[str, str] | None
    labels: NotRequired[dict[str, str]]


class IndicatorChanges(TypedDict):
    """What figures measure, with the unit."""

    resource: NotRequired[Literal["indicators"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    name: NotRequired[dict[str, str]]
    unit: NotRequired[str]
    unit_text: NotRequired[dict[str, str] | None]
    direction: NotRequired[DirectionCode]
    definition: NotRequired[dict[str, str] | None]
    labels: NotRequired[dict[str, str]]


class IndicatorDetail(TypedDict):
    """An indicator as the registry returns it."""

    resource: Literal["indicators"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    name: dict[str, str]
    unit: str
    unit_text: dict[str, str] | None
    direction: DirectionCode
    definition: dict[str, str] | None
    labels: NotRequired[dict[str, str]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]


class IndicatorFields(TypedDict):
    """What figures measure, with the unit."""

    resource: NotRequired[Literal["indicators"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    name: dict[str, str]
    unit: str
    unit_text: NotRequired[dict[str, str] | None]
    direction: NotRequired[DirectionCode]
    definition: NotRequired[dict[str, str] | None]
    labels: NotRequired[dict[str, str]]


class IndicatorFilters(TypedDict):
    """Filters of the list of indicators."""

    id: NotRequired[str | Sequence[str]]
    unit: NotRequired[str | Sequence[str]]
    name: NotRequired[str]
    managed_by: NotRequired[str | Sequence[str]]
    document: NotRequired[str | Sequence[str]]
    figure: NotRequired[str | Sequence[str]]
    figure_none: NotRequired[bool]
    updated_at_gte: NotRequired[str]
    updated_at_gt: NotRequired[str]
    updated_at_lte: NotRequired[str]
    updated_at_lt: NotRequired[str]
    id_not: NotRequired[str | Sequence[str]]
    unit_not: NotRequired[str | Sequence[str]]
    managed_by_not: NotRequired[str | Sequence[str]]
    managed_by_none: NotRequired[bool]
    document_not: NotRequired[str | Sequence[str]]
    document_none: NotRequired[bool]
    figure_not: NotRequired[str | Sequence[str]]
    sort: NotRequired[str]
    state: NotRequired[StateCode]
    labels: NotRequired[Literal["vi", "en"]]
    lang: NotRequired[Literal["vi", "en"]]


class IndicatorPage(TypedDict):
    """A page of indicators."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[Indicator]


class IndicatorProgress(TypedDict):
    """The figures of one indicator, unit, breakdown and area, in the order of time."""

    indicator: str
    name: dict[str, str] | None
    direction: DirectionCode
    unit: str
    unit_text: dict[str, str] | None
    breakdown: dict[str, str]
    progress: Comparison
    targets: list[ProgressNumber]
    plans: list[ProgressNumber]
    baselines: list[ProgressNumber]
    actuals: list[ProgressNumber]
    sums: list[ProgressSum]
    claims: list[ProgressNumber]


class Milestone(TypedDict):
    """A milestone as the registry returns it."""

    resource: Literal["milestones"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    title: dict[str, str]
    description: dict[str, str] | None
    kind: MilestoneKindCode
    status: MilestoneStatusCode
    date: Edtf | None
    place: str | None
    part_of: str | None
    project: str | None
    agreement: str | None
    participants: list[Participant]
    documents: list[str]
    labels: NotRequired[dict[str, str]]


class MilestoneChanges(TypedDict):
    """An event, date or term of office that took place or is planned."""

    resource: NotRequired[Literal["milestones"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    title: NotRequired[dict[str, str]]
    description: NotRequired[dict[str, str] | None]
    kind: NotRequired[MilestoneKindCode]
    status: NotRequired[MilestoneStatusCode]
    date: NotRequired[Edtf | str | None]
    place: NotRequired[str | None]
    part_of: NotRequired[str | None]
    project: NotRequired[str | None]
    agreement: NotRequired[str | None]
    participants: NotRequired[list[Participant]]
    documents: NotRequired[list[str]]
    labels: NotRequired[dict[str, str]]


class MilestoneDetail(TypedDict):
    """A milestone as the registry returns it."""

    resource: Literal["milestones"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    title: dict[str, str]
    description: dict[str, str] | None
    kind: MilestoneKindCode
    status: MilestoneStatusCode
    date: Edtf | None
    place: str | None
    part_of: str | None
    project: str | None
    agreement: str | None
    participants: list[Participant]
    documents: list[str]
    labels: NotRequired[dict[str, str]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]


class MilestoneFields(TypedDict):
    """An event, date or term of office that took place or is planned."""

    resource: NotRequired[Literal["milestones"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    title: dict[str, str]
    description: NotRequired[dict[str, str] | None]
    kind: MilestoneKindCode
    status: MilestoneStatusCode
    date: NotRequired[Edtf | str | None]
    place: NotRequired[str | None]
    part_of: NotRequired[str | None]
    project: NotRequired[str | None]
    agreement: NotRequired[str | None]
    participants: NotRequired[list[Participant]]
    documents: NotRequired[list[str]]
    labels: NotRequired[dict[str, str]]


class MilestoneFilters(TypedDict):
    """Filters of the list of milestones."""

    id: NotRequired[str | Sequence[str]]
    kind: NotRequired[MilestoneKindCode | Sequence[MilestoneKindCode]]
    status: NotRequired[MilestoneStatusCode | Sequence[MilestoneStatusCode]]
    title: NotRequired[str]
    date: NotRequired[str]
    date_gte: NotRequired[str]
    date_gt: NotRequired[str]
    date_lte: NotRequired[str]
    date_lt: NotRequired[str]
    partner: NotRequired[str | Sequence[str]]
    part_of: NotRequired[str | Sequence[str]]
    project: NotRequired[str | Sequence[str]]
    agreement: NotRequired[str | Sequence[str]]
    place: NotRequired[str | Sequence[str]]
    about_document: NotRequired[str | Sequence[str]]
    managed_by: NotRequired[str | Sequence[str]]
    document: NotRequired[str | Sequence[str]]
    whole_of: NotRequired[str | Sequence[str]]
    whole_of_none: NotRequired[bool]
    statement: NotRequired[str | Sequence[str]]
    statement_none: NotRequired[bool]
    figure: NotRequired[str | Sequence[str]]
    figure_none: NotRequired[bool]
    updated_at_gte: NotRequired[str]
    updated_at_gt: NotRequired[str]
    updated_at_lte: NotRequired[str]
    updated_at_lt: NotRequired[str]
    id_not: NotRequired[str | Sequence[str]]
    kind_not: NotRequired[MilestoneKindCode | Sequence[MilestoneKindCode]]
    status_not: NotRequired[MilestoneStatusCode | Sequence[MilestoneStatusCode]]
    date_none: NotRequired[bool]
    partner_not: NotRequired[str | Sequence[str]]
    partner_none: NotRequired[bool]
    part_of_not: NotRequired[str | Sequence[str]]
    part_of_none: NotRequired[bool]
    project_not: NotRequired[str | Sequence[str]]
    project_none: NotRequired[bool]
    agreement_not: NotRequired[str | Sequence[str]]
    agreement_none: NotRequired[bool]
    place_not: NotRequired[str | Sequence[str]]
    place_none: NotRequired[bool]
    about_document_not: NotRequired[str | Sequence[str]]
    about_document_none: NotRequired[bool]
    managed_by_not: NotRequired[str | Sequence[str]]
    managed_by_none: NotRequired[bool]
    document_not: NotRequired[str | Sequence[str]]
    document_none: NotRequired[bool]
    whole_of_not: NotRequired[str | Sequence[str]]
    statement_not: NotRequired[str | Sequence[str]]
    figure_not: NotRequired[str | Sequence[str]]
    sort: NotRequired[str]
    state: NotRequired[StateCode]
    labels: NotRequired[Literal["vi", "en"]]
    lang: NotRequired[Literal["vi", "en"]]


class MilestonePage(TypedDict):
    """A page of milestones."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[Milestone]


class PartProgress(TypedDict):
    """A sub-project with its own numbers, which are never added to those of the wider project."""

    project: str
    title: dict[str, str]
    kind: ProjectKindCode
    status: ProjectStatusCode
    period: Edtf | None
    managed_by: str | None
    part_of: list[str]
    indicators: list[IndicatorProgress]
    more_figures: bool
    labels: NotRequired[dict[str, str] | None]
    rolls_up: bool
    parts: list[PartProgress]


class PartialAgreement(TypedDict):
    """A memorandum of understanding, treaty, loan, grant, contract or other agreement between partners."""

    resource: NotRequired[Literal["agreements"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    identifiers: NotRequired[list[Identifier]]
    title: NotRequired[dict[str, str]]
    description: NotRequired[dict[str, str] | None]
    kind: NotRequired[AgreementKindCode]
    status: NotRequired[AgreementStatusCode]
    signed_on: NotRequired[Edtf | None]
    signed_in: NotRequired[str | None]
    period: NotRequired[Edtf | None]
    parties: NotRequired[list[Party]]
    signatories: NotRequired[list[Signatory]]
    projects: NotRequired[list[str]]
    part_of: NotRequired[str | None]
    amends: NotRequired[list[str]]
    legal_basis: NotRequired[list[str]]
    labels: NotRequired[dict[str, str]]


class PartialAgreementPage(TypedDict):
    """A page of agreements with the members that `fields` names."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[PartialIncluded]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[PartialAgreement]


class PartialDocument(TypedDict):
    """A text that records cite, or an instrument, plan or publication that they refer to."""

    resource: NotRequired[Literal["documents"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    identifiers: NotRequired[list[Identifier]]
    kind: NotRequired[DocumentKindCode]
    status: NotRequired[DocumentStatusCode | None]
    title: NotRequired[dict[str, str]]
    description: NotRequired[dict[str, str] | None]
    number: NotRequired[str | None]
    issuer: NotRequired[str | None]
    publisher: NotRequired[str | None]
    published_on: NotRequired[Edtf | None]
    happened_on: NotRequired[Edtf | None]
    language: NotRequired[str | None]
    url: NotRequired[str | None]
    sha256: NotRequired[str | None]
    paragraphs: NotRequired[int | None]
    labels: NotRequired[dict[str, str]]


class PartialDocumentPage(TypedDict):
    """A page of documents with the members that `fields` names."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[PartialIncluded]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[PartialDocument]


class PartialFigure(TypedDict):
    """A number that a source states, and the properties that decide which numbers it can be compared with."""

    resource: NotRequired[Literal["figures"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    indicator: NotRequired[str]
    kind: NotRequired[FigureKindCode]
    value: NotRequired[int | float | None]
    value_high: NotRequired[int | float | None]
    text: NotRequired[dict[str, str] | None]
    unit: NotRequired[str]
    unit_text: NotRequired[dict[str, str] | None]
    qualifier: NotRequired[QualifierCode]
    measured: NotRequired[MeasuredCode | None]
    period: NotRequired[Edtf | None]
    places: NotRequired[list[str]]
    breakdown: NotRequired[dict[str, str]]
    relations: NotRequired[list[Relation]]
    project: NotRequired[str | None]
    agreement: NotRequired[str | None]
    partner: NotRequired[str | None]
    done_by: NotRequired[list[str]]
    milestone: NotRequired[str | None]
    document: NotRequired[str | None]
    said_by: NotRequired[Voice | None]
    relayed_for: NotRequired[Voice | None]
    as_written: NotRequired[str | None]
    labels: NotRequired[dict[str, str]]


class PartialFigurePage(TypedDict):
    """A page of figures with the members that `fields` names."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[PartialIncluded]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[PartialFigure]


class PartialIncluded(TypedDict):
    """The linked records that `include` asked for, by name of the include and by id."""

    partners: NotRequired[dict[str, PartialPartner]]
    places: NotRequired[dict[str, PartialPlace]]
    wholes: NotRequired[dict[str, PartialProject]]
    earlier: NotRequired[dict[str, PartialProject]]
    documents: NotRequired[dict[str, PartialDocument]]
    parts: NotRequired[dict[str, PartialProject | PartialAgreement | PartialMilestone | PartialPlace]]
    later: NotRequired[dict[str, PartialProject]]
    agreements: NotRequired[dict[str, PartialAgreement]]
    milestones: NotRequired[dict[str, PartialMilestone]]
    statements: NotRequired[dict[str, PartialStatement]]
    figures: NotRequired[dict[str, PartialFigure]]
    transactions: NotRequired[dict[str, PartialTransaction]]
    parent: NotRequired[dict[str, PartialPartner | PartialPlace]]
    successors: NotRequired[dict[str, PartialPartner | PartialPlace]]
    projects: NotRequired[dict[str, PartialProject]]
    units: NotRequired[dict[str, PartialPartner]]
    whole: NotRequired[dict[str, PartialAgreement | PartialMilestone]]
    amended: NotRequired[dict[str, PartialAgreement]]
    legal_basis: NotRequired[dict[str, PartialDocument]]
    about_documents: NotRequired[dict[str, PartialDocument]]
    indicators: NotRequired[dict[str, PartialIndicator]]
    related: NotRequired[dict[str, PartialFigure]]
    relating: NotRequired[dict[str, PartialFigure]]
    progress: NotRequired[dict[str, ProjectProgress]]


class PartialIndicator(TypedDict):
    """What figures measure, with the unit."""

    resource: NotRequired[Literal["indicators"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    name: NotRequired[dict[str, str]]
    unit: NotRequired[str]
    unit_text: NotRequired[dict[str, str] | None]
    direction: NotRequired[DirectionCode]
    definition: NotRequired[dict[str, str] | None]
    labels: NotRequired[dict[str, str]]


class PartialIndicatorPage(TypedDict):
    """A page of indicators with the members that `fields` names."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[PartialIncluded]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[PartialIndicator]


class PartialMilestone(TypedDict):
    """An event, date or term of office that took place or is planned."""

    resource: NotRequired[Literal["milestones"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    title: NotRequired[dict[str, str]]
    description: NotRequired[dict[str, str] | None]
    kind: NotRequired[MilestoneKindCode]
    status: NotRequired[MilestoneStatusCode]
    date: NotRequired[Edtf | None]
    place: NotRequired[str | None]
    part_of: NotRequired[str | None]
    project: NotRequired[str | None]
    agreement: NotRequired[str | None]
    participants: NotRequired[list[Participant]]
    documents: NotRequired[list[str]]
    labels: NotRequired[dict[str, str]]


class PartialMilestonePage(TypedDict):
    """A page of milestones with the members that `fields` names."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[PartialIncluded]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[PartialMilestone]


class PartialPartner(TypedDict):
    """An organisation, with all names that sources use for it."""

    resource: NotRequired[Literal["partners"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    identifiers: NotRequired[list[Identifier]]
    name: NotRequired[dict[str, str]]
    abbreviation: NotRequired[str | None]
    aliases: NotRequired[list[str]]
    kind: NotRequired[PartnerKindCode]
    description: NotRequired[dict[str, str] | None]
    website: NotRequired[str | None]
    logo: NotRequired[str | None]
    contact_page: NotRequired[str | None]
    parent: NotRequired[str | None]
    country: NotRequired[str | None]
    collective: NotRequired[bool]
    period: NotRequired[Edtf | None]
    succeeded_by: NotRequired[list[str]]
    merged_into: NotRequired[str | None]
    labels: NotRequired[dict[str, str]]


class PartialPartnerPage(TypedDict):
    """A page of partners with the members that `fields` names."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[PartialIncluded]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[PartialPartner]


class PartialPlace(TypedDict):
    """A country, a province, a region as a source writes it, or another place."""

    resource: NotRequired[Literal["places"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    identifiers: NotRequired[list[Identifier]]
    name: NotRequired[dict[str, str]]
    level: NotRequired[PlaceLevelCode]
    parent: NotRequired[str | None]
    code: NotRequired[str | None]
    point: NotRequired[Point | None]
    period: NotRequired[Edtf | None]
    succeeded_by: NotRequired[list[str]]
    labels: NotRequired[dict[str, str]]


class PartialPlacePage(TypedDict):
    """A page of places with the members that `fields` names."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[PartialIncluded]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[PartialPlace]


class PartialProject(TypedDict):
    """A cooperation of partners: a framework, programme, project, phase, batch, plan, requested support or the like."""

    resource: NotRequired[Literal["projects"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    identifiers: NotRequired[list[Identifier]]
    title: NotRequired[dict[str, str]]
    description: NotRequired[dict[str, str] | None]
    kind: NotRequired[ProjectKindCode]
    status: NotRequired[ProjectStatusCode]
    period: NotRequired[Edtf | None]
    part_of: NotRequired[list[str]]
    follows: NotRequired[list[str]]
    roles: NotRequired[list[Role]]
    places: NotRequired[list[str]]
    sectors: NotRequired[list[str]]
    sdgs: NotRequired[list[str]]
    labels: NotRequired[dict[str, str]]


class PartialProjectPage(TypedDict):
    """A page of projects with the members that `fields` names."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[PartialIncluded]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[PartialProject]


class PartialStatement(TypedDict):
    """A statement that a person, office or partner made, summarised by the registry."""

    resource: NotRequired[Literal["statements"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    kind: NotRequired[StatementKindCode]
    summary: NotRequired[dict[str, str]]
    said_by: NotRequired[Voice | None]
    relayed_for: NotRequired[Voice | None]
    to: NotRequired[list[str]]
    project: NotRequired[str | None]
    agreement: NotRequired[str | None]
    occasion: NotRequired[str | None]
    documents: NotRequired[list[str]]
    due: NotRequired[Edtf | None]
    fulfilled_by: NotRequired[list[str]]
    labels: NotRequired[dict[str, str]]


class PartialStatementPage(TypedDict):
    """A page of statements with the members that `fields` names."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[PartialIncluded]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[PartialStatement]


class PartialTransaction(TypedDict):
    """An amount of money in one currency that is budgeted, promised, paid or received."""

    resource: NotRequired[Literal["transactions"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    kind: NotRequired[TransactionKindCode]
    value: NotRequired[int | float]
    currency: NotRequired[str]
    value_date: NotRequired[Edtf | None]
    date: NotRequired[Edtf | None]
    period: NotRequired[Edtf | None]
    description: NotRequired[dict[str, str] | None]
    project: NotRequired[str | None]
    agreement: NotRequired[str | None]
    provider: NotRequired[str | None]
    receiver: NotRequired[str | None]
    budget_status: NotRequired[BudgetStatusCode | None]
    budget_type: NotRequired[BudgetTypeCode | None]
    reference: NotRequired[str | None]
    as_written: NotRequired[str | None]
    labels: NotRequired[dict[str, str]]


class PartialTransactionPage(TypedDict):
    """A page of transactions with the members that `fields` names."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[PartialIncluded]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[PartialTransaction]


class Participant(TypedDict):
    """A person, office or partner that took part in a milestone, and in what capacity."""

    name: NotRequired[str | None]
    office: NotRequired[dict[str, str] | None]
    partner: NotRequired[str | None]
    capacity: NotRequired[dict[str, str] | None]


class Partner(TypedDict):
    """A partner as the API returns it."""

    resource: Literal["partners"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    identifiers: list[Identifier]
    name: dict[str, str]
    abbreviation: str | None
    aliases: list[str]
    kind: PartnerKindCode
    description: dict[str, str] | None
    website: str | None
    logo: str | None
    contact_page: str | None
    parent: str | None
    country: str | None
    collective: bool
    period: Edtf | None
    succeeded_by: list[str]
    merged_into: str | None
    labels: NotRequired[dict[str, str]]


class PartnerChanges(TypedDict):
    """An organisation, with all names that sources use for it."""

    resource: NotRequired[Literal["partners"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    identifiers: NotRequired[list[Identifier]]
    name: NotRequired[dict[str, str]]
    abbreviation: NotRequired[str | None]
    aliases: NotRequired[list[str]]
    kind: NotRequired[PartnerKindCode]
    description: NotRequired[dict[str, str] | None]
    website: NotRequired[str | None]
    logo: NotRequired[str | None]
    contact_page: NotRequired[str | None]
    parent: NotRequired[str | None]
    country: NotRequired[str | None]
    collective: NotRequired[bool]
    period: NotRequired[Edtf | str | None]
    succeeded_by: NotRequired[list[str]]
    merged_into: NotRequired[str | None]
    labels: NotRequired[dict[str, str]]


class PartnerDetail(TypedDict):
    """A partner as the API returns it."""

    resource: Literal["partners"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    identifiers: list[Identifier]
    name: dict[str, str]
    abbreviation: str | None
    aliases: list[str]
    kind: PartnerKindCode
    description: dict[str, str] | None
    website: str | None
    logo: str | None
    contact_page: str | None
    parent: str | None
    country: str | None
    collective: bool
    period: Edtf | None
    succeeded_by: list[str]
    merged_into: str | None
    labels: NotRequired[dict[str, str]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]


class PartnerFields(TypedDict):
    """An organisation, with all names that sources use for it."""

    resource: NotRequired[Literal["partners"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    identifiers: NotRequired[list[Identifier]]
    name: dict[str, str]
    abbreviation: NotRequired[str | None]
    aliases: NotRequired[list[str]]
    kind: PartnerKindCode
    description: NotRequired[dict[str, str] | None]
    website: NotRequired[str | None]
    logo: NotRequired[str | None]
    contact_page: NotRequired[str | None]
    parent: NotRequired[str | None]
    country: NotRequired[str | None]
    collective: NotRequired[bool]
    period: NotRequired[Edtf | str | None]
    succeeded_by: NotRequired[list[str]]
    merged_into: NotRequired[str | None]
    labels: NotRequired[dict[str, str]]


class PartnerFilters(TypedDict):
    """Filters of the list of partners."""

    id: NotRequired[str | Sequence[str]]
    identifier: NotRequired[str]
    kind: NotRequired[PartnerKindCode | Sequence[PartnerKindCode]]
    collective: NotRequired[bool | Sequence[bool]]
    name: NotRequired[str]
    country: NotRequired[str | Sequence[str]]
    parent: NotRequired[str | Sequence[str]]
    succeeded_by: NotRequired[str | Sequence[str]]
    merged_into: NotRequired[str | Sequence[str]]
    managed_by: NotRequired[str | Sequence[str]]
    document: NotRequired[str | Sequence[str]]
    project: NotRequired[str | Sequence[str]]
    project_none: NotRequired[bool]
    parent_of: NotRequired[str | Sequence[str]]
    parent_of_none: NotRequired[bool]
    successor_of: NotRequired[str | Sequence[str]]
    successor_of_none: NotRequired[bool]
    agreement: NotRequired[str | Sequence[str]]
    agreement_none: NotRequired[bool]
    milestone: NotRequired[str | Sequence[str]]
    milestone_none: NotRequired[bool]
    statement: NotRequired[str | Sequence[str]]
    statement_none: NotRequired[bool]
    figure: NotRequired[str | Sequence[str]]
    figure_none: NotRequired[bool]
    transaction: NotRequired[str | Sequence[str]]
    transaction_none: NotRequired[bool]
    issuer_of: NotRequired[str | Sequence[str]]
    issuer_of_none: NotRequired[bool]
    updated_at_gte: NotRequired[str]
    updated_at_gt: NotRequired[str]
    updated_at_lte: NotRequired[str]
    updated_at_lt: NotRequired[str]
    id_not: NotRequired[str | Sequence[str]]
    identifier_none: NotRequired[bool]
    kind_not: NotRequired[PartnerKindCode | Sequence[PartnerKindCode]]
    country_not: NotRequired[str | Sequence[str]]
    country_none: NotRequired[bool]
    parent_not: NotRequired[str | Sequence[str]]
    parent_none: NotRequired[bool]
    succeeded_by_not: NotRequired[str | Sequence[str]]
    succeeded_by_none: NotRequired[bool]
    merged_into_not: NotRequired[str | Sequence[str]]
    merged_into_none: NotRequired[bool]
    managed_by_not: NotRequired[str | Sequence[str]]
    managed_by_none: NotRequired[bool]
    document_not: NotRequired[str | Sequence[str]]
    document_none: NotRequired[bool]
    project_not: NotRequired[str | Sequence[str]]
    parent_of_not: NotRequired[str | Sequence[str]]
    successor_of_not: NotRequired[str | Sequence[str]]
    agreement_not: NotRequired[str | Sequence[str]]
    milestone_not: NotRequired[str | Sequence[str]]
    statement_not: NotRequired[str | Sequence[str]]
    figure_not: NotRequired[str | Sequence[str]]
    transaction_not: NotRequired[str | Sequence[str]]
    issuer_of_not: NotRequired[str | Sequence[str]]
    sort: NotRequired[str]
    state: NotRequired[StateCode]
    labels: NotRequired[Literal["vi", "en"]]
    lang: NotRequired[Literal["vi", "en"]]


class PartnerPage(TypedDict):
    """A page of partners."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[Partner]


class Party(TypedDict):
    """A partner that is a party to an agreement."""

    partner: str
    side: NotRequired[dict[str, str] | None]


class Place(TypedDict):
    """A place as the registry returns it."""

    resource: Literal["places"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    identifiers: list[Identifier]
    name: dict[str, str]
    level: PlaceLevelCode
    parent: str | None
    code: str | None
    point: Point | None
    period: Edtf | None
    succeeded_by: list[str]
    labels: NotRequired[dict[str, str]]


class PlaceChanges(TypedDict):
    """A country, a province, a region as a source writes it, or another place."""

    resource: NotRequired[Literal["places"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    identifiers: NotRequired[list[Identifier]]
    name: NotRequired[dict[str, str]]
    level: NotRequired[PlaceLevelCode]
    parent: NotRequired[str | None]
    code: NotRequired[str | None]
    point: NotRequired[Point | None]
    period: NotRequired[Edtf | str | None]
    succeeded_by: NotRequired[list[str]]
    labels: NotRequired[dict[str, str]]


class PlaceDetail(TypedDict):
    """A place as the registry returns it."""

    resource: Literal["places"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    identifiers: list[Identifier]
    name: dict[str, str]
    level: PlaceLevelCode
    parent: str | None
    code: str | None
    point: Point | None
    period: Edtf | None
    succeeded_by: list[str]
    labels: NotRequired[dict[str, str]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]


class PlaceFields(TypedDict):
    """A country, a province, a region as a source writes it, or another place."""

    resource: NotRequired[Literal["places"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    identifiers: NotRequired[list[Identifier]]
    name: dict[str, str]
    level: PlaceLevelCode
    parent: NotRequired[str | None]
    code: NotRequired[str | None]
    point: NotRequired[Point | None]
    period: NotRequired[Edtf | str | None]
    succeeded_by: NotRequired[list[str]]
    labels: NotRequired[dict[str, str]]


class PlaceFilters(TypedDict):
    """Filters of the list of places."""

    id: NotRequired[str | Sequence[str]]
    identifier: NotRequired[str]
    level: NotRequired[PlaceLevelCode | Sequence[PlaceLevelCode]]
    code: NotRequired[str | Sequence[str]]
    name: NotRequired[str]
    parent: NotRequired[str | Sequence[str]]
    succeeded_by: NotRequired[str | Sequence[str]]
    managed_by: NotRequired[str | Sequence[str]]
    document: NotRequired[str | Sequence[str]]
    project: NotRequired[str | Sequence[str]]
    project_none: NotRequired[bool]
    partner: NotRequired[str | Sequence[str]]
    partner_none: NotRequired[bool]
    agreement: NotRequired[str | Sequence[str]]
    agreement_none: NotRequired[bool]
    milestone: NotRequired[str | Sequence[str]]
    milestone_none: NotRequired[bool]
    figure: NotRequired[str | Sequence[str]]
    figure_none: NotRequired[bool]
    parent_of: NotRequired[str | Sequence[str]]
    parent_of_none: NotRequired[bool]
    successor_of: NotRequired[str | Sequence[str]]
    successor_of_none: NotRequired[bool]
    updated_at_gte: NotRequired[str]
    updated_at_gt: NotRequired[str]
    updated_at_lte: NotRequired[str]
    updated_at_lt: NotRequired[str]
    id_not: NotRequired[str | Sequence[str]]
    identifier_none: NotRequired[bool]
    level_not: NotRequired[PlaceLevelCode | Sequence[PlaceLevelCode]]
    code_not: NotRequired[str | Sequence[str]]
    code_none: NotRequired[bool]
    parent_not: NotRequired[str | Sequence[str]]
    parent_none: NotRequired[bool]
    succeeded_by_not: NotRequired[str | Sequence[str]]
    succeeded_by_none: NotRequired[bool]
    managed_by_not: NotRequired[str | Sequence[str]]
    managed_by_none: NotRequired[bool]
    document_not: NotRequired[str | Sequence[str]]
    document_none: NotRequired[bool]
    project_not: NotRequired[str | Sequence[str]]
    partner_not: NotRequired[str | Sequence[str]]
    agreement_not: NotRequired[str | Sequence[str]]
    milestone_not: NotRequired[str | Sequence[str]]
    figure_not: NotRequired[str | Sequence[str]]
    parent_of_not: NotRequired[str | Sequence[str]]
    successor_of_not: NotRequired[str | Sequence[str]]
    sort: NotRequired[str]
    state: NotRequired[StateCode]
    labels: NotRequired[Literal["vi", "en"]]
    lang: NotRequired[Literal["vi", "en"]]


class PlacePage(TypedDict):
    """A page of places."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[Place]


class Point(TypedDict):
    """A point in the coordinate system WGS 84, in decimal degrees."""

    latitude: float
    longitude: float
    precision: NotRequired[PointPrecisionCode | None]


class Problem(TypedDict):
    """An error response as described in RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[ErrorItem]


class ProgressNumber(TypedDict):
    """A figure with its evidence, its comparison with a target, and its parts."""

    figure: Figure
    progress: Comparison | None
    parts: list[ProgressNumber]


class ProgressPage(TypedDict):
    """A page of projects that have targets, plans, baselines or actuals."""

    items: list[ProjectProgress]
    next: str | None


class ProgressSum(TypedDict):
    """The sum of a result and of the plan that continues it, compared with the target."""

    added: list[str]
    value: int | float | None
    value_high: int | float | None
    qualifier: QualifierCode | None
    target: str | None
    equal: bool | None
    computed: str | None


class Project(TypedDict):
    """A project as the registry returns it."""

    resource: Literal["projects"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    identifiers: list[Identifier]
    title: dict[str, str]
    description: dict[str, str] | None
    kind: ProjectKindCode
    status: ProjectStatusCode
    period: Edtf | None
    part_of: list[str]
    follows: list[str]
    roles: list[Role]
    places: list[str]
    sectors: list[str]
    sdgs: list[str]
    labels: NotRequired[dict[str, str]]


class ProjectChanges(TypedDict):
    """A cooperation of partners: a framework, programme, project, phase, batch, plan, requested support or the like."""

    resource: NotRequired[Literal["projects"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    identifiers: NotRequired[list[Identifier]]
    title: NotRequired[dict[str, str]]
    description: NotRequired[dict[str, str] | None]
    kind: NotRequired[ProjectKindCode]
    status: NotRequired[ProjectStatusCode]
    period: NotRequired[Edtf | str | None]
    part_of: NotRequired[list[str]]
    follows: NotRequired[list[str]]
    roles: NotRequired[list[Role]]
    places: NotRequired[list[str]]
    sectors: NotRequired[list[str]]
    sdgs: NotRequired[list[str]]
    labels: NotRequired[dict[str, str]]


class ProjectDetail(TypedDict):
    """A project as the registry returns it."""

    resource: Literal["projects"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    identifiers: list[Identifier]
    title: dict[str, str]
    description: dict[str, str] | None
    kind: ProjectKindCode
    status: ProjectStatusCode
    period: Edtf | None
    part_of: list[str]
    follows: list[str]
    roles: list[Role]
    places: list[str]
    sectors: list[str]
    sdgs: list[str]
    labels: NotRequired[dict[str, str]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]


class ProjectFields(TypedDict):
    """A cooperation of partners: a framework, programme, project, phase, batch, plan, requested support or the like."""

    resource: NotRequired[Literal["projects"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    identifiers: NotRequired[list[Identifier]]
    title: dict[str, str]
    description: NotRequired[dict[str, str] | None]
    kind: ProjectKindCode
    status: ProjectStatusCode
    period: NotRequired[Edtf | str | None]
    part_of: NotRequired[list[str]]
    follows: NotRequired[list[str]]
    roles: NotRequired[list[Role]]
    places: NotRequired[list[str]]
    sectors: NotRequired[list[str]]
    sdgs: NotRequired[list[str]]
    labels: NotRequired[dict[str, str]]


class ProjectFilters(TypedDict):
    """Filters of the list of projects."""

    id: NotRequired[str | Sequence[str]]
    identifier: NotRequired[str]
    kind: NotRequired[ProjectKindCode | Sequence[ProjectKindCode]]
    status: NotRequired[ProjectStatusCode | Sequence[ProjectStatusCode]]
    role: NotRequired[PartnerRoleCode | Sequence[PartnerRoleCode]]
    sector: NotRequired[str | Sequence[str]]
    sdg: NotRequired[str | Sequence[str]]
    title: NotRequired[str]
    period: NotRequired[str]
    period_gte: NotRequired[str]
    period_gt: NotRequired[str]
    period_lte: NotRequired[str]
    period_lt: NotRequired[str]
    partner: NotRequired[str | Sequence[str]]
    place: NotRequired[str | Sequence[str]]
    part_of: NotRequired[str | Sequence[str]]
    follows: NotRequired[str | Sequence[str]]
    managed_by: NotRequired[str | Sequence[str]]
    document: NotRequired[str | Sequence[str]]
    whole_of: NotRequired[str | Sequence[str]]
    whole_of_none: NotRequired[bool]
    followed_by: NotRequired[str | Sequence[str]]
    followed_by_none: NotRequired[bool]
    agreement: NotRequired[str | Sequence[str]]
    agreement_none: NotRequired[bool]
    milestone: NotRequired[str | Sequence[str]]
    milestone_none: NotRequired[bool]
    statement: NotRequired[str | Sequence[str]]
    statement_none: NotRequired[bool]
    figure: NotRequired[str | Sequence[str]]
    figure_none: NotRequired[bool]
    transaction: NotRequired[str | Sequence[str]]
    transaction_none: NotRequired[bool]
    updated_at_gte: NotRequired[str]
    updated_at_gt: NotRequired[str]
    updated_at_lte: NotRequired[str]
    updated_at_lt: NotRequired[str]
    id_not: NotRequired[str | Sequence[str]]
    identifier_none: NotRequired[bool]
    kind_not: NotRequired[ProjectKindCode | Sequence[ProjectKindCode]]
    status_not: NotRequired[ProjectStatusCode | Sequence[ProjectStatusCode]]
    role_not: NotRequired[PartnerRoleCode | Sequence[PartnerRoleCode]]
    role_none: NotRequired[bool]
    sector_not: NotRequired[str | Sequence[str]]
    sector_none: NotRequired[bool]
    sdg_not: NotRequired[str | Sequence[str]]
    sdg_none: NotRequired[bool]
    period_none: NotRequired[bool]
    partner_not: NotRequired[str | Sequence[str]]
    partner_none: NotRequired[bool]
    place_not: NotRequired[str | Sequence[str]]
    place_none: NotRequired[bool]
    part_of_not: NotRequired[str | Sequence[str]]
    part_of_none: NotRequired[bool]
    follows_not: NotRequired[str | Sequence[str]]
    follows_none: NotRequired[bool]
    managed_by_not: NotRequired[str | Sequence[str]]
    managed_by_none: NotRequired[bool]
    document_not: NotRequired[str | Sequence[str]]
    document_none: NotRequired[bool]
    whole_of_not: NotRequired[str | Sequence[str]]
    followed_by_not: NotRequired[str | Sequence[str]]
    agreement_not: NotRequired[str | Sequence[str]]
    milestone_not: NotRequired[str | Sequence[str]]
    statement_not: NotRequired[str | Sequence[str]]
    figure_not: NotRequired[str | Sequence[str]]
    transaction_not: NotRequired[str | Sequence[str]]
    sort: NotRequired[str]
    state: NotRequired[StateCode]
    labels: NotRequired[Literal["vi", "en"]]
    lang: NotRequired[Literal["vi", "en"]]


class ProjectPage(TypedDict):
    """A page of projects."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[Project]


class ProjectProgress(TypedDict):
    """A project with the progress of its indicators, from its own figures only."""

    project: str
    title: dict[str, str]
    kind: ProjectKindCode
    status: ProjectStatusCode
    period: Edtf | None
    managed_by: str | None
    part_of: list[str]
    indicators: list[IndicatorProgress]
    more_figures: bool
    labels: NotRequired[dict[str, str] | None]


class Proof(TypedDict):
    """The values with which a client verifies a Change, as the description of the change feed explains."""

    action: NotRequired[ActionCode | None]
    digest: NotRequired[str | None]
    salt: NotRequired[str | None]
    redacted: NotRequired[int | None]
    withheld: NotRequired[bool]
    entry: NotRequired[str | None]
    chain: str
    reason: NotRequired[str | None]
    digests: NotRequired[list[str] | None]


class RecordNamed(TypedDict):
    """A reference to a record."""

    resource: str
    id: str


class Relation(TypedDict):
    """A relation of this figure to another one."""

    kind: FigureRelationCode
    figure: str


class Role(TypedDict):
    """A partner of a project and its role."""

    partner: str
    role: PartnerRoleCode


class SearchFilters(TypedDict):
    """Filters, see `/reference`."""

    resource: NotRequired[str | Sequence[str]]
    labels: NotRequired[Literal["vi", "en"]]
    lang: NotRequired[Literal["vi", "en"]]


class SearchHit(TypedDict):
    """A record that matches the query, with the text to show for it."""

    resource: str
    id: str
    path: str
    name: dict[str, str] | None
    project: HitProject | None
    tier: SearchTierCode
    field: str
    snippet: str
    highlights: list[Any]
    labels: NotRequired[dict[str, str]]


class SearchPage(TypedDict):
    """A page of hits."""

    items: list[SearchHit]
    next: str | None
    reading: SearchReadingCode
    corrected: str | None
    found: list[str]
    not_found: list[str]


class Statement(TypedDict):
    """A statement as the registry returns it."""

    resource: Literal["statements"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    kind: StatementKindCode
    summary: dict[str, str]
    said_by: Voice | None
    relayed_for: Voice | None
    to: list[str]
    project: str | None
    agreement: str | None
    occasion: str | None
    documents: list[str]
    due: Edtf | None
    fulfilled_by: list[str]
    labels: NotRequired[dict[str, str]]


class StatementChanges(TypedDict):
    """A statement that a person, office or partner made, summarised by the registry."""

    resource: NotRequired[Literal["statements"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    kind: NotRequired[StatementKindCode]
    summary: NotRequired[dict[str, str]]
    said_by: NotRequired[Voice | None]
    relayed_for: NotRequired[Voice | None]
    to: NotRequired[list[str]]
    project: NotRequired[str | None]
    agreement: NotRequired[str | None]
    occasion: NotRequired[str | None]
    documents: NotRequired[list[str]]
    due: NotRequired[Edtf | str | None]
    fulfilled_by: NotRequired[list[str]]
    labels: NotRequired[dict[str, str]]


class StatementDetail(TypedDict):
    """A statement as the registry returns it."""

    resource: Literal["statements"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    kind: StatementKindCode
    summary: dict[str, str]
    said_by: Voice | None
    relayed_for: Voice | None
    to: list[str]
    project: str | None
    agreement: str | None
    occasion: str | None
    documents: list[str]
    due: Edtf | None
    fulfilled_by: list[str]
    labels: NotRequired[dict[str, str]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]


class StatementFields(TypedDict):
    """A statement that a person, office or partner made, summarised by the registry."""

    resource: NotRequired[Literal["statements"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    kind: StatementKindCode
    summary: dict[str, str]
    said_by: NotRequired[Voice | None]
    relayed_for: NotRequired[Voice | None]
    to: NotRequired[list[str]]
    project: NotRequired[str | None]
    agreement: NotRequired[str | None]
    occasion: NotRequired[str | None]
    documents: NotRequired[list[str]]
    due: NotRequired[Edtf | str | None]
    fulfilled_by: NotRequired[list[str]]
    labels: NotRequired[dict[str, str]]


class StatementFilters(TypedDict):
    """Filters of the list of statements."""

    id: NotRequired[str | Sequence[str]]
    kind: NotRequired[StatementKindCode | Sequence[StatementKindCode]]
    summary: NotRequired[str]
    due: NotRequired[str]
    due_gte: NotRequired[str]
    due_gt: NotRequired[str]
    due_lte: NotRequired[str]
    due_lt: NotRequired[str]
    partner: NotRequired[str | Sequence[str]]
    speaker: NotRequired[str | Sequence[str]]
    relayed_for: NotRequired[str | Sequence[str]]
    to: NotRequired[str | Sequence[str]]
    project: NotRequired[str | Sequence[str]]
    agreement: NotRequired[str | Sequence[str]]
    milestone: NotRequired[str | Sequence[str]]
    about_document: NotRequired[str | Sequence[str]]
    managed_by: NotRequired[str | Sequence[str]]
    document: NotRequired[str | Sequence[str]]
    updated_at_gte: NotRequired[str]
    updated_at_gt: NotRequired[str]
    updated_at_lte: NotRequired[str]
    updated_at_lt: NotRequired[str]
    id_not: NotRequired[str | Sequence[str]]
    kind_not: NotRequired[StatementKindCode | Sequence[StatementKindCode]]
    due_none: NotRequired[bool]
    partner_not: NotRequired[str | Sequence[str]]
    partner_none: NotRequired[bool]
    speaker_not: NotRequired[str | Sequence[str]]
    speaker_none: NotRequired[bool]
    relayed_for_not: NotRequired[str | Sequence[str]]
    relayed_for_none: NotRequired[bool]
    to_not: NotRequired[str | Sequence[str]]
    to_none: NotRequired[bool]
    project_not: NotRequired[str | Sequence[str]]
    project_none: NotRequired[bool]
    agreement_not: NotRequired[str | Sequence[str]]
    agreement_none: NotRequired[bool]
    milestone_not: NotRequired[str | Sequence[str]]
    milestone_none: NotRequired[bool]
    about_document_not: NotRequired[str | Sequence[str]]
    about_document_none: NotRequired[bool]
    managed_by_not: NotRequired[str | Sequence[str]]
    managed_by_none: NotRequired[bool]
    document_not: NotRequired[str | Sequence[str]]
    document_none: NotRequired[bool]
    sort: NotRequired[str]
    state: NotRequired[StateCode]
    labels: NotRequired[Literal["vi", "en"]]
    lang: NotRequired[Literal["vi", "en"]]


class StatementPage(TypedDict):
    """A page of statements."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[Statement]


class Tested(TypedDict):
    """The subscription that a test event was sent for."""

    webhook: str


class TimelineFilters(TypedDict):
    """Filters, see `/reference`."""

    partner: NotRequired[str | Sequence[str]]
    project: NotRequired[str | Sequence[str]]
    parts: NotRequired[bool]
    agreement: NotRequired[str | Sequence[str]]
    place: NotRequired[str | Sequence[str]]
    what: NotRequired[TimelineWhatCode | Sequence[TimelineWhatCode]]
    period: NotRequired[str]
    sort: NotRequired[str]
    labels: NotRequired[Literal["vi", "en"]]
    lang: NotRequired[Literal["vi", "en"]]


class TimelinePage(TypedDict):
    """A page of entries."""

    items: list[Entry]
    next: str | None


class Told(TypedDict):
    """The record that an event is about."""

    resource: str
    id: str
    version: int
    sequence: int
    url: str


class Transaction(TypedDict):
    """A transaction as the registry returns it."""

    resource: Literal["transactions"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    kind: TransactionKindCode
    value: int | float
    currency: str
    value_date: Edtf | None
    date: Edtf | None
    period: Edtf | None
    description: dict[str, str] | None
    project: str | None
    agreement: str | None
    provider: str | None
    receiver: str | None
    budget_status: BudgetStatusCode | None
    budget_type: BudgetTypeCode | None
    reference: str | None
    as_written: str | None
    labels: NotRequired[dict[str, str]]


class TransactionChanges(TypedDict):
    """An amount of money in one currency that is budgeted, promised, paid or received."""

    resource: NotRequired[Literal["transactions"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    kind: NotRequired[TransactionKindCode]
    value: NotRequired[int | float]
    currency: NotRequired[str]
    value_date: NotRequired[Edtf | str | None]
    date: NotRequired[Edtf | str | None]
    period: NotRequired[Edtf | str | None]
    description: NotRequired[dict[str, str] | None]
    project: NotRequired[str | None]
    agreement: NotRequired[str | None]
    provider: NotRequired[str | None]
    receiver: NotRequired[str | None]
    budget_status: NotRequired[BudgetStatusCode | None]
    budget_type: NotRequired[BudgetTypeCode | None]
    reference: NotRequired[str | None]
    as_written: NotRequired[str | None]
    labels: NotRequired[dict[str, str]]


class TransactionDetail(TypedDict):
    """A transaction as the registry returns it."""

    resource: Literal["transactions"]
    id: str
    version: int
    created_at: str
    updated_at: str
    inferred: list[str]
    managed_by: str | None
    state: StateCode
    citations: list[Citation]
    kind: TransactionKindCode
    value: int | float
    currency: str
    value_date: Edtf | None
    date: Edtf | None
    period: Edtf | None
    description: dict[str, str] | None
    project: str | None
    agreement: str | None
    provider: str | None
    receiver: str | None
    budget_status: BudgetStatusCode | None
    budget_type: BudgetTypeCode | None
    reference: str | None
    as_written: str | None
    labels: NotRequired[dict[str, str]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]


class TransactionFields(TypedDict):
    """An amount of money in one currency that is budgeted, promised, paid or received."""

    resource: NotRequired[Literal["transactions"]]
    id: NotRequired[str]
    version: NotRequired[int]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    inferred: NotRequired[list[str]]
    managed_by: NotRequired[str | None]
    state: NotRequired[StateCode]
    citations: NotRequired[list[Citation]]
    kind: TransactionKindCode
    value: int | float
    currency: str
    value_date: NotRequired[Edtf | str | None]
    date: NotRequired[Edtf | str | None]
    period: NotRequired[Edtf | str | None]
    description: NotRequired[dict[str, str] | None]
    project: NotRequired[str | None]
    agreement: NotRequired[str | None]
    provider: NotRequired[str | None]
    receiver: NotRequired[str | None]
    budget_status: NotRequired[BudgetStatusCode | None]
    budget_type: NotRequired[BudgetTypeCode | None]
    reference: NotRequired[str | None]
    as_written: NotRequired[str | None]
    labels: NotRequired[dict[str, str]]


class TransactionFilters(TypedDict):
    """Filters of the list of transactions."""

    id: NotRequired[str | Sequence[str]]
    kind: NotRequired[TransactionKindCode | Sequence[TransactionKindCode]]
    currency: NotRequired[str | Sequence[str]]
    value_gte: NotRequired[float]
    value_gt: NotRequired[float]
    value_lte: NotRequired[float]
    value_lt: NotRequired[float]
    date: NotRequired[str]
    date_gte: NotRequired[str]
    date_gt: NotRequired[str]
    date_lte: NotRequired[str]
    date_lt: NotRequired[str]
    period: NotRequired[str]
    period_gte: NotRequired[str]
    period_gt: NotRequired[str]
    period_lte: NotRequired[str]
    period_lt: NotRequired[str]
    project: NotRequired[str | Sequence[str]]
    agreement: NotRequired[str | Sequence[str]]
    partner: NotRequired[str | Sequence[str]]
    provider: NotRequired[str | Sequence[str]]
    receiver: NotRequired[str | Sequence[str]]
    managed_by: NotRequired[str | Sequence[str]]
    document: NotRequired[str | Sequence[str]]
    updated_at_gte: NotRequired[str]
    updated_at_gt: NotRequired[str]
    updated_at_lte: NotRequired[str]
    updated_at_lt: NotRequired[str]
    id_not: NotRequired[str | Sequence[str]]
    kind_not: NotRequired[TransactionKindCode | Sequence[TransactionKindCode]]
    currency_not: NotRequired[str | Sequence[str]]
    date_none: NotRequired[bool]
    period_none: NotRequired[bool]
    project_not: NotRequired[str | Sequence[str]]
    project_none: NotRequired[bool]
    agreement_not: NotRequired[str | Sequence[str]]
    agreement_none: NotRequired[bool]
    partner_not: NotRequired[str | Sequence[str]]
    partner_none: NotRequired[bool]
    provider_not: NotRequired[str | Sequence[str]]
    provider_none: NotRequired[bool]
    receiver_not: NotRequired[str | Sequence[str]]
    receiver_none: NotRequired[bool]
    managed_by_not: NotRequired[str | Sequence[str]]
    managed_by_none: NotRequired[bool]
    document_not: NotRequired[str | Sequence[str]]
    document_none: NotRequired[bool]
    sort: NotRequired[str]
    state: NotRequired[StateCode]
    labels: NotRequired[Literal["vi", "en"]]
    lang: NotRequired[Literal["vi", "en"]]


class TransactionPage(TypedDict):
    """A page of transactions."""

    next: str | None
    total: NotRequired[int]
    reading: NotRequired[SearchReadingCode]
    corrected: NotRequired[str | None]
    hints: NotRequired[list[Hint]]
    included: NotRequired[Included]
    included_next: NotRequired[dict[str, list[str]]]
    items: list[Transaction]


class Version(TypedDict):
    """One version of the record."""

    sequence: int
    at: str
    actor: str
    partner: str | None
    action: ShownCode
    version: int
    redacted: int | None
    changes: list[FieldChange]


class Voice(TypedDict):
    """A person or office, as named in the source."""

    name: NotRequired[str | None]
    office: NotRequired[dict[str, str] | None]
    partner: NotRequired[str | None]


class WholeProgress(TypedDict):
    """A project with its sub-projects."""

    project: str
    title: dict[str, str]
    kind: ProjectKindCode
    status: ProjectStatusCode
    period: Edtf | None
    managed_by: str | None
    part_of: list[str]
    indicators: list[IndicatorProgress]
    more_figures: bool
    labels: NotRequired[dict[str, str] | None]
    parts: list[PartProgress]
    more_parts: bool
