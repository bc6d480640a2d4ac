"""Files that cost far more than their size: workbooks, tables and zip directories."""

import threading
import time

from tests.torture.attacks import workbooks
from tests.torture.attacks.loads import json_lines
from tests.torture.attacks.measuring import at_most, note, watched
from tests.torture.attacks.target import JSON_LINES, OTHERS, PROJECT, Answer, Target
from tests.torture.setting import Row

FILE_MEMORY = 150.0  # megabytes that a process and its children may take for one file
FILE_DISK = 40.0  # megabytes that a small file may fill
KEY_DISK = 250.0  # megabytes that the imports of one key may fill
REVOKE_SECONDS = 2.0
LINES_AT_ONCE = 5_000  # that an import of all or nothing may have
MOST_LINES = 200_000  # that any import may have
REFUSE_SECONDS = 3.0


def long_marks(target: Target, *, full: bool) -> Row:
    """Texts in workbooks that quadratic regular expressions would read for minutes."""
    row, statuses = Row("workbooks with long texts", {}), []
    letters = {"titles": 40_000, "format": 120_000, "area": 20_000}
    with watched(target, row), target.attacker() as client:
        for kind, small in letters.items():
            began = time.monotonic()
            sent = client.send_table(workbooks.long_mark(kind, 990_000 if full else small), workbooks.XLSX)
            statuses.append((kind, sent.status, round(time.monotonic() - began, 1)))
            _need_no_error(row, kind, sent)
    note(row, answers=statuses)
    return row


def waiting_partner(target: Target, *, full: bool) -> Row:
    """Workbooks that keep threads busy, while another partner sends an ordinary record of 76 kB."""
    row = Row("busy workbooks, and another partner", {})
    content = workbooks.long_mark("area", 40_000 if full else 12_000)
    record = {**PROJECT, "description": dict.fromkeys(("en", "vi", "fr", "de"), "a" * 18_900)}
    with watched(target, row):
        senders = [threading.Thread(target=_send, args=(target, content), daemon=True) for _ in range(7)]
        for sender in senders:
            sender.start()
        time.sleep(0.5)
        with target.other() as client:
            began = time.monotonic()
            answer = client.post("/v1/projects", record)
            at_most(row, "a record of 76 kB, s", time.monotonic() - began, 2 * target.patience)
        row.need(answer.status == 201, f"another partner got {answer.status}")
        for sender in senders:
            sender.join(100)
    return row


def repeated_strings(target: Target, *, full: bool) -> Row:
    """A workbook of some kilobytes whose rows all name one long shared string."""
    row = Row("rows that name one long string", {})
    size = (100, 20_000_000) if full else (100, 2_900_000)
    _file(target, row, workbooks.repeated_string(*size), workbooks.XLSX)
    return row


def empty_cells(target: Target, *, full: bool) -> Row:
    """A sheet of many cells without a value."""
    row = Row("a sheet of empty cells", {})
    _file(target, row, workbooks.empty_cells(3_000 if full else 400, 16_000), workbooks.XLSX)
    return row


def crowded_directory(target: Target, *, full: bool) -> Row:
    """A zip file whose directory names far too many parts."""
    row = Row("a zip directory of many parts", {})
    content = workbooks.crowded_directory(1_800_000 if full else 400_000)
    began = time.monotonic()
    sent = _file(target, row, content, workbooks.XLSX)
    note(row, took=round(time.monotonic() - began, 1))
    row.need(400 <= sent.status < 500, f"it got {sent.status}")
    return row


def blank_lines(target: Target, *, full: bool) -> Row:
    """A table of millions of blank lines."""
    row = Row("a table of blank lines", {})
    count = 35_000_000 if full else 3_000_000
    _file(target, row, b"id,title.en,kind,status\n" + b"\n" * count, "text/csv")
    return row


def short_lines(target: Target, *, full: bool) -> Row:
    """A table of so many lines that what is stored is a hundred times what was sent."""
    row = Row("a table of short lines", {})
    content = b"id\n" + b"x\n" * ((MOST_LINES - 1) if full else 3_000)
    _file(target, row, content, "text/csv", KEY_DISK, mode="rows")
    return row


