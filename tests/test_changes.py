"""The change feed: complete, in order, the same for everyone, verifiable; waiting for it holds nothing up."""

import asyncio
import hashlib
import json
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import delete
from starlette.testclient import TestClient

from app.changes import feed, long_poll
from app.changes.long_poll import LongPolls
from app.core.asgi.freshness import Freshness
from app.core.change_log import CHANGES
from app.core.database.engine import Database
from app.core.errors import TooMany
from app.core.model.resource import RESOURCES
from app.core.writing.batch import Batch
from app.core.writing.representation import accepted_fields
from tests.support.databases import url_of
from tests.support.http import client_of, drop, get, patch, problem, put
from tests.support.keys import Key, key_of
from tests.support.log import changes, redact
from tests.support.records import FIGURE, PARTNER, PROJECT, rename, write_many
from tests.support.servers import ROOT, server

FEED = "/v1/changes"


def follow(client: Any, path: str) -> tuple[list[dict[str, Any]], str]:
    """Every item from a path on, and where to go on."""
    items: list[dict[str, Any]] = []
    while True:
        page = client.get(path).json()
        items += page["items"]
        if f"after={page['last']}&" in page["next"] + "&":
            return items, page["next"]
        path = page["next"]


def end_of(client: TestClient) -> str:
    return follow(client, f"{FEED}?limit=200")[1]


@pytest.mark.parametrize("limit", [7, 200])
def test_the_feed_tells_every_change_with_the_stored_bytes(
    registry: TestClient, seeded_database: Database, limit: int
) -> None:
    items, following = follow(registry, f"{FEED}?limit={limit}")
    assert [each["sequence"] for each in items] == [row.sequence for row in changes(seeded_database)]
    for item, row in zip(items, changes(seeded_database), strict=True):
        assert json.dumps(item["record"]) == json.dumps(json.loads(row.body))
        assert (item["action"], item["resource"], item["id"]) == (row.shown, row.resource, row.record_id)
    text = registry.get(f"{FEED}?limit={limit}").text
    assert all(row.body in text for row in changes(seeded_database)[:limit])
    assert get(registry, following) == {"items": [], "next": following, "last": len(items)}


def test_drafts_are_never_told(registry: TestClient, editor: Key) -> None:
    start = end_of(registry)
    assert {item["partner"] for item in get(registry, f"{FEED}?limit=200")["items"]} == {None}
    put(registry, editor, "projects/secret", {**PROJECT, "state": "draft", "title": {"en": "Zebrafish one"}})
    patch(registry, editor, "projects/secret", title={"en": "Zebrafish two"})
    assert follow(registry, start)[0] == []
    assert registry.get(start, headers=editor).json()["items"] == []
    patch(registry, editor, "projects/secret", title={"en": "Public"}, state="published")
    patch(registry, editor, "projects/secret", title={"en": "Zebrafish three"}, state="draft")
    patch(registry, editor, "projects/secret", title={"en": "Zebrafish four"})
    drop(registry, editor, "projects/secret")
    for proof in ("false", "true"):
        items = [each for each in follow(registry, f"{start}&proof={proof}")[0] if "record" in each]
        told = [(each["action"], each["version"], each["record"]["title"]["en"]) for each in items]
        assert told == [("create", 3, "Public"), ("delete", 4, "Public")]
        assert "Zebrafish" not in json.dumps(items)
    hidden = [each for each in follow(registry, f"{start}&proof=true")[0] if "record" not in each]
    assert [set(each) for each in hidden] == [{"sequence", "proof"}] * 4
    assert {name for each in hidden for name in each["proof"]} == {"entry", "chain"}
    filtered = follow(registry, f"{start}&proof=true&record=projects/secret")[0]
    assert [each["action"] for each in filtered] == ["create", "delete"]


