"""The shell commands of the guides, with the output that the guides show."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
ILLUSTRATION = "For illustration"  # in the line before a block of commands that no test can run
BLOCK = re.compile(
    r"^(?P<before>.+)\n\n *```(?P<language>console|sh)\n(?P<text>(?:.*\n)*?) *```$",
    re.MULTILINE,
)
HEREDOC = re.compile(r"<<'(\w+)'$")


@dataclass
class Command:
    """One command as a reader types it, and the output that the guide shows for it."""

    text: str
    output: list[str] = field(default_factory=list)
    runs: bool = True


def commands_of(guide: Path) -> list[Command]:
    """Return the commands of a guide in their order."""
    found: list[Command] = []
    for block in BLOCK.finditer(guide.read_text("utf-8")):
        runs = ILLUSTRATION not in block["before"]
        lines = textwrap.dedent(block["text"]).splitlines()
        found += (_console if block["language"] == "console" else _script)(lines, runs)
    return found


def _console(lines: list[str], runs: bool) -> list[Command]:
    """A command starts with `$ `; what follows it, up to the next one, is output."""
    found: list[Command] = []
    rest = iter(lines)
    for line in rest:
        if line.startswith("$ "):
            found.append(Command(_whole(line.removeprefix("$ "), rest), runs=runs))
        else:
            found[-1].output.append(line)
    return found


def _script(lines: list[str], runs: bool) -> list[Command]:
    """Each line is a command."""
    rest = iter(lines)
    return [Command(_whole(line, rest), runs=runs) for line in rest if line]


def _whole(line: str, rest: Iterator[str]) -> str:
    """Return a command with the lines that continue it: after a backslash, and up to the end of a here-document."""
    lines = [line]
    while lines[-1].endswith("\\"):
        lines.append(next(rest))
    if heredoc := HEREDOC.search(lines[-1]):
        while lines[-1] != heredoc[1]:
            lines.append(next(rest))
    return "\n".join(lines)
