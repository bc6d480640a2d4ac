"""The record of one row of a table: its values at their paths, and the errors in its cells."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from app.core.errors import BadBody, ErrorItem
from app.core.model.validation import strict_json
from app.exchange.formats.cell_values import CLEARED, BadCell, CellValue, cell_value, json_number
from app.exchange.formats.cells.numbers import fits_currency
from app.exchange.formats.columns import Column, Columns
from app.exchange.formats.mapping import ANY_ITEM, folded, value_path
from app.exchange.formats.schema_paths import INDEX, SEPARATOR, Path
from app.exchange.formats.source import Row
from app.exchange.formats.table_report import AT_COLUMN
from app.exchange.formats.workbook.merges import ACROSS
from app.exchange.formats.workbook.number_formats import CURRENCY, PERCENT

FIRST_ADDED = 500  # number of the first item that a path with ANY_ITEM adds to a list: after all numbered ones
MAX_ADDED = 400
NO_JSON = "The cell must contain the list as JSON, such as `[{…}, {…}]`. An exported table shows how."
NO_TRANSLATION = "The mapping has no value for the text of this cell. Add it to `values`, or correct the cell."


@dataclass
class RowRecord:
    """The record of a row. `moved` leads from the pointers of values to their columns (see `find_column`)."""

    record: dict[str, Any] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    errors: list[ErrorItem] = field(default_factory=list)
    warnings: list[ErrorItem] = field(default_factory=list)


class _Builder:
    def __init__(self, columns: Columns, row: Row) -> None:
        self.columns = columns
        self.row = row
        self.result = RowRecord()
        self.tree: dict[str, Any] = {}
        self.units: list[tuple[Column, Path, CellValue]] = []  # numbers whose units are checked at the end
        self.added: dict[str, int] = {}  # how many items were added to a list
        self.origins: dict[str, str] = {}  # the column of an added item, by the path of the item

    def build(self) -> RowRecord:
        cells = self.row.cells or []
        marks = self.row.marks
        for column in self.columns.columns:
            cell = cells[column.position] if column.position < len(cells) else None
            mark = marks.get(column.position, "") if marks else ""
            if cell is None and not mark:  # most cells of a wide table
                continue
            try:
                if mark:
                    self._check_across(column, mark)
                value = cell_value(cell, mark, column.kind, column.conventions)
                if value is not None:
                    self._add(column, value)
            except BadCell as error:
                self._refuse(column, error)
        if not self.tree and not self.result.errors:
            return self.result
        self._add_constants()
        self._check_units()
        return self._finished()

    def _check_across(self, column: Column, mark: str) -> None:
        """Refuse a cell that is merged over several columns that are read."""
        if not mark.startswith(ACROSS):
            return
        last = int(mark.removeprefix(ACROSS))
        if any(position in self.columns.by_position for position in range(column.position + 1, last)):
            detail = "The cell is merged with cells of other columns. Unmerge it, and fill each of them."
            raise BadCell("merged_cells", detail)

    def _refuse(self, column: Column, error: BadCell) -> None:
        pointer = "/" + "/".join(step for step in column.path if step != ANY_ITEM)
        self.result.errors.append(ErrorItem(pointer=pointer, code=error.code, detail=error.detail))
        self.result.moved[pointer] = AT_COLUMN + column.letter

    def _add(self, column: Column, cell: CellValue) -> None:
        value = cell.value
        if column.form:
            self._add_list(column, str(value))
            return
        if column.is_plain:
            _set_value(self.tree, column.path, value)
            if cell.mark:
                self.units.append((column, column.path, cell))
            return
        parts = [part.strip() for part in str(value).split(column.separator)] if column.separator else [value]
        for part in parts:
            if part == "":
                continue
            path = self._item_path(column) if ANY_ITEM in column.path else column.path
            translated = _translated(column, part)
            if column.multiply and isinstance(translated, int | float) and not isinstance(translated, bool):
                translated = json_number(Decimal(str(translated)) * Decimal(str(column.multiply)))
            _set_value(self.tree, path, translated)
            if cell.mark:
                self.units.append((column, path, cell))

    def _add_list(self, column: Column, text: str) -> None:
        """Add the list of one cell, which replaces that of the record."""
        _set_value(self.tree, column.path, text if text == CLEARED else _list_of(column, text))
        self.result.moved["/" + "/".join(column.path)] = AT_COLUMN + column.letter

    def _item_path(self, column: Column) -> Path:
        """Return the path of the next item that the column adds to a list, and add its other members."""
        index = column.path.index(ANY_ITEM)
        parent = ".".join(column.path[:index])
        count = self.added.get(parent, 0)
        if count == MAX_ADDED:
            raise BadCell("invalid_value", f"The cell contains more than {MAX_ADDED} items.")
        self.added[parent] = count + 1
        start = (*column.path[:index], str(FIRST_ADDED + count))
        self.origins[".".join(start)] = AT_COLUMN + column.letter
        for name, value in column.members.items():
            _set_value(self.tree, (*start, *name.split(".")), value)
        return (*start, *column.path[index + 1 :])

    def _add_constants(self) -> None:
        mapping = self.columns.mapping
        for name, value in mapping.constants.items() if mapping else ():
            path = value_path(self.columns.resource, name)
            if self._needs(path):
                _set_value(self.tree, path, value)

    def _needs(self, path: Path) -> bool:
        """Return whether the record needs a constant: not for an item of a list whose columns are all blank."""
        if path[0] in self.tree and not isinstance(self.tree[path[0]], dict):
            return False
        index = next((position for position, step in enumerate(path) if INDEX.fullmatch(step)), None)
        if index is None:
            return True
        item = path[: index + 1]
        has_columns = any(column.path[: index + 1] == item for column in self.columns.columns)
        return not has_columns or _value_at(self.tree, item) is not None

    def _check_units(self) -> None:
        for column, path, cell in self.units:
            unit = _value_at(self.tree, (*path[:-1], "unit"))
            try:
                self._check_unit(cell.mark, unit, path)
            except BadCell as error:
                self._refuse(column, error)

    def _check_unit(self, mark: str, unit: Any, path: Path) -> None:
        if mark == PERCENT and unit != "percent":
            detail = "The cell contains a percentage, but the unit of the row is not percent."
            raise BadCell("other_unit", detail)
        if not mark.startswith(CURRENCY):
            return
        symbol = mark.removeprefix(CURRENCY)
        if unit is None:
            detail = f"The cell shows the currency «{symbol}», and the row has no unit to compare it with."
            pointer = "/" + "/".join(path)
            self.result.warnings.append(ErrorItem(pointer=pointer, code="other_unit", detail=detail))
        elif not fits_currency(symbol, str(unit)):
            detail = f"The cell shows the currency «{symbol}», which does not fit the unit of the row."
            raise BadCell("other_unit", detail)

    def _finished(self) -> RowRecord:
        record = {name: self._with_lists(value, f"/{name}", name) for name, value in self.tree.items()}
        self.result.record = {name: value for name, value in record.items() if value is not None}
        return self.result

    def _with_lists(self, value: Any, pointer: str, column: str) -> Any:
        """Return the tree with a list in place of each object whose keys are numbers, and joined dates.

        The numbers in the names of columns may have gaps, the items of a list have none: the values of `roles.1` and
        `roles.3` become items 0 and 1. `moved` then contains `/roles/0: roles.1` and `/roles/1: roles.3`.
        """
        if not isinstance(value, dict):
            return value
        if value and value.keys() <= {"earliest", "latest"}:
            return self._joined(value, pointer, column)
        if not all(map(INDEX.fullmatch, value)):
            return {name: self._with_lists(value[name], f"{pointer}/{name}", f"{column}.{name}") for name in value}
        items = []
        for position, number in enumerate(sorted(value, key=int)):
            name = f"{column}.{number}"
            if name in self.origins or str(position) != number:
                self.result.moved[f"{pointer}/{position}"] = self.origins.get(name, name)
            items.append(self._with_lists(value[number], f"{pointer}/{position}", name))
        return items

    def _joined(self, ends: dict[str, Any], pointer: str, column: str) -> str:
        """Return the two ends of a date as one EDTF interval."""
        first = "earliest" if "earliest" in ends else "latest"
        path = (*column.split("."), first)
        letters = [candidate.letter for candidate in self.columns.columns if candidate.path == path]
        if letters and CLEARED not in ends.values():  # a blank end keeps that of the record: see merged_row
            self.result.moved[pointer] = AT_COLUMN + letters[0]
        if set(ends.values()) == {CLEARED}:
            return CLEARED
        start = ends.get("earliest", "..")
        end = ends.get("latest", "..")
        if CLEARED in (start, end):  # one end is removed, and the other one stated
            start = ".." if start == CLEARED else start
            end = ".." if end == CLEARED else end
        return str(start) if start == end else f"{start}/{end}"


def row_record(columns: Columns, row: Row) -> RowRecord:
    """Return the record of a row, without members for empty cells. It is empty for a blank row."""
    return _Builder(columns, row).build()


def _list_of(column: Column, text: str) -> list[Any] | dict[str, Any]:
    """Return the items of a cell: JSON, or values with semicolons between them."""
    if column.form == "items" and not text.startswith("["):
        return [part for part in map(str.strip, text.split(SEPARATOR)) if part]
    try:
        value = strict_json(text.encode())
    except BadBody:
        value = None
    if not isinstance(value, list | dict):
        raise BadCell("invalid_value", NO_JSON)
    return value


def _translated(column: Column, value: Any) -> Any:
    if column.values is None or value == CLEARED:
        return value
    name = folded(value)
    if name not in column.values:
        raise BadCell("no_translation", NO_TRANSLATION)
    return column.values[name]


def _set_value(tree: dict[str, Any], path: Path, value: Any) -> None:
    for step in path[:-1]:
        branch = tree.setdefault(step, {})
        tree = branch if isinstance(branch, dict) else {}  # of `period` and `period.edtf`, the first column counts
    tree.setdefault(path[-1], value)


def _value_at(tree: Any, path: Path) -> Any:
    for step in path:
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tree
