"""One request and its response: uvicorn's class for them, with additions."""

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

if TYPE_CHECKING:
    from app.server.protocol import Connection

SLICE = 262_144  # bytes of a body that are written at once


class HeadBuffer:
    """Stands for the transport of an exchange from the head of the response to the first part of the body.

    Both are written together. Two messages to the system would take a tenth of the time of a small response.
    """

    def __init__(self, exchange: RequestResponseCycle) -> None:
        self._exchange = exchange
        self._transport = exchange.transport
        self._head = b""

    def write(self, data: bytes) -> None:
        """Keep the head; write it before the first part of the body."""
        if self._head:
            self._transport.write(self._head + data)
            self._exchange.transport = self._transport
        else:
            self._head = data

    def flush(self) -> None:
        """Write the head without a body."""
        self._transport.write(self._head)
        self._exchange.transport = self._transport

    def close(self) -> None:
        """Write the head and close the connection."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Return whether the connection is being closed."""
        return self._transport.is_closing()


class Exchange(RequestResponseCycle):
    """One request and its response.

    The head of a response whose length is known is sent with the first part of its body.
    A large body is written in slices, and all of it counts as unsent until the last slice is written. If a client
    closes its side after the request, the application gets one message that it has disconnected, with `half_closed`: a
    request that waits ends, and a response that is being sent goes on.
    """

    connection: "Connection"
    is_received = False
    says_half_closed = False  # the application knows that the client sends nothing more
    says_close = False  # a header of the response says that the connection is closed

    def send(self, message: Any) -> Any:
        if self.more_body and not self.response_complete:
            self._say_close(message)
        if len(message.get("body", b"")) > SLICE:
            return self._send_slices(message)
        if not self.response_started:
            if any(name == b"content-length" for name, _ in message.get("headers", ())):
                self.transport = HeadBuffer(self)  # type: ignore[assignment]
        elif isinstance(self.transport, HeadBuffer):
            return self._send_with_head(message)
        return RequestResponseCycle.send(self, message)

    async def _send_with_head(self, message: Any) -> None:
        """Send a part of a body, which may be empty, and the head before it."""
        await super().send(message)
        self._flush_head()

    def _flush_head(self) -> None:
        """Write the head if nothing came after it, because the method is HEAD."""
        if isinstance(self.transport, HeadBuffer):
            self.transport.flush()

    def _say_close(self, message: Any) -> None:
        """End the connection after a response that is sent before the body of the request is complete.

        uvicorn would close it at once, and the client could lose the response. `Connection` does it later.
        """
        if message["type"] == "http.response.start":
            self.says_close = True
            self.keep_alive = False
        elif not message.get("more_body", False):
            self.keep_alive = True

    async def _send_slices(self, message: Any) -> None:
        connection = self.connection
        body = message["body"]
        connection.sending = len(body)
        try:
            for start in range(0, len(body), SLICE):
                part = body[start : start + SLICE]
                more_body = message.get("more_body", False) or start + SLICE < len(body)
                await super().send({"type": "http.response.body", "body": part, "more_body": more_body})
        finally:
            self._flush_head()
            connection.sending = 0
            if connection.flow.write_paused:
                connection.note_unsent()
            else:
                connection.shared.unsent.forget(connection)

    async def receive(self) -> Any:
        if not self.is_received:
            message: Any = await super().receive()
            self.is_received = not message.get("more_body", False)
            return message
        if not self.connection.is_half_closed:
            message = await super().receive()
            if not self.connection.is_half_closed:
                return message
        if self.says_half_closed or self.disconnected:
            return await super().receive()
        self.says_half_closed = True
        return {"type": "http.disconnect", "half_closed": True}
