"""Sending an archive, or a range of its bytes (RFC 9110, sections 13 and 14)."""

import asyncio
import os
import re
import time
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from datetime import datetime
from email.utils import format_datetime
from typing import NamedTuple

from fastapi import Response

from app.core.errors import BadRange
from app.core.etags import matches_any
from app.exchange.archives.description import State
from app.exchange.archives.folder import ArchiveName, OpenArchive
from app.exchange.exports.sending import BrokenOff, StreamedFile

MEDIA_TYPE = "application/zip"
BLOCK = 65_536  # bytes that are read and sent at once. The slowest client that a server tolerates takes a minute
MAX_LATER = 3  # archives that a process sends beside a deleted one and that were opened later
TAG_LENGTH = 32  # characters of the SHA-256 in an ETag
STABLE_AFTER = 2.0  # seconds after which no other Change gets the time of a Change
_RANGE = re.compile(r"bytes=(?P<first>[0-9]{0,18})-(?P<last>[0-9]{0,18})")


class Span(NamedTuple):
    """A range of bytes: the first one, and the one after the last."""

    start: int
    end: int


class Downloads:
    """The archives that a process is sending.

    A deleted archive takes disk until it is sent. Slow clients could keep any number, so the oldest are given up.
    """

    def __init__(self) -> None:
        self._counts: Counter[ArchiveName] = Counter()  # how often each is sent, in the order of their first downloads

    @contextmanager
    def sending(self, archive: OpenArchive) -> Iterator[None]:
        """Count an archive while it is being sent."""
        self._counts[archive.name] += 1
        try:
            yield
        finally:
            self._counts[archive.name] -= 1
            if not self._counts[archive.name]:
                del self._counts[archive.name]

    def check(self, archive: OpenArchive) -> None:
        """Raise BrokenOff if an archive is deleted and too many later ones are being sent."""
        later = len(self._counts) - 1 - list(self._counts).index(archive.name)
        if later >= MAX_LATER and os.fstat(archive.file.fileno()).st_nlink == 0:
            raise BrokenOff("The archive was deleted, and its client reads slowly.")


def archive_response(
    archive: OpenArchive, state: State, headers: dict[str, str], caching: str, downloads: Downloads
) -> Response:
    """Return the response to a request with these headers. It closes the archive when it is sent."""
    tag = archive.name.sha256[:TAG_LENGTH]
    all_headers = {**_validators(archive, state, tag), "Cache-Control": caching}
    if matches_any(headers.get("if-none-match", ""), tag):
        archive.file.close()
        return Response(None, 304, all_headers)
    size = archive.size
    span = requested_span(headers, size, tag)
    if span is not None and span.start >= size:
        archive.file.close()
        raise BadRange(f"The file has {size} bytes.", headers={"Content-Range": f"bytes */{size}"})
    sent = span or Span(0, size)
    all_headers |= {
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(sent.end - sent.start),
        "Content-Disposition": f'attachment; filename="registry-{archive.name.sequence}.zip"',
    }
    if span is not None:
        all_headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    parts = _parts(archive, sent, downloads)
    return StreamedFile(all_headers, parts, archive.file.close, 200 if span is None else 206)


def requested_span(headers: dict[str, str], size: int, tag: str) -> Span | None:
    """Return the range that a request wants, or None if it wants the whole file.

    A server may ignore ranges. This one ignores several ranges, malformed ones, and those of an older file (If-Range).
    """
    match = _RANGE.fullmatch(headers.get("range", "").strip())
    if match is None or headers.get("if-range", f'"{tag}"').strip() != f'"{tag}"':
        return None
    if match["first"]:
        end = min(int(match["last"]) + 1, size) if match["last"] else size
        span = Span(int(match["first"]), end)
        return span if span.start < span.end or span.start >= size else None
    if not match["last"]:
        return None
    count = int(match["last"])  # of the last bytes
    return Span(max(size - count, 0), size) if count else Span(size, size)


def _validators(archive: OpenArchive, state: State, tag: str) -> dict[str, str]:
    digest = b64encode(bytes.fromhex(archive.name.sha256)).decode()
    headers = {"ETag": f'"{tag}"', "Accept-Ranges": "bytes", "Repr-Digest": f"sha-256=:{digest}:"}
    if state.at and archive.name.is_of(state):
        changed = datetime.fromisoformat(state.at)
        if time.time() - changed.timestamp() > STABLE_AFTER:  # or a later archive could have the same time
            headers["Last-Modified"] = format_datetime(changed.replace(microsecond=0), usegmt=True)
    return headers


async def _parts(archive: OpenArchive, span: Span, downloads: Downloads) -> AsyncGenerator[bytes, None]:
    """Yield the bytes. They are read in a thread; no connection to the database is open meanwhile."""
    position = span.start
    await asyncio.to_thread(archive.file.seek, position)
    with downloads.sending(archive):
        while position < span.end:
            downloads.check(archive)
            part = await asyncio.to_thread(archive.file.read, min(BLOCK, span.end - position))
            if not part:
                raise OSError("the archive is shorter than it was")
            position += len(part)
            yield part
