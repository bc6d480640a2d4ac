"""The client: one connection that is kept, one request after the other."""

import socket
from collections.abc import Mapping
from typing import NamedTuple, Self
from urllib.parse import urlsplit


class Reply(NamedTuple):
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes


def request(path: str, **headers: str) -> bytes:
    """The bytes of a GET."""
    lines = [f"GET {path} HTTP/1.1", "host: bench", "accept: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


class Client:
    """A connection to a port of the loopback."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = self._connected()

    def _connected(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self._port), timeout=120)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def get(self, path: str, **headers: str) -> Reply:
        """Ask for a path; absolute URLs, as Datasette gives them, work too."""
        parts = urlsplit(path)
        return self.send(request(parts.path + (f"?{parts.query}" if parts.query else ""), **headers))

    def send(self, asked: bytes) -> Reply:
        """Send a whole request and read the whole answer; once more where a connection lay idle and was closed."""
        try:
            self._socket.sendall(asked)
            read = self._more()
        except ConnectionError:
            self._socket.close()
            self._socket = self._connected()
            self._socket.sendall(asked)
            read = self._more()
        head, _, rest = self._until(read, b"\r\n\r\n").partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        status = int(first.split()[1])
        return Reply(status, headers, self._body(headers, rest) if status not in (204, 304) else b"")

    def _body(self, headers: Mapping[str, str], rest: bytes) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            return _joined(self._until(rest, b"\r\n0\r\n\r\n") if rest != b"0\r\n\r\n" else rest)
        parts, missing = [rest], int(headers["content-length"]) - len(rest)
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
