"""Hostile workbooks and zip files, written part by part: no library would write them."""

import io
import itertools
import struct
import zipfile
from collections.abc import Iterable
from functools import cache

NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PARTS = "application/vnd.openxmlformats-officedocument.spreadsheetml"
HEADER = ("id", "title.en", "kind", "status")


def text_cell(text: str) -> str:
    """A cell with a text of its own."""
    return f'<c t="inlineStr"><is><t>{text}</t></is></c>'


def rows_of(rows: Iterable[Iterable[str]]) -> str:
    """Rows of cells that are written already."""
    return "".join(f"<row>{''.join(cells)}</row>" for cells in rows)


def workbook(rows: str, *, shared: Iterable[str] = (), styles: str = "", names: str = "") -> bytes:
    """A workbook with one sheet, and with the shared strings, number format and defined names that are given."""
    sheet = f"<worksheet {NAMESPACE}><sheetData>{rows}</sheetData></worksheet>"
    kinds: dict[str, tuple[str, Iterable[str]]] = {"worksheet": ("worksheets/sheet1", [sheet])}
    if shared:
        strings = (f"<si><t>{text}</t></si>" for text in shared)
        kinds["sharedStrings"] = ("sharedStrings", itertools.chain([f"<sst {NAMESPACE}>"], strings, ["</sst>"]))
    if styles:
        kinds["styles"] = ("styles", [_styles(styles)])
    relations = "".join(
        f'<Relationship Id="r{number}" Type="{DOCUMENT}/{kind}" Target="{target}.xml"/>'
        for number, (kind, (target, _)) in enumerate(kinds.items(), 1)
    )
    overrides = "".join(
        f'<Override PartName="/xl/{target}.xml" ContentType="{PARTS}.{kind}+xml"/>'
        for kind, (target, _) in kinds.items()
    )
    texts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{PARTS}.sheet.main+xml"/>{overrides}</Types>',
        "_rels/.rels": _relationships(
            f'<Relationship Id="r1" Type="{DOCUMENT}/officeDocument" Target="xl/workbook.xml"/>'
        ),
        "xl/workbook.xml": f'<workbook {NAMESPACE} xmlns:r="{DOCUMENT}"><sheets>'
        f'<sheet name="s" sheetId="1" r:id="r1"/></sheets>{names}</workbook>',
        "xl/_rels/workbook.xml.rels": _relationships(relations),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
        for target, pieces in kinds.values():
            with archive.open(f"xl/{target}.xml", "w") as part:
                part.writelines(map(str.encode, pieces))
    return file.getvalue()


def long_mark(kind: str, letters: int) -> bytes:
    """A workbook with one long text where a regular expression may read it: in `titles`, `area` or `format`."""
    rows = rows_of([[text_cell("id")]])
    if kind == "format":
        return workbook(rows, styles="[" * letters + "y")
    name, letter = {"titles": ("Print_Titles", "#"), "area": ("Print_Area", "'")}[kind]
    defined = f'<definedName name="_xlnm.{name}" localSheetId="0">{letter * letters}</definedName>'
    return workbook(rows, names=f"<definedNames>{defined}</definedNames>")


def repeated_string(rows: int, letters: int) -> bytes:
    """A workbook each of whose rows names the same long shared string."""
    shared_cell = '<c t="s"><v>0</v></c>'
    lines = [
        [text_cell(f"y{number}"), shared_cell, text_cell("project"), text_cell("active")] for number in range(rows)
    ]
    return workbook(rows_of([map(text_cell, HEADER), *lines]), shared=["a" * letters])


@cache
def many_strings(count: int, letters: int) -> bytes:
    """A workbook with so many shared strings, all of which have to be kept while it is read."""
    line = [text_cell("y"), '<c t="s"><v>0</v></c>', text_cell("project"), text_cell("active")]
    return workbook(rows_of([map(text_cell, HEADER), line]), shared=["a" * letters] * count)


def empty_cells(rows: int, columns: int) -> bytes:
    """A workbook with so many cells without a value."""
    line = f"<row>{'<c/>' * columns}</row>"
    return workbook(rows_of([map(text_cell, HEADER)]) + line * rows)


def crowded_directory(entries: int) -> bytes:
    """A zip file whose directory names so many parts, which are all the same one."""
    name = b"a"
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0) + name
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0) + name
    size = len(entry) * entries
    record = struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, size, len(local)
    )  # zip64: the other end record counts to 65,535 only
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(local) + size, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return local + entry * entries + record + locator + end


def _relationships(relations: str) -> str:
    return f'<Relationships xmlns="{PACKAGE}/relationships">{relations}</Relationships>'


def _styles(code: str) -> str:
    font = '<xf numFmtId="0" fontId="0" fillId="0" borderId="0"/>'
    return (
        f'<styleSheet {NAMESPACE}><numFmts count="1"><numFmt numFmtId="170" formatCode="{code}"/></numFmts>'
        '<fonts count="1"><font/></fonts><fills count="1"><fill><patternFill/></fill></fills>'
        '<borders count="1"><border/></borders>'
        f'<cellStyleXfs count="1">{font}</cellStyleXfs>'
        f'<cellXfs count="1">{font.replace("0", "170", 1)}</cellXfs></styleSheet>'
    )
