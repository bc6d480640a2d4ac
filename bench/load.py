"""Brings generated records into a database through the product's own bulk writes: `python -m bench.load URL …`."""

import argparse
import gc
import itertools
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import app.catalogue  # noqa: F401 - declares every resource
from app.core.database.engine import Database
from app.core.maintenance.schema import migrate
from app.core.model.resource import RESOURCES
from app.core.writing.batch import Batch
from bench.generate import Generator, Made

SAMPLE = 2_000  # ids of projects that requests are made of


def load(database: Database, generator: Generator) -> dict[str, Any]:
    """Write everything, a transaction a chunk; returns what requests can ask for."""
    migrate(database)
    counts: dict[str, int] = {}
    for chunk in generator.chunks():
        for resource, made in write(database, chunk).items():
            counts[resource] = counts.get(resource, 0) + made
    rng = random.Random(generator.size)
    rare = sorted(word for word, count in generator.brands_in_titles.items() if 2 <= count <= 6)
    projects = rng.sample(generator.projects, min(SAMPLE, generator.size))
    return {"counts": counts, "projects": projects, "rare": rng.sample(rare, min(200, len(rare)))}


def write(database: Database, chunk: Iterable[Made]) -> dict[str, int]:
    """Validate and write records in one transaction; returns how many of each resource."""
    counts: dict[str, int] = {}
    gc.disable()  # many live objects slow it down threefold, and it finds nothing here
    try:
        with database.write() as session:
            batch = Batch(session, "bench")
            by_resource = sorted(chunk, key=lambda made: made.resource)
            for name, group in itertools.groupby(by_resource, lambda made: made.resource):
                resource, records = RESOURCES[name], list(group)
                present = batch.stored(resource, [made.id for made in records])
                for made in records:
                    fields = resource.fields.model_validate(made.fields)
                    batch.put(resource, made.id, fields, present.get(made.id))
                counts[name] = len(records)
            batch.flush()
    finally:
        gc.enable()
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("size", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("children", type=float)
    parser.add_argument("facts", type=Path, help="where to write what requests can ask for")
    options = parser.parse_args()
    database = Database(options.url)
    facts = load(database, Generator(options.size, options.seed, options.children))
    database.close()
    options.facts.write_text(json.dumps(facts), "utf-8")


if __name__ == "__main__":
    main()
