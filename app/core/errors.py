"""The errors of the API, as problems of RFC 9457 (`application/problem+json`).

Problem
├── Moved               308  merged: with `Location`
├── BadRequest          400  bad_request
│   ├── BadQuery        400  bad_query
│   ├── BadCursor       400  bad_cursor
│   ├── BadFile         400  bad_file
│   └── BadBody         400  bad_body
├── Unauthorized        401  unauthorized: with `WWW-Authenticate`
├── Forbidden           403  forbidden
│   └── ReadOnly        403  read_only
├── NotFound            404  not_found
├── MethodNotAllowed    405  method_not_allowed
├── Conflict            409  conflict
│   ├── IdTaken         409  id_taken
│   ├── Rewound         409  rewound
│   ├── NotConfigured   409  not_configured
│   ├── NotExportable   409  not_exportable: `errors` lists what the record lacks
│   └── ReferredTo      409  referred_to: `errors` lists the referrers
├── Gone                410  gone
├── Stale               412  stale
│   └── NotReached      412  not_reached
├── TooLarge            413  too_large
├── UnsupportedType     415  unsupported_type
├── Invalid             422  invalid: `errors` lists the invalid values
├── NoCondition         428  no_condition
├── TooMany             429  too_many_requests: with `Retry-After`
├── Failed              500  internal_error
└── Unavailable         503  unavailable: with `Retry-After`
    └── QueryTooSlow    503  query_too_slow

A problem never repeats what the client sent. It is in Vietnamese if `Accept-Language` prefers it.
"""

import errno
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Self
from urllib.parse import quote

from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.core.public_paths import public
from app.core.translation import ENGLISH, in_language, preferred_language
from app.core.values.json import to_json

PROBLEM_JSON = "application/problem+json"
MAX_ERRORS = 50

# Errors of the system that say that the server has no disk space, no memory or no file left.
EXHAUSTED = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class ErrorItem(BaseModel, defer_build=True):
    """One error in a request, with its location."""

    parameter: str | None = Field(default=None, description="Name of the query parameter, path parameter or header.")
    pointer: str | None = Field(default=None, description="JSON Pointer (RFC 6901) to the value in the body.")
    code: str = Field(description="Stable code of this kind of error.", examples=["unknown_parameter"])
    detail: str = Field(description="Explanation of this error.", examples=["Did you mean status?"])


class ProblemShown(BaseModel, defer_build=True):
    """An error response as described in RFC 9457. `title` and `detail` are in English.

    They are in Vietnamese if the request has an `Accept-Language` that prefers it (`vi`).
    """

    type: str = Field(description="URL of the explanation of the code.", examples=["/problems#invalid"])
    title: str = Field(description="Short text, the same for each problem of this code.", examples=["Invalid request"])
    status: int = Field(description="HTTP status code.", examples=[422])
    detail: str = Field(description="Explanation of this occurrence.", examples=["The request has one error."])
    code: str = Field(description="Stable code for programs.", examples=["invalid"])
    errors: list[ErrorItem] = Field(description="The first 50 errors of the request.")


