"""JSON as it is stored and sent."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pydantic_core


def from_json(body: str | bytes) -> Any:
    """What a stored representation says, in a third of the time of `json.loads`; what others send, `bodies` reads."""
    return pydantic_core.from_json(body)


def to_json(content: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """JSON as it is sent: without blanks, letters as they are; `default` says what else can be shown."""
    return _encoder(default).encode(content).encode()


@cache
def _encoder(default: Callable[[Any], Any] | None) -> json.JSONEncoder:
    """Made once: that takes as long as a short text."""
    return json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=default)
