"""The header lines of a request: repeated lines are joined or refused before any other code reads them.

Behind this middleware each name occurs once. `scope["header_values"]` has the value of each name, and `scope["coding"]`
the content coding of the response. The response cache and the compression both use that coding.
"""

import contextlib
import re
from collections.abc import Callable
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.asgi.freshness import Freshness
from app.core.asgi.http_middleware import READS, HttpMiddleware
from app.core.errors import BadRequest, NotFound, Problem

MAX_NAMES = 100  # the server bounds their size
MAX_PATH = 2_048  # characters
MAX_HOST = 300  # bytes
# The path of a resource. The regular expressions of routes also match a path with a line feed at its end.
PATH = re.compile(r"/(.*[^\n])?", re.DOTALL)
MAX_ACCEPT = 512  # bytes of Accept: a longer one means JSON
MAX_CODINGS = 256  # bytes of Accept-Encoding: a longer one is ignored
CACHED_VALUES = 512  # values of Host, Accept and Accept-Encoding that are cached after they were parsed

# Headers whose value cannot be a list. All others are joined with commas (RFC 9110, section 5.3).
SINGLE = {
    *(b"access-control-request-method", b"authorization", b"content-length", b"content-location", b"content-range"),
    *(b"content-type", b"date", b"from", b"host", b"idempotency-key", b"if-modified-since", b"if-range"),
    *(b"if-unmodified-since", b"max-forwards", b"origin", b"proxy-authorization", b"range", b"referer"),
    *(b"user-agent", b"x-request-id", b"hoptac-at-least"),
}

# A host name, an IPv4 address or an IPv6 address in brackets, and a port (RFC 3986, section 3.2.2).
HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2}){1,255})(?::[0-9]{0,5})?")

ACCEPT_LANGUAGE = b"accept-language"
AT_LEAST = b"hoptac-at-least"
SEQUENCE = re.compile(rb"[0-9]{1,18}")  # the number of a Change
CONDITIONS = (b"if-match", b"if-none-match")
MAX_TAGS = 2_048  # bytes of such a header: each tag in it is compared
CODINGS = ("zstd", "br", "gzip")  # the best first

EVERYTHING = b"*/*"
WEIGHT = re.compile(r"[01](\.[0-9]{0,3})?")
# The formats that Accept can choose, by media type.
FORMATS = {
    "text/csv": "csv",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.apache.parquet": "parquet",
    "application/geo+json": "geojson",
    "application/ld+json": "jsonld",
}
WILDCARDS = ("*/*", "application/*")
ZEROS = (0.0, 0.0)

HeaderLines = list[tuple[bytes, bytes]]


class RequestHeaders:
    """An ASGI middleware. Only the rate limits run before it, and so they count its refusals too.

    `has_file` returns whether the content of a path exists as a file of a format. If Accept prefers this format, the
    request becomes one for that file, so that everything behind this middleware only has to know paths. `freshness`
    finds out whether the registry has the Change that a client has seen already (`Hoptac-At-Least`).
    """

    def __init__(
        self,
        app: ASGIApp,
        http: HttpMiddleware,
        has_file: Callable[[str, str], bool] | None = None,
        freshness: Freshness | None = None,
    ) -> None:
        self.app = app
        self.http = http
        self.has_file = has_file
        self.freshness = freshness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                _read(scope)
                if AT_LEAST in scope["header_values"] and self.freshness is not None:
                    await self.freshness.ensure_reached(_seen(scope["header_values"][AT_LEAST]))
            except Problem as problem:
                languages = [value for name, value in scope["headers"] if name == ACCEPT_LANGUAGE]
                scope["header_values"] = {ACCEPT_LANGUAGE: languages[0]} if languages else {}
                await self.http.refuse(problem, scope, receive, send)
                return
            accepted = scope["header_values"].get(b"accept", EVERYTHING)
            if accepted != EVERYTHING and self.has_file is not None:
                _choose_file(scope, accepted, self.has_file)
        await self.app(scope, receive, send)


