"""Names in links: a cell or a member that contains the name or the code of a record in place of its id.

An id is taken as an id first. Other texts are names, alternative names or codes of records of the linked resource. The
name of a partner can be followed by a country, as in "Ministry of Industry and Trade (Viet Nam)": then it means only a
partner of this country. Of several records with one name, such as a province before and after a merger, it means the
one that existed on the first day that the line states, or that exists today if it states none. A text that no record
has is refused, with the most similar name of the registry.
"""

from collections.abc import Iterator
from itertools import starmap
from typing import Any, NamedTuple

from rapidfuzz import fuzz, process
from sqlalchemy import select
from sqlmodel import Session

from app.core.change_log import now
from app.core.database.sql import chunks
from app.core.errors import ErrorItem
from app.core.model.resource import RESOURCES, Resource
from app.core.values.links import links_in_json
from app.core.values.text import SLUGS
from app.exchange.imports.planning.name_index import PAGE, NameIndex, NameMatch, page_of_names
from app.exchange.imports.planning.names import first_day, folded_name, title_member
from app.exchange.imports.storage.compact import digest

MAX_HINTS = 20  # texts of an import for which a similar name is searched
HINT_RECORDS = 50_000  # of a resource whose names are compared for that
SIMILAR = 75.0  # percent
MAX_TEXT = 200  # characters of a text that is reported
MAX_LISTED = 5
MAX_RESOLVED = 200  # links of a line that are reported
MAX_COUNTRY = 80  # characters after the name of a partner


class Position(NamedTuple):
    """A link in the JSON of a record: where its text is, and the resource to which it leads."""

    parent: Any
    key: Any
    pointer: str
    target: str

    @property
    def text(self) -> str:
        """The text: an id, a name or a code."""
        return str(self.parent[self.key])


def link_positions(resource: Resource, record: dict[str, Any]) -> Iterator[Position]:
    """Yield the links in the JSON of a record, which was not validated."""
    yield from starmap(Position, links_in_json(resource.fields, record))


class Names(NamedTuple):
    """The records that the names in one record mean. `resolved` has the JSON that the line reports."""

    resolved: list[dict[str, Any]]
    errors: list[ErrorItem]


