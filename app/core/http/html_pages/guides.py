"""`/guides`: the files of `docs/`, read in the browser."""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

from app.core.errors import NotFound
from app.core.http.html_pages.layout import markdown
from app.core.public_paths import public

FOLDER = files("app.core.http.html_pages") / "guides"  # links to the files of docs/, which a wheel contains as files

# For whom each guide is, in the order in which they are listed.
READERS = {
    "use-the-api": "Developers who read the registry: lists, search, figures, caching.",
    "clients": "Developers who use Python, pandas, TypeScript or R, and users of OpenRefine.",
    "filters": "Every filter of the lists, with its negation.",
    "codes": "Code lists and units, and what other bodies call them.",
    "keep-in-step": "Partners who write, and who keep a copy that is up to date.",
    "keys": "Keys, their scopes, and who may do what.",
    "imports": "Files of many records: how an import works and what it reports.",
    "tables": "CSV and Excel files: columns, dates, numbers and mappings.",
    "iati": "IATI files: what they contain, and what they leave out.",
    "agents": "Language models and their programs: the tools of the MCP endpoint.",
    "the-data": "How the data is curated, and how to have an error corrected.",
    "operating": "Operators: run, back up, upgrade and monitor a registry.",
    "cluster": "Operators whose registry must go on when a machine is lost.",
    "caches": "Operators of registries that many people read: Varnish or a CDN in front.",
    "settings": "Every setting with its default.",
    "scale": "Operators of large registries: how much disk, and how many machines.",
    "glossary": "The terms that the guides and the code use.",
}


class Guide(NamedTuple):
    """A guide as Markdown."""

    name: str
    title: str
    text: str


@cache
def guides() -> dict[str, Guide]:
    """Return all guides by their names."""
    by_name = {}
    for name in READERS:
        text = (FOLDER / f"{name}.md").read_text("utf-8")
        by_name[name] = Guide(name, text.partition("\n")[0].lstrip("# "), text)
    return by_name


def guides_page() -> str:
    """Return the list of guides."""
    entries = "".join(
        f'<li><a href="{public(f"/guides/{guide.name}")}">{guide.title}</a><br>{READERS[guide.name]}</li>'
        for guide in guides().values()
    )
    return f'<h1>Guides</h1><ul class="cards">{entries}</ul>'


def guide_page(name: str) -> str:
    """Return the content of one guide; raises NotFound."""
    return f'<article class="text">{markdown(guide_text(name))}</article>'


def guide_text(name: str) -> str:
    """Return one guide as Markdown; raises NotFound."""
    if name not in guides():
        raise NotFound("There is no resource at this path.")
    return guides()[name].text
