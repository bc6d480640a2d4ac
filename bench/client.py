"""The client: one persistent connection, one request after the other."""

import socket
from collections.abc import Mapping
from typing import NamedTuple, Self
from urllib.parse import urlsplit


class Reply(NamedTuple):
    """The response of a server."""

    status: int
    headers: dict[str, str]
    body: bytes


def request(path: str, **headers: str) -> bytes:
    """Return the bytes of a GET request."""
    lines = [f"GET {path} HTTP/1.1", "host: bench"]
    lines += [
        f"{name.replace('_', '-')}: {value}" for name, value in ({"accept": "application/json"} | headers).items()
    ]
    return "\r\n".join([*lines, "", ""]).encode()


class Client:
    """A connection to a port of the loopback."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = self._connected()

    def _connected(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=120)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def get(self, path: str, **headers: str) -> Reply:
        """Send a GET for a path or for an absolute URL, as Datasette returns them."""
        parts = urlsplit(path)
        return self.send(request(parts.path + (f"?{parts.query}" if parts.query else ""), **headers))

    def send(self, content: bytes) -> Reply:
        """Send a request and read the response. Send it again if the server has closed the idle connection."""
        try:
            self._socket.sendall(content)
            read = self._more()
        except ConnectionError:
            self._socket.close()
            self._socket = self._connected()
            self._socket.sendall(content)
            read = self._more()
        head, _, rest = self._until(read, b"\r\n\r\n").partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        status = int(first.split()[1])
        return Reply(status, headers, self._body(headers, rest) if status not in (204, 304) else b"")

    def _body(self, headers: Mapping[str, str], rest: bytes) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            return _joined(self._until(rest, b"\r\n0\r\n\r\n") if rest != b"0\r\n\r\n" else rest)
        parts = [rest]
        missing = int(headers["content-length"]) - len(rest)
        while missing > 0:
            parts.append(self._more())
            missing -= len(parts[-1])
        return b"".join(parts)

    def _until(self, read: bytes, mark: bytes) -> bytes:
        while mark not in read:
            read += self._more()
        return read

    def _more(self) -> bytes:
        read = self._socket.recv(1 << 20)
        if not read:
            raise ConnectionError("The server closed the connection.")
        return read


def _joined(chunks: bytes) -> bytes:
    parts = []
    while not chunks.startswith(b"0\r\n"):
        size, _, chunks = chunks.partition(b"\r\n")
        length = int(size, 16)
        parts.append(chunks[:length])
        chunks = chunks[length + 2 :]
    return b"".join(parts)
