"""The hoptac command: help, exit codes, errors in words, and a real server process."""

import argparse
import errno
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import cli
from app.core.access.keys import id_of_token
from app.core.database.engine import Database
from app.core.maintenance.schema import NotReady
from app.core.settings import Settings
from app.core.values.text import counted
from app.server import run as serve
from app.server.run import ensure_ready
from tests.support.databases import NewDatabase, url_of
from tests.support.http import client_of
from tests.support.keys import Key
from tests.support.log import changes
from tests.support.servers import ROOT, run, server
from tests.support.waiting import eventually


def commands_of(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        for command in action.choices.values() if isinstance(action, argparse._SubParsersAction) else ():
            yield from commands_of(command)


def test_each_command_and_option_explains_itself() -> None:
    for command in commands_of(cli._parser()):
        shown = command.format_help()
        assert command.description, command.prog
        assert "exit codes" in shown
        assert [action.dest for action in command._actions if not action.help and action.choices is None] == []
        assert max(map(len, shown.splitlines())) <= 100, command.prog  # so that no default name of a value is long


def test_a_number_and_its_noun_agree(seeded_database: Database, editor: Key) -> None:
    assert (counted(1, "key"), counted(2_000, "key"), counted(0, "entry", "entries")) == (
        "1 key",
        "2,000 keys",
        "0 entries",
    )
    refused = run("migrate", "--down", HOPTAC_DATABASE_URL=url_of(seeded_database))
    assert "1 valid key in" in f"{refused.stderr.rstrip().removesuffix('. To do so, add --yes.')} in"


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "said"),
    [
        ([], {}, 2, "Serve the API"),
        (["import", "/no/such/file.csv"], {}, 2, "There is no file /no/such/file.csv."),
        (["restore", "/no/such/file"], {}, 1, "There is no file /no/such/file."),
        (["seed", "--dataset", "/no/such/folder"], {}, 1, "There is no folder /no/such/folder."),
        (["import", "pyproject.toml"], {}, 2, "must end in"),
        (["key", "create", "--name", "x", "--scope", "everything"], {}, 2, "records:write:own"),
        (["status"], {}, 3, ""),
        (["fly"], {}, 2, "invalid choice"),
        (["migrate"], {"HOPTAC_DATABASE_URL": "mysql://x/y"}, 2, "only sqlite"),
        (["migrate"], {"HOPTAC_DATABASE_URL": "sqlite://"}, 2, "needs a file"),
        (["migrate"], {"HOPTAC_DATABASE_URL": "no url"}, 2, "HOPTAC_DATABASE_URL"),
        (["migrate"], {"HOPTAC_DATABASE_URL": "sqlite:////no/such/folder/x.db"}, 3, "database"),
        (["migrate"], {"HOPTAC_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x"}, 3, "database"),
        (["serve"], {"HOPTAC_PORT": "99999"}, 2, "HOPTAC_PORT"),
        (["status"], {"HOPTAC_ACESS_LOG": "false"}, 2, "Did you mean HOPTAC_ACCESS_LOG?"),
        (["status"], {"hoptac_fly": "1"}, 2, "hoptac_fly is not a setting. docs/settings.md lists"),
        (["status"], {"HOPTAC_DATABASE_URL_FILE": "/no/such/file"}, 2, "are both set"),
        (["status"], {"HOPTAC_PUBLISH": "1", "HOPTAC_WEBHOOK_SECRET": "1"}, 3, ""),
        (["serve", "--workers", "0"], {}, 2, "HOPTAC_WORKERS"),
        (["check", "--documents", "/no/such/folder"], {}, 2, "is not a folder"),
        (["check", "--dataset", "/no/such/folder"], {}, 1, "There is no folder"),
        (["check"], {}, 3, "has no tables of a registry yet: run `hoptac migrate`"),
        (["seed"], {}, 3, "run `hoptac migrate`"),
        (["key", "list"], {}, 3, "run `hoptac migrate`"),
        (["check", "--head", "1"], {}, 2, "--head"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    tmp_path: Path, arguments: Sequence[str], environment: dict[str, str], code: int, said: str
) -> None:
    found = run(*arguments, **{"HOPTAC_DATABASE_URL": f"sqlite:///{tmp_path}/x.db", **environment})
    assert found.returncode == code, found
    assert said in found.stderr
    assert "Traceback" not in found.stderr


def test_what_a_registry_cannot_do_is_said_in_a_line(
    new_database: NewDatabase, migrated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.exchange.mirrors.source.MIN_PAUSE", 0)
    url = new_database(migrated)
    for name, content in (("list.csv", "id,title.en\na,b\n"), ("list.jsonl", "{}\n"), ("mapping.json", "{")):
        (tmp_path / name).write_text(content)
    table, lines, mapping = (str(tmp_path / name) for name in ("list.csv", "list.jsonl", "mapping.json"))
    key = ("key", "create", "--name", "x", "--scope")
    for arguments, said in (
        (("key", "events", "abc"), "There is no key with this id."),
        (("key", "revoke", "abc"), "There is no key with this id."),
        ((*key, "keys", "--expires", "tomorrow"), "--expires: This is not an instant with its offset, such as"),
        ((*key, "keys", "--network", "home"), "--network: This is not a network such as"),
        ((*key, "records:write:own", "--partner", "nobody"), "--partner: There is no such partner."),
        (("import", table), "--resource: state what the table contains, one of projects, "),
        (("import", lines, "--resource", "projects"), "--resource: leave it out"),
        (("import", table, "--resource", "projects", "--mapping", mapping), f"--mapping: {mapping} is not valid JSON."),
        (("mirror", "http://127.0.0.1:1", "--once"), "The source cannot be read: "),
    ):
        found = run(*arguments, HOPTAC_DATABASE_URL=url)
        assert found.returncode in (1, 2), found
        assert found.stderr.splitlines()[0].startswith(f"hoptac: {said}"), found
    assert json.loads(run("status", "--json", HOPTAC_DATABASE_URL=url).stdout)["mirror_of"] is None


def test_the_url_of_the_database_is_read_from_a_file(
    tmp_path: Path, seeded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOPTAC_DATABASE_URL", raising=False)
    (tmp_path / "secret").write_text(f"{seeded}\n")
    assert run("status", HOPTAC_DATABASE_URL_FILE=str(tmp_path / "secret")).returncode == 0
    assert Settings(database_url="sqlite:///x.db").database_url == "sqlite:///x.db"
    missing = run("status", HOPTAC_DATABASE_URL_FILE=str(tmp_path / "nothing"))
    assert (missing.returncode, "cannot be read (FileNotFoundError)" in missing.stderr) == (2, True)


def test_the_whole_database_is_removed_only_if_that_is_confirmed(new_database: NewDatabase, seeded: str) -> None:
    url = new_database(seeded)
    before = json.loads(run("status", "--json", HOPTAC_DATABASE_URL=url).stdout)
    asked = run("migrate", "--down", HOPTAC_DATABASE_URL=url)
    assert asked.returncode == 1
    assert f"{sum(before['records'].values())} records" in asked.stderr
    assert json.loads(run("status", "--json", HOPTAC_DATABASE_URL=url).stdout)["records"] == before["records"]
    removed = run("migrate", "--down", "--yes", HOPTAC_DATABASE_URL=url)
    assert "were removed" in removed.stdout
    assert json.loads(run("status", "--json", HOPTAC_DATABASE_URL=url).stdout)["schema"] == "none"


def test_a_command_in_a_process_of_its_own_counts_every_record(seeded_database: Database) -> None:
    url = url_of(seeded_database)
    records = sum(json.loads(run("status", "--json", HOPTAC_DATABASE_URL=url).stdout)["records"].values())
    python = shlex.quote(sys.executable)
    command = f"{python} -m app migrate --down </dev/null; {python} -m app status | true"
    environment = {**os.environ, "HOPTAC_DATABASE_URL": url}
    ended = subprocess.run(
        ["bash", "-c", command], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert f"would destroy {records} records" in ended.stderr
    assert "BrokenPipe" not in ended.stderr  # although nobody reads the output


def test_status_tells_what_an_operator_asks(seeded_database: Database, editor: Key) -> None:
    url = url_of(seeded_database)
    facts = json.loads(run("status", "--json", HOPTAC_DATABASE_URL=url).stdout)
    last = changes(seeded_database)[-1]
    assert facts["log_head"] == f"{last.sequence}:{last.chain}"
    assert (facts["last_change_at"], facts["needs_migration"], facts["mirror_of"]) == (last.at, False, None)
    assert (facts["valid_keys"], facts["search_index"], facts["open_imports"]) == (1, "complete", 0)
    assert sum(facts["records"].values()) == last.sequence
    printed = run("status", HOPTAC_DATABASE_URL=url)
    assert printed.returncode == 0
    assert f"projects {facts['records']['projects']}," in printed.stdout
    assert set(facts) == {line.partition(":")[0].replace(" ", "_") for line in printed.stdout.splitlines()}


def test_long_work_reports_its_progress(
    new_database: NewDatabase, seeded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.core.progress.FIRST", 0)
    monkeypatch.setattr("app.core.progress.EVERY", 0)
    url = new_database(seeded)
    assert json.loads(run("status", "--json", HOPTAC_DATABASE_URL=url).stdout)["last_backup_at"] is None
    backup = run("backup", str(tmp_path / "copy"), HOPTAC_DATABASE_URL=url)
    assert json.loads(run("status", "--json", HOPTAC_DATABASE_URL=url).stdout)["last_backup_at"] > "2026"
    assert "Rows in the backup so far: " in backup.stderr
    assert (
        "Rows restored so far: "
        in run("restore", str(tmp_path / "copy"), HOPTAC_DATABASE_URL=new_database(None)).stderr
    )
    assert "Changes checked so far: " in run("check", HOPTAC_DATABASE_URL=url).stderr


def test_a_server_ends_in_time_while_its_database_does_not_respond(seeded_database: Database, editor: Key) -> None:
    """A write waits for the lock of writers in a thread that cannot be ended. SQLite waits for 30 seconds."""
    url = url_of(seeded_database)
    lines: list[str] = []
    with (
        server(url, lines=lines, first="from app.core.maintenance import stopping; stopping.STOP_SECONDS = 1") as (
            base,
            process,
        ),
        seeded_database.write() as session,
        ThreadPoolExecutor(1) as pool,
    ):
        session.connection()
        body = {"name": {"en": "Waits"}, "kind": "other", "managed_by": "unido"}
        waiting = pool.submit(httpx.put, f"{base}/v1/partners/waits", json=body, headers=editor, timeout=30)
        time.sleep(0.5)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 1
        assert time.monotonic() - began < 15
        assert isinstance(waiting.exception(), httpx.TransportError)
    assert any("ended abruptly" in line for line in lines)


def test_the_dataset_passes_its_check() -> None:
    found = run("check", "--dataset", "seed/dataset")
    assert (found.returncode, found.stderr) == (0, "")
    assert "0 problems" in found.stdout


def test_a_database_without_schema_is_not_served(new_database: NewDatabase) -> None:
    url = new_database(None)
    for command in ("serve", "seed"):
        found = run(command, HOPTAC_DATABASE_URL=url)
        assert found.returncode == 3, found
        assert "Traceback" not in found.stderr


def test_a_database_that_cannot_be_created_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "loop.db"
    path.symlink_to(path)
    found = run("migrate", HOPTAC_DATABASE_URL=f"sqlite:///{path}")
    assert (found.returncode, found.stderr) == (1, f"hoptac: {path}: {os.strerror(errno.ELOOP)}\n")


def test_migrate_seed_serve_and_again(new_database: NewDatabase) -> None:
    url = new_database(None)
    first = run("migrate", HOPTAC_DATABASE_URL=url)
    assert first.returncode == 0, first
    assert " created" in run("seed", HOPTAC_DATABASE_URL=url).stdout
    again = run("seed", HOPTAC_DATABASE_URL=url)
    assert re.search(r"0 created, 0 updated, 0 deleted, \d+ unchanged", again.stdout), again
    with server(url, "--migrate", "--seed") as (base, _):
        assert httpx.get(f"{base}/readyz", trust_env=False).json()["status"] == "ok"
        found = httpx.get(f"{base}/v1/projects/smart-factory-cooperation?include=figures", trust_env=False).json()
        assert found["included"]["figures"]


def test_serving_never_seeds(new_database: NewDatabase, migrated: str) -> None:
    lines: list[str] = []
    with server(new_database(migrated), lines=lines) as (base, _):
        assert httpx.get(f"{base}/v1/projects", trust_env=False).json() == {"items": [], "next": None}
        eventually(lambda: any(line.split() == ["try", f"{base}/v1/projects"] for line in lines))


def test_metrics_without_their_extra_are_said_to_need_it(seeded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_ready(Settings(database_url=seeded, metrics=True))
    monkeypatch.setattr(serve, "find_spec", lambda _: None)
    with pytest.raises(NotReady, match="extra"):
        ensure_ready(Settings(database_url=seeded, metrics=True))


@pytest.mark.slow
def test_two_workers_serve_one_address(new_database: NewDatabase, seeded: str) -> None:
    with server(new_database(seeded), "--workers", "2") as (base, _):
        answers = {httpx.get(f"{base}/v1/partners/unido", trust_env=False).text for _ in range(20)}
    assert len(answers) == 1


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_says_that_it_is_about_to_stop(new_database: NewDatabase, seeded: str, workers: int) -> None:
    with (
        server(new_database(seeded), workers=str(workers), stop_delay="3") as (base, process),
        httpx.Client(base_url=base, trust_env=False, headers={"Connection": "close"}) as client,
    ):
        eventually(lambda: client.get("/readyz").status_code == 200)
        process.send_signal(signal.SIGTERM)
        eventually(lambda: {client.get("/readyz").status_code for _ in range(10)} == {503})
        assert client.get("/readyz").json()["code"] == "unavailable"
        assert client.get("/v1/partners/unido").status_code == 200
        assert process.poll() is None
        began = time.monotonic()
        process.wait(timeout=45)
        assert time.monotonic() - began > 1


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_signal_stops_a_server_at_once(new_database: NewDatabase, seeded: str, workers: int) -> None:
    with server(new_database(seeded), workers=str(workers), stop_delay="300") as (base, process):
        process.send_signal(signal.SIGTERM)
        eventually(lambda: httpx.get(f"{base}/readyz", trust_env=False).status_code == 503)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=45)


@pytest.mark.slow
def test_a_port_in_use_is_said(new_database: NewDatabase, seeded: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = run("serve", "--port", str(taken.getsockname()[1]), HOPTAC_DATABASE_URL=new_database(seeded))
    assert found.returncode == 2
    assert "in use" in found.stderr
    assert "choose another port with --port or HOPTAC_PORT" in found.stderr


def raw(base: str, request: bytes) -> bytes:
    """What the server says to these very bytes."""
    host, port = base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        connection.settimeout(10)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


RAW: dict[str, Any] = {
    "a method of its own": b"BREW /v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "a path in raw bytes": b"GET /v1/\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "a query in raw bytes": b"GET /v1/projects?title=\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "a header with a NUL": b"GET /v1 HTTP/1.1\r\nHost: x\r\nX-A: \x00\r\nConnection: close\r\n\r\n",
    "no version": b"GET /v1\r\n\r\n",
    "nonsense": b"\x00\x01\x02\r\n\r\n",
    "a tag of raw bytes": b"GET /v1 HTTP/1.1\r\nHost: x\r\nIf-None-Match: \xff\xfe\r\nConnection: close\r\n\r\n",
    "a body that nobody wants": b"GET /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
    "two lengths": b"GET /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "a header of 100 kB": b"GET /v1 HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 100_000 + b"\r\nConnection: close\r\n\r\n",
}


@pytest.mark.slow
def test_head_leaves_the_connection_whole(new_database: NewDatabase, seeded: str) -> None:
    """Over a real socket: HEAD with a length, HEAD of a streamed file, then GET, all on one connection."""
    with server(new_database(seeded)) as (base, _):
        heads = b"".join(
            b"HEAD %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n" % path
            for path in (b"/v1/projects", b"/docs/assets/swagger-ui-bundle.js", b"/v1/nope")
        )
        answer = raw(base, heads + b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    parts = answer.split(b"\r\n\r\n")
    assert [part[:12] for part in parts[:4]] == [b"HTTP/1.1 200", b"HTTP/1.1 200", b"HTTP/1.1 404", b"HTTP/1.1 200"]
    assert parts[4:] == [b'{"status":"ok"}']


@pytest.mark.slow
def test_no_bytes_end_the_server(new_database: NewDatabase, seeded: str) -> None:
    with server(new_database(seeded)) as (base, process):
        for name, request in RAW.items():
            try:
                answer = raw(base, request)
            except ConnectionError:
                answer = b""
            assert not answer.startswith(b"HTTP/1.1 5"), name
            assert process.poll() is None, name
        assert httpx.get(f"{base}/v1/partners/unido", trust_env=False).status_code == 200


def test_keys_are_made_listed_rotated_and_revoked(seeded_database: Database) -> None:
    url = url_of(seeded_database)

    def key(*arguments: str, code: int = 0, **settings: str) -> str:
        found = run("key", *arguments, HOPTAC_DATABASE_URL=url, **settings)
        assert found.returncode == code, found
        assert "Traceback" not in found.stderr
        notes.append(found.stderr)
        return found.stdout or found.stderr

    notes: list[str] = []
    bounds = ("--network", "10.1.2.3/8", "--network", "2001:db8::1")
    made = key("create", "--name", "MOIT", "--scope", "records:write:own", "--partner", "moit", *bounds).strip()
    key_id = id_of_token(made)
    year = datetime.now(UTC) + timedelta(days=365)
    assert f"key {key_id}, with records:write:own for the records of moit, is not shown again" in notes[-1]
    assert f"The key {key_id} expires at {year:%Y-%m-}" in notes[-1]
    heading, row = key("list").splitlines()
    assert heading.split() == ["ID", "SCOPES", "PARTNER", "VALID", "NETWORKS", "LAST", "USED", "NAME"]
    networks = "10.0.0.0/8,2001:db8::1/128"
    assert re.fullmatch(rf"{key_id}  records:write:own  moit +until {year:%Y-%m-}.{{9}} +{networks}  never +MOIT", row)
    key("change", key_id, "--network", "any", "--expires", "never")
    assert f"The key {key_id} never expires.\n" in notes[-1]
    assert re.search("until revoked +any", key("list"))
    too_long = ("create", "--name", "x", "--scope", "keys", "--expires", "never")
    assert "at most 90 days" in key(*too_long, code=1, HOPTAC_KEY_MAX_DAYS="90")
    with client_of(url) as client:
        new = key("rotate", key_id, "--overlap", "0").strip()
        statuses = [client.get("/v1", headers={"Authorization": f"Bearer {each}"}).status_code for each in (made, new)]
        assert statuses == [401, 200]
        key("revoke", key_id)
        assert client.get("/v1", headers={"Authorization": f"Bearer {new}"}).status_code == 401
    assert "revoked 20" in key("list")
    events = [line.split()[2:4] for line in key("events", key_id).splitlines()[1:]]
    by_command = [action for action, actor in events if actor == "command"]
    assert by_command == ["revoke", "rotate", "change", "create"]
    administrator = key("create", "--name", "x", "--scope", "keys", "--expires", "never").strip()
    assert "only valid key" in key("revoke", id_of_token(administrator), code=1)
    key("revoke", id_of_token(administrator), "--force")
    leaked = key("create", "--name", "x", "--scope", "keys").strip()
    key("revoke", leaked)
    assert "No key has this token" in key("revoke", leaked, code=1)
    assert "invalid choice" in key("create", "--name", "x", "--scope", "all", code=2)
    assert "--partner: " in key("create", "--name", "x", "--scope", "keys", "--partner", "nobody", code=1)
    key("revoke", "nobody", code=1)
