"""What attackers send again and again, and crowds of them."""

import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.torture.attacks import workbooks
from tests.torture.attacks.target import JSON, JSON_LINES, PROJECT, Client, Target

FACETS = [
    *("kind", "unit", "qualifier", "measured", "dimension", "dimension_value", "relation", "indicator", "project"),
    *("agreement", "partner", "about", "milestone", "about_document", "speaker", "place", "related_to", "managed_by"),
    "document",
]
SORTS = ("id", "-id", "updated_at", "-updated_at")
FILTERS = {
    **dict.fromkeys(("period", "period_gte", "period_gt", "period_lte", "period_lt"), "2010"),
    **dict.fromkeys(("updated_at_gte", "updated_at_gt", "updated_at_lte", "updated_at_lt"), "2024-01-01"),
    **dict.fromkeys(("part_of", "follows", "whole_of", "followed_by", "agreement", "milestone", "statement"), "x"),
    **dict.fromkeys(("partner", "managed_by"), "unido"),
    "document": "news-1",
    "figure": "x",
    "identifier": "a:b",
    "kind": "project",
    "place": "viet-nam",
    "role": "lead",
    "sdg": "1",
    "sector": "11330",
    "status": "active",
    "title": "x",
}

Act = Callable[[Client, random.Random], int]


def audit(client: Client, chance: random.Random) -> int:
    """An audit of the whole country, as of a day that no cache has."""
    day = f"20{chance.randint(10, 25)}-0{chance.randint(1, 9)}-{chance.randint(10, 28)}"
    return client.get(f"/v1/audit?place=viet-nam&limit=200&as_of={day}").status


def facets(client: Client, chance: random.Random) -> int:
    """All facets of figures at once."""
    named = "&".join(f"facet={name}" for name in FACETS)
    path = f"/v1/figures/facets?limit={chance.randint(1, 200)}&place=viet-nam&value_gte=-{chance.randint(1, 10**9)}"
    return client.get(f"{path}&{named}").status


def misspelt(client: Client, chance: random.Random) -> int:
    """A thousand unknown parameters that are like known ones."""
    word = "".join(chance.sample("updated_at_gte_date_lt", 22))
    return client.get("/v1/milestones?" + "&".join(f"{word}{number}=" for number in range(999))).status


def filters(client: Client, chance: random.Random) -> int:
    """Filters in a combination that nobody has asked for before."""
    chosen = chance.sample(sorted(FILTERS), chance.randint(3, 14))
    query = "&".join(f"{name}={FILTERS[name]}" for name in chosen)
    limit = chance.randint(1, 200)
    return client.get(f"/v1/projects?{query}&limit={limit}&sort={chance.choice(SORTS)}").status


def codings(client: Client, chance: random.Random) -> int:
    """A small answer in a coding that does not exist, with a long name."""
    name = f"{chance.getrandbits(64):x}{'a' * 60_000}"
    return client.ask("GET", "/v1/partners/unido?fields=id", Accept_Encoding=name).status


def queries(client: Client, chance: random.Random) -> int:
    """A small answer under a query string of 20 kB."""
    ids = "&".join(f"id={chance.getrandbits(64):x}{'a' * 80}" for _ in range(180))
    return client.get(f"/v1/projects?fields=id&limit=1&{ids}").status


def words(client: Client, chance: random.Random) -> int:
    """A search for twelve words."""
    query = "+".join(chance.choice(("cong", "nghiep", "phat", "trien", "khu", "xanh", "moi")) for _ in range(11))
    return client.get(f"/v1/search?q={query}+x{chance.randint(1, 999)}&limit=200").status


def mixed(client: Client, chance: random.Random) -> int:
    """The other reads that cost much, in words that no cache has."""
    number, year = chance.randint(1, 10**9), chance.randint(1900, 2020)
    groups = "indicator,project,partner,place,period,year,dimension"
    includes = "partners,places,wholes,parts,earlier,later,agreements,figures,milestones,statements,documents"
    paths = (
        f"/v1/figures/aggregate?limit=1000&group_by={groups}&value_gte=-{number}",
        f"/v1/timeline?limit=200&place=viet-nam&period={year}/9999",
        f"/v1/progress?limit={chance.randint(100, 200)}",
        f"/v1/projects?limit=200&total=true&include={includes}&period_gte={year}",
        f"/v1/projects?limit={chance.randint(100, 200)}&place=viet-nam&sort=title&period_gte={year}",
        f"/v1/changes?after={chance.randint(0, 1_000)}&limit=200&partner=nobody",
        f"/v1/places/viet-nam/history?limit={chance.randint(1, 200)}",
    )
    return client.get(chance.choice(paths)).status


