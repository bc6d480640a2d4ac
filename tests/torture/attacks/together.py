"""Every attack at once on one process: how much memory and disk it takes, and what others wait."""

from tests.torture.attacks import loads
from tests.torture.attacks.loads import crowd, go_on
from tests.torture.attacks.measuring import at_most, note, watched
from tests.torture.attacks.reads import fill
from tests.torture.attacks.target import Target
from tests.torture.setting import Row

# Megabytes for one process and its children with every attack at once. `compose.yaml` sets limits that fit.
WHOLE_MEMORY = {"sqlite": 400.0, "postgresql": 400.0}
WHOLE_DISK = 600.0

ANONYMOUS = (
    *(loads.audit, loads.audit, loads.facets, loads.facets, loads.misspelt, loads.misspelt, loads.filters),
    *(loads.codings, loads.queries, loads.words, loads.large_pages, loads.large_pages),
    *(loads.mixed, loads.templates, loads.guesses),
)
WITH_KEY = (loads.long_marks, loads.repeated_strings, loads.short_lines, loads.small_imports, loads.small_imports)


def everything(target: Target, *, full: bool) -> Row:
    """All attacks at once, from one address and with one key."""
    seconds = 60 if full else 8
    row = Row(f"every attack at once, {seconds} s", {})
    fill(target, 60 if full else 10)
    engine = "sqlite" if target.is_sqlite else "postgresql"
    with (  # few writes, which empty the response cache
        watched(target, row, write_pause=5) as watch,
        crowd(target, *ANONYMOUS) as readers,
        crowd(target, *WITH_KEY, token=target.partner_token) as senders,
    ):
        go_on(seconds, lambda: target.server.process.poll() is None)
    at_most(row, "memory, MB", watch.peak_memory, WHOLE_MEMORY[engine])
    at_most(row, "disk, MB more", watch.disk_growth, WHOLE_DISK)
    for name, attackers in {"readers": readers, "senders": senders}.items():
        note(row, **{name: dict(sorted(attackers.statuses.items()))})
        row.need(not attackers.unexpected(), f"{name}: answers {attackers.unexpected()}")
    return row
