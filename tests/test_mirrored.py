"""A mirror as a registry of its own: it proves itself, is backed up, tells subscribers, and takes no writes."""

import itertools
import json
import re
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from app.core.change_log import REDACTIONS, SEALED
from app.core.database.engine import Database
from app.core.errors import ReadOnly
from app.core.maintenance.backup import back_up, restore
from app.core.maintenance.redact import Redaction
from app.core.maintenance.redact import redact as take_down
from app.exchange.formats.media_types import CSV, JSON_LINES
from app.exchange.imports.database_tables import IMPORTS, LINES
from app.exchange.imports.pace import Pace
from app.exchange.imports.run import run as run_import
from app.exchange.mirrors.mirror import MirrorFollower
from app.exchange.mirrors.source import NotMirrored
from seed.files import Dataset
from tests.support.databases import NewDatabase, url_of
from tests.support.http import client_of, drop, patch, problem, put
from tests.support.imports import PORTS, lines_of, ports, received, send, state
from tests.support.keys import Key, key_of
from tests.support.log import changes, redact, tamper, verified
from tests.support.mirrors import ensure_alike, ids_of, logs, mirror, source_of
from tests.support.receivers import ALLOWED, receiving
from tests.support.records import PARTNER, PROJECT
from tests.support.servers import run

SECRET = "Quagga"


def live(registry: TestClient, editor: Key) -> None:
    """A draft that is published, a record withdrawn and one deleted, each of which held the secret; and drafts."""
    named = {"name": {"en": f"Office of {SECRET}"}}
    put(registry, editor, "partners/shown", {**PARTNER, **named, "state": "draft"})
    patch(registry, editor, "partners/shown", aliases=["Z"])
    patch(registry, editor, "partners/shown", state="published", name={"en": f"Bureau of {SECRET}"})
    for name in ("withdrawn", "gone", "withdrawn-and-gone", "back"):
        put(registry, editor, f"partners/{name}", {**PARTNER, **named})
    for name in ("withdrawn", "withdrawn-and-gone", "back"):
        patch(registry, editor, f"partners/{name}", state="draft", name={"en": f"Hidden {SECRET}"})
    for name in ("gone", "withdrawn-and-gone"):
        drop(registry, editor, f"partners/{name}")
    put(registry, editor, "partners/never", {**PARTNER, **named, "state": "draft"})
    patch(registry, editor, "partners/back", state="published")


def take_text_down(database: Database, text: str = SECRET) -> None:
    redact(database, text)


