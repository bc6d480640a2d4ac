"""Workbooks: the values of cells as openpyxl reads them, and files that are made to take memory or time."""

import io
import os
import re
import resource
import struct
import subprocess
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from app.core.errors import BadFile, Problem, TooLarge, Unavailable
from app.exchange.formats.lines import Reading
from app.exchange.formats.options import TableOptions
from app.exchange.formats.source import Row
from app.exchange.formats.table_report import TableReport
from app.exchange.formats.workbook import process
from app.exchange.formats.xlsx import WorkbookSource
from tests.support.workbooks import HEAD, NS, raw_workbook, row, text_cell

STYLES = f'<styleSheet {NS}><numFmts><numFmt numFmtId="170" formatCode="%s"/></numFmts><cellXfs><xf numFmtId="170"/>'
STYLES += "</cellXfs></styleSheet>"
SHARED = "<row>" + text_cell("a") + '<c t="s"><v>%s</v></c></row>'
LONG = "x" * 990_000


def xlsx_rows(file: Any, reading: Reading) -> Iterator[Row]:
    return WorkbookSource(file, TableOptions(), lambda _: False, TableReport(), reading).rows()


def rows_of(content: bytes) -> list[Any]:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        return [row[:2] for row in xlsx_rows(file, Reading())]


VALUES: tuple[tuple[Any, str], ...] = (
    (1, "General"), (-2.5, "0.00"), (10**15, "General"), (0.1, "0%"), (True, "General"), ("Cảng", "@"), (" x ", "@"),
    (date(2022, 2, 28), "yyyy-mm-dd"), (datetime(2022, 2, 28, 14, 15, 16), "d/m/yy h:mm"),  # noqa: DTZ001
    (clock(14, 15), "h:mm"), (timedelta(hours=30, minutes=5), "[h]:mm:ss"), (date(1900, 1, 15), "yyyy-mm-dd"),
    (44_000, "mmm\\ d"), (44_000, '"year"0'), (44_000, "[Red]0"), (44_000, "[$-42A]d"), (44_000, "0;yyyy"),
    (44_000.75, "[ss]"), (-5, "yyyy-mm-dd"), (10**9, "yyyy-mm-dd"), (0, "yyyy"), (0.5, "mm:ss"), (60, "yyyy-mm-dd"),
    ("#REF!", "General"), ("#N/A", "General"), ("_x005F_x000D_", "@"), ("a\nb\tc", "@"), (1e300, "General"),
)  # fmt: skip


def test_values_are_read_as_openpyxl_reads_them() -> None:
    for epoch in (datetime(1899, 12, 30), datetime(1904, 1, 1)):  # noqa: DTZ001
        book, file = Workbook(), io.BytesIO()
        sheet: Any = book.active
        book.epoch = epoch
        sheet.append(["value", "same"])
        for number, (value, shown_as) in enumerate(VALUES, 2):
            for column in (1, 2):
                sheet.cell(number, column, value).number_format = shown_as
        book.save(file)
        read = {number: cells[0] for number, cells in rows_of(file.getvalue())}
        with pytest.warns(UserWarning, match="outside the limits for dates"):
            expected = load_workbook(file, data_only=True).worksheets[0]
        for number, (value, shown_as) in enumerate(VALUES, 2):
            wanted = expected.cell(number, 1).value
            if isinstance(wanted, datetime):
                has_time = wanted.hour or wanted.minute
                wanted = wanted.isoformat(timespec="minutes") if has_time else wanted.date().isoformat()
            assert read[number] == (str(wanted) if isinstance(wanted, clock | timedelta) else wanted), (value, shown_as)
            assert not isinstance(wanted, bool) or isinstance(read[number], bool)


def test_texts_are_joined_from_their_runs() -> None:
    runs = "<r><t>a </t></r><r><rPr><b/></rPr><t>b</t></r><rPh sb='0' eb='1'><t>no</t></rPh>"
    inline = f'<row r="3"><c r="B3" t="inlineStr"><is>{runs}</is></c><c r="A3" t="str"><f>1+1</f><v>2</v></c></row>'
    content = raw_workbook(row("id", "x") + SHARED % 0 + inline, strings=f"<si>{runs}</si>")
    assert rows_of(content) == [(1, ["id", "x"]), (2, ["a", "a b"]), (3, ["2", "a b"])]


