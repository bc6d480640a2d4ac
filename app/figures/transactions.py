"""Transactions: money that is budgeted, promised, paid or received, each an amount in one currency."""

from typing import Annotated, Literal

from pydantic import model_validator
from sqlalchemy import Double
from sqlmodel import Field

from app.core.database.tables import BYTEWISE, in_codes
from app.core.model.fields import Record, RecordFields
from app.core.model.filters import DuringFilter, EqualFilter, RangeFilter
from app.core.model.resource import Link, Resource
from app.core.model.tables import RecordRow, citation_table, list_indexes
from app.core.values.codelists import Code, CodeList, codes_of
from app.core.values.dates import Edtf
from app.core.values.links import AgreementId, PartnerId, ProjectId
from app.core.values.text import LanguageMap, Line
from app.figures.models import Amount, Number

TRANSACTION_KIND = CodeList(
    "transaction_kind",
    "What happens to the money. "
    "`budget`: it is planned for a period. "
    "`planned_disbursement`: a payment to another organisation is planned. "
    "The others are the codes of IATI TransactionType. "
    "`incoming_funds`: the receiver got it. "
    "`outgoing_commitment`: the provider promised it by contract. "
    "`disbursement`: the provider paid it to another organisation. "
    "`expenditure`: it was spent on goods and services. "
    "`interest_payment` and `loan_repayment`: a loan was paid back, its interest or itself. "
    "`reimbursement`: earlier spending was paid back. "
    "`purchase_of_equity` and `sale_of_equity`: shares were bought or sold. "
    "`credit_guarantee`: the provider answers for a loan of others. "
    "`incoming_commitment`: the receiver reports a promise by contract. "
    "`outgoing_pledge`: the provider promised it without a contract. "
    "`incoming_pledge`: the receiver reports such a promise.",
    {
        "budget": Code("Budget", "Ngân sách"),
        "planned_disbursement": Code("Planned disbursement", "Giải ngân theo kế hoạch"),
        "incoming_funds": Code("Incoming funds", "Tiền nhận được", "1"),
        "outgoing_commitment": Code("Outgoing commitment", "Cam kết chi", "2"),
        "disbursement": Code("Disbursement", "Giải ngân", "3"),
        "expenditure": Code("Expenditure", "Chi tiêu", "4"),
        "interest_payment": Code("Interest payment", "Trả lãi", "5"),
        "loan_repayment": Code("Loan repayment", "Trả nợ gốc", "6"),
        "reimbursement": Code("Reimbursement", "Hoàn trả", "7"),
        "purchase_of_equity": Code("Purchase of equity", "Mua cổ phần", "8"),
        "sale_of_equity": Code("Sale of equity", "Bán cổ phần", "9"),
        "credit_guarantee": Code("Credit guarantee", "Bảo lãnh tín dụng", "10"),
        "incoming_commitment": Code("Incoming commitment", "Cam kết nhận", "11"),
        "outgoing_pledge": Code("Outgoing pledge", "Hứa chi", "12"),
        "incoming_pledge": Code("Incoming pledge", "Hứa nhận", "13"),
    },
    iati="TransactionType",
)
BUDGET_STATUS = CodeList(
    "budget_status",
    "How firm a budget or a planned disbursement is. `indicative`: it is an estimate. `committed`: it is binding.",
    {"indicative": Code("Indicative", "Dự kiến", "1"), "committed": Code("Committed", "Đã cam kết", "2")},
    iati="BudgetStatus",
)
BUDGET_TYPE = CodeList(
    "budget_type",
    "Whether a budget or a planned disbursement is the first one for its period. `original`: it is. `revised`: it "
    "replaces an earlier one.",
    {"original": Code("Original", "Ban đầu", "1"), "revised": Code("Revised", "Điều chỉnh", "2")},
    iati="BudgetType",
)
CURRENCY = CodeList(
    "currency",
    "Currencies by their ISO 4217 codes.",
    codes_of("currency", iati=True),
    source="ISO 4217, with names from Unicode CLDR",
    iati="Currency",
)


