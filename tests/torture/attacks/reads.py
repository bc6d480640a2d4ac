"""Reads that cost much: audits, facets, suggestions for misspelt names, large pages, and statements that vary."""

import base64
import hashlib
import itertools
import json
import math
import random
import socket
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from tests.torture.attacks import loads
from tests.torture.attacks.loads import Act, crowd, go_on
from tests.torture.attacks.measuring import at_most, note, watched
from tests.torture.attacks.target import PROJECT, Target
from tests.torture.setting import Row

CACHE_MEGABYTES = 2  # setting of the attacks on caches: what passes it shows sooner
CACHE_MEMORY = 2 * CACHE_MEGABYTES + 25.0  # megabytes of growth: twice the setting, and what any load takes
STATEMENT_MEMORY = 40.0  # megabytes for statements, whatever their number
PAGE_BYTES = 10e6
FEED_BYTES = 4e6 + 1.2e6  # the promised size, and the last record
LOG_MEGABYTES = 80.0  # 64, and the transactions that pass it
FOLLOWERS = 500

LARGE_NOISE = 60.0  # milliseconds


def audits(target: Target, *, full: bool) -> Row:
    """Audits of a whole country, from one address."""
    return _repeated(target, "audits from one address", [loads.audit] * (32 if full else 8), 15 if full else 3)


def facets(target: Target, *, full: bool) -> Row:
    """All facets at once, from one address."""
    return _repeated(target, "facets from one address", [loads.facets] * (32 if full else 8), 15 if full else 3)


def searches(target: Target, *, full: bool) -> Row:
    """Searches for many words, from one address."""
    return _repeated(target, "searches from one address", [loads.words] * (32 if full else 8), 15 if full else 3)


def mixed(target: Target, *, full: bool) -> Row:
    """Aggregates, timelines, progress and lists with everything, from one address."""
    return _repeated(target, "other reads from one address", [loads.mixed] * (32 if full else 8), 15 if full else 3)


def templates(target: Target, *, full: bool) -> Row:
    """Workbooks that are made anew for each request."""
    return _repeated(target, "templates from one address", [loads.templates] * (32 if full else 8), 10 if full else 2)


def guesses(target: Target, *, full: bool) -> Row:
    """Keys that are guessed."""
    return _repeated(target, "guesses at keys", [loads.guesses] * (32 if full else 8), 10 if full else 2)


def large_writes(target: Target, *, full: bool) -> Row:
    """The largest records, written again and again with one key."""
    count, seconds = (16, 15) if full else (4, 3)
    return _repeated(
        target, "large writes with one key", [loads.large_writes] * count, seconds, token=target.partner_token
    )


def misspelt(target: Target, *, full: bool) -> Row:
    """Unknown parameters that are compared with every known one."""
    return _repeated(target, "thousands of misspelt names", [loads.misspelt] * (40 if full else 16), 8 if full else 3)


def filters(target: Target, *, full: bool) -> Row:
    """Filters in ever new combinations."""
    return _repeated(target, "filters in new combinations", [loads.filters] * 2, 90 if full else 5, STATEMENT_MEMORY)


def codings(target: Target, *, full: bool) -> Row:
    """Made-up codings, each of which a cache might keep."""
    return _repeated(target, "made-up codings", [loads.codings] * 2, 30 if full else 4, CACHE_MEMORY, 0)


def queries(target: Target, *, full: bool) -> Row:
    """Long query strings, each of which a cache might keep."""
    return _repeated(target, "long query strings", [loads.queries] * 2, 30 if full else 4, CACHE_MEMORY, 0)


def large_pages(target: Target, *, full: bool) -> Row:
    """Pages of records that are as large as a partner may make them."""
    row, sizes = Row("pages of large records", {}), {}
    with target.client() as client:
        start = client.get("/v1/changes?after=0&limit=1").json()["last"]
    fill(target, 100 if full else 15)
    bounds = {
        "/v1/projects?managed_by=unido&limit=200": PAGE_BYTES,
        f"/v1/changes?after={start}&limit=200": FEED_BYTES,
        "/v1/search?q=large+largest&limit=200": PAGE_BYTES,
    }
    # The list of others contains the large records too, so each of their reads is dear.
    with watched(target, row, noise=LARGE_NOISE) as watch, target.client() as client:
        for path in bounds:
            sizes[path] = len(client.get(path).body)
        with crowd(target, *[loads.large_pages] * 4) as attackers:
            go_on(10 if full else 2)
    for path, bound in bounds.items():
        at_most(row, f"{path.partition('?')[0]}, MB", sizes[path] / 1e6, bound / 1e6)
    at_most(row, "memory, MB more", watch.memory_growth, 300)
    row.need(not attackers.unexpected(), f"answers {attackers.unexpected()}")
    return row