class LinkNames:
    """Replaces names by ids. `line_of` has the number of the line by the digest of a resource and an id."""

    def __init__(self, names: NameIndex, line_of: dict[bytes, int]) -> None:
        self._names = names
        self._line_of = line_of
        self._not_ids: set[bytes] = set()  # texts that look like ids, and that no record has
        self._unknown: dict[tuple[str, str], tuple[float, str]] = {}  # similarity and id of the most similar name

    def collect(self, session: Session, records: list[tuple[Resource, dict[str, Any]]]) -> None:
        """Add the names in these records to those that are searched. Raise TooManyNames if there are too many."""
        ids: dict[str, set[str]] = {}
        for resource, record in records:
            for position in link_positions(resource, record):
                if _is_id(position.text):
                    ids.setdefault(position.target, set()).add(position.text)
                else:
                    self._want(position.target, position.text)
        for target, texts in ids.items():
            unknown = {text for text in texts if digest(target, text) not in self._line_of}
            for text in unknown - _existing(session, RESOURCES[target], unknown):
                self._not_ids.add(digest(target, text))
                self._want(target, text)

    def _want(self, target: str, text: str) -> None:
        if not title_member(RESOURCES[target]):
            return
        self._names.want(target, text)
        if target == "partners" and (parts := _qualified(text)):
            self._names.want(target, parts[0])
            self._names.want("places", parts[1])

    def resolve(self, session: Session, resource: Resource, record: dict[str, Any], *, with_ids: bool = False) -> Names:
        """Replace the names in the links of a record by ids. `with_ids`: report links that contain ids too."""
        names = Names([], [])
        for position in link_positions(resource, record):
            text = position.text
            is_id = _is_id(text)
            if is_id and self._is_existing_id(position.target, text):
                if with_ids and len(names.resolved) < MAX_RESOLVED:
                    names.resolved.append(_resolved(position, text, "id"))
                continue
            matches = self._find(session, position.target, text)
            if len(matches) > 1:
                matches = self._of_time(session, position.target, matches, first_day(record) or now()[:10])
            if len(matches) == 1:
                if len(names.resolved) < MAX_RESOLVED:
                    names.resolved.append(self._reported(session, position, matches[0]))
                position.parent[position.key] = matches[0].id
            elif matches or not is_id:  # an unknown id is refused by the rules of every write
                error = self._error(session, position.target, text, matches)
                names.errors.append(error.model_copy(update={"pointer": position.pointer}))
        return names

    def _is_existing_id(self, target: str, text: str) -> bool:
        key = digest(target, text)
        return key in self._line_of or key not in self._not_ids

    def _find(self, session: Session, target: str, text: str) -> list[NameMatch]:
        matches = self._names.find(session, target, text)
        parts = None if matches or target != "partners" else _qualified(text)
        if not parts:
            return matches
        return self._names.find(session, target, parts[0], self._countries(session, parts[1]))

    def _of_time(self, session: Session, target: str, matches: list[NameMatch], day: str) -> list[NameMatch]:
        """Return the only record that existed on a day, or all if that does not decide."""
        existing = []
        for candidate in matches:
            period = self._names.record(session, target, candidate.id).period
            if period[0] <= day <= period[1]:
                existing.append(candidate)
        return existing if len(existing) == 1 else matches

    def _countries(self, session: Session, text: str) -> set[str]:
        return {text, *(candidate.id for candidate in self._names.find(session, "places", text))}

    def _reported(self, session: Session, position: Position, match: NameMatch) -> dict[str, Any]:
        item = _resolved(position, position.text, match.how, match.id)
        others = self._names.namesakes(session, position.target, position.text) - {match.id}
        item["others"] = sorted(others)[:MAX_LISTED]
        if self._names.is_in_registry(position.target, match.id):
            named = self._names.record(session, position.target, match.id)
            item |= {"name": named.heading, "country": named.country}
        return item

    def _error(self, session: Session, target: str, text: str, matches: list[NameMatch]) -> ErrorItem:
        if matches:
            listed = ", ".join(f"{target}/{candidate.id}" for candidate in matches[:MAX_LISTED])
            names = f"{listed}, …" if len(matches) > MAX_LISTED else listed
            return ErrorItem(code="ambiguous", detail=f"Several records have this name: {names}. State the id of one.")
        parts = _qualified(text) if target == "partners" else None
        for namesake in self._names.find(session, target, parts[0]) if parts else ():
            country = self._names.record(session, target, namesake.id).country
            if country:
                candidate = f"{target}/{namesake.id}"
                detail = f"{candidate} has this name, but its country is {country}."
                return ErrorItem(code="unknown_record", detail=detail)
        return ErrorItem(code="unknown_record", detail=self._unknown_detail(session, target, text))

    def _unknown_detail(self, session: Session, target: str, text: str) -> str:
        key = (target, folded_name(text)[:MAX_TEXT])
        if len(self._unknown) < MAX_HINTS:
            self._unknown.setdefault(key, (SIMILAR, ""))
        _, record_id = self._unknown.get(key, (SIMILAR, ""))
        detail = f"No record of {target} has this name or code."
        if record_id:
            name = self._names.record(session, target, record_id).heading
            detail = f"No record of {target} has this name or code. Did you mean {name} ({record_id})?"
        return detail

    @property
    def has_unknown(self) -> bool:
        """Whether there are texts that mean no record."""
        return bool(self._unknown)

    def find_hints(self, session: Session) -> None:
        """Find the most similar name for each text that means no record, among the first records of the resource."""
        for target in sorted({target for target, _ in self._unknown}):
            after = ""
            for _ in range(HINT_RECORDS // PAGE):
                rows = list(page_of_names(session, RESOURCES[target], after))
                for row in rows:
                    if self._names.caller.can_see(row.state, row.manager):
                        self._compare(target, row.id, row.names)
                if len(rows) < PAGE:
                    break
                after = rows[-1].id

    def _compare(self, target: str, record_id: str, names: list[str]) -> None:
        for key, (best, _) in self._unknown.items():
            if key[0] == target and names:
                similar = process.extractOne(key[1], names, scorer=fuzz.ratio, score_cutoff=best)
                if similar is not None and (similar[1] > best or best == SIMILAR):
                    self._unknown[key] = (similar[1], record_id)


def _resolved(position: Position, text: str, how: str, record_id: str = "") -> dict[str, Any]:
    return {
        "pointer": position.pointer,
        "text": text[:MAX_TEXT],
        "resource": position.target,
        "id": record_id or text,
        "how": how,
    }


def _qualified(text: str) -> tuple[str, str] | None:
    """Return a name and the country in parentheses or after a comma, if there is one."""
    text = text.strip()
    name, has_country, country = text[:-1].rpartition("(") if text.endswith(")") else text.rpartition(",")
    is_qualified = has_country and name.strip() and country.strip() and len(country) <= MAX_COUNTRY
    return (name.strip(), country.strip()) if is_qualified else None


def _existing(session: Session, resource: Resource, ids: set[str]) -> set[str]:
    table = resource.table
    existing: set[str] = set()
    for chunk in chunks(sorted(ids)):
        existing |= {row[0] for row in session.execute(select(table.id).where(table.id.in_(chunk)))}
    return existing


def _is_id(text: str) -> bool:
    try:
        SLUGS.validate_python(text)
    except ValueError:
        return False
    return True
