"""Compression: the bytes are the same, large bodies leave the event loop, and what waits has a bound."""

import asyncio
import gzip
import os
import threading
import time
from typing import Any

import brotli
import pytest
import zstandard
from starlette.types import Message, Receive, Scope, Send

from app.core.asgi import compression
from app.core.asgi.compression import INLINE_SIZE, MAX_WAITING_CLIENT, Compression
from app.core.request_cost import COST, RequestCost

DECODE: dict[str, Any] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


class Sending:
    """An application that sends these parts."""

    def __init__(self, *parts: bytes, **headers: str) -> None:
        self.parts = parts
        self.headers = {"content-type": "application/json", **headers}

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number, part in enumerate(self.parts, 1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(self.parts)})


async def received(app: Compression, coding: str) -> tuple[int, dict[bytes, bytes], bytes]:
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "coding": coding, "client": ("192.0.2.1", 1)}
    await app(scope, receive, send)
    assert [message["type"] for message in messages].count("http.response.start") == 1
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return messages[0]["status"], dict(messages[0]["headers"]), body


@pytest.mark.parametrize("coding", DECODE)
@pytest.mark.parametrize("parts", [[b"a" * 600], [b"a" * 2 * INLINE_SIZE], [b"a" * 10, b"b" * 70_000, b""]])
def test_a_body_is_the_same_when_decoded(coding: str, parts: list[bytes]) -> None:
    _, headers, body = asyncio.run(received(Compression(Sending(*parts, vary="Origin")), coding))
    assert DECODE[coding](body) == b"".join(parts)
    assert headers[b"content-encoding"] == coding.encode()
    assert headers[b"vary"] == b"Origin, Accept-Encoding"
    assert headers.get(b"content-length", b"%d" % len(body)) == b"%d" % len(body)


@pytest.mark.parametrize(
    "app",
    [
        Sending(b"a" * 400),
        Sending(b"a" * 600, content_type="image/png"),
        Sending(b"a" * 600, content_encoding="br"),
        Sending(b"a" * 600, content_range="bytes 0-599/1200"),
    ],
)
def test_some_bodies_are_sent_as_they_are(app: Sending) -> None:
    assert asyncio.run(received(Compression(app), "gzip"))[2] == app.parts[0]


def test_a_large_body_does_not_hold_up_the_event_loop() -> None:
    async def longest_pause() -> float:
        app = Compression(Sending(os.urandom(7_500_000).hex().encode()))
        task = asyncio.ensure_future(received(app, "gzip"))
        longest = 0.0
        while not task.done():
            began = time.monotonic()
            await asyncio.sleep(0.001)
            longest = max(longest, time.monotonic() - began)
        return longest

    assert asyncio.run(longest_pause()) < 0.25  # to compress it takes over half a second


def test_parts_of_a_body_do_not_hold_up_the_event_loop_and_count(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()

    class Encoder(compression.BrotliEncoder):
        def __init__(self) -> None:
            super().__init__()
            self._encode = self.compress
            self.compress = self._note_thread

        def _note_thread(self, part: bytes) -> bytes:
            threads.add(threading.get_ident())
            return self._encode(part)

    monkeypatch.setitem(compression.CODINGS, "br", compression.CODINGS["br"]._replace(encoder=Encoder))
    cost = RequestCost()
    COST.set(cost)
    parts = [os.urandom(32_768).hex().encode() for _ in range(20)]
    _, _, body = asyncio.run(received(Compression(Sending(*parts)), "br"))
    assert brotli.decompress(body) == b"".join(parts)
    assert threading.get_ident() not in threads
    assert cost.seconds > 0


def test_what_one_client_has_to_compress_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    slow = compression.Coding(lambda body: (release.wait(20), body)[1], lambda: None)
    monkeypatch.setitem(compression.CODINGS, "gzip", slow)

    async def ask() -> list[int]:
        app = Compression(Sending(b"a" * (MAX_WAITING_CLIENT // 4)))
        tasks = [asyncio.ensure_future(received(app, "gzip")) for _ in range(6)]
        await asyncio.sleep(0.2)
        release.set()
        return sorted([(await task)[0] for task in tasks])

    assert asyncio.run(ask()) == [200] * 4 + [503] * 2


def test_other_clients_do_not_wait_for_all_bodies_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients take turns. With a single thread, the order does not depend on the operating system."""
    monkeypatch.setattr(compression, "THREADS", 1)
    body = os.urandom(INLINE_SIZE + 1)
    order: list[str] = []

    async def main() -> None:
        app = Compression(Sending())
        ended = threading.Event()

        async def work(client: str) -> None:
            await app.run(lambda part: part if ended.wait(60) else b"", body, client)
            order.append(client)

        crowd = [asyncio.ensure_future(work("one")) for _ in range(20)]
        others = [asyncio.ensure_future(work(f"other {number}")) for number in range(3)]
        for _ in range(10):  # rounds of the event loop, until all of them wait
            await asyncio.sleep(0)
        ended.set()
        await asyncio.gather(*crowd, *others)

    asyncio.run(main())
    assert {"other 0", "other 1", "other 2"} <= set(order[:10])


def test_one_client_uses_one_thread_at_a_time() -> None:
    body = os.urandom(INLINE_SIZE + 1)
    running: list[int] = []
    most: list[int] = []

    def compress(part: bytes) -> bytes:
        running.append(1)
        time.sleep(0.01)
        most.append(len(running))
        running.pop()
        return part

    async def main() -> None:
        app = Compression(Sending())
        await asyncio.gather(*(app.run(compress, body, "one") for _ in range(5)))

    asyncio.run(main())
    assert most == [1] * 5
