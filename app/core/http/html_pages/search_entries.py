"""What the search field of the pages finds: operations, schemas, problems, and the sections of guides."""

import re
from collections.abc import Iterator
from html import escape
from typing import Any, NamedTuple

from app.core.errors import family
from app.core.http.html_pages.guides import guides
from app.core.http.html_pages.layout import anchor
from app.core.http.html_pages.reference import operations_of
from app.core.public_paths import public

MAX_QUERY = 100  # characters
MAX_RESULTS = 40
EXCERPT = 200  # characters of the text around the first word


class Entry(NamedTuple):
    """A place of the documentation, with the words by which it is entries."""

    kind: str
    title: str
    address: str
    text: str


def entries_of(contract: dict[str, Any]) -> list[Entry]:
    """Return all places, those to begin with first."""
    entries = [*_sections("Getting started", public("/reference"), contract["info"]["description"])]
    for operation in operations_of(contract):
        text = f"{operation.method.upper()} {operation.path} {operation.entry.get('description', '')}"
        entries.append(Entry("Operation", operation.entry["summary"], operation.address, text))
    for guide in guides().values():
        entries += _sections(f"Guide: {guide.title}", public(f"/guides/{guide.name}"), guide.text)
    for problem in family():
        text = f"{problem.code} {problem.status} {problem.__doc__}"
        entries.append(Entry("Problem", problem.title, public("/problems") + f"#{problem.code}", text))
    for name, schema in contract["components"]["schemas"].items():
        text = " ".join((schema.get("description", ""), *schema.get("properties", ())))
        entries.append(Entry("Schema", name, public("/reference/schemas") + f"#{name}", text))
    return entries


def results_page(entries: list[Entry], query: str) -> str:
    """Return what contains all words of a query: first where the title does."""
    words = query[:MAX_QUERY].lower().split()
    in_titles = [entry for entry in entries if _contains(entry.title, words)]
    in_texts = [entry for entry in entries if _contains(f"{entry.title} {entry.text}", words)]
    results = [*dict.fromkeys([*in_titles, *in_texts])] if words else []
    listed = "".join(_result(entry, words) for entry in results[:MAX_RESULTS])
    counted = f"{len(results)} results" if len(results) != 1 else "1 result"
    others = f", of which the first {MAX_RESULTS} are listed" if len(results) > MAX_RESULTS else ""
    return (
        f"<h1>Search: {escape(query[:MAX_QUERY])}</h1><p>{counted}{others}."
        f' <a href="{public("/reference")}">All operations</a></p><ul class="found">{listed}</ul>'
    )


def _contains(text: str, words: list[str]) -> bool:
    folded = text.lower()
    return all(word in folded for word in words)


def _result(entry: Entry, words: list[str]) -> str:
    start = max(0, entry.text.lower().find(words[0]) - EXCERPT // 2)
    excerpt = " ".join(entry.text[start : start + EXCERPT].split())
    return (
        f'<li><a href="{entry.address}">{escape(entry.title)}</a> <span class="muted">{escape(entry.kind)}<br>'
        f"{'…' if start else ''}{escape(excerpt)} …</span></li>"
    )


def _sections(kind: str, address: str, text: str) -> Iterator[Entry]:
    """Yield the sections of a Markdown text that begin with a heading. A comment in a block of code is none."""
    without_comments = re.sub(r"^```.*?^```", _without_comments, text, flags=re.DOTALL | re.MULTILINE)
    for section in re.split(r"^(?=#{1,3} )", without_comments, flags=re.MULTILINE):
        heading, _, rest = section.partition("\n")
        if heading.startswith("#"):
            title = heading.lstrip("# ")
            yield Entry(kind, title, f"{address}#{anchor(title)}", rest)


def _without_comments(block: re.Match[str]) -> str:
    return block[0].replace("\n#", "\n")
