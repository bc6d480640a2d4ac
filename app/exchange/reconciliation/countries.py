"""Countries in names: which country a text names, and a name with a country before or after it.

"Ministry of Foreign Affairs of Japan" is the name "Ministry of Foreign Affairs" and the country JP. A ministry of
another country with this name is another partner.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from app.core.values.text import fold
from app.exchange.imports.planning.names import normalized_name
from app.exchange.reconciliation.queries import Reconciled, Value
from app.places.models import COUNTRY

LONGEST = 6  # words of the name of a country
BETWEEN = {"of", "the", "in", "for", "cua", "nuoc", "tai"}  # words between a name and its country
SIGNS = "(),;"


class NameAndCountry(NamedTuple):
    """A name without its country, and the code of the country (ISO 3166-1)."""

    name: str
    country: str


def squeezed(text: str) -> str:
    """Return a name without blanks, diacritics and letter case: "Vietnam" and "Việt Nam" are equal then."""
    return "".join(character for character in fold(text) if character.isalnum())


@cache
def _codes() -> dict[str, str]:
    """Return the codes of countries by their names in both languages."""
    codes: dict[str, str] = {}
    for code, labels in COUNTRY.codes.items():
        codes |= {squeezed(label): code for label in (labels.en, labels.vi) if label}
    return codes


def country_code(text: str) -> str | None:
    """Return the code of the country that a text names, or None if it names none."""
    stripped = text.strip()
    return stripped.upper() if stripped.upper() in COUNTRY.codes else _codes().get(squeezed(stripped))


def without_country(text: str) -> NameAndCountry | None:
    """Return the name and the country of a text that ends or starts with a country, or None for any other text."""
    words = normalized_name("".join(" " if sign in SIGNS else sign for sign in text)).split()
    for length in range(min(LONGEST, len(words) - 1), 0, -1):
        for country, rest in ((words[-length:], words[:-length]), (words[:length], words[length:])):
            code = _codes().get(squeezed(" ".join(country)))
            while code and rest and fold(rest[-1]) in BETWEEN:
                rest = rest[:-1]
            if code and rest:
                return NameAndCountry(" ".join(rest), code)
    return None


class Country(NamedTuple):
    """The country of a partner: its place, and all texts that name it."""

    place: str
    names: frozenset[str]  # squeezed

    @classmethod
    def of(cls, place: str, record: dict[str, Any]) -> "Country":
        """Return the country of a place, from the record of the place."""
        code = record.get("code") or ""
        labels = COUNTRY.codes.get(code)
        texts = [place, code, *record.get("name", {}).values(), *([labels.en, labels.vi] if labels else [])]
        return cls(place, frozenset(squeezed(text) for text in texts if text))

    def agrees(self, values: Iterable[Value]) -> bool | None:
        """Return whether a value names this country, or False if a value names another. None: nobody can tell."""
        verdicts = [self._agrees(value) for value in values]
        if True in verdicts:
            return True
        return False if False in verdicts else None

    def _agrees(self, value: Value) -> bool | None:
        if isinstance(value, Reconciled):
            return value.id == self.place
        if not isinstance(value, str):
            return None
        if squeezed(value) in self.names:
            return True
        return False if country_code(value) else None
