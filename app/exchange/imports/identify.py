"""What a file is about: the record of each line, also of one without id, and an order in which links lead backwards."""

import json
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.errors import ERROR_DETAILS, ErrorItem, Invalid
from app.core.model.resource import RESOURCES, Resource
from app.core.values.links import link_paths, text_positions
from app.core.values.text import RESERVED, SLUGS, fold, id_stem
from app.core.writing.batch import Batch
from app.core.writing.edit import used_ids
from app.exchange.imports import store as ledger
from app.exchange.imports.ordering import components

PlanKey = tuple[str, str]

Reads = Callable[[], AbstractContextManager[Session]]

HEADINGS = ("title", "name", "summary")


def _mistake(pointer: str, code: str) -> Invalid:
    return Invalid(ErrorItem(pointer=pointer, code=code, detail=ERROR_DETAILS[code]))


def normalized_name(text: str) -> str:
    """A name as it is compared: letter case, blanks and ways of writing a letter aside, diacritics not."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def display_name(given: dict[str, Any]) -> Iterator[str]:
    """Every name in what is said of a partner, but for short forms."""
    names, aliases = given.get("name"), given.get("aliases")
    found = [*names.values()] if isinstance(names, dict) else []
    found += aliases if isinstance(aliases, list) else []
    yield from (each for each in found if isinstance(each, str))


def names_of_partner(shown: dict[str, Any]) -> set[str]:
    """The names, aliases and short form of a partner, or in what is said of one, as they are compared."""
    short = shown.get("abbreviation")
    return {normalized_name(each) for each in [*display_name(shown), *([short] if isinstance(short, str) else [])]}


def _codes(given: Any) -> Iterator[tuple[str, str]]:
    """Scheme and value of each identifier that is one."""
    for code in given if isinstance(given, list) else ():
        scheme, value = (code.get("scheme"), code.get("value")) if isinstance(code, dict) else (None, None)
        if isinstance(scheme, str) and isinstance(value, str):
            yield scheme, value


class PartnerNames:
    """Partners by their names: those that the caller sees, and those of the file itself."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self._folded: dict[str, list[str]] | None = None
        self._shown: dict[str, dict[str, Any]] = {}
        self._names: dict[str, set[str]] = {}
        self._of_file: dict[str, set[str]] = {}

    def add(self, given: dict[str, Any], record_id: str) -> None:
        """The file calls a partner so."""
        for name in names_of_partner(given):
            self._of_file.setdefault(name, set()).add(record_id)

    def find(self, session: Session, text: str) -> set[str]:
        """Ids of the partners that are called so; short forms count."""
        name = normalized_name(text)
        folded = " ".join(fold(text).split())
        candidates = self._candidates(session).get(folded, [])
        fresh = [each for each in candidates if each not in self._shown]
        for record_id, present in Batch(session, "").stored(RESOURCES["partners"], fresh).items():
            self._shown[record_id] = json.loads(present.body)
            self._names[record_id] = names_of_partner(self._shown[record_id])
        there = {each for each in candidates if name in self._names.get(each, ())}
        return there | self._of_file.get(name, set())

    def can_be(self, record_id: str, given: dict[str, Any]) -> bool:
        """Whether nothing that a line says of its partner speaks against this one, which shares a name with it.

        Another country, or a name in a language of both that is none of its names. Two codes of one register: who is
        meant is for people to say.
        """
        shown = self._shown.get(record_id)
        if shown is None:
            return True
        country, names = given.get("country"), given.get("name")
        if country and shown["country"] and country != shown["country"]:
            return False
        known, said = self._names[record_id], names if isinstance(names, dict) else {}
        if any(tag in shown["name"] and normalized_name(str(text)) not in known for tag, text in said.items()):
            return False
        codes = {each["scheme"]: each["value"] for each in shown["identifiers"]}
        if any(codes.get(scheme, value) != value for scheme, value in _codes(given.get("identifiers"))):
            raise _mistake("/id", "ambiguous")
        return True

    def _candidates(self, session: Session) -> dict[str, list[str]]:
        """Ids by folded name."""
        if self._folded is None:
            self._folded = {}
            table = RESOURCES["partners"].table
            query = select(table.id, table.name_text, table.state, table.managed_by)
            for record_id, text, state, manager in session.execute(query.where(table.merged_into.is_(None))):
                if self.caller.can_see(state, manager):
                    for name in text.split(" | "):
                        self._folded.setdefault(" ".join(name.split()), []).append(record_id)
        return self._folded