def templates(client: Client, chance: random.Random) -> int:
    """Documents that are made for the one who asks for them."""
    resource = chance.choice(("projects", "figures", "agreements", "milestones"))
    return client.get(f"/v1/imports/templates/{resource}.xlsx").status


def guesses(client: Client, chance: random.Random) -> int:
    """Keys that do not exist."""
    token = f"Bearer hoptac_{chance.getrandbits(48):010x}"[:24] + f"_{chance.getrandbits(128):x}"
    return client.ask("GET", "/v1/imports", Authorization=token).status


def large_writes(client: Client, chance: random.Random) -> int:
    """Versions of a record that has as many texts as it may have."""
    letters = [a + b for a, b in itertools.product("abcdefghij", "aeiou")][:45]
    description = dict.fromkeys(letters, f"{chance.getrandbits(64)} {'word ' * 3_500}")
    body = json.dumps({**PROJECT, "description": description}).encode()
    answer = client.ask("PUT", "/v1/projects/large-written", body, Content_Type=JSON, If_Match="*")
    if answer.status == 412:
        answer = client.ask("PUT", "/v1/projects/large-written", body, Content_Type=JSON)
    return answer.status


def large_pages(client: Client, chance: random.Random) -> int:
    """Pages of the largest records, in a list, in the feed or in a search."""
    path = chance.choice(
        ("/v1/projects?managed_by=unido&", "/v1/changes?partner=unido&after=2000&", "/v1/search?q=large+largest&")
    )
    return client.get(f"{path}limit={chance.randint(100, 200)}").status


def long_marks(client: Client, chance: random.Random) -> int:
    """A workbook with a long text where a regular expression may read it."""
    kind = chance.choice(("titles", "area", "format"))
    return client.send_table(workbooks.long_mark(kind, 20_000), workbooks.XLSX).status


def repeated_strings(client: Client, _: random.Random) -> int:
    """A workbook that is small, and large once it is unpacked."""
    return client.send_table(workbooks.repeated_string(20, 1_500_000), workbooks.XLSX).status


def many_strings(client: Client, _: random.Random) -> int:
    """A workbook of 440 MB when it is unpacked, whose strings are all kept until the end."""
    return client.send_table(workbooks.many_strings(14_000, 32_000), workbooks.XLSX).status


def short_lines(client: Client, _: random.Random) -> int:
    """A table of lines that are nearly empty."""
    return client.send_table(b"id\n" + b"x\n" * 50_000, "text/csv").status


def small_imports(client: Client, _: random.Random) -> int:
    """An import of some lines."""
    return client.send(json_lines(200), JSON_LINES).status


def json_lines(number: int) -> bytes:
    """So many new projects, one on each line."""
    return b"".join(
        b'{"resource":"projects","id":"l%d","title":{"en":"v %d"},"kind":"project","status":"active"}\n' % (line, line)
        for line in range(number)
    )


class Crowd:
    """Clients that do the same until the end of the attack, and the answers they get."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.ended = threading.Event()

    def unexpected(self) -> dict[int, int]:
        """Answers that no client should get: errors, but for a deliberate 503."""
        return {status: count for status, count in self.statuses.items() if status >= 500 and status != 503}

    def run(self, client: Client, act: Act, seed: int) -> None:
        """Do it again and again, a little slower when it is refused."""
        chance = random.Random(seed)
        with client:
            while not self.ended.is_set():
                status = act(client, chance)
                self.statuses[status] += 1
                if status in (0, 429, 503):
                    self.ended.wait(0.1)


@contextmanager
def crowd(target: Target, *acts: Act, token: str = "") -> Iterator[Crowd]:
    """A client for each of these acts, from one address or with one key."""
    made = Crowd()
    threads = [
        threading.Thread(target=made.run, args=(target.client(token), act, number), daemon=True)
        for number, act in enumerate(acts)
    ]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        made.ended.set()
        for thread in threads:
            thread.join(100)


def go_on(seconds: float, holds: Callable[[], bool] = lambda: True) -> None:
    """Wait so long, or until it no longer holds."""
    until = time.monotonic() + seconds
    while holds() and time.monotonic() < until:
        time.sleep(0.1)
