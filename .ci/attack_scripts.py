"""Run the attack scripts against servers of their own and check what they do: `attack_scripts.py ENGINE URL SCRIPTS`.

Each script gets a process with default settings, over one generated registry. Other clients are timed meanwhile, from
another address, and have the bounds of `tests.torture.attacks.measuring`. `--full`: with the counts that did harm.
"""
# ruff: noqa: T201, D103 - it says what it found; the functions are named for the scripts that they run

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.core.database.engine import Database
from bench.generate import Record
from bench.load import write
from tests.torture.attacks.files import FILE_DISK, FILE_MEMORY
from tests.torture.attacks.measuring import SILENCE, WRITE_WAIT, Watch, at_most, watched
from tests.torture.attacks.reads import (
    CACHE_MEGABYTES,
    CACHE_MEMORY,
    FEED_BYTES,
    LOG_MEGABYTES,
    PAGE_BYTES,
    STATEMENT_MEMORY,
)
from tests.torture.attacks.target import PROJECT, Target, generated, key_of
from tests.torture.setting import ROOT, Row

KEYS = {
    "OWN_UNIDO": (("records:write:own",), "unido"),
    "OTHER": (("records:write:own",), "other"),
    "NOHOOK": (("records:write:own",), "third"),
    "WRITE": (("records:write",), None),
    "READ": (("webhooks",), None),
    "ADMIN": (("keys", "records:write"), None),
}
UNLIMITED = {"rate_limit_key": 0, "rate_limit_address": 0}  # or the limits hide what is looked for
SMALL_CACHE = {**UNLIMITED, "hot_cache": CACHE_MEGABYTES}
REFUSED_FILE = "KeyError: 'location'"
# Today's place of what forge.py imports, which knows cursors without a signature.
SHIM = """
import base64, hashlib, json

def bound(path, parameters):
    return path, list(parameters)

def cursor(bound, value, record_id):
    path, parameters = bound
    position = json.dumps([value, record_id], separators=(",", ":")).encode()
    check = hashlib.blake2b(position + f"{path}?{sorted(parameters)}".encode(), digest_size=6).digest()
    return base64.urlsafe_b64encode(check + position).rstrip(b"=").decode()
"""


@dataclass
class Setting:
    """What all scripts share."""

    scripts: Path
    url: str
    folder: Path
    keys: dict[str, str]
    full: bool

    @property
    def keys_file(self) -> str:
        """The file of keys that scripts read."""
        return str(self.folder / "keys")


@dataclass
class Attack:
    """One script against one server, and what it printed."""

    row: Row
    target: Target
    watch: Watch
    setting: Setting
    output: str = ""

    def changed(self, script: str, texts: dict[str, str]) -> Path:
        """Make a copy of a script with other texts in it."""
        text = (self.setting.scripts / script).read_text()
        for old, new in texts.items():
            assert old in text, f"no {old} in {script}"
            text = text.replace(old, new)
        copy = self.setting.folder / script
        copy.write_text(text)
        return copy

    def run(self, script: str | Path, *arguments: object, refused: str = "", **environment: str) -> str:
        """Run a script to its end; refused: what it prints when it is, and ends with an error."""
        command = [sys.executable, str(self.setting.scripts / script), *map(str, arguments)]
        return self.run_command(command, refused=refused, **environment)

    def run_command(self, command: list[str], *, refused: str = "", **environment: str) -> str:
        """Run it in the checkout, for some scripts read openapi.json."""
        try:
            ended = subprocess.run(
                command,
                env={**os.environ, **environment},
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=900 if self.setting.full else 100,
                check=False,
            )
        except subprocess.TimeoutExpired:
            self.row.need(False, "the script did not end")
            return ""
        said = ended.stdout + (ended.stderr[-300:] if ended.returncode else "")
        self.row.need(ended.returncode == 0 or (refused and refused in said), f"the script failed: {said[-300:]}")
        self.output += said
        return said

    def number(self, pattern: str, what: str, bound: float, said: str) -> None:
        """Hold the number that a script printed against its bound."""
        found = re.search(pattern, said)
        self.row.need(found, f"no {what} in: {said[-200:]}")
        if found:
            at_most(self.row, what, float(found[1]), bound)


def freeze(attack: Attack) -> None:
    sizes = {"titles": 40_000, "format": 80_000, "area": 20_000}
    for kind, letters in sizes.items():
        size = 990_000 if attack.setting.full else letters
        key = attack.setting.keys["OWN_UNIDO"]
        said = attack.run("freeze_xlsx.py", attack.target.server.base, key, size, kind)
        attack.number(r"silent for ([\d.]+) s", f"{kind}, s", SILENCE * attack.watch.busy, said)
        attack.row.need(" 500 after" not in said, f"{kind} got 500")


