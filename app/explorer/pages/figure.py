"""`/figures/{id}`: the evidence of a number: the cited words, the arithmetic it takes part in, how it was stated."""

from collections.abc import Mapping
from typing import Any

from app.explorer.page_reads import read_evidence, read_record
from app.explorer.pages.arithmetic import adds_up
from app.explorer.passages import Passage, Quotation, passages_of, with_links
from app.explorer.reads import PublicReads
from app.explorer.rendering import Content
from app.explorer.view import View

INCLUDE = "indicators,projects,agreements,partners,milestones,about_documents,places,related,relating,documents"

MAX_LINKED = 3  # paragraphs with links to the other figures in them

Figure = Mapping[str, Any]


async def figure_page(view: View, reads: PublicReads, figure: str) -> Content:
    """Return the page of a figure, which contains the fragment that other pages show in a panel."""
    record = await read_record(reads, view, "figures", figure, INCLUDE)
    evidence = await read_evidence(reads, view, "figures", figure)
    included = record["included"]
    values = {
        "passages": await _linked(reads, figure, passages_of(evidence, "value", "text")),
        "basis": evidence,
        "record": record,
        "included": included,
        "sums": _sums(record, included),
        "links": _links(record, included),
    }
    return Content("figure.html", values, "figures")


async def _linked(reads: PublicReads, figure: str, passages: list[Passage]) -> list[Passage]:
    """Return the passages, the first ones with links to the other figures in them. Without a text there are none."""
    linked = []
    for number, passage in enumerate(passages):
        others: list[Quotation] = []
        if passage.parts and number < MAX_LINKED:
            paragraph = await reads.get(f"/v1/documents/{passage.document}/paragraphs/{passage.paragraph}")
            others = [item for item in paragraph["quotations"] if _states_other_number(item, figure)]
        linked.append(with_links(passage, others))
    return linked


def _states_other_number(quotation: Quotation, figure: str) -> bool:
    is_other = quotation["resource"] == "figures" and quotation["id"] != figure
    return is_other and "value" in quotation["supports"]


def _sums(record: Figure, included: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of this figure, and whether they add up to it."""
    parts = [other for other in included["relating"].values() if _relates(other, "part_of", record["id"])]
    if not parts:
        return []
    return [{"parts": parts, "equal": adds_up(parts, record)}]


def _links(record: Figure, included: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the other figures that this one relates to, and those that relate to it but are no parts of it."""
    links = [
        {"figure": included["related"][relation["figure"]], "label": ("own", record, f"/relations/{number}/kind")}
        for number, relation in enumerate(record["relations"])
        if relation["figure"] in included["related"]
    ]
    for other in included["relating"].values():
        links += [
            {"figure": other, "label": ("other", other, f"/relations/{number}/kind")}
            for number, relation in enumerate(other["relations"])
            if relation["figure"] == record["id"] and relation["kind"] != "part_of"
        ]
    return links


def _relates(other: Figure, kind: str, figure: str) -> bool:
    return any(relation["kind"] == kind and relation["figure"] == figure for relation in other["relations"])