def directory(count: int) -> bytes:
    """A ZIP archive that consists of a directory with so many entries."""
    entry = b"PK\x01\x02" + bytes(42)
    return entry * count + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count % 65_536, 0, 46 * count, 0, 0)


def encrypted() -> bytes:
    content = bytearray(raw_workbook())
    start = content.find(b"PK\x01\x02")
    while start >= 0:
        content[start + 8] |= 1
        start = content.find(b"PK\x01\x02", start + 1)
    return bytes(content)


def twins() -> bytes:
    file = io.BytesIO(raw_workbook())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(file, "a") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return file.getvalue()


def zipped_with_picture() -> bytes:
    file = io.BytesIO(raw_workbook())
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("xl/media/a.png", "")
    return file.getvalue()


def with_stated_size(content: bytes, part: str, size: int) -> bytes:
    """A workbook whose directory states that a part decompresses to so many bytes."""
    changed = bytearray(content)
    entry = changed.rfind(part.encode()) - 46  # the name follows the fixed members of its entry
    assert changed[entry : entry + 4] == b"PK\x01\x02"
    struct.pack_into("<I", changed, entry + 24, size)
    return bytes(changed)


def sheet_that_states_less() -> bytes:
    rows = HEAD + "<row/>" * 1_000_000
    return with_stated_size(raw_workbook(rows), "xl/worksheets/sheet1.xml", 2_000)


EXTERNAL = 'Target="http://127.0.0.1:1/sheet1.xml" TargetMode="External"'
HOSTILE: dict[str, tuple[Any, Any]] = {
    "print titles": (lambda: raw_workbook(names=titles("_xlnm.Print_Titles", "#")), 1),
    "print area": (lambda: raw_workbook(names=titles("_xlnm.Print_Area", "'")), 1),
    "long format": (lambda: raw_workbook(HEAD + date_row(), styles=STYLES % ("[" * 90_000 + "y")), BadFile),
    "very long format": (lambda: raw_workbook(HEAD + date_row(), styles=STYLES % ("[" * 990_000 + "y")), TooLarge),
    "far row": (lambda: raw_workbook(HEAD + f'<row r="{10**19}"><c><v>1</v></c></row>'), BadFile),
    "spans": (lambda: raw_workbook(HEAD + '<row spans="1:999999999"><c><v>1</v></c></row>'), 2),
    "row twice": (lambda: raw_workbook(HEAD + '<row r="5"/><row r="5"/>'), BadFile),
    "far column": (lambda: raw_workbook(HEAD + '<row><c r="ZZZZ1"><v>1</v></c></row>'), BadFile),
    "no such string": (lambda: raw_workbook(HEAD + SHARED % 7, strings="<si><t>a</t></si>"), BadFile),
    "negative string": (lambda: raw_workbook(HEAD + SHARED % -1, strings="<si><t>a</t></si>"), BadFile),
    "digits": (lambda: raw_workbook(HEAD + f"<row><c><v>{'9' * 900_000}</v></c></row>"), BadFile),
    "depth": (lambda: raw_workbook(HEAD + "<a>" * 5_000_000), TooLarge),
    "depth of strings": (lambda: raw_workbook(HEAD + SHARED % 0, strings="<a>" * 5_000_000), TooLarge),
    "comment": (lambda: raw_workbook(HEAD + f"<!--{'c' * 5_000_000}-->"), TooLarge),
    "blank rows": (lambda: raw_workbook(HEAD + "<row/>" * 1_100_000), BadFile),
    "external sheet": (lambda: raw_workbook(target=EXTERNAL), BadFile),
    "merges": (lambda: raw_workbook(HEAD + merges(60_000)), TooLarge),
    "merges in single quotes": (lambda: raw_workbook(HEAD + merges(3).replace('"', "'")), 1),
    "directory": (lambda: directory(200_000), TooLarge),
    "lies of a directory": (lambda: raw_workbook()[:-10] + b"\xff" * 10, BadFile),
    "decompressed size": (lambda: with_stated_size(zipped_with_picture(), "xl/media/a.png", 500_000_000), TooLarge),
    "decompressed size that is stated too small": (sheet_that_states_less, BadFile),
    "encrypted": (encrypted, BadFile),
    "password": (lambda: b"\xd0\xcf\x11\xe0" + bytes(4_000), BadFile),
    "twins": (twins, BadFile),
}


