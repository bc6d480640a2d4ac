"""The work that everyone does: the same questions, put to each in its own URLs."""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from bench.client import Client
from bench.data import Data
from bench.generate import slug
from bench.table import Goal
from bench.words import PROVINCES, TOPICS

LISTED = ("active", "completed", "agreed", "past")
DEEP, PAGES = 200, 25  # a deep page is the 200th, or half-way where there are fewer; so many pages from there on
CHILDREN = "partners,agreements,milestones,figures"


@dataclass
class Work:
    """Paths that ask for the same by contender, and what must be reached."""

    name: str
    title: str
    paths: dict[str, Sequence[str]]
    goals: dict[str, list[Goal]] = field(default_factory=dict)  # by engine


def detail(data: Data) -> Work:
    projects = data.facts["projects"]
    nested = "&".join(f"_json={name}" for name in (*CHILDREN.split(","), "citations"))
    return Work(
        "detail",
        "cold detail with partners, agreements, milestones, figures",
        {
            "ours": [f"/v1/projects/{project}?include={CHILDREN}" for project in projects],
            "Datasette": [f"/peers/detail.json?id={project}&_shape=array&{nested}" for project in projects],
            "usual": [f"/projects/{project}" for project in projects],
        },
        {
            "sqlite": [Goal("≤", 2, "F"), Goal("≥", 4, "Datasette"), Goal("≥", 15, "usual")],
            "postgresql": [Goal("≤", 6, "F"), Goal("≥", 8, "usual")],
        },
    )


def deep_list(ours: Client, datasette: Client | None) -> Work:
    """Pages of 50 projects with one status, latest first, deep in the list: how each goes on from page to page."""
    own = [_walk(ours, f"/v1/projects?status={status}&sort=-period&limit=50") for status in LISTED]
    plain = "_sort_desc=period_start&_size=50&_nocount=1&_nofacet=1&_nosuggest=1&_shape=objects"
    theirs = [_walk(datasette, f"/peers/project.json?status={each}&{plain}") for each in LISTED] if datasette else []
    offsets = [
        [f"/projects?status={status}&offset={50 * page}" for page in range(start, start + len(pages))]
        for status, (start, pages) in zip(LISTED, own, strict=True)
    ]
    return Work(
        "list",
        "cold list of 50, filtered, sorted, deep page",
        {
            "ours": _in_turn([pages for _, pages in own]),
            "Datasette": _in_turn([pages for _, pages in theirs]),
            "usual": _in_turn(offsets),
        },
        {
            "sqlite": [Goal("≤", 4, "F"), Goal("≥", 8, "Datasette"), Goal("≥", 20, "usual")],
            "postgresql": [Goal("≤", 9, "F"), Goal("≥", 10, "usual")],
        },
    )


def _walk(client: Client, first: str) -> tuple[int, list[str]]:
    """Follow a list from page to page; the number of the first deep page, and the paths from there on."""
    pages: list[str] = []
    path = first
    while path and len(pages) < DEEP + PAGES:
        pages.append(path)
        shown = json.loads(client.get(path).body)
        given = urlsplit(shown.get("next_url") or shown["next"] or "")
        path = f"{given.path}?{given.query}" if given.path else ""
    start = min(DEEP, len(pages) // 2)
    return start, pages[start : start + PAGES]


def _in_turn(lists: Sequence[Sequence[str]]) -> list[str]:
    return [path for paths in itertools.zip_longest(*lists) for path in paths if path]


def search(data: Data) -> Work:
    """Topics, typed with and without diacritics, in English, and rare words."""
    asked = list(_queries(data))
    return Work(
        "search",
        "search, top 20",
        {
            "ours": [f"/v1/search?limit=20&q={quote(words)}" for words in asked],
            "Datasette": [f"/peers/search.json?_shape=objects&q={quote(words)}" for words in asked],
            "usual": [f"/projects/search?limit=20&q={quote(words)}" for words in asked],
        },
        {"sqlite": [Goal("≤", 12, "F"), Goal("≥", 8, "Datasette")], "postgresql": []},
    )


def _queries(data: Data) -> Iterator[str]:
    rare = itertools.cycle(data.facts["rare"] or ["Vinarex"])
    for vietnamese, english in TOPICS:
        yield from (vietnamese, english, next(rare))


def rare_words(data: Data) -> Work:
    paths = [f"/v1/search?limit=20&q={quote(word)}" for word in data.facts["rare"]]
    return Work("rare", "search of a rare word", {"ours": paths})


def facets() -> Work:
    by = [("", ""), *(("status", status) for status in LISTED)]
    narrowed = [f"{name}={value}" if name else "" for name, value in by]
    asked = [(facet, where) for where in narrowed for facet in ("status", "kind")]
    plain = "_size=0&_nocount=1&_nosuggest=1"
    return Work(
        "facets",
        "facets",
        {
            "ours": [f"/v1/projects/facets?facet={facet}&{where}".rstrip("&") for facet, where in asked],
            "Datasette": [f"/peers/project.json?_facet={facet}&{plain}&{where}".rstrip("&") for facet, where in asked],
            "usual": [f"/projects/counts?by={facet}&{where}".rstrip("&") for facet, where in asked],
        },
        {"sqlite": [Goal("≤", 1.3, "S")], "postgresql": [Goal("≤", 1.3, "S")]},
    )


def aggregates() -> Work:
    asked = [(kind, slug(place)) for place in PROVINCES for kind in ("target", "actual")]
    return Work(
        "aggregates",
        "aggregates of a province's figures",
        {
            "ours": [f"/v1/figures/aggregate?group_by=indicator&kind={kind}&place={place}" for kind, place in asked],
            "Datasette": [f"/peers/totals.json?_shape=array&kind={kind}&place={place}" for kind, place in asked],
            "usual": [f"/figures/totals?kind={kind}&place={place}" for kind, place in asked],
        },
        {"sqlite": [Goal("≤", 1.3, "S")], "postgresql": [Goal("≤", 1.3, "S")]},
    )
