"""Templates, filled with the values of a page."""

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from app.core.values.text import xml_characters
from app.explorer.drawing.date_marks import axis_labels, date_of, drawing_of, legend_of
from app.explorer.pages.money import stage_of
from app.explorer.pieces import pieces_of
from app.explorer.view import View

if TYPE_CHECKING:
    from jinja2 import Environment, Template

HTML = "text/html; charset=utf-8"
ATOM = "application/atom+xml; charset=utf-8"
CALENDAR = "text/calendar; charset=utf-8"
SVG = "image/svg+xml"
JSON = "application/json"


class Content(NamedTuple):
    """A template with its values, or a text. `section` is the entry of the navigation that the page belongs to."""

    template: str
    values: dict[str, Any]
    section: str = ""
    media_type: str = HTML
    text: str = ""
    can_be_framed: bool = False  # by the pages of others


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - for the first page

    environment = Environment(
        loader=PackageLoader("app.explorer"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(
        stage_of=stage_of, axis_labels=axis_labels, date_of=date_of, drawing_of=drawing_of, legend_of=legend_of
    )
    return environment


def render(content: Content, view: View) -> str:
    """Return the text of a page or file."""
    if not content.template:
        return content.text
    template: Template = _environment().get_template(content.template)
    text = view.finished(template.render(pieces_of(view), **content.values, v=view, section=content.section))
    return xml_characters(text) if content.media_type in (ATOM, SVG) else text