class Problem(Exception):
    """Base class of the errors that end a request; each subclass is one code."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal server error"
    detail: str = ""

    def __init__(self, detail: str = "", *, errors: Sequence[ErrorItem] = (), headers: dict[str, str] | None = None):
        super().__init__(detail or self.title)
        self.detail = detail or self.detail or f"{self.title}."
        self.errors = list(errors)[:MAX_ERRORS]
        self.headers = headers or {}

    def response(self, language: str = ENGLISH) -> "ProblemResponse":
        """Return the error response, which looks for the language of the request when it is sent."""
        return ProblemResponse(self, language)

    def as_dict(self) -> dict[str, Any]:
        """Return the members of the response, in English."""
        return {
            "type": public(f"/problems#{self.code}"),
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "errors": [error.model_dump(exclude_none=True) for error in self.errors],
        }


class ProblemResponse(Response):
    """An error response in the language that the request prefers."""

    def __init__(self, problem: Problem, language: str) -> None:
        self.problem = problem
        self.language = language
        headers = {"Cache-Control": "no-store", "Content-Language": language, "Vary": "Accept-Language"}
        body = to_json(in_language(problem.as_dict(), language))
        super().__init__(body, problem.status, {**headers, **problem.headers}, media_type=PROBLEM_JSON)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        language = language_of(scope)
        if language != self.language:
            await ProblemResponse(self.problem, language)(scope, receive, send)
            return
        await super().__call__(scope, receive, send)


def language_of(scope: Scope) -> str:
    """Return the language of the messages in the response to a request."""
    return preferred_language(scope.get("header_values", {}).get(b"accept-language", b""))


class Moved(Problem):
    """The partner was merged into another one. `Location` is the URL of that partner."""

    status = 308
    code = "merged"
    title = "Merged into another record"
    detail = "The partner was merged into another one. The header Location has its URL."


class BadRequest(Problem):
    """The request is malformed, such as a conditional header without an ETag."""

    status = 400
    code = "bad_request"
    title = "Malformed request"


class BadQuery(BadRequest):
    """The query string is not percent-encoded UTF-8, contains a control character, or is too long."""

    code = "bad_query"
    title = "Malformed query string"


class BadCursor(BadRequest):
    """The cursor was not issued by this list for the same filters and sort. Start again without `cursor`."""

    code = "bad_cursor"
    title = "Malformed cursor"
    detail = "The cursor does not belong to this list. Send `next` as it was returned, or no cursor."


class BadBody(BadRequest):
    """The body is not strict JSON in UTF-8.

    It must be one value with at most 100 levels. An object must not repeat a name and has at most 1,000 members.
    Numbers must fit in 64 bits.
    """

    code = "bad_body"
    title = "Malformed body"
    detail = "The body is not strict JSON in UTF-8, repeats a name, or has a number of more than 64 bits."


class BadFile(BadRequest):
    """The file does not have the format that its media type states. `detail` states where it could not be read."""

    code = "bad_file"
    title = "Malformed file"


class Unauthorized(Problem):
    """The operation needs a key, or the key is unknown, expired, revoked or bound to other networks.

    Send `Authorization: Bearer hoptac_…`.
    """

    status = 401
    code = "unauthorized"
    title = "A valid key is required"

    def __init__(self, detail: str = "The key is unknown, expired or revoked.", reason: str = "unknown_key") -> None:
        self.reason = reason  # for the access log
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="hoptac"'})


class Forbidden(Problem):
    """The key is valid but lacks the required scope, or another partner manages the record."""

    reason = ""  # for the events of the key
    status = 403
    code = "forbidden"
    title = "Not permitted"


class ReadOnly(Forbidden):
    """This registry is a mirror and accepts no writes. Send the write to the registry that it mirrors.

    A read node accepts no keys either. Its `detail` has the address of the registry, and `Link` (`edit`) the URL.
    """

    code = "read_only"
    title = "Read-only mirror"
    detail = "This registry is a mirror and accepts no writes. Send the write to the registry that it mirrors."

    @classmethod
    def at_node(cls, writer_url: str, path: str) -> Self:
        """Return the refusal of a read node, with the URL to which the request for this path can be sent."""
        base = writer_url.rstrip("/")
        detail = f"Send this request to {base} instead. This server is a read node, for public reads without a key."
        return cls(detail, headers={"Link": f'<{base}{quote(path)}>; rel="edit"'})


class NotFound(Problem):
    """No record, list or page exists at this path, or it is a draft that the caller cannot see."""

    status = 404
    code = "not_found"
    title = "Not found"
    detail = "Nothing exists at this path, or it is a draft that only other keys can see."


class MethodNotAllowed(Problem):
    """The path exists but does not support this method. `Allow` lists the methods that it supports."""

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"
    detail = "This path does not support the method. The header Allow lists the methods that it supports."


class Conflict(Problem):
    """The request is valid but conflicts with the current state of the registry. `detail` states the conflict."""

    status = 409
    code = "conflict"
    title = "Conflict with the current state"


class IdTaken(Conflict):
    """The id belongs to another record. Drafts, deleted and merged records keep their ids. Choose another id.

    A deleted record is restored with PUT or by an import, not with POST.
    """

    code = "id_taken"
    title = "The id is taken"
    detail = "The id belongs, or belonged, to another record. Choose another id."


class Rewound(Conflict):
    """The registry does not have this Change: it was restored, or is another registry. Start again with `after=0`."""

    code = "rewound"
    title = "Unknown Change"
    detail = "The registry does not have this Change. Start again with after=0."


class NotConfigured(Conflict):
    """The operator of the registry has not made the setting that the operation needs. `detail` names the setting."""

    code = "not_configured"
    title = "Setting required"


class NotExportable(Conflict):
    """The records have no valid form in this format, because they do not state what the format requires."""

    code = "not_exportable"
    title = "Not possible in this format"


class ReferredTo(Conflict):
    """Other records link to this one. `errors` lists at most 50 of those that the caller can see. Change them first."""

    code = "referred_to"
    title = "Other records link to this one"


class Gone(Problem):
    """The record was deleted. A key that may write the record can restore it with PUT or by an import."""

    status = 410
    code = "gone"
    title = "Deleted"
    detail = "The record was deleted. A key that may write it can restore it with PUT or by an import."


class Stale(Problem):
    """The record does not satisfy `If-Match` or `If-None-Match`, usually because it has changed. Read it again."""

    status = 412
    code = "stale"
    title = "Precondition failed"
    detail = "The record does not satisfy If-Match or If-None-Match. Read it again."


class NotReached(Stale):
    """The log of the registry does not contain the Change in `Hoptac-At-Least`, for example after a restore.

    Forget the number, and send the request without this header.
    """

    code = "not_reached"
    title = "State not reached"
    detail = "The registry does not have the Change in Hoptac-At-Least. Send the request without this header."


class TooLarge(Problem):
    """The body, or the file to import, is larger than the server accepts."""

    status = 413
    code = "too_large"
    title = "Too large"


class UnsupportedType(Problem):
    """The operation does not accept the media type of the body, or the body has a content coding."""

    status = 415
    code = "unsupported_type"
    title = "Unsupported media type"


class BadRange(Problem):
    """The file has no bytes in the requested `Range`. `Content-Range` states how many bytes it has."""

    status = 416
    code = "bad_range"
    title = "Range not satisfiable"


class Invalid(Problem):
    """The request is well-formed but contains invalid values. `errors` lists them with their locations."""

    status = 422
    code = "invalid"
    title = "Invalid request"

    def __init__(self, *errors: ErrorItem) -> None:
        detail = "The request has one error." if len(errors) == 1 else f"The request has {len(errors)} errors."
        super().__init__(detail, errors=errors)


class NoCondition(Problem):
    """An existing record can be changed only with `If-Match` and the ETag of the version that was read."""

    status = 428
    code = "no_condition"
    title = "If-Match is required"
    detail = "Read the record, and send its ETag in If-Match, so that no change of others is lost."


class TooMany(Problem):
    """The key or the address has used more than its limit allows, or has too much that waits or is stored.

    Try again after `Retry-After` seconds. Without this header, `detail` states what must be done first.
    """

    status = 429
    code = "too_many_requests"
    title = "Too many requests"
    detail = "The limit is used up. Try again after the number of seconds in Retry-After."


class Failed(Problem):
    """The server failed unexpectedly. The error was logged with the id in `X-Request-ID`."""

    code = "internal_error"
    detail = "The server failed unexpectedly. The error was logged with the id in the header X-Request-ID."


class Unavailable(Problem):
    """The database does not respond, or too many requests are waiting. Try again after `Retry-After` seconds."""

    status = 503
    code = "unavailable"
    title = "Temporarily unavailable"
    detail = "The database does not respond, or too many requests are waiting. Try again after Retry-After seconds."

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers={"Retry-After": "2"})


def unexpected(error: Exception) -> Problem:
    """Return the problem for an error that nothing else handles."""
    if isinstance(error, OSError) and error.errno in EXHAUSTED:
        return Unavailable("The server has no disk space, no memory or no file left for this request.")
    return Failed()


class QueryTooSlow(Unavailable):
    """The query took longer than the server allows. Use a narrower filter, or leave out the total."""

    code = "query_too_slow"
    title = "The query took too long"
    detail = "The query took longer than the server allows. Use a narrower filter, or leave out the total."


def family(root: type[Problem] = Problem) -> Iterator[type[Problem]]:
    """Return every subclass of a problem, in the order of the tree above."""
    for kind in root.__subclasses__():
        yield kind
        yield from family(kind)
