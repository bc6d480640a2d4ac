"""The answers that the limits give: bytes that were fetched from ours before, handed over in a file."""

import os
import pickle
from pathlib import Path
from typing import NamedTuple


class Fixed(NamedTuple):
    """A tag and a body."""

    tag: bytes
    body: bytes


def answers() -> dict[bytes, Fixed]:
    """By path and query string; none when no file is named."""
    name = os.environ.get("BENCH_ANSWERS")
    return pickle.loads(Path(name).read_bytes()) if name else {}