def disk(attack: Attack) -> None:
    file = attack.target.file if attack.target.is_sqlite else "/nowhere"
    for rows, megabytes in ((200, 2.9), (100, 20)) if attack.setting.full else ((100, 2.9),):
        key, pid = attack.setting.keys["OWN_UNIDO"], attack.target.server.process.pid
        attack.run("disk_xlsx.py", attack.target.server.base, key, rows, megabytes, file, pid, refused="HTTP Error 4")
    at_most(attack.row, "disk, MB more", attack.watch.disk_growth, FILE_DISK)
    at_most(attack.row, "memory, MB more", attack.watch.memory_growth, FILE_MEMORY)


def hotmem(attack: Attack) -> None:
    """With headers that are just accepted. The script does not end if a connection does."""
    script = attack.changed("hotmem.py", {"62000": "12000"})
    for kind in ("coding", "query"):
        count = 10_001 if attack.setting.full else 1_001
        attack.run(script, attack.target.server.port, count, attack.target.server.process.pid, kind)
    at_most(attack.row, "memory, MB more", attack.watch.memory_growth, CACHE_MEMORY)


def poison(attack: Attack) -> None:
    said = attack.run("poison.py", f"127.0.0.1:{attack.target.server.port}")
    answers = re.findall(r"victim sent \((.*?)\) got (\S+)", said)
    attack.row.need(len(answers) == 4, f"{len(answers)} answers of 4")
    for wanted, coding in answers:
        attack.row.need(coding == "None" or coding in wanted, f"who sent {wanted or 'nothing'} got {coding}")


def hints(attack: Attack) -> None:
    clients, seconds = (40, 8) if attack.setting.full else (16, 4)
    attack.run("hints.py", attack.target.server.port, clients, seconds)


def audits(attack: Attack) -> None:
    attack.run("dear_reads.py", attack.target.server.port, *((32, 15) if attack.setting.full else (4, 5)), "audit")


def facets(attack: Attack) -> None:
    attack.run("dear_reads.py", attack.target.server.port, *((30, 10) if attack.setting.full else (12, 5)), "facets")


def shapes(attack: Attack) -> None:
    count = 6_001 if attack.setting.full else 401
    said = attack.run("shapes.py", attack.target.server.port, count, attack.target.server.process.pid, 1)
    at_most(attack.row, "memory, MB more", attack.watch.memory_growth, STATEMENT_MEMORY)
    attack.row.need(not re.search(r"\{[^}]*\b5\d\d:", said), "errors of the server")


def wal(attack: Attack) -> None:
    """SQLite only. The script has a port and a time of its own, which a copy of it gets from here."""
    if not attack.target.is_sqlite:
        return
    own = {"127.0.0.1:8203": f"127.0.0.1:{attack.target.server.port}", "<25": "<25" if attack.setting.full else "<6"}
    script = attack.changed("wal.py", own)
    log = f"{attack.target.file}-wal"
    said = attack.run_command([sys.executable, str(script), "3"], KEY=attack.setting.keys["WRITE"], WAL=log)
    attack.number(r"-> ([\d.]+) MB", "write-ahead log, MB", LOG_MEGABYTES, said)


def lock(attack: Attack) -> None:
    """With the counts that did harm, the file is refused, which the script does not expect."""
    lines = 200_000 if attack.setting.full else 2_000
    said = attack.run("lock.py", attack.target.server.port, attack.setting.keys_file, lines, refused=REFUSED_FILE)
    if REFUSED_FILE in said:
        return
    wait = WRITE_WAIT * attack.watch.busy
    attack.number(r"writes of others:.*?slowest \[\(\w+, ([\d.]+)", "slowest write, s", wait, said)
    attack.row.need(not re.search(r"writes of others: Counter\([^)]*\b5\d\d:", said), "writes of others failed")


def open100(attack: Attack) -> None:
    said = attack.run("open100.py", attack.target.server.port, attack.setting.keys_file)
    for who in ("another partner's import of one line", "WRITE key's import"):
        attack.row.need(f"{who}: 202" in said, f"{who} was not taken")


