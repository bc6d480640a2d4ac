"""Templates, filled with the values of a page."""

from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from app.explorer.view import View


class Content(NamedTuple):
    """A template with its values. `section` is the entry of the navigation that the page belongs to."""

    template: str
    values: dict[str, Any]
    section: str = ""


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("app.explorer"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def render(content: Content, view: View) -> str:
    """Return the HTML of a page."""
    template: Template = _environment().get_template(content.template)
    return view.finished(template.render(content.values, v=view, section=content.section))
