"""Each command of the guides works as it stands: in bash against a real server, and in zsh with the same words."""

import json
import os
import re
import shutil
import subprocess
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from app.cli import main
from app.core.database.engine import Database
from tests.support.databases import url_of
from tests.support.guides import GUIDES, ROOT, Command, commands_of
from tests.support.servers import server

SHOWN_SERVER = "http://127.0.0.1:8000"
IN_A_CHECKOUT = ("app", "examples", "seed")
# What the guides assume: the default limits, and a receiver of webhooks on the same machine.
SETTINGS: dict[str, Any] = {"rate_limit_address": "12000", "webhook_allow": "127.0.0.0/8 http://127.0.0.1:8100"}
END = "\036"
# Members whose values are different in each registry, as are words with a digit, ids of keys, and hashes.
VARYING = {"id", "key", "sequence", "at", "actor", "next", "last", "secret", "previous_until"}
VARYING_WORD = re.compile(r"[\w…]*[\d…][\w…]*|\b[0-9a-z]{10}\b|\b[0-9a-f]{8}\b")
SHELLS = {"bash": ["bash", "--norc"], "zsh": ["zsh", "-f", "-i"]}  # an interactive zsh has no comments
STUB = '#!/bin/sh\nprintf "%s\\n" "${0##*/}" "$@" >"$RECORDS/$$"\n'


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True, scope="session")
def test_each_command_does_what_its_guide_shows(seeded_database: Database, tmp_path: Path) -> None:
    for linked in IN_A_CHECKOUT:
        (tmp_path / linked).symlink_to(ROOT / linked)
    url = url_of(seeded_database)
    path = f"{ROOT}/.venv/bin:{os.environ['PATH']}"
    with server(url, **SETTINGS) as (base, _):
        for guide in GUIDES:
            run = [command for command in commands_of(guide) if command.runs and not command.text.startswith("make ")]
            script = "\n".join(f"{command.text}\nprintf '{END}%s{END}' $?" for command in run)
            done = subprocess.run(
                ["bash", "--norc", "-o", "pipefail", "-c", script.replace(SHOWN_SERVER, base)],
                env={**os.environ, "PATH": path, "HOPTAC_DATABASE_URL": url, "no_proxy": "*"},
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=300,
                check=False,
            )
            parts = done.stdout.replace(base, SHOWN_SERVER).split(END)
            for command, output, code in zip(run, parts[::2], parts[1::2], strict=False):
                assert is_shown(command, output, int(code)), f"{guide.name}: {command.text}\nprints: {output}"
            assert len(parts) == 2 * len(run) + 1, f"{guide.name}: {done.stdout}"


def is_shown(command: Command, output: str, code: int) -> bool:
    """Whether a command did what the guide shows; a command without output shown must succeed."""
    if not command.output:
        return code == 0 and '"/problems#' not in output
    shown = "\n".join(command.output)
    try:
        return alike(json.loads(shown), json.loads(output))
    except ValueError:
        printed = [steady(line.strip(" .")) for line in output.splitlines()]
        return all(steady(line.strip(" .")) in printed for line in command.output)


def alike(shown: Any, found: Any) -> bool:
    """Whether two JSON values differ only in what differs between registries."""
    if isinstance(shown, dict) and isinstance(found, dict):
        return shown.keys() == found.keys() and all(
            member in VARYING or member.endswith("_at") or alike(shown[member], found[member]) for member in shown
        )
    if isinstance(shown, list) and isinstance(found, list):
        return len(shown) == len(found) and all(map(alike, shown, found))
    return bool(steady(shown) == steady(found))


def steady(value: Any) -> Any:
    """A text with `#` for each word that varies; other values as they are."""
    return VARYING_WORD.sub("#", value) if isinstance(value, str) else value


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_understands_each_command_as_bash_does(tmp_path: Path) -> None:
    everything = [command.text for guide in GUIDES for command in commands_of(guide)]
    read = {shell: words_read(everything, shell, tmp_path / shell) for shell in SHELLS}
    assert read["zsh"] == read["bash"]


def words_read(texts: list[str], shell: str, folder: Path) -> list[str]:
    """The words that programs get from a shell, of one call a text; stubs take the places of the programs."""
    programs, records = folder / "bin", folder / "records"
    programs.mkdir(parents=True)
    records.mkdir()
    for program in {word for text in texts for word in re.findall(r"(?:^|[|(] ?|^\w+=\S+ )([a-z]\w+)", text)}:
        (programs / program).write_text(STUB)
        (programs / program).chmod(0o755)
    start = [shutil.which(SHELLS[shell][0]) or shell, *SHELLS[shell][1:]]
    environment = {"PATH": str(programs), "RECORDS": str(records), "HOME": str(folder), "KEY": "", "BASE": ""}
    script = "\n".join([*texts, "exit"])
    done = subprocess.run(
        start, input=script, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    for complaint in ("no matches found", "not found", "parse error", "bad pattern"):
        assert complaint not in done.stderr, done.stderr
    return sorted(record.read_text() for record in records.iterdir())


def test_what_needs_docker_or_root_is_an_illustration() -> None:
    for guide in GUIDES:
        for command in commands_of(guide):
            assert not command.runs or not command.text.startswith(("docker ", "sudo ")), (
                f"{guide.name}: {command.text}"
            )


def test_no_command_has_a_sign_that_zsh_expands() -> None:
    for guide in GUIDES:
        for command in commands_of(guide):
            first, _, _ = command.text.partition("<<'")
            bare = re.sub(r"'[^']*'|\"[^\"]*\"|\\\n", "", first)
            assert not re.search(r"[?*#\[\]^~!]|&(?!&|$)", bare), f"{guide.name}: {command.text}"


@pytest.mark.parametrize("guide", [*GUIDES, ROOT / "CONTRIBUTING.md"], ids=lambda path: path.stem)
def test_each_command_in_a_sentence_has_the_options_that_it_names(guide: Path) -> None:
    text = guide.read_text("utf-8")
    found = re.findall(r"(?:`|\$ |^)hoptac ((?:(?:key|texts) )?[a-z]+)([^`\n]*)", text, re.MULTILINE)
    for name, rest in found:
        known = help_of(*name.split())
        for option in re.findall(r"(?<!\S)(--[a-z-]+)", rest):
            assert option in known, f"hoptac {name} {option}"
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"(?:`|^)make ([a-z][a-z-]*)", text, re.MULTILINE):
        assert f"\n{target}:" in makefile, target


def help_of(*command: str) -> str:
    """What a command prints for `--help`."""
    printed = StringIO()
    with redirect_stdout(printed), pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0, command
    return printed.getvalue()
