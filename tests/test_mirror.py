"""A mirror, built from the feed alone, answers as its source does, byte for byte; and it notices when it is lied to."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from app.core.change_log import CHANGES, SEALED
from app.core.database import sql
from app.core.database.engine import Database
from app.core.model.resource import RESOURCES
from app.core.writing import batch
from app.core.writing.batch import Batch
from app.core.writing.representation import Content, accepted_fields
from app.exchange.mirrors import source as sources
from app.exchange.mirrors.mirror import MirrorFollower
from app.exchange.mirrors.source import NotMirrored, Source
from app.exchange.mirrors.source import client_of as http_client
from seed.files import Dataset
from tests.support.databases import url_of
from tests.support.http import client_of, drop, patch, problem, put
from tests.support.keys import Key, key_of
from tests.support.log import changes, redact, verified
from tests.support.mirrors import ensure_alike, ids_of, logs, mirror, streamed
from tests.support.records import FIGURE, PARTNER, PROJECT, rename
from tests.support.servers import ROOT, run, server
from tests.support.waiting import eventually

LIVES = [
    steps
    for length in range(1, 5)
    for steps in itertools.product(("published", "draft", "delete"), repeat=length)
    if steps[0] != "delete" and all(step != after for step, after in itertools.pairwise(steps))
]


def live(client: TestClient, editor: Key, steps: tuple[str, ...]) -> str:
    """Write a project as published, write it as a draft, or delete it, step by step; return its id."""
    project = "-".join(steps)
    for number, step in enumerate(steps):
        if step == "delete":
            drop(client, editor, f"projects/{project}")
        else:
            put(client, editor, f"projects/{project}", {**PROJECT, "state": step, "title": {"en": f"Zebra {number}"}})
    return project


def test_a_mirror_answers_as_its_source(
    registry: TestClient, editor: Key, seeded_database: Database, copy: Database, monkeypatch: Any
) -> None:
    monkeypatch.setattr(sources, "MAX_ITEMS", 7)  # every transaction of the seed is longer than a page
    put(registry, editor, "projects/late", {**PROJECT, "state": "draft"})
    mirror(registry, copy)
    patch(registry, editor, "projects/late", state="published", roles=[{"partner": "unido", "role": "funding"}])
    put(registry, editor, "partners/twin", {**PARTNER, "name": {"en": "Zebra twin"}})
    put(registry, editor, "projects/of-twin", {**PROJECT, "roles": [{"partner": "twin", "role": "funding"}]})
    patch(registry, editor, "projects/late", state="draft")
    put(registry, editor, "projects/gone", PROJECT)
    drop(registry, editor, "projects/gone")
    put(registry, editor, "projects/never-public", {**PROJECT, "state": "draft"})
    drop(registry, editor, "projects/never-public")
    patch(registry, editor, "projects/of-twin", title={"en": "Leaked"})
    merged = registry.post("/v1/partners/twin/merge", json={"into": "unido"}, headers={**editor, "If-Match": "*"})
    assert merged.status_code == 200, merged.text
    public = {steps: registry.get(f"/v1/projects/{live(registry, editor, steps)}").status_code for steps in LIVES}
    assert public["published", "delete", "draft"] == public["published", "delete", "draft", "delete"] == 410
    assert public["published", "draft"] == public["draft", "delete"] == 404
    mirror(registry, copy)
    with client_of(url_of(copy)) as other:
        assert ensure_alike(registry, other, ids_of(seeded_database)) > 100
        assert other.get("/v1/projects/late", headers=editor).status_code == 401  # keys are not copied
    sealed = [row for row in changes(copy) if row.resource == SEALED]
    assert {row.sequence for row in sealed} == {row.sequence for row in changes(seeded_database) if row.shown is None}
    assert all(row.body is None and row.salt is None for row in sealed)


def test_a_text_taken_down_is_taken_down_in_the_mirror(
    registry: TestClient, editor: Key, seeded_database: Database, copy: Database
) -> None:
    put(registry, editor, "partners/gone", {**PARTNER, "name": {"en": "Leaked secret"}})
    put(registry, editor, "partners/withdrawn", {**PARTNER, "name": {"en": "Leaked secret"}})
    patch(registry, editor, "partners/withdrawn", state="draft", name={"en": "Unfinished"})
    rename(seeded_database, "Leaked secret")
    mirror(registry, copy)
    assert any("Leaked" in (row.body or "") for row in changes(copy))
    redact(seeded_database, "Leaked secret")
    mirror(registry, copy)
    assert not any("Leaked" in (row.body or "") or "Unfinished" in (row.body or "") for row in changes(copy))
    assert logs(copy) == logs(seeded_database) != []
    assert verified(copy)[0] == []
    with client_of(url_of(copy)) as other:
        ensure_alike(registry, other, ids_of(seeded_database))


def test_codes_that_change_hands_within_one_transaction_longer_than_a_page(
    database: Database, copy: Database, monkeypatch: Any
) -> None:
    monkeypatch.setattr(sources, "MAX_ITEMS", 10)
    monkeypatch.setattr(sql, "CHUNK", 20)
    count, partners = 60, RESOURCES["partners"]

    def write(shift: int, drop: bool = False) -> None:
        with database.write() as session:
            batch = Batch(session, "test")
            present = batch.stored(partners, [f"p-{number}" for number in range(count)])
            if drop:
                batch.delete(partners, "p-0", present["p-0"])
            for number in range(int(drop), count):
                code = {"scheme": "xi-test", "value": str((number + shift) % count)}
                body: dict[str, Any] = {
                    "name": {"en": "P"},
                    "kind": "other",
                    "identifiers": [code],
                    "parent": f"p-{count - 1}",
                }
                if number >= count - 2:
                    body["parent"] = None if drop or number == count - 1 else "p-0"
                batch.put(
                    partners, f"p-{number}", accepted_fields(partners, json.dumps(body)), present.get(f"p-{number}")
                )
            batch.flush()

    with client_of(url_of(database)) as client:
        for step in ((0, False), (7, False), (9, True)):
            write(*step)
            mirror(client, copy)
            with client_of(url_of(copy)) as other:
                for path in ("/v1/partners?limit=200", "/v1/partners?identifier=xi-test:12", "/v1/partners/p-0"):
                    assert client.get(path).content == other.get(path).content
        with client_of(url_of(copy)) as other:
            ensure_alike(client, other, ids_of(database))


def test_the_database_is_free_while_the_source_is_read(
    registry: TestClient, editor: Key, copy: Database, seeded_database: Database
) -> None:
    """A source that is slow or unreachable must not stop the writes of a mirror, such as the revocation of a key."""
    written: list[str] = []

    def write_meanwhile(text: str) -> str:
        with copy.write():
            written.append(text)
        return text

    mirror(registry, copy, write_meanwhile)
    assert len(written) > 3  # the seed is one transaction of several pages
    put(registry, editor, "partners/leaking", {**PARTNER, "name": {"en": "Leaked secret"}})
    redact(seeded_database, "Leaked secret")
    written.clear()
    mirror(registry, copy, write_meanwhile)
    assert len(written) > 2  # a page of the feed, and the history of the redacted record
    assert logs(copy) == logs(seeded_database) != []


def test_a_mirror_is_only_read(registry: TestClient, seeded_database: Database, copy: Database) -> None:
    mirror(registry, copy)
    key = key_of(copy, "records:write")
    with client_of(url_of(copy)) as other:
        problem(other.put("/v1/partners/another", json=PARTNER, headers=key), 403, "read_only")
        gone = other.delete("/v1/figures/smart-factory-enterprises-2022-north", headers={**key, "If-Match": "*"})
        problem(gone, 403, "read_only")
    rename(seeded_database, "Otherwise")
    mirror(registry, copy)
    found = run("seed", HOPTAC_DATABASE_URL=url_of(copy))  # it would be a Change to undo that
    assert (found.returncode, "accepts no writes" in found.stderr) == (1, True) or "left alone" in found.stdout
    assert [row.chain for row in changes(copy)] == [row.chain for row in changes(seeded_database)]


def test_a_database_with_records_of_its_own_is_refused(client: TestClient, seeded_database: Database) -> None:
    before = changes(seeded_database)
    with pytest.raises(NotMirrored, match="records of its own"):
        mirror(client, seeded_database)
    assert changes(seeded_database) == before


def test_a_source_that_went_back_is_noticed(
    registry: TestClient, copy: Database, database: Database, seeded_database: Database
) -> None:
    mirror(registry, copy)
    before = changes(copy)
    with client_of(url_of(database)) as empty, pytest.raises(NotMirrored, match="restored"):
        mirror(empty, copy)
    assert changes(copy) == before
    rename(seeded_database, "Later")
    mirror(registry, copy)
    assert len(changes(copy)) == len(before) + 1


LIES: list[tuple[str, str, str]] = [
    ('"name":{"vi":"Tổ chức', '"name":{"vi":"Lừa', "not the one that was published"),
    ('"actor":"seed"', '"actor":"mallory"', "chain value of Change"),
    ('"version":1', '"version":2', "chain value of Change"),
    ('"sequence":50,', '"sequence":500,', "order|missing"),
    ('"sequence":1,', '"sequence":2,', "order|missing"),
    ('"chain":"', '"chain":"0', "feed"),
    ('"items":[', '"items":{', "feed"),
    ('"record":{', '"recorded":{', "feed"),
    ('"last":{last}', '"last":1e999', "feed"),
    ('"last":{last}', '"last":null', "feed"),
    ("{", "", "feed"),
    ('"id":"', '"id":"../', "feed"),
    ('"items":[', '"items":' + "[" * 100_000, "feed"),
    ('"at":"2', '"at":"é', "feed"),
]


def test_a_lie_stops_the_mirror(client: TestClient, copy: Database, dataset: Dataset) -> None:
    last = len(dataset.records)
    for template, false, why in LIES:
        true = template.replace("{last}", str(last))
        with pytest.raises(NotMirrored, match=why):
            mirror(client, copy, lambda text, true=true, false=false: text.replace(true, false))  # type: ignore[misc]
        assert changes(copy) == [], why
    mirror(client, copy)
    assert len(changes(copy)) == last


def test_a_past_that_was_changed_is_noticed(registry: TestClient, copy: Database, seeded_database: Database) -> None:
    with seeded_database.write() as session:
        body = session.scalars(select(CHANGES.c.body).where(CHANGES.c.sequence == 300)).one()
        changed = body.replace('"state"', '"state" ')
        session.execute(update(CHANGES).where(CHANGES.c.sequence == 300).values(body=changed))
    with pytest.raises(NotMirrored, match="The record of Change 300"):
        mirror(registry, copy)


def test_a_source_of_a_newer_version_is_told(registry: TestClient, copy: Database, monkeypatch: Any) -> None:
    def newer(_: Any, body: Any) -> Any:
        raise ValueError("a field that nobody knows here")

    with monkeypatch.context() as patched:
        patched.setattr(batch, "accepted_fields", newer)
        with pytest.raises(NotMirrored, match="Update this program"):
            mirror(registry, copy)
    mirror(registry, copy)


def test_records_are_rendered_as_the_mirrors_own_program_does(
    registry: TestClient, copy: Database, seeded_database: Database, monkeypatch: Any
) -> None:
    plain = Content.representation

    def newer(*given: Any) -> bytes:
        return plain(*given)[:-1] + b',"added":true}'

    with monkeypatch.context() as patched:
        patched.setattr(Content, "representation", newer)
        patched.setattr(batch, "RENDERING", 2)
        mirror(registry, copy)
    with client_of(url_of(copy)) as other:
        shown, feed = (
            other.get("/v1/partners/unido", headers={"Accept-Encoding": "identity"}),
            "/v1/changes?record=partners/unido&proof=true",
        )
        assert (shown.json()["added"], shown.headers["etag"][-3:]) == (True, '-2"')
        assert other.get(feed).json()["items"] == registry.get(feed).json()["items"]


def test_disturbances_are_outlasted(client: TestClient, copy: Database, dataset: Dataset) -> None:
    paused: list[float] = []
    failures = iter([httpx.ConnectError("no route"), 503, httpx.ReadTimeout("slow"), 429, 500])

    def answer(request: httpx.Request) -> httpx.Response:
        failure = next(failures, None)
        if isinstance(failure, Exception):
            raise failure
        if failure is not None:
            return httpx.Response(int(str(failure)), headers={"Retry-After": "17"})
        found = client.get(request.url.raw_path.decode())
        return httpx.Response(found.status_code, content=streamed(found.content))

    def follow(answer: Callable[[httpx.Request], httpx.Response]) -> None:
        made = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="https://source.test")
        with Source(made, retries_forever=False, pause=paused.append) as source:
            MirrorFollower(copy, source).follow(once=True)

    follow(answer)
    assert len(changes(copy)) == len(dataset.records)
    assert paused[0] <= 0.5 < paused[2] <= 2
    assert paused[1] == paused[3] == 17

    def never(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    with pytest.raises(NotMirrored, match="no route"):
        follow(never)


GOOD = ("registry.example", "https://x", "http://127.0.0.1:8000", "http://localhost", "http://[::1]:80")
BAD = ("http://registry.example", "ftp://x", "", "https://", "http://[::1", "http://2130706433")


@pytest.mark.parametrize(("url", "allowed"), [*((url, True) for url in GOOD), *((url, False) for url in BAD)])
def test_only_https_is_good_enough_for_what_is_elsewhere(url: str, allowed: bool) -> None:
    if allowed:
        made = http_client(url)
        assert made.base_url.scheme == ("http" if url.startswith("http:") else "https")
        assert made.headers["user-agent"].startswith("hoptac-mirror/")
        return
    with pytest.raises(ValueError, match="https"):
        http_client(url)


@contextmanager
def mirroring(base: str, copy: Database) -> Iterator["subprocess.Popen[bytes]"]:
    """`hoptac mirror` as a process; killed at the end."""
    command = [sys.executable, "-m", "app", "mirror", base, "--database", url_of(copy)]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def write_much(base: str, key: Key, seed: int, until: float) -> int:
    """Writes of every kind over HTTP, at random; returns how many were made."""
    chance, count = random.Random(seed), 0
    with httpx.Client(base_url=base, trust_env=False, timeout=30, headers=key) as client:
        while time.monotonic() < until or count <= 10:  # a busy machine takes longer
            path = f"/v1/projects/w{seed}-{chance.randrange(8)}"
            state = chance.choice(["published", "published", "draft"])
            body = {**PROJECT, "state": state, "title": {"en": f"Zebra {chance.random()}"}}
            body["roles"] = [{"partner": chance.choice(["unido", "moit", "seco"]), "role": "funding"}]
            if chance.random() < 0.1:
                answer = client.delete(path, headers={"If-Match": "*"})
            elif chance.random() < 0.1:
                figure = {**FIGURE, "value": chance.randrange(99), "state": state}
                answer = client.post("/v1/figures", json=figure)
            elif chance.random() < 0.1:
                twin = f"t{seed}-{count}"
                client.put(f"/v1/partners/{twin}", json=PARTNER)
                answer = client.post(f"/v1/partners/{twin}/merge", json={"into": "unido"}, headers={"If-Match": "*"})
            else:
                answer = client.put(path, json=body, headers={"If-Match": "*"})
                if answer.status_code == 412:
                    answer = client.put(path, json=body)
            assert answer.status_code in (200, 201, 204, 404, 409, 410), answer.text
            count += answer.status_code < 300
    return count


@pytest.mark.slow
def test_a_mirror_that_is_killed_under_load_becomes_like_its_source(seeded_database: Database, copy: Database) -> None:
    key, seconds = key_of(seeded_database, "records:write"), 5.0
    with server(url_of(seeded_database)) as (base, _), server(url_of(copy)) as (mirrored, _):
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(3) as pool:
            writers = [pool.submit(write_much, base, key, seed, until) for seed in range(3)]
            while time.monotonic() < until:
                with mirroring(base, copy) as process:
                    time.sleep(random.uniform(1.5, 3.5))
                    process.send_signal(signal.SIGKILL)
            assert sum(writer.result() for writer in writers) > 30
        with (
            mirroring(base, copy),
            httpx.Client(base_url=base, trust_env=False, timeout=30) as one,
            httpx.Client(base_url=mirrored, trust_env=False, timeout=30) as other,
        ):
            last = get_last(one)
            eventually(lambda: get_last(other) == last)
            written = sorted(ids_of(seeded_database))
            sampled = set(random.sample(written, min(60, len(written))))
            assert ensure_alike(one, other, sampled) > len(sampled)
            assert one.put("/v1/partners/now", json=PARTNER, headers=key).status_code == 201
            eventually(lambda: other.get("/v1/partners/now").status_code == 200)


def get_last(client: httpx.Client) -> int:
    return int(client.get("/v1/changes?limit=1").json()["last"])
