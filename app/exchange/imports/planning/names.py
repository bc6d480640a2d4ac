"""The names and codes of records, in the forms in which an import compares them."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from app.core.model.resource import Resource
from app.core.values.dates import OPEN_END, OPEN_START, parse_edtf
from app.core.values.normal_forms import normalized
from app.core.values.text import fold, preferred_text

TITLES = ("title", "name", "summary")
CODES = ("code", "number")  # of a place, and of a document
DATES = ("period", "date", "signed_on", "happened_on", "published_on")
ALWAYS = (OPEN_START, OPEN_END)
MAX_DATE = 40  # characters


def normalized_name(text: str) -> str:
    """Return a name in the form in which names are compared: letter case and blanks do not count, diacritics do."""
    return " ".join(normalized("NFC", text).casefold().split())


def folded_name(text: str) -> str:
    """Return a name without diacritics and letter case: the form by which candidates are found."""
    return " ".join(fold(text).split())


def title_member(resource: Resource) -> str:
    """Return the member with the title, name or summary of a resource; empty if it has none."""
    return next((name for name in TITLES if name in resource.fields.model_fields), "")


def title_texts(resource: Resource, record: dict[str, Any]) -> dict[str, str]:
    """Return the title in the JSON of a record, which was not validated, by language."""
    title = record.get(title_member(resource))
    return {tag: text for tag, text in title.items() if isinstance(text, str)} if isinstance(title, dict) else {}


def other_names(record: dict[str, Any]) -> list[str]:
    """Return the aliases and the abbreviation in the JSON of a partner, which was not validated."""
    aliases = record.get("aliases")
    names = [*(aliases if isinstance(aliases, list) else []), record.get("abbreviation")]
    return [name for name in names if isinstance(name, str)]


def codes_of(record: dict[str, Any]) -> list[str]:
    """Return the codes in the JSON of a record, which was not validated, as a cell can state them."""
    codes = [code for code in map(record.get, CODES) if isinstance(code, str)]
    for scheme, value in identifiers_of(record.get("identifiers")):
        codes += [value, f"{scheme}:{value}"]
    return codes


def normalized_names_of(record: dict[str, Any]) -> set[str]:
    """Return the names, aliases and abbreviation in the JSON of a partner in the form in which they are compared."""
    name = record.get("name")
    names = [text for text in name.values() if isinstance(text, str)] if isinstance(name, dict) else []
    return {normalized_name(text) for text in [*names, *other_names(record)]}


def identifiers_of(identifiers: Any) -> Iterator[tuple[str, str]]:
    """Yield the scheme and value of each identifier in JSON that was not validated."""
    for identifier in identifiers if isinstance(identifiers, list) else ():
        if isinstance(identifier, dict):
            scheme = identifier.get("scheme")
            value = identifier.get("value")
            if isinstance(scheme, str) and isinstance(value, str):
                yield scheme, value


def first_day(record: dict[str, Any]) -> str | None:
    """Return the first day of the period or date that a line states, if it is valid; the last one if it has no first.

    The JSON of the line was not validated.
    """
    for value in map(record.get, DATES):
        text = value.get("edtf") if isinstance(value, dict) else value
        with contextlib.suppress(ValueError):
            is_date = isinstance(text, str) and len(text) <= MAX_DATE
            days = parse_edtf(text).days() if is_date else ALWAYS
            if days != ALWAYS:
                return days[0] if days[0] != ALWAYS[0] else days[1]
    return None


def _period(period: Any) -> tuple[str, str]:
    """Return the first and last day of a period in a representation."""
    period = period if isinstance(period, dict) else {}
    return period.get("earliest") or ALWAYS[0], period.get("latest") or ALWAYS[1]


class NamedRecord(NamedTuple):
    """What an import compares of a record of the registry."""

    titles: dict[str, str]
    names: frozenset[str]  # normalized, as the next two
    others: frozenset[str]
    codes: frozenset[str]
    country: str | None
    manager: str | None
    identifiers: frozenset[tuple[str, str]]
    period: tuple[str, str]  # the first and the last day on which it existed

    @classmethod
    def of(cls, resource: Resource, body: str) -> "NamedRecord":
        """Return the parts of a representation that are compared."""
        record = json.loads(body)
        titles = title_texts(resource, record)
        return cls(
            titles,
            frozenset(map(normalized_name, titles.values())),
            frozenset(map(normalized_name, other_names(record))),
            frozenset(map(normalized_name, codes_of(record))),
            record.get("country"),
            record["managed_by"],
            frozenset(identifiers_of(record.get("identifiers"))),
            _period(record.get("period")),
        )

    def how(self, name: str) -> str | None:
        """Return how a normalized text identifies this record; None if it does not."""
        kinds = {"name": self.names, "alternative_name": self.others, "code": self.codes}
        return next((kind for kind, texts in kinds.items() if name in texts), None)

    @property
    def heading(self) -> str:
        """The name that a message shows."""
        return preferred_text(self.titles)[:100] if self.titles else ""

    def weight(self) -> int:
        """Return roughly how many characters it takes."""
        texts = [*self.names, *self.others, *self.codes]
        return 700 + 2 * sum(map(len, texts)) + 100 * len(texts) + 200 * len(self.identifiers)


DELETED = NamedRecord({}, frozenset(), frozenset(), frozenset(), None, None, frozenset(), ALWAYS)
