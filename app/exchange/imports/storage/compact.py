"""Compact forms of what a plan knows about each line. Lists, tuples and texts of Python take 50 to 90 bytes each."""

import secrets
from array import array
from collections.abc import Iterable
from hashlib import blake2b

_SECRET = secrets.token_bytes(16)


def digest(*texts: str) -> bytes:
    """Return 12 bytes that stand for these texts in this process. Nobody else can find texts with equal ones."""
    return blake2b("\0".join(texts).encode(), digest_size=12, key=_SECRET).digest()


class IntLists:
    """A list of lists of numbers below 2^32, to which lists can only be added. Each number takes 4 bytes."""

    def __init__(self) -> None:
        self._numbers = array("I")
        self._ends = array("I", [0])

    def append(self, numbers: Iterable[int]) -> None:
        """Add a list at the end."""
        self._numbers.extend(numbers)
        self._ends.append(len(self._numbers))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, position: int) -> list[int]:
        return self._numbers[self._ends[position] : self._ends[position + 1]].tolist()

    def item(self, position: int, index: int) -> int | None:
        """Return one number of a list, or None if the list is shorter."""
        place = self._ends[position] + index
        return self._numbers[place] if place < self._ends[position + 1] else None

    @property
    def total(self) -> int:
        """How many numbers the lists have together."""
        return len(self._numbers)


class TextList:
    """A list of texts, to which texts can only be added."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("I", [0])

    def append(self, text: str) -> None:
        """Add a text at the end."""
        self._bytes += text.encode()
        self._ends.append(len(self._bytes))

    def __getitem__(self, position: int) -> str:
        return self._bytes[self._ends[position] : self._ends[position + 1]].decode()
