"""The work of all contenders: the same queries in the URLs of each."""

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
DEEP = 200  # number of the first deep page; half-way in a shorter list
PAGES = 25  # number of deep pages
EXPORTED = 1_000  # records in a file: one chunk
CHILDREN = "partners,agreements,milestones,figures"


@dataclass
class Work:
    """Paths with the same meaning by contender, and the goals."""

    name: str
    title: str
    paths: dict[str, Sequence[str]]
    goals: dict[str, list[Goal]] = field(default_factory=dict)  # by engine
    uses_cache: bool = False  # whether Hoptac makes a count at the first request that later ones use


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
            "postgresql": [Goal("≤", 5, "F"), Goal("≥", 8, "usual")],
        },
    )


def deep_list(ours: Client, datasette: Client | None) -> Work:
    """Pages of 50 projects with one status, latest first, deep in the list. Each contender follows its own paging."""
    own = [_walk(ours, f"/v1/projects?status={status}&sort=-period&limit=50") for status in LISTED]
    plain = "_sort_desc=period_start&_size=50&_nocount=1&_nofacet=1&_nosuggest=1&_shape=objects"
    theirs = (
        [_walk(datasette, f"/peers/project.json?status={status}&{plain}") for status in LISTED] if datasette else []
    )
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
            "postgresql": [Goal("≤", 7, "F"), Goal("≥", 10, "usual")],
        },
    )


def _walk(client: Client, first: str) -> tuple[int, list[str]]:
    """Follow a list from page to page. Return the number of the first deep page, and the paths of the deep pages."""
    pages: list[str] = []
    path = first
    while path and len(pages) < DEEP + PAGES:
        pages.append(path)
        page = json.loads(client.get(path).body)
        following = urlsplit(page.get("next_url") or page["next"] or "")
        path = f"{following.path}?{following.query}" if following.path else ""
    start = min(DEEP, len(pages) // 2)
    return start, pages[start : start + PAGES]


def _in_turn(lists: Sequence[Sequence[str]]) -> list[str]:
    return [path for path in itertools.chain.from_iterable(itertools.zip_longest(*lists)) if path]


def search(data: Data) -> Work:
    """Queries for topics with and without diacritics, in English, and for rare words."""
    queries = list(_queries(data))
    return Work(
        "search",
        "search, top 20",
        {
            "ours": [f"/v1/search?limit=20&q={quote(words)}" for words in queries],
            "Datasette": [f"/peers/search.json?_shape=objects&q={quote(words)}" for words in queries],
            "usual": [f"/projects/search?limit=20&q={quote(words)}" for words in queries],
        },
        {"sqlite": [Goal("≤", 12, "F"), Goal("≥", 8, "Datasette")], "postgresql": [Goal("≤", 20, "F")]},
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
    conditions = [f"{name}={value}" if name else "" for name, value in by]
    queries = list(itertools.product(("status", "kind"), conditions))
    plain = "_size=0&_nocount=1&_nosuggest=1"
    return Work(
        "facets",
        "facets",
        {
            "ours": [f"/v1/projects/facets?facet={facet}&{where}".rstrip("&") for facet, where in queries],
            "Datasette": [
                f"/peers/project.json?_facet={facet}&{plain}&{where}".rstrip("&") for facet, where in queries
            ],
            "usual": [f"/projects/counts?by={facet}&{where}".rstrip("&") for facet, where in queries],
        },
        {
            "sqlite": [Goal("≤", 10, "F"), Goal("≥", 10, "usual")],
            "postgresql": [Goal("≤", 10, "F"), Goal("≥", 10, "usual")],
        },
    )


def totals(data: Data) -> Work:
    """A record and the number of those whose title contains a text."""
    queries = list(dict.fromkeys(_queries(data)))
    plain = "_size=1&_nofacet=1&_nosuggest=1"
    return Work(
        "totals",
        "total of a text filter",
        {
            "ours": [f"/v1/projects?limit=1&total=true&title={quote(words)}" for words in queries],
            "Datasette": [f"/peers/project.json?{plain}&title_vi__contains={quote(words)}" for words in queries],
            "usual": [f"/projects/search/total?q={quote(words)}" for words in queries],
        },
        {engine: [Goal("≤", 5, "F"), Goal("≥", 10, "usual")] for engine in ("sqlite", "postgresql")},
        uses_cache=True,
    )


def linked_facets() -> Work:
    """Counts of projects by partner and by place, of all or under other filters."""
    conditions = ["", *(f"status={status}" for status in LISTED), "title=smart", "title=solar"]
    queries = list(itertools.product(("partner", "place"), conditions))
    return Work(
        "linked",
        "facets of partners and places",
        {"ours": [f"/v1/projects/facets?facet={facet}&{where}".rstrip("&") for facet, where in queries]},
        {engine: [Goal("≤", 10, "F")] for engine in ("sqlite", "postgresql")},
        uses_cache=True,
    )


def aggregates() -> Work:
    queries = list(itertools.product(("target", "actual"), map(slug, PROVINCES)))
    return Work(
        "aggregates",
        "aggregates of a province's figures",
        {
            "ours": [f"/v1/figures/aggregate?group_by=indicator&kind={kind}&place={place}" for kind, place in queries],
            "Datasette": [f"/peers/totals.json?_shape=array&kind={kind}&place={place}" for kind, place in queries],
            "usual": [f"/figures/totals?kind={kind}&place={place}" for kind, place in queries],
        },
        {
            "sqlite": [Goal("≤", 15, "F"), Goal("≥", 3, "Datasette"), Goal("≥", 3, "usual")],
            "postgresql": [Goal("≤", 15, "F"), Goal("≥", 3, "usual")],
        },
    )


def exports(form: str, factor: float | None) -> Work:
    """Files of 1,000 records, as a client gets them that goes on from file to file."""
    names = [f"/v1/{name}.{form}?limit={EXPORTED}" for name in ("projects", "figures")]
    paths = [f"{path}&sort={sort}" for path, sort in itertools.product(names, ("id", "-id"))]
    goals = [] if factor is None else [Goal("≤", factor, "S")]
    return Work(f"export-{form}", f"{EXPORTED:,} records as {form}", {"ours": paths}, {"sqlite": goals})