class Plan:
    """Which line is about which record, and groups of lines such that links lead to the same or an earlier group.

    Made once, in short reads: whoever writes looks at the records again.
    """

    def __init__(self, caller: Caller, import_id: str) -> None:
        self.import_id, self.caller = import_id, caller
        self.names = PartnerNames(caller)
        self.numbers: dict[PlanKey, int] = {}
        self.found: dict[int, tuple[str, str | None]] = {}
        self.refused: dict[int, ErrorItem] = {}
        self.groups: list[list[int]] = []

    def make(self, reads: Reads) -> None:
        """Look at every line that has no verdict yet."""
        with reads() as session:
            self.numbers = {
                (resource, record_id): n for resource, record_id, n in ledger.written_records(session, self.import_id)
            }
        done = set(self.numbers.values())
        for session, number, resource, given in self._lines(reads):
            try:
                self._know(session, number, resource, given)
            except Invalid as wrong:
                self.refused[number] = wrong.errors[0]
        below = {number: self._named(session, name, given) for session, number, name, given in self._lines(reads)}
        self.groups = [group for each in components(below) if (group := [n for n in each if n not in done])]

    def _lines(self, reads: Reads) -> Iterator[tuple[Session, int, Resource, dict[str, Any]]]:
        after = -1
        while True:
            with reads() as session:
                rows = ledger.pending_lines(session, self.import_id, after)
                for number, name, given in rows:
                    yield session, number, RESOURCES[name], json.loads(given)
            if len(rows) < ledger.CHUNK:
                return
            after = rows[-1][0]

    def _know(self, session: Session, number: int, resource: Resource, given: dict[str, Any]) -> None:
        record_id, how = given.get("id"), None
        if record_id is None:
            record_id, how = identify(session, self.caller, resource, given, self.names)
            self.found[number] = record_id, how
        first = self.numbers.setdefault((resource.name, record_id), number)
        if first != number:
            raise Invalid(ErrorItem(code="repeated_line", detail=f"Line {first} is about the same record."))
        if resource.name == "partners":
            self.names.add(given, record_id)

    def _named(self, session: Session, resource: Resource, given: dict[str, Any]) -> list[int]:
        """The lines whose records this one names."""
        self.resolve(session, resource, given)
        found = []
        for path, target in link_paths(resource.fields):
            for holder, key, _ in text_positions(given, path):
                if (number := self.numbers.get((target, holder[key]))) is not None:
                    found.append(number)
        return found

    def resolve(self, session: Session, resource: Resource, given: dict[str, Any]) -> list[ErrorItem]:
        """Put the id of a partner in the place of its name, wherever a link is none; what cannot be is told."""
        errors = []
        for path, target in link_paths(resource.fields):
            for holder, key, pointer in text_positions(given, path) if target == "partners" else ():
                if not _is_id(holder[key]):
                    found = self.names.find(session, holder[key])
                    if len(found) == 1:
                        holder[key] = next(iter(found))
                    else:
                        code = "ambiguous" if found else "unknown_record"
                        errors.append(ErrorItem(pointer=pointer, code=code, detail=ERROR_DETAILS[code]))
        return errors


def _is_id(text: str) -> bool:
    try:
        return bool(SLUGS.validate_python(text))
    except ValueError:
        return False


def identify(
    session: Session, caller: Caller, resource: Resource, given: dict[str, Any], names: PartnerNames
) -> tuple[str, str | None]:
    """The record of a line without id, and how it was found; or the id that a new one gets.

    By an identifier; a partner by its name or an alias; or by the id that its title makes, if it has that title.
    """
    found = _by_identifier(session, caller, resource, given.get("identifiers"))
    if not found and resource.name == "partners":
        called_so = {each for text in display_name(given) for each in names.find(session, text)}
        found = {(each, "name") for each in called_so if names.can_be(each, given)}
    if len(found) > 1:
        raise _mistake("/id", "ambiguous")
    return found.pop() if found else _by_title(session, caller, resource, given)


def _by_identifier(session: Session, caller: Caller, resource: Resource, codes: Any) -> set[tuple[str, str | None]]:
    table, owner = resource.identifiers, resource.table
    if table is None:
        return set()
    current = resource.merged_into_column
    record_id = owner.id if current is None else func.coalesce(current, owner.id)
    query = select(record_id, owner.state, owner.managed_by).join(table, table.c.record_id == owner.id)
    found: set[tuple[str, str | None]] = set()
    for scheme, value in _codes(codes):
        rows = session.execute(query.where(table.c.scheme == scheme, table.c.value == value))
        found |= {(row[0], "identifier") for row in rows if caller.can_see(row[1], row[2])}
    return found


def _by_title(session: Session, caller: Caller, resource: Resource, given: dict[str, Any]) -> tuple[str, str | None]:
    name = next((each for each in HEADINGS if each in resource.fields.model_fields), "")
    said = given.get(name)
    texts = {tag: text for tag, text in said.items() if isinstance(text, str)} if isinstance(said, dict) else {}
    record_id = id_stem(texts)
    if not record_id:
        raise _mistake("/id", "no_id")
    if not used_ids(session, resource, [record_id]) and record_id not in RESERVED:
        return record_id, None
    present = Batch(session, "").stored(resource, [record_id]).get(record_id)
    if present is None or not caller.can_see(present.state, present.managed_by):
        raise _mistake("/id", "id_taken")
    there = json.loads(present.body)[name]
    shared = [tag for tag in texts if tag in there]
    if not shared or any(normalized_name(texts[tag]) != normalized_name(there[tag]) for tag in shared):
        raise _mistake("/id", "id_taken")
    return record_id, "title"
