"""Every error the API answers with, as RFC 9457 problem+json.

Problem
├── Moved               308  merged: with Location
├── BadRequest          400  bad_request: the request cannot be read
│   ├── BadQuery        400  bad_query
│   ├── BadCursor       400  bad_cursor
│   ├── BadFile         400  bad_file
│   └── BadBody         400  bad_body
├── Unauthorized        401  unauthorized: with WWW-Authenticate
├── Forbidden           403  forbidden
│   └── ReadOnly        403  read_only
├── NotFound            404  not_found
├── MethodNotAllowed    405  method_not_allowed
├── Conflict            409  conflict
│   ├── IdTaken         409  id_taken
│   ├── Rewound         409  rewound
│   └── ReferredTo      409  referred_to: `errors` says by what
├── Gone                410  gone
├── Stale               412  stale
├── TooLarge            413  too_large
├── UnsupportedType     415  unsupported_type
├── Invalid             422  invalid: well-formed but not allowed; `errors` says where
├── NoCondition         428  no_condition
├── TooMany             429  too_many_requests: with Retry-After
├── Failed              500  internal_error
└── Unavailable         503  unavailable: with Retry-After
    └── QueryTooSlow    503  query_too_slow

What was sent is never repeated in an answer.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from pydantic import BaseModel, Field
from starlette.responses import Response

from app.core.values.json import to_json

# The codes of the single mistakes in `errors`.
ERROR_DETAILS = {
    "unknown_parameter": "There is no such parameter; the nearest name that there is, is said.",
    "repeated": "This parameter is given once.",
    "invalid_value": "The value is not of the parameter's type, list, pattern or range.",
    "unknown_field": "`fields` names a field that the resource does not have.",
    "unknown_include": "`include` names something that cannot be followed from what is there, or names it twice.",
    "given_by_path": "The path of a nested list says this already.",
    "of_drafts": "Drafts are read without `include`, and listed without `q` too.",
    "of_the_past": "What was is read without `include`: what a record named then may be another thing now.",
    "unknown_member": "The body has a member that the resource does not have; the nearest that there is, is said.",
    "read_only": "Only the registry itself writes this: it must be left out, or be what it is.",
    "unknown_record": "There is no such record, or it is a draft of others.",
    "links_to_draft": "A published record names published records only.",
    "merged": "The named partner was merged into another one: name that one.",
    "no_evidence": "A record needs a citation, or else the partner that keeps it (`managed_by`).",
    "incomplete_citation": "The citation does not say enough to be followed to the source.",
    "cycle": "The record would be part of itself, or follow itself, at the end of the links.",
    "taken": "Another record has this code.",
    "other_unit": "The unit is another than that of the total, the part or the indicator.",
    "not_callable": "The URL of a webhook leads somewhere that is not called: it must be public, and https.",
    "key_reused": "This Idempotency-Key came with another request within the last 24 hours.",
    "unknown_column": "A column of the table has no name, or one of no member; the nearest that there is, is said.",
    "unknown_resource": "A line of a file says of which resource it is; or its table does, with `resource`.",
    "bad_line": "The line is no JSON object in UTF-8, or longer than a body may be.",
    "no_id": "The line has neither an id nor a name, title or identifier to know its record by.",
    "id_taken": "The id belongs to another record, or did.",
    "repeated_line": "Another line of the file is about the same record.",
    "ambiguous": "Several records have this name or identifier: give an id.",
    "forbidden": "The record is kept by another partner.",
    "stale": "The record has another `version` than the line says.",
    "conflict": "The database refuses it beside what is there.",
    "line_refused": "It names a record of the same file whose line was refused.",
    "referrer": "A record that refers to this one.",
    "too_many_figures": "More figures than one answer decides about; ask for fewer.",
}

PROBLEM_JSON = "application/problem+json"
MAX_ERRORS = 50


class ErrorItem(BaseModel, defer_build=True):
    """One thing that is wrong, and where."""

    parameter: str | None = Field(default=None, description="The query parameter, path parameter or header.")
    pointer: str | None = Field(default=None, description="JSON Pointer (RFC 6901) into the body.")
    code: str = Field(description="Stable code of this kind of mistake.", examples=["unknown_parameter"])
    detail: str = Field(description="What is wrong, in words.", examples=["Did you mean status?"])


class ProblemShown(BaseModel, defer_build=True):
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
        self.errors = list(errors)[:MAX_ERRORS]
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
        body = to_json(shown)
        headers = {"Cache-Control": "no-store", **self.headers}
        return Response(body, self.status, headers, media_type=PROBLEM_JSON)


class Moved(Problem):
    """The partner was merged into another one, to which Location leads."""

    status, code, title = 308, "merged", "Merged into another record"


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


class BadBody(BadRequest):
    """The body is not UTF-8 JSON: one value, no name twice in an object, no number beyond 64 bits, at most 100
    deep, at most 1,000 members in an object.
    """

    code, title = "bad_body", "Malformed body"


class BadFile(BadRequest):
    """The file is not what its type says: no UTF-8 text, no table with quotes that close, no XLSX workbook."""

    code, title = "bad_file", "Malformed file"


class Unauthorized(Problem):
    """A key is needed, or the one that was sent is unknown, expired or revoked: `Authorization: Bearer hoptac_…`."""

    status, code, title = 401, "unauthorized", "No valid key"

    def __init__(self, detail: str = "The key is unknown, expired or revoked.") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="hoptac"'})


class Forbidden(Problem):
    """The key does not have the scope that this takes, or the record is kept by another partner."""

    status, code, title = 403, "forbidden", "Not yours to do"


class ReadOnly(Forbidden):
    """This registry is a mirror of another one: write there."""

    code, title = "read_only", "A mirror"
    detail = "This registry is a mirror of another one: write there."


class NotFound(Problem):
    """There is no such record, list or page."""

    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowed(Problem):
    """The path exists, but not with this method; `Allow` lists those it has."""

    status, code, title = 405, "method_not_allowed", "Method not allowed"


class Conflict(Problem):
    """What is there does not allow it."""

    status, code, title = 409, "conflict", "In conflict with what is there"


class IdTaken(Conflict):
    """The id belongs to another record, or did: a draft, a deleted or a merged one keeps its id."""

    code, title = "id_taken", "The id is taken"


class Rewound(Conflict):
    """The registry does not have the Change that the caller saw last: it was restored to an earlier state, or it is
    another registry. Begin again with `after=0`.
    """

    code, title = "rewound", "Another history"


class ReferredTo(Conflict):
    """Other records refer to this one; `errors` names those that the caller may see, at most 50."""

    code, title = "referred_to", "Others refer to it"


class Gone(Problem):
    """The record was deleted. Its id is never used again."""

    status, code, title = 410, "gone", "Deleted"


class Stale(Problem):
    """The record is not, or no more, what If-Match or If-None-Match says: read it again."""

    status, code, title = 412, "stale", "Changed meanwhile"


class TooLarge(Problem):
    """The body is larger than the server takes."""

    status, code, title = 413, "too_large", "Too large"


class UnsupportedType(Problem):
    """The body is not of the media type that the operation takes, or has a content coding."""

    status, code, title = 415, "unsupported_type", "Unsupported media type"


class Invalid(Problem):
    """Well-formed but not allowed: an unknown parameter, a value outside its list or range, a link to nothing."""

    status, code, title = 422, "invalid", "Not allowed"

    def __init__(self, *errors: ErrorItem) -> None:
        detail = "One thing is not allowed." if len(errors) == 1 else f"{len(errors)} things are not allowed."
        super().__init__(detail, errors=errors)


class NoCondition(Problem):
    """What exists is only changed under If-Match, with the ETag of the version that the change was made from."""

    status, code, title = 428, "no_condition", "If-Match is needed"


class TooMany(Problem):
    """More requests than the key or the address has in a minute. Try again after `Retry-After` seconds."""

    status, code, title = 429, "too_many_requests", "Too many requests"


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


class NotReady(Exception):
    """The database cannot be served; the message says what to do."""
