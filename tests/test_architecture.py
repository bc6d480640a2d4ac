"""Tests share code through tests/support alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.selection import BOTH_ENGINES, SLOW

TESTS = Path(__file__).parent
MODULES = [path.relative_to(TESTS) for path in sorted(TESTS.rglob("*.py"))]


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, or may import from a package."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_module_imports_a_test_module_or_conftest(module: Path) -> None:
    for name in imported(TESTS / module):
        package, _, rest = name.partition(".")
        if package == "tests":
            assert not rest.startswith(("test_", "conftest")), name


@pytest.mark.parametrize("module", [each for each in MODULES if each.parts[0] == "support"], ids=str)
def test_what_tests_share_knows_no_other_tests(module: Path) -> None:
    for name in imported(TESTS / module):
        assert not name.startswith("tests.") or name.startswith("tests.support."), name


def test_conftest_has_fixtures_and_hooks_only() -> None:
    for node in ast.parse((TESTS / "conftest.py").read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            decorated = any("pytest." in ast.unparse(each) for each in node.decorator_list)
            assert decorated or node.name.startswith("pytest_"), node.name


def test_the_modules_that_make_test_selects_by_name_exist() -> None:
    names = {path.stem for path in TESTS.glob("test_*.py")}
    assert set(BOTH_ENGINES) | set(SLOW) <= names
    assert not set(BOTH_ENGINES) & set(SLOW)
