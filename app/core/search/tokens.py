"""The tokenizer: what a word is, which spellings count as equal, and which terms the index stores for a record.

Whoever changes the terms of a record must raise `INDEXING` in index.py.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from app.core.values.text import fold

CACHED_WORDS = 1 << 14  # an entry takes about 600 bytes
MAX_TOKEN_LENGTH = 40  # characters; the rest of a longer word is ignored

# Chinese and Japanese are written without spaces, so each of these characters is a token by itself. The lookahead
# leaves out the signs in these blocks (・ ゠ ䷀).
_HAN_AND_KANA = "\u3040-\u30ff\u3400-\u9fff"
# The pattern is for NFC text. A combining mark that NFC could not join to a letter does not end the token.
SPELLING = re.compile(f"(?=\\w)[{_HAN_AND_KANA}]|[^\\W_{_HAN_AND_KANA}]+(?:[\u0300-\u036f]+[^\\W_{_HAN_AND_KANA}]*)*")

_MARKS = re.compile("[\u0300-\u036f]")
_TONES = re.compile("[\u0300\u0301\u0303\u0309\u0323]")  # huyền sắc ngã hỏi nặng
_FINAL_Y = re.compile("(?:qu|[b-df-hj-np-tv-xz]+)y")

JOINED_NAME_LENGTHS = range(2, 4)  # names of two or three tokens are indexed as one token, too: hanoi, vietnam

# The first character of a term states where the token occurs and in which form.
WHOLE_NAME = "1"  # not a token, but the hash of an entire name or code
NAME = "2"  # folded, in a name
TEXT = "3"  # folded, anywhere in the record
EXACT_NAME = "4"  # exact, in a name
EXACT_TEXT = "5"  # exact, anywhere in the record


class Token(NamedTuple):
    """A word in the two forms in which words are compared.

    `folded` is without diacritics: «Thụy» → thuy. `exact` is the letters (ă â đ ê ô ơ ư are letters of their own)
    followed by the tone. These spellings are equal in both forms: upper and lower case, NFC and NFD, the old and the
    new placement of tones (hòa, hoà), and a final y for i after consonants (kỹ, kĩ; quý, quí; but not uy or ay).
    """

    folded: str
    exact: str


def token_of(spelling: str) -> Token:
    """Return the token of one word, in any spelling."""
    return _token_of(spelling[:MAX_TOKEN_LENGTH])


@lru_cache(maxsize=CACHED_WORDS)
def _token_of(spelling: str) -> Token:
    folded = _MARKS.sub("", fold(spelling))
    # The letter eth (Ð, U+00D0) looks exactly like Đ (U+0110), so texts contain either of them.
    decomposed = unicodedata.normalize("NFD", spelling.lower().replace("\u00f0", "đ"))
    letters = unicodedata.normalize("NFC", _TONES.sub("", decomposed))
    if _FINAL_Y.fullmatch(folded):
        folded = folded[:-1] + "i"
        letters = letters[:-1] + "i"
    return Token(folded, letters + "".join(_TONES.findall(decomposed)))


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a text in their order. All other characters only separate them."""
    return [token_of(spelling) for spelling in _spellings(text)]


def _spellings(text: str) -> list[str]:
    return SPELLING.findall(unicodedata.normalize("NFC", text))


def prefixes(spelling: str) -> set[str]:
    """Return the folded prefixes of the words that this unfinished word may become.

    There are two for «my»: `mi` for Mỹ, whose final y is folded to i, and `my` for Myanmar.
    """
    return {token_of(spelling).folded, _MARKS.sub("", fold(spelling[:MAX_TOKEN_LENGTH]))}


def terms(names: Iterable[Sequence[Token]], codes: Iterable[Sequence[Token]], text: str) -> set[str]:
    """Return the terms of a record, given the tokens of its names and codes and the text of all its fields.

    A code, such as an id, adds one term only. It is for queries that consist of exactly this code.
    """
    record_terms: set[str] = set()
    for spelling in {spelling[:MAX_TOKEN_LENGTH] for spelling in _spellings(text)}:
        record_terms.update(_text_terms(spelling))
    record_terms.update(whole_name_term(token.folded for token in code) for code in codes)
    for name in names:
        record_terms.add(whole_name_term(token.folded for token in name))
        record_terms.add(whole_name_term(token.exact for token in name))
        record_terms.update(_joined_name_terms(name))
        for folded, exact in name:
            record_terms.add(NAME + folded)
            if exact != folded:
                record_terms.add(EXACT_NAME + exact)
    return record_terms


@lru_cache(maxsize=CACHED_WORDS)
def _text_terms(spelling: str) -> tuple[str, ...]:
    folded, exact = token_of(spelling)
    return (TEXT + folded, EXACT_TEXT + exact) if exact != folded else (TEXT + folded,)


def _joined_name_terms(name: Sequence[Token]) -> tuple[str, ...]:
    joined = joined_name(name)
    return (whole_name_term([joined]), NAME + joined, TEXT + joined) if joined else ()


def joined_name(name: Sequence[Token]) -> str:
    """Return a short name as one folded word, such as `hanoi`, or an empty string for any other name."""
    if len(name) not in JOINED_NAME_LENGTHS:
        return ""
    joined = token_of("".join(token.folded for token in name)).folded
    return joined if joined.isascii() else ""


def whole_name_term(forms: Iterable[str]) -> str:
    """Return the term of the records that have a name or code of exactly these words."""
    return WHOLE_NAME + hashlib.blake2b(" ".join(forms).encode(), digest_size=8).hexdigest()
