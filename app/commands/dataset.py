"""`hoptac seed`: the dataset of the program."""

import argparse
import time

from app.commands.output import DONE, print_error, report
from app.core.database.engine import Database
from app.core.progress import reported
from app.core.settings import Settings
from app.core.values.text import counted


def seed(options: argparse.Namespace, settings: Settings) -> int:
    """Load the dataset. Records that others have changed since are not changed, but listed."""
    from seed.files import DATASET, DatasetError, read
    from seed.loader import load

    started = time.monotonic()
    try:
        dataset = read(options.dataset or DATASET)
    except DatasetError as error:
        return report(error.problems)
    from app.server.run import ensure_ready

    ensure_ready(settings)
    with Database(settings.database_url) as database, reported("Records of the dataset compared", print_error):
        outcome = load(database, dataset)
    counts = {name: len(getattr(outcome, name)) for name in ("created", "updated", "deleted", "unchanged")}
    detail = ", ".join(f"{count} {name}" for name, count in counts.items())
    total = counted(len(dataset.records), "record")
    print(f"{total} in the dataset: {detail} ({time.monotonic() - started:.1f} s).")
    for (resource, record_id), reason in outcome.left_alone:
        print(f"left alone: {resource}/{record_id} ({reason})")
    return DONE
