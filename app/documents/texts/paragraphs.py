"""Paragraphs of a text, and the places where words occur in them."""

import hashlib
import re
from typing import NamedTuple

from app.core.values.normal_forms import normalized
from app.core.values.text import UNSAFE

MAX_BYTES = 2_000_000  # of a text in UTF-8
MAX_PARAGRAPHS = 10_000
MAX_CHARACTERS = 20_000  # of a paragraph
BYTE_ORDER_MARK = "\ufeff"
LINE_BREAK = re.compile(r"\r\n?|\n")
MAX_PLACES = 20  # of the same words in a paragraph
MAX_TRIES = 1_000  # places at which the words may turn out to be parts of others
FEW_WORDS = 4  # before and after quoted words


class NotReadable(ValueError):
    """Raised for a text that the registry cannot hold; the message states the reason."""


class ParsedText(NamedTuple):
    """The digest of a text as it was sent, and its paragraphs."""

    sha256: str
    size: int
    paragraphs: list[str]


def paragraphs_of(text: str) -> list[str]:
    """Return the non-blank lines of a text in NFC; the first one is paragraph 1.

    They have no spaces around them, and a space in place of each control character.
    """
    lines = LINE_BREAK.split(normalized("NFC", text.removeprefix(BYTE_ORDER_MARK)))
    stripped = [UNSAFE.sub(" ", line).strip() for line in lines]
    return [line for line in stripped if line]


def parse_text(content: bytes) -> ParsedText:
    """Return the paragraphs of a text in UTF-8. Raise NotReadable if it is no text, or too long."""
    if len(content) > MAX_BYTES:
        raise NotReadable(f"A text has at most {MAX_BYTES:,} bytes.")
    try:
        paragraphs = paragraphs_of(content.decode())
    except UnicodeDecodeError:
        raise NotReadable("The text is not in UTF-8.") from None
    if len(paragraphs) > MAX_PARAGRAPHS:
        raise NotReadable(f"A text has at most {MAX_PARAGRAPHS:,} paragraphs.")
    for number, paragraph in enumerate(paragraphs, 1):
        if len(paragraph) > MAX_CHARACTERS:
            raise NotReadable(f"Paragraph {number} has more than {MAX_CHARACTERS:,} characters.")
    return ParsedText(hashlib.sha256(content).hexdigest(), len(content), paragraphs)


def places_of(words: str, paragraph: str) -> list[tuple[int, int]]:
    """Return start and end of the first places where the words are in a paragraph as whole words."""
    places: list[tuple[int, int]] = []
    start = paragraph.find(words)
    tries = 0
    while start >= 0 and len(places) < MAX_PLACES and tries < MAX_TRIES:
        tries += 1
        end = start + len(words)
        starts_inside = words[0].isalnum() and paragraph[start - 1 : start].isalnum()
        ends_inside = words[-1].isalnum() and paragraph[end : end + 1].isalnum()
        if not starts_inside and not ends_inside:
            places.append((start, end))
        start = paragraph.find(words, start + 1)
    return places


def around(paragraph: str, place: tuple[int, int]) -> tuple[str, str]:
    """Return the few words before and after a place, with one space between them."""
    before, after = literally_around(paragraph, place)
    return " ".join(before.split()), " ".join(after.split())


def literally_around(paragraph: str, place: tuple[int, int]) -> tuple[str, str]:
    """Return the few words before and after a place, with all characters between them and the place."""
    before = paragraph[: place[0]]
    after = paragraph[place[1] :]
    earlier = before.rsplit(None, FEW_WORDS)
    later = after.split(None, FEW_WORDS)
    if len(earlier) > FEW_WORDS:
        before = before[len(earlier[0]) :].lstrip()
    if len(later) > FEW_WORDS:
        after = after[: len(after) - len(later[-1])].rstrip()
    return before, after