def titles(name: str, letter: str) -> str:
    value = letter * 990_000
    return f'<definedNames><definedName name="{name}" localSheetId="0">{value}</definedName></definedNames>'


def merges(count: int) -> str:
    cells = "".join(f'<mergeCell ref="A{row}:A{row + 1}"/>' for row in range(2, 2 * count + 2, 2))
    return f"</sheetData><mergeCells>{cells}</mergeCells><sheetData>"


def date_row() -> str:
    return '<row><c s="0"><v>5</v></c></row>'


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_workbook_costs_little(name: str) -> None:
    make, outcome = HOSTILE[name]
    content = make()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if isinstance(outcome, int):
        assert len(rows_of(content)) == outcome
    else:
        with pytest.raises(outcome) as refused:
            rows_of(content)
        assert isinstance(refused.value, Problem)
        assert refused.value.detail.endswith(".")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 5


def test_a_row_is_bounded_however_often_it_refers_to_a_string() -> None:
    rows = HEAD + (SHARED % 0) * 50 + ("<row>" + '<c t="s"><v>0</v></c>' * 3 + "</row>") * 3
    content = raw_workbook(rows, strings=f"<si><t>{LONG}</t></si>")
    sizes = [None if cells is None else sum(map(len, cells)) for _, cells in rows_of(content)[1:]]
    assert sizes == [990_001] * 50 + [None] * 3
    many_bytes = raw_workbook(HEAD + SHARED % 0, strings=f"<si><t>{'ệ' * 500_000}</t></si>")
    assert rows_of(many_bytes)[1][1] is None


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["cells", "strings", "references"])
def test_memory_and_time_of_the_child_are_limited(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = {
        "cells": lambda: raw_workbook(HEAD + ("<row>" + "<c/>" * 16_000 + "</row>") * 3_000),
        "strings": lambda: raw_workbook(HEAD + SHARED % 0, strings=f"<si><t>{LONG}</t></si>" * 480),
        "references": lambda: raw_workbook(HEAD + SHARED % 0 * 600, strings=f"<si><t>{LONG}</t></si>"),
    }
    largest = 0
    start = process._start

    def started(*arguments: Any) -> Any:
        child = start(*arguments)
        threading.Thread(target=watch, args=(child.pid,), daemon=True).start()
        return child

    def watch(pid: int) -> None:
        nonlocal largest
        while memory := resident_memory(pid):
            largest = max(largest, memory)
            time.sleep(0.02)

    monkeypatch.setattr(process, "_start", started)
    content = shapes[shape]()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if shape == "references":
        assert len(rows_of(content)) == 601
    else:
        with pytest.raises(TooLarge):
            rows_of(content)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 60
    assert 0 < largest < 400_000


def resident_memory(pid: int) -> int:
    """The memory of a process in kilobytes, 0 if it has ended."""
    try:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def children() -> list[int]:
    found = subprocess.run(["pgrep", "-f", process.MODULE], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def test_the_child_ends_with_its_reader() -> None:
    content = raw_workbook(HEAD + row("a", "b" * 1_000) * 20_000)
    with tempfile.TemporaryFile() as file:
        file.write(content)
        rows = xlsx_rows(file, Reading())
        next(rows)
        del rows
        stopped = Reading()
        rows = xlsx_rows(file, stopped)
        next(rows)
        stopped.stop()
        with pytest.raises(Unavailable):
            list(rows)
    assert [pid for pid in children() if parent_of(pid) == os.getpid()] == []


@pytest.mark.parametrize("end", ["refused", "stopped", "complete"])
def test_the_time_of_the_child_counts_however_it_ends(end: str) -> None:
    rows_of_workbook = HEAD + row("a", "b" * 1_000) * 20_000
    content = raw_workbook(rows_of_workbook + ("</c>" if end == "refused" else ""))
    reading = Reading()
    with tempfile.TemporaryFile() as file:
        file.write(content)
        rows = xlsx_rows(file, reading)
        next(rows)
        if end == "refused":
            with pytest.raises(BadFile):
                list(rows)
        elif end == "stopped":
            rows.close()  # type: ignore[attr-defined]
        else:
            list(rows)
    assert reading.seconds > 0.01
