"""Partners by name: for lines about a partner, and for links in which a name stands in place of the id.

Everybody can give any name to a record of their own. So a name that several partners have means the one that the
registry curates (`managed_by` is null), or else the caller's own one.
"""

import json
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.errors import ERROR_DETAILS, ErrorItem, Invalid
from app.core.model.resource import RESOURCES
from app.core.values.text import fold
from app.core.writing.batch import Batch
from app.exchange.imports.storage.compact import digest

MAX_COMPARED = 50  # partners with one name, apart from diacritics and letter case
NAMES_LENGTH = 4_000  # characters of the names of one partner by which it is found
MAX_WEIGHT = 8_000_000  # characters of the partners that were compared lately
MAX_NAMES = 500_000  # of partners in a file; each takes about 120 bytes of memory


def normalized_name(text: str) -> str:
    """Return a name in the form in which names are compared: letter case and blanks do not count, diacritics do."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def names_of(record: dict[str, Any]) -> list[str]:
    """Return the names and aliases in the JSON of a partner, which was not validated."""
    names = record.get("name")
    aliases = record.get("aliases")
    values = list(names.values()) if isinstance(names, dict) else []
    values += aliases if isinstance(aliases, list) else []
    return [value for value in values if isinstance(value, str)]


def normalized_names_of(record: dict[str, Any]) -> set[str]:
    """Return the names, aliases and abbreviation in the JSON of a partner in the form in which they are compared."""
    names = {normalized_name(name) for name in names_of(record)}
    abbreviation = record.get("abbreviation")
    return names | {normalized_name(abbreviation)} if isinstance(abbreviation, str) else names


def identifiers_of(identifiers: Any) -> Iterator[tuple[str, str]]:
    """Yield the scheme and value of each identifier in JSON that was not validated."""
    for identifier in identifiers if isinstance(identifiers, list) else ():
        if isinstance(identifier, dict):
            scheme = identifier.get("scheme")
            value = identifier.get("value")
            if isinstance(scheme, str) and isinstance(value, str):
                yield scheme, value


def _complete_names(text: str) -> list[str]:
    """Return the names in a text of at most NAMES_LENGTH characters, of which the last can be cut off."""
    names = text.split(" | ")
    return names[:-1] if len(text) == NAMES_LENGTH else names


class TooManyNames(Exception):
    """The file gives more names to partners than the plan of an import can keep."""


class _Candidate(NamedTuple):
    """What is compared of a partner of the registry."""

    names: dict[str, str]
    normalized: frozenset[str]
    country: str | None
    identifiers: dict[str, str]

    @classmethod
    def of(cls, body: str) -> "_Candidate":
        record = json.loads(body)
        identifiers = {code["scheme"]: code["value"] for code in record["identifiers"]}
        return cls(record["name"], frozenset(normalized_names_of(record)), record["country"], identifiers)

    def weight(self) -> int:
        """Return roughly how many characters it takes."""
        return 500 + sum(map(len, self.normalized)) + 100 * len(self.normalized) + 200 * len(self.identifiers)


class PartnerNames:
    """The partners that have a name: those that the caller can see, and those in the file."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self._by_folded_name: dict[str, list[str]] | None = None
        self._candidates: dict[str, _Candidate] = {}  # that were compared lately
        self._weight = 0
        self._managers: dict[str, str | None] = {}  # of the partners that the caller can see
        self._in_file: dict[bytes, str | set[str]] = {}  # ids by the digest of a name

    def add(self, record: dict[str, Any], record_id: str) -> None:
        """Add the names that a line of the file gives to its partner. Raise TooManyNames if there are too many."""
        for name in normalized_names_of(record):
            key = digest(name)
            others = self._in_file.setdefault(key, record_id)
            if others != record_id:
                self._in_file[key] = {record_id}.union([others] if isinstance(others, str) else others)
        if len(self._in_file) > MAX_NAMES:
            raise TooManyNames(f"The file has more than {MAX_NAMES:,} names of partners. Divide it.")

    def find(self, session: Session, text: str) -> set[str]:
        """Return the ids of the partners that this name, alias or abbreviation can mean."""
        name = normalized_name(text)
        partners = self._visible(session).get(" ".join(fold(text).split()), [])
        if len(partners) > MAX_COMPARED:
            partners = sorted(partners, key=self._preference)[:MAX_COMPARED]
        matches = {partner for partner in partners if name in self._candidate(session, partner).normalized}
        in_file = self._in_file.get(digest(name), ())
        return self._preferred(matches.union([in_file] if isinstance(in_file, str) else in_file))

    def _preference(self, partner: str) -> int:
        """Return 0 for a curated partner, 1 for the caller's own, as those that only the file has are, 2 for others."""
        if partner in self._managers and self._managers[partner] is None:
            return 0
        return 1 if self._managers.get(partner, self.caller.partner) == self.caller.partner else 2

    def _preferred(self, partners: set[str]) -> set[str]:
        """Return the curated ones of partners with one name, or else the caller's own, or else all of them."""
        best = min(map(self._preference, partners), default=0)
        return {partner for partner in partners if self._preference(partner) == best}

    def is_compatible(self, session: Session, partner: str, record: dict[str, Any]) -> bool:
        """Return whether a line can be about this partner, with which it shares a name.

        It cannot if it states another country, or a name that the partner does not have in a language in which the
        partner has one. Raise Invalid if both have an identifier of one scheme with different values: then a person has
        to decide.
        """
        if partner not in self._managers:  # a partner of the file
            return True
        present = self._candidate(session, partner)
        country = record.get("country")
        if country and present.country and country != present.country:
            return False
        names = record.get("name")
        for tag, text in names.items() if isinstance(names, dict) else ():
            if tag in present.names and normalized_name(str(text)) not in present.normalized:
                return False
        values = present.identifiers
        if any(values.get(scheme, value) != value for scheme, value in identifiers_of(record.get("identifiers"))):
            raise Invalid(ErrorItem(pointer="/id", code="ambiguous", detail=ERROR_DETAILS["ambiguous"]))
        return True

    def _candidate(self, session: Session, partner: str) -> _Candidate:
        """Return a partner of the registry, without names if it was deleted meanwhile."""
        if partner not in self._candidates:
            present = Batch(session, "").stored(RESOURCES["partners"], [partner]).get(partner)
            candidate = _Candidate({}, frozenset(), None, {}) if present is None else _Candidate.of(present.body)
            self._weight += candidate.weight()
            if self._weight > MAX_WEIGHT:
                self._candidates.clear()
                self._weight = candidate.weight()
            self._candidates[partner] = candidate
        return self._candidates[partner]

    def _visible(self, session: Session) -> dict[str, list[str]]:
        """Return the ids of the partners that the caller can see, by their names without diacritics and letter case."""
        if self._by_folded_name is None:
            self._by_folded_name = {}
            table = RESOURCES["partners"].table
            query = select(table.id, func.substr(table.name_text, 1, NAMES_LENGTH), table.state, table.managed_by)
            query = query.where(table.merged_into.is_(None))
            for partner, names, state, manager in session.execute(query, execution_options={"yield_per": 500}):
                if self.caller.can_see(state, manager):
                    self._managers[partner] = manager
                    for name in _complete_names(names):
                        self._by_folded_name.setdefault(" ".join(name.split()), []).append(partner)
        return self._by_folded_name
