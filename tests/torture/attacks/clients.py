"""What one client does to others: cached answers, names, logs, files, webhooks, and unusual HTTP."""

import itertools
import json
import stat
import time
from collections import Counter

from tests.torture.attacks.measuring import at_most, note
from tests.torture.attacks.target import JSON_LINES, PROJECT, Target, raw_answer
from tests.torture.setting import Row

MOST_TESTS = 50  # tests of one webhook that may be waiting
CODINGS = (
    ("br", "", ""),
    ("zstd", "gzip, deflate", "gzip, deflate"),
    ("br", "identity", "identity"),
    ("identity", "gzip", "gzip"),
)
BAD_URLS = (
    "http://[::1",
    "http://",
    "http://?",
    "https://a b/",
    "https://exa\u2028mple/",
    "javascript:alert(1)",
    "http://:80/",
)
NOBODY = "http://127.0.0.1:65000"  # a URL at which nothing listens
AUDIT = "/v1/audit?place=viet-nam&limit=200&as_of=2026-01-01"  # which takes long enough to be closed meanwhile
LEAKED = "hoptac_abcdefghij_" + "s3cret" * 6


def poisoned_cache(target: Target, *, full: bool) -> Row:
    """Two lines of Accept-Encoding, one for the cache and one for the coding."""
    row, wrong = Row("codings on two lines", {}), []
    for number, (first, second, wanted) in enumerate(CODINGS):
        path = f"/v1/projects?limit={60 + number}"
        _codings_of(target, path, first, second)
        coding = _codings_of(target, path, wanted)
        if coding and coding not in wanted:
            wrong.append((wanted, coding))
    note(row, tried=len(CODINGS), wrong=wrong)
    row.need(not wrong, f"answers in codings that were not asked for: {wrong}")
    return row


def _codings_of(target: Target, path: str, *accepted: str) -> str:
    lines = "".join(f"Accept-Encoding: {coding}\r\n" for coding in accepted if coding or len(accepted) > 1)
    sent = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n"
    head = raw_answer(target.server.port, sent.encode()).partition(b"\r\n\r\n")[0].decode().lower()
    return head.partition("content-encoding: ")[2].partition("\r\n")[0]


def unusual_http(target: Target, *, full: bool) -> Row:
    """An offer of h2c, no Host, two Hosts, and a client that closes its half of the connection."""
    row, port = Row("unusual HTTP", {}), target.server.port
    body = json.dumps(PROJECT).encode()
    head = (
        f"Authorization: Bearer {target.partner_token}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    )
    offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"
    put = f"PUT /v1/projects/offered HTTP/1.1\r\nHost: x\r\n{offer}\r\n{head}\r\n\r\n".encode() + body
    get = "GET /v1 HTTP/1.1\r\nConnection: close\r\n"
    requests = {
        "an offer of h2c": (put, b"201", False),
        "no Host": (f"{get}\r\n".encode(), b"400", False),
        "two Hosts": (f"{get}Host: x\r\nHost: y\r\n\r\n".encode(), b"400", False),
        "half-closed": (f"GET {AUDIT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode(), b"200", True),
    }
    for name, (sent, wanted, half_closed) in requests.items():
        status = _first_status(port, sent, half_closed)
        note(row, **{name: status.decode()})
        row.need(status == wanted, f"{name} got {status.decode() or 'nothing'}")
    return row


def _first_status(port: int, sent: bytes, half_closed: bool) -> bytes:
    return raw_answer(port, sent, half_closed=half_closed)[9:12]


def squatted_name(target: Target, *, full: bool) -> Row:
    """A partner gives the name of another one to a record of its own; others still import by that name."""
    row = Row("a name given twice", {})
    record = {"name": {"en": "Squat"}, "kind": "other", "aliases": ["THIRD"]}
    line = {**PROJECT, "resource": "projects", "id": "named", "roles": [{"partner": "THIRD", "role": "lead"}]}
    with target.attacker() as client, target.other() as other:
        made = client.put("/v1/partners/squat", record)
        sent = other.send(json.dumps(line).encode() + b"\n", JSON_LINES)
        end = other.end_of(sent)
        lines = other.get(f"{sent.headers['location']}/lines").json()["items"] if sent.status == 202 else []
    errors = [error["code"] for error in itertools.chain.from_iterable(line["errors"] for line in lines)]
    note(row, alias=made.status, ended=end, errors=errors)
    row.need(sent.status == 202 and not errors, f"another partner's line has {errors}")
    return row


def webhook_tests(target: Target, *, full: bool) -> Row:
    """Tests of one subscription, as many as a key can ask for."""
    row, statuses = Row("tests of a webhook", {}), Counter[int]()
    with target.attacker() as client:
        made = client.post("/v1/webhooks", {"url": NOBODY})
        for _ in range(1_500 if full else 80):
            statuses[client.post(f"/v1/webhooks/{made.json()['id']}/test", {}).status] += 1
    note(row, answers=dict(statuses))
    at_most(row, "tests taken", sum(count for status, count in statuses.items() if status < 300), MOST_TESTS)
    row.need(all(status in (200, 201, 202, 409, 429) for status in statuses), f"answers {dict(statuses)}")
    return row


def bad_urls(target: Target, *, full: bool) -> Row:
    """Texts that are not URLs, as those of documents."""
    row, taken = Row("texts that are no URLs", {}), []
    with target.attacker() as client:
        for number, url in enumerate(BAD_URLS):
            document = {"kind": "news", "title": {"en": "News"}, "url": url}
            if client.put(f"/v1/documents/bad-{number}", document).status != 422:
                taken.append(url)
    note(row, tried=len(BAD_URLS), taken=taken)
    row.need(not taken, f"taken as URLs: {taken}")
    return row


def file_modes(target: Target, *, full: bool) -> Row:
    """Who can read the database: its owner alone."""
    row, modes = Row("modes of the database's files", {}), {}
    if target.is_sqlite:
        with target.other() as client:
            client.post("/v1/projects", PROJECT)
        for file in target.file.parent.glob(f"{target.file.name}*"):
            modes[file.suffix] = oct(stat.S_IMODE(file.stat().st_mode))
        row.need(set(modes.values()) == {"0o600"}, f"modes {modes}")
    note(row, modes=modes)
    return row


def logs(target: Target, *, full: bool) -> Row:
    """What is logged of hostile requests: JSON on each line, who asked, and no key."""
    row, port = Row("what is logged", {}), target.server.port
    before = len(target.server.said())
    raw_answer(port, b"NONSENSE\r\n\r\n")
    raw_answer(port, f"DELETE /v1/keys/{LEAKED} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    separators = "/v1/%E2%80%A8%C2%85%1b[31m"
    raw_answer(
        port, f"GET {separators} HTTP/1.1\r\nHost: x\r\nX-Request-ID: {LEAKED}\r\nConnection: close\r\n\r\n".encode()
    )
    time.sleep(1)
    said = target.server.said()[before:]
    lines = [line for line in said.split("\n") if line]
    wrong = [line[:80] for line in lines if not _is_json(line)]
    note(row, lines=len(lines), wrong=wrong)
    row.need(lines, "nothing was logged")
    row.need(not wrong, f"no JSON: {wrong}")
    row.need("s3cret" not in said, "the secret of a key was logged")
    row.need(not set(said) & set("\u2028\u2029\x85\x1b"), "a control was logged as it is")
    row.need("127.0.0.1" in said, "no address of a client was logged")
    return row


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
