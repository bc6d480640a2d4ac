"""`python -m tests.torture [--full] [--engine ENGINE] [WORD …]`: rows whose name has one of the words, as a table.

`attacks` selects all attacks of `tests.torture.attacks`, and a part of the name of one, such as `misspelt`, that one.
"""

import argparse
import itertools
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from app.core.database.engine import Database
from app.core.maintenance.schema import migrate
from seed.files import read
from seed.loader import load
from tests.torture.attacks import ATTACKS, EACH_ENGINE, PROJECTS, PROJECTS_IN_FULL, attacked
from tests.torture.attacks.target import generated
from tests.torture.backups import backups_while_writing
from tests.torture.bodies import hostile_bodies
from tests.torture.clusters import Cluster
from tests.torture.commands import redaction_killed, restore_killed
from tests.torture.kills import postgres_killed, replica_promoted, server_killed
from tests.torture.mirrors import mirror_killed
from tests.torture.outages import drill
from tests.torture.races import crowd, one_effect
from tests.torture.replicas import prefixes, primary_lost, replicas_lost
from tests.torture.setting import Row
from tests.torture.slow import slow_clients
from tests.torture.webhooks import senders_killed
from tools.cluster import Missing, check_programs

Make = Callable[..., str]  # makes a database, empty or as a copy of another one, and returns its URL


def migrated(url: str) -> str:
    """The schema in this database."""
    database = Database(url)
    migrate(database)
    database.close()
    return url


def seeded(url: str) -> str:
    """The dataset in this database."""
    database = Database(migrated(url))
    load(database, read())
    database.close()
    return url


def rows(new: Make, folder: Path, *, full: bool) -> dict[str, Callable[[], list[Row]]]:
    """What is tried on either engine; `new` makes an empty database."""

    def fresh() -> str:
        return seeded(new())

    return {
        "kills": lambda: [server_killed(fresh(), *((20, 5_000) if full else (3, 150)))],
        "crowd": lambda: [crowd(fresh(), 60 if full else 5)],
        "races": lambda: [one_effect(fresh(), 100 if full else 3)],
        "backup": lambda: [backups_while_writing(fresh(), new, folder, *((10, 3_000) if full else (2, 60)))],
        "commands": lambda: [
            redaction_killed(fresh(), 20 if full else 3),
            restore_killed(fresh(), migrated(new()), folder, 20 if full else 3),
        ],
        "bodies": lambda: [hostile_bodies(fresh(), *((500,) if full else (20, "partners", "keys")))],
        "webhooks": lambda: [senders_killed(fresh(), *((1_000, 30) if full else (20, 2)))],
        "mirror": lambda: [mirror_killed(fresh(), migrated(new()), *((20, 3_000) if full else (2, 80)))],
        "slow": lambda: slow_clients(fresh(), 10_000, (10.0, 90.0)) if full else slow_clients(fresh(), 300, (5.0, 5.0)),
    }


def attack_rows(
    new: Make, drop: Callable[[str], None], names: Iterable[str], *, full: bool
) -> dict[str, Callable[[], list[Row]]]:
    """Attacks, each on a copy of one generated registry, which `drop` deletes afterwards."""
    templates = list[str]()

    def carried_out(name: str) -> list[Row]:
        if not templates:
            templates.append(generated(new(), PROJECTS_IN_FULL if full else PROJECTS))
        url = new(templates[0])
        row = attacked(name, url, full=full)
        drop(url)
        return [row]

    return {name: partial(carried_out, name) for name in names}


