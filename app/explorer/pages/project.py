"""`/projects/{id}`: what a project is, what it promised and delivered, where, when, who, and statements."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.explorer.drawing.progress_bar import bars_of
from app.explorer.drawing.time_axis import TimeAxis
from app.explorer.page_reads import by_id, joined, read_list, read_record
from app.explorer.pages.arithmetic import adds_up
from app.explorer.pages.money import read_money
from app.explorer.reads import PublicReads
from app.explorer.rendering import Content
from app.explorer.view import View

MAX_PARTS = 30  # projects whose figures and events the page shows together with those of the project
STATED_ROLES = ("implementing", "lead", "funding")  # the page also says that nobody has them

Node = Mapping[str, Any]


async def project_page(view: View, reads: PublicReads, project: str) -> Content:
    """Return the page of a project."""
    include = "partners,places,wholes,earlier,later,agreements,documents"
    record = await read_record(reads, view, "projects", project, include)
    progress = await reads.get(f"/v1/projects/{project}/progress")
    parts = list(_parts_of(progress))
    together = {"project": [project, *[part["project"] for part in parts][:MAX_PARTS]]}
    figures = await read_list(
        reads, view, "figures", {**together, "limit": 100, "include": "indicators,projects,places,successors,documents"}
    )
    events = await read_list(reads, view, "milestones", {**together, "sort": "date", "include": "projects,documents"})
    statements = await read_list(
        reads, view, "statements", {"project": project, "limit": 30, "include": "partners,documents"}
    )
    money = await read_money(view, reads, {"project": project})
    included = joined(record, figures, events, statements, money["page"])
    values = {
        "record": record,
        "included": included,
        "places": {**included["places"], **included["successors"]},
        "measures": _measures(progress),
        "parts": progress["parts"],
        "more_parts": progress["more_parts"] or len(parts) > MAX_PARTS,
        "breakdowns": list(_breakdowns(progress)),
        "figures": by_id(figures["items"]),
        "shown": [("project", part) for part in together["project"]],
        "more_figures": figures["next"],
        "others": _others(figures["items"], progress),
        "events": events,
        "axis": TimeAxis([*(event["date"] for event in events["items"]), record["period"]]),
        "statements": statements,
        "money_of": money,
        "roles": list(_roles(view, record)),
    }
    return Content("project.html", values, "projects")


def _roles(view: View, record: Node) -> Iterator[dict[str, Any]]:
    """Yield the roles with their partners. STATED_ROLES come first, also without partners."""
    partners: dict[str, list[tuple[str, str]]] = {role: [] for role in STATED_ROLES}
    labels = {role: view.word(f"role_{role}") for role in STATED_ROLES}
    for number, role in enumerate(record["roles"]):
        pointer = f"/roles/{number}"
        partners.setdefault(role["role"], []).append((role["partner"], pointer))
        labels[role["role"]] = view.label(record, f"{pointer}/role")
    for name, holders in partners.items():
        yield {"label": labels[name], "partners": holders}


def _measures(progress: Node) -> list[dict[str, Any]]:
    """Return the indicators of the project with their bars."""
    return [{"entry": entry, "bars": bars_of(entry)} for entry in progress["indicators"]]


def _parts_of(progress: Node) -> Iterator[Node]:
    """Yield the smaller projects of a project, and theirs."""
    for part in progress["parts"]:
        yield part
        yield from _parts_of(part)


def _breakdowns(progress: Node) -> Iterator[dict[str, Any]]:
    """Yield the figures that have parts, of the project and of its parts, and whether these add up."""
    for entry in _entries(progress):
        for node in _nodes(entry):
            parts = [part["figure"] for part in node["parts"]]
            if parts:
                yield {"node": node, "equal": adds_up(parts, node["figure"])}


def _entries(progress: Node) -> Iterator[Node]:
    yield from progress["indicators"]
    for part in _parts_of(progress):
        yield from part["indicators"]


def _nodes(entry: Node) -> Iterator[Node]:
    for name in ("targets", "plans", "baselines", "actuals"):
        yield from entry[name]


def _others(figures: list[Node], progress: Node) -> list[Node]:
    """Return the figures that the progress does not show, such as durations and context."""
    drawn: set[str] = set()
    for entry in _entries(progress):
        for node in _nodes(entry):
            drawn |= {node["figure"]["id"], *(part["figure"]["id"] for part in node["parts"])}
    return [figure for figure in figures if figure["id"] not in drawn]
