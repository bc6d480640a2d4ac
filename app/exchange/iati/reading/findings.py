"""What became of each element of a file: it was imported, or it was not, with the reason."""

from collections import Counter
from collections.abc import Iterator

from pydantic import BaseModel, Field

from app.core.values.codelists import Code, CodeList
from app.exchange.formats.lines import SourceError
from app.exchange.iati.reading.parser import Node

IMPORTED = "imported"
UNREAD = CodeList(
    "iati_not_imported",
    "Why an element of an IATI file that was imported is in no record.",
    {
        "no_member": Code("Records have no member for it.", "Bản ghi không có trường tương ứng."),
        "empty": Code("It contains nothing.", "Phần tử không có nội dung."),
        "unknown_code": Code(
            "Its code is not in the list of the standard.", "Mã không có trong bảng mã của tiêu chuẩn."
        ),
        "own_vocabulary": Code(
            "Its code is of a vocabulary that the registry does not have.", "Mã thuộc bảng mã mà sổ đăng ký không có."
        ),
        "bad_date": Code("It is not a date of the calendar.", "Không phải là ngày có trong lịch."),
        "no_number": Code(
            "It is not a number, or has more than 15 digits.", "Không phải là số, hoặc có hơn 15 chữ số."
        ),
        "no_currency": Code("It states no currency of ISO 4217.", "Không nêu loại tiền theo ISO 4217."),
        "no_date": Code("It states no date and no period.", "Không nêu ngày hay khoảng thời gian."),
        "date_order": Code("The end is before the start.", "Ngày kết thúc trước ngày bắt đầu."),
        "other_date": Code(
            "The activity also states the actual date, which is kept.",
            "Hoạt động cũng nêu ngày thực tế và ngày đó được giữ lại.",
        ),
        "other_text": Code(
            "Another text in the same language is kept.", "Một văn bản khác cùng ngôn ngữ được giữ lại."
        ),
        "repeated": Code("The same is stated elsewhere in the activity.", "Nội dung này đã nêu ở chỗ khác."),
        "too_long": Code("The text is too long.", "Văn bản quá dài."),
        "too_many": Code("A record cannot have so many.", "Một bản ghi không thể có nhiều như vậy."),
        "contact": Code("Names and addresses of persons are not imported.", "Không nhập tên và địa chỉ của cá nhân."),
        "several_organisations": Code(
            "Several organisations of the file have this name, and it states no reference.",
            "Nhiều tổ chức trong tệp có tên này mà phần tử không nêu mã.",
        ),
        "not_in_file": Code("The related activity is not in the file.", "Hoạt động liên quan không có trong tệp."),
        "refused": Code("The record is refused.", "Bản ghi bị từ chối."),
    },
)
MAX_PATHS = 1_000  # that the report lists
MAX_PATH = 500  # characters of one
MAX_LINES = 5  # of the file, as examples
OTHER = "…"  # the path of elements beyond these


class ReadElement(BaseModel):
    """The elements of a file that have the same path."""

    path: str = Field(description="The names of the elements, from the activity on.", examples=["iati-activity/title"])
    count: int = Field(description="How many the file has.")
    imported: int = Field(description="How many of them are in records.")


class UnreadElement(BaseModel):
    """Elements with the same path that are in no record, for one reason."""

    path: str = Field(description="The names of the elements, from the activity on.")
    reason: str = Field(description="A code of the list `iati_not_imported`.", examples=["no_member"])
    count: int = Field(description="How many elements.")
    lines: list[int] = Field(description="Lines of the file in which the first of them are.")


class IatiReport(BaseModel):
    """How an IATI file of another program was read."""

    version: str = Field(description="The version of the standard that the file states.")
    sha256: str = Field(description="The SHA-256 of the file.")
    publishers: list[str] = Field(description="References of the first organisations that report activities.")
    elements: list[ReadElement] = Field(description="All elements, by their paths.")
    not_imported: list[UnreadElement] = Field(description="The elements that are in no record.")


class Tally:
    """Counts what became of the elements of a file."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()
        self._imported: Counter[str] = Counter()
        self._unread: dict[tuple[str, str], list[int]] = {}
        self._unread_count: Counter[tuple[str, str]] = Counter()

    def add(self, node: Node) -> None:
        """Add an element that was read, with those in it. Those that nobody has looked at have no member."""
        stack = [(node, node.name, "no_member")]
        while stack:
            element, own_path, inherited = stack.pop()
            fate = element.fate or inherited
            is_listed = own_path in self._count or (len(self._count) < MAX_PATHS and len(own_path) <= MAX_PATH)
            place = own_path if is_listed else OTHER
            self._count[place] += 1
            if fate == IMPORTED:
                self._imported[place] += 1
            else:
                self._unread_count[place, fate] += 1
                lines = self._unread.setdefault((place, fate), [])
                if len(lines) < MAX_LINES:
                    lines.append(element.line)
            inner = "no_member" if fate == IMPORTED else fate
            stack += [(child, f"{own_path}/{child.name}", inner) for child in element.children]

    def report(self, version: str, sha256: str, publishers: list[str]) -> IatiReport:
        """Return the report."""
        elements = [
            ReadElement(path=path, count=count, imported=self._imported[path])
            for path, count in sorted(self._count.items())
        ]
        unread = [
            UnreadElement(path=path, reason=reason, count=count, lines=self._unread[path, reason])
            for (path, reason), count in sorted(self._unread_count.items())
        ]
        return IatiReport(version=version, sha256=sha256, publishers=publishers, elements=elements, not_imported=unread)


def keep(*nodes: Node | None) -> None:
    """Note that elements, and all that is in them, are imported, unless something else was noted already."""
    stack = [node for node in nodes if node is not None]
    while stack:
        node = stack.pop()
        if node.fate is None:
            node.fate = IMPORTED
        stack += node.children


def paths_in(node: Node) -> Iterator[tuple[Node, str]]:
    """Yield the elements in an element with their paths, in the order of the file."""
    stack = [(node, f"/{node.name}")]
    while stack:
        element, path = stack.pop()
        yield element, path
        if not element.children:
            continue
        seen: Counter[str] = Counter()
        inner = []
        for child in element.children:
            seen[child.name] += 1
            inner.append((child, f"{path}/{child.name}[{seen[child.name]}]"))
        stack += reversed(inner)


class Paths:
    """The paths of the elements in an activity, read when one is asked for."""

    def __init__(self, root: Node) -> None:
        self._root = root
        self._by_element: dict[int, str] = {}

    def of(self, node: Node) -> str:
        """Return the path of an element."""
        if not self._by_element:
            self._by_element = {id(element): path for element, path in paths_in(self._root)}
        return self._by_element.get(id(node), "")


SILENT = frozenset({None, IMPORTED, "empty", "contact", "repeated", "other_date"})  # what no person has to check


def _has_findings(node: Node) -> bool:
    stack = [node]
    while stack:
        element = stack.pop()
        if element.fate not in SILENT:
            return True
        stack += element.children
    return False


def warnings_of(node: Node) -> Iterator[SourceError]:
    """Yield a warning for each element of an activity whose content could not be used."""
    for element, path in paths_in(node) if _has_findings(node) else ():
        if element.fate not in SILENT:
            detail = UNREAD.codes[element.fate or ""].en
            yield SourceError(code="not_imported", detail=detail, source_line=element.line, path=path)