@pytest.mark.parametrize("followed", [pytest.param("from the start", marks=pytest.mark.slow), "afterwards"])
def test_what_was_taken_down_is_proved_in_a_mirror(
    registry: TestClient, editor: Key, seeded_database: Database, copy: Database, dataset: Dataset, followed: str
) -> None:
    live(registry, editor)
    if followed == "from the start":
        mirror(registry, copy)
    take_text_down(seeded_database)
    patch(registry, editor, "partners/shown", abbreviation="AFTER")
    take_text_down(seeded_database, "Bureau of")
    mirror(registry, copy)
    for database in (seeded_database, copy):
        assert verified(database)[0] == []
        held = "".join(row.body or "" for row in changes(database))
        assert SECRET not in held
    assert "Hidden" not in "".join(row.body or "" for row in changes(copy) if row.record_id != "back")
    assert logs(copy) == logs(seeded_database)
    assert len(logs(copy)) == 6  # of the one that was never public nothing is told
    with client_of(url_of(copy)) as other:
        written = {each for each in ids_of(seeded_database) if each[0] == "partners"}
        assert ensure_alike(registry, other, written) > 60
        following = f"/v1/changes?after={len(dataset.records)}&proof=true&limit=200"
        told = other.get(following)
    assert told.content == registry.get(following).content
    reasons = [each["proof"]["reason"] for each in told.json()["items"] if each["proof"].get("digests")]
    assert reasons == ["Asked for."] * 6
    for item in told.json()["items"]:
        if item["proof"].get("digests"):
            assert "Hidden" not in json.dumps(item) or item["id"] == "back"
    if copy.is_sqlite:
        path = Path(str(copy.url.database))
        assert not any(SECRET.encode() in file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def test_of_a_withdrawn_record_no_draft_is_shown_when_text_is_taken_down(
    registry: TestClient, editor: Key, seeded_database: Database, copy: Database
) -> None:
    live(registry, editor)
    take_text_down(seeded_database)
    mirror(registry, copy)
    with client_of(url_of(copy)) as other:
        for client in (registry, other):
            for name in ("withdrawn", "withdrawn-and-gone"):
                shown = client.get(f"/v1/partners/{name}/history")
                assert [each["action"] for each in shown.json()["items"]] == ["redact", "delete", "create"]
                assert "Hidden" not in shown.text
                feed = client.get(f"/v1/changes?record=partners/{name}&proof=true").text
                assert "Hidden" not in feed
                assert client.get(f"/v1/partners/{name}?as_of=2999-01-01").status_code == 404
            assert client.get("/v1/partners/gone?as_of=2999-01-01").status_code == 410
            assert client.get("/v1/partners/never/history").status_code == 404


def test_a_lie_about_what_was_taken_down_stops_the_mirror(
    registry: TestClient, editor: Key, seeded_database: Database, copy: Database
) -> None:
    live(registry, editor)
    take_text_down(seeded_database)
    digest = json.loads(logs(seeded_database)[0].digests)[0]
    for true, false, why in (
        (digest, "0" * 64, "The log of the redaction"),
        ('"reason":"Asked for."', '"reason":"a\\\\u0000"', "feed"),
        (r'("redacted":\d+.*?)Office of \[…\]', r"\1Office of Mallory", "not the one that its redaction wrote"),
    ):
        with pytest.raises(NotMirrored, match=why):
            mirror(registry, copy, lambda text, true=true, false=false: re.sub(true, false, text, count=1))  # type: ignore[misc]
    assert changes(copy) == []
    mirror(registry, copy)
    assert verified(copy)[0] == []


LAST = "(SELECT max(sequence) FROM changes WHERE {})"
ONE = "UPDATE changes SET {} WHERE sequence = " + LAST
TAMPERED = {
    "a sealed entry": ONE.format("digest = 'x'", "resource = ''"),
    "a sealed actor": ONE.format("actor = 'key:x'", "resource = ''"),
    "a sealed instant": ONE.format("at = '2999-01-01T00:00:00.000000Z'", "resource = ''"),
    "a sealed body": ONE.format("body = '{}'", "resource = ''"),
    "a sealed version": ONE.format("version = 3", "resource = ''"),
    "a sealed Change that is gone": "DELETE FROM changes WHERE sequence = " + LAST.format("resource = ''"),
    "a body that is gone": ONE.format("body = NULL, salt = NULL", "shown = 'create'"),
    "a deleted body that is gone": ONE.format("body = NULL, salt = NULL", "action = 'delete' AND shown = 'delete'"),
    "a body taken down that is gone": ONE.format("body = NULL, salt = NULL", "shown = 'redact' AND record_id = 'gone'"),
    "a body": ONE.format("body = replace(body, 'en', 'xx')", "record_id = 'gone' AND shown = 'create'"),
    "a body for what was withheld": ONE.format(
        'body = \'{"state":"draft"}\'', "action = 'update' AND shown = 'delete'"
    ),
    "what is shown": ONE.format("shown = 'update'", "shown = 'create'"),
    "a version": ONE.format("version = 9", "record_id = 'shown'"),
    "a log": "UPDATE redactions SET digests = replace(digests, 'a', 'b')",
    "no log": "DELETE FROM redactions",
    "what took it down": ONE.format("redacted = 1", "redacted IS NOT NULL AND body IS NOT NULL"),
    "a redaction to come": ONE.format("redacted = 99999", "record_id = 'unido'"),
    "a record": "UPDATE partners SET state = 'draft' WHERE id = 'shown'",
    "a name": "UPDATE partners SET name_sort = 'x' WHERE id = 'shown'",
    "no mirror": "DELETE FROM mirrors",
}


@pytest.mark.slow
def test_tampering_with_a_mirror_is_found(
    registry: TestClient, editor: Key, seeded_database: Database, copy: Database, new_database: NewDatabase
) -> None:
    live(registry, editor)
    put(registry, editor, "partners/at-the-end", {**PARTNER, "state": "draft"})
    take_text_down(seeded_database)
    mirror(registry, copy)
    assert verified(copy)[0] == []
    assert any(row.resource == SEALED for row in changes(copy))
    copy.close()
    for what, statement in TAMPERED.items():
        database = Database(new_database(url_of(copy)))
        tamper(database, statement)
        assert verified(database)[0], what
        database.close()


def test_nothing_is_brought_into_a_mirror(
    registry: TestClient, editor: Key, seeded_database: Database, copy: Database, tmp_path: Path
) -> None:
    live(registry, editor)
    mirror(registry, copy)
    before = changes(copy)
    key = key_of(copy, "records:write")
    with client_of(url_of(copy)) as other:
        for query in ("", "?mode=rows", "?dry_run=true", "?resource=projects"):
            kind = CSV if "resource" in query else JSON_LINES
            problem(send(other, key, lines_of(PORTS), query, kind), 403, "read_only")
        for path, body in (("partners/shown/merge", {"into": "unido"}), ("projects", PROJECT)):
            problem(other.post(f"/v1/{path}", json=body, headers={**key, "If-Match": "*"}), 403, "read_only")
        assert other.get("/v1/imports", headers=key).json() == {"items": [], "next": None}
    (tmp_path / "x.jsonl").write_bytes(lines_of(PORTS))
    for arguments in (("import", str(tmp_path / "x.jsonl")), ("import", str(tmp_path / "x.jsonl"), "--row-by-row")):
        found = run(*arguments, HOPTAC_DATABASE_URL=url_of(copy))
        assert (found.returncode, "is a mirror and accepts no writes" in found.stderr) == (1, True), found
    with pytest.raises(ReadOnly):
        take_down(copy, Redaction(SECRET, "[…]", "Asked for."))
    with copy.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(IMPORTS)) == 0
        assert connection.scalar(select(func.count()).select_from(LINES)) == 0
        assert connection.scalar(select(func.count()).select_from(REDACTIONS)) == 0
    assert changes(copy) == before


