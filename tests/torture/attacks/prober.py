"""Time the requests of other clients, in a process of its own: `prober.py PORT ADDRESS TOKEN PARTNER WRITE_PAUSE`.

Each line of its input starts a phase with that name. At the end of the input it prints, as JSON, the status and the
time in milliseconds of each request, by phase and kind. It imports nothing of the program, so that it starts at once.
"""

import http.client
import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable

PAUSE = 0.04
PAUSES = {"livez": 0.12, "readyz": 0.12}  # an address may send 1,200 requests for probes in a minute
TIMEOUT = 60
WAITING = 1  # instead of a status


def _list_of_50(number: int) -> str:
    """The same list in other words each time, so that no cache has it."""
    since = f"{2000 + number % 25}-{number // 25 % 12 + 1:02}-{number // 300 % 28 + 1:02}"
    return f"/v1/projects?status=active&sort=-updated_at&limit=50&updated_at_gte={since}"


KINDS: dict[str, Callable[[int], str]] = {
    "livez": lambda _: "/livez",
    "readyz": lambda _: "/readyz",
    "cached list": lambda _: "/v1/partners?limit=1",
    "list of 50": _list_of_50,
}


class Prober:
    """A thread for each kind of request, so that none of them waits for another."""

    def __init__(self, port: int, address: str, token: str, partner: str, write_pause: str) -> None:
        self.port = port
        self.address = address
        self.token = token
        self.partner = partner
        self.write_pause = float(write_pause)
        self.phase = ""
        self.began: dict[str, float] = {}
        self.results: dict[str, dict[str, list[tuple[int, float]]]] = defaultdict(lambda: defaultdict(list))
        for kind, path in KINDS.items():
            threading.Thread(target=self._read, args=(kind, path), daemon=True).start()
        if self.write_pause:
            threading.Thread(target=self._write, daemon=True).start()

    def summary(self) -> dict[str, dict[str, list[tuple[int, float]]]]:
        """All results. A request that has no answer yet counts with the time that it has waited, and no failure."""
        now = time.perf_counter()
        for kind, began in list(self.began.items()):
            self.results[self.phase][kind].append((WAITING, (now - began) * 1_000))
        return self.results

    def _read(self, kind: str, path: Callable[[int], str]) -> None:
        number = 0
        while True:
            number += 1
            self._timed(kind, "GET", path(number), None)
            time.sleep(PAUSES.get(kind, PAUSE))

    def _write(self) -> None:
        number = 0
        while True:
            number += 1
            body = {"name": {"en": f"Probe {number}"}, "kind": "other", "managed_by": self.partner}
            self._timed("write", "POST", "/v1/partners", json.dumps(body))
            time.sleep(self.write_pause)

    def _timed(self, kind: str, method: str, path: str, body: str | None) -> None:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"} if body else {}
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=TIMEOUT, source_address=(self.address, 0)
        )
        self.began[kind] = began = time.perf_counter()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        except (OSError, http.client.HTTPException):
            status = 0
        finally:
            connection.close()
            del self.began[kind]
        self.results[self.phase][kind].append((status, (time.perf_counter() - began) * 1_000))


if __name__ == "__main__":
    prober = Prober(int(sys.argv[1]), *sys.argv[2:6])
    for line in sys.stdin:
        prober.phase = line.strip()
    json.dump(prober.summary(), sys.stdout)
    sys.stdout.flush()
