"""Imports as clients send and read them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.core.reading.history import FieldChange
from app.exchange.formats.lines import SourceError
from app.exchange.formats.options import TableOptions
from app.exchange.formats.table_report import TableReport
from app.exchange.iati.reading.findings import IatiReport
from app.exchange.imports.database_tables import MISSING, MODE, STATUS, VERDICT


class ImportOptions(BaseModel):
    """How a file is imported."""

    model_config = ConfigDict(extra="forbid")

    resource: str | None = Field(
        default=None, max_length=40, description="The resource of a CSV or XLSX table. Not allowed for JSON Lines."
    )
    mode: Annotated[str, MODE] = Field(
        default="all",
        description="`all`: if a line is refused, nothing is written. `rows`: the other lines are written.",
    )
    dry_run: bool = Field(default=False, description="Write nothing, and report the verdict that each line would get.")
    complete: bool = Field(
        default=False,
        description="The file contains all records of these resources that the partner of the key manages. Its other "
        "published records get lines with the verdict `absent`, after those of the file.",
    )
    missing: Annotated[str, MISSING] = Field(
        default="list",
        description="With `complete=true`: `withdraw` turns the records that are not in the file into drafts.",
    )


class SendOptions(ImportOptions, TableOptions):
    """How a file is imported, and how its table is read."""

    mapping: str | None = Field(
        default=None, max_length=60, description="Name of a stored mapping, for a table with columns of its own."
    )

    @property
    def table_options(self) -> TableOptions:
        """How the table is read."""
        return TableOptions(**self.model_dump(include=set(TableOptions.model_fields)))

    @property
    def import_options(self) -> ImportOptions:
        """How the file is imported."""
        return ImportOptions(**self.model_dump(include=set(ImportOptions.model_fields)))


class ImportShown(BaseModel):
    """An import: its options, its status and the number of lines with each verdict."""

    id: str = Field(description="Id of the import, which is part of its path.")
    resource: str | None = Field(description="The resource of a table; null for JSON Lines, whose lines state it.")
    mode: Annotated[str, MODE] = Field(
        description="Whether one refused line stops the whole import: a code of the list `import_mode`."
    )
    dry_run: bool = Field(description="Whether nothing is written and the verdicts are only reported.")
    complete: bool = Field(description="Whether the file contains all records of the partner of the key.")
    missing: Annotated[str, MISSING] = Field(
        description="What happens to records that a complete file lacks: a code of the list `import_missing`."
    )
    status: Annotated[str, STATUS] = Field(description="How far the import is: a code of the list `import_status`.")
    reason: str | None = Field(description="Why the import failed; null if it did not.")
    created_at: str = Field(description="Time at which the file was received (RFC 3339, UTC).")
    finished_at: str | None = Field(description="Time at which the last line was processed; null before that.")
    lines: int = Field(description="Number of lines that are not blank.")
    created: int = Field(description="Number of lines that made a new record.")
    updated: int = Field(description="Number of lines that changed a record.")
    unchanged: int = Field(description="Number of lines that say what their record already says.")
    refused: int = Field(description="Number of lines that cannot be written. Their `errors` say why.")
    absent: int = Field(description="Number of records that a complete file does not contain.")
    bytes: int = Field(description="Size of the lines in bytes, as it counts for the quota of the key.")


class ImportDetail(ImportShown):
    """An import, and how its table was read."""

    table: TableReport | None = Field(description="How a CSV or XLSX table was read; null for other files.")
    iati: IatiReport | None = Field(description="How an IATI file of another program was read; null for other files.")


class ImportPage(BaseModel):
    """A page of imports, the latest first."""

    items: list[ImportShown] = Field(description="The imports of this page, the latest first.")
    next: str | None = Field(description="Path of the next page; null on the last page.")


class LineError(SourceError):
    """An error or a warning in a line."""

    column: str | None = Field(default=None, description="The name of the column of a table that contains the value.")
    cell: str | None = Field(default=None, description="The cell of a table that contains the value.", examples=["E7"])


class ResolvedName(BaseModel):
    """A name, a code or an id in a link, and the record that it means."""

    pointer: str = Field(description="JSON Pointer (RFC 6901) to the link in the record.")
    text: str = Field(description="The text of the line, at most 200 characters.")
    resource: str = Field(description="The resource of the record.")
    id: str = Field(description="The id of the record.")
    how: Literal["id", "name", "alternative_name", "code"] = Field(description="How the text identifies the record.")
    name: str | None = Field(default=None, description="The name of the record; null if it is a record of the file.")
    country: str | None = Field(default=None, description="The id of the country of a partner.")
    others: list[str] = Field(
        default=[], description="Ids of other records with this name, such as one of another country or time."
    )
    column: str | None = Field(default=None, description="The name of the column of a table.")
    cell: str | None = Field(default=None, description="The cell of a table.", examples=["F2"])


class LineShown(BaseModel):
    """A line with its verdict. If the import wrote nothing, the verdict is the one that the line would have had."""

    number: int = Field(description="Line of the file, or row of the sheet, counted from 1.")
    verdict: Annotated[str, VERDICT] | None = Field(description="null until the line was processed.")
    resource: str | None = Field(description="Plural name of the resource of the record; null if the line states none.")
    id: str | None = Field(description="Id of the record.")
    matched_by: Literal["identifier", "name", "title", "deleted", "absent"] | None = Field(
        description="How the record of a line without id was found; null if the line has an id or creates a record. "
        "`deleted`: the line has the id of a deleted record, and restores it. "
        "`absent`: the line stands for a record that the file does not contain."
    )
    errors: list[LineError] = Field(description="Why the line is refused.")
    warnings: list[LineError] = Field(
        description="Warnings, which a person should check. A line is not refused because of a warning."
    )
    resolved: list[ResolvedName] = Field(
        description="What the names and codes in its links mean. In a dry run, also the links that contain ids."
    )
    record: dict[str, Any] | None = Field(
        description="In a dry run, the record as it would be; null if the line is refused or the record is too large."
    )
    diff: list[FieldChange] | None = Field(
        description="What an update changes; null if that is too large to be stored."
    )


class LinePage(BaseModel):
    """A page of lines, in the order of the file."""

    items: list[LineShown] = Field(description="The lines of this page, in the order of the file.")
    next: str | None = Field(description="Path of the next page; null on the last page.")
