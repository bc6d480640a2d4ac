"""URLs of web pages. Two parsers have to agree on them, and they are stored exactly as they were sent.

The parser of pydantic reads a URL like browsers, which also accept `http:/x`, `http://127.1` or a space in a path. The
parser of Python takes each character as it is written. A URL that the two read differently is refused, because it would
lead different clients to different places.
"""

import re
from ipaddress import IPv6Address
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, StringConstraints, ValidationInfo, WithJsonSchema
from pydantic_core import Url

STORED: dict[str, Any] = {"stored": True}  # the context in which a representation from the database is validated
MAX_LENGTH = 2_000
MAX_LABEL = 63  # letters of one part of a host
UNSAFE = re.compile(r"[^A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]|%(?![0-9A-Fa-f]{2})")  # RFC 3986, section 2


def parse_web_url(text: str) -> SplitResult:
    """Return the parts of an absolute http or https URL; ValueError for anything else, and for a user name."""
    if UNSAFE.search(text):
        raise ValueError("The URL has a character that must be percent-encoded.")
    try:
        parts = urlsplit(text)
        parsed = Url(text)
        is_same = (_host(parts), parts.port or _default_port(parts)) == (parsed.host, parsed.port)
    except ValueError:
        is_same = False
    if not is_same or parts.scheme not in ("http", "https") or parts.netloc.endswith(":"):
        raise ValueError("This is not an absolute URL with http or https and a valid host.")
    if not all(0 < len(label) <= MAX_LABEL for label in (parts.hostname or "").removesuffix(".").split(".")):
        raise ValueError("The URL has a host that is not a valid name.")
    if "@" in parts.netloc:
        raise ValueError("The URL has a user name or password.")
    return parts


def url_parts(text: str) -> SplitResult:
    """Return the parts of what a client sent as a URL; all are empty if it is none, such as `http://[::1`."""
    try:
        return urlsplit(text)
    except ValueError:
        return urlsplit("")


def _host(parts: SplitResult) -> str | None:
    host = parts.hostname
    return f"[{IPv6Address(host)}]" if host and ":" in host else host


def _default_port(parts: SplitResult) -> int:
    return 443 if parts.scheme == "https" else 80


def is_web_url(text: str, info: ValidationInfo) -> str:
    """Return the URL unchanged; ValueError if it is not one. A stored URL was accepted by an earlier version."""
    if info.context == STORED:
        return text
    if not text.startswith(("http://", "https://")):  # in lower case, as its pattern states
        raise ValueError("The URL does not start with http:// or https://.")
    parse_web_url(text)
    return text


WebUrl = Annotated[
    str,
    StringConstraints(max_length=MAX_LENGTH),
    AfterValidator(is_web_url),
    WithJsonSchema({"type": "string", "format": "uri", "pattern": "^https?://", "maxLength": MAX_LENGTH}),
]
