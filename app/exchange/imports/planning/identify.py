"""Matching: which record a line without `id` updates, or whether it creates one.

The first of these that finds a record decides:

1. An identifier. A line with `{"scheme": "x-port", "value": "P-1"}` updates the record with this identifier.
2. Of a partner, a name. A line with the name "Coast  agency" or the alias "CDH" updates the partner "Coast Agency" with
   the alias "CDH", unless its country or another name contradicts that.
3. Of a country, its code.
4. The title, name or summary, in every language that both have. It never changes a manager or an identifier: if the
   line states another manager, or another code of a register in which the record has one, it is about another record.

If several records match, or if a line with the title of a record states identifiers that the record does not have,
nobody can tell whether it is about this record. The line is refused, and the error lists the candidates.
"""

from enum import Enum
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.database.sql import chunks
from app.core.error_codes import ERROR_DETAILS
from app.core.errors import ErrorItem, Invalid
from app.core.model.resource import RESOURCES, Resource
from app.core.values.text import SLUGS
from app.exchange.imports.planning.name_index import NameIndex
from app.exchange.imports.planning.names import (
    NamedRecord,
    identifiers_of,
    normalized_name,
    title_texts,
)

Match = tuple[str, str | None]  # the id of a record, and how it was found (None: it is new)
Code = tuple[str, str]  # scheme and value

MAX_CANDIDATES = 5  # that an error lists

UNCLEAR = "?"  # the manager of a line that states a text which means no record, or several records


def stated_manager(record: dict[str, Any]) -> str | None:
    """Return the manager that a line states: an id, empty for none, or UNCLEAR. Return None if it states nothing."""
    manager = record.get("managed_by", ...)
    if manager is None:
        return ""
    if not isinstance(manager, str):
        return None
    try:
        SLUGS.validate_python(manager)
    except ValueError:
        return UNCLEAR
    return manager


class Likeness(Enum):
    """Whether a line with the title of a record is about this record."""

    SAME = "same"
    OTHER = "other"
    UNCLEAR = "unclear"


class Identification:
    """Finds the records of lines without id. `look_up` reads the records for the lines of one step."""

    def __init__(self, caller: Caller, names: NameIndex) -> None:
        self._caller = caller
        self._names = names
        self._holders: dict[
            tuple[str, str, str], set[str]
        ] = {}  # by resource and code, of the identifiers in the lines of this step

    def start(self) -> None:
        """Forget the data that was read for the lines of the previous step."""
        self._holders = {}

    def look_up(self, session: Session, resource: Resource, records: list[dict[str, Any]]) -> None:
        """Read the records to compare with these lines, with a few statements for all of them."""
        candidates: list[str] = []
        codes: set[Code] = set()
        for record in records:
            codes.update(identifiers_of(record.get("identifiers")))
            for text in names_to_find(resource, record):
                candidates += self._names.candidates(resource.name, text)
        for chunk in chunks(sorted(codes)) if resource.identifiers is not None else ():
            self._read_holders(session, resource, chunk)
        self._names.load(session, resource.name, candidates)

    def _read_holders(self, session: Session, resource: Resource, codes: list[Code]) -> None:
        """Read the records with these identifiers that the caller can see. The target replaces a merged partner."""
        table = resource.identifiers
        owner = resource.table
        assert table is not None
        merged_into = resource.merged_into_column
        record_id = owner.id if merged_into is None else func.coalesce(merged_into, owner.id)
        query = select(record_id, owner.state, owner.managed_by, table.c.scheme, table.c.value)
        query = query.join(table, table.c.record_id == owner.id)
        values = [value for _, value in codes]
        query = query.where(table.c.scheme.in_(sorted({scheme for scheme, _ in codes})), table.c.value.in_(values))
        for row in session.execute(query):
            if self._caller.can_see(row[1], row[2]):
                self._holders.setdefault((resource.name, row[3], row[4]), set()).add(row[0])

    def identify(self, session: Session, resource: Resource, record: dict[str, Any]) -> Match | None:
        """Return the record of a line without id, None if it creates one. Raise Invalid if that cannot be decided."""
        codes = set(identifiers_of(record.get("identifiers")))
        holders = set[str]().union(*(self._holders.get((resource.name, *code), ()) for code in codes))
        if holders:
            return _only(resource, holders), "identifier"
        if not names_to_find(resource, record):
            raise Invalid(ErrorItem(pointer="/id", code="no_id", detail=ERROR_DETAILS["no_id"]))
        by_name = resource.name == "partners"
        likeness = (self._by_name if by_name else self._by_title)(session, resource, record)
        same = {record_id for record_id, kind in likeness.items() if kind is Likeness.SAME}
        unclear = {record_id for record_id, kind in likeness.items() if kind is Likeness.UNCLEAR}
        if unclear:
            raise ambiguous(resource, same | unclear)
        return (_only(resource, same), "name" if by_name else "title") if same else None

    def _by_name(self, session: Session, resource: Resource, record: dict[str, Any]) -> dict[str, Likeness]:
        matches: set[str] = set()
        for text in names_to_find(resource, record):
            matches.update(item.id for item in self._names.find(session, resource.name, text) if item.how != "code")
        manager = stated_manager(record)
        identifiers_of_line = list(identifiers_of(record.get("identifiers")))
        likeness: dict[str, Likeness] = {}
        for partner in matches:
            if self._names.is_in_registry(resource.name, partner):
                present = self._names.record(session, resource.name, partner)
                likeness[partner] = partner_likeness(present, record, manager)
            elif not identifiers_of_line:  # a partner of the file; those with codes are compared by `NewIds`
                likeness[partner] = Likeness.SAME
        return likeness

    def _by_title(self, session: Session, resource: Resource, record: dict[str, Any]) -> dict[str, Likeness]:
        manager = stated_manager(record)
        if manager is None and not self._caller.writes_all:
            manager = self._caller.partner or ""  # the caller can write no other records
        candidates: set[str] = set()
        for text in names_to_find(resource, record):
            candidates.update(self._names.candidates(resource.name, text))
        present = {candidate: self._names.record(session, resource.name, candidate) for candidate in candidates}
        return {candidate: title_likeness(resource, named, record, manager) for candidate, named in present.items()}


