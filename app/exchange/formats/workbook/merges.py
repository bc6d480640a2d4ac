"""The merged cells of a sheet. The file lists them after its rows, so they are read first."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from app.exchange.formats.workbook.archive import BLOCK, Refused

MAX_MERGES = 50_000
OVERLAP = 200  # bytes of a block that are looked at again with the next one
UTF_16 = (b"\xff\xfe", b"\xfe\xff")

TAG = re.compile(
    rb"<(?:\w+:)?mergeCell\s[^<>]{0,80}?ref=[\"']\$?([A-Z]{1,3})\$?(\d{1,7}):\$?([A-Z]{1,3})\$?(\d{1,7})[\"']"
)

ACROSS = "across:"  # marks of cells
DOWN = "down:"


@dataclass(frozen=True)
class Merge:
    """A rectangle of cells, of which only the first has a value."""

    first_row: int
    last_row: int
    first_column: int
    last_column: int


def read_merges(part: IO[bytes]) -> list[Merge]:
    """Return the merged cells in the part of a sheet, from the top. Raise Refused if there are too many."""
    merges: list[Merge] = []
    rest = b""
    while block := part.read(BLOCK):
        if not rest and block.startswith(UTF_16):
            raise Refused("A part of the workbook is not UTF-8.")
        content = rest + block
        end = 0
        for match in TAG.finditer(content) if b"mergeCell" in content else ():
            end = match.end()
            first, top, last, bottom = (group.decode() for group in match.groups())
            merges.append(Merge(int(top), int(bottom), _number(first), _number(last)))
        if len(merges) > MAX_MERGES:
            raise Refused(f"The sheet has more than {MAX_MERGES} merged cells.", is_too_large=True)
        rest = content[max(end, len(content) - OVERLAP) :]
    return sorted(merges, key=lambda merge: merge.first_row)


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


class MergedCells:
    """The merged cells that reach into the rows, which come from the top to the bottom."""

    def __init__(self, merges: list[Merge], width: int) -> None:
        self._coming = [merge for merge in reversed(merges) if merge.first_column <= width]
        self._open: list[tuple[Merge, Any]] = []  # with the values of their first cells
        self.filled = 0

    def fill(self, number: int, cells: list[Any]) -> Iterator[tuple[int, str]]:
        """Fill the cells of a row that are merged with cells above. Yield a column, from 0, and a mark for each merge.

        A number has the mark DOWN with the first and last row, since it may belong to the rows together. A merge of
        several columns has the mark ACROSS with the last column, and is not filled.
        """
        self._open = [(merge, value) for merge, value in self._open if merge.last_row >= number]
        while self._coming and self._coming[-1].first_row <= number:
            merge = self._coming.pop()
            column = merge.first_column - 1
            value = cells[column] if merge.first_row == number and column < len(cells) else None
            is_one_cell = merge.first_row == merge.last_row and merge.first_column == merge.last_column
            if value is not None and merge.last_row >= number and not is_one_cell:
                self._open.append((merge, value))
        if not any(cell is not None for cell in cells):
            return
        for merge, value in self._open:
            column = merge.first_column - 1
            if merge.last_column > merge.first_column:
                yield column, f"{ACROSS}{merge.last_column}"
                continue
            cells.extend([None] * (column + 1 - len(cells)))
            if cells[column] is None:
                cells[column] = value
                self.filled += 1
            if not isinstance(value, str):
                yield column, f"{DOWN}{merge.first_row}:{merge.last_row}"
