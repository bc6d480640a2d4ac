"""Problems in the language of the client: English, or Vietnamese if `Accept-Language` prefers it.

The program writes English. `vietnamese.toml` has each English message, with names in braces for the parts that vary,
and its translation. A message is translated when it is sent, so the stored messages of imports are translated too. A
message without a translation stays English.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

ENGLISH = "en"
VIETNAMESE = "vi"
MAX_PREFERENCES = 256  # bytes of Accept-Language: a longer one is ignored
MAX_MESSAGE = 2_000  # characters: a longer message stays English
MESSAGES = {"title", "detail", "reason"}  # members that contain a message
MAX_LEVELS = 3  # a part of a message can be a message itself, such as a suggestion

PART = re.compile(r"\{(\w+)\}")
WEIGHT = re.compile(r"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)


@lru_cache(512)
def preferred_language(accepted: bytes) -> str:
    """Return "vi" if this Accept-Language prefers Vietnamese to English (RFC 9110, section 12.5.4)."""
    weights: dict[str, float] = {}
    if len(accepted) <= MAX_PREFERENCES:
        for item in accepted.decode("latin-1").lower().split(","):
            tag, has_weight, parameter = item.partition(";")
            match = WEIGHT.fullmatch(parameter)
            weight = float(match[1]) if match else 0.0
            weights.setdefault(tag.strip().partition("-")[0], weight if has_weight else 1.0)
    vietnamese = weights.get(VIETNAMESE, 0.0)
    english = weights.get(ENGLISH, 0.0)
    if vietnamese and vietnamese == english:
        return next(language for language in weights if language in (VIETNAMESE, ENGLISH))
    return VIETNAMESE if vietnamese > english else ENGLISH


class Template(NamedTuple):
    """A message with parts that vary."""

    start: str  # the text before the first of these parts
    pattern: re.Pattern[str]
    translation: str


@cache
def catalogue() -> dict[str, str]:
    """Return the Vietnamese of every English message."""
    return tomllib.loads((files("app.core") / "vietnamese.toml").read_text("utf-8"))


@cache
def _templates() -> list[Template]:
    """Return the messages with parts that vary; those with the most fixed text first, because these fit best."""
    varying = [english for english in catalogue() if PART.search(english)]
    varying.sort(key=lambda english: len(PART.sub("", english)), reverse=True)
    return [_template(english) for english in varying]


def _template(english: str) -> Template:
    pieces = PART.split(english)
    texts = pieces[::2]
    groups = [f"(?P<{name}>.*?)" for name in pieces[1::2]]
    pattern = "".join(re.escape(text) + group for text, group in zip(texts, [*groups, ""], strict=True))
    return Template(texts[0], re.compile(pattern, re.DOTALL), catalogue()[english])


def translated(message: str, language: str, levels: int = MAX_LEVELS) -> str:
    """Return a message in a language; in English if there is no translation."""
    if language != VIETNAMESE or not message or len(message) > MAX_MESSAGE:
        return message
    whole = catalogue().get(message)
    if whole is not None:
        return whole
    for template in _templates() if levels else ():
        match = message.startswith(template.start) and template.pattern.fullmatch(message)
        if match:
            return _filled(template.translation, match.groupdict(), levels - 1)
    return message


def _filled(translation: str, parts: Mapping[str, str], levels: int) -> str:
    """Put the parts of a message into its translation. A part that is a message itself is translated."""
    texts = {name: _translated_part(text, levels) for name, text in parts.items()}
    return PART.sub(lambda part: texts[part[1]], translation)


def _translated_part(text: str, levels: int) -> str:
    message = text.strip()
    return text.replace(message, translated(message, VIETNAMESE, levels)) if message else text


def in_language(value: Any, language: str) -> Any:
    """Return a problem, an error or an import with its messages in a language, at every depth."""
    if language == ENGLISH:
        return value
    if isinstance(value, list):
        return [in_language(item, language) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: translated(member, language)
        if name in MESSAGES and isinstance(member, str)
        else in_language(member, language)
        for name, member in value.items()
    }
