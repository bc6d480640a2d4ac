"""Rules for text: which text is accepted, and how it is folded and sorted.

They are the same for bodies, query strings and paths, and on both engines.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, TypeAdapter

from app.core.values.normal_forms import normalized

# C0 controls except TAB and LF, DEL, and unpaired surrogates. PostgreSQL refuses NUL; UTF-8 cannot encode a surrogate.
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")

# A text can contain U+FFFE and U+FFFF, but XML cannot. One of them makes a whole file unreadable.
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")  # of a parameter or member, which an error may repeat


def clean(text: str) -> str:
    """Return the text unchanged; ValueError if it is blank or contains characters that cannot be stored or shown."""
    if not text.isprintable() and UNSAFE.search(text):
        raise ValueError("The text contains a control character or an unpaired surrogate.")
    if not text.strip():
        raise ValueError("The text is blank.")
    return text


def xml_characters(text: str) -> str:
    """Return the text with U+FFFD in place of each character that XML cannot contain."""
    return NOT_IN_XML.sub("\ufffd", text)


# Words that the URLs of the API need, now or later. An id must not be one of them.
RESERVED = frozenset(
    {
        *("aggregate", "audit", "bulk", "changes", "export", "facets", "history", "import", "imports"),
        *("merge", "new", "progress", "search", "schema", "select", "template", "timeline"),
    }
)


def not_reserved(slug: str) -> str:
    """Return the id; ValueError if a path of the API has the same name."""
    if slug in RESERVED:
        raise ValueError("This is a reserved word.")
    return slug


SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
MAX_CACHED_WORD = 40  # characters; texts contain longer words too, which would take much memory
MAX_SUGGESTIONS = 5  # in one response
LANGUAGE_TAG = r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$"

Slug = Annotated[str, StringConstraints(pattern=SLUG, max_length=120), AfterValidator(not_reserved)]
SLUGS: TypeAdapter[str] = TypeAdapter(Slug)  # validates ids outside models

Line = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(clean)]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=20_000), AfterValidator(clean)]

# The subset of BCP 47 (RFC 5646) with language, script and region.
# Codes of countries that are mistaken for languages and are no language of ISO 639, with the language that is meant.
COUNTRY_CODES = {
    "vn": "vi",
    "jp": "ja",
    "cn": "zh",
    "kh": "km",
    "us": "en",
    "gb": "en",
    "gr": "el",
    "dk": "da",
    "cz": "cs",
}


def _no_country(tag: str) -> str:
    language = tag.partition("-")[0]
    if language in COUNTRY_CODES:
        raise ValueError(f"This is the code of a country. The code of its language is {COUNTRY_CODES[language]}.")
    return tag


LanguageTag = Annotated[str, StringConstraints(pattern=LANGUAGE_TAG, max_length=11), AfterValidator(_no_country)]

LanguageMap = Annotated[
    dict[LanguageTag, Prose],
    Field(min_length=1, max_length=50, examples=[{"vi": "Bộ Công Thương", "en": "Ministry of Industry and Trade"}]),
]


def _with_language(value: object) -> object:
    """Return a plain text as a language map that does not state the language (`und` in BCP 47)."""
    return {"und": value} if isinstance(value, str) else value


# For members that were plain texts: a text without a language stays valid.
TextOrLanguageMap = Annotated[LanguageMap, BeforeValidator(_with_language)]

_LETTERS = {"\u0306": "1", "\u0302": "2", "\u031b": "3"}  # breve (ă), circumflex (â ê ô), horn (ơ ư)
_TONES = {"\u0300": "1", "\u0309": "2", "\u0303": "3", "\u0301": "4", "\u0323": "5"}  # huyền hỏi ngã sắc nặng


MAX_FOLDED = 4_000  # characters whose folded form is kept: those of the Latin, Greek and Cyrillic alphabets, and others


class _Folding(dict[int, str]):
    """The folded form of each character, computed at its first use, and kept for the first ones."""

    def __missing__(self, code: int) -> str:
        folded = _fold_character(chr(code))
        if len(self) < MAX_FOLDED:
            self[code] = folded
        return folded


_FOLDED = _Folding()

_NO_MARK = dict(zip("đĐ\u00d0\u00f0øØłŁ", "ddddooll", strict=True))  # letters that do not decompose


def fold(text: str) -> str:
    """Return the text in lower case without diacritics («Đường» → «duong»).

    The result has one character for each character of the NFC form, so positions in both are the same.
    """
    if text.isascii():
        return text.lower()
    return normalized("NFC", text).translate(_FOLDED)


def _fold_character(character: str) -> str:
    decomposed = normalized("NFD", character)
    base = decomposed[0]
    if not all(map(unicodedata.combining, decomposed[1:])):  # a Hangul syllable, not a letter with marks
        return character
    base = base.lower() if len(base.lower()) == 1 else base
    return _NO_MARK.get(base, base)


def sort_key(text: str) -> str:
    """Return a key whose byte order is that of a Vietnamese dictionary, at most 400 characters long.

    Words are compared by letters (a ă â … d đ …). Tones decide only between words with equal letters.
    """
    keys = [key for key in map(_word_key, text.split()) if key[0]]
    letters = " ".join([word_letters for word_letters, _ in keys])
    tones = "".join([word_tones for _, word_tones in keys])
    return f"{letters}\t{tones}"[:400]


def _word_key(word: str) -> tuple[str, str]:
    """Return the letters of a word with their marks, and its tones."""
    return _key_of_short_word(word) if len(word) <= MAX_CACHED_WORD else _key_of_word(word)


def _key_of_word(word: str) -> tuple[str, str]:
    letters: list[str] = []
    tones: list[str] = []
    for character in normalized("NFD", word.replace("Đ", "đ").replace("\u00d0", "đ")).lower():
        if character in _LETTERS and letters:
            letters[-1] = letters[-1][0] + _LETTERS[character]
        elif character in _TONES and tones:
            tones[-1] = _TONES[character]
        elif character == "đ":
            letters.append("d1")
            tones.append("0")
        elif character.isalnum():
            letters.append(character + "0")
            tones.append("0")
    return "".join(letters), "".join(tones)


_key_of_short_word = lru_cache(maxsize=1 << 14)(_key_of_word)


def slug(text: str) -> str:
    """Return an id made from the text: ASCII letters and digits, words joined by hyphens, at most 80 characters."""
    folded = normalized("NFKD", fold(text)).encode("ascii", "ignore").decode().lower()
    words = re.findall("[a-z0-9]+", folded)
    joined = "-".join(words)[:81]
    return joined if len(joined) <= 80 else joined.rpartition("-")[0] or joined[:80]


def id_stem(value: Any) -> str:
    """Return the slug of a text, or of the English or else the first text of a language map; empty if there is none."""
    texts = [value.get("en"), *value.values()] if isinstance(value, Mapping) else [value]
    return slug(next((text for text in texts if text and isinstance(text, str)), ""))


def preferred_text(texts: Mapping[str, str]) -> str:
    """Return the text by which a language map is sorted: Vietnamese, else English, else the first."""
    return texts.get("vi") or texts.get("en") or next(iter(texts.values()))


class Suggestions:
    """The suggestions for the unknown names of one request: only for the first ones, because each takes 0.2 ms."""

    def __init__(self) -> None:
        self._remaining = MAX_SUGGESTIONS

    def similar_to(self, name: str, candidates: Iterable[str]) -> str:
        """Return " Did you mean …?" with the candidate most similar to a name; empty if none is similar."""
        from difflib import get_close_matches  # noqa: PLC0415 - needed only for errors

        if self._remaining == 0:
            return ""
        self._remaining -= 1
        similar = get_close_matches(name[:80], candidates, n=1, cutoff=0.7)
        return f" Did you mean {similar[0]}?" if similar else ""


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, such as "1 key" and "2,000 keys"."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def printable(text: str) -> str:
    """Return a text that is safe to print: control characters and changes of direction are escaped."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)
