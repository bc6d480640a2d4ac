"""Texts that were read in the wrong encoding, or were written for the fonts of TCVN3 and VNI.

`Bá»™ CÃ´ng ThÆ°Æ¡ng`, `Bé C«ng Th­¬ng` and `Boä Coâng Thöông` are all «Bộ Công Thương». Letters of Latin-1 are common
in correct texts of many languages. So a text counts as garbled only if several of its words become Vietnamese
syllables, or its bytes become UTF-8.
"""

import re

from app.core.values.normal_forms import normalized

MAX_TEXT = 2_000  # characters of a cell that are looked at

_TCVN3_LETTERS = {
    "a": "µ¸¶·¹", "ă": "»¾¼½Æ", "â": "ÇÊÈÉË", "e": "ÌÐÎÏÑ", "ê": "ÒÕÓÔÖ", "i": "×ÝØÜÞ", "o": "ßãáâä", "ô": "åèæçé",
    "ơ": "êíëìî", "u": "ïóñòô", "ư": "õøö÷ù", "y": "úýûüþ",
}  # fmt: skip
_MARKS = "\u0300\u0301\u0309\u0303\u0323"  # grave, acute, hook, tilde, dot
TCVN3 = {
    **{"¨": "ă", "©": "â", "ª": "ê", "«": "ô", "¬": "ơ", "\u00ad": "ư", "®": "đ"},
    **{"¡": "Ă", "¢": "Â", "£": "Ê", "¤": "Ô", "¥": "Ơ", "¦": "Ư", "§": "Đ"},
}
for _base, _codes in _TCVN3_LETTERS.items():
    TCVN3 |= {code: normalized("NFC", _base + mark) for code, mark in zip(_codes, _MARKS, strict=True)}
_SYMBOLS = frozenset("µ¶·¸¹»¼½¾¨©ª«¬\u00ad®¡¢£¤¥¦§×÷")  # of TCVN3: no letters, so no correct word contains them
_VNI_MARKS = dict(zip("øùûõï", _MARKS, strict=True))
_VNI_SIGNS = {
    **_VNI_MARKS,
    **{sign: "\u0302" + mark for sign, mark in zip("âàáåãä", ("", *_MARKS), strict=True)},
    **{sign: "\u0306" + mark for sign, mark in zip("êèéúüë", ("", *_MARKS), strict=True)},
}
_VNI = re.compile("([aeouyAEOUY])([øùûõïâàáåãäêèéúüë])|([öôÖÔ])([øùûõï]?)|([ñÑæóòîíì])", re.IGNORECASE)
_VNI_LETTERS = {"ñ": "đ", "æ": "ỉ", "ó": "ĩ", "ò": "ị", "î": "ỵ", "í": "í", "ì": "ì"}

_TOKEN = re.compile(r"[^\s.,;:()/\"-]+")
_SYLLABLE = re.compile(
    r"(?:ngh|ng|nh|gh|gi|kh|ph|th|tr|ch|qu|[bcdđghklmnpqrstvx])?"
    r"(?:uye|uya|ươ|iê|yê|uô|uâ|uê|uy|oa|oă|oe|ia|ua|ưa|ie|uo|ay|ây|ai|ao|au|âu|eo|êu|oi|ôi|ơi|ui|ưi|iu|ưu|oo"
    r"|oai|oay|oeo|uây|uôi|ươi|ươu|iêu|yêu|uyê|uơ|[aăâeêioôơuưy])"
    r"(?:ng|nh|ch|[cmnpt])?"
)
_MOJIBAKE = re.compile("[\u00c2-\u00f4][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc"
                       "\u2013-\u2026\u2030\u2039\u203a\u20ac\u2122]{1,3}")  # fmt: skip
_TONES = str.maketrans("", "", _MARKS)


def garbled_as(text: str) -> str | None:
    """Return how a text is garbled: `mojibake`, `TCVN3` or `VNI`; None if it is not."""
    if text.isascii():
        return None
    text = normalized("NFC", text[:MAX_TEXT])
    if _is_mojibake(text):
        return "mojibake"
    if any(letter > "\u00ff" and letter.isalpha() for letter in text):  # neither has such letters
        return None
    tokens = [token.strip("«»") for token in _TOKEN.findall(text) if not token.isascii()]
    if sum(map(_is_tcvn3, tokens)) >= 2 and any(_SYMBOLS.intersection(token) for token in tokens):
        return "TCVN3"
    return "VNI" if sum(map(_is_vni, tokens)) >= 2 else None


def _is_mojibake(text: str) -> bool:
    """Return whether the text becomes UTF-8 letters when it is encoded as Windows-1252 again."""
    points = 0
    for match in _MOJIBAKE.finditer(text):
        letter = _decoded(match[0])
        if letter:
            points += 2 if "\u1e00" <= letter <= "\u1eff" else 1
    return points >= 2


def _decoded(run: str) -> str | None:
    """Return the letter that a run of characters starts with in UTF-8, if it is one of a Latin script."""
    content = b"".join(_byte(character) for character in run)
    for size in (2, 3):
        try:
            letter = content[:size].decode()
        except UnicodeDecodeError:
            continue
        is_latin = letter.isalpha() and (letter <= "\u024f" or "\u1e00" <= letter <= "\u1eff")
        return letter if is_latin else None
    return None


def _byte(character: str) -> bytes:
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:  # five bytes have no character in Windows-1252
        return character.encode("latin-1", "ignore")


def _is_syllable(text: str) -> bool:
    plain = normalized("NFD", text.lower()).translate(_TONES)
    return _SYLLABLE.fullmatch(normalized("NFC", plain)) is not None


def _is_tcvn3(token: str) -> bool:
    decoded = "".join(TCVN3.get(character, character) for character in token)
    return decoded != token and _is_syllable(decoded)


def _is_vni(token: str) -> bool:
    decoded = _VNI.sub(_vni_letter, token)
    return decoded != token and not _is_syllable(token) and _is_syllable(decoded)


def _vni_letter(match: "re.Match[str]") -> str:
    vowel, sign, horned, tone, single = (part and part.lower() for part in match.groups())
    if single:
        return _VNI_LETTERS[single]
    if horned:
        return normalized("NFC", ("ư" if horned == "ö" else "ơ") + _VNI_MARKS.get(tone or "", ""))
    return normalized("NFC", vowel + _VNI_SIGNS[sign])