def _read(scope: Scope) -> None:
    """Put the headers and the content coding into the scope.

    Raise BadRequest if the headers are malformed, and NotFound for a path that no resource can have, such as `*`.
    """
    if len(scope["path"]) > MAX_PATH or not PATH.fullmatch(scope["path"]):
        raise NotFound("There is no resource at this path.")
    lines: HeaderLines = scope["headers"]
    values = dict(lines)
    if len(values) != len(lines):
        values = _joined(lines)
        scope["headers"] = list(values.items())
    if len(values) > MAX_NAMES:
        raise BadRequest(f"The request has more than {MAX_NAMES} headers.")
    host = values.get(b"host")
    if host is None:
        if scope.get("http_version") == "1.1":
            raise BadRequest("The header Host is missing.")
    elif len(host) > MAX_HOST or not _is_host(host):
        raise BadRequest("The header Host must be one host name or address, with or without a port.")
    if any(len(values.get(name, b"")) > MAX_TAGS for name in CONDITIONS):
        raise BadRequest(f"If-Match and If-None-Match can have at most {MAX_TAGS} bytes.")
    accepted = values.get(b"accept-encoding")
    scope["header_values"] = values
    scope["coding"] = chosen_coding(accepted) if accepted and len(accepted) <= MAX_CODINGS else ""


def _seen(value: bytes) -> int:
    """Return the number of the last Change that a client has seen."""
    if not SEQUENCE.fullmatch(value):
        raise BadRequest("The header Hoptac-At-Least must be the number of a Change.")
    return int(value)


def _choose_file(scope: Scope, accepted: bytes, has_file: Callable[[str, str], bool]) -> None:
    """Add the ending of the preferred format to the path of a read, if there is such a file."""
    if scope["method"] not in READS or not scope["path"].startswith("/v1/") or len(accepted) > MAX_ACCEPT:
        return
    ending = chosen_format(accepted)
    if ending and has_file(scope["path"], ending):
        scope["path"] = f"{scope['path']}.{ending}"
        scope["negotiated"] = True


def _joined(lines: HeaderLines) -> dict[bytes, bytes]:
    """Join repeated lines; BadRequest if one of them must not be repeated."""
    parts: dict[bytes, list[bytes]] = {}
    for name, value in lines:
        parts.setdefault(name, []).append(value)
    repeated = sorted(name.decode("latin-1") for name, values in parts.items() if name in SINGLE and values[1:])
    if repeated:
        raise BadRequest(f"The request repeats a header that must occur only once: {', '.join(repeated)}.")
    return {name: (b"; " if name == b"cookie" else b", ").join(values) for name, values in parts.items()}


@lru_cache(CACHED_VALUES)
def _is_host(host: bytes) -> bool:
    return HOST.fullmatch(host) is not None


@lru_cache(CACHED_VALUES)
def chosen_coding(accepted: bytes) -> str:
    """Return the content coding of the response to a request with this Accept-Encoding; "" for none.

    The server chooses among the codings that the client accepts. It does not compare their weights.
    """
    weights: dict[str, bool] = {}
    for item in accepted.decode("latin-1").lower().split(","):
        coding, _, parameters = item.partition(";")
        weights[coding.strip()] = _is_acceptable(parameters)
    every = weights.get("*", False)
    return next((coding for coding in CODINGS if weights.get(coding, every)), "")


@lru_cache(CACHED_VALUES)
def chosen_format(accepted: bytes) -> str:
    """Return the ending of the file that a client with this Accept prefers to JSON; "" for JSON.

    A wildcard means JSON, and so does an equal weight of JSON. A type that is named is preferred to a wildcard of the
    same weight.
    """
    weights: dict[str, float] = {}
    for item in accepted.decode("latin-1").lower().split(","):
        media_type, _, parameters = item.partition(";")
        weights[media_type.strip()] = _weight(parameters)
    best = max(FORMATS, key=lambda name: weights.get(name, 0.0))
    weight = weights.get(best, 0.0)
    is_json = weights.get("application/json", 0.0) >= weight or max(map(weights.get, WILDCARDS, ZEROS)) > weight
    return "" if is_json else FORMATS[best]


def _weight(parameters: str) -> float:
    """Return the weight in the parameters of a media type; 0 for a malformed one."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return float(value) if WEIGHT.fullmatch(value.strip()) else 0.0
    return 1.0


def _is_acceptable(parameters: str) -> bool:
    """Return whether the weight in the parameters of a coding is above 0. A malformed weight counts as 0."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            with contextlib.suppress(ValueError):
                return float(value) > 0
            return False
    return True