def of_postgres(cluster: Cluster, new: Make, folder: Path, *, full: bool) -> dict[str, Callable[[], list[Row]]]:
    """What is tried on PostgreSQL alone; the last row leaves the cluster dead."""

    def promoted() -> list[Row]:
        name = seeded(new()).rpartition("/")[2]
        with closing(cluster.replica(folder / "replica")) as replica:
            return [replica_promoted(cluster, replica, cluster.url(name, replica), 1_000)]

    def with_replicas() -> list[Row]:
        name = seeded(new()).rpartition("/")[2]
        with closing(cluster.standby(folder / "one")) as one, closing(cluster.standby(folder / "other")) as other:
            replicas = [one, other]
            lost = replicas_lost(cluster, replicas, name, 10 if full else 2)
            return [lost, prefixes(cluster, replicas, name, 5_000 if full else 300)]

    def lost() -> list[Row]:
        with closing(Cluster.made(folder / "lost")) as primary:
            seeded(primary.url("postgres"))
            with closing(primary.replica(folder / "survivor")) as replica:
                return [primary_lost(primary, replica, "postgres", 1_000 if full else 50)]

    def outages() -> list[Row]:
        try:
            check_programs()
        except Missing as missing:
            return [Row("a cluster", {}, [str(missing)])]
        machines = folder / "machines"
        machines.mkdir()
        return drill(machines, full=full)

    killed = (10, 2_000) if full else (2, 100)
    found: dict[str, Callable[[], list[Row]]] = {"postgres": lambda: [postgres_killed(cluster, seeded(new()), *killed)]}
    found |= {"replicas": with_replicas, "primary": lost, "outages": outages}
    return {**found, "promotion": promoted} if full else found


def carry_out(engine: str, tried: dict[str, Callable[[], list[Row]]], words: list[str]) -> Iterator[bool]:
    """Try them one after the other; prints each and yields whether it held."""
    for name, act in tried.items():
        if words and not any(word in name for word in words):
            continue
        began = time.monotonic()
        for row in act():
            figures = ", ".join(f"{what} {value}" for what, value in row.figures.items())
            held = "held" if not row.problems else "DID NOT HOLD"
            print(f"{engine:<11}{row.name:<40}{held:<14}{figures}", flush=True)
            print(*(f"{'':<11}  {problem}" for problem in row.problems), sep="\n", end="\n" * bool(row.problems))
            yield not row.problems
        print(f"{'':<11}({name}: {time.monotonic() - began:.0f} s)", flush=True)


def of_sqlite(options: argparse.Namespace, folder: Path) -> Iterator[bool]:
    """Try what is asked for on SQLite."""
    numbers = itertools.count()

    def new(template: str | None = None) -> str:
        file = folder / f"{next(numbers)}.db"
        if template:
            shutil.copy(template.removeprefix("sqlite:///"), file)
        return f"sqlite:///{file}"

    def drop(url: str) -> None:
        for file in folder.glob(f"{Path(url).name}*"):
            file.unlink()

    tried = rows(new, folder, full=options.full) | attack_rows(new, drop, ATTACKS, full=options.full)
    yield from carry_out("sqlite", tried, options.words)


def of_postgresql(options: argparse.Namespace, folder: Path) -> Iterator[bool]:
    """Try what is asked for on a PostgreSQL of its own."""
    numbers = itertools.count()
    with closing(Cluster.made(folder / "cluster")) as cluster:

        def new(template: str | None = None) -> str:
            source = template.rpartition("/")[2] if template else "template0"
            cluster.ask(f"CREATE DATABASE torture_{(number := next(numbers))} TEMPLATE {source}")
            return cluster.url(f"torture_{number}")

        def drop(url: str) -> None:
            cluster.ask(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

        names = ATTACKS if options.full else EACH_ENGINE
        tried = rows(new, folder, full=options.full) | attack_rows(new, drop, names, full=options.full)
        tried |= of_postgres(cluster, new, folder, full=options.full)
        yield from carry_out("postgresql", tried, options.words)


ENGINES = {"sqlite": of_sqlite, "postgresql": of_postgresql}


def main() -> int:
    """0 when everything held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only rows whose name has one of these")
    parser.add_argument("--full", action="store_true", help="all of it, with full counts")
    parser.add_argument("--engine", choices=ENGINES, help="only this engine")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # through the ends of the contexts, which stop servers
    held = list[bool]()
    with tempfile.TemporaryDirectory(prefix="hoptac-torture-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user
        for engine, act in ENGINES.items():
            if options.engine in (None, engine):
                held += act(options, folder)
    print(f"{sum(held)} of {len(held)} rows held")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
