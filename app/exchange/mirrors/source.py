"""The registry that a mirror follows, over HTTP: its feed, of which nothing is believed that is not verified."""

import ipaddress
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import httpx
from pydantic import BaseModel, Field, model_validator

from app import __version__
from app.changes.feed import PATH
from app.changes.routes import LAST_NUMBER, Proof
from app.core.log import PUBLIC_ACTION, SEALED, chain_entry, chain_value, digest, redacted_digest, redaction_actor
from app.core.model.fields import Instant
from app.core.model.resource import Id
from app.core.reading.parameters import MAX_ITEMS
from app.core.values.json import to_json
from app.core.values.text import clean

WAIT = 30  # seconds that the source is asked to wait for something

RETRY_SECONDS = 60.0  # seconds beyond that for its answer

LARGEST = 200_000_000  # bytes of a page

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds between attempts

FEW = 6  # attempts of who does not stay

PASSING = (429, 500, 502, 503, 504)  # what an answer says when another attempt may find another one

RECORD = ',"record":'


class NotMirrored(Exception):
    """The mirror cannot go on; the message says why and what to do."""


class SourceChange(BaseModel):
    """A Change as the feed tells it with proof; `text` is its record, byte for byte."""

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
    def _is_whole(self) -> "SourceChange":
        proof = self.proof
        told = (self.action, self.at, self.text, proof.action, proof.digest)
        if self.is_sealed != (proof.entry is not None) or (not self.is_sealed and None in told):
            raise ValueError("is neither told nor sealed")
        for text in filter(None, (self.actor, proof.reason)):
            clean(text)
        return self

    @property
    def is_sealed(self) -> bool:
        """Whether it is a draft's, of which nothing is told."""
        return self.resource == SEALED

    @property
    def key(self) -> tuple[str, str]:
        """Which record it is about."""
        return self.resource, self.id

    @property
    def body(self) -> str | None:
        """The representation of the Change itself, if it was told."""
        return None if self.proof.withheld else self.text

    @property
    def redacts(self) -> bool:
        """Whether it took text down from the record, gone or not."""
        return self.proof.digests is not None

    @property
    def digests(self) -> str:
        """The log of a redaction, as it is stored."""
        return to_json(self.proof.digests or []).decode()

    def verify(self, sequence: int, chain: str) -> None:
        """NotMirrored unless this is what follows the Change with this number and chain value."""
        said = self.proof
        if self.sequence != sequence + 1:
            raise NotMirrored(f"Change {sequence + 1} is missing: after {sequence} the source tells {self.sequence}.")
        sealed = said.entry or chain_entry(
            str(self.at), self.actor, str(said.action), self.resource, self.id, self.version, str(said.digest)
        )
        if chain_value(chain, self.sequence, sealed) != said.chain:
            raise NotMirrored(f"Change {self.sequence} is not what the chain says: the source's past was changed.")
        if self.redacts and self.actor != redaction_actor(self.digests):
            raise NotMirrored(f"The log of what Change {self.sequence} took down is not the one that was written.")
        if self.body is None or said.redacted is not None:
            return
        if digest(self.body.encode(), said.salt or "") != said.digest:
            raise NotMirrored(f"The record of Change {self.sequence} is not the one that was published.")

    def replaced(self) -> str:
        """What stands for its representation in the log of the redaction that took text from it."""
        return redacted_digest(self.sequence, str(self.body).encode(), self.proof.salt or "")

    def log(self) -> dict[str, Any]:
        """The log of a redaction, as a row of its table."""
        return {"change": self.sequence, "at": self.at, "reason": self.proof.reason or "", "digests": self.digests}

    def row(self, at: str) -> dict[str, Any]:
        """The Change as it is stored; a sealed one stands at the instant of the one before it."""
        said = self.proof
        return {
            "sequence": self.sequence,
            "at": self.at or at,
            "actor": self.actor,
            "action": said.action or "update",
            "resource": self.resource,
            "record_id": "" if self.is_sealed else self.id,
            "version": self.version,
            "shown": "redact" if self.redacts else self.action,
            "digest": said.entry or said.digest,
            "salt": said.salt,
            "redacted": said.redacted,
            "chain": said.chain,
            "body": self.body,
        }


