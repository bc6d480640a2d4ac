"""Names say what a thing is.

In 1,000 uses of a name this code had 65 that were `found`, `said`, `told`, `asked`, `given`, `each` and the like; in
twelve libraries that we compared, at most 1.4. Such a name says that something happened to a value and not what the
value is, so a reader has to look it up each time. A name is refused when one of its words is in `VAGUE`. The terms to
use instead are in `docs/glossary.md`. Names that users, databases or libraries see are in `EXCEPTIONS`.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("app", "seed", "migrations", "examples", "bench", "tools", "clients")
GENERATED = ROOT / "clients" / "python" / "hoptac_client" / "models.py"  # has the names of the contract
VAGUE = {
    *("about", "asked", "asker", "beside", "each", "found", "given", "gone", "held", "kept", "known", "made"),
    *("road", "said", "settled", "taken", "there", "told"),
}
ALONE = {"one", "shown"}  # vague by themselves; parts of clear names such as `one_of` and `ProjectShown`
EXCEPTIONS = {
    *("said_by", "said_by_id", "shown"),  # fields and columns: of figures and statements, of Changes
    *(
        "found",
        "not_found",
        "about",
        "one",
    ),  # fields too: of a finding, of the index of the API; `Resource.one` is a singular
    *("NotFound", "IdTaken", "Gone"),  # errors that are named like their codes
    "Told",  # a schema of the contract: what a webhook says of a record
    "connection_made",  # asyncio calls it
}
FIELDS_ONLY = {
    "found",
    "not_found",
    "about",
    "one",
    "shown",
}  # of the exceptions: not as variables, parameters or functions


def names(tree: ast.Module) -> Iterator[tuple[int, str, bool]]:
    """Return each name that a module defines: its line, itself, and whether it is a field of a class."""
    fields = {
        id(statement.target)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.AnnAssign)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name, False
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg, False
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id, id(node) in fields
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr, False
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs) and node.name:
            yield node.lineno, node.name, False
        elif isinstance(node, ast.alias) and node.asname:
            yield node.lineno, node.asname, False


def is_vague(name: str, *, is_field: bool) -> bool:
    """Return whether a word of the name is vague and the name is no exception."""
    if name in EXCEPTIONS and (is_field or name not in FIELDS_ONLY):
        return False
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}
    return bool(words & VAGUE) or name.strip("_").lower() in ALONE


def vague_names(place: str) -> list[str]:
    """Return the vague names of a file, or of the files in a folder, as `file:line name`."""
    vague: list[str] = []
    for path in [ROOT / place] if place.endswith(".py") else sorted((ROOT / place).rglob("*.py")):
        if ".venv" in path.parts or path == GENERATED:
            continue
        file = path.relative_to(ROOT).as_posix()
        definitions = names(ast.parse(path.read_text("utf-8")))
        vague += [f"{file}:{line} {name}" for line, name, is_field in definitions if is_vague(name, is_field=is_field)]
    return vague


def test_no_name_is_vague() -> None:
    vague = [line for folder in FOLDERS for line in vague_names(folder)]
    assert not vague, "\n".join(vague)


@pytest.mark.parametrize(
    ("source", "vague"),
    [
        ("found = 1", True),
        ("def is_told(): pass", True),
        ("class Asker: pass", True),
        ("def read(given): pass", True),
        ("self.gone = 1", True),
        ("[each for each in ()]", True),
        ("one = 1", True),
        ("class Finding:\n    found: int", False),
        ("def one_of(column): pass", False),
        ("class NotFound(Problem): pass", False),
        ("row = found", False),
        ("roadmap = heroine = 1", False),
    ],
)
def test_what_is_vague(source: str, vague: bool) -> None:
    named = names(ast.parse(source))
    assert any(is_vague(name, is_field=is_field) for _, name, is_field in named) is vague
