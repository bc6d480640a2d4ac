"""The report about how a table was read: the place of the header, the meaning of each column, and warnings."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, Field

MAX_COLUMNS = 1_000
MAX_WARNINGS = 100  # of a table; the last one then says that there are more
AT_COLUMN = "@"  # before the letters of a column, in a map of values that moved
MAX_HEADER = 100  # characters of the name of a column
LETTERS = 26


class TableColumn(BaseModel):
    """A column of a table."""

    letter: str = Field(description="The letters of the column, as a spreadsheet program shows them.", examples=["C"])
    header: str = Field(description="The name of the column in the file.")
    path: str | None = Field(description="The value of the record that it contains; null if the column is left out.")
    read_by: list[str] = Field(
        default=[],
        description="How cells with two readings were read: `comma` or `point` before decimals, `dmy` or `mdy` in "
        "dates. It also says whether the request stated this or other cells of the column prove it.",
        examples=[["comma: proved by other cells"]],
    )


class TableWarning(BaseModel):
    """A warning about a table or a row. A person should check it, and the import continues."""

    code: str = Field(description="Stable code of this kind of warning.", examples=["hidden_rows"])
    detail: str = Field(description="Explanation, with the rows or the column.")


class TableReport(BaseModel):
    """How a table was read."""

    sheet: str | None = Field(default=None, description="The sheet of a workbook that was read; null for CSV.")
    header_row: int = Field(default=1, description="The row or line that contains the names of the columns.")
    columns: list[TableColumn] = Field(default=[], description="The columns, from left to right.")
    warnings: list[TableWarning] = Field(default=[], description="Warnings about the table as a whole.")

    def warn(self, code: str, detail: str) -> None:
        """Add a warning, if there is room for it."""
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(TableWarning(code=code, detail=detail))


def column_letters(number: int) -> str:
    """Return the letters of a column, counted from 1: A for 1, AA for 27."""
    letters = ""
    while number:
        remainder = (number - 1) % LETTERS
        letters = chr(ord("A") + remainder) + letters
        number = (number - 1) // LETTERS
    return letters


def column_of(pointer: str, moved: Mapping[str, str]) -> str:
    """Return the path of the column that contains the value at a JSON Pointer, or `@` and the letters of the column."""
    steps = pointer.split("/")
    for end in range(len(steps), 1, -1):
        if column := moved.get("/".join(steps[:end])):
            return column if column.startswith(AT_COLUMN) else ".".join([column, *steps[end:]])
    return ".".join(steps[1:])


def find_column(pointer: str, moved: Mapping[str, str], columns: Sequence[TableColumn]) -> TableColumn | None:
    """Return the column of a table that contains the value at a JSON Pointer, or None if no single column does.

    `moved` is the map of the line. A pointer to an object, such as `/title`, belongs to a column if only one column
    contains values of this object.
    """
    name = column_of(pointer, moved)
    if name.startswith(AT_COLUMN):
        return next((column for column in columns if column.letter == name[1:]), None)
    exact = [column for column in columns if column.path == name]
    inside = [column for column in columns if column.path and column.path.startswith(f"{name}.")]
    around = [column for column in columns if column.path and name.startswith(f"{column.path}.")]
    candidates = exact or around or inside
    return candidates[0] if len(candidates) == 1 else None
