"""Write a migration from the difference between the models and the migrations: `make migration m="Add meetings"`."""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import Script

from app.core.database.engine import Database
from app.core.maintenance.schema import config


def main(message: str) -> int:
    """Compare the models with a new database that has every migration, and return an exit code."""
    with tempfile.TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/new.db") as database:
        settings = config()
        with database.write() as session:
            settings.attributes["connection"] = session.connection()
            command.upgrade(settings, "head")
            script = command.revision(settings, message, autogenerate=True)
    if not isinstance(script, Script):
        sys.stderr.write("The migrations already create what the models declare: no migration was written.\n")
        return 1
    path = Path(script.path)
    lines = path.read_text("utf-8").splitlines(keepends=True)
    # Without Alembic's remarks.
    path.write_text("".join(line for line in lines if not line.startswith("    # ###")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
