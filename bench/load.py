"""Load generated records into a database with the bulk writes of Hoptac: `python -m bench.load URL …`."""

import argparse
import gc
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import update

import app.catalogue  # noqa: F401 - declares every resource
from app.core.database.engine import Database
from app.core.maintenance.schema import migrate
from app.core.model.resource import RESOURCES
from app.core.reading.cursors import CURSOR_KEY
from app.core.writing.batch import Batch
from bench.generate import Generator, Record

SAMPLE = 2_000  # number of projects that requests use


def load(database: Database, generator: Generator) -> dict[str, Any]:
    """Write all records, each chunk in one transaction; return ids and words for requests, and CPU times."""
    migrate(database)
    counts: Counter[str] = Counter()
    cpu: list[tuple[int, float]] = []
    for chunk in generator.chunks():
        before = time.process_time()
        counts.update(write(database, chunk))
        cpu.append((len(chunk), time.process_time() - before))
    rng = random.Random(generator.size)
    rare = sorted(word for word, count in generator.brands_in_titles.items() if 2 <= count <= 6)
    projects = rng.sample(generator.projects, min(SAMPLE, generator.size))
    return {"counts": counts, "cpu": cpu, "projects": projects, "rare": rng.sample(rare, min(200, len(rare)))}


def write(database: Database, chunk: Iterable[Record]) -> dict[str, int]:
    """Validate and write records in one transaction; return their number by resource."""
    counts: dict[str, int] = {}
    gc.disable()  # with many live objects it takes three times as long, and there is no garbage
    try:
        with database.write() as session:
            batch = Batch(session, "bench")
            by_resource = sorted(chunk, key=lambda record: record.resource)
            for name, group in itertools.groupby(by_resource, lambda record: record.resource):
                resource = RESOURCES[name]
                records = list(group)
                present = batch.stored(resource, [record.id for record in records])
                for record in records:
                    fields = resource.fields.model_validate(record.fields)
                    batch.put(resource, record.id, fields, present.get(record.id))
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
    parser.add_argument("facts", type=Path, help="file for ids and words that requests use")
    options = parser.parse_args()
    database = Database(options.url)
    facts = load(database, Generator(options.size, options.seed, options.children))
    with database.write() as session:  # a list on PostgreSQL is read with the cursors of SQLite
        session.execute(update(CURSOR_KEY).values(key="00" * 32))
    database.close()
    options.facts.write_text(json.dumps(facts), "utf-8")


if __name__ == "__main__":
    main()
