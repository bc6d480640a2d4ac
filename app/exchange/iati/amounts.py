"""Transactions of a project as budgets, planned disbursements and transactions of its activity."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from app.exchange.iati.dates import is_day
from app.exchange.iati.losses import Loss, all_lost
from app.exchange.iati.markup import element, narrated, text
from app.exchange.iati.pages import Linked
from app.exchange.iati.reporter import ORGANISATION, identifier_in
from app.exchange.iati.results import decimal
from app.figures.transactions import BUDGET_STATUS, BUDGET_TYPE, TRANSACTION_KIND
from app.partners.models import PARTNER_KIND

Record = Mapping[str, Any]

# The elements of the kinds that are no transactions in IATI.
PLANS = {"budget": "budget", "planned_disbursement": "planned-disbursement"}
LONGEST = timedelta(days=366)  # a budget for more than a year breaks a rule of the standard
IN_ELEMENT = (
    *("id", "kind", "value", "currency", "value_date", "date", "period", "description", "project", "provider"),
    *("receiver", "reference", "budget_status", "budget_type"),
)
NOT_IN_BUDGETS = ("date", "description", "provider", "receiver", "reference")
NOT_IN_TRANSACTIONS = ("period", "budget_status", "budget_type")


class Amounts:
    """The elements of the transactions of a project, with their names, and what they leave out, by transaction."""

    def __init__(self, project: Record, linked: Linked) -> None:
        self._linked = linked
        self.elements: list[tuple[str, str]] = []
        self.losses: dict[str, list[Loss]] = {}
        for record in linked.of("transactions", project):
            name = PLANS.get(record["kind"], "transaction")
            is_whole = _is_plan(record) if name != "transaction" else is_single_day(record["date"])
            if not is_whole or not is_single_day(record["value_date"]):
                self.losses[record["id"]] = list(all_lost(record, "no_day"))
                continue
            self.elements.append((name, self._plan(name, record) if name != "transaction" else self._payment(record)))
            self.losses[record["id"]] = list(self._losses(name, record))

    def _plan(self, name: str, record: Record) -> str:
        kind = BUDGET_TYPE.codes[record["budget_type"]].iati if record["budget_type"] else None
        status = BUDGET_STATUS.codes[record["budget_status"]].iati if record["budget_status"] else None
        is_budget = name == "budget"
        return element(
            name,
            {"type": kind, "status": status} if is_budget else {"type": kind},
            element("period-start", {"iso-date": record["period"]["earliest"]}),
            element("period-end", {"iso-date": record["period"]["latest"]}),
            _value(record),
            "" if is_budget else self._organisations(record),
        )

    def _payment(self, record: Record) -> str:
        code = TRANSACTION_KIND.codes[record["kind"]].iati
        return element(
            "transaction",
            {"ref": record["reference"]},
            element("transaction-type", {"code": code}),
            element("transaction-date", {"iso-date": record["date"]["earliest"]}),
            _value(record),
            narrated("description", record["description"]) if record["description"] else "",
            self._organisations(record),
        )

    def _organisations(self, record: Record) -> str:
        return "".join(self._organisation(f"{side}-org", record[side]) for side in ("provider", "receiver"))

    def _organisation(self, name: str, partner_id: str | None) -> str:
        partner = self._linked.get("partners", partner_id or "")
        if partner is None:
            return ""
        kind = PARTNER_KIND.codes[partner["kind"]].iati if partner["kind"] != "ngo" else None
        return narrated(name, partner["name"], {"ref": identifier_in(partner, ORGANISATION), "type": kind})

    def _losses(self, name: str, record: Record) -> Iterator[Loss]:
        left_out = {"budget": NOT_IN_BUDGETS, "transaction": NOT_IN_TRANSACTIONS}.get(name, ("date", "reference"))
        members = [member for member in IN_ELEMENT if member not in left_out]
        yield from (Loss(loss.member, name, loss.reason) for loss in all_lost(record, "no_element", members))


def is_single_day(day: Record | None) -> bool:
    """Return whether a date is one day."""
    return day is not None and is_day(day, "earliest") and day["earliest"] == day["latest"]


def _is_plan(record: Record) -> bool:
    period = record["period"]
    if period is None or not (is_day(period, "earliest") and is_day(period, "latest")):
        return False
    return date.fromisoformat(period["latest"]) - date.fromisoformat(period["earliest"]) < LONGEST


def _value(record: Record) -> str:
    attributes = {"currency": record["currency"], "value-date": record["value_date"]["earliest"]}
    return element("value", attributes, text(decimal(record["value"])))