@pytest.mark.parametrize("mode", ["all", "rows"])
def test_an_import_that_waits_in_what_becomes_a_mirror_is_given_up(
    registry: TestClient, copy: Database, tmp_path: Path, mode: str
) -> None:
    import_id = received(copy, tmp_path / "x.jsonl", lines_of(*ports(3)), "one", mode=mode)
    mirror(registry, copy)
    assert run_import(copy, import_id, "one", Pace())
    found = state(copy, import_id)
    assert (found["status"], found["created"]) == ("failed", 0)
    assert "is a mirror" in found["reason"]
    assert verified(copy)[0] == []


def test_the_command_proves_a_mirror_from_the_head_of_its_source(
    registry: TestClient, editor: Key, seeded_database: Database, copy: Database
) -> None:
    live(registry, editor)
    mirror(registry, copy)
    head = verified(seeded_database)[1]
    found = run("check", "--head", str(head), HOPTAC_DATABASE_URL=url_of(copy))
    assert (found.returncode, f"0 problems in the log. Keep its head elsewhere: {head}" in found.stdout) == (0, True)
    tamper(copy, TAMPERED["a body"])
    found = run("check", "--quiet", HOPTAC_DATABASE_URL=url_of(copy))
    assert (found.returncode, "its representation is not the one that was written" in found.stderr) == (1, True)


def test_subscribers_of_a_mirror_are_told_what_its_source_does(
    registry: TestClient, editor: Key, seeded_database: Database, copy: Database
) -> None:
    mirror(registry, copy)
    key = key_of(copy, "webhooks")
    with client_of(url_of(copy), **ALLOWED) as other, receiving() as receiver:
        wanted = {"url": receiver.url, "partners": ["shown", "withdrawn"]}
        assert (made := other.post("/v1/webhooks", json=wanted, headers=key)).status_code == 422, made.text
        live(registry, editor)
        patch(registry, editor, "partners/withdrawn", state="published", name={"en": SECRET})
        mirror(registry, copy)
        assert (made := other.post("/v1/webhooks", json=wanted, headers=key)).status_code == 201, made.text
        take_text_down(seeded_database)
        patch(registry, editor, "partners/withdrawn", state="draft")
        mirror(registry, copy)
        told = [json.loads(message.body) for message in receiver.wait(3)]
        types = sorted((each["data"]["id"], each["type"]) for each in told)
    assert types == [
        ("shown", "partner.redacted"),
        ("withdrawn", "partner.deleted"),
        ("withdrawn", "partner.redacted"),
    ]
    assert SECRET not in str(told)
    assert verified(copy)[0] == []


