"""The protocol of one connection: its deadlines, and the parts of HTTP/1.1 that uvicorn does not implement.

A connection waits for the head of a request, receives a body, or sends a response. There are deadlines for waiting, for
receiving, and for a response that the client does not read; there is none for the time that the application needs.
"""

import asyncio
import time
from typing import Any

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.core.access.clients import network_of
from app.server.connections import Connections
from app.server.exchange import Exchange
from app.server.not_http import refuse

log = structlog.get_logger("hoptac.access")

MIN_BYTES_PER_SECOND = 1_000
MAX_HEAD = 65_536  # bytes of a head, and of the framing between two chunks of a body
MAX_HEADERS = 16_384  # bytes of the names and values of all headers
MAX_LINES = 100  # lines of headers
MAX_ESCAPED = 8_192  # bytes of a path with escapes, which take long to decode; the application limits any path
MAX_PIECES = 1_000  # pieces of a body, and one more for each MIN_PIECE bytes: each piece costs time
MIN_PIECE = 16
MAX_IGNORED = 4_000_000  # bytes that are read after the response to a request whose body is not complete
LINGER = 2.0  # seconds for which they are read: a connection that is closed at once can lose its response
PARSED = 16_384  # bytes that are parsed before the time of the client is checked again
MAX_PIPELINED = 32  # requests of a connection that wait for the one before them
MAX_PIPELINED_LINES = 200  # lines of their headers together: each takes some hundred bytes, however short it is
NEVER = float("inf")
OFFERS = (b"upgrade", b"http2-settings")  # headers, and options of the header Connection