def fill(target: Target, records: int) -> None:
    """Write records of 0.94 MB, the most that a body may have."""
    chance = random.Random(5)
    words = ["".join(chance.choices("abcdeghiklmnopqrstuvxy", k=chance.randint(2, 7))) for _ in range(300)]
    codes = ("".join(letters) for letters in itertools.product("abcdefghijklm", "aeiou"))
    prose = {code: " ".join(chance.choices(words, k=6_000))[:19_800] for code in itertools.islice(codes, 47)}
    with target.attacker() as client:
        for number in range(records):
            record = {**PROJECT, "description": {**prose, "aa": f"large largest w{number} {prose['aa'][:19_700]}"}}
            while (answer := client.put(f"/v1/projects/large-{number}", record)).status == 429:
                time.sleep(1)
            assert answer.status in (200, 201), answer


def followers(target: Target, *, full: bool) -> Row:
    """Long polls with a filter, by the hundred, when the Change comes that they wait for."""
    row, count = Row("followers of one partner", {}), FOLLOWERS if full else 200
    with target.attacker() as client:
        start = client.get("/v1/changes?after=0&limit=1").json()["last"]
        request = (
            f"GET /v1/changes?after={start}&wait=30&partner=unido HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        connections = [socket.create_connection(("127.0.0.1", target.server.port)) for _ in range(count)]
        for connection in connections:
            connection.settimeout(40)
            connection.sendall(request.encode())
        time.sleep(2)
        began = time.monotonic()
        wrote = client.put("/v1/projects/followed", PROJECT)
        statuses = Counter(connection.recv(100)[9:12].decode() for connection in connections)
        at_most(row, "until all have an answer, s", time.monotonic() - began, 10 * target.patience)
    for connection in connections:
        connection.close()
    note(row, followers=count, answers=dict(statuses))
    row.need(wrote.status in (200, 201), f"the write got {wrote.status}")
    row.need(statuses == {"200": count}, f"answers {dict(statuses)}")
    return row


def forged_cursors(target: Target, *, full: bool) -> Row:
    """Cursors with values that no page has, with the checksum that anybody can compute."""
    row, statuses, failed = Row("forged cursors", {}), Counter[int](), list[str]()
    with target.client() as client:
        for path in _forged():
            status = client.get(path).status
            statuses[status] += 1
            if status >= 500 or not status:
                failed.append(path)
    note(row, answers=dict(statuses))
    row.need(not failed, f"{len(failed)} errors, the first at {failed[:1]}")
    return row


def _forged() -> Iterator[str]:
    values: list[Any] = [2**63, 2**64, -(2**63) - 1, 10**30, 10**400, -(10**400), 1e308, math.inf, math.nan, True]
    values += ["a", None, "\u0300" * 50, "~" * 600, "", [1], {"a": 1}, 0.1, -0.0, "0.0.0.0", "1.0.0.0"]
    values += [["0001-01-01", "9999-12-31", 10**30], ["figure_lacks_value", "figures", "a", 10**40]]
    lists: list[tuple[str, dict[str, str]]] = [
        *(("/v1/figures", {"sort": sort}) for sort in ("value", "-value", "period", "id")),
        ("/v1/projects", {}),
        ("/v1/projects", {"sort": "title"}),
        ("/v1/projects", {"q": "cong nghiep"}),
        ("/v1/search", {"q": "cong nghiep"}),
        ("/v1/progress", {}),
        ("/v1/timeline", {}),
        ("/v1/audit", {"as_of": "2026-11-22"}),
    ]
    for (path, query), value, record_id in itertools.product(lists, values, ("unido", "~" * 300, "")):
        yield f"{path}?{urlencode({**query, 'cursor': _cursor(path, query, value, record_id)})}"


def _cursor(path: str, query: dict[str, str], value: Any, record_id: str) -> str:
    position = json.dumps([value, record_id], separators=(",", ":")).encode()
    check = hashlib.blake2b(position + f"{path}?{sorted(query.items())}".encode(), digest_size=6).digest()
    return base64.urlsafe_b64encode(check + position).rstrip(b"=").decode()


def overlapping_reads(target: Target, *, full: bool) -> Row:
    """Long reads that overlap while others write, so that the write-ahead log of SQLite cannot be reset."""
    row, written = Row("long reads that overlap writes", {}), Counter[int]()
    long = {"en": " ".join(f"w{number}" for number in range(3_000))}
    with watched(target, row) as watch, crowd(target, *[loads.audit] * 3), target.other() as client:
        until = time.monotonic() + (25 if full else 4)
        while time.monotonic() < until:
            written[client.post("/v1/projects", {**PROJECT, "description": long}).status] += 1
    note(row, writes=dict(written))
    at_most(row, "write-ahead log, MB", watch.peak_log, LOG_MEGABYTES)
    return row


def _repeated(
    target: Target,
    name: str,
    acts: list[Act],
    seconds: float,
    most_memory: float = 150,
    write_pause: float = 0.25,
    token: str = "",
) -> Row:
    row = Row(name, {})
    with watched(target, row, write_pause) as watch, crowd(target, *acts, token=token) as attackers:
        go_on(seconds, lambda: target.server.process.poll() is None)
    at_most(row, "memory, MB more", watch.memory_growth, most_memory)
    note(row, clients=len(acts), answers=dict(sorted(attackers.statuses.items())))
    row.need(not attackers.unexpected(), f"answers {attackers.unexpected()}")
    return row
