"""CONTRIBUTING.md holds what it says: its worked examples are followed, as they stand there, on a copy of the tree."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
pytestmark = pytest.mark.slow
MAKE = ["make", "--old-file=.venv/dev"]  # the copy links to the environment that runs the tests


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree, after every step of the examples."""
    tree = tmp_path_factory.mktemp("contributing")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines():
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    (tree / ".venv").symlink_to(Path(sys.executable).parents[1])
    commands: dict[str, None] = {}
    for kind, block in BLOCK.findall(TEXT):
        if kind == "sh":
            commands |= dict.fromkeys(block.splitlines())
        else:
            follow(tree, kind, block)
    for line in commands:  # each once, after all changes
        run(tree, *MAKE, *shlex.split(line)[1:])
    return tree


def follow(tree: Path, kind: str, block: str) -> None:
    """Do what a block of the text says: write a file or change one."""
    first, _, rest = block.partition("\n")
    path = tree / first.removeprefix("# ")
    if kind == "python":
        path.parent.mkdir(exist_ok=True)
        path.write_text(rest, "utf-8")
    else:
        path.write_text(changed(path.read_text("utf-8"), rest), "utf-8")


def changed(text: str, difference: str) -> str:
    """Return the text with a difference applied, whose parts are divided by a line of three dots."""
    for part in difference.split("...\n"):
        lines = part.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] != "+")
        assert text.count(before) == 1, before
        text = text.replace(before, "".join(line[1:] for line in lines if line[0] != "-"))
    return text


def run(tree: Path, *command: str) -> str:
    """Run a command in the copy and return what it prints."""
    done = subprocess.run(command, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_migration_needs_no_editing(copy: Path) -> None:
    before, last = sorted(path.name[:4] for path in copy.glob("migrations/versions/[0-9]*.py"))[-2:]
    written = (copy / f"migrations/versions/{last}_add_meetings.py").read_text("utf-8")
    assert f'down_revision: str | None = "{before}"' in written
    assert written.count("BYTEWISE, nullable") > 10
    assert "postgresql_where=sa.text(\"state = 'draft'\")" in written
    foreign_keys = written.count("sa.ForeignKeyConstraint(")
    assert foreign_keys == written.count("deferrable=True") == written.count('initially="DEFERRED"') == 7
    for check in (("check",), ("format", "--check")):
        run(copy, str(Path(sys.executable).with_name("ruff")), *check, "--no-cache", "migrations", "app", "tests")


def test_the_migration_makes_what_the_models_say_and_there_is_no_other_to_write(copy: Path) -> None:
    before = sorted(copy.glob("migrations/versions/*.py"))
    again = subprocess.run([*MAKE, "migration", "m=Again"], cwd=copy, capture_output=True, text=True)
    assert "no migration was written" in again.stderr
    assert again.returncode != 0
    assert sorted(copy.glob("migrations/versions/*.py")) == before


def test_the_examples_work_on_both_engines(copy: Path) -> None:
    tests = [
        "tests/test_meetings.py",
        "tests/test_documents.py",
        "tests/test_audit.py::test_a_rule_flags_what_it_should_and_leaves_the_rest",
        "tests/test_audit.py::test_the_dataset_has_exactly_its_true_findings",
        "tests/test_contract.py::test_the_committed_contract_is_the_programs",
        "tests/test_contract.py::test_the_examples_are_the_datasets",
        "tests/test_check.py::test_the_dataset_has_no_problem_in_itself",
        "tests/test_schema.py::test_the_migrated_schema_is_the_models",
    ]
    quickly = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", "not (test_audit and postgresql)"]
    printed = run(copy, sys.executable, "-m", "pytest", *quickly, *tests)
    assert re.search(r"^\d+ passed", printed, re.MULTILINE), printed
