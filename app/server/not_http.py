"""The response to bytes that are not a valid HTTP request. No part of the application sees such bytes."""

import asyncio

from app.core.errors import PROBLEM_JSON, BadRequest
from app.core.values.json import to_json

NOT_HTTP = "The server cannot read this as an HTTP/1.1 request, or its path or headers are too large."


def refuse(transport: asyncio.WriteTransport) -> None:
    """Send the problem, in English since no header could be read, and close the connection."""
    body = to_json(BadRequest(NOT_HTTP).as_dict())
    lines = [
        "HTTP/1.1 400 Bad Request",
        f"content-type: {PROBLEM_JSON}",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        "connection: close",
    ]
    transport.write("\r\n".join([*lines, "", ""]).encode() + body)
    transport.close()
