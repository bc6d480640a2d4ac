"""Slow clients by the thousand: half-sent heads, stalled bodies, stalled downloads."""

import contextlib
import resource
import select
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.torture.setting import Row, Server, new_key

ADDRESSES = 40  # of the loopback network: no client gets near the bound of one address
AT_ONCE = 100
GET = b"GET %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n\r\n"
LIST = GET % b"/v1/milestones?limit=200&include=projects,agreements"
READS = 60  # of each kind, when all are there


def slow_clients(url: str, count: int, deadlines: tuple[float, float] = (10.0, 20.0), limit: int = 20) -> list[Row]:
    """So many of each kind at a time: health and reads go on as before, and the deadlines end them.

    `most`: how many times as long as idle they may take.
    """
    head_deadline, stall_deadline = deadlines
    key = new_key(url, "records:write")["Authorization"].encode()
    put = b"PUT /v1/partners/x HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Type: application/json\r\n" % key
    kinds = {
        "half-sent heads": (b"GET /v1 HTTP/1.1\r\nHost: x\r\nX-Slow: ", head_deadline),
        "stalled bodies": (put + b'Content-Length: 100000\r\n\r\n{"name": ', stall_deadline),
        "stalled downloads": (LIST * 30, stall_deadline),
    }
    _allow_files(count + 500)
    with Server(url, head_deadline=head_deadline, stall_deadline=stall_deadline) as server:
        return [_row(server, f"{count} {name}", count, limit, *kind) for name, kind in kinds.items()]


def _row(server: Server, name: str, count: int, slowest: int, sent: bytes, deadline: float) -> Row:
    idle = {kind: statistics.median(ask(server) for _ in range(READS)) for kind, ask in ASKS.items()}
    memory, files = server.memory(), _files(server)
    with _held(server, count, sent) as arriving:
        _wait(lambda: _files(server) - files > count * 0.95, deadline / 4)  # on a busy machine the last come late
        most = _files(server) - files
        took = {kind: sorted(ask(server) / idle[kind] for _ in range(READS)) for kind, ask in ASKS.items()}
        gone = _wait(lambda: _files(server) - files < count // 100 + 5, deadline + 30)
    figures: dict[str, object] = {"held at a time": most, "all gone after, s": round(gone, 1)}
    row = Row(name, figures)
    for kind, each in took.items():
        usual, late = statistics.median(each), each[int(READS * 0.95)]
        figures[f"{kind}, × idle"] = f"{usual:.1f} (95 %: {late:.1f})"
        row.need(usual <= slowest, f"{kind} took {usual:.0f} times as long as idle")
    figures["health while they come, s"] = f"{statistics.median(arriving):.3f} (worst {max(arriving):.3f})"
    figures["MB more"] = server.memory("VmHWM") - memory
    patience = min(slowest / 4, 30)  # seconds; a client of its own gives up after 60
    row.need(max(arriving) < patience, f"health took over {patience:g} s while they came")
    row.need(most > count * 0.9, "not all of them were there at a time")
    row.need(gone < deadline + 30, f"{_files(server) - files} are still there")
    row.need(_ready(server) < patience, "it does not answer afterwards")
    return row


@contextlib.contextmanager
def _held(server: Server, count: int, sent: bytes) -> Iterator[list[float]]:
    """Hold so many connections; yields how long health took while they came."""
    took: list[float] = []
    with contextlib.ExitStack() as stack:
        for number in range(count):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.bind((f"127.0.1.{number % ADDRESSES + 1}", 0))
            connection.connect(("127.0.0.1", server.port))
            connection.setblocking(False)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                connection.send(sent)
            if number % AT_ONCE == 0:
                took.append(_health(server))
        yield took


def _seconds(server: Server, path: bytes) -> float:
    """How long a new client waits for an answer."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(GET % path)
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
    return time.perf_counter() - began


def _health(server: Server) -> float:
    return _seconds(server, b"/livez")


def _ready(server: Server) -> float:
    return _seconds(server, b"/readyz")


def _read(server: Server) -> float:
    return _seconds(server, b"/v1/projects?q=%d" % time.time_ns())


ASKS = {"health": _health, "reads": _read}


def _files(server: Server) -> int:
    return sum(1 for _ in Path(f"/proc/{server.process.pid}/fd").iterdir())


def _wait(done: Callable[[], bool], seconds: float) -> float:
    began = time.monotonic()
    while not done() and time.monotonic() - began < seconds:
        select.select([], [], [], 0.1)
    return time.monotonic() - began


def _allow_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
