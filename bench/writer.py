"""Change one project a second until this process is ended: `python -m bench.writer URL`."""

import itertools
import sys
import time

from sqlalchemy import select

import app.catalogue  # noqa: F401 - declares every resource
from app.core.database.engine import Database
from app.core.model.resource import RESOURCES
from app.core.writing.batch import Batch
from app.core.writing.representation import accepted_fields


def main() -> None:
    database = Database(sys.argv[1])
    projects = RESOURCES["projects"]
    with database.write() as session:
        ids = session.scalars(select(projects.table.id).limit(100)).all()
    for number, project in enumerate(itertools.cycle(ids)):
        with database.write() as session:
            batch = Batch(session, "bench")
            present = batch.stored(projects, [project])[project]
            fields = accepted_fields(projects, present.body)
            changed = fields.model_copy(update={"description": {"en": f"Changed for the {number}th time."}})
            batch.put(projects, project, changed, present)
            batch.flush()
        time.sleep(1)


if __name__ == "__main__":
    main()
