"""`/partners/{id}`: its names as written, its roles in projects, its agreements, and what it asked for and promised."""

from collections.abc import Mapping
from typing import Any

from app.explorer.page_reads import MAX_LISTED, joined, read_lines, read_list, read_record
from app.explorer.pages.money import read_money
from app.explorer.reads import PublicReads
from app.explorer.rendering import Content
from app.explorer.view import View

MAX_NAMES = 30  # citations


async def partner_page(view: View, reads: PublicReads, partner: str) -> Content:
    """Return the page of a partner."""
    record = await read_record(reads, view, "partners", partner, "parent,successors,places,documents")
    projects = await read_lines(
        reads, view, "projects", {"partner": partner, "limit": MAX_LISTED, "include": "documents"}
    )
    agreements = await read_lines(reads, view, "agreements", {"partner": partner, "include": "documents"})
    statements = await read_list(
        reads, view, "statements", {"partner": partner, "limit": 30, "include": "partners,documents"}
    )
    figures = await read_lines(
        reads, view, "figures", {"partner": partner, "include": "indicators,projects,places,documents"}
    )
    units = await read_lines(reads, view, "partners", {"parent": partner, "limit": 30})
    money = await read_money(view, reads, {"partner": partner})
    values = {
        "record": record,
        "names": _names(record),
        "included": joined(record, statements, figures, money["page"]),
        "projects": projects,
        "roles": _labels_of_roles(view, projects["items"], partner),
        "agreements": agreements,
        "statements": statements,
        "money_of": money,
        "figures": figures,
        "units": units,
    }
    return Content("partner.html", values, "partners")


def _names(record: Mapping[str, Any]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Return the names as written, each once, with one citation of each paragraph that has it."""
    names: dict[str, dict[tuple[str, int | None], Mapping[str, Any]]] = {}
    for citation in record["citations"][:MAX_NAMES]:
        if citation["as_written"]:
            place = (citation["document"], citation["paragraph"])
            names.setdefault(citation["as_written"], {}).setdefault(place, citation)
    return [(words, list(citations.values())) for words, citations in names.items()]


def _labels_of_roles(view: View, projects: list[Mapping[str, Any]], partner: str) -> dict[str, str]:
    """Return the roles that the partner has in these projects, with their labels."""
    labels: dict[str, str] = {}
    for project in projects:
        for number, role in enumerate(project["roles"]):
            if role["partner"] == partner:
                labels.setdefault(role["role"], view.label(project, f"/roles/{number}/role"))
    return labels
