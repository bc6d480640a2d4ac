"""A real Varnish in front of a real server, from which `hoptac purge` deletes what has changed.

Every response of Varnish is compared with what the server itself answered at that time.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from app.commands.caches import TRANSFER
from app.core.database.engine import Database
from app.core.settings import Settings
from app.core.values.cache_keys import MAX_MAKING
from tests.support.databases import url_of
from tests.support.http import PATCH
from tests.support.keys import Key
from tests.support.receivers import dead_port
from tests.support.records import FIGURE, PARTNER, PROJECT
from tests.support.servers import ROOT, answers, server
from tests.support.waiting import eventually

VCL = ROOT / "deploy" / "varnish" / "hoptac.vcl"
VARNISHD = shutil.which("varnishd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
XKEY = [*Path("/usr/lib").glob("*/varnish/vmods/libvmod_xkey.so")]
IS_HERE = bool(VARNISHD and XKEY)
pytestmark = pytest.mark.skipif(not IS_HERE, reason="Varnish is not here: apt-get install varnish varnish-modules")

EVERY = 0.2  # seconds between two looks of the purger
BOUND = EVERY + MAX_MAKING + Settings.model_fields["hot_staleness"].default + TRANSFER  # as docs/caches.md states it
SLACK = 3.0  # seconds for which the processes of a busy machine do not run
WRITES = 24
PROJECT_PATH = "/v1/projects/smart-factory-cooperation"
PATHS = [
    *("/v1/partners/unido", "/v1/partners/moit", "/v1/projects/fresh", "/v1/figures/fresh", "/v1/places/ha-noi"),
    *(PROJECT_PATH, f"{PROJECT_PATH}?include=partners,figures", f"{PROJECT_PATH}/figures", f"{PROJECT_PATH}/progress"),
    *("/v1/partners?total=true", "/v1/projects?partner=unido&include=partners", "/v1/figures/facets?facet=unit"),
    *("/v1/search?q=unido", "/v1/changes", "/v1/indicators", "/v1/documents?limit=3", "/v1/milestones?sort=-date"),
    *("/partners/unido", "/projects/smart-factory-cooperation", "/partners", "/v1/places", "/v1/codelists"),
]


class State(NamedTuple):
    """What the server answered, and until when it may have answered this."""

    answer: tuple[int, str]
    since: float
    until: float


class Read(NamedTuple):
    """A response of Varnish, when it was requested and when it had arrived."""

    path: str
    answer: tuple[int, str]
    begun: float
    ended: float
    is_hit: bool


@dataclass
class Origin:
    """What the server answered over time."""

    client: httpx.Client
    states: dict[str, list[State]] = field(default_factory=dict)
    mixed: dict[tuple[int, str], float] = field(default_factory=dict)

    def look(self, since: float, until: float) -> None:
        """Note what the server answers since a write began; what it answered before, it did until the write ended."""
        for path in PATHS:
            answer = answer_of(self.client.get(path))
            past = self.states.setdefault(path, [])
            if not past or past[-1].answer != answer:
                if past:
                    past[-1] = past[-1]._replace(until=until)
                past.append(State(answer, since, float("inf")))

    def age(self, read: Read) -> float:
        """For how many seconds a response was out of date when it was requested; fails if it never was an answer.

        A page makes several reads. If a write comes between them, it belongs to no state, and is as old as it is.
        """
        states = self.states[read.path]
        fitting = [state for state in states if state.answer == read.answer and state.since <= read.ended]
        if not fitting and not read.path.startswith("/v1/"):
            return read.begun - self.mixed.setdefault(read.answer, read.begun)
        assert fitting, f"the server never answered this: {read}"
        return max(0.0, read.begun - fitting[-1].until)


def answer_of(response: httpx.Response) -> tuple[int, str]:
    """The status, and a digest of the content."""
    return response.status_code, hashlib.sha256(response.content).hexdigest()[:12]


def is_hit(response: httpx.Response) -> bool:
    """Whether Varnish has answered from its memory: it then names the request that has fetched the response too."""
    return len(response.headers["x-varnish"].split()) == 2


@contextmanager
def varnish(origin: str, folder: Path) -> Iterator[str]:
    """A Varnish in front of a server, with the configuration of deploy/varnish; yields its address."""
    port = dead_port()
    host, _, origin_port = origin.removeprefix("http://").partition(":")
    text = VCL.read_text("utf-8").replace('.port = "8000"', f'.port = "{origin_port}"')
    assert f'"{host}"' in text
    assert f'"{origin_port}"' in text
    (folder / "own.vcl").write_text(text)
    command = [str(VARNISHD), "-j", "none", "-F", "-n", str(folder / "varnish"), "-f", str(folder / "own.vcl")]
    command += ["-a", f"127.0.0.1:{port}", "-s", "malloc,32m", "-p", "thread_pool_min=10"]
    with (folder / "varnish.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            eventually(lambda: process.poll() is not None or answers(f"http://127.0.0.1:{port}"))
            assert process.poll() is None, (folder / "varnish.log").read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@contextmanager
def purger(url: str, cache: str, folder: Path) -> Iterator[None]:
    """A `hoptac purge` process."""
    command = [sys.executable, "-m", "app", "purge", cache, "--every", str(EVERY), "--file", str(folder / "position")]
    environment = {**os.environ, "HOPTAC_DATABASE_URL": url, "NO_PROXY": "*"}
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("Changed responses were deleted")
            yield
            assert process.poll() is None, "it has failed"
        finally:
            process.terminate()


ANY_VERSION = {"If-Match": "*"}
FRESH_PROJECT = {**PROJECT, "roles": [{"partner": "unido", "role": "lead"}]}
FRESH_FIGURE = {**FIGURE, "project": "smart-factory-cooperation"}


def written(client: httpx.Client, key: Key, number: int) -> None:
    """One of several kinds of writes: of what responses show, count, link to, include, and of what was missing."""
    kinds: list[tuple[str, str, Any, dict[str, str]]] = [
        ("PATCH", "/v1/partners/unido", {"name": {"en": f"UNIDO {number}"}}, {**ANY_VERSION, **PATCH}),
        ("PUT", "/v1/projects/fresh", FRESH_PROJECT, {}),
        ("PUT", "/v1/figures/fresh", {**FRESH_FIGURE, "value": number}, {}),
        ("PUT", f"/v1/partners/partner-{number}", PARTNER, {}),
        ("DELETE", "/v1/figures/fresh", None, ANY_VERSION),
        ("DELETE", "/v1/projects/fresh", None, ANY_VERSION),
    ]
    method, path, body, headers = kinds[number % len(kinds)]
    client.request(method, path, json=body, headers={**key, **headers}).raise_for_status()


def test_what_varnish_answers_is_as_fresh_as_stated(seeded_database: Database, editor: Key, tmp_path: Path) -> None:
    reads: list[Read] = []
    has_ended = threading.Event()

    def read_on(cache: str) -> None:
        with httpx.Client(base_url=cache, trust_env=False) as client:
            while not has_ended.is_set():
                for path in PATHS:
                    begun = time.monotonic()
                    response = client.get(path)
                    assert "surrogate-key" not in response.headers
                    reads.append(Read(path, answer_of(response), begun, time.monotonic(), is_hit(response)))
                    time.sleep(0.01)

    url = url_of(seeded_database)
    with ExitStack() as stack:
        address, _ = stack.enter_context(server(url, shared_max_age="3600", public_url="http://registry.test"))
        cache = stack.enter_context(varnish(address, tmp_path))
        stack.enter_context(purger(url, cache, tmp_path))
        client = stack.enter_context(httpx.Client(base_url=address, trust_env=False))
        front = stack.enter_context(httpx.Client(base_url=cache, trust_env=False))
        origin = Origin(client)
        origin.look(time.monotonic(), time.monotonic())
        readers = [threading.Thread(target=read_on, args=[cache]) for _ in range(2)]
        for reader in readers:
            reader.start()
        try:
            for number in range(WRITES):
                since = time.monotonic()
                written(client, editor, number)
                origin.look(since, time.monotonic())
                seen = client.get("/v1/changes").headers["hoptac-sequence"]
                ahead = front.get("/v1/changes", headers={"Hoptac-At-Least": seen})
                assert answer_of(ahead) == origin.states["/v1/changes"][-1].answer, "a client does not see its write"
                time.sleep(0.25)
            time.sleep(BOUND + 1)
        finally:
            has_ended.set()
            for reader in readers:
                reader.join()
        ages = [origin.age(read) for read in sorted(reads, key=lambda read: read.begun)]
        assert max(ages) <= BOUND + SLACK
        for path in PATHS:
            assert answer_of(front.get(path)) == origin.states[path][-1].answer, f"{path} was never deleted"
        hits = sum(read.is_hit for read in reads)
        assert hits > len(reads) / 2
        assert len({state.answer for states in origin.states.values() for state in states}) > 3 * len(PATHS)
        check_what_is_not_cached(front, editor)


def check_what_is_not_cached(front: httpx.Client, key: Key) -> None:
    first = front.get("/v1/partners/unido")
    assert is_hit(front.get("/v1/partners/unido"))
    tag = first.headers["etag"]
    assert front.get("/v1/partners/unido", headers={"If-None-Match": tag}).status_code == 304
    assert first.headers["cache-control"] == "public, max-age=0, must-revalidate"
    front.put("/v1/partners/hidden", json={**PARTNER, "state": "draft"}, headers=key).raise_for_status()
    for _ in range(2):
        assert not is_hit(front.get("/v1/partners/unido", headers=key))
        assert front.get("/v1/partners/hidden", headers=key).status_code == 200
        assert front.get("/v1/partners/hidden").status_code == 404
        assert not is_hit(front.get("/v1/partners.csv"))
        assert front.request("QUERY", "/v1/partners", json={"limit": 1}).status_code == 200
    assert front.get("/v1/partners", headers={"Accept": "text/csv"}).headers["content-type"].startswith("text/csv")
    assert front.get("/v1/partners").headers["content-type"] == "application/json"
    assert front.request("PURGE", "/").status_code == 400


def test_without_the_command_a_response_is_as_old_as_its_lifetime(
    seeded_database: Database, editor: Key, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        address, _ = stack.enter_context(server(url_of(seeded_database), shared_max_age="2", shared_stale="1"))
        cache = stack.enter_context(varnish(address, tmp_path))
        front = stack.enter_context(httpx.Client(base_url=cache, trust_env=False))
        client = stack.enter_context(httpx.Client(base_url=address, trust_env=False))
        begun = time.monotonic()
        before = front.get("/v1/partners/unido").content
        written(client, editor, 0)
        changed = time.monotonic()
        is_same = front.get("/v1/partners/unido").content == before
        assert is_same or time.monotonic() - begun > 2  # a busy machine can take longer than the lifetime
        eventually(lambda: front.get("/v1/partners/unido").content != before)
        assert time.monotonic() - changed < 3 + SLACK
        before = front.get("/v1/partners/unido").content
        written(front, editor, 6)
        assert front.get("/v1/partners/unido").content != before, "a write through Varnish is not seen at once"
