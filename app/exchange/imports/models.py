"""Imports as they are kept and shown: what was sent, how far it is, and what became of each line."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, bindparam, select
from sqlmodel import SQLModel

from app.core.database.tables import BYTEWISE
from app.core.errors import ErrorItem
from app.core.maintenance.redact import TEXTS
from app.core.reading.history import FieldChange
from app.core.values.codelists import Code, CodeList

MODE = CodeList(
    "import_mode",
    "What happens to the other lines of an import when some are refused.",
    {"all": Code("All lines or none", "Tất cả hoặc không gì"), "rows": Code("Each line by itself", "Từng dòng một")},
)

STATUS = CodeList(
    "import_status",
    "How far an import is.",
    {
        "receiving": Code("Being received", "Đang nhận"),
        "waiting": Code("Waiting", "Đang chờ"),
        "running": Code("Running", "Đang chạy"),
        "done": Code("Done", "Đã xong"),
        "refused": Code("Nothing was written: some lines were refused", "Không ghi gì: có dòng bị từ chối"),
        "failed": Code("Given up", "Đã dừng"),
    },
)

VERDICT = CodeList(
    "import_verdict",
    "What became of a line, or would become of it.",
    {
        "created": Code("Created", "Tạo mới"),
        "updated": Code("Updated", "Sửa"),
        "unchanged": Code("The same as before", "Không đổi"),
        "refused": Code("Refused", "Từ chối"),
    },
)

OPEN = ("receiving", "waiting", "running")

COUNTS = tuple(VERDICT.codes)

IMPORTS = Table(
    "imports",
    SQLModel.metadata,
    Column("id", BYTEWISE, primary_key=True),
    Column("key", BYTEWISE),  # whose; null: the command's
    Column("partner", BYTEWISE),  # for whom the command writes; null: for all
    Column("resource", BYTEWISE),  # of a table; null: each line says its own
    Column("mode", BYTEWISE, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("status", BYTEWISE, nullable=False),
    Column("reason", Text),
    Column("created_at", BYTEWISE, nullable=False),
    Column("finished_at", BYTEWISE),
    Column("lines", Integer, nullable=False),
    *(Column(name, Integer, nullable=False) for name in COUNTS),
    Column("claim", BYTEWISE, nullable=False),  # which process is at it, and until when nobody else takes it over
    Column("claimed_until", BYTEWISE, nullable=False),
    Column("attempts", Integer, nullable=False),
    Index(None, "key", "id"),
    Index(None, "status", "claimed_until"),
)

# JSON of what records say: a text that is taken down is taken from here too.
LINE_CONTENT = {TEXTS: "line"}

LINES = Table(
    "import_lines",
    SQLModel.metadata,
    Column("import_id", BYTEWISE, ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("given", Text, info=LINE_CONTENT),  # what it says, until it has a verdict
    Column("moved", Text),  # columns of a table that are not named like the place of their value in the record
    Column("verdict", BYTEWISE),
    Column("resource", BYTEWISE),
    Column("record_id", BYTEWISE),
    Column("matched_by", BYTEWISE),
    Column("errors", Text, info=LINE_CONTENT),
    Column("diff", Text, info=LINE_CONTENT),
    Index(None, "import_id", "verdict", "number"),
)

ONE = select(IMPORTS).where(IMPORTS.c.id == bindparam("import"))


class ImportShown(BaseModel):
    """An import: what was asked, how far it is, and how many lines came to what."""

    id: str
    resource: str | None = Field(description="The resource of a table; null: each line says its own.")
    mode: Annotated[str, MODE]
    dry_run: bool = Field(description="Whether it only says what would happen.")
    status: Annotated[str, STATUS]
    reason: str | None = Field(description="Why it was given up.")
    created_at: str
    finished_at: str | None
    lines: int = Field(description="Lines with something on them.")
    created: int
    updated: int
    unchanged: int
    refused: int


class ImportPage(BaseModel):
    """A page of imports, the latest first."""

    items: list[ImportShown]
    next: str | None = Field(description="Path of the next page; null at the end.")


class LineError(ErrorItem):
    """One thing that is wrong with a line."""

    column: str | None = Field(default=None, description="The column of a table that it is in.")


class LineShown(BaseModel):
    """What became of a line or, of a dry run and where nothing was written, what would."""

    number: int = Field(description="Line of the file, or row of the sheet, counted from 1.")
    verdict: Annotated[str, VERDICT] | None = Field(description="null: it is not its turn yet.")
    resource: str | None
    id: str | None = Field(description="Id of the record.")
    matched_by: Literal["identifier", "name", "title"] | None = Field(
        description="For a line without id: how its record was found among those that are there."
    )
    errors: list[LineError] = Field(description="Why it is refused.")
    diff: list[FieldChange] = Field(description="What an update changes.")


class LinePage(BaseModel):
    """A page of lines, in the order of the file."""

    items: list[LineShown]
    next: str | None = Field(description="Path of the next page; null at the end.")


class Sending(BaseModel):
    """How a file is to be taken."""

    model_config = ConfigDict(extra="forbid")

    resource: str | None = Field(
        default=None, max_length=40, description="The resource of a CSV or XLSX table; not for JSON Lines."
    )
    mode: Annotated[str, MODE] = Field(
        default="all", description="`all`: all lines or none. `rows`: each line by itself."
    )
    dry_run: bool = Field(default=False, description="Write nothing; say what would become of each line.")