class TransactionFields(RecordFields):
    """An amount of money in one currency that is budgeted, promised, paid or received."""

    kind: Annotated[str, TRANSACTION_KIND] = Field(
        description="What happens to the money. `/v1/codelists/transaction_kind` explains the codes."
    )
    value: Number = Field(description="The amount, not scaled. A negative amount takes back an earlier one.")
    currency: Annotated[str, CURRENCY] = Field(description="Currency of the amount, as an ISO 4217 code.")
    value_date: Edtf | None = Field(default=None, description="Day whose exchange rate applies to the amount.")
    date: Edtf | None = Field(default=None, description="When it happened, as precisely as stated.")
    period: Edtf | None = Field(default=None, description="Time for which the money is budgeted or planned.")
    description: LanguageMap | None = Field(default=None, description="What the money is for, by language.")
    project: ProjectId | None = Field(default=None, description="Id of the project that it belongs to.")
    agreement: AgreementId | None = Field(default=None, description="Id of the agreement on which it is based.")
    provider: PartnerId | None = Field(default=None, description="Id of the partner that provides the money.")
    receiver: PartnerId | None = Field(default=None, description="Id of the partner that receives the money.")
    budget_status: Annotated[str, BUDGET_STATUS] | None = Field(
        default=None, description="How firm a budget is. `/v1/codelists/budget_status` explains the codes."
    )
    budget_type: Annotated[str, BUDGET_TYPE] | None = Field(
        default=None, description="Whether a budget was revised. `/v1/codelists/budget_type` explains the codes."
    )
    reference: Line | None = Field(default=None, description="Number by which its source refers to it.")
    as_written: Line | None = Field(default=None, description="The amount as the source writes it.")

    @model_validator(mode="after")
    def _has_time(self) -> "TransactionFields":
        if self.date is None and self.period is None:
            raise ValueError("A transaction needs a date, or the period for which it is budgeted.")
        return self


class TransactionShown(TransactionFields, Record):
    """A transaction as the registry returns it."""

    resource: Literal["transactions"]


class Transaction(RecordRow, table=True):
    """Columns of transactions that lists filter and sort by."""

    __tablename__ = "transactions"
    __table_args__ = (
        in_codes("kind", TRANSACTION_KIND),
        *list_indexes(
            codes=("kind", "currency"), sorts=("value", "date_earliest", "period_earliest"), alone=("project",)
        ),
    )

    kind: str = Field(sa_type=BYTEWISE)
    value: float = Field(sa_type=Double)
    currency: str = Field(sa_type=BYTEWISE)
    budget_type: str | None = Field(sa_type=BYTEWISE)
    date_earliest: str | None = Field(sa_type=BYTEWISE)
    date_latest: str | None = Field(sa_type=BYTEWISE)
    period_earliest: str | None = Field(sa_type=BYTEWISE)
    period_latest: str | None = Field(sa_type=BYTEWISE)
    project: str | None = Field(sa_type=BYTEWISE, foreign_key="projects.id")
    agreement: str | None = Field(sa_type=BYTEWISE, foreign_key="agreements.id", index=True)
    provider: str | None = Field(sa_type=BYTEWISE, foreign_key="partners.id", index=True)
    receiver: str | None = Field(sa_type=BYTEWISE, foreign_key="partners.id", index=True)


TRANSACTIONS = Resource(
    name="transactions",
    one="transaction",
    about="Money that is budgeted, promised, paid or received, each amount in one currency.",
    fields=TransactionFields,
    shown=TransactionShown,
    table=Transaction,
    citations=citation_table("transactions"),
    number=10,
    heading=("description", "as_written"),
    named_by=("projects",),
    example="example-of-a-disbursement",
    example_fields={
        "kind": "disbursement",
        "value": 250000,
        "currency": "USD",
        "date": "2022-06-30",
        "value_date": "2022-06-30",
        "description": {
            "en": "Example of a payment, which no source states.",
            "vi": "Ví dụ về một khoản chi, không có nguồn.",
        },
        "project": "geipp",
        "provider": "unido",
        "citations": [
            {
                "document": "viet-nam-net-zero-2050-commitment",
                "supports": ["date"],
                "basis": "external",
                "note": {"en": "An example, which no source states.", "vi": "Ví dụ, không có nguồn nào nêu."},
            }
        ],
    },
    filters={
        "kind": EqualFilter(Transaction.kind, Annotated[str, TRANSACTION_KIND], "Transactions of these kinds."),
        "currency": EqualFilter(Transaction.currency, Annotated[str, CURRENCY], "Amounts in these currencies."),
        "value": RangeFilter(Transaction.value, Amount, "Amount."),
        "date": DuringFilter(Transaction.date_earliest, Transaction.date_latest, "When it happened."),
        "period": DuringFilter(Transaction.period_earliest, Transaction.period_latest, "Time that is budgeted."),
    },
    sorts={
        "value": Transaction.value,
        "date": Transaction.date_earliest,
        "period": Transaction.period_earliest,
    },
    links={
        "project": Link(
            "projects", (Transaction.project,), "Transactions of this project.", "projects", "transactions"
        ),
        "agreement": Link(
            "agreements", (Transaction.agreement,), "Transactions of this agreement.", "agreements", "transactions"
        ),
        "partner": Link(
            "partners",
            (Transaction.provider, Transaction.receiver),
            "Transactions that this partner provides or receives.",
            "partners",
            "transactions",
        ),
        "provider": Link("partners", (Transaction.provider,), "Transactions that this partner provides."),
        "receiver": Link("partners", (Transaction.receiver,), "Transactions that this partner receives."),
    },
)
