"""Every attack at once on one process: how much memory and disk it takes, and what others wait."""

from tests.torture.attacks import loads, workbooks
from tests.torture.attacks.loads import crowd, go_on
from tests.torture.attacks.measuring import at_most, note, watched
from tests.torture.attacks.reads import fill
from tests.torture.attacks.target import Target
from tests.torture.setting import Row

# Megabytes with every attack at once. `compose.yaml` sets limits that fit.
PROCESS_MEMORY = 400.0  # one server process
WHOLE_MEMORY = 1_000.0  # with its children, of which two read workbooks
WHOLE_DISK = 600.0
NOISE = 60.0  # milliseconds: the attackers and the child processes use the processors too

ANONYMOUS = (
    *(loads.audit, loads.audit, loads.facets, loads.facets, loads.misspelt, loads.misspelt, loads.filters),
    *(loads.codings, loads.queries, loads.words, loads.large_pages, loads.large_pages),
    *(loads.mixed, loads.templates, loads.guesses),
)
WITH_KEY = (
    *(loads.long_marks, loads.repeated_strings, loads.short_lines, loads.small_imports, loads.small_imports),
    *(loads.many_strings, loads.many_strings, loads.large_writes),
)


def everything(target: Target, *, full: bool) -> Row:
    """All attacks at once, from one address and with one key."""
    seconds = 60 if full else 8
    row = Row(f"every attack at once, {seconds} s", {})
    fill(target, 60 if full else 10)
    workbooks.many_strings(14_000, 32_000)  # which takes a moment to make
    with (  # few writes, which empty the response cache
        watched(target, row, write_pause=5, noise=NOISE) as watch,
        crowd(target, *ANONYMOUS) as readers,
        crowd(target, *WITH_KEY, token=target.partner_token) as senders,
    ):
        go_on(seconds, lambda: target.server.process.poll() is None)
    at_most(row, "memory of the process, MB", target.server.memory("VmHWM"), PROCESS_MEMORY)
    at_most(row, "memory, MB", watch.peak_memory, WHOLE_MEMORY)
    at_most(row, "disk, MB more", watch.disk_growth, WHOLE_DISK)
    for name, attackers in {"readers": readers, "senders": senders}.items():
        note(row, **{name: dict(sorted(attackers.statuses.items()))})
        row.need(not attackers.unexpected(), f"{name}: answers {attackers.unexpected()}")
    return row
