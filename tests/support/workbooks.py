"""Workbooks as XML, with what no spreadsheet program would write into them."""

import io
import zipfile

NS = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def text_cell(text: str) -> str:
    return f'<c t="inlineStr"><is><t>{text}</t></is></c>'


def row(*cells: str) -> str:
    return f"<row>{''.join(map(text_cell, cells))}</row>"


HEAD = row("id", "title.en", "kind", "status")


def raw_workbook(rows: str = HEAD, *, strings: str = "", styles: str = "", names: str = "", target: str = "") -> bytes:
    """A workbook with these rows, shared strings, styles and defined names."""
    types = f"{REL}/worksheet"
    sheet = target or 'Target="worksheets/sheet1.xml"'
    parts = {
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{REL}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {NS} xmlns:r="{REL}"><sheets><sheet name="s" sheetId="1" r:id="r1"/></sheets>'
        f"{names}</workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{types}" {sheet}/></Relationships>',
        "xl/worksheets/sheet1.xml": f"<worksheet {NS}><sheetData>{rows}</sheetData></worksheet>",
        "xl/sharedStrings.xml": f"<sst {NS}>{strings}</sst>",
        "xl/styles.xml": styles or f"<styleSheet {NS}/>",
    }
    return zipped(parts)


def zipped(parts: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()