def fat(attack: Attack) -> None:
    with attack.target.client() as client:
        start = client.get("/v1/changes?after=0&limit=1").json()["last"]
    said = attack.run("fat.py", attack.target.server.port, attack.setting.keys_file, 100 if attack.setting.full else 15)
    attack.row.need(re.search(r"^\d+ records of \d+ bytes in", said, re.MULTILINE), "the records were not written")
    paths = {"/v1/projects?managed_by=unido": PAGE_BYTES, f"/v1/changes?after={start}": FEED_BYTES}
    paths["/v1/search?q=fat+fatword"] = PAGE_BYTES
    for path, bound in paths.items():
        with attack.target.client() as client:
            answer = client.get(f"{path}&limit=200")
        attack.row.need(answer.status == 200, f"{path} got {answer.status}")
        at_most(attack.row, f"{path.partition('?')[0]}, MB", len(answer.body) / 1e6, bound / 1e6)


def forge(attack: Attack) -> None:
    shim = attack.setting.folder / "shim/app/core"
    shim.mkdir(parents=True, exist_ok=True)
    for package in (shim, shim.parent):
        (package / "__init__.py").touch()
    (shim / "paging.py").write_text(SHIM)
    said = attack.run("forge.py", attack.target.server.port, CHECKOUT=str(shim.parents[1]))
    errors = [line for line in said.splitlines() if line.startswith("5xx")]
    attack.row.need(not errors, f"{len(errors)} errors of the server, the first: {errors[:1]}")


def worst(attack: Attack) -> None:
    chosen = (
        ()
        if attack.setting.full
        else ("facets all figures", "audit 200", "place,project", "search 12 common", "q sort")
    )
    script = attack.changed("worst.py", {"comma-separated: ": "separated by commas: "})  # what the contract says today
    said = attack.run(script, attack.target.server.port, attack.target.server.process.pid, *chosen)
    waits = [float(found) for found in re.findall(r"livez max +([\d.]+) ms", said)]
    at_most(attack.row, "longest /livez, s", max(waits, default=9_999) / 1_000, SILENCE * attack.watch.busy)
    attack.row.need(not re.search(r" 500 +\d+ ms", said), "errors of the server")


ATTACKS: dict[str, tuple[Callable[[Attack], None], dict[str, int]]] = {
    "freeze_xlsx": (freeze, {}),
    "disk_xlsx": (disk, {}),
    "hotmem": (hotmem, SMALL_CACHE),
    "poison": (poison, {}),
    "hints": (hints, {}),
    "dear_reads audit": (audits, {}),
    "dear_reads facets": (facets, {}),
    "shapes": (shapes, UNLIMITED),
    "wal": (wal, {}),
    "lock": (lock, {}),
    "open100": (open100, {}),
    "forge": (forge, UNLIMITED),
    "worst": (worst, UNLIMITED),
    "fat": (fat, UNLIMITED),  # the last one, for it leaves large records behind
}


def carried_out(name: str, setting: Setting) -> Row:
    """Run one attack on a process of its own."""
    act, settings = ATTACKS[name]
    row = Row(name, {})
    output = ""
    try:
        with Target(setting.url, full=setting.full, **settings) as target:
            with watched(target, row, 0 if settings is SMALL_CACHE else 0.25) as watch:
                attack = Attack(row, target, watch, setting)
                act(attack)
            output = attack.output
    except (AssertionError, KeyError, OSError, ValueError) as error:
        row.need(False, f"it broke off: {type(error).__name__} {error}"[:300])
    print(*(f"      | {line[:200]}" for line in output.splitlines()[-12:]), sep="\n")
    return row


def main() -> int:
    """0 when everything held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine")
    parser.add_argument("url")
    parser.add_argument("scripts", type=Path)
    parser.add_argument("words", nargs="*", help="only scripts whose name has one of these")
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # through the ends of the contexts, which stop servers
    generated(options.url, 30_000 if options.full else 1_000)
    with Database(options.url) as database:
        write(database, [Record("projects", "smart-factory-cooperation", PROJECT)])
    keys = {name: key_of(options.url, *scopes, partner=partner) for name, (scopes, partner) in KEYS.items()}
    failed = []
    with tempfile.TemporaryDirectory(prefix="hoptac-attacks-") as folder:
        setting = Setting(options.scripts, options.url, Path(folder), keys, options.full)
        Path(setting.keys_file).write_text("".join(f"{name}={key}\n" for name, key in keys.items()))
        for name in ATTACKS:
            if options.words and not any(word in name for word in options.words):
                continue
            began = time.monotonic()
            row = carried_out(name, setting)
            figures = ", ".join(f"{what} {value}" for what, value in row.figures.items())
            held = "held" if not row.problems else "DID NOT HOLD"
            print(f"   {options.engine}: {name}: {held} ({time.monotonic() - began:.0f} s): {figures}", flush=True)
            print(*(f"      {problem}" for problem in row.problems), sep="\n", flush=True)
            failed += [name] if row.problems else []
    print(f"   {options.engine}: {len(failed)} attacks did not hold: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
