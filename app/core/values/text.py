"""Text as it is accepted, folded and sorted: the same rules for bodies, queries and paths, on both engines."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter

# C0 controls but TAB and LF, DEL, and unpaired surrogates: PostgreSQL refuses NUL, UTF-8 cannot hold a surrogate.
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def clean(text: str) -> str:
    """Refuse characters that cannot be stored or shown; everything else stays exactly as it was written."""
    if UNSAFE.search(text):
        raise ValueError("holds a control character or an unpaired surrogate")
    if not text.strip():
        raise ValueError("is blank")
    return text


# Routes and words that URLs need for themselves; an id is never one of them.
RESERVED = frozenset({"aggregate", "audit", "bulk", "changes", "export", "facets", "history", "import", "imports"})

RESERVED |= frozenset({"merge", "new", "progress", "search", "schema", "template", "timeline"})


def not_reserved(slug: str) -> str:
    """Refuse an id that would hide a route."""
    if slug in RESERVED:
        raise ValueError("is a word that the routes need")
    return slug


SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"

LANGUAGE_TAG = r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$"

Slug = Annotated[str, StringConstraints(pattern=SLUG, max_length=120), AfterValidator(not_reserved)]

SLUGS: TypeAdapter[str] = TypeAdapter(Slug)  # to check one that is no field of a model

Line = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(clean)]

Prose = Annotated[str, StringConstraints(min_length=1, max_length=20_000), AfterValidator(clean)]

# BCP 47 (RFC 5646), the part of it that names a language, a script and a region.
LanguageTag = Annotated[str, StringConstraints(pattern=LANGUAGE_TAG, max_length=11)]

LanguageMap = Annotated[
    dict[LanguageTag, Prose],
    Field(min_length=1, max_length=50, examples=[{"vi": "Bộ Công Thương", "en": "Ministry of Industry and Trade"}]),
]

_LETTERS = {"\u0306": "1", "\u0302": "2", "\u031b": "3"}  # breve (ă), circumflex (â ê ô), horn (ơ ư)

_TONES = {"\u0300": "1", "\u0309": "2", "\u0303": "3", "\u0301": "4", "\u0323": "5"}  # huyền hỏi ngã sắc nặng


class _Folding(dict[int, str]):
    """The folded form of each character, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _fold_character(chr(code))
        return folded


_FOLDED = _Folding()

_NO_MARK = dict(zip("đĐ\u00d0\u00f0øØłŁ", "ddddooll", strict=True))  # letters that do not decompose


def fold(text: str) -> str:
    """Lower case without diacritics, one character for each character of the NFC form («Đường» → «duong»)."""
    return unicodedata.normalize("NFC", text).translate(_FOLDED)


def _fold_character(character: str) -> str:
    decomposed = unicodedata.normalize("NFD", character)
    base = decomposed[0]
    if not all(map(unicodedata.combining, decomposed[1:])):  # a syllable of Hangul, not a letter with marks
        return character
    base = base.lower() if len(base.lower()) == 1 else base
    return _NO_MARK.get(base, base)


def sort_key(text: str) -> str:
    """A key whose byte order is the Vietnamese dictionary's: letters first (a ă â … d đ …), tones between equals."""
    keys = [key for word in text.split() if (key := _word_key(word))[0]]
    return (" ".join([letters for letters, _ in keys]) + "\t" + "".join([tones for _, tones in keys]))[:400]


@lru_cache(maxsize=50_000)
def _word_key(word: str) -> tuple[str, str]:
    """The letters of a word with their marks, and its tones."""
    letters: list[str] = []
    tones: list[str] = []
    for character in unicodedata.normalize("NFD", word.replace("Đ", "đ").replace("\u00d0", "đ")).lower():
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


def slug(text: str) -> str:
    """The text as an id: folded to ASCII letters and digits, words joined by hyphens, at most 80 characters."""
    folded = unicodedata.normalize("NFKD", fold(text)).encode("ascii", "ignore").decode().lower()
    words = re.findall("[a-z0-9]+", folded)
    made = "-".join(words)[:81]
    return made if len(made) <= 80 else made.rpartition("-")[0] or made[:80]


def id_stem(said: Any) -> str:
    """What an id is made of: the slug of a text, or of the English, else the first text of a language map."""
    texts = [said.get("en"), *said.values()] if isinstance(said, Mapping) else [said]
    return slug(next((text for text in texts if text and isinstance(text, str)), ""))


def preferred_text(texts: Mapping[str, str]) -> str:
    """The text that stands for a language map in sorting: Vietnamese, else English, else the first given."""
    return texts.get("vi") or texts.get("en") or next(iter(texts.values()))


def suggestion(name: str, known: Iterable[str]) -> str:
    """What may be meant by a name that is not known, to be said behind a sentence; empty when nothing is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for those who err

    near = get_close_matches(name[:80], known, n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else ""
