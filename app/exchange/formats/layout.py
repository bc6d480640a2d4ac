"""Where the table in a file is: which sheet contains it, and which row is its header.

Both follow from names of columns that are known: paths of values, or the names in a mapping. Cover sheets, titles above
the table and hidden lists of codes have none of them.
"""

from collections.abc import Callable, Sequence

from app.core.errors import ErrorItem, Invalid
from app.exchange.formats.mapping import folded
from app.exchange.formats.options import TableOptions
from app.exchange.formats.source import Cell, Head
from app.exchange.formats.table_report import TableReport

MAX_NAMES = 10  # of sheets in a message
LIKELY_TABLE = 2  # known names in one row: another sheet with that many also has a table

IsColumnName = Callable[[str], bool]


def is_blank(cell: Cell) -> bool:
    """Return whether a cell contains nothing that can be seen."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def score(cells: Sequence[Cell], is_column_name: IsColumnName) -> int:
    """Return how many cells of a row are known names of columns."""
    return sum(isinstance(cell, str) and not is_blank(cell) and is_column_name(cell) for cell in cells)


def header_row(rows: Sequence[tuple[int, list[Cell]]], is_column_name: IsColumnName) -> tuple[int, int]:
    """Return the row that is most likely the header, and its score: the first row if no name is known."""
    filled = [(number, cells) for number, cells in rows if not all(map(is_blank, cells))]
    best = (filled[0][0] if filled else 1, 0)
    for number, cells in filled:
        matches = score(cells, is_column_name)
        if matches > best[1]:
            best = (number, matches)
    return best


def choose_table(
    heads: Sequence[Head], options: TableOptions, is_column_name: IsColumnName, report: TableReport
) -> tuple[int, int]:
    """Return the position of the sheet with the table, and the row of its header. Add warnings to the report.

    Raise Invalid if the sheet that the options state does not exist.
    """
    candidates = _candidates(heads, options.sheet)
    tables = {position: header_row(heads[position].rows, is_column_name) for position in candidates}
    chosen = max(candidates, key=lambda position: (tables[position][1], bool(heads[position].rows)))
    if options.sheet is None:
        _warn_of_others(heads, chosen, is_column_name, report)
    report.sheet = heads[chosen].sheet
    report.header_row = options.header_row or tables[chosen][0]
    return chosen, report.header_row


def _candidates(heads: Sequence[Head], stated: str | None) -> list[int]:
    if stated is None:
        visible = [position for position, head in enumerate(heads) if not head.is_hidden]
        return visible or list(range(len(heads)))
    named = [position for position, head in enumerate(heads) if folded(head.sheet) == folded(stated)]
    if not named and stated.isascii() and stated.isdigit() and 0 < int(stated) <= len(heads):
        named = [int(stated) - 1]
    if not named:
        names = ", ".join(f"«{head.sheet}»" for head in heads[:MAX_NAMES])
        detail = f"The workbook has no sheet with this name or number. Its sheets are {names}."
        raise Invalid(ErrorItem(parameter="sheet", code="invalid_value", detail=detail))
    return named


def _warn_of_others(heads: Sequence[Head], chosen: int, is_column_name: IsColumnName, report: TableReport) -> None:
    """Warn if other sheets seem to have tables too."""
    others = [
        f"«{head.sheet}»"
        for position, head in enumerate(heads)
        if position != chosen and header_row(head.rows, is_column_name)[1] >= LIKELY_TABLE
    ]
    if others:
        names = ", ".join(others[:MAX_NAMES])
        detail = f"Other sheets seem to contain tables too: {names}. Send the file again with `sheet` to read them."
        report.warn("other_sheets", detail)
