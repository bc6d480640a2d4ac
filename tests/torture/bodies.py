"""Bodies that nobody should send, to every route that takes one: refused in bounded memory, and nothing is written."""

import contextlib
import gzip
import http.client
import json
from collections.abc import Iterable, Iterator

from sqlmodel import SQLModel

from app.core.database.engine import Database
from app.core.settings import Settings
from app.main import assemble
from tests.torture.setting import Row, Server, new_key

Body = bytes | Iterable[bytes]
MOST = 60  # megabytes that the server may grow by


def hostile_bodies(url: str, megabytes: int, *words: str) -> Row:
    """Every hostile body to every write route, or those with these words; `megabytes`: of those that are too large."""
    key = new_key(url, "records:write", "keys", "webhooks")
    before, row, count, files = _rows(url), Row("hostile bodies", {}), 0, list[str]()
    with Server(url) as server:
        memory = server.memory()
        for method, path, media_type in _routes(words):
            for name, headers, body in _bodies(media_type, megabytes):
                count += 1
                said = _asked(server, method, path, {**key, "If-Match": "*", **headers}, body)
                if said and said[0] == 202:
                    files.append(_id_of(said[2]))
                    continue
                row.need(said is None or _is_refused(*said), f"{method} {path}, {name}: {said}")
        for each in files:
            ended = _asked(server, "GET", f"/v1/imports/{each}?wait=30", key, b"")
            row.need(bool(ended) and _is_left_out(ended[2]), f"a file that was taken: {ended}")  # type: ignore[index]
        grown = server.memory("VmHWM") - memory
        row.need(_asked(server, "GET", "/readyz", {}, b"") is not None, "it does not answer afterwards")
        row.need("Traceback" not in server.said(), "it logged an error")
    row.figures = {
        "requests": count,
        "files taken and refused line by line": len(files),
        "each too large by, MB": megabytes,
        "MB more": grown,
    }
    row.need(grown <= MOST, f"it grew by {grown} MB")
    row.need(_rows(url) == before, "something was written")
    return row


def _routes(words: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Method, path and media type of everything that takes a body."""
    contract = assemble(Settings.model_construct())[0].openapi()
    for path, methods in contract["paths"].items():
        for method, operation in methods.items():
            if "requestBody" in operation and (not words or any(word in path for word in words)):
                whole = "/".join("probe" if part.startswith("{") else part for part in path.split("/"))
                yield method.upper(), whole, next(iter(operation["requestBody"]["content"]))


def _bodies(media_type: str, megabytes: int) -> Iterator[tuple[str, dict[str, str], Body]]:
    kind = {"Content-Type": media_type}
    for name, body in {
        "100,000 deep": b"[" * 100_000,
        "deep and closed": b'{"name":' * 100_000 + b"1" + b"}" * 100_000,
        "NaN": b'{"value": NaN}',
        "2^63": b'{"value": 9223372036854775808}',
        "many digits": b'{"value": ' + b"9" * 100_000 + b"}",
        "NUL": b'{"name": {"en": "a\\u0000"}}',
        "raw NUL": b'{"name": {"en": "a\x00"}}',
        "a lone surrogate": b'{"name": {"en": "\\ud800"}}',
        "a surrogate as name": b'{"\\ud800": 1}',
        "surrogates in UTF-8": b'{"name": {"en": "\xed\xa0\x80"}}',
        "many members": json.dumps({f"m{number}": 1 for number in range(90_000)}).encode(),
        "a long list": b'{"citations": [' + b",".join([b"{}"] * 300_000) + b"]}",
        "nothing": b"",
    }.items():
        yield name, kind, body
    bomb = gzip.compress(b" " * megabytes * 1_000_000)
    for coding in ("gzip", "br", "deflate", "identity, gzip"):
        yield f"a bomb ({coding})", {**kind, "Content-Encoding": coding}, bomb
    yield "too large, declared", {**kind, "Content-Length": str(megabytes * 1_000_000)}, b" " * 100_000
    yield "far too large, declared", {**kind, "Content-Length": "9" * 30}, b" "
    yield "too large, streamed", kind, (b" " * 100_000 for _ in range(megabytes * 10))


def _asked(
    server: Server, method: str, path: str, headers: dict[str, str], body: Body
) -> tuple[int, str, bytes] | None:
    """Status, media type and start of the answer; None when the server cut the connection before it was read."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        with contextlib.suppress(ConnectionError):  # it may answer, and cut, before it has everything
            connection.request(method, path, body, headers, encode_chunked="Content-Length" not in headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read()[:600]
    except (ConnectionError, http.client.BadStatusLine):
        return None
    finally:
        connection.close()


def _is_refused(status: int, media_type: str, said: bytes) -> bool:
    return 400 <= status < 500 and media_type == "application/problem+json"


def _id_of(answer: bytes) -> str:
    """The id of an import; its answer may be cut."""
    return answer.decode().partition('"id":"')[2].partition('"')[0]


def _is_left_out(answer: bytes) -> bool:
    """Whether a file that was taken has ended, and no line of it has written anything."""
    return any(f'"status":"{end}"'.encode() in answer for end in ("refused", "done")) and (
        b'"created":0,"updated":0,' in answer
    )


def _rows(url: str) -> dict[str, int]:
    """How many rows each table has, but those that tell of files and of their lines."""
    with Database(url) as database, database.engine.connect() as connection:
        return {
            table.name: connection.exec_driver_sql(f"SELECT count(*) FROM {table.name}").scalar_one()
            for table in SQLModel.metadata.tables.values()
            if not table.name.startswith("import")
        }
