"""The exceptions of the client."""

import httpx

from hoptac_client.models import ErrorItem, Problem


class HoptacError(Exception):
    """Every error of the client is one of its subclasses."""


class Unreachable(HoptacError):
    """No response was received, also after the repetitions. `__cause__` is the error of httpx."""


class UnexpectedResponse(HoptacError):
    """The response is not one of a registry. Perhaps the address is wrong, or a proxy has sent it."""

    def __init__(self, response: httpx.Response) -> None:
        kind = response.headers.get("content-type", "no content type")
        super().__init__(f"{response.request.url} responded with {response.status_code} and {kind}. Is it a registry?")
        self.response = response


class PositionMismatch(HoptacError):
    """The file of a position belongs to another registry or to other filters, or is damaged."""


class InvalidWebhook(HoptacError):
    """The request is not a webhook that was signed with the secret in the last five minutes."""


class ProblemError(HoptacError):
    """The registry responded with a problem (RFC 9457). `code` is stable and says which one."""

    def __init__(self, problem: Problem, response: httpx.Response) -> None:
        errors = [f"{error.get('pointer') or error.get('parameter')}: {error['detail']}" for error in problem["errors"]]
        super().__init__("\n  ".join([f"{problem['status']} {problem['title']}. {problem['detail']}", *errors]))
        self.problem = problem
        self.response = response

    @property
    def status(self) -> int:
        """The HTTP status code."""
        return self.problem["status"]

    @property
    def code(self) -> str:
        """The stable code of the problem. The page `/problems` of the registry explains it."""
        return self.problem["code"]

    @property
    def errors(self) -> list[ErrorItem]:
        """The errors of the request, each with its parameter or the JSON Pointer of its value."""
        return self.problem["errors"]


class Invalid(ProblemError):
    """400 or 422: the request has errors, which `errors` lists."""


class Unauthorized(ProblemError):
    """401: the key is missing, unknown, expired, revoked or bound to other networks."""


class Forbidden(ProblemError):
    """403: the key does not permit this."""


class NotFound(ProblemError):
    """404: there is no such record, or it is a draft that the key cannot see."""


class Conflict(ProblemError):
    """409: the request conflicts with the present state of the registry."""


class Rewound(Conflict):
    """409 `rewound`: the registry was restored to a state before the position of the follower."""


class Gone(ProblemError):
    """410: the record was deleted."""


class Stale(ProblemError):
    """412 or 428: the record has changed since it was read, or the request does not say which version it changes."""


class TooManyRequests(ProblemError):
    """429: a limit was exceeded, and the registry asks to wait longer than the client does."""


class ServerError(ProblemError):
    """5xx: the registry could not respond, also after the repetitions."""


BY_STATUS: dict[int, type[ProblemError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: Stale,
    422: Invalid,
    428: Stale,
    429: TooManyRequests,
}


def error_of(response: httpx.Response) -> HoptacError:
    """Return the exception for a response that is no success."""
    if not response.headers.get("content-type", "").startswith("application/problem+json"):
        return UnexpectedResponse(response)
    try:
        problem: Problem = response.json()
        if problem["code"] == "rewound":
            return Rewound(problem, response)
        unlisted = ServerError if response.status_code >= 500 else ProblemError
        return BY_STATUS.get(response.status_code, unlisted)(problem, response)
    except (ValueError, TypeError, KeyError, AttributeError):
        return UnexpectedResponse(response)
