"""Dates as SVG: one drawing in each row of a table of events, all on the axis of its head."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from markupsafe import Markup

from app.explorer.drawing.time_axis import Mark, TimeAxis
from app.explorer.view import Record, View

YEARS = "years"  # the id of the lines at the starts of years, which the head defines and each row uses

# How each kind of mark is drawn in the legend: its width and its shape.
LEGEND = {
    "day": (10, '<circle class="d" cx="5" cy="8" r="4.2"/>'),
    "month": (8, '<rect class="m" x="1" y="3.5" width="5" height="9" rx="2"/>'),
    "year": (33, '<rect class="y" x=".5" y="3.5" width="32" height="9" rx="2"/>'),
    "period": (33, '<path class="p" d="M1 8H32M1 3v10M32 3v10"/>'),
    "before": (33, '<rect fill="url(#fade)" y="4" width="31" height="8"/><path class="cap" d="M31 1v14"/>'),
    "after": (33, '<rect fill="url(#rise)" x="2" y="4" width="31" height="8"/><path class="cap" d="M2 1v14"/>'),
    "inferred": (33, '<rect class="inf" x=".5" y="3.5" width="32" height="9" rx="2"/>'),
    "planned": (33, '<rect class="pl" x=".5" y="3.5" width="32" height="9" rx="2"/>'),
}
CLASSES = {"inferred": "inf", "planned": "pl"}
OPEN = ("before", "after")  # drawn in the same way if they are inferred or planned


class DrawnDate(NamedTuple):
    """A date of an event on the axis. `kind` is how it is drawn: as precisely as stated, as inferred or as planned."""

    mark: Mark
    kind: str


def date_of(view: View, axis: TimeAxis, event: Record) -> DrawnDate:
    """Return how the date of an event is drawn."""
    mark = axis.mark(event["date"])
    if mark.kind in ("none", "beyond", *OPEN):
        return DrawnDate(mark, mark.kind)
    planned = "planned" if event["status"] == "planned" else mark.kind
    return DrawnDate(mark, "inferred" if view.is_inferred(event, "/date") else planned)


def legend_of(view: View, axis: TimeAxis, events: Iterable[Record]) -> list[tuple[str, Markup]]:
    """Return the kinds of marks in a table, each with its drawing."""
    drawn = {date_of(view, axis, event).kind for event in events}
    return [
        (kind, Markup(f'<svg class="strip" width="{width}" aria-hidden="true">{shape}</svg>'))
        for kind, (width, shape) in LEGEND.items()
        if kind in drawn
    ]


def axis_labels(axis: TimeAxis) -> Markup:
    """Return the drawing of the head: some years, and the lines for the rows."""
    lines = "".join(f'<line x1="{tick.at}%" x2="{tick.at}%" y1="0" y2="26"/>' for tick in axis.ticks)
    years = "".join(f'<text x="{tick.at}%" y="12">{tick.year}</text>' for tick in axis.ticks if tick.has_label)
    return Markup(
        f'<svg height="14" aria-hidden="true"><defs><g id="{YEARS}" class="g">{lines}</g></defs>{years}</svg>'
    )


def drawing_of(date: DrawnDate) -> Markup:
    """Return the drawing of a date, over the lines of the years."""
    shapes = "".join(_shapes(date.mark, CLASSES.get(date.kind, date.kind[0])))
    return Markup(f'<svg aria-hidden="true"><use href="#{YEARS}"/>{shapes}</svg>')


def _shapes(mark: Mark, name: str) -> Iterator[str]:
    end = round(mark.start + mark.width, 2)
    if mark.kind == "day":
        yield f'<circle class="{name}" cx="{mark.start}%" cy="13" r="4.2"/>'
    elif mark.kind in OPEN:
        edge = end if mark.kind == "before" else mark.start
        fill = "fade" if mark.kind == "before" else "rise"
        yield f'<rect fill="url(#{fill})" x="{mark.start}%" width="{mark.width}%" y="9" height="8"/>'
        yield _upright("cap", edge, 6, 20)
    elif name == "p":
        yield f'<line class="p" x1="{mark.start}%" x2="{end}%" y1="13" y2="13"/>'
        yield from (_upright("p", edge, 8, 18) for edge in (mark.start, end))
    else:
        yield f'<rect class="{name}" x="{mark.start}%" width="{mark.width}%" y="8.5" height="9" rx="2"/>'


def _upright(name: str, at: float, top: int, bottom: int) -> str:
    return f'<line class="{name}" x1="{at}%" x2="{at}%" y1="{top}" y2="{bottom}"/>'