@pytest.mark.slow
def test_a_mirror_is_backed_up_and_goes_on_as_a_mirror(
    registry: TestClient,
    editor: Key,
    seeded_database: Database,
    copy: Database,
    new_database: NewDatabase,
    tmp_path: Path,
) -> None:
    live(registry, editor)
    take_text_down(seeded_database)
    mirror(registry, copy)
    saved = back_up(copy, tmp_path / "backup")
    assert saved.broken is None
    restored = Database(new_database(None))
    try:
        assert restore(tmp_path / "backup", restored) == saved
        assert changes(restored) == changes(copy)
        assert logs(restored) == logs(copy)
        put(registry, editor, "partners/later", PARTNER)
        mirror(registry, restored)
        assert verified(restored)[0] == []
        with client_of(url_of(restored)) as other:
            problem(
                other.put("/v1/partners/x", json=PARTNER, headers=key_of(restored, "records:write")), 403, "read_only"
            )
            ensure_alike(registry, other, {("partners", "later"), ("partners", "shown"), ("partners", "gone")})
    finally:
        restored.close()


def test_a_mirror_that_was_killed_removes_redacted_text_from_its_file(
    registry: TestClient, editor: Key, seeded_database: Database, copy: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not copy.is_sqlite:
        pytest.skip("PostgreSQL leaves that to VACUUM")

    def has_text() -> bool:
        path = Path(str(copy.url.database))
        return any(b"quagga" in file.read_bytes().lower() for file in path.parent.glob(f"{path.name}*"))

    put(registry, editor, "partners/leaking", {**PARTNER, "name": {"en": "Quagga bureau"}})
    mirror(registry, copy)
    redact(seeded_database, "Quagga")
    with monkeypatch.context() as patched:
        patched.setattr(MirrorFollower, "_scrub", lambda _: None)  # it is killed before
        mirror(registry, copy)
    assert has_text()
    mirror(registry, copy)
    assert not has_text()
    assert not copy.has_removed_text()


class Following:
    """A mirror that follows in a thread until the block ends, and at its end is like the source."""

    def __init__(self, client: TestClient, copy: Database) -> None:
        self._source = source_of(client)
        self._mirror, self._stop, self.seen = MirrorFollower(copy, self._source), threading.Event(), list[int]()
        self._copy = copy
        self._thread = threading.Thread(target=self._run)
        self.error: BaseException | None = None

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._mirror.follow(once=True)
                self.seen.append(self._mirror._head()[0])
            self._mirror.follow(once=True)
        except BaseException as error:
            self.error = error

    def __enter__(self) -> "Following":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        with self._source:
            assert self.error is None, self.error


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "count"), [("all", 500), ("rows", 500)])
def test_an_import_is_followed_whole(
    registry: TestClient, editor: Key, seeded_database: Database, copy: Database, mode: str, count: int
) -> None:
    """All or nothing is one transaction, longer than many pages; row by row each chunk is one."""
    before = len(changes(seeded_database))
    lines = lines_of(*ports(count))
    with Following(registry, copy) as following:
        sent = send(registry, editor, lines, f"?mode={mode}")
        assert sent.status_code == 202, sent.text
        until = time.monotonic() + 300
        while (found := registry.get(sent.headers["location"], headers=editor).json())["finished_at"] is None:
            assert time.monotonic() < until, found
            time.sleep(0.05)
    assert (found["status"], found["created"]) == ("done", count)
    written = changes(seeded_database)[before:]
    assert [row.sequence for row in written] == list(range(before + 1, before + count + 1))
    chunks = [before, *(row.sequence for row, after in itertools.pairwise(written) if row.at != after.at)]
    sizes = [after - first for first, after in itertools.pairwise([*chunks, before + count])]
    assert sizes == [count] if mode == "all" else max(sizes) <= 250  # a chunk is smaller after one that took long
    assert set(following.seen) <= {0, *chunks, before + count}  # whole transactions alone
    told = [(row.sequence, row.chain, row.body) for row in changes(copy)]
    assert told == [(row.sequence, row.chain, row.body) for row in changes(seeded_database)]
    assert verified(copy)[0] == []
    with client_of(url_of(copy)) as other:
        for path in ("/v1/projects?limit=200&sort=-id", f"/v1/projects/port-{count - 1}", "/v1/projects?q=port+77"):
            assert registry.get(path).content == other.get(path).content