def test_a_deletion_is_told_with_the_last_representation(registry: TestClient, editor: Key) -> None:
    put(registry, editor, "projects/short-lived", PROJECT)
    last = registry.get("/v1/projects/short-lived").content
    start = end_of(registry)
    drop(registry, editor, "projects/short-lived")
    assert b'"action":"delete","resource":"projects","id":"short-lived","version":2' in registry.get(start).content
    assert last in registry.get(start).content


def sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


Logs = dict[int, list[str]]


def verify(text: str, chain: str, logs: Logs, taken_down: dict[str, int]) -> str:
    """The chain value at the end of a page, checked as its description says, with nothing of the program's own."""
    decoder, place = json.JSONDecoder(), text.index("[") + 1
    while text[place] != "]":
        item, end = decoder.raw_decode(text, place)
        proof = item["proof"]
        entry = proof.get("entry")
        if entry is None:
            raw = text[text.index(',"record":', place) + len(',"record":') : end - 1].encode()
            hashed = sha256((proof["salt"] or "").encode() + raw)
            assert (hashed == proof["digest"]) == (not proof["withheld"] and not proof["redacted"])
            if "digests" in proof and proof["digests"] is not None:
                listed = json.dumps(proof["digests"], separators=(",", ":"))
                assert item["actor"] == f"redact:{sha256(listed.encode())}"
                logs[item["sequence"]] = proof["digests"]
            if proof["redacted"] and not proof["withheld"]:
                taken_down[sha256(f"{proof['salt']}\n{item['sequence']}\n".encode() + raw)] = proof["redacted"]
            fields = [item["at"], item["actor"], proof["action"], item["resource"], item["id"], str(item["version"])]
            entry = sha256("\n".join([*fields, proof["digest"]]).encode())
        chain = sha256(f"{chain}\n{item['sequence']}\n{entry}".encode())
        assert chain == proof["chain"]
        place = end + (text[end] == ",")
    return chain


def test_the_chain_verifies_from_the_feed_alone(registry: TestClient, editor: Key, seeded_database: Database) -> None:
    put(registry, editor, "projects/secret", {**PROJECT, "state": "draft"})
    patch(registry, editor, "projects/secret", state="published")
    patch(registry, editor, "projects/secret", state="draft", title={"en": "B"})
    redact(seeded_database, "industrial development")
    path, chain, logs, taken_down = f"{FEED}?limit=50&proof=true", "", Logs(), dict[str, int]()
    while True:
        text = registry.get(path).text
        chain, path = verify(text, chain, logs, taken_down), json.loads(text)["next"]
        if not json.loads(text)["items"]:
            break
    assert chain == changes(seeded_database)[-1].chain
    assert taken_down
    assert all(digest in logs[by] for digest, by in taken_down.items())


def test_a_text_taken_down_is_told_and_gone(registry: TestClient, editor: Key, seeded_database: Database) -> None:
    start = end_of(registry)
    rename(seeded_database, "Leaked secret")
    redact(seeded_database, "Leaked secret")
    items = follow(registry, start)[0]
    assert [each["action"] for each in items] == ["update", "redact"]
    assert "Leaked" not in json.dumps(follow(registry, f"{FEED}?record=partners/unido")[0])


def test_who_follows_keeps_nothing_that_is_gone_when_text_is_taken_down_from_it(
    registry: TestClient, editor: Key, seeded_database: Database
) -> None:
    for name in ("deleted", "withdrawn", "here"):
        put(registry, editor, f"partners/{name}", {**PARTNER, "abbreviation": "LEAKED"})
    assert registry.delete("/v1/partners/deleted", headers={**editor, "If-Match": "*"}).status_code == 204
    patch(registry, editor, "partners/withdrawn", state="draft")
    redact(seeded_database, "LEAKED")
    held: dict[str, Any] = {}
    for item in follow(registry, f"{FEED}?resource=partners")[0]:
        held[item["id"]] = None if item["action"] == "delete" else item["record"]
    assert (held["deleted"], held["withdrawn"], held["here"]["abbreviation"]) == (None, None, "[…]")
    for name, answer in (("deleted", 410), ("withdrawn", 404), ("here", 200)):
        assert registry.get(f"/v1/partners/{name}").status_code == answer


