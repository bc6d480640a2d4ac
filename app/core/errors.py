"""Every error the API answers with, as RFC 9457 problem+json.

Problem
├── BadRequest          400  bad_request: the request cannot be read
│   ├── BadQuery        400  bad_query
│   └── BadCursor       400  bad_cursor
├── NotFound            404  not_found
├── MethodNotAllowed    405  method_not_allowed
├── Gone                410  gone
├── Invalid             422  invalid: well-formed but not allowed; `errors` says where
├── Failed              500  internal_error
└── Unavailable         503  unavailable: with Retry-After
    └── QueryTooSlow    503  query_too_slow

What was sent is never repeated in an answer.
"""

import json
from collections.abc import Iterator, Sequence
from typing import ClassVar

from pydantic import BaseModel, Field
from starlette.responses import Response

# The codes of the single mistakes in `errors`.
MISTAKES = {
    "unknown_parameter": "There is no such parameter; the nearest name that there is, is said.",
    "repeated": "This parameter is given once.",
    "invalid_value": "The value is not of the parameter's type, list, pattern or range.",
    "unknown_field": "`fields` names a field that the resource does not have.",
    "unknown_include": "`include` names something that cannot be followed from what is there, or names it twice.",
    "given_by_path": "The path of a nested list says this already.",
    "too_many_figures": "More figures than one answer decides about; ask for fewer.",
}

PROBLEM_JSON = "application/problem+json"
MOST_ERRORS = 50


class ErrorItem(BaseModel):
    """One thing that is wrong, and where."""

    parameter: str | None = Field(default=None, description="The query parameter, path parameter or header.")
    pointer: str | None = Field(default=None, description="JSON Pointer (RFC 6901) into the body.")
    code: str = Field(description="Stable code of this kind of mistake.", examples=["unknown_parameter"])
    detail: str = Field(description="What is wrong, in words.", examples=["Did you mean status?"])


class ProblemShown(BaseModel):
    """An RFC 9457 problem."""

    type: str = Field(description="Where the code is explained.", examples=["/problems#invalid"])
    title: str = Field(description="The same for every problem of this code.", examples=["Not allowed"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="This problem, in words.", examples=["One parameter is not allowed."])
    code: str = Field(description="Stable code to program against.", examples=["invalid"])
    errors: list[ErrorItem] = Field(description="Each single mistake, at most 50.")


class Problem(Exception):
    """Anything that ends a request with an error; subclasses say which."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong here"
    detail: str = ""

    def __init__(self, detail: str = "", *, errors: Sequence[ErrorItem] = (), headers: dict[str, str] | None = None):
        super().__init__(detail or self.title)
        self.detail = detail or self.detail or f"{self.title}."
        self.errors = list(errors)[:MOST_ERRORS]
        self.headers = headers or {}

    def response(self) -> Response:
        """The answer."""
        shown = {
            "type": f"/problems#{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "errors": [error.model_dump(exclude_none=True) for error in self.errors],
        }
        body = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Cache-Control": "no-store", **self.headers}
        return Response(body, self.status, headers, media_type=PROBLEM_JSON)


class BadRequest(Problem):
    """The request cannot be read as HTTP, JSON or UTF-8."""

    status, code, title = 400, "bad_request", "Malformed request"


class BadQuery(BadRequest):
    """The query string is not percent-encoded UTF-8, holds control characters, or is too long."""

    code, title = "bad_query", "Malformed query string"


class BadCursor(BadRequest):
    """The cursor is not one that this list handed out for the same filters and sort."""

    code, title = "bad_cursor", "Malformed cursor"
    detail = "Follow `next` as it was returned, or start again without cursor."


class NotFound(Problem):
    """There is no such record, list or page."""

    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowed(Problem):
    """The path exists, but not with this method; `Allow` lists those it has."""

    status, code, title = 405, "method_not_allowed", "Method not allowed"


class Gone(Problem):
    """The record was deleted. Its id is never used again."""

    status, code, title = 410, "gone", "Deleted"


class Invalid(Problem):
    """Well-formed but not allowed: an unknown parameter, a value outside its list or range."""

    status, code, title = 422, "invalid", "Not allowed"

    def __init__(self, *errors: ErrorItem) -> None:
        detail = "One thing is not allowed." if len(errors) == 1 else f"{len(errors)} things are not allowed."
        super().__init__(detail, errors=errors)


class Failed(Problem):
    """An error of ours. It was logged with the request's id."""

    code = "internal_error"


class Unavailable(Problem):
    """The database does not answer. Try again after `Retry-After` seconds."""

    status, code, title = 503, "unavailable", "Not available at the moment"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers={"Retry-After": "2"})


class QueryTooSlow(Unavailable):
    """The answer took longer than the server allows. Ask for less: a narrower filter, no total."""

    code, title = "query_too_slow", "The query takes too long"


def family(root: type[Problem] = Problem) -> Iterator[type[Problem]]:
    """Every kind of problem, the root left out, in the order of the tree."""
    for kind in root.__subclasses__():
        yield kind
        yield from family(kind)
