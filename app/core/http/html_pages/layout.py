"""What all pages share: the document around their content, and Markdown as HTML."""

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from posixpath import splitext
from typing import TYPE_CHECKING

from app.core.public_paths import public

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

NAVIGATION = {
    "/": "Start",
    "/guides": "Guides",
    "/reference": "Reference",
    "/docs": "Try it out",
    "/problems": "Problems",
}

DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · {site}</title>
<link rel="icon" href="{root}/docs/assets/favicon.png">
<link rel="stylesheet" href="{root}/docs/assets/site.css">
{head}</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header><nav aria-label="Pages"><a class="site" href="{root}/">{site}</a>{links}</nav>
<form role="search" action="{root}/reference"><input type="search" name="q" maxlength="100" required
 aria-label="Search the reference and the guides" placeholder="Search the docs"><button>Search</button></form></header>
<main id="content">
{body}
</main>
</body></html>
"""


def document(site: str, title: str, body: str, *, path: str, styles: Sequence[str] = ("text.css",)) -> str:
    """Return a whole page. `path` is the entry of the navigation that it belongs to."""
    head = "".join(f'<link rel="stylesheet" href="{public(f"/docs/assets/{name}")}">\n' for name in styles)
    links = "".join(
        f'<a href="{public(link)}"{" aria-current=page" if link == path else ""}>{name}</a>'
        for link, name in NAVIGATION.items()
    )
    parts = {"title": escape(title), "site": escape(site), "root": public(""), "links": links}
    return DOCUMENT.format(**parts, head=head, body=body)


@cache
def _markdown() -> "MarkdownIt":
    from markdown_it import MarkdownIt  # noqa: PLC0415 - for the first page with Markdown

    return MarkdownIt("commonmark", {"html": False}).enable("table")


def markdown(text: str) -> str:
    """Return Markdown as HTML. Headings get ids as on GitHub; links to other guides lead to their pages."""
    tokens = _markdown().parse(text)
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", anchor(tokens[number + 1].content))
        for child in token.children or ():
            if child.type == "link_open":
                _lead_to_page(child)
    rendered: str = _markdown().renderer.render(tokens, _markdown().options, {})
    return rendered.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")


def anchor(heading: str) -> str:
    """Return the id of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def _lead_to_page(link: "Token") -> None:
    target = str(link.attrs["href"])
    path, _, fragment = target.partition("#")
    name, ending = splitext(path)
    if ending == ".md" and "/" not in name:
        link.attrSet("href", public(f"/guides/{name}") + (f"#{fragment}" if fragment else ""))
    elif not re.match(r"[a-z]+:|/|#", target):  # a file of the repository, which is not served
        del link.attrs["href"]