def test_a_text_taken_down_from_a_withdrawn_record_shows_no_draft(
    registry: TestClient, editor: Key, seeded_database: Database
) -> None:
    put(registry, editor, "partners/gone", {**PARTNER, "abbreviation": "PUBLIC"})
    patch(registry, editor, "partners/gone", state="draft", abbreviation="SECRET")
    start = end_of(registry)
    redact(seeded_database, "Nobody")
    (item,) = (each for each in follow(registry, f"{start}&proof=true")[0] if "record" in each)
    assert (item["action"], item["record"]["abbreviation"], item["proof"]["withheld"]) == ("delete", "PUBLIC", True)
    assert item["proof"]["salt"] is None


def test_of_a_partner_comes_what_names_it_and_what_ceases_to(registry: TestClient, editor: Key, unido: Key) -> None:
    put(registry, editor, "partners/newcomer", PARTNER)
    start = end_of(registry)
    put(registry, editor, "projects/a", {**PROJECT, "roles": [{"partner": "newcomer", "role": "funding"}]})
    put(registry, editor, "projects/b", {**PROJECT, "title": {"en": "newcomer"}})
    patch(registry, unido, "projects/a", roles=[])
    patch(registry, editor, "projects/a", title={"en": "Other"})
    patch(registry, editor, "partners/newcomer", abbreviation="NEW")
    items = follow(registry, f"{start}&partner=newcomer")[0]
    assert [(each["id"], each["version"]) for each in items] == [("a", 1), ("a", 2), ("newcomer", 2)]
    assert [each["partner"] for each in items] == [None, "unido", None]  # those of the keys


def test_filters_are_the_feed_without_the_rest(registry: TestClient) -> None:
    every = follow(registry, f"{FEED}?limit=200")[0]
    some = follow(registry, f"{FEED}?resource=partners&resource=places&limit=7")[0]
    assert some == [each for each in every if each["resource"] in ("partners", "places")]
    one = follow(registry, f"{FEED}?record=partners/unido")[0]
    assert one == [each for each in every if (each["resource"], each["id"]) == ("partners", "unido")]
    of_unido = {(each["resource"], each["id"]) for each in follow(registry, f"{FEED}?partner=unido&limit=200")[0]}
    for name in ("projects", "agreements", "milestones", "figures"):
        listed = {(name, each["id"]) for each in get(registry, f"/v1/{name}?partner=unido&limit=200")["items"]}
        assert listed <= of_unido
    assert ("partners", "unido") in of_unido


def test_a_page_that_finds_nothing_goes_on_all_the_same(registry: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "SCANNED", 20)
    first = get(registry, f"{FEED}?resource=statements&wait=5")
    assert first["items"] == []
    assert first["next"].startswith(f"{FEED}?after=20&chain=")
    assert (
        len(follow(registry, f"{FEED}?resource=statements")[0]) == get(registry, "/v1/statements?total=true")["total"]
    )


