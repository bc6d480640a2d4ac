"""Rows of pages: the cost of each kind of page, at the median and of the slowest one in twenty."""

import itertools
import json
import pickle
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from bench.apps.answers import Fixed
from bench.client import Client, Reply, request
from bench.data import Data
from bench.generate import INDICATORS, slug
from bench.measure import MIN_REQUESTS, Http
from bench.processes import Measured, Postgres, Server, free_port, hoptac, uvicorn
from bench.table import Goal, Row
from bench.words import PROVINCES, TOPICS

PAGES = 40  # of each kind, if the data has as many
ROUNDS = 3  # of which the first one counts what the others share
SECONDS = 6.0  # at most for a kind in a round
SECONDS_OF_F = 0.15
PAGE_IN_F = 280  # the cost of a page that takes 25 ms, where F takes 0.09 ms
SUGGESTION_IN_F = 336  # likewise of 30 ms
HTML = "text/html"

Kinds = dict[str, Sequence[str]]  # paths by kind


@dataclass
class Pages:
    """The databases of these rows."""

    data: Data
    postgres: Postgres | None

    def rows(self, engine: str) -> Iterator[Row]:
        """Yield a row for each kind of page on an engine, without the response cache."""
        also: list[Measured] = []
        url = f"sqlite:///{self.data.ours}"
        if engine == "postgresql":
            assert self.postgres is not None
            also = [self.postgres]
            url = self.postgres.url(f"hoptac_{self.data.key}")
        with ExitStack() as stack:
            server = stack.enter_context(hoptac(url, free_port(), hot_cache="0"))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hoptac-pages-")))
            with Client(server.port) as client:
                kinds = kinds_of(self.data, client)
                rounds = [_round(client, kinds, [server, *also]) for _ in range(ROUNDS)]
                fixed = {_key(path): _fixed(client.send(_page(path))) for path in itertools.chain(*kinds.values())}
            (folder / "answers").write_bytes(pickle.dumps(fixed))
            bare = {"BENCH_ANSWERS": str(folder / "answers")}
            limit = stack.enter_context(uvicorn("bench.apps.bare_fastapi:app", free_port(), **bare))
            unit = statistics.median(_unit(limit, paths) for paths in kinds.values())
            for kind in kinds:
                yield _row(kind, engine, [costs[kind] for costs in rounds], unit)


def kinds_of(data: Data, client: Client) -> Kinds:
    """Return the pages that are measured, by kind. Parts of the registry of which nothing is generated are left out."""
    projects = data.facts["projects"][:PAGES]
    partners = list(dict.fromkeys(itertools.chain(*(_partners_of(client, project) for project in projects))))[:PAGES]
    places = ["viet-nam", *map(slug, PROVINCES)][:PAGES]
    documents = [f"news-{number}" for number in range(min(PAGES, data.facts["counts"]["documents"]))]
    words = list(itertools.islice(itertools.chain(*zip(*TOPICS, data.facts["rare"], strict=False)), PAGES))
    agreements, milestones, figures = (_ids(client, name, projects) for name in ("agreements", "milestones", "figures"))
    return {
        "start": ["/"],
        "project": [f"/projects/{project}" for project in projects],
        "progress.svg of a project": [f"/projects/{project}/progress.svg" for project in projects],
        "frame of a project": [f"/projects/{project}/embed" for project in projects],
        "agreement": [f"/agreements/{agreement}" for agreement in agreements],
        "partner": [f"/partners/{partner}" for partner in partners],
        "document": [f"/documents/{document}" for document in documents],
        "figure": [f"/figures/{figure}" for figure in figures],
        "milestone": [f"/milestones/{milestone}" for milestone in milestones],
        "indicator": [f"/indicators/{indicator}" for indicator, *_ in INDICATORS],
        "place": [f"/places/{place}" for place in places],
        "places": ["/places"],
        "list": [f"/{name}" for name in ("projects", "agreements", "partners", "documents", "figures", "statements")],
        "list of a code": [f"/{name}?{condition}" for name, condition in CODES],
        "list of a partner": [
            f"/{name}?partner={partner}" for name, partner in itertools.product(("projects", "figures"), partners[:20])
        ],
        "list of a project": [f"/figures?project={project}" for project in projects],
        "list with a search": [f"/projects?q={quote(query)}" for query in words],
        "timeline": ["/timeline", *(f"/timeline?project={project}" for project in projects)],
        "timeline.ics": ["/timeline.ics", *(f"/timeline.ics?project={project}" for project in projects)],
        "audit": ["/audit", "/audit?severity=warning", "/audit?severity=error"],
        "changes": ["/changes", *(f"/changes?before={1 + number * 1_000}" for number in range(1, PAGES))],
        "changes.atom": ["/changes.atom"],
        "search": [f"/search?q={quote(query)}" for query in words],
        "suggestion": [f"/v1/search?q={quote(typed)}&limit=8&labels=en" for typed in _typed(words)],
        "paragraphs": [f"/v1/documents/{document}/paragraphs?limit=1" for document in documents],
        "paragraph": [f"/v1/documents/{document}/paragraphs/7" for document in documents],
    }


