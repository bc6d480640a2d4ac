"""Refused calls. Each says what is wrong and names the arguments of a call that succeeds."""

from collections.abc import Mapping, Sequence
from typing import Any

UNAVAILABLE = "unavailable"  # the code if the same call can succeed later


class Refusal(Exception):
    """A call that cannot be answered.

    `changes` are the arguments that have to be different; None removes one.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        do: str,
        changes: Mapping[str, Any] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.do = do
        self.changes = changes or {}
        self.errors = errors

    def as_dict(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a call with these arguments."""
        changed = {**arguments, **self.changes}
        body = {"error": self.code, "detail": self.detail, "do": self.do}
        if self.errors:
            body["errors"] = list(self.errors)  # type: ignore[assignment]
        return {**body, "try": {name: value for name, value in changed.items() if value is not None}}


class Ambiguous(Exception):
    """Several records can be meant. It is answered with these candidates, and is no error."""

    def __init__(self, argument: str, candidates: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(argument)
        self.argument = argument
        self.candidates = candidates
