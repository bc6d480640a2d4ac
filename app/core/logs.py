"""The logs: each line on standard error is one JSON object, those of libraries included.

A line contains printable ASCII only; every other character is escaped. A token never appears in it, whatever it is a
part of: the secret is cut off and the id of the key remains.
"""

import logging
import re
import sys
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor

MAX_MESSAGE = 2_000  # characters of the message of a library
MAX_TRACE = 8_000  # characters of a stack trace, of which the end is kept

# The underscores of a token may be percent-encoded.
_TOKEN = re.compile(r"(hoptac(?:_|%5[Ff])[0-9A-Za-z]{1,40})(?:_|%5[Ff])[0-9A-Za-z%]+")


class StandardError:
    """Writes to the current standard error, even if it was replaced after the logs were set up."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def set_up_logs() -> None:
    """Configure the logs of this program and of its libraries."""
    stream = StandardError()
    ending: list[Processor] = [structlog.processors.JSONRenderer(), _clean]  # type: ignore[list-item]
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _bounded,
    ]
    structlog.configure(
        processors=[*shared, *ending],
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, stream)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(cast(TextIO, stream))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)


def _bounded(_: Any, __: str, event: EventDict) -> EventDict:
    """Shorten a stack trace and the message of a library."""
    if len(event["event"]) > MAX_MESSAGE:
        event["event"] = event["event"][:MAX_MESSAGE]
    if "exception" in event:
        event["exception"] = event["exception"][-MAX_TRACE:]
    return event


def _clean(_: Any, __: str, line: str) -> str:
    """Escape the one control character that JSON leaves as it is (DEL), and cut off secrets."""
    escaped = line.replace("\x7f", "\\u007f")
    return _TOKEN.sub(r"\1_\\u2026", escaped) if "hoptac" in escaped else escaped
