"""Values of elements: texts by language, days, numbers and ids."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from hashlib import blake2b

from app.core.values.text import COUNTRY_CODES, LANGUAGE_TAG, UNSAFE, slug
from app.exchange.formats.cells.conventions import Evidence
from app.exchange.formats.cells.numbers import Decimals, read_number
from app.exchange.iati.reading.findings import IMPORTED
from app.exchange.iati.reading.parser import LANGUAGE, Node
from app.figures.models import exact_number

UNDETERMINED = "und"  # BCP 47: a text that states no language
MAX_TEXT = 20_000  # characters of one text of a record
MAX_LINE = 1_000
MAX_STEM = 70  # characters of an id that come from a title
TAG = re.compile(LANGUAGE_TAG)
DAY = re.compile(r"(\d{4}-\d\d-\d\d)(Z|[+-]\d\d:\d\d|T.*)?")
PLAIN = re.compile(r"-?\d+(\.\d{1,2}|\.\d{4,})?")
Texts = dict[str, str]


@lru_cache(1 << 10)
def language_tag(text: str, otherwise: str = UNDETERMINED) -> str:
    """Return a language as the registry writes it: `fr-CA` for `FR-ca`."""
    parts = text.strip().replace("_", "-").split("-")
    rest = [part.title() if len(part) == 4 else part.upper() for part in parts[1:]]
    tag = "-".join([parts[0].lower(), *rest])
    return tag if TAG.fullmatch(tag) and parts[0].lower() not in COUNTRY_CODES else otherwise


def language_of(node: Node, otherwise: str) -> str:
    """Return the language that an element states for the texts in it."""
    stated = node.get(LANGUAGE)
    return language_tag(stated) if stated else otherwise


def clean_text(text: str) -> str:
    """Return a text without blanks around it, and without characters that no record can have."""
    return UNSAFE.sub(" ", text.replace("\r\n", "\n")).strip()


def texts_of(node: Node | None, language: str) -> Texts:
    """Return the narratives of an element by language, and note which are kept: the first of each language."""
    texts: Texts = {}
    if node is None:
        return texts
    own = language_of(node, language)
    for narrative in node.named("narrative"):
        tag = language_of(narrative, own)
        text = clean_text(narrative.content)
        narrative.fate = _fate(text, texts.get(tag))
        if narrative.fate == IMPORTED:
            texts[tag] = text
    node.fate = node.fate or (IMPORTED if texts else "empty")
    return texts


def _fate(text: str, present: str | None) -> str:
    if not text:
        return "empty"
    if len(text) > MAX_TEXT:
        return "too_long"
    if present is None:
        return IMPORTED
    return "repeated" if present == text else "other_text"


def joined(parts: Iterable[Texts]) -> Texts:
    """Return texts as one for each language, with an empty line between them."""
    texts: dict[str, list[str]] = {}
    for part in parts:
        for tag, text in part.items():
            own = texts.setdefault(tag, [])
            if text not in own and sum(map(len, own)) + 2 * len(own) + len(text) <= MAX_TEXT:
                own.append(text)
    return {tag: "\n\n".join(own) for tag, own in texts.items() if own}


def line_of(text: str) -> str:
    """Return a text as one line."""
    return " ".join(clean_text(text).split())[:MAX_LINE].strip()


def day_in(text: str) -> str | None:
    """Return the day of a date of XML Schema; None if there is no such day."""
    match = DAY.fullmatch(text.strip())
    try:
        return date.fromisoformat(match[1]).isoformat() if match else None
    except ValueError:
        return None


def day_of(node: Node | None) -> str | None:
    """Return the day that an element states, and note whether it is kept."""
    if node is None:
        return None
    day = day_in(node.get("iso-date"))
    node.fate = IMPORTED if day else "bad_date"
    for narrative in node.named("narrative"):
        narrative.fate = None if clean_text(narrative.content) else "empty"
    return day


def period_of(node: Node) -> str | None:
    """Return the period between the two days in an element, and note which are kept."""
    start = node.first("period-start")
    end = node.first("period-end")
    first = day_of(start)
    last = day_of(end)
    if first and last and last < first:
        for node_of_end in (start, end):
            if node_of_end is not None:
                node_of_end.fate = "date_order"
        return None
    return period(first, last)


def period(first: str | None, last: str | None) -> str | None:
    """Return a period as EDTF; None if both ends are unknown."""
    if first == last:
        return first
    return f"{first or '..'}/{last or '..'}"


def derived_id(stem: str, *key: str) -> str:
    """Return an id that is the same whenever this key is imported; its first part comes from a title."""
    digest = blake2b("\n".join(key).encode(), digest_size=8).hexdigest()
    words = slug(stem)[:MAX_STEM].strip("-")
    return f"{words}-{digest}" if words else digest


class DerivedIds:
    """The derived ids of the records of one activity. Records that have the same key are numbered."""

    def __init__(self, identifier: str) -> None:
        self._identifier = identifier
        self._numbers: Counter[tuple[str, ...]] = Counter()

    def new(self, stem: str, *key: str) -> str:
        """Return the id of the next record with this key."""
        self._numbers[key] += 1
        return derived_id(stem, self._identifier, *key, str(self._numbers[key]))


class Numbers:
    """Reads numbers. Those with two readings need proof: another number of the file that has only one of them.

    `stated` is the decimal sign that the client states, `usual` the one that applies if nothing proves another.
    """

    def __init__(self, stated: Decimals | None = None, usual: Decimals | None = None) -> None:
        self._stated = stated
        self._usual = usual
        self._evidence = Evidence()

    def prove(self, text: str) -> None:
        """Note what a number of the file proves about its decimal sign."""
        text = text.strip()
        if not PLAIN.fullmatch(text):  # such as 12.50, of which most numbers are: it proves the point, the usual sign
            self._evidence.add(0, text)

    def read(self, text: str) -> float | int | None:
        """Return a number; None for a text that is none, or has too many digits. Raise ValueError for two readings."""
        number = read_number(text)
        if number is None or number.is_percent or number.currency:
            return None
        value = number.value
        if value is None:
            value = number.point if self._decimals() == "point" else number.comma
        if value is None:
            return None
        try:
            return exact_number(int(value) if value == value.to_integral_value() else float(value))
        except ValueError:
            return None

    def _decimals(self) -> str:
        proofs = self._evidence.proofs.get(0, set())
        if self._stated or len(proofs) == 1:
            return self._stated or next(iter(proofs))
        if proofs or self._usual is None:
            raise ValueError
        return self._usual
