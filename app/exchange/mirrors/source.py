"""The source of a mirror, over HTTP: its change feed, of which every Change is verified before it is used."""

import asyncio
import ipaddress
import json
import random
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, Self

import httpx
from pydantic import BaseModel, Field, model_validator

from app import __version__
from app.changes.feed import PATH
from app.changes.routes import LAST_NUMBER, Proof
from app.core.change_log import (
    PUBLIC_ACTION,
    SEALED,
    chain_entry,
    chain_value,
    digest,
    redacted_digest,
    redaction_actor,
)
from app.core.model.fields import Instant
from app.core.model.resource import Id
from app.core.reading.parameters import MAX_ITEMS
from app.core.values.json import to_json
from app.core.values.text import clean
from app.core.writing.representation import is_representation

WAIT = 30  # seconds of a long poll
PAUSE_SECONDS = 60.0  # without a byte of the response, in addition to the long poll
MAX_SECONDS = 600.0  # for a request: the lookup of the name, the connection, and the whole response
MAX_RESPONSE_BYTES = 20_000_000  # decompressed; a page has 4 MB and one record. Parsed, it can take 30 times as much
GZIP = 31  # window bits that stand for this format
MIN_PAUSE = 0.5  # seconds before the second attempt
MAX_PAUSE = 60.0  # seconds between attempts
MAX_ATTEMPTS = 6  # of a source that does not retry forever
TEMPORARY = (429, 500, 502, 503, 504)  # statuses after which another attempt may succeed
RECORD = ',"record":'


class NotMirrored(Exception):
    """Raised when a mirror cannot continue; the message states the reason and what to do."""


class SourceChange(BaseModel):
    """A Change of the feed with its proof; `text` is the JSON of its record, byte for byte."""

    sequence: int = Field(ge=1, le=LAST_NUMBER)
    at: Instant | None = None
    actor: str = Field(default="", max_length=200)
    action: Annotated[str, PUBLIC_ACTION] | None = None
    resource: str = SEALED
    id: Id = "sealed"
    version: int = Field(default=0, ge=0, le=2**31 - 1)
    proof: Proof
    text: str | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> "SourceChange":
        proof = self.proof
        required = (self.action, self.at, self.text, proof.action, proof.digest)
        if self.is_sealed != (proof.entry is not None) or (not self.is_sealed and None in required):
            raise ValueError("is neither complete nor sealed")
        for text in filter(None, (self.actor, proof.reason)):
            clean(text)
        return self

    @property
    def is_sealed(self) -> bool:
        """Whether it belongs to a draft, so that the feed has only its proof."""
        return self.resource == SEALED

    @property
    def key(self) -> tuple[str, str]:
        """The resource and id of its record."""
        return self.resource, self.id

    @property
    def body(self) -> str | None:
        """The representation that this Change wrote, or None if it is a draft's."""
        return None if self.proof.withheld else self.text

    @property
    def redacts(self) -> bool:
        """Whether it is a redaction, also of a deleted record."""
        return self.proof.digests is not None

    @property
    def digests(self) -> str:
        """The digests that a redaction logged, as they are stored."""
        return to_json(self.proof.digests or []).decode()

    def verify(self, sequence: int, chain: str) -> None:
        """Raise NotMirrored unless this Change follows the one with this number and chain value."""
        proof = self.proof
        if self.sequence != sequence + 1:
            raise NotMirrored(f"Change {sequence + 1} is missing: {sequence} is followed by {self.sequence}.")
        entry = proof.entry or chain_entry(
            str(self.at), self.actor, str(proof.action), self.resource, self.id, self.version, str(proof.digest)
        )
        if chain_value(chain, self.sequence, entry) != proof.chain:
            raise NotMirrored(f"The chain value of Change {self.sequence} is wrong: the log of the source was altered.")
        if self.redacts and self.actor != redaction_actor(self.digests):
            raise NotMirrored(f"The log of the redaction in Change {self.sequence} is not the one that was written.")
        if self.body is None or proof.redacted is not None:
            return
        if digest(self.body.encode(), proof.salt or "") != proof.digest:
            raise NotMirrored(f"The record of Change {self.sequence} is not the one that was published.")

    def ensure_representation(self) -> None:
        """Raise NotMirrored if its record is not an object, or is another record: readers expect some members."""
        if self.body is not None and not is_representation(self.resource, self.id, self.body):
            raise NotMirrored(f"The record of Change {self.sequence} is not a representation of this record.")

    def redacted_digest(self) -> str:
        """Return the digest of its representation in the log of the redaction that wrote it."""
        return redacted_digest(self.sequence, str(self.body).encode(), self.proof.salt or "")

    def log(self) -> dict[str, Any]:
        """Return the log of a redaction as a row of its table."""
        return {"change": self.sequence, "at": self.at, "reason": self.proof.reason or "", "digests": self.digests}

    def row(self, at: str) -> dict[str, Any]:
        """Return the Change as a row of its table; a sealed one gets `at`, the time of the Change before it."""
        proof = self.proof
        return {
            "sequence": self.sequence,
            "at": self.at or at,
            "actor": self.actor,
            "action": proof.action or "update",
            "resource": self.resource,
            "record_id": "" if self.is_sealed else self.id,
            "version": self.version,
            "shown": "redact" if self.redacts else self.action,
            "digest": proof.entry or proof.digest,
            "salt": proof.salt,
            "redacted": proof.redacted,
            "chain": proof.chain,
            "body": self.body,
        }


