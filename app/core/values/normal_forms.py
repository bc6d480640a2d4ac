"""Normal forms of Unicode, in a time that grows with the length of the text.

`unicodedata.normalize` sorts the combining marks of a letter. A text of marks alone takes quadratic time, in which no
other thread of the process runs: 60,000 marks take some seconds.
"""

import re
import unicodedata
from functools import cache
from typing import Literal

MAX_MARKS = 30  # in a row, as in the Stream-Safe Text Format of UAX #15; no word has as many
JOINER = "\u034f"  # a sign without width, after which marks are not sorted with those before it
MARKS = range(0x300, 0x1F000)  # which contains all combining marks


@cache
def _long_run() -> re.Pattern[str]:
    marks = "".join(chr(code) for code in MARKS if unicodedata.combining(chr(code)))
    return re.compile(f"([{marks}]{{{MAX_MARKS}}})(?=[{marks}])")


def normalized(form: Literal["NFC", "NFD", "NFKD"], text: str) -> str:
    """Return a text in a normal form. More than MAX_MARKS combining marks in a row get a JOINER between them.

    Most texts are in NFC already, which is known 100 times faster than whether they have long rows of marks.
    """
    if unicodedata.is_normalized(form, text):
        return text
    if len(text) > MAX_MARKS and not text.isascii():
        text = _long_run().sub(rf"\1{JOINER}", text)
    return unicodedata.normalize(form, text)