@dataclass(frozen=True)
class SourcePage:
    """A page of the feed."""

    items: list[SourceChange]
    last: int

    @property
    def is_last(self) -> bool:
        """Whether nothing follows it, so that the transaction at its end is whole."""
        return not self.items or self.items[-1].sequence == self.last

    def transactions(self) -> list[list[SourceChange]]:
        """Its items by the instant of their transaction; sealed ones, which have none, go with those before them."""
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
        """From JSON; the text of each record stays as it is. ValueError when it is no page of a feed."""
        page, items = json.loads(text), []
        for item, start, end in _pieces(text):
            place = text.find(RECORD, start, end)
            cut = None if place < 0 else text[place + len(RECORD) : end - 1]
            items.append(SourceChange.model_validate({**item, "text": cut}))
        return cls(items, int(page["last"]))


def _pieces(text: str) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Each item with the place of its text."""
    decoder, place = json.JSONDecoder(), text.index("[") + 1
    while text[place] != "]":
        item, end = decoder.raw_decode(text, place)
        yield item, place, end
        place = end + (text[end] == ",")


@dataclass
class Source:
    """Asks again, ever more rarely, while the source or the way to it is disturbed; `stays`: for ever."""

    client: httpx.Client
    retries_forever: bool = True
    pause: Callable[[float], None] = field(default=time.sleep)

    def read_after(self, sequence: int, chain: str, wait: int = 0) -> SourcePage:
        """What follows this Change, as soon as there is something, or after so many seconds."""
        known = {"chain": chain} if chain else {}
        return self._page({"after": sequence, **known, "limit": MAX_ITEMS, "proof": "true", "wait": wait})

    def read_record(self, resource: str, record_id: str) -> Iterator[SourceChange]:
        """Every Change of a record that is public, as the source has it now."""
        asked: dict[str, Any] = {"record": f"{resource}/{record_id}", "limit": MAX_ITEMS, "proof": "true"}
        page = self._page({"after": 0, **asked})
        while page.items:
            yield from page.items
            page = self._page({"after": page.items[-1].sequence, **asked})

    def _page(self, query: dict[str, Any]) -> SourcePage:
        try:
            page = SourcePage.read(self._text(query))
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
            raise NotMirrored("The source does not answer with a feed that this program knows.") from error
        numbers = [query["after"], *(item.sequence for item in page.items)]
        if numbers != sorted(set(numbers)):
            raise NotMirrored("The source does not tell its Changes in order.")
        return page

    def _text(self, query: dict[str, Any]) -> str:
        pause, attempts = FIRST_PAUSE, 0
        while True:
            why, least = "", 0.0
            try:
                with self.client.stream("GET", PATH, params=query) as answer:
                    if answer.status_code == 200:
                        return _bounded(answer).decode()
                    why = f"it answers {answer.status_code}"
                    if answer.status_code not in PASSING:
                        raise NotMirrored(_rejection(answer.status_code))
                    least = _seconds(answer.headers.get("retry-after", ""))
            except httpx.HTTPError as error:
                why = str(error) or type(error).__name__
            attempts += 1
            if not self.retries_forever and attempts == FEW:
                raise NotMirrored(f"The source cannot be read: {why}.")
            self.pause(max(least, pause * random.uniform(0.5, 1)))
            pause = min(pause * 2, LONGEST_PAUSE)


def _bounded(answer: httpx.Response) -> bytes:
    body = bytearray()
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > LARGEST:
            raise NotMirrored("The source answers with more than a page can have.")
    return bytes(body)


def _seconds(text: str) -> float:
    return min(float(text), LONGEST_PAUSE) if text.isascii() and text.isdigit() else 0.0


def _rejection(status: int) -> str:
    if status == 409:
        return (
            "The source does not have the last Change of this mirror: it was restored to an earlier state, or is "
            "another registry. Mirror it into a new database."
        )
    return f"The source refuses with {status}: is this the address of a registry?"


def client_of(url: str, *, insecure: bool = False) -> httpx.Client:
    """A client for the registry at this address; ValueError unless it is https, or on this machine, or `insecure`."""
    try:
        base = httpx.URL(url if "://" in url else f"https://{url}")
    except httpx.InvalidURL:
        raise ValueError("This is no URL: give the address of a registry, such as https://registry.example") from None
    if base.scheme not in ("https", "http") or not base.host:
        raise ValueError("Give the address of a registry, such as https://registry.example")
    if base.scheme == "http" and not insecure and not _is_local(base.host):
        raise ValueError("Over http anybody on the way can change what is told: use https, or say --insecure.")
    timeout = httpx.Timeout(WAIT + RETRY_SECONDS, connect=10)
    return httpx.Client(base_url=base, timeout=timeout, headers={"User-Agent": f"hoptac-mirror/{__version__}"})


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
