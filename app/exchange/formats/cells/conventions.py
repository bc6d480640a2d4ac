"""The conventions for numbers and dates that the cells of a column prove."""

import re

from app.exchange.formats.cells.dates import read_date
from app.exchange.formats.cells.numbers import read_number

MAX_TEXT = 60  # characters of a cell that is looked at
MAX_COLUMNS = 1_001  # whose proofs are kept

# A cell that may have two readings: a group of three digits after a point or comma, or two short numbers and a year.
TWO_READINGS = re.compile(r"(?<!\d)\d{1,3}[.,]\d{3}(?!\d)|\d{1,2}[/.-]\d{1,2}[/.-]\d{4}")
WITH_SIGNS = re.compile(r"\d[.,'/ -]")


def may_have_two_readings(text: str) -> bool:
    """Return whether the other cells of the column have to be looked at for this one."""
    return len(text) <= MAX_TEXT and TWO_READINGS.search(text) is not None


class Evidence:
    """The conventions that the cells of each column prove: `point`, `comma`, `dmy` and `mdy`."""

    def __init__(self, proofs: dict[int, set[str]] | None = None) -> None:
        self.proofs = proofs or {}

    def add(self, column: int, text: str) -> None:
        """Add a cell of a column."""
        if column >= MAX_COLUMNS or len(text) > MAX_TEXT or not WITH_SIGNS.search(text):
            return
        number = read_number(text)
        date = read_date(text)
        for proof in (number and number.proves, date and date.proves):
            if proof:
                self.proofs.setdefault(column, set()).add(proof)

    def proved(self, column: int, *conventions: str) -> str | None:
        """Return the one of these conventions that the cells of a column prove, None if they prove none or several."""
        proofs = self.proofs.get(column, set()).intersection(conventions)
        return proofs.pop() if len(proofs) == 1 else None
