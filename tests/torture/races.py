"""Many at once, through two server processes over one database."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx

from tests.torture.setting import PARTNER, Row, Server, client_of, new_key, unexpected
from tests.torture.whole import broken

AT_ONCE = 20
CONTESTED = 4  # records that everybody writes


def one_effect(url: str, rounds: int) -> Row:
    """One idempotency key, one ETag, one new slug, each tried by twenty at once: one effect each."""
    key, row = (
        new_key(url, "records:write"),
        Row("one key, one tag, one slug × 20", {"rounds": rounds, "requests": rounds * 60}),
    )
    with ExitStack() as stack, ThreadPoolExecutor(AT_ONCE) as pool:
        servers = [stack.enter_context(Server(url)) for _ in range(2)]
        clients = [stack.enter_context(client_of(servers[each % 2], key)) for each in range(AT_ONCE)]

        def at_once(ask: Callable[[httpx.Client, int], httpx.Response]) -> Counter[int]:
            return Counter(each.status_code for each in pool.map(ask, clients, range(AT_ONCE)))

        for number in range(rounds):
            for name, expected, ask in _tries(clients[0], f"{time.time_ns():x}-{number}"):
                before = _probed(clients[0])
                found = at_once(ask)
                row.need(found == expected, f"{name}: {dict(found)}")
                effects = _probed(clients[0]) - before - 1
                row.need(effects == 1, f"{name}: {effects} effects")
    row.problems += broken(url)
    return row


Try = tuple[str, dict[int, int], Callable[[httpx.Client, int], httpx.Response]]


def _tries(client: httpx.Client, name: str) -> list[Try]:
    path = f"/v1/partners/tag-{name}"
    tag = client.put(path, json=PARTNER).headers["etag"]

    def twin(client: httpx.Client, _: int) -> httpx.Response:
        return client.post("/v1/partners", json=PARTNER, headers={"Idempotency-Key": name})

    def replace(client: httpx.Client, number: int) -> httpx.Response:
        return client.put(path, json={**PARTNER, "abbreviation": f"N{number}"}, headers={"If-Match": tag})

    def create(client: httpx.Client, number: int) -> httpx.Response:
        return client.post("/v1/partners", json={**PARTNER, "id": f"slug-{name}", "abbreviation": f"N{number}"})

    rest = AT_ONCE - 1
    return [
        ("one idempotency key", {201: AT_ONCE}, twin),
        ("one ETag", {200: 1, 412: rest}, replace),
        ("one slug", {201: 1, 409: rest}, create),
    ]


def _probed(client: httpx.Client) -> int:
    """The number of a Change that is made now."""
    made = client.put(f"/v1/partners/probe-{time.time_ns():x}", json=PARTNER)
    return int(made.headers["etag"].strip('"').partition("-")[0])


def crowd(url: str, seconds: float, writers: int = 32, readers: int = 32) -> Row:
    """Writers who add up, and readers, through two processes: nobody is refused, no update is lost."""
    key = new_key(url, "records:write")
    paths = [f"/v1/partners/contested-{number}" for number in range(CONTESTED)]
    crowd = _Crowd(paths)
    with Server(url) as one, Server(url) as other:
        with client_of(one, key) as client:
            for path in paths:
                assert client.put(path, json={**PARTNER, "abbreviation": "0"}).status_code == 201
        acts: list[Any] = [crowd.write] * writers + [crowd.read] * readers
        threads = [
            threading.Thread(target=act, args=(client_of((one, other)[number % 2], key), number))
            for number, act in enumerate(acts)
        ]
        crowd.until = time.monotonic() + seconds
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with client_of(one, key) as client:
            ends = {path: int(client.get(path).json()["abbreviation"]) for path in paths}
    figures = {"writes": sum(crowd.done.values()), "reads": crowd.reads, "longest wait, s": round(crowd.longest, 2)}
    row = Row(f"{writers} writers, {readers} readers, {seconds:.0f} s", figures, crowd.problems)
    row.need(not (odd := unexpected(crowd.statuses, (200, 412))), f"answers {odd}")
    row.need(ends == {path: crowd.done[path] for path in paths}, f"lost updates: {ends}, {dict(crowd.done)}")
    row.problems += broken(url)
    return row


class _Crowd:
    """What the clients of a crowd do until its time is over, and what they saw."""

    def __init__(self, paths: list[str]) -> None:
        self.until, self.paths, self.problems = 0.0, paths, list[str]()
        self.done, self.statuses = Counter[str](), Counter[int]()
        self.reads, self.longest, self._lock = 0, 0.0, threading.Lock()

    def write(self, client: httpx.Client, number: int) -> None:
        """Add one to a number that others add to as well."""
        path = self.paths[number % len(self.paths)]
        with client:
            while time.monotonic() < self.until:
                read = self._asked(client.get, path)
                if read is None or read.status_code != 200:
                    continue
                body = {**read.json(), "abbreviation": str(int(read.json()["abbreviation"]) + 1)}
                wrote = self._asked(client.put, path, json=body, headers={"If-Match": read.headers["etag"]})
                if wrote is not None and wrote.status_code == 200:
                    with self._lock:
                        self.done[path] += 1

    def read(self, client: httpx.Client, _: int) -> None:
        """Read lists and details, in other words each time."""
        with client:
            while time.monotonic() < self.until:
                self.reads += 1
                self._asked(client.get, f"/v1/partners?limit={self.reads % 50 + 1}&include=projects&sort=-updated_at")
                time.sleep(0.01)

    def _asked(self, ask: Callable[..., httpx.Response], path: str, **kwargs: Any) -> httpx.Response | None:
        began = time.monotonic()
        try:
            answer = ask(path, **kwargs)
        except httpx.TransportError as error:
            self.problems.append(f"{path}: {type(error).__name__}")
            return None
        with self._lock:
            self.longest = max(self.longest, time.monotonic() - began)
            self.statuses[answer.status_code] += 1
        return answer
