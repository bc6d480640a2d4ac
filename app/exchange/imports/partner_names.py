"""Partners by name: for lines about a partner, and for links in which a name stands in place of the id.

Everybody can give any name to a record of their own. So a name that several partners have means the one that the
registry curates (`managed_by` is null), or else the caller's own one.
"""

import json
import unicodedata
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.errors import ERROR_DETAILS, ErrorItem, Invalid
from app.core.model.resource import RESOURCES
from app.core.values.text import fold
from app.core.writing.batch import Batch


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


class PartnerNames:
    """The partners that have a name: those that the caller can see, and those in the file."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self._by_folded_name: dict[str, list[str]] | None = None
        self._records: dict[str, dict[str, Any]] = {}  # the partners that were candidates so far
        self._names: dict[str, set[str]] = {}  # and their names
        self._managers: dict[str, str | None] = {}  # of the partners that the caller can see
        self._in_file: dict[str, set[str]] = {}

    def add(self, record: dict[str, Any], record_id: str) -> None:
        """Add the names that a line of the file gives to its partner."""
        for name in normalized_names_of(record):
            self._in_file.setdefault(name, set()).add(record_id)

    def find(self, session: Session, text: str) -> set[str]:
        """Return the ids of the partners that this name, alias or abbreviation can mean."""
        name = normalized_name(text)
        candidates = self._candidates(session).get(" ".join(fold(text).split()), [])
        unread = [partner for partner in candidates if partner not in self._records]
        for partner, present in Batch(session, "").stored(RESOURCES["partners"], unread).items():
            self._records[partner] = json.loads(present.body)
            self._names[partner] = normalized_names_of(self._records[partner])
        matches = {partner for partner in candidates if name in self._names.get(partner, ())}
        return self._preferred(matches | self._in_file.get(name, set()))

    def _preferred(self, partners: set[str]) -> set[str]:
        """Return the curated ones of partners with one name, or else the caller's own, or else all of them."""
        unknown = self.caller.partner  # a partner that exists only in the file is the caller's own
        managers = {partner: self._managers.get(partner, unknown) for partner in partners}
        curated = {partner for partner in partners if partner in self._managers and managers[partner] is None}
        own = {partner for partner in partners if managers[partner] == self.caller.partner}
        return curated or own or partners

    def is_compatible(self, partner: str, record: dict[str, Any]) -> bool:
        """Return whether a line can be about this partner, with which it shares a name.

        It cannot if it states another country, or a name that the partner does not have in a language in which the
        partner has one. Raise Invalid if both have an identifier of one scheme with different values: then a person has
        to decide.
        """
        present = self._records.get(partner)
        if present is None:  # a partner of the file
            return True
        country = record.get("country")
        if country and present["country"] and country != present["country"]:
            return False
        names = record.get("name")
        for tag, text in names.items() if isinstance(names, dict) else ():
            if tag in present["name"] and normalized_name(str(text)) not in self._names[partner]:
                return False
        values = {identifier["scheme"]: identifier["value"] for identifier in present["identifiers"]}
        if any(values.get(scheme, value) != value for scheme, value in identifiers_of(record.get("identifiers"))):
            raise Invalid(ErrorItem(pointer="/id", code="ambiguous", detail=ERROR_DETAILS["ambiguous"]))
        return True

    def _candidates(self, session: Session) -> dict[str, list[str]]:
        """Return the ids of the partners that the caller can see, by their names without diacritics and letter case."""
        if self._by_folded_name is None:
            self._by_folded_name = {}
            table = RESOURCES["partners"].table
            query = select(table.id, table.name_text, table.state, table.managed_by)
            for partner, names, state, manager in session.execute(query.where(table.merged_into.is_(None))):
                if self.caller.can_see(state, manager):
                    self._managers[partner] = manager
                    for name in names.split(" | "):
                        self._by_folded_name.setdefault(" ".join(name.split()), []).append(partner)
        return self._by_folded_name
