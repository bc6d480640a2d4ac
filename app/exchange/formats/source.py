"""The rows of a table in a file of any format, before anything is known about its columns."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from app.exchange.formats.cells.conventions import Evidence

Cell = str | int | float | bool | None

NO_MARKS: Mapping[int, str] = {}


class Row(NamedTuple):
    """A row of a table: its number in the file, and its cells, or None if it is too large.

    `marks` has special properties of cells, by their position; the modules in `workbook/` define the marks.
    """

    number: int
    cells: list[Cell] | None
    marks: Mapping[int, str] = NO_MARKS


class TableSource(ABC):
    """A file with a table."""

    sheet: str | None = None
    can_shift = True  # whether a separator inside a text can move the cells of a row

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Yield the header and then the rows that are not blank. To be called once."""

    @abstractmethod
    def evidence(self) -> Evidence:
        """Return the conventions that the cells of the columns prove. Call it during the iteration of the rows."""

    def noticed(self) -> Iterator[tuple[str, str]]:
        """Yield the code and the text of each warning, after all rows were read."""
        return iter(())


class Head(NamedTuple):
    """The first rows of a sheet that are not blank, with their numbers."""

    sheet: str | None
    is_hidden: bool
    rows: list[tuple[int, list[Cell]]]
