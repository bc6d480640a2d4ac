"""Attacks on a server process by one client: `python -m tests.torture attacks [--engine sqlite] [--full]`.

Each attack is a function of a `Target` that returns a `Row`: what it measured, each with its bound. A part of its name
selects it: `python -m tests.torture misspelt --engine postgresql`. A measure beyond its bound is a row that did not
hold. `measuring` has the bounds that every attack has: /livez is never silent for more than a second, and short reads
and writes of other clients go on. Each attack gets a process and a database of its own, a copy of a generated registry.
"""

from collections.abc import Callable
from typing import Any

from tests.torture.attacks import agents, clients, files, reads
from tests.torture.attacks.target import Target
from tests.torture.attacks.together import everything
from tests.torture.setting import Row

Attack = Callable[..., Row]
EITHER_ENGINE: dict[str, Attack] = {  # the database has little part in them; `--full` tries them on both
    "attacks long_marks": files.long_marks,
    "attacks waiting_partner": files.waiting_partner,
    "attacks empty_cells": files.empty_cells,
    "attacks crowded_directory": files.crowded_directory,
    "attacks blank_lines": files.blank_lines,
    "attacks templates": reads.templates,
    "attacks guesses": reads.guesses,
    "attacks misspelt": reads.misspelt,
    "attacks codings": reads.codings,
    "attacks queries": reads.queries,
    "attacks poisoned_cache": clients.poisoned_cache,
    "attacks unusual_http": clients.unusual_http,
    "attacks bad_urls": clients.bad_urls,
    "attacks logs": clients.logs,
    "attacks file_modes": clients.file_modes,
    "attacks repeated_strings": files.repeated_strings,
    "attacks filters": reads.filters,
    "attacks forged_cursors": reads.forged_cursors,
    "attacks squatted_name": clients.squatted_name,
    "attacks webhook_tests": clients.webhook_tests,
    "attacks tools_and_pages": agents.tools_and_pages,
}
EACH_ENGINE: dict[str, Attack] = {  # each engine answers in its own way
    "attacks short_lines": files.short_lines,
    "attacks long_dry_run": files.long_dry_run,
    "attacks long_dry_run_by_rows": files.long_dry_run_by_rows,
    "attacks flood": files.flood,
    "attacks revoked": files.revoked,
    "attacks audits": reads.audits,
    "attacks facets": reads.facets,
    "attacks searches": reads.searches,
    "attacks mixed": reads.mixed,
    "attacks large_writes": reads.large_writes,
    "attacks large_pages": reads.large_pages,
    "attacks followers": reads.followers,
    "attacks overlapping_reads": reads.overlapping_reads,
    "attacks everything": everything,
}
ATTACKS = EITHER_ENGINE | EACH_ENGINE
UNLIMITED = {"rate_limit_key": 0, "rate_limit_address": 0}  # rate limits would hide how memory grows
SETTINGS: dict[str, dict[str, Any]] = {
    "attacks codings": {**UNLIMITED, "hot_cache": reads.CACHE_MEGABYTES},
    "attacks queries": {**UNLIMITED, "hot_cache": reads.CACHE_MEGABYTES},
    "attacks filters": UNLIMITED,
    "attacks forged_cursors": UNLIMITED,
    "attacks large_pages": UNLIMITED,
    "attacks webhook_tests": {**UNLIMITED, "webhook_allow": f"127.0.0.0/8 {clients.NOBODY}"},
    "attacks logs": {"access_log": True},
}
PROJECTS = 1_000
PROJECTS_IN_FULL = 10_000


def attacked(name: str, url: str, *, full: bool) -> Row:
    """Carry out one attack on a database of its own. An attack that breaks off did not hold."""
    try:
        with Target(url, full=full, **SETTINGS.get(name, {})) as target:
            return ATTACKS[name](target, full=full)
    except (AssertionError, KeyError, OSError, ValueError) as error:
        return Row(name, {}, [f"it broke off: {type(error).__name__} {error}"[:300]])
