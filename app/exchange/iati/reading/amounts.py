"""Budgets, planned disbursements and transactions of an activity or organisation: each becomes a transaction."""

from collections.abc import Iterator
from typing import Any

from app.core.error_codes import ERROR_DETAILS
from app.core.errors import ErrorItem
from app.exchange.formats.lines import ParsedLine, SourceError
from app.exchange.iati.amounts import PLANS
from app.exchange.iati.reading.documents import project_link
from app.exchange.iati.reading.findings import IMPORTED, Paths, keep
from app.exchange.iati.reading.parser import Node
from app.exchange.iati.reading.source import Origin
from app.exchange.iati.reading.values import DerivedIds, day_in, day_of, line_of, period_of, texts_of
from app.exchange.iati.reporter import ORGANISATION
from app.figures.transactions import BUDGET_STATUS, BUDGET_TYPE, CURRENCY, TRANSACTION_KIND

KINDS = {code.iati: kind for kind, code in TRANSACTION_KIND.codes.items() if code.iati}
PLAN_KINDS = {name: kind for kind, name in PLANS.items()}
STATUSES = {code.iati: status for status, code in BUDGET_STATUS.codes.items()}
TYPES = {code.iati: kind for kind, code in BUDGET_TYPE.codes.items()}
SIDES = {"provider-org": "provider", "receiver-org": "receiver", "recipient-org": "receiver"}
# Elements of organisations; budgets for countries and regions have no member for these.
OF_ORGANISATIONS = {"total-budget": "budget", "recipient-org-budget": "budget", "total-expenditure": "expenditure"}
NAMES = (*PLAN_KINDS, "transaction", *OF_ORGANISATIONS)


class Amounts:
    """The transactions of one activity, or of the organisation of a file."""

    def __init__(self, node: Node, origin: Origin) -> None:
        self._node = node
        self._origin = origin
        self._ids = DerivedIds(origin.identifier)
        self._paths = Paths(node)
        self._currency = node.get("default-currency")

    def lines(self) -> Iterator[ParsedLine]:
        """Yield the line of each transaction."""
        for node in self._node.named(*NAMES):
            yield from self._transaction(node)

    def _transaction(self, node: Node) -> Iterator[ParsedLine]:
        value_node = node.first("value")
        kind = self._kind(node)
        date = day_of(node.first("transaction-date"))
        period = period_of(node)
        currency = (value_node.get("currency") if value_node else "") or self._currency
        written = line_of(value_node.content) if value_node else ""
        if kind is None:
            node.fate = "unknown_code"
        elif value_node is None or not written:
            node.fate = "empty"
        elif currency.upper() not in CURRENCY.codes:
            node.fate = "no_currency"
        elif date is None and period is None:
            node.fate = "no_date"
        else:
            yield from self._line(node, value_node, {"kind": kind, "currency": currency.upper()}, date, period)

    def _kind(self, node: Node) -> str | None:
        if node.name != "transaction":
            return PLAN_KINDS.get(node.name) or OF_ORGANISATIONS[node.name]
        code = node.first("transaction-type")
        kind = KINDS.get(code.get("code")) if code else None
        if code is not None and kind is not None:
            code.fate = IMPORTED
        return kind

    def _line(
        self, node: Node, value_node: Node, head: dict[str, str], date: str | None, period: str | None
    ) -> Iterator[ParsedLine]:
        errors: list[ErrorItem] = []
        written = line_of(value_node.content)
        value = self._number(value_node, written, errors)
        if value is None and not errors:
            node.fate = "no_number"
            return
        partners = self._partners(node)
        reference = line_of(node.get("ref"))
        key = [reference] if reference else [date or "", period or "", head["currency"], repr(sorted(partners.items()))]
        is_activity = self._node.name == "iati-activity"
        record: dict[str, Any] = {
            "id": self._ids.new(head["kind"], head["kind"], *key),
            **head,
            "value": value,
            "value_date": day_in(value_node.get("value-date")),
            "date": date,
            "period": period,
            "description": texts_of(node.first("description"), self._origin.language),
            "project": project_link(self._origin.identifier) if is_activity else None,
            **partners,
            "reference": reference or None,
            "as_written": written,
        }
        if node.name != "transaction":
            record["budget_status"] = STATUSES.get(node.get("status"))
            record["budget_type"] = TYPES.get(node.get("type"))
        record["citations"] = self._origin.citations(record)
        node.fate = "refused" if errors else IMPORTED
        value_node.fate = node.fate
        yield self._origin.file.line("transactions", record, (), errors)

    def _partners(self, node: Node) -> dict[str, str]:
        partners = {}
        if node.name in OF_ORGANISATIONS:
            partners["provider"] = f"{ORGANISATION}:{self._origin.identifier}"
        for organisation in node.named(*SIDES):
            link = self._origin.file.organisations.link(organisation, self._origin.language)
            if link is not None:
                partners[SIDES[organisation.name]] = link
                keep(organisation)
        return partners

    def _number(self, node: Node, written: str, errors: list[ErrorItem]) -> float | int | None:
        """Return the amount. The standard has decimal points, unless the file proves something else."""
        try:
            return self._origin.file.amounts.read(written)
        except ValueError:
            detail = ERROR_DETAILS["two_readings"]
            path = self._paths.of(node)
            errors.append(
                SourceError(pointer="/value", code="two_readings", detail=detail, source_line=node.line, path=path)
            )
            return None