@dataclass(frozen=True)
class SourcePage:
    """A page of the change feed."""

    items: list[SourceChange]
    last: int

    @property
    def is_last(self) -> bool:
        """Whether no Change follows it, so that its last transaction is complete."""
        return not self.items or self.items[-1].sequence == self.last

    def transactions(self) -> list[list[SourceChange]]:
        """Return its items by transaction. Sealed ones, which have no time, are added to the one before them."""
        runs: list[list[SourceChange]] = [[]]
        at: str | None = None
        for item in self.items:
            if item.at is not None and at is not None and item.at != at:
                runs.append([])
            at = item.at or at
            runs[-1].append(item)
        return runs

    @classmethod
    def read(cls, text: str) -> "SourcePage":
        """Read a page from JSON, with the text of each record as it is. Raise ValueError if it is not a page."""
        page = json.loads(text)
        items = []
        for item, start, end in _items(text):
            position = text.find(RECORD, start, end)
            record = None if position < 0 else text[position + len(RECORD) : end - 1]
            items.append(SourceChange.model_validate({**item, "text": record}))
        return cls(items, int(page["last"]))


def _items(text: str) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Yield each item of a page, with the start and end of its JSON in the text."""
    decoder = json.JSONDecoder()
    start = text.index("[") + 1
    while text[start] != "]":
        item, end = decoder.raw_decode(text, start)
        yield item, start, end
        start = end + 1 if text[end] == "," else end


def page_of(text: str) -> SourcePage:
    """Return the page of a change feed that a text contains. Raise NotMirrored if it contains none."""
    try:
        return SourcePage.read(text)
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise NotMirrored("The source is not a change feed that this program can read.") from error


class Response(NamedTuple):
    """A response of a source: its status, the seconds after which it wants the next request, and its body."""

    status: int
    retry_after: float
    body: bytes


@dataclass
class Source:
    """The client of a source, which repeats a request after growing pauses while the source cannot be reached.

    It is a context manager, which closes the client.
    """

    client: httpx.AsyncClient
    retries_forever: bool = True
    pause: Callable[[float], None] = field(default=time.sleep)
    report: Callable[[str], None] = field(default=lambda _: None)  # why a request failed, and when it is repeated
    _runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def __enter__(self) -> Self:
        """Return the source."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        with self._runner as runner:
            runner.run(self.client.aclose())

    def read_after(self, sequence: int, chain: str, wait: int = 0) -> SourcePage:
        """Return the page after this Change, as soon as it has an item or after `wait` seconds."""
        query: dict[str, Any] = {"after": sequence, "limit": MAX_ITEMS, "proof": "true", "wait": wait}
        if chain:
            query["chain"] = chain
        return self._page(query)

    def read_record(self, resource: str, record_id: str) -> Iterator[list[SourceChange]]:
        """Yield every public Change of a record, as the source has it now, in pages."""
        query: dict[str, Any] = {"record": f"{resource}/{record_id}", "limit": MAX_ITEMS, "proof": "true"}
        page = self._page({"after": 0, **query})
        while page.items:
            yield page.items
            page = self._page({"after": page.items[-1].sequence, **query})

    def _page(self, query: dict[str, Any]) -> SourcePage:
        page = page_of(self._text(query))
        numbers = [query["after"], *(item.sequence for item in page.items)]
        if numbers != sorted(set(numbers)):
            raise NotMirrored("The Changes of the source are not in order.")
        return page

    def _text(self, query: dict[str, Any]) -> str:
        pause = MIN_PAUSE
        attempts = 0
        while True:
            retry_after = 0.0
            try:
                response = self._runner.run(self._response(query))
                if response.status == 200:
                    return response.body.decode()
                if response.status not in TEMPORARY:
                    raise NotMirrored(_rejection(response.status))
                reason = f"its response has the status {response.status}"
                retry_after = response.retry_after
            except TimeoutError:
                reason = "the response takes too long"
            except httpx.HTTPError as error:
                reason = str(error) or type(error).__name__
            attempts += 1
            if not self.retries_forever and attempts == MAX_ATTEMPTS:
                raise NotMirrored(f"The source cannot be read: {reason}.")
            seconds = max(retry_after, pause * random.uniform(0.5, 1))
            self.report(f"The source cannot be read: {reason}. The next attempt is in {seconds:.1f} s.")
            self.pause(seconds)
            pause = min(pause * 2, MAX_PAUSE)

    async def _response(self, query: dict[str, Any]) -> Response:
        """Return the response. Raise TimeoutError if it is not complete in time, however the source slows it down."""
        async with asyncio.timeout(MAX_SECONDS), self.client.stream("GET", PATH, params=query) as response:
            body = await _read_body(response) if response.status_code == 200 else b""
            return Response(response.status_code, _seconds(response.headers.get("retry-after", "")), body)