class Connection(HttpToolsProtocol):
    """uvicorn's httptools protocol, with deadlines and with parts of RFC 9110 and RFC 9112 that it does not implement.

    A client that has closed its side gets its response. The next request is answered when the last response was read.
    """

    def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        self.shared: Connections = config.connections
        self._network = ""
        self._head_until = NEVER  # deadline of the head that is being received
        self._body_until = NEVER  # deadline of the body that is being received
        self._sent_until = NEVER  # deadline of the response that the client has to read
        self._unsent = 0  # bytes of this response
        self._is_full = False  # more requests have arrived at once than a connection keeps
        self._is_in_head = False  # a head is being received; what comes after a body are trailers
        self._pieces = 0  # pieces of the body that is being received
        self._body_size = 0  # bytes of this body
        self._received = b""  # bytes that wait to be parsed
        self._is_lingering = False  # nothing is parsed any more after a response before the end of the body
        self._ignored = 0  # bytes that have arrived since
        self._size = 0  # bytes of the headers of the head that is being received
        self._unparsed = 0  # bytes received since the last complete head, chunk of a body, or message
        self._offer = b""  # head of a request that offers another protocol, without the offer
        self._running: RequestResponseCycle | None = None
        self._deferred: tuple[RequestResponseCycle, Any] | None = None  # waits until the client has read
        self.sending = 0  # bytes of the body that is being sent
        self.is_half_closed = False  # the client sends nothing more

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        self._network = network_of(address)
        if self.shared.admit(self, self._network, address):
            self._head_until = time.monotonic() + self.shared.head_deadline
            self.shared.waiting[self] = None
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._deferred = None
        self._received = b""
        self.pipeline.clear()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True  # uvicorn notifies only the request that arrived last
            self._running.message_event.set()
        self.shared.leave(self, self._network)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection open while a request that has arrived is not answered."""
        if self.cycle is None or self.cycle.response_complete or self._body_until != NEVER:
            return False
        self.is_half_closed = True
        self._head_until = NEVER
        self.cycle.keep_alive = False
        if self._running is not None:
            self._running.message_event.set()
        return True

    def data_received(self, data: bytes) -> None:
        if self._is_lingering:
            self._ignored += len(data)
            if self._ignored > MAX_IGNORED:
                self.abort()
            return
        if self._head_until == NEVER and self in self.shared.waiting:  # blank lines count too: they start no message
            self._head_until = time.monotonic() + self.shared.head_deadline
        if self._is_full:
            return
        self._unset_keepalive_if_required()
        is_waiting = bool(self._received)
        self._received += data
        if is_waiting:
            self.transport.pause_reading()
        elif self.shared.parsing.is_waiting(self._network):
            self.wait_to_parse()
        else:
            self.parse()

    def parse(self) -> None:
        """Parse what has been received, as far as the client has time in this round of the event loop."""
        data = self._received
        start = 0
        while start < len(data) and self.shared.parsing.may_parse(self._network) and not self.transport.is_closing():
            began = time.perf_counter()
            self._feed(data[start : start + PARSED] if len(data) > PARSED else data)
            start += PARSED
            self.shared.parsing.spend(self._network, began)
        self._received = b"" if self.transport.is_closing() else data[start:]
        if self._received:
            self.wait_to_parse()
        elif not self.flow.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def wait_to_parse(self) -> None:
        """Continue to parse in a later round. Until then nothing is received."""
        if self.transport.is_closing():
            return
        self.transport.pause_reading()
        if not self.shared.parsing.wait(self._network, self, len(self._received)):
            self.abort()

    def _feed(self, data: bytes) -> None:
        self._unparsed += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            self._parse_again(memoryview(data)[stop.args[0] :])
        except httptools.HttpParserError:
            self._refuse()
        if self._unparsed > MAX_HEAD and not self._is_full and not self.transport.is_closing():
            self._refuse()
        elif self._body_until != NEVER:
            self._mark_slow()

    def _parse_again(self, rest: memoryview) -> None:
        """Parse a request with an offer again, without the offer, and then the rest of the data.

        The parser stops after the head of such a request, so a new one is needed.
        """
        try:
            while self._offer:
                head = self._offer
                self._offer = b""
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
                self.parser.feed_data(head)
                try:
                    self.parser.feed_data(rest)
                except httptools.HttpParserUpgrade as stop:
                    rest = rest[stop.args[0] :]
        except httptools.HttpParserError:
            self._refuse()

    def _refuse(self) -> None:
        """Respond to bytes that are not valid HTTP."""
        if self.transport.is_closing():
            return
        if self._is_full:  # the connection ends with the response to the last request that it keeps
            self._head_until = NEVER
            self.cycle.keep_alive = False
            return
        if self._running is not None and self._running.response_started and not self._running.response_complete:
            self.abort_soon()  # an answer now would become a part of the response that is being sent
            return
        if self.shared.logs_malformed and self.shared.refusals.admits(self._network):
            log.info("malformed", status=400, client=self.client[0] if self.client else "")
        refuse(self.transport)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True
        self._size = 0
        self._pieces = 0
        self._body_size = 0
        if self._head_until == NEVER:
            self._head_until = time.monotonic() + self.shared.head_deadline

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_head:
            # Spaces after a value are no part of it (RFC 9110, 5.5). Trailers must not become headers (6.5.1).
            super().on_header(name, value.rstrip(b" \t"))
        self._size += len(name) + len(value) if self._is_in_head else MAX_HEADERS // MAX_LINES
        if self._size > MAX_HEADERS or len(self.headers) > MAX_LINES:
            raise ValueError("The headers are too large.")  # the parser turns it into an error of its own

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        if len(self.url) > MAX_ESCAPED and len(self.url.partition(b"?")[0]) > MAX_ESCAPED and b"%" in self.url:
            raise ValueError("The path is too long.")
        lines = sum([len(list(cycle.scope["headers"])) for cycle, _ in self.pipeline], len(self.headers))
        if len(self.pipeline) >= MAX_PIPELINED or lines > MAX_PIPELINED_LINES:
            self._is_full = True
            raise ValueError("Too many requests are waiting on this connection.")
        self._unparsed = 0
        self._head_until = NEVER
        is_offer = self.parser.should_upgrade()
        if is_offer and self.parser.get_method() != b"CONNECT":
            self._offer = self._head_without_offer()
            return
        self._body_until = time.monotonic() + self.shared.stall_deadline
        self.shared.waiting.pop(self, None)
        super().on_headers_complete()
        if is_offer:
            self.cycle.keep_alive = False  # the client may send anything after CONNECT

    def _head_without_offer(self) -> bytes:
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        for name, value in self.headers:
            if name == b"connection":
                options = [option.strip() for option in value.split(b",")]
                remaining = b", ".join(option for option in options if option.lower() not in OFFERS)
                lines.append(b"connection: " + remaining)
            elif name not in OFFERS:
                lines.append(b"%s: %s" % (name, value))
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        self._pieces += 1
        self._body_size += len(body)
        if self._pieces > MAX_PIECES + self._body_size // MIN_PIECE:
            raise ValueError("The pieces of the body are too small.")
        until = self._body_until + len(body) / MIN_BYTES_PER_SECOND
        self._body_until = min(until, time.monotonic() + self.shared.stall_deadline)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unparsed = 0
        if self._offer:
            return
        self._body_until = NEVER
        self._unmark_slow()
        super().on_message_complete()
        self._wait()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Start to process a request as soon as the client has read the previous response."""
        if self.flow.write_paused:
            self._deferred = (cycle, app)
            return
        self._running = cycle
        cycle.__class__ = Exchange  # uvicorn has no setting for the class, and a wrapper would cost more
        cycle.connection = self  # type: ignore[attr-defined]
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._running is not None and self._running.more_body and not self.transport.is_closing():
            self._linger()
        elif isinstance(self._running, Exchange) and self._running.says_close:
            self.transport.close()  # the body has become complete while the response was sent
        self._wait()

    def _linger(self) -> None:
        """End a connection whose client is still sending a body that is not needed. The body is not parsed."""
        self._is_lingering = True
        self._ignored = 0
        self._received = b""
        self._head_until = NEVER
        self._body_until = time.monotonic() + LINGER
        self.shared.slow.pop(self, None)
        self.shared.waiting[self] = None
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._mark_slow()
        self.note_unsent()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._sent_until = NEVER
        self._unmark_slow()
        if not self.sending:
            self.shared.unsent.forget(self)
        if self._deferred is not None:
            cycle, app = self._deferred
            self._deferred = None
            self._start_asgi_task(cycle, app)

    def note_unsent(self) -> None:
        """Count the bytes of this response in memory, for each connection of a proxy alone: it has many clients."""
        address = self.client[0] if self.client else ""
        client = str(id(self)) if self.shared.is_proxy(address) else self._network
        self.shared.unsent.note(self, client, self.sending or self.transport.get_write_buffer_size())

    def _mark_slow(self) -> None:
        """Note progress of a body or a response that is not complete."""
        self.shared.slow[self] = time.monotonic()
        self.shared.slow.move_to_end(self)

    def _unmark_slow(self) -> None:
        if self._body_until == NEVER and not self.flow.write_paused:
            self.shared.slow.pop(self, None)

    def _wait(self) -> None:
        """Note that the connection is between two requests. uvicorn closes it if that lasts too long."""
        if self.cycle.response_complete and self._body_until == NEVER and not self.pipeline:
            self.shared.waiting[self] = None

    def is_late(self, now: float) -> bool:
        """Return whether the client has missed a deadline."""
        if self.flow.read_paused or self._received:  # the server itself does not read now
            if self._head_until != NEVER:
                self._head_until = now + self.shared.head_deadline
            if self._body_until != NEVER:
                self._body_until = now + self.shared.stall_deadline
        return self._is_unsent(now) or now > min(self._head_until, self._body_until)

    def _is_unsent(self, now: float) -> bool:
        unsent = self.transport.get_write_buffer_size()
        if self.flow.write_paused:
            self.note_unsent()
        progress = max(0, self._unsent - unsent)
        self._unsent = unsent
        if not unsent:
            self._sent_until = NEVER
        elif self._sent_until == NEVER:
            self._sent_until = now + self.shared.stall_deadline
        else:
            until = self._sent_until + progress / MIN_BYTES_PER_SECOND
            self._sent_until = min(until, now + self.shared.stall_deadline)
        return now > self._sent_until

    def abort(self) -> None:
        """Close the connection at once. The application is notified of the disconnect."""
        self.transport.abort()

    def abort_soon(self) -> None:
        """Close the connection after the current callback, which may be writing to it."""
        self.loop.call_soon(self.abort)
