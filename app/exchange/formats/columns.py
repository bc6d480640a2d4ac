"""The columns of one table, and the record of each of its rows.

A column is named by the path of its values in a record: `title.vi` is the Vietnamese title, `roles.0.partner` the
partner of the first role. A mapping says this for columns with other names. The paths and the types of their values
come from the JSON Schema of the resource, so every field of a resource is a column too.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

from app.core.errors import MAX_ERRORS, ErrorItem, Invalid
from app.core.model.resource import Resource
from app.core.values.garbled import garbled_as
from app.core.values.text import Suggestions
from app.exchange.formats.cell_values import Conventions, Kind
from app.exchange.formats.cells.conventions import Evidence
from app.exchange.formats.layout import is_blank
from app.exchange.formats.mapping import (
    ANY_ITEM,
    MappedColumn,
    MappingFields,
    Scalar,
    folded,
    kind_of_items,
    own_names,
    value_path,
)
from app.exchange.formats.options import TableOptions
from app.exchange.formats.schema_paths import (
    ListForm,
    Path,
    codes_of,
    column_names,
    date_path,
    form_at,
    is_label,
    kind_of,
)
from app.exchange.formats.source import Cell
from app.exchange.formats.table_report import MAX_COLUMNS, MAX_HEADER, TableColumn, TableReport, column_letters

MAX_NAMES = 20  # of columns in a warning
GARBLED_NAME = " Its name is garbled: it is in a wrong encoding, or written for old fonts."
LETTERS = re.compile(r"[A-Za-z]{1,3}")
ROW_NUMBERS = {"stt", "tt", "s.t.t", "số tt", "số thứ tự", "no", "no.", "#", "nr", "nr.", "s/n", "s.no", "s. no."}


@dataclass
class Column:
    """A column whose values become part of the record."""

    position: int  # from 0
    letter: str
    header: str
    path: Path
    kind: Kind
    conventions: Conventions
    separator: str | None = None
    values: dict[str, Scalar] | None = None
    multiply: float | None = None
    members: dict[str, Scalar] = field(default_factory=dict)
    form: ListForm | None = None  # of a column whose cells contain a whole list

    @cached_property
    def is_plain(self) -> bool:
        """Whether each cell has one value, which is stored as it is."""
        return ANY_ITEM not in self.path and self.values is None and self.multiply is None and self.form is None


def no_evidence() -> Evidence:
    """Return no conventions: no other cell proves any."""
    return Evidence()


class Columns:
    """The columns of one table, in the order of its header.

    Raise Invalid with an error for each column whose name is neither the path of a value in a record nor, with a
    mapping, a name in it. Columns that are to be ignored, and those that number the rows, are left out.
    """

    def __init__(
        self,
        resource: Resource,
        header: Sequence[Cell],
        options: TableOptions | None = None,
        mapping: MappingFields | None = None,
        report: TableReport | None = None,
        evidence: Callable[[], Evidence] = no_evidence,
    ) -> None:
        self.resource = resource
        self.report = report or TableReport()
        self.mapping = mapping
        self._options = options or TableOptions()
        self._evidence = evidence
        self.headers = ["" if is_blank(cell) else str(cell).strip() for cell in header]
        while self.headers and not self.headers[-1]:
            self.headers.pop()
        if not self.headers or len(self.headers) > MAX_COLUMNS:
            detail = f"{self._row()} must contain 1 to {MAX_COLUMNS} names of columns."
            raise Invalid(ErrorItem(code="unknown_column", detail=detail))
        self.columns = list(self._own_columns(mapping) if mapping else self._path_columns())
        self.required = {folded(name) for name in mapping.required} if mapping else set()
        self.by_position = {column.position: column for column in self.columns}
        self.nameless = [
            position
            for position, header in enumerate(self.headers)
            if not header and position not in self.by_position and not self._is_ignored(position)
        ]
        self._describe()

    def _row(self) -> str:
        """Return where the header is, as the start of a sentence."""
        row = f"Row {self.report.header_row}" if self.report.header_row > 1 else "The first row"
        return f"{row} of the sheet «{self.report.sheet}»" if self.report.sheet else row

    def _describe(self) -> None:
        for position, header in enumerate(self.headers):
            column = self.by_position.get(position)
            path = ".".join(column.path) if column else None
            described = TableColumn(letter=column_letters(position + 1), header=header[:MAX_HEADER], path=path)
            self.report.columns.append(described)

    def describe_conventions(self) -> None:
        """Add to the report by which conventions cells with two readings were read."""
        for column in self.columns:
            described = self.report.columns[column.position]
            for convention in sorted(column.conventions.used):
                is_stated = convention in (self._options.decimal, self._options.dates)
                described.read_by.append(f"{convention}: {'stated' if is_stated else 'proved by other cells'}")

    def _column(
        self, position: int, path: Path, mapped: MappedColumn | None = None, form: ListForm | None = None
    ) -> Column:
        steps = tuple("0" if step == ANY_ITEM else step for step in path)
        is_date = date_path(self.resource, steps) is not None
        kind = "date" if is_date else cast(Kind, "string" if form else kind_of_items(self.resource, path))
        has_words = mapped is not None and mapped.values is not None
        item = (*steps, "0") if form == "items" else steps
        codes = codes_of(self.resource, item) if kind == "string" and not has_words else None
        conventions = Conventions(position, self._options, self._evidence, set(), codes)
        letter = column_letters(position + 1)
        column = Column(position, letter, self.headers[position], path, kind, conventions, form=form)
        if mapped:
            column.separator = mapped.separator
            column.multiply = mapped.multiply
            column.members = mapped.members
            column.values = None if mapped.values is None else {folded(k): v for k, v in mapped.values.items()}
        return column

    def _path_columns(self) -> Iterator[Column]:
        """Yield the columns that are named by paths."""
        unknown = []
        seen: set[Path] = set()
        is_repeated = False
        for position, header in enumerate(self.headers):
            path = tuple(header.split("."))
            form = form_at(self.resource, path)
            if form or kind_of(self.resource, path) is not None:
                is_repeated = is_repeated or path in seen
                seen.add(path)
                if not self._is_ignored(position):
                    yield self._column(position, path, form=form)
            elif not (self._is_ignored(position) or folded(header) in ROW_NUMBERS or is_label(self.resource, header)):
                unknown.append((position, header))
        errors = self._unknown_columns(unknown)
        if is_repeated or _repeats(header for _, header in unknown):
            errors.append(ErrorItem(code="repeated", detail="Two columns have the same name."))
        if errors:
            raise Invalid(*errors)

    def _is_ignored(self, position: int) -> bool:
        names = self._options.ignored
        if folded(self.headers[position]) in {folded(name) for name in names}:
            return True
        return column_letters(position + 1) in {name.upper() for name in names if LETTERS.fullmatch(name)}

    def _unknown_columns(self, unknown: Sequence[tuple[int, str]]) -> list[ErrorItem]:
        """Return an error for each unknown column. Raise Invalid if there are too many."""
        if len(unknown) > MAX_ERRORS:
            detail = f"More than {MAX_ERRORS} columns are not paths of values in a record."
            raise Invalid(ErrorItem(code="unknown_column", detail=detail))
        suggestions = Suggestions()
        errors = []
        for position, header in unknown:
            letter = column_letters(position + 1)
            hint = GARBLED_NAME if garbled_as(header) else suggestions.similar_to(header, column_names(self.resource))
            hint = hint or f" To leave it out, add `ignore={letter}`."
            detail = f"Column {position + 1} ({letter}) is not the path of a value in a record.{hint}"
            errors.append(ErrorItem(code="unknown_column", detail=detail))
        if errors and self._is_elsewhere():
            detail = f"{self._row()} was read as the header. If it is another one, state `sheet` and `header_row`."
            errors.append(ErrorItem(code="unknown_column", detail=detail))
        return errors

    def _is_elsewhere(self) -> bool:
        return self.report.sheet is not None or self.report.header_row > 1

    def _own_columns(self, mapping: MappingFields) -> Iterator[Column]:
        """Yield the columns that a mapping names. Warn of others, and raise Invalid for names that are missing."""
        mapped = own_names(mapping)
        positions: dict[str, int] = {}
        repeated = False
        left_out = []
        for position, header in enumerate(self.headers):
            name = folded(header)
            if name in mapped and name not in positions and not self._is_ignored(position):
                positions[name] = position
            elif name in mapped:
                repeated = True
            elif header and not self._is_expected(position, mapping):
                left_out.append(f"{column_letters(position + 1)} «{header[:MAX_HEADER]}»")
        self._check_names(mapping, positions, repeated=repeated)
        if left_out:
            names = ", ".join(left_out[:MAX_NAMES])
            detail = f"The mapping does not name these columns, and they were left out: {names}."
            self.report.warn("left_out", detail)
        for name, position in positions.items():
            yield self._column(position, value_path(self.resource, mapped[name].to), mapped[name])

    def _is_expected(self, position: int, mapping: MappingFields) -> bool:
        """Return whether a column can be left out without a warning."""
        name = folded(self.headers[position])
        return (
            self._is_ignored(position) or name in {folded(ignored) for ignored in mapping.ignore} or name in ROW_NUMBERS
        )

    def _check_names(self, mapping: MappingFields, positions: dict[str, int], *, repeated: bool) -> None:
        errors = []
        for number, (name, column) in enumerate(mapping.columns.items(), 1):
            if folded(name) not in positions and not column.optional:
                detail = (
                    f"The table has no column with name {number} of the mapping. {self._row()} was read as its header."
                )
                errors.append(ErrorItem(code="unknown_column", detail=detail))
        if any(map(garbled_as, self.headers)):
            detail = (
                "The names of the columns are garbled: they are in a wrong encoding, or written for old fonts (TCVN3, "
                "VNI). Convert them to Unicode, and save the file as an XLSX workbook or as CSV UTF-8."
            )
            errors = [ErrorItem(code="garbled_text", detail=detail)]
        if repeated:
            errors.append(ErrorItem(code="repeated", detail="Two columns of the table have the same name."))
        if errors:
            raise Invalid(*errors[:MAX_ERRORS])


def _repeats(names: Iterator[str]) -> bool:
    texts = [name for name in names if name]
    return len(set(texts)) < len(texts)


def column_name_test(resource: Resource, mapping: MappingFields | None) -> Callable[[str], bool]:
    """Return the function that tells whether a cell is the name of a column, or a part of one that has several rows."""
    if mapping is None:
        return lambda cell: kind_of(resource, tuple(cell.strip().split("."))) is not None
    names: set[str] = set()
    for name in own_names(mapping):
        names.update((name, *(part.strip() for part in name.split(" / "))))
    return lambda cell: folded(cell) in names
