"""One request with its repetitions, without input and output.

`exchange` is a generator. It yields what a client has to do next, which is to send a request or to wait, and receives
the outcome. So `Client` and `AsyncClient` share these rules, and only perform the steps in their own way.
"""

import random
from collections.abc import Generator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from hoptac_client.cache import ETagCache
from hoptac_client.errors import Unreachable, error_of

BUSY = {429, 502, 503, 504}  # the registry or a proxy did not process the request
FIRST_PAUSE = 0.5  # seconds; each further pause is twice as long

AT_LEAST = "Hoptac-At-Least"


class Seen:
    """The latest state of the registry that a client has seen: the number of a Change. 0: none."""

    sequence = 0

    def note(self, response: httpx.Response) -> None:
        """Note the state that a response shows."""
        value = response.headers.get("hoptac-sequence", "")
        if value.isdecimal():
            self.sequence = max(self.sequence, int(value))


Step = httpx.Request | float  # a request to send, or seconds to wait
Outcome = httpx.Response | httpx.TransportError | None
Exchange = Generator[Step, Outcome, httpx.Response]


def exchange(
    request: httpx.Request, cache: ETagCache | None, seen: Seen, retries: int, longest_pause: float
) -> Exchange:
    """Send a request until it has a response, and return the response if it is a success.

    The response shows no earlier state of the registry than those before it. If the registry was restored to an earlier
    state (412 `not_reached`), that state is forgotten, and the request is sent again without it.

    A request is repeated at most `retries` times. If the registry asks for a pause that is longer than
    `longest_pause` seconds, such as until midnight, the problem is raised at once.
    """
    stored = cache.find(str(request.url)) if cache is not None and request.method == "GET" else None
    if stored is not None:
        request.headers["If-None-Match"] = stored.etag
    if seen.sequence:
        request.headers[AT_LEAST] = str(seen.sequence)
    outcome = yield from _attempts(request, retries, longest_pause)
    if _is_not_reached(request, outcome):
        seen.sequence = 0
        del request.headers[AT_LEAST]
        outcome = yield from _attempts(request, retries, longest_pause)
    if not isinstance(outcome, httpx.Response):
        raise Unreachable(f"{request.url.copy_with(query=None)} cannot be reached: {outcome}") from outcome
    seen.note(outcome)
    if outcome.status_code == 304 and stored is not None:
        return stored.response
    if not outcome.is_success:
        raise error_of(outcome)
    if cache is not None and request.method == "GET":
        cache.store(str(request.url), outcome)
    return outcome


def _attempts(request: httpx.Request, retries: int, longest_pause: float) -> Generator[Step, Outcome, Outcome]:
    """Send a request until it has a response that is no reason to repeat it, and return the last outcome."""
    outcome: Outcome = None
    for attempt in range(retries + 1):
        outcome = yield request
        pause = _pause_after(request, outcome, attempt)
        if pause is None or pause > longest_pause or attempt == retries:
            break
        yield pause
    return outcome


def _is_not_reached(request: httpx.Request, outcome: Outcome) -> bool:
    """Return whether the registry does not have the Change that the request asked for."""
    if AT_LEAST not in request.headers or not isinstance(outcome, httpx.Response) or outcome.status_code != 412:
        return False
    return getattr(error_of(outcome), "code", "") == "not_reached"


def _pause_after(request: httpx.Request, outcome: Outcome, attempt: int) -> float | None:
    """Return the seconds until the request should be sent again, or None if it should not."""
    pause: float = FIRST_PAUSE * 2**attempt * random.uniform(0.75, 1.25)
    if isinstance(outcome, httpx.Response):
        if outcome.status_code not in BUSY:
            return None
        if outcome.status_code in (502, 504) and not is_repeatable(request):
            return None
        return max(pause, retry_after(outcome))
    if isinstance(outcome, httpx.UnsupportedProtocol):
        return None
    if isinstance(outcome, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return pause
    return pause if is_repeatable(request) else None


def is_repeatable(request: httpx.Request) -> bool:
    """Return whether a second request has no further effect if the response to the first one was lost.

    A write with the ETag of a version is not repeatable: the second one would get 412 because of the first one.
    """
    headers = request.headers
    if request.method == "POST":
        return "Idempotency-Key" in headers
    if request.method in ("PUT", "DELETE"):
        return headers.get("If-Match", "*") == "*" and "If-None-Match" not in headers
    return request.method in ("GET", "HEAD")


def retry_after(response: httpx.Response) -> float:
    """Return the seconds in the header `Retry-After`, which can also contain a date. Without the header, 0."""
    value = response.headers.get("retry-after", "")
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