def test_a_page_is_bounded_in_bytes(registry: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MAX_PAGE_BYTES", 10_000)
    assert 1 <= len(get(registry, f"{FEED}?limit=200")["items"]) <= feed.ROWS_OF_ROUND
    assert len(follow(registry, f"{FEED}?limit=200")[0]) == get(registry, FEED)["last"]


def test_a_registry_that_went_back_is_noticed(registry: TestClient, seeded_database: Database, editor: Key) -> None:
    put(registry, editor, "projects/lost", PROJECT)
    following = end_of(registry)
    with seeded_database.write() as session:  # as a restored backup would be
        session.execute(delete(RESOURCES["projects"].table).where(RESOURCES["projects"].table.id == "lost"))
        session.execute(delete(CHANGES).where(CHANGES.c.record_id == "lost"))
    problem(registry.get(following), 409, "rewound")
    problem(registry.get(f"{following}&wait=1"), 409, "rewound")
    problem(registry.get(f"{FEED}?after={changes(seeded_database)[-1].sequence + 1}"), 409, "rewound")
    put(registry, editor, "projects/other", PROJECT)  # the same number, another Change
    problem(registry.get(following), 409, "rewound")


REFUSED = [
    *("after=-1", "after=9223372036854775808", "after=1e3", "after=", "limit=0", "limit=201", "wait=61"),
    *("wait=-1", "wait=0.5", "wait=", "partner=UNIDO", "partner=a&partner=b", "record=unido", "record=nothing/unido"),
    *("record=/", "record=partners/a%C3%A9", "chain=xyz", "chain=", "resource=nothing", "proof=maybe", "cursor=abc"),
]


@pytest.mark.parametrize("query", REFUSED)
def test_what_makes_no_sense_is_refused(client: TestClient, query: str) -> None:
    problem(client.get(f"{FEED}?{query}"), 422, "invalid")
    problem(client.get(f"{FEED}?wait=1&after=%00{query}"), 400, "bad_query")


def test_an_unchanged_page_is_304_and_a_waited_one_is_never_kept(registry: TestClient) -> None:
    first = registry.get(f"{FEED}?limit=3")
    again = registry.get(f"{FEED}?limit=3", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code) == (200, 304)
    assert first.headers["link"] == f'<{first.json()["next"]}>; rel="next"'
    waited = registry.get(f"{FEED}?limit=3&wait=1", headers={"If-None-Match": "*"})
    assert (waited.status_code, waited.json()["items"]) == (200, first.json()["items"])
    assert "etag" not in waited.headers
    assert waited.headers["cache-control"] == "no-store"


def test_who_waits_is_answered_at_the_commit_or_when_the_time_is_over(
    registry: TestClient, editor: Key, seeded_database: Database
) -> None:
    start = end_of(registry)
    began = time.monotonic()
    assert get(registry, f"{start}&wait=1")["items"] == []
    assert 0.9 < time.monotonic() - began < 45
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(registry.get, f"{start}&wait=30&resource=partners")
        time.sleep(0.3)
        put(registry, editor, "projects/not-asked-for", PROJECT)
        put(registry, editor, "projects/secret", {**PROJECT, "state": "draft"})
        time.sleep(0.2)
        assert not waiting.done()
        put(registry, editor, "partners/asked-for", PARTNER)
        began = time.monotonic()
        assert [each["id"] for each in waiting.result().json()["items"]] == ["asked-for"]
        assert time.monotonic() - began < 45
    assert get(registry, start)["items"] != []  # what did not match is there for those who ask for it


RENAMING = """
import sys
from app.core.database.engine import Database
from tests.support.records import rename
import app.catalogue
rename(Database(sys.argv[1]), "Elsewhere")
"""


def test_a_commit_of_another_process_ends_the_wait(registry: TestClient, seeded_database: Database) -> None:
    start = end_of(registry)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(registry.get, f"{start}&wait=60")
        subprocess.run([sys.executable, "-c", RENAMING, url_of(seeded_database)], cwd=ROOT, check=True)
        began = time.monotonic()
        assert waiting.result().json()["items"][0]["record"]["name"] == {"en": "Elsewhere"}
        assert time.monotonic() - began < 45


@pytest.mark.slow
def test_many_who_wait_hold_nothing_up_and_go_when_the_server_ends(seeded_database: Database) -> None:
    with server(url_of(seeded_database)) as (base, process), ThreadPoolExecutor(60) as pool:
        limits = httpx.Limits(max_connections=70)
        with httpx.Client(base_url=base, trust_env=False, timeout=70, limits=limits) as client:
            start = follow(client, f"{FEED}?limit=200")[1]
            waiting = [pool.submit(client.get, f"{start}&wait=60") for _ in range(60)]
            time.sleep(1)
            began = time.monotonic()
            assert client.get("/v1/projects?limit=1").status_code == 200
            assert client.get(f"{FEED}?partner=unido").status_code == 200
            assert time.monotonic() - began < 45
            rename(seeded_database, "Seen by all")
            assert {len(each.result().json()["items"]) for each in waiting} == {1}
            start = waiting[0].result().json()["next"]
            again = [pool.submit(client.get, start) for _ in range(5)]
            time.sleep(1)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert [each.result().json()["items"] for each in again] == [[]] * 5
            process.wait(timeout=45)
            assert time.monotonic() - began < 45


def test_the_places_of_waiting_requests_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client cannot wait more often than its limit. If all places are taken, the client that has most loses one."""
    monkeypatch.setattr(long_poll, "MAX_OF_CLIENT", 3)

    async def nobody_leaves() -> Any:
        await asyncio.Event().wait()

    async def leaves() -> Any:
        await asyncio.sleep(0.05)
        return {"type": "http.disconnect"}

    async def look() -> object:
        return "7-abcdef12"

    async def run() -> None:
        waiting = LongPolls(Freshness(look, lambda: 0, 0.05), limit=4)
        greedy = [asyncio.ensure_future(waiting.wait_for_change(7, 60, nobody_leaves, "a")) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(TooMany):
            await waiting.wait_for_change(7, 60, nobody_leaves, "a")
        leaving = asyncio.ensure_future(waiting.wait_for_change(7, 60, leaves, "b"))
        assert not await leaving
        assert [task.done() for task in greedy] == [False] * 3
        others = [asyncio.ensure_future(waiting.wait_for_change(7, 60, nobody_leaves, name)) for name in ("b", "c")]
        assert not await greedy[0]  # its place is the one that "c" has
        assert [task.done() for task in (*greedy[1:], *others)] == [False] * 4
        assert await waiting.wait_for_change(6, 60, nobody_leaves, "d")
        assert await waiting.pause(0.05, nobody_leaves, "d")
        assert not await waiting.pause(60, leaves, "d")
        waiting.end()
        assert [await task for task in others] == [False, False]
        assert not await waiting.wait_for_change(6, 60, nobody_leaves, "d")
        await waiting.close()

    asyncio.run(run())


def test_requests_of_one_client_are_woken_one_after_the_other() -> None:
    """A Change that wakes many requests of one client does not make others wait for all of them."""
    woken: list[str] = []
    number = ["7-a"]

    async def nobody_leaves() -> Any:
        await asyncio.Event().wait()

    async def look() -> object:
        return number[0]

    async def follow(waiting: LongPolls, client: str) -> None:
        assert await waiting.wait_for_change(7, 60, nobody_leaves, client)
        woken.append(client)

    async def run() -> None:
        waiting = LongPolls(Freshness(look, lambda: 0, 0.0))
        tasks = [asyncio.ensure_future(follow(waiting, "many")) for _ in range(50)]
        tasks.append(asyncio.ensure_future(follow(waiting, "one")))
        await asyncio.sleep(0.05)
        number[0] = "8-b"
        await asyncio.gather(*tasks)
        await waiting.close()

    asyncio.run(run())
    assert woken.index("one") <= 1
    assert len(woken) == 51


def test_a_change_wakes_only_the_requests_that_it_can_concern(
    seeded_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of requests that wait for other records do not read the feed at each write."""
    reads: list[str] = []

    def counted(query: Any, request: Any) -> Any:
        reads.append(query.record or query.partner or (query.resource or ["all"])[0])
        return feed.read_feed(query, request)

    monkeypatch.setattr("app.changes.routes.read_feed", counted)
    key = key_of(seeded_database, "records:write")
    with client_of(url_of(seeded_database)) as client, ThreadPoolExecutor(4) as pool:
        put(client, key, "partners/newcomer", PARTNER)
        start = end_of(client)
        filters = ("record=projects/nothing", "partner=samsung", "resource=places", "partner=newcomer")
        waiting = [pool.submit(client.get, f"{start}&wait=4&{filter_}") for filter_ in filters]
        time.sleep(0.5)
        for number in range(3):
            put(client, key, f"figures/f{number}", FIGURE)
            put(client, key, f"projects/d{number}", {**PROJECT, "state": "draft"})
            time.sleep(0.1)
        put(client, key, "projects/a", {**PROJECT, "roles": [{"partner": "newcomer", "role": "funding"}]})
        found = [[item["id"] for item in future.result().json()["items"]] for future in waiting]
        assert found == [[], [], [], ["a"]]
        # Once when the request begins. On a busy machine, a read starts again as a long one.
        assert all(reads.count(name) <= 2 for name in ("places", "projects/nothing", "samsung"))
        start = end_of(client)
        waiting = [pool.submit(client.get, f"{start}&wait=20&partner=newcomer")]
        time.sleep(0.3)
        patch(client, key, "projects/a", roles=[])
        assert [item["version"] for item in waiting[0].result().json()["items"]] == [2]


WRITER = """
import sys
from app.core.database.engine import Database
from tests.support.records import write_many
import app.catalogue
write_many(Database(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
"""


@pytest.mark.slow
def test_nobody_who_follows_misses_a_change(seeded_database: Database) -> None:
    url, ended, count = url_of(seeded_database), threading.Event(), 15
    with client_of(url) as one, client_of(url, hot_cache=0) as other:
        start = end_of(one)

        def watch(client: TestClient, limit: int, wait: int) -> list[dict[str, Any]]:
            items: list[dict[str, Any]] = []
            path = f"{start.partition('&limit')[0]}&limit={limit}&wait={wait}&proof=true"
            while True:
                over = ended.is_set()
                page = client.get(path).json()
                items += page["items"]
                if over and not page["items"]:
                    return items
                path = page["next"]

        with ThreadPoolExecutor(8) as pool:
            readers = [
                pool.submit(watch, *each) for each in ((one, 3, 1), (other, 200, 0), (one, 1, 0), (other, 17, 1))
            ]
            processes = [
                subprocess.Popen([sys.executable, "-c", WRITER, url, f"process-{each}", str(count)], cwd=ROOT)
                for each in range(2)
            ]
            writers = [pool.submit(write_many, seeded_database, f"thread-{each}", count) for each in range(3)]
            for writer in writers:
                writer.result()
            assert [process.wait() for process in processes] == [0, 0]
            ended.set()
            found = [reader.result() for reader in readers]
    written = [row for row in changes(seeded_database) if row.actor != "seed"]
    assert len(written) == 5 * sum(number % 5 + 1 for number in range(count))
    for items in found:
        assert [each["sequence"] for each in items] == [row.sequence for row in written]
        assert [each["proof"]["chain"] for each in items] == [row.chain for row in written]
        assert [each.get("id") for each in items] == [row.record_id if row.shown else None for row in written]


def test_all_changes_of_a_transaction_have_one_instant(database: Database) -> None:
    with database.write() as session:
        for number in range(3):
            batch = Batch(session, "test")
            batch.put(
                RESOURCES["partners"],
                f"p-{number}",
                accepted_fields(RESOURCES["partners"], json.dumps({**PARTNER, "managed_by": None})),
                None,
            )
            batch.flush()
            time.sleep(0.002)
    with database.write() as session:
        batch = Batch(session, "test")
        batch.delete(RESOURCES["partners"], "p-1", batch.stored(RESOURCES["partners"], ["p-1"])["p-1"])
        batch.flush()
    first, second, third, later = [row.at for row in changes(database)]
    assert first == second == third < later
