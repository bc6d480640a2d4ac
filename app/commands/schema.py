"""`hoptac migrate` and `hoptac status`: the schema and the state of the registry."""

import argparse
import json
import sys

from app.commands.output import DONE, FAILED, UNREADY, print_error
from app.core.database.engine import Database
from app.core.progress import reported
from app.core.settings import Settings
from app.core.values.text import counted


def migrate(options: argparse.Namespace, settings: Settings) -> int:
    """Update the schema, the stored representations and the search index."""
    return _migrate_down(settings, is_sure=options.yes) if options.down else migrate_up(settings)


def migrate_up(settings: Settings) -> int:
    """Update the schema, the stored representations and the search index."""
    import app.catalogue  # noqa: F401 - declares every table
    from app.core.maintenance.rerender import render_all_again
    from app.core.maintenance.schema import head
    from app.core.search.filling import fill_index, prepare_index

    with Database(settings.database_url) as database:
        database.restrict_access()
        if database.schema_version() != head():
            from app.core.maintenance.schema import migrate

            migrate(database)
        with database.write() as session:
            prepare_index(session.connection())
        # Rendering comes first: the index is made of texts at the places that this version knows.
        with reported("Records rendered", print_error):
            rendered = render_all_again(database)
        with reported("Records indexed", print_error):
            indexed = fill_index(database)
    counts = {"indexed": indexed, "rendered": rendered}
    details = [
        f" {counted(count, 'record was', 'records were')} {verb} again." for verb, count in counts.items() if count
    ]
    print("The schema is up to date." + "".join(details))
    return DONE


def _migrate_down(settings: Settings, *, is_sure: bool) -> int:
    from app.core.maintenance.schema import check_revision, migrate
    from app.status import status

    with Database(settings.database_url) as database:
        check_revision(database)
        facts = status(database)
        content = f"a database with the schema {facts['schema']}"
        if "records" in facts:
            changes = (facts["log_head"] or "0").partition(":")[0]
            counts = {
                "record": sum(facts["records"].values()),
                "Change": int(changes),
                "valid key": facts["valid_keys"],
            }
            content = ", ".join(counted(count, noun) for noun, count in counts.items())
        question = f"This destroys {content} in {facts['database']}. A backup is the only way back. Type yes to go on: "
        if not is_sure and (not sys.stdin.isatty() or input(question) != "yes"):
            print_error(f"Nothing was removed. This would destroy {content}. To do so, add --yes.")
            return FAILED
        migrate(database, "base")
    print(f"The schema and all data were removed: {content}.")
    return DONE


def status(options: argparse.Namespace, settings: Settings) -> int:
    """Print the state of the registry: schema, records, head of the log, keys, imports and webhooks."""
    import app.catalogue  # noqa: F401 - declares every table
    from app.status import lines, status, warnings

    with Database(settings.database_url) as database:
        facts = status(database)
    if options.json:
        print(json.dumps(facts, ensure_ascii=False, indent=1))
    else:
        print(*lines(facts), sep="\n")
    for warning in warnings(facts):
        print_error(warning)
    return UNREADY if facts["needs_migration"] else DONE
