"""The tokenizer: how texts are split into words, which spellings are equal, and which terms the index stores.

If you change the terms of a record, raise `INDEXING` in index.py.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from app.core.values.normal_forms import normalized
from app.core.values.text import fold

CACHED_WORDS = 1 << 14  # an entry takes about 600 bytes
MAX_TOKEN_LENGTH = 40  # characters; the rest of a longer word is ignored

# Chinese and Japanese are written without spaces, so each of these characters is a token by itself. The lookahead
# leaves out the signs in these blocks (・ ゠ ䷀).
_HAN_AND_KANA = "\u3040-\u30ff\u3400-\u9fff"
# The pattern is for NFC text. A combining mark that NFC could not join to a letter does not end the token.
SPELLING = re.compile(f"(?=\\w)[{_HAN_AND_KANA}]|[^\\W_{_HAN_AND_KANA}]+(?:[\u0300-\u036f]+[^\\W_{_HAN_AND_KANA}]*)*")

# A text without these characters has the same words by a pattern that takes less time.
_SPECIAL = re.compile(f"[_\u0300-\u036f{_HAN_AND_KANA}]")
_PLAIN_SPELLING = re.compile(r"\w+")

_MARKS = re.compile("[\u0300-\u036f]")
_TONES = re.compile("[\u0300\u0301\u0303\u0309\u0323]")  # huyền sắc ngã hỏi nặng
_FINAL_Y = re.compile("(?:qu|[b-df-hj-np-tv-xz]+)y")

# A syllable of Vietnamese, folded. A Vietnamese word often has two of them, which mean something else by themselves.
_SYLLABLE = re.compile(
    "(?!(?:ng|c)[eiy]|ge|k[aou]|n?gh[aou])(?:ngh|ng|nh|ch|gh|gi|kh|ph|qu|th|tr|[bcdghklmnpqrstvx])?"
    "(?:a[iouy]?|eo?|eu|i[aeu]?|ieu|o[aei]?|oa[ioy]|oeo|oo|u[aeiouy]?|u[ao][iy]|uou|uy[aeu]|yeu?|y)"
    "(?:ch|c|m|ng|nh|n|p|t)?"
)
# Between two tokens of one phrase there are spaces, or a hyphen; within a number or a code also other signs.
_PHRASE_BREAK = re.compile(r"[^\w\s\u0300-\u036f'’/&%+.,–-]|[.,](?!\d)|\n|\s[–-]\s")
PAIR_JOINT = "\u00b7"  # FTS5 takes it for a letter

JOINED_NAME_LENGTHS = range(2, 4)  # names of two or three tokens are indexed as one token, too: hanoi, vietnam

# The first character of a term states where the token occurs and in which form.
WHOLE_NAME = "1"  # not a token, but the hash of an entire name or code
NAME = "2"  # folded, in a name
TEXT = "3"  # folded, anywhere in the texts of the record
EXACT_NAME = "4"  # exact, in a name
EXACT_TEXT = "5"  # exact, anywhere in the texts of the record
LINK = "6"  # folded, in a label of its codes or a name of a record that it links to
EXACT_LINK = "7"  # exact, in the same
PAIR = "8"  # two folded tokens that stand together in the texts of the record
LINK_PAIR = "9"  # the same in the labels and names of linked records

COUNTED = TEXT + LINK + PAIR  # the kinds of terms whose words the vocabulary counts


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


def spellings_in(text: str) -> list[str]:
    """Return the words of a text in NFC as they are written."""
    return _pattern_for(text).findall(text)


def _pattern_for(text: str) -> re.Pattern[str]:
    """Return the pattern that finds the words of a text and of its parts."""
    return SPELLING if _SPECIAL.search(text) else _PLAIN_SPELLING


def tokens_of(spellings: Sequence[str]) -> list[Token]:
    """Return the tokens of some words."""
    if max(map(len, spellings), default=0) > MAX_TOKEN_LENGTH:
        return list(map(token_of, spellings))
    return list(map(_token_of, spellings))


@lru_cache(maxsize=CACHED_WORDS)
def _token_of(spelling: str) -> Token:
    folded = _MARKS.sub("", fold(spelling))
    # The letter eth (Ð, U+00D0) looks exactly like Đ (U+0110), so texts contain either of them.
    decomposed = normalized("NFD", spelling.lower().replace("\u00f0", "đ"))
    letters = normalized("NFC", _TONES.sub("", decomposed))
    if _FINAL_Y.fullmatch(folded):
        folded = folded[:-1] + "i"
        letters = letters[:-1] + "i"
    return Token(folded, letters + "".join(_TONES.findall(decomposed)))


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a text in their order. All other characters only separate them."""
    return tokens_of(spellings_in(normalized("NFC", text)))


