"""Measure how well the search answers judged queries: `python -m bench.search_quality FILE --engine sqlite`.

A line of the file is a JSON object: `q`, and either `relevant` (grades from 1 to 3 by `resource/id`) or `absent: true`
for a subject that is not in the registry. The dataset is loaded into a new database.
"""

import argparse
import json
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

DEPTH = 20  # hits that count
FIRST_PAGE = 10  # hits whose order counts
LOOSE_READINGS = frozenset({"some_words", "other_diacritics"})  # they state that the words were not all found as typed

Search = Callable[[str], dict[str, Any]]  # a query -> the response of /v1/search


class Scores(NamedTuple):
    """The means over all queries. The first three are of those with an answer, the others of absent subjects."""

    ndcg: float
    recall: float
    first_is_right: float
    honest: float
    absent_hits: float

    def __str__(self) -> str:
        return (
            f"nDCG@{FIRST_PAGE} {self.ndcg:.3f}, recall@{DEPTH} {self.recall:.3f},"
            f" first hit right {self.first_is_right:.1%};"
            f" absent: honest {self.honest:.1%}, {self.absent_hits:.1f} hits on average"
        )


def read_queries(file: Path) -> list[dict[str, Any]]:
    """Return the judged queries of a file."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]


def gain_of(grades: Iterable[int]) -> float:
    """Return the discounted cumulative gain of graded hits in their order."""
    return math.fsum((2**grade - 1) / math.log2(place + 1) for place, grade in enumerate(grades, 1))


def measure(queries: Iterable[dict[str, Any]], search: Search) -> Scores:
    """Return the scores of a search."""
    present: list[tuple[float, float, float]] = []
    absent: list[tuple[float, float]] = []
    for query in queries:
        page = search(query["q"])
        hits = [f"{item['resource']}/{item['id']}" for item in page["items"]]
        if query.get("absent"):
            absent.append((float(not hits or page["reading"] in LOOSE_READINGS), len(hits)))
        else:
            present.append(_scores_of(hits[:DEPTH], query["relevant"]))
    means = [_mean(column) for column in (*zip(*present, strict=True), *zip(*absent, strict=True))]
    return Scores(*means)


def _scores_of(hits: list[str], relevant: dict[str, int]) -> tuple[float, float, float]:
    grades = [relevant.get(hit, 0) for hit in hits]
    ideal = sorted(relevant.values(), reverse=True)
    wanted = {record for record, grade in relevant.items() if grade > 1}
    recall = len(wanted.intersection(hits)) / min(len(wanted), DEPTH)
    return gain_of(grades[:FIRST_PAGE]) / gain_of(ideal[:FIRST_PAGE]), recall, float(grades[:1] == [3])


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)


@contextmanager
def search_of_dataset(engine: str) -> Iterator[Search]:
    """Load the dataset into a new database, and yield a search over it."""
    from starlette.testclient import TestClient  # noqa: PLC0415 - tests of the measures do without it

    from app.core.database.engine import Database  # noqa: PLC0415
    from app.core.maintenance.schema import migrate  # noqa: PLC0415
    from app.core.settings import Settings  # noqa: PLC0415
    from app.main import create_app  # noqa: PLC0415
    from bench.processes import Postgres  # noqa: PLC0415
    from seed.files import read  # noqa: PLC0415
    from seed.loader import load  # noqa: PLC0415

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        url = f"sqlite:///{folder / 'registry.db'}"
        if engine == "postgresql":
            url = stack.enter_context(Postgres(folder / "data")).url()
        with Database(url) as database:
            migrate(database)
            load(database, read())
        settings = Settings(database_url=url, rate_limit_address=0, access_log=False)
        client = stack.enter_context(TestClient(create_app(settings)))
        yield lambda query: client.get("/v1/search", params={"q": query, "limit": 200}).json()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    with search_of_dataset(options.engine) as search:
        print(f"{options.engine}: {measure(read_queries(options.file), search)}")


if __name__ == "__main__":
    main()