def long_dry_run(target: Target, *, full: bool) -> Row:
    """A dry run of as many lines as are written at once, while others write."""
    row = Row("a dry run of all or nothing", {})
    _file(target, row, json_lines(LINES_AT_ONCE if full else 1_000), JSON_LINES, KEY_DISK)
    return row


def long_dry_run_by_rows(target: Target, *, full: bool) -> Row:
    """A dry run of as many lines as a file may have, while others write."""
    row = Row("a dry run of many lines", {})
    _file(target, row, json_lines(MOST_LINES if full else 3_000), JSON_LINES, KEY_DISK, mode="rows")
    return row


def flood(target: Target, *, full: bool) -> Row:
    """One key sends imports as fast as it can; those of others are taken."""
    row, statuses = Row("a flood of imports of one key", {}), list[int]()
    content = json_lines(1_500 if full else 500)
    ended = threading.Event()

    def send() -> None:
        with target.attacker() as client:
            while not ended.is_set() and len(statuses) < 300:
                statuses.append(client.send(content, JSON_LINES).status)

    with watched(target, row) as watch, target.other() as other:
        senders = [threading.Thread(target=send, daemon=True) for _ in range(16)]
        for sender in senders:
            sender.start()
        time.sleep(10 if full else 5)
        began = time.monotonic()
        sent = other.send(json_lines(1), JSON_LINES)
        row.need(sent.status == 202, f"another partner's import got {sent.status}")
        end = other.end_of(sent, 2)
        at_most(row, "another partner's import, s", time.monotonic() - began, 20 * target.patience)
        ended.set()
        for sender in senders:
            sender.join(100)
        at_most(row, "disk, MB more", watch.disk_growth, KEY_DISK)
    counts = {status: statuses.count(status) for status in sorted(set(statuses))}
    note(row, answers=counts, ended=end)
    row.need(not any(status >= 500 and status != 503 for status in counts), f"answers {counts}")
    return row


def revoked(target: Target, *, full: bool) -> Row:
    """Keys are revoked at once while an import runs, at last the key of the import, which ends."""
    row, took = Row("keys revoked while an import runs", {}), list[float]()
    tokens = [*(target.new_token("webhooks") for _ in range(2)), target.partner_token]
    administrator = target.new_token("keys")
    with target.attacker() as client, target.client(administrator, OTHERS) as keys:
        sent = client.send(json_lines(MOST_LINES if full else 12_000), JSON_LINES, mode="rows")
        row.need(sent.status == 202, f"the import got {sent.status}")
        for token in tokens:
            time.sleep(1)
            began = time.monotonic()
            answer = keys.ask("DELETE", f"/v1/keys/{token.split('_')[1]}")
            took.append(time.monotonic() - began)
            row.need(answer.status == 204, f"revoking got {answer.status}")
        at_most(row, "revoking, s", max(took), REVOKE_SECONDS * target.patience)
        end = keys.end_of(sent, 4)
        note(row, ended=end, after=f"{time.monotonic() - began:.1f} s")
        row.need(end not in ("done", "running", "waiting"), f"the import of the revoked key is {end}")
    return row


def _file(
    target: Target, row: Row, content: bytes, media_type: str, most_disk: float = FILE_DISK, **options: str
) -> Answer:
    """Send one file, follow its import to the end, and hold what it took against the bounds of a file."""
    with watched(target, row) as watch, target.attacker() as client:
        send = client.send if media_type == JSON_LINES else client.send_table
        sent = send(content, media_type, **options)
        end = client.end_of(sent)
    note(row, sent=f"{len(content):,} B", answer=sent.status, ended=end)
    at_most(row, "disk, MB more", watch.disk_growth, most_disk)
    at_most(row, "memory, MB more", watch.memory_growth, FILE_MEMORY)
    _need_no_error(row, "the file", sent)
    return sent


def _send(target: Target, content: bytes) -> None:
    with target.attacker() as client:
        client.send_table(content, workbooks.XLSX)


def _need_no_error(row: Row, what: str, answer: Answer) -> None:
    """An answer came, and it is no error of the server but a deliberate 503."""
    row.need(0 < answer.status < 500 or answer.status == 503, f"{what} got {answer.status}")
