"""The messages that clients can receive, read from the source of the program."""

import ast
from collections.abc import Iterator
from pathlib import Path

from app.core.errors import ERROR_DETAILS, family

APP = Path(__file__).parents[2] / "app"
RAISED = {kind.__name__ for kind in family()} | {"ErrorItem", "ValueError", "EgressRefused", "Refused"}
NAMES = {"detail", "title", "reason"}

# These speak to an operator on the command line, or end a connection without a response.
OPERATORS = (
    "server/",
    "commands.py",
    "command.py",
    "cli.py",
    "checks.py",
    "status.py",
    "exchange/mirrors/",
    "core/maintenance/",
    "core/settings.py",
)
NEVER_SENT = {
    "HOPTAC_DATABASE_URL: only sqlite:///FILE and postgresql://… are supported",
    "HOPTAC_DATABASE_URL: is not a URL; try sqlite:///hoptac.db or postgresql://…",
    "HOPTAC_DATABASE_URL: an SQLite database needs a file, such as sqlite:///hoptac.db",
    "HOPTAC_WEBHOOK_ALLOW {}",
    "takes networks such as 10.0.0.0/8 and hosts such as http://receiver:8080, separated by spaces",
    "not the number of a row",
    "not the name of a column",
}


def messages() -> dict[str, str]:
    """Return each message with the place in the source that has it. `{}` stands for a part that varies."""
    found = dict.fromkeys(ERROR_DETAILS.values(), "app/core/errors.py")
    for path in sorted(APP.rglob("*.py")):
        name = path.relative_to(APP).as_posix()
        if not name.startswith(OPERATORS) and not name.endswith(OPERATORS):
            for line, text in _messages_in(ast.parse(path.read_text("utf-8"))):
                found.setdefault(text, f"app/{name}:{line}")
    return {text: place for text, place in found.items() if text not in NEVER_SENT}


def _messages_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        for value in _values(node):
            for choice in (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,):
                text = _text(choice)
                if " " in text.strip():
                    yield choice.lineno, text


def _values(node: ast.AST) -> list[ast.expr]:
    """Return the expressions that are a message: of what is raised, or of a variable with such a name."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISED:
        return [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "detail")]
    if isinstance(node, ast.Assign):
        targets = {target.id for target in node.targets if isinstance(target, ast.Name)}
        return [node.value] if targets & NAMES else []
    if isinstance(node, ast.AnnAssign) and node.value and isinstance(node.target, ast.Name):
        return [node.value] if node.target.id in NAMES else []
    if isinstance(node, ast.keyword) and node.arg == "detail":
        return [node.value]
    return []


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return ""
