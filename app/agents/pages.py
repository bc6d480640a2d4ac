"""Answers of a bounded size. What does not fit follows when the client sends `next` back as `more`.

An answer is made of sections, each of which is read page by page. A position says how many items of which page of which
section the client already has, so that the server has to remember nothing.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from app.agents.quoting import NOTE
from app.core.values.json import to_json

MAX_TOKENS = 1_500  # of an answer
MAX_PAGES = 8  # read for one answer

Item = Mapping[str, Any]


class Page(NamedTuple):
    """Items, and the cursor of the next page of the section."""

    items: Sequence[Item]
    cursor: str = ""


Section = Callable[[str], Awaitable[Page]]


@dataclass(frozen=True)
class Answer:
    """What a tool found: some members of the answer, and sections of items."""

    head: Mapping[str, Any] = field(default_factory=dict)
    sections: Sequence[Section] = ()


class Position(NamedTuple):
    """Where the next items are."""

    section: int = 0
    skip: int = 0
    cursor: str = ""

    def text(self) -> str:
        """Return what a client sends back."""
        return f"{self.section}.{self.skip}.{self.cursor}"


_POSITION = re.compile(r"([0-9]{1,3})\.([0-9]{1,4})\.([A-Za-z0-9_=-]{0,800})")


def position_of(text: str | None) -> Position | None:
    """Return the position that `more` names, None if it has another form."""
    if text is None:
        return Position()
    match = _POSITION.fullmatch(text)
    return Position(int(match[1]), int(match[2]), match[3]) if match else None


def section_of(items: Sequence[Item]) -> Section:
    """Return a section with these items alone."""

    async def read(_: str) -> Page:
        return Page(items)

    return read


def cursor_in(path: str | None) -> str:
    """Return the cursor in the `next` of a list."""
    return parse_qs(urlsplit(path).query).get("cursor", [""])[0] if path else ""


# What is a token in common vocabularies: a short word, three digits, a letter that is not ASCII, a few marks.
_PIECES = re.compile(r"[A-Za-z]{1,7}|[0-9]{1,3}|[^\x00-\x7f]|[!-/:-@\[-`{-~]{1,4}")
MARGIN = 1.1  # on answers in both languages, o200k_base and cl100k_base were measured to have 0.8 to 1.03 of the pieces


def tokens_of(text: str) -> int:
    """Return about how many tokens a text has, rather too many: each model counts in another way."""
    return int(len(_PIECES.findall(text)) * MARGIN) + 1


async def filled(answer: Answer, position: Position) -> dict[str, Any]:
    """Return the answer with as many items as fit, and `next`."""
    body: dict[str, Any] = {"quoted": NOTE, **answer.head, "items": [], "next": None}
    left = MAX_TOKENS - tokens_of(to_json(body).decode()) - tokens_of(f'"next":"{position.text()}"') - 60
    for _ in range(MAX_PAGES):
        if position.section >= len(answer.sections):
            return body
        page = await answer.sections[position.section](position.cursor)
        for number, item in enumerate(page.items[position.skip :], position.skip):
            left -= tokens_of(to_json(item).decode() + ",")
            if left < 0 and body["items"]:
                body["next"] = Position(position.section, number, position.cursor).text()
                return body
            body["items"].append(item)
        is_last = not page.cursor
        position = Position(position.section + 1) if is_last else Position(position.section, 0, page.cursor)
    if position.section < len(answer.sections):
        body["next"] = position.text()
    return body
