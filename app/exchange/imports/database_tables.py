"""The tables of imports and their lines."""

from sqlalchemy import Boolean, Index, Integer, Table, Text, false
from sqlmodel import Field, SQLModel

from app.core.database.tables import BYTEWISE
from app.core.maintenance.redact import TEXTS
from app.core.values.codelists import Code, CodeList

MODE = CodeList(
    "import_mode",
    "What happens to the other lines of an import when some are refused.",
    {"all": Code("All lines or none", "Tất cả hoặc không gì"), "rows": Code("Each line by itself", "Từng dòng một")},
)

STATUS = CodeList(
    "import_status",
    "The status of an import.",
    {
        "receiving": Code("Being received", "Đang nhận"),
        "waiting": Code("Waiting", "Đang chờ"),
        "running": Code("Running", "Đang chạy"),
        "done": Code("Done", "Đã xong"),
        "refused": Code("Nothing was written because lines were refused", "Không ghi gì: có dòng bị từ chối"),
        "failed": Code("Failed", "Đã dừng"),
        "cancelled": Code("Cancelled", "Đã hủy"),
    },
)
OPEN = ("receiving", "waiting", "running")

# The status of an import that was deleted or not received, until its lines are deleted too. Clients do not see it.
DELETED = "deleted"

MISSING = CodeList(
    "import_missing",
    "What happens to records that a complete file does not contain.",
    {
        "list": Code("They are listed", "Chỉ liệt kê"),
        "withdraw": Code("They become drafts", "Chuyển thành bản nháp"),
    },
)

VERDICT = CodeList(
    "import_verdict",
    "The result of a line; in a dry run, the result that it would have.",
    {
        "created": Code("Created", "Tạo mới"),
        "updated": Code("Updated", "Sửa"),
        "unchanged": Code("Unchanged", "Không đổi"),
        "refused": Code("Refused", "Từ chối"),
        "absent": Code("Not in the file", "Không có trong tệp"),
    },
)
COUNTS = tuple(VERDICT.codes)  # columns of an import: the number of lines with each verdict


class Import(SQLModel, table=True):
    """An import. Until `claimed_until`, only the process with this `claim` may run it."""

    __tablename__ = "imports"
    __table_args__ = (Index(None, "key", "id"), Index(None, "status", "claimed_until"))

    id: str = Field(sa_type=BYTEWISE, primary_key=True)
    key: str | None = Field(sa_type=BYTEWISE, description="The key that sent the file; NULL: the command line.")
    partner: str | None = Field(sa_type=BYTEWISE, description="On the command line: only records that it manages.")
    resource: str | None = Field(sa_type=BYTEWISE, description="The resource of a table; NULL: each line states it.")
    mode: str = Field(sa_type=BYTEWISE)
    dry_run: bool = Field(sa_type=Boolean)
    status: str = Field(sa_type=BYTEWISE)
    reason: str | None = Field(default=None, sa_type=Text)
    created_at: str = Field(sa_type=BYTEWISE)
    finished_at: str | None = Field(default=None, sa_type=BYTEWISE)
    lines: int = Field(default=0, sa_type=Integer)
    created: int = Field(default=0, sa_type=Integer)
    updated: int = Field(default=0, sa_type=Integer)
    unchanged: int = Field(default=0, sa_type=Integer)
    refused: int = Field(default=0, sa_type=Integer)
    absent: int = Field(default=0, sa_type=Integer, sa_column_kwargs={"server_default": "0"})
    complete: bool = Field(default=False, sa_type=Boolean, sa_column_kwargs={"server_default": false()})
    missing: str = Field(default="list", sa_type=BYTEWISE, sa_column_kwargs={"server_default": "list"})
    bytes: int = Field(
        default=0,
        sa_type=Integer,
        sa_column_kwargs={"server_default": "0"},
        description="The sizes of its lines. While it runs, the lines that were processed can count twice.",
    )
    report: str | None = Field(  # JSON: how a table or an IATI file was read, with names as they are in the file.
        default=None, sa_type=Text, sa_column_kwargs={"info": {TEXTS: "report"}}
    )
    claim: str = Field(sa_type=BYTEWISE)
    claimed_until: str = Field(sa_type=BYTEWISE)
    attempts: int = Field(default=0, sa_type=Integer)


# These columns contain JSON with texts of records, so a redaction removes texts from them too.
LINE_CONTENT = {"info": {TEXTS: "line"}}


class StoredLine(SQLModel, table=True):
    """A line of an import. `record` is JSON, and is deleted with the verdict or, in a dry run, at the end.

    `moved` is explained at ParsedLine. `errors_json` and `read_errors` write and read `errors` and `warnings`.
    `outcome` is the record as a dry run would write it, and `resolved` has the records that the names in its links
    mean. `size` is the number of bytes that the line takes, with an estimate for the row itself.
    """

    __tablename__ = "import_lines"
    __table_args__ = (Index(None, "import_id", "verdict", "number"),)

    import_id: str = Field(sa_type=BYTEWISE, primary_key=True, foreign_key="imports.id", ondelete="CASCADE")
    number: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    record: str | None = Field(sa_type=Text, sa_column_kwargs={"name": "given", **LINE_CONTENT})
    moved: str | None = Field(sa_type=Text)
    verdict: str | None = Field(sa_type=BYTEWISE)
    resource: str | None = Field(sa_type=BYTEWISE)
    record_id: str | None = Field(sa_type=BYTEWISE)
    matched_by: str | None = Field(sa_type=BYTEWISE)
    errors: str | None = Field(sa_type=Text, sa_column_kwargs=LINE_CONTENT)
    warnings: str | None = Field(sa_type=Text, sa_column_kwargs=LINE_CONTENT)
    diff: str | None = Field(sa_type=Text, sa_column_kwargs=LINE_CONTENT)
    outcome: str | None = Field(sa_type=Text, sa_column_kwargs=LINE_CONTENT)
    resolved: str | None = Field(sa_type=Text, sa_column_kwargs=LINE_CONTENT)
    size: int = Field(default=0, sa_type=Integer, sa_column_kwargs={"server_default": "0"})


# The tables themselves, for statements about many rows and for compiled reads.
IMPORTS: Table = SQLModel.metadata.tables["imports"]
LINES: Table = SQLModel.metadata.tables["import_lines"]