def prefixes(spelling: str) -> set[str]:
    """Return the folded prefixes of the words that this unfinished word may become.

    There are two for «my»: `mi` for Mỹ, whose final y is folded to i, and `my` for Myanmar.
    """
    return {token_of(spelling).folded, _MARKS.sub("", fold(spelling[:MAX_TOKEN_LENGTH]))}


@lru_cache(maxsize=CACHED_WORDS)
def is_syllable(folded: str) -> bool:
    """Return whether a folded word can be a syllable of Vietnamese."""
    return _SYLLABLE.fullmatch(folded) is not None


def phrases(text: str) -> list[list[Token]]:
    """Return the tokens of a text in the phrases between its punctuation marks."""
    text = normalized("NFC", text)
    parts = _PHRASE_BREAK.split(text)
    return [tokens_of(spellings) for spellings in map(_pattern_for(text).findall, parts) if spellings]


def makes_pair(first: str, second: str) -> bool:
    """Return whether two folded tokens that stand together are indexed as a pair: two syllables, or one is a number."""
    return (is_syllable(first) and is_syllable(second)) or first.isdigit() or second.isdigit()


def pair_of(first: str, second: str) -> str:
    """Return two folded tokens as one word of the vocabulary. It starts with no letter, so it completes no word."""
    return f"{PAIR_JOINT}{first}{PAIR_JOINT}{second}"


@lru_cache(maxsize=CACHED_WORDS)
def _indexed_pair(first: str, second: str) -> str:
    """Return two folded tokens that stand together as a pair, or an empty text if they are not indexed as one."""
    return pair_of(first, second) if makes_pair(first, second) else ""


class IndexedText(NamedTuple):
    """The terms of a text, its phrases as lines of folded words, and its counted words (see `IndexEntry`)."""

    terms: tuple[str, ...]
    lines: tuple[str, ...]
    words: tuple[str, ...]


def own_text(text: str) -> IndexedText:
    """Return a text of a record for the index."""
    return own_phrases(phrases(text))


def own_phrases(tokenized: Sequence[Sequence[Token]]) -> IndexedText:
    """Return the phrases of a text of a record for the index."""
    return _indexed(tokenized, TEXT, EXACT_TEXT, PAIR)


@lru_cache(maxsize=1 << 11)  # an entry takes up to 8 kB, usually 1 kB; the same labels occur in many records
def link_text(text: str) -> IndexedText:
    """Return a label, or the names of a linked record, for the index."""
    return _indexed(phrases(text), LINK, EXACT_LINK, LINK_PAIR)


@lru_cache(maxsize=1 << 11)
def label_names(label: str) -> tuple[tuple[Token, ...], ...]:
    """Return the tokens of each name in a label, which has one in each line."""
    return tuple(tuple(tokenize(name)) for name in label.split("\n"))


def _indexed(tokenized: Sequence[Sequence[Token]], word: str, exact_word: str, pair: str) -> IndexedText:
    terms = [exact_word + exact for folded, exact in chain.from_iterable(tokenized) if exact != folded]
    words: list[str] = []
    lines: list[str] = []
    pairs: list[str] = []
    for phrase in tokenized:
        all_folded = [folded for folded, _ in phrase]
        lines.append(f" {' '.join(all_folded)} \n")
        words += all_folded
        pairs += map(_indexed_pair, all_folded, all_folded[1:])
    pairs = list(filter(None, pairs))
    terms += [word + folded for folded in words]
    terms += [pair + both for both in pairs]
    return IndexedText(tuple(terms), tuple(lines), (*words, *pairs) if pair in COUNTED else tuple(words))


def line_of(tokens: Iterable[Token]) -> str:
    """Return tokens as a line of folded words: " ha noi \\n"."""
    return f" {' '.join([token.folded for token in tokens])} \n"


def name_terms(name: Sequence[Token]) -> list[str]:
    """Return the terms of a name, in addition to those of its text."""
    all_folded = [folded for folded, _ in name]
    all_exact = [exact for _, exact in name]
    results = [whole_name_term(all_folded)]
    if all_exact != all_folded:
        results.append(whole_name_term(all_exact))
    results += _joined_name_terms(name)
    results += [NAME + folded for folded in all_folded]
    return results + [EXACT_NAME + exact for folded, exact in name if exact != folded]


def code_term(code: Iterable[Token]) -> str:
    """Return the only term of a code, such as an id. It is for queries that consist of exactly this code."""
    return whole_name_term(token.folded for token in code)


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
