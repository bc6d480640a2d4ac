"""Cost of whole files, compared with the statements that read their records: `python -m bench.files URL`.

It prints JSON: for each file the CPU seconds of the application without a server, those of the driver alone, and the
ratio. A quarter of the rate of the driver is a ratio of 4.
"""

import argparse
import asyncio
import gc
import json
import time
from collections.abc import Callable
from itertools import chain
from typing import Any

from app.core.settings import Settings
from app.main import api_of
from bench.apps.same_sql import Recorder, Statement, ask, runner

FILES = ("projects.csv", "projects.jsonl", "projects.xlsx", "figures.csv", "figures.jsonl")
ROUNDS = 3


async def measured(url: str) -> dict[str, dict[str, float]]:
    """Return the costs of each file."""
    app = api_of(Settings(database_url=url))
    costs = {}
    async with app.router.lifespan_context(app):
        app.state.reader = recorder = Recorder(app.state.reader, app.state.reader.dialect)
        for name in FILES:
            path = f"/v1/{name}"
            recorder.reads.clear()
            await ask(app, path)
            statements = list(chain.from_iterable(recorder.reads))
            gc.collect()
            gc.freeze()  # as the server does
            ours = min([await _seconds(app, path) for _ in range(ROUNDS)])
            with runner(url) as run:
                driver = min(_seconds_of_driver(run, statements) for _ in range(ROUNDS))
            costs[name] = {"ours": ours, "driver": driver, "ratio": ours / driver}
    return costs


async def _seconds(app: Any, path: str) -> float:
    began = time.process_time()
    await ask(app, path)
    return time.process_time() - began


def _seconds_of_driver(run: Callable[[Statement], list[Any]], statements: list[Statement]) -> float:
    began = time.process_time()
    for statement in statements:
        run(statement)
    return time.process_time() - began


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    print(json.dumps(asyncio.run(measured(parser.parse_args().url)), indent=1))