def names_to_find(resource: Resource, record: dict[str, Any]) -> list[str]:
    """Return the texts of a line by which its record is found if it has no id."""
    texts = list(title_texts(resource, record).values())
    aliases = record.get("aliases") if resource.name == "partners" else None
    texts += [record["code"]] if is_country(resource, record) else []
    texts += [alias for alias in aliases if isinstance(alias, str)] if isinstance(aliases, list) else []
    return [text for text in texts if text.strip()]


def is_country(resource: Resource, record: dict[str, Any]) -> bool:
    """Return whether a line is about a country that it states by its code."""
    return resource.name == "places" and record.get("level") == "country" and isinstance(record.get("code"), str)


def title_likeness(resource: Resource, present: NamedRecord, record: dict[str, Any], manager: str | None) -> Likeness:
    """Return whether a line is about a record that has one of its titles, apart from diacritics and letter case."""
    if is_country(resource, record) and normalized_name(record["code"]) in present.codes:
        return Likeness.SAME
    if not _has_title(present, title_texts(resource, record)):
        return Likeness.OTHER
    if manager not in (None, UNCLEAR, present.manager or ""):
        return Likeness.OTHER
    codes = set(identifiers_of(record.get("identifiers")))
    if _has_other_codes(present, codes):
        return Likeness.OTHER
    states_codes = codes or ("identifiers" in record and present.identifiers)
    return Likeness.UNCLEAR if states_codes or manager == UNCLEAR else Likeness.SAME


def _has_title(present: NamedRecord, texts: dict[str, str]) -> bool:
    """Return whether the titles are the same in each language that both have, or in any if there is none."""
    shared = [tag for tag in texts if tag in present.titles]
    if shared:
        return all(normalized_name(texts[tag]) == normalized_name(present.titles[tag]) for tag in shared)
    return any(normalized_name(text) in present.names for text in texts.values())


def _has_other_codes(present: NamedRecord, codes: set[Code]) -> bool:
    """Return whether a line states a code of a register in which the record has only others."""
    schemes = {scheme for scheme, _ in present.identifiers}
    return any(scheme in schemes and (scheme, value) not in present.identifiers for scheme, value in codes)


def partner_likeness(present: NamedRecord, record: dict[str, Any], manager: str | None) -> Likeness:
    """Return whether a line can be about a partner with which it shares a name.

    It cannot if it states another country, or a name that the partner does not have in a language in which the partner
    has one. If it states another manager, or another code of one register, a person has to decide.
    """
    country = record.get("country")
    if country and present.country and country != present.country:
        return Likeness.OTHER
    all_names = present.names | present.others
    for tag, text in title_texts(RESOURCES["partners"], record).items():
        if tag in present.titles and normalized_name(text) not in all_names:
            return Likeness.OTHER
    is_unclear = manager not in (None, present.manager or "")
    is_unclear |= _has_other_codes(present, set(identifiers_of(record.get("identifiers"))))
    return Likeness.UNCLEAR if is_unclear else Likeness.SAME


def _only(resource: Resource, ids: set[str]) -> str:
    if len(ids) > 1:
        raise ambiguous(resource, ids)
    return next(iter(ids))


def ambiguous(resource: Resource, ids: set[str]) -> Invalid:
    """Return the error for a line that can be about these records."""
    listed = ", ".join(f"{resource.name}/{record_id}" for record_id in sorted(ids)[:MAX_CANDIDATES])
    names = f"{listed}, …" if len(ids) > MAX_CANDIDATES else listed
    detail = f"The line can be about {names}. State the id."
    return Invalid(ErrorItem(pointer="/id", code="ambiguous", detail=detail))
