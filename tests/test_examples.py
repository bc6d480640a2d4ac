"""The examples, run as their users run them: real processes against a real server, on both engines."""

import base64
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from runpy import run_path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from app.core.database.engine import Database
from tests.support.databases import url_of
from tests.support.keys import key_of
from tests.support.servers import ROOT, server

EXAMPLES = ROOT / "examples"
EDITING = {"If-Match": "*", "Content-Type": "application/merge-patch+json"}
PROJECT = {"title": {"en": "A project of ours"}, "kind": "project", "status": "active"}


@pytest.fixture
def served(seeded_database: Database) -> Iterator[httpx.Client]:
    with server(url_of(seeded_database)) as (base, _):
        key = key_of(seeded_database, "records:write")
        with httpx.Client(base_url=base, headers={**key, **EDITING}, trust_env=False) as client:
            yield client


@pytest.fixture
def key(seeded_database: Database) -> str:
    return key_of(seeded_database, "records:write:own", partner="unido")["Authorization"].split()[1]


def in_step(folder: Path, served: httpx.Client, key: str, *options: str, code: int = 0) -> str:
    """What a run prints."""
    command = [sys.executable, "examples/keep_in_step.py", str(folder), "--partner", "unido", "--key", key, *options]
    done = subprocess.run(
        [*command, "--registry", str(served.base_url)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr[-2000:]
    return done.stdout


def kept(folder: Path) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("[!.]*.json")}


def edit(folder: Path, project: str, **values: Any) -> None:
    path = folder / f"{project}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_partner_keeps_its_projects_in_step_both_ways(tmp_path: Path, served: httpx.Client, key: str) -> None:
    folder, other, path = tmp_path / "ours", tmp_path / "second", "/v1/projects/ours"
    folder.mkdir()
    (folder / "ours.json").write_text(json.dumps(PROJECT))
    assert in_step(folder, served, key) == ""
    assert served.get(path).json()["managed_by"] == "unido"
    in_step(other, served, key)
    assert kept(other) == kept(folder)

    changed = served.patch(path, json={"description": {"en": "Theirs"}, "kind": "programme"})
    assert changed.status_code == 200, changed.text
    edit(folder, "ours", title={"en": "Ours"}, kind="initiative")
    assert "kind was changed on both sides" in in_step(folder, served, key)
    shown = served.get(path).json()
    assert (shown["title"], shown["description"], shown["kind"]) == ({"en": "Ours"}, {"en": "Theirs"}, "programme")
    assert shown.items() >= kept(folder)["ours"].items()
    assert in_step(other, served, key) == ""
    assert kept(other) == kept(folder)

    (folder / "wrong.json").write_text(json.dumps({**PROJECT, "places": ["atlantis"]}))
    assert "/places/0: " in in_step(folder, served, key, code=1)
    (folder / "wrong.json").unlink()
    (folder / "second.json").write_text(json.dumps(PROJECT))
    in_step(folder, served, key)
    version = served.get(path).json()["version"]
    in_step(folder, served, key)
    assert served.get(path).json()["version"] == version

    (folder / "ours.json").unlink()
    assert served.delete("/v1/projects/second").status_code == 204
    in_step(folder, served, key)
    assert served.get(path).status_code == 410
    assert kept(folder) == {}
    in_step(other, served, key)
    assert kept(other) == {}


def test_an_emptied_folder_deletes_nothing_unless_asked(tmp_path: Path, served: httpx.Client, key: str) -> None:
    folder = tmp_path / "ours"
    folder.mkdir()
    names = ["first", "second", "third"]
    for name in names:
        (folder / f"{name}.json").write_text(json.dumps(PROJECT))
    assert in_step(folder, served, key, "--dry-run") == "".join(f"{name}: would be sent\n" for name in names)
    assert served.get("/v1/projects/first").status_code == 404
    in_step(folder, served, key)
    printed = in_step(tmp_path / "empty", served, key, "--dry-run")
    assert printed == "".join(f"{name}: the file would be written\n" for name in names)
    for path in folder.glob("[!.]*.json"):
        path.unlink()
    assert "3 of 3 projects would be deleted" in in_step(folder, served, key, code=1)
    assert "first: would be deleted" in in_step(folder, served, key, "--delete", "1", "--dry-run")
    assert [served.get(f"/v1/projects/{name}").status_code for name in names] == [200] * 3
    in_step(folder, served, key, "--delete", "1")
    assert [served.get(f"/v1/projects/{name}").status_code for name in names] == [410] * 3


def test_a_registry_that_cannot_be_used_is_reported_in_a_line(
    tmp_path: Path, served: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = run_path(str(EXAMPLES / "keep_in_step.py"))["main"]
    monkeypatch.setitem(main.__globals__, "PAUSES", (0,))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / ".in-step.json").write_text("{")
    base = str(served.base_url)
    for folder, registry, expected in (
        ("ours", "http://127.0.0.1:1", "The registry at http://127.0.0.1:1 cannot be reached: "),
        ("ours", "127.0.0.1:8000", "The registry at 127.0.0.1:8000 cannot be reached: "),
        ("ours", f"{base}/wrong/", "The change feed cannot be read. 404 Not found."),
        ("ours", base, "The change feed cannot be read. 401 A valid key is required."),
        ("broken", base, f"{tmp_path}/broken/.in-step.json is not valid JSON: "),
    ):
        arguments = [
            str(tmp_path / folder),
            "--registry",
            registry,
            "--partner",
            "unido",
            "--key",
            "hoptac_wrong",
            "--dry-run",
        ]
        monkeypatch.setattr(sys, "argv", ["keep_in_step.py", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert str(ended.value).startswith(expected)
        assert not (tmp_path / "ours").exists()


def test_a_receiver_takes_each_event_once(seeded_database: Database) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    allow = f"127.0.0.0/8 http://127.0.0.1:{port}"
    with server(url_of(seeded_database), webhook_allow=allow) as (base, _):
        key = key_of(seeded_database, "records:write", "webhooks")
        with httpx.Client(base_url=base, headers={**key, **EDITING}, trust_env=False) as client:
            hook = {"url": f"http://127.0.0.1:{port}/", "resources": ["partners"], "partners": ["unido"]}
            made = client.post("/v1/webhooks", json=hook, headers={"Content-Type": "application/json"})
            assert made.status_code == 201, made.text
            command = [sys.executable, "examples/webhook_receiver.py", "--port", str(port)]
            environment = {**os.environ, "HOPTAC_WEBHOOK_SECRET": made.json()["secret"]}
            receiver = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
            assert receiver.stdout is not None
            with receiver.stdout:
                try:
                    for state in ("draft", "published"):
                        answer = client.patch("/v1/partners/unido", json={"aliases": [state]})
                        assert answer.status_code == 200, answer.text
                    told = [receiver.stdout.readline().partition(" ") for _ in range(2)]
                finally:
                    receiver.terminate()
                    receiver.wait(timeout=20)
            assert [type_ for type_, _, _ in told] == ["partner.updated"] * 2
            assert [json.loads(data)["version"] for _, _, data in told] == [2, 3]


@pytest.mark.parametrize("wrong", ["id", "timestamp", "signature", "body"])
def test_a_receiver_takes_no_event_of_others(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    receiver = run_path(str(EXAMPLES / "webhook_receiver.py"))
    signer = Webhook("whsec_" + base64.b64encode(b"secret" * 5).decode())
    monkeypatch.setitem(receiver["is_genuine"].__globals__, "secret", b"secret" * 5)
    at, body = datetime.now(UTC), "{}"
    given = {"id": "e1", "timestamp": str(int(at.timestamp())), "signature": signer.sign("e1", at, body), "body": body}
    judge = receiver["is_genuine"]
    assert judge(given["id"], given["timestamp"], "v1,other " + given["signature"], given["body"].encode())
    given[wrong] = {"timestamp": str(int(at.timestamp()) - 600)}.get(wrong, "x")
    assert not judge(given["id"], given["timestamp"], given["signature"], given["body"].encode())
