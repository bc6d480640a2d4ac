"""`/agreements/{id}`: the sides, who signed for them, what they aim at, when, and what the sources do not state."""

from collections.abc import Mapping
from typing import Any

from app.explorer.drawing.time_axis import TimeAxis
from app.explorer.page_reads import joined, read_list, read_record
from app.explorer.reads import PublicReads
from app.explorer.rendering import Content
from app.explorer.view import View

INCLUDE = "partners,projects,places,whole,amended,legal_basis,parts,documents"
EXPECTED = ("signed_on", "signed_in", "period", "parties", "signatories", "legal_basis")


async def agreement_page(view: View, reads: PublicReads, agreement: str) -> Content:
    """Return the page of an agreement."""
    record = await read_record(reads, view, "agreements", agreement, INCLUDE)
    own = {"agreement": agreement}
    events = await read_list(reads, view, "milestones", {**own, "sort": "date", "include": "projects,documents"})
    statements = await read_list(reads, view, "statements", {**own, "limit": 30, "include": "partners,documents"})
    include = "indicators,projects,places,documents"
    figures = await read_list(reads, view, "figures", {**own, "limit": 30, "include": include})
    values = {
        "record": record,
        "included": joined(record, events, statements, figures),
        "sides": _sides(record),
        "events": events,
        "axis": TimeAxis(event["date"] for event in events["items"]),
        "statements": statements,
        "figures": figures,
        "missing": [field for field in EXPECTED if not record[field]],
    }
    return Content("agreement.html", values, "agreements")


def _sides(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each party with those who signed for it, and last those who signed for nobody that is a party."""
    signatories = list(enumerate(record["signatories"]))
    sides = [
        {
            "party": party,
            "number": number,
            "signatories": [item for item in signatories if item[1]["for"] == party["partner"]],
        }
        for number, party in enumerate(record["parties"])
    ]
    parties = {party["partner"] for party in record["parties"]}
    others = [item for item in signatories if item[1]["for"] not in parties]
    return [*sides, {"party": None, "number": None, "signatories": others}] if others else sides
