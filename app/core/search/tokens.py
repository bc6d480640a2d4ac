"""Words of a text, in the two forms in which they are compared: folded («Thụy Sỹ» → thuy si), and in their spelling."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from app.core.values.text import fold

MAX_WORD_LENGTH = 40  # characters of a word that count

# Written without spaces: each letter is a word. Signs in these blocks (・ ゠ ䷀) are none; the lookahead says so.
_HAN_AND_KANA = "\u3040-\u30ff\u3400-\u9fff"
# Over NFC. A mark that found no letter to join stays inside its word.
WORD = re.compile(f"(?=\\w)[{_HAN_AND_KANA}]|[^\\W_{_HAN_AND_KANA}]+(?:[\u0300-\u036f]+[^\\W_{_HAN_AND_KANA}]*)*")
_MARKS = re.compile("[\u0300-\u036f]")

_TONES = re.compile("[\u0300\u0301\u0303\u0309\u0323]")  # huyền sắc ngã hỏi nặng

_FINAL_Y = re.compile("(?:qu|[b-df-hj-np-tv-xz]+)y")

JOINED = range(2, 4)  # words of a name that is found written as one too


class Word(NamedTuple):
    """`folded`: without diacritics. `exact`: the letters (ă â đ ê ô ơ ư are letters of their own), then the tone.

    Alike in both forms: cases, NFC and NFD, old and new tone placement (hòa, hoà), and y for i at the end after
    consonants only (kỹ, kĩ; quý, quí; but not uy, ay).
    """

    folded: str
    exact: str


@lru_cache(maxsize=1 << 16)
def word(spelling: str) -> Word:
    """The forms of one word."""
    spelling = spelling[:MAX_WORD_LENGTH]
    folded = _MARKS.sub("", fold(spelling))
    decomposed = unicodedata.normalize("NFD", spelling.lower().replace("\u00f0", "đ"))
    letters = unicodedata.normalize("NFC", _TONES.sub("", decomposed))
    if _FINAL_Y.fullmatch(folded):
        folded, letters = folded[:-1] + "i", letters[:-1] + "i"
    return Word(folded, letters + "".join(_TONES.findall(decomposed)))


def prefixes(spelling: str) -> set[str]:
    """What folded words begin with of which this is typed so far: of «my», Mỹ (folded: mi) as well as Myanmar."""
    return {word(spelling).folded, _MARKS.sub("", fold(spelling[:MAX_WORD_LENGTH]))}


def words(text: str) -> list[Word]:
    """The words of a text, in order; everything between them only separates."""
    return [word(each) for each in _spellings(text)]


def _spellings(text: str) -> list[str]:
    return WORD.findall(unicodedata.normalize("NFC", text))


# What the index knows a record by: terms, one word each. The first character says what a term is about.
WHOLE, NAME, TEXT, EXACT_NAME, EXACT_TEXT = "12345"


def terms(names: Iterable[list[Word]], codes: Iterable[list[Word]], text: str) -> set[str]:
    """The terms of a record with these names and all this text; `codes` name it too, but only as a whole."""
    found = {term for spelling in set(_spellings(text)) for term in _terms_of(spelling)}
    found.update(exact_phrase_term(each.folded for each in code) for code in codes)
    for name in names:
        found.update((exact_phrase_term(each.folded for each in name), exact_phrase_term(each.exact for each in name)))
        if one := joined(name):
            found.update((exact_phrase_term([one]), NAME + one, TEXT + one))
        for folded, exact in name:
            found.add(NAME + folded)
            if exact != folded:
                found.add(EXACT_NAME + exact)
    return found


def joined(name: Sequence[Word]) -> str:
    """A short name written as one word, folded: hanoi, vietnam; empty where it is none."""
    one = word("".join(each.folded for each in name)).folded if len(name) in JOINED else ""
    return one if one.isascii() else ""


@lru_cache(maxsize=1 << 16)
def _terms_of(spelling: str) -> tuple[str, ...]:
    folded, exact = word(spelling)
    return (TEXT + folded, EXACT_TEXT + exact) if exact != folded else (TEXT + folded,)


def exact_phrase_term(forms: Iterable[str]) -> str:
    """The term of a record that has a name of exactly these words."""
    return WHOLE + hashlib.blake2b(" ".join(forms).encode(), digest_size=8).hexdigest()
