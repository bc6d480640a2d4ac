"""The messages that clients can receive, read from the source of the program."""

import ast
from collections.abc import Iterator
from pathlib import Path

from app.core.error_codes import ERROR_DETAILS
from app.core.errors import family

APP = Path(__file__).parents[2] / "app"
RAISED = {kind.__name__ for kind in family()} | {"ErrorItem", "ValueError", "EgressRefused", "Refused"}
NAMES = {"detail", "title", "reason"}
DOCUMENTED = ("DESCRIPTION", "_TEXT", "NOT_MODIFIED", "DECIMAL", "DATES", "SHEET", "HEADER_ROW")  # of the contract only
SECOND = {"BadCell", "warn"}  # these take a code before the message
FAILURES = {"TooMuch", "Interrupted"}
TABLES_OF_MESSAGES = {"DETAILS", "FORMS", "EXPECTED", "GARBLED", "LEFT_OUT", "NEEDS"}

# These speak to an operator on the command line, or end a connection without a response.
OPERATORS = (
    "server/",
    "commands/",
    "command.py",
    "cli.py",
    "status.py",
    "archive_process.py",
    "exchange/archives/reading.py",
    "exchange/archives/importing.py",
    "exchange/mirrors/",
    "core/maintenance/",
    "core/settings.py",
    "agents/tools/",  # these speak to a language model, whose tools are described in English
    "agents/calls.py",
    "agents/definitions.py",
    "agents/quoting.py",
    "webhooks/client.py",  # what it says is the result of a delivery, which is stored and shown in English
)
NEVER_SENT = {
    "Input should be greater than or equal to 1",  # an example in the contract
    "The last key with the scope keys expires at {}. Create another one with `hoptac key create`, or set its"
    " expires_at with PATCH /v1/keys/{id}.",
    "HOPTAC_DATABASE_URL: only sqlite:///FILE and postgresql://… are supported",
    "HOPTAC_DATABASE_URL: is not a URL; try sqlite:///hoptac.db or postgresql://…",
    "HOPTAC_DATABASE_URL: an SQLite database needs a file, such as sqlite:///hoptac.db",
    "HOPTAC_READ_URL: an SQLite database has no replicas; remove this setting",
    "HOPTAC_READ_URL: at most {} servers",
    "HOPTAC_READ_URL: takes URLs postgresql://…, separated by spaces",
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
    if isinstance(node, ast.Call):
        return _arguments(node)
    if isinstance(node, ast.Assign):
        return _assigned(node)
    if isinstance(node, ast.Yield | ast.Return) and isinstance(node.value, ast.Tuple):
        return [value for value in node.value.elts[1:2] if _is_sentence(value)]
    if isinstance(node, ast.Return) and node.value and _is_sentence(node.value):
        return [node.value]
    if isinstance(node, ast.AnnAssign) and node.value and isinstance(node.target, ast.Name):
        return [node.value] if node.target.id in NAMES else []
    if isinstance(node, ast.keyword) and node.arg == "detail":
        return [node.value]
    return []


def _arguments(call: ast.Call) -> list[ast.expr]:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name in SECOND:
        return call.args[1:2]
    if name not in RAISED | FAILURES:
        return [value for value in call.args if name in ("fail", "_fail") and _is_sentence(value)]
    return [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "detail")]


def _assigned(node: ast.Assign) -> list[ast.expr]:
    """Return the message of a variable with such a name, of a constant that is a sentence, or of a table of these."""
    targets = {target.id for target in node.targets if isinstance(target, ast.Name)}
    if isinstance(node.value, ast.Dict) and targets & TABLES_OF_MESSAGES:
        return node.value.values
    is_constant = any(name.isupper() and not name.endswith(DOCUMENTED) for name in targets) and _is_sentence(node.value)
    return [node.value] if targets & NAMES or is_constant else []


def _is_sentence(node: ast.expr) -> bool:
    text = _text(node)
    return text[:1].isupper() and text.endswith(".") and " " in text


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return ""
