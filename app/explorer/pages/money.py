"""The money of a project or partner: its transactions, and their sums within one kind and currency."""

from collections.abc import Mapping
from typing import Any

from app.core.errors import Invalid
from app.explorer.page_reads import read_list
from app.explorer.reads import PublicReads, ReadFailed
from app.explorer.view import View

MAX_TRANSACTIONS = 10  # of a page; the rest is in the list
INCLUDE = "partners,projects,documents"

# What has happened to the money, by the kind of a transaction. With all other kinds, it was paid.
PLANNED = frozenset({"budget", "planned_disbursement"})
PROMISED = frozenset(
    {"outgoing_commitment", "incoming_commitment", "outgoing_pledge", "incoming_pledge", "credit_guarantee"}
)


def stage_of(kind: str) -> str:
    """Return whether money of this kind is planned, promised or paid."""
    return "planned" if kind in PLANNED else "promised" if kind in PROMISED else "paid"


async def read_money(view: View, reads: PublicReads, filters: Mapping[str, str]) -> dict[str, Any]:
    """Return the latest transactions that filters select, and the sums of all of them."""
    parameters = {**filters, "sort": "-date", "limit": MAX_TRANSACTIONS, "include": INCLUDE}
    page = await read_list(reads, view, "transactions", parameters)
    if not page["items"]:
        return {"filters": filters, "page": page, "sums": []}
    groups = await _read_sums(reads, filters)
    codes = (await reads.summary("/v1/codelists/transaction_kind"))["codes"]
    labels = {code["code"]: code["label"] for code in codes}
    sums = [{**group, **group["key"], "label": labels[group["key"]["kind"]]} for group in groups]
    order = ("planned", "promised", "paid")
    sums.sort(key=lambda group: order.index(stage_of(group["kind"])))
    return {"filters": filters, "page": page, "sums": sums}


async def _read_sums(reads: PublicReads, filters: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the sums of transactions; none if there are too many different amounts, which any partner can state."""
    try:
        return list((await reads.get("/v1/transactions/aggregate", {**filters, "group_by": "kind"}))["groups"])
    except ReadFailed as failure:
        if failure.status != Invalid.status:
            raise
        return []
