"""Raw connections to a server, for what no client library sends."""

import contextlib
import re
import socket
import time


def connect(base: str, received: int = 0) -> socket.socket:
    """A connection; `received` is the size of its receive buffer in bytes."""
    host, port = base.removeprefix("http://").split(":")
    made = socket.socket()
    if received:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, received)
    made.settimeout(20)
    made.connect((host, int(port)))
    return made


def answers_to(base: str, *parts: bytes, half_close: bool = False, seconds: float = 20) -> bytes:
    """Everything that a server sends to these bytes, until it closes the connection or says nothing for some time."""
    with connect(base) as connection:
        connection.settimeout(seconds)
        for part in parts:
            connection.sendall(part)
            time.sleep(0.05 if len(parts) > 1 else 0)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            while chunk := connection.recv(65_536):
                received += chunk
    return received


def statuses(received: bytes) -> list[int]:
    """The status of each response in these bytes."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]