CODES = [
    *(("projects", f"status={status}") for status in ("active", "completed", "agreed", "past")),
    *(("projects", f"kind={kind}&status=active") for kind in ("project", "programme", "phase")),
    *(("agreements", f"kind={kind}") for kind in ("contract", "loan_agreement")),
    *(("figures", f"kind={kind}&unit=person") for kind in ("target", "actual")),
    *(("figures", f"kind={kind}&unit=enterprise") for kind in ("target", "actual")),
]


def _partners_of(client: Client, project: str) -> list[str]:
    return [role["partner"] for role in json.loads(client.get(f"/v1/projects/{project}").body)["roles"]]


def _ids(client: Client, name: str, projects: Sequence[str]) -> list[str]:
    """Return ids of records of these projects."""
    of_projects = "&".join(f"project={project}" for project in projects)
    page = json.loads(client.get(f"/v1/{name}?{of_projects}&fields=id&limit={PAGES}").body)
    return [record["id"] for record in page["items"]]


def _typed(words: Sequence[str]) -> Iterator[str]:
    """Yield the beginnings of words, as a person types them."""
    lengths = itertools.cycle((2, 3, 5, 8, 13))
    yield from dict.fromkeys(word[:length] for word, length in zip(words, lengths, strict=False))


def _page(path: str) -> bytes:
    return request(path, accept=HTML)


def _key(path: str) -> bytes:
    name, _, query = path.partition("?")
    return f"{name}?{query}".encode()


def _fixed(reply: Reply) -> Fixed:
    return Fixed(reply.headers["etag"].encode(), reply.body)


def _round(client: Client, kinds: Kinds, measured: Sequence[Measured]) -> dict[str, list[float]]:
    """Return the CPU seconds of each page, by kind."""
    return {kind: list(_costs(client, paths, measured)) for kind, paths in kinds.items()}


def _costs(client: Client, paths: Sequence[str], measured: Sequence[Measured]) -> Iterator[float]:
    until = time.monotonic() + SECONDS
    for number, path in enumerate(paths):
        if number >= MIN_REQUESTS and time.monotonic() > until:
            return
        before = sum(process.cpu() for process in measured)
        reply = client.send(_page(path))
        if reply.status != 200:
            raise RuntimeError(f"{path} was answered with {reply.status}.")
        yield sum(process.cpu() for process in measured) - before


def _unit(limit: Server, paths: Sequence[str]) -> float:
    contender = Http(limit, [_page(path) for path in paths])
    contender.turn(SECONDS_OF_F / 2)  # warms up
    return contender.turn(SECONDS_OF_F)


def _row(kind: str, engine: str, rounds: Sequence[Sequence[float]], unit: float) -> Row:
    """Return the row of a kind: each page costs what it took at least after the first round."""
    first, *later = rounds
    costs = [min(times) for times in zip(*later, strict=False)]
    goal = Goal("≤", SUGGESTION_IN_F if kind == "suggestion" else PAGE_IN_F, "F")
    slow = p95(costs)
    note = f"median {statistics.median(costs) / unit:.1f} F; first view {p95(first) / unit:.1f} F"
    note += f"; {slow / (goal.factor * unit):.0%} of the time allowed"
    title = f"{kind}, p95" + (" (PostgreSQL)" if engine == "postgresql" else "")
    return Row(title, {"ours": slow, "F": unit}, [goal], note)


def p95(costs: Sequence[float]) -> float:
    """Return the cost that one page of twenty exceeds; of few pages, that of the slowest one."""
    ordered = sorted(costs)
    return ordered[min(len(ordered) - 1, len(ordered) * 19 // 20)]
