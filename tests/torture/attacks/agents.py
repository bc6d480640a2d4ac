"""Requests that are made of several reads: calls of the tools for agents, and pages. Also hostile JSON-RPC."""

import json
import random
import socket
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.torture.attacks.loads import crowd, go_on
from tests.torture.attacks.measuring import at_most, note, watched
from tests.torture.attacks.target import JSON, Client, Target
from tests.torture.setting import Row

MOST_MEMORY = 150.0  # megabytes
DESCRIPTORS = 20  # more than before, when calls that were broken off have ended
START = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":'
HOSTILE: Mapping[str, bytes] = {
    "levels": START + b'{"name":"find","arguments":' + b'{"a":' * 9_000 + b"1" + b"}" * 9_000 + b"}}",
    "open lists": b"[" * 3_000_000,
    "a batch": b"[" + b",".join([b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'] * 900) + b"]",
    "a long id": b'{"jsonrpc":"2.0","method":"tools/list","id":"%s"}' % (b"x" * 3_000_000),
    "a large id": b'{"jsonrpc":"2.0","method":"tools/list","id":%s}' % (b"9" * 40_000),
    "an infinite id": b'{"jsonrpc":"2.0","method":"tools/list","id":1e400}',
    "half a character": b'{"jsonrpc":"2.0","id":"\\ud800","method":"tools/list"}',
    "unknown names": START
    + b'{"name":"find","arguments":%s}}' % json.dumps(dict.fromkeys(map(str, range(4_000)))).encode(),
    "a long quotation": START + b'{"name":"verify_quotation","arguments":{"quotation":"%s"}}}' % (b"a " * 20_000),
    "no object": b"null",
}
PAGES = ("/projects?q=", "/partners/viet-nam?x=", "/search?q=cong+", "/timeline?x=", "/places/viet-nam?x=")
TOOLS = (("find", "query"), ("who_with_whom", "partner"), ("verify_quotation", "quotation"), ("compare", "project"))


def call_tool(client: Client, chance: random.Random) -> int:
    """A call of a tool with words that no cache has."""
    name, argument = chance.choice(TOOLS)
    value = chance.choice(("viet-nam", "unido", f"cong nghiep xanh {chance.randint(1, 10**9)}"))
    return _post(client, _call(name, {argument: value}))


def read_page(client: Client, chance: random.Random) -> int:
    """A page that no cache has."""
    return client.get(f"{chance.choice(PAGES)}{chance.randint(1, 10**9)}").status


def tools_and_pages(target: Target, *, full: bool) -> Row:
    """Calls of tools and pages, each of several reads of the API; hostile calls, and calls that are broken off."""
    row, port = Row("tools and pages from one address", {}), target.server.port
    answers: Counter[str] = Counter()
    with target.client() as client:
        for name, body in HOSTILE.items():
            status = _post(client, body)
            answers[str(status)] += 1
            row.need(status < 500, f"{name} got {status}")
        row.need(_post(client, _call("find", {"query": "unido"})) == 200, "an honest call is not answered")
    before = _descriptors(target)
    for number in range(2_000 if full else 100):
        _break_off(port, number)
    with watched(target, row) as watch, crowd(target, *[call_tool, read_page] * (16 if full else 6)) as attackers:
        go_on(15 if full else 3, lambda: target.server.process.poll() is None)
    at_most(row, "memory, MB more", watch.memory_growth, MOST_MEMORY)
    until = time.monotonic() + 120
    while _descriptors(target) > before + DESCRIPTORS and time.monotonic() < until:
        time.sleep(0.2)
    at_most(row, "descriptors more", _descriptors(target) - before, DESCRIPTORS)
    note(row, hostile=dict(answers), answers=dict(sorted(attackers.statuses.items())))
    row.need(not attackers.unexpected(), f"answers {attackers.unexpected()}")
    return row


def _call(name: str, arguments: Mapping[str, Any]) -> bytes:
    return START + json.dumps({"name": name, "arguments": arguments}).encode() + b"}"


def _post(client: Client, body: bytes) -> int:
    return client.ask("POST", "/mcp", body, Content_Type=JSON, Accept=f"{JSON}, text/event-stream").status


def _break_off(port: int, number: int) -> None:
    """Send a call, and leave before its answer."""
    body = _call("find", {"query": f"broken off {number}"})
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nAccept: */*\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        time.sleep(number % 10 / 200)


def _descriptors(target: Target) -> int:
    return len(list(Path(f"/proc/{target.server.process.pid}/fd").iterdir()))
