"""What must be the same on every version of Python that pyproject.toml promises."""

import ast
import importlib
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_constants: Any = importlib.import_module("re._constants")  # the type stubs do not have these modules
_parser: Any = importlib.import_module("re._parser")
ROOT = Path(__file__).parents[1]
FOLDERS = ("app", "seed", "migrations", "examples")
IMPORTED = ("app", "seed")  # their modules have no effect when they are imported
# Python 3.11.0 to 3.11.4 match these wrongly, or crash: no other feature of `re` that we know of differs.
UNSAFE = {_constants.POSSESSIVE_REPEAT, _constants.ATOMIC_GROUP}
UNPARSED = re.compile(r"[+*?}]\+|\(\?>")  # the same in a piece of a pattern that is none by itself


def _files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _nodes(parsed: Any) -> Iterator[Any]:
    """The operators of a parsed pattern, at every depth."""
    if isinstance(parsed, _parser.SubPattern):
        for operator, argument in parsed:
            yield operator
            yield from _nodes(argument)
    elif isinstance(parsed, (list, tuple)):
        for part in parsed:
            yield from _nodes(part)


def is_unsafe(pattern: str) -> bool:
    """Whether a pattern, or a piece of one, has what some versions get wrong."""
    try:
        with warnings.catch_warnings(action="ignore"):  # not every string is a pattern
            parsed = _parser.parse(pattern)
    except (re.error, OverflowError):
        return UNPARSED.search(pattern) is not None
    return not UNSAFE.isdisjoint(_nodes(parsed))


def _text(node: ast.AST) -> str | None:
    """A string as it is written; what an f-string puts in is one letter."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "x" for part in node.values)
    return None


def _strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The strings of a module with their lines, but for docstrings."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = None if id(node) in prose else _text(node)
        if text:
            yield getattr(node, "lineno", 0), text


def _compiled(value: Any) -> Iterator[str]:
    """The patterns that a variable of a module holds, also in a collection."""
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
        yield value.pattern
    elif isinstance(value, (list, tuple, set, frozenset)):
        for part in value:
            yield from _compiled(part)
    elif isinstance(value, dict):
        yield from _compiled(list(value.values()))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a++", True),
        ("(?:a|(b{2,}+))", True),
        ("(?=a?+)", True),
        ("(?(1)a|b*+)", True),
        ("(?>a)", True),
        ("a+?b{2}", False),
        (r"\++", False),
        ("[+*]+", False),
        (r"(\d++", True),
        ("(a+", False),
    ],
)
def test_an_unsafe_pattern_is_recognised(pattern: str, expected: bool) -> None:
    assert is_unsafe(pattern) == expected


def test_no_string_is_a_pattern_that_versions_match_differently() -> None:
    wrong = []
    for path in _files(*FOLDERS):
        for line, text in _strings(ast.parse(path.read_text("utf-8"))):
            if is_unsafe(text):
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {text[:80]}")
    assert wrong == []


def test_no_pattern_put_together_is_matched_differently() -> None:
    patterns: set[str] = set()
    for path in _files(*IMPORTED):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if not name.endswith("__main__"):
            patterns.update(_compiled(list(vars(importlib.import_module(name)).values())))
    assert len(patterns) > 50
    assert [pattern for pattern in patterns if is_unsafe(pattern)] == []
