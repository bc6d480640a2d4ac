"""`/projects/{id}/progress.svg` and `/projects/{id}/embed`: the progress of a project, for pages of others."""

from typing import Any

from app.explorer.drawing.progress_bar import Bar, bars_of
from app.explorer.page_reads import by_id, read_list, read_record
from app.explorer.reads import PublicReads
from app.explorer.rendering import SVG, Content
from app.explorer.view import View

MAX_DRAWN = 6  # indicators
MAX_LETTERS = 68  # of a line of the picture
BAR_WIDTH = 600
ROW_HEIGHT = 92


async def progress_image(view: View, reads: PublicReads, project: str) -> Content:
    """Return a picture with the bars of a project, its source and its licence."""
    values = await _progress(view, reads, project)
    rows: list[dict[str, Any]] = []
    for measure in values["measures"]:
        rows += [_row(view, measure, bar, values["figures"]) for bar in measure["bars"]]
    height = 64 + ROW_HEIGHT * max(len(rows), 1) + 40
    drawn = {**values, "rows": rows, "height": height, "title": _cut(view.plain_title(values["record"]))}
    return Content("progress.svg", drawn, media_type=SVG)


async def embedded_progress(view: View, reads: PublicReads, project: str) -> Content:
    """Return the progress of a project as a page without navigation, for a frame in another page."""
    return Content("embed.html", await _progress(view, reads, project), can_be_framed=True)


async def _progress(view: View, reads: PublicReads, project: str) -> dict[str, Any]:
    record = await read_record(reads, view, "projects", project, "documents")
    progress = await reads.get(f"/v1/projects/{project}/progress")
    figures = await read_list(reads, view, "figures", {"project": project, "limit": 100, "include": "documents"})
    measures = [{"entry": entry, "bars": bars_of(entry)} for entry in progress["indicators"]]
    measures = [measure for measure in measures if measure["bars"]][:MAX_DRAWN]
    return {"record": record, "measures": measures, "figures": by_id(figures["items"])}


def _row(view: View, measure: dict[str, Any], bar: Bar, figures: dict[str, Any]) -> dict[str, Any]:
    """Return the texts and the bar of one result."""

    def amount(figure: Any) -> str:
        stated = figures.get(figure["id"], figure)
        return " ".join(filter(None, [view.qualifier(stated), view.value(stated)]))

    name = view.texts(measure["entry"]["name"])
    target = figures.get(bar.target["id"], bar.target)
    result = amount(bar.actual) if bar.actual else view.word("no_result")
    parts = [f"{result} {view.word('done')}"] if bar.actual else []
    parts += [f"{amount(plan)} {view.word('planned')}" for plan in bar.plans]
    parts += [f"{amount(bar.target)} {view.word('target')}"]
    return {
        "name": _cut(name[0].text if name else view.word("indicator")),
        "headline": f"{result} {view.word('of_target', target=amount(bar.target))} {view.unit(target)}",
        "key": " · ".join(parts),
        "bar": bar,
    }


def _cut(text: str) -> str:
    return text if len(text) <= MAX_LETTERS else f"{text[: MAX_LETTERS - 1].rstrip()}…"