async def _read_body(response: httpx.Response) -> bytes:
    """Return the decompressed body. No more of it is decompressed at once than a page may have.

    httpx would decompress a whole block of the network at once, of which a few bytes can become gigabytes.
    """
    coding = response.headers.get("content-encoding", "identity")
    if coding not in ("identity", "gzip"):
        raise NotMirrored("The response of the source has a content coding that was not asked for.")
    gzip = zlib.decompressobj(GZIP) if coding == "gzip" else None
    body = bytearray()
    async for part in response.aiter_raw():
        body += part if gzip is None else _decompressed(gzip, part, MAX_RESPONSE_BYTES + 1 - len(body))
        if len(body) > MAX_RESPONSE_BYTES:
            raise NotMirrored("The response of the source is larger than any page of a change feed.")
    if gzip is not None and not gzip.eof:
        raise httpx.RemoteProtocolError("the compressed response is incomplete")
    return bytes(body)


def _decompressed(gzip: Any, part: bytes, most_bytes: int) -> bytes:
    try:
        decompressed: bytes = gzip.decompress(part, most_bytes)
    except zlib.error:
        raise httpx.DecodingError("the compressed response is damaged") from None
    return decompressed


def _seconds(text: str) -> float:
    return min(float(text), MAX_PAUSE) if text.isascii() and text.isdigit() else 0.0


def _rejection(status: int) -> str:
    if status == 409:
        return (
            "The source does not have the last Change of this mirror: it was restored to an earlier state, or it is "
            "another registry. Mirror it into a new database."
        )
    return f"The source rejects the request with the status {status}. Is this the address of a registry?"


def client_of(url: str, *, insecure: bool = False) -> httpx.AsyncClient:
    """Return a client for the registry at this address.

    Raise ValueError unless the address uses https, is on this machine, or `insecure` is true.
    """
    try:
        base = httpx.URL(url if "://" in url else f"https://{url}")
    except httpx.InvalidURL:
        raise ValueError("This is not a URL. Use the address of a registry, such as https://registry.example") from None
    if base.scheme not in ("https", "http") or not base.host:
        raise ValueError("Use the address of a registry, such as https://registry.example")
    if base.scheme == "http" and not insecure and not _is_local(base.host):
        raise ValueError("Over http, anybody on the network can alter the responses. Use https, or add --insecure.")
    timeout = httpx.Timeout(WAIT + PAUSE_SECONDS, connect=10)
    headers = {"User-Agent": f"hoptac-mirror/{__version__}", "Accept-Encoding": "gzip"}
    return httpx.AsyncClient(base_url=base, timeout=timeout, headers=headers)


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
