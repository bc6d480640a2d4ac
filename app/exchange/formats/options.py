"""What a client states about the form of a table, where the table itself does not show it."""

from typing import Literal

from pydantic import BaseModel, Field

MAX_ROW_NUMBER = 1_000

DECIMAL = "The sign before the decimals of numbers in text cells: `point` (1,234.5) or `comma` (1.234,5)."
DATES = "The order in dates such as 05/07/2014: `dmy` (5 July) or `mdy` (7 May)."
SHEET = "The sheet of a workbook with the table: its name, or its number counted from 1."
HEADER_ROW = "The row with the names of the columns, as the spreadsheet program numbers it."


class TableOptions(BaseModel):
    """The layout of a table. Rows are left out only if their kind is certain; otherwise they are refused."""

    sheet: str | None = Field(default=None, min_length=1, max_length=100, description=SHEET)
    header_row: int | None = Field(default=None, ge=1, le=MAX_ROW_NUMBER, description=HEADER_ROW)
    decimal: Literal["point", "comma"] | None = Field(default=None, description=DECIMAL)
    dates: Literal["dmy", "mdy"] | None = Field(default=None, description=DATES)
    ignore: str | None = Field(
        default=None, max_length=2_000, description="Columns to leave out: names or letters, separated by commas."
    )

    @property
    def ignored(self) -> list[str]:
        """The names and letters of the columns to leave out."""
        return [name.strip() for name in (self.ignore or "").split(",") if name.strip()]
