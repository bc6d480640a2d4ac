"""A source that lies to its mirror: responses that become large, and Changes whose records are none."""

import gzip
import json
import socket
import threading
import time
import tracemalloc
from contextlib import suppress
from typing import Any

import httpx
import pytest

from app.core.change_log import chain_entry, chain_value, digest
from app.core.database.engine import Database
from app.core.model.resource import RESOURCES
from app.core.writing.representation import accepted_fields, partners_of, render
from app.exchange.mirrors import source as sources
from app.exchange.mirrors.mirror import MirrorFollower
from app.exchange.mirrors.source import NotMirrored, Source
from tests.support.log import changes, verified
from tests.support.mirrors import streamed
from tests.support.records import PARTNER

AT = "2026-01-01T00:00:00.000000Z"
RECORD: dict[str, Any] = {**PARTNER, "managed_by": None}


def source_with(content: bytes, **headers: str) -> Source:
    """A source that answers everything with this, over httpx."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=headers, content=streamed(content))

    made = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="https://source.test")
    return Source(made, retries_forever=False, pause=lambda _: None)


def follow(copy: Database, source: Source) -> None:
    with source:
        MirrorFollower(copy, source).follow(once=True)


def representation(version: int, record_id: str = "forged", **members: Any) -> str:
    fields = accepted_fields(RESOURCES["partners"], json.dumps({**RECORD, **members}))
    return render(RESOURCES["partners"], record_id, fields, version, AT, AT).decode()


def feed(*bodies: str) -> bytes:
    """A page with a valid chain, of the Changes of one partner with these representations."""
    items = []
    chain = ""
    for number, body in enumerate(bodies, 1):
        action = "create" if number == 1 else "update"
        entry = chain_entry(AT, "seed", action, "partners", "forged", number, digest(body.encode(), "s"))
        chain = chain_value(chain, number, entry)
        proof: dict[str, Any] = {"action": action, "digest": digest(body.encode(), "s"), "salt": "s", "redacted": None}
        proof |= {"withheld": False, "entry": None, "chain": chain, "reason": None, "digests": None}
        change = {"sequence": number, "at": AT, "actor": "seed", "action": action, "resource": "partners"}
        head = json.dumps({**change, "id": "forged", "version": number, "proof": proof}, separators=(",", ":"))
        items.append(f'{head[:-1]},"record":{body}}}')
    return f'{{"items":[{",".join(items)}],"next":"","last":{len(bodies)}}}'.encode()


NO_RECORDS = {
    "no object": "[1]",
    "no number": '{"resource":"partners","id":"forged","state":"published","name":NaN}',
    "no state": '{"resource":"partners","id":"forged","name":{"en":"A"}}',
    "another type": '{"resource":"partners","id":"forged","state":"published","managed_by":{}}',
    "another id": representation(2, "unrelated"),
}


@pytest.mark.parametrize("what", NO_RECORDS)
def test_an_earlier_version_that_is_no_record_stops_the_mirror(
    copy: Database, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers of the history and of events would fail for ever. The check finds it in a copy that has it already."""
    page = feed(representation(1), NO_RECORDS[what], representation(3))
    with pytest.raises(NotMirrored, match="Change 2 is not a representation"):
        follow(copy, source_with(page))
    assert changes(copy) == []
    monkeypatch.setattr(sources, "is_representation", lambda *_: True)
    follow(copy, source_with(page))
    assert any("not one of this record" in problem for problem in verified(copy)[0])


def test_a_record_of_another_change_is_not_written(copy: Database) -> None:
    with pytest.raises(NotMirrored, match="Change 1 is not a representation"):
        follow(copy, source_with(feed(representation(1, "unrelated"))))


def test_nothing_but_a_record_concerns_a_partner() -> None:
    assert partners_of("partners", "forged", "[1]") is None


def test_a_compressed_page_is_bounded_before_it_is_decompressed(
    copy: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = feed(representation(1))
    follow(copy, source_with(gzip.compress(page), **{"content-encoding": "gzip"}))
    assert len(changes(copy)) == 1
    monkeypatch.setattr(sources, "MAX_RESPONSE_BYTES", 100_000)
    large = gzip.compress(bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(NotMirrored, match="larger than any page"):
            follow(copy, source_with(large, **{"content-encoding": "gzip"}))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    with pytest.raises(NotMirrored, match="not asked for"):
        follow(copy, source_with(page, **{"content-encoding": "br"}))
    for damaged in (b"no gzip", gzip.compress(page)[:-9]):
        with pytest.raises(NotMirrored, match="compressed response"):
            follow(copy, source_with(damaged, **{"content-encoding": "gzip"}))
    assert sources.client_of("registry.example").headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("sent_first", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"])
def test_a_source_that_sends_byte_by_byte_is_given_up(
    copy: Database, sent_first: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte ends a pause, so only a deadline for the whole request ends it: of its headers and of its body."""
    monkeypatch.setattr(sources, "MAX_SECONDS", 0.5)
    monkeypatch.setattr(sources, "MAX_ATTEMPTS", 1)

    def send(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.sendall(sent_first or b"HTTP/1.1 200 OK\r\nX: ")
            while True:
                connection.sendall(b" ")
                time.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: send(listener.accept()[0]), daemon=True).start()
        source = Source(sources.client_of(f"http://127.0.0.1:{listener.getsockname()[1]}"), retries_forever=False)
        with pytest.raises(NotMirrored, match="takes too long"):
            follow(copy, source)
