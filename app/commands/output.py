"""What all commands print and return."""

import sys
from collections.abc import Sequence

from app.core.values.text import printable

# Exit codes:
DONE = 0
FAILED = 1
MISUSED = 2
UNREADY = 3


def print_error(message: str) -> None:
    """Print a message on standard error."""
    print(f"hoptac: {printable(message)}", file=sys.stderr)


def report(problems: Sequence[str]) -> int:
    """Print the problems on standard error, and return the exit code."""
    for problem in problems:
        print_error(problem)
    return FAILED if problems else DONE
