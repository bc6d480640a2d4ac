"""The organisations of a file: which mentions mean the same one, and the partner that each becomes.

All are read before the first activity is converted, because a mention without a reference means the organisation of
the file that has this name and a reference. An import then matches the partners with those of the registry, by
identifier, and else by name and country. A partner that exists is not changed.
"""

from collections.abc import Iterator
from typing import Any

from app.core.errors import TooLarge
from app.exchange.iati.reading.parser import Node
from app.exchange.iati.reading.values import UNDETERMINED, Texts, line_of, texts_of
from app.exchange.iati.reporter import ORGANISATION
from app.places.models import COUNTRY

MENTIONS = frozenset({"reporting-org", "participating-org"})  # elements of an activity that name an organisation
MAX_ORGANISATIONS = 100_000
MAX_CHARACTERS = 20_000_000  # of their names and references
MAX_NAMES = 100  # aliases of one partner
UNNAMED = ""  # the reference of an organisation without one

# The kinds of partners, by code of IATI OrganisationType.
KINDS = {
    "10": "government",
    "11": "local_government",
    "15": "other_public",
    **dict.fromkeys(("21", "22", "23", "24", "60"), "ngo"),
    "40": "international_organisation",
    **dict.fromkeys(("70", "71", "72", "73"), "company"),
    "80": "academic",
    **dict.fromkeys(("30", "90"), "other"),
}


def normal_name(text: str) -> str:
    """Return a name as names are compared: letter case and blanks do not count."""
    return " ".join(text.casefold().split())


def reference_of(node: Node, name: str = "ref") -> str:
    """Return the reference of an organisation; empty if it has none that an identifier can have."""
    return line_of(node.get(name))


class Organisation:
    """What the mentions of one organisation state about it."""

    def __init__(self, ref: str) -> None:
        self.ref = ref
        self.name: Texts = {}
        self.others: dict[str, None] = {}
        self.kind = ""


class Organisations:
    """The organisations of a file, by reference or name."""

    def __init__(self) -> None:
        self._by_ref: dict[str, Organisation] = {}
        self._by_name: dict[str, Organisation] = {}  # those without a reference
        self._refs: dict[str, set[str]] = {}  # of each name
        self._characters = 0

    def add(self, node: Node, language: str) -> None:
        """Add a mention. Raise TooLarge if there are too many."""
        names = texts_of(node, language)
        ref = reference_of(node)
        name = first_name(names)
        if not name and not ref:
            return
        organisation = self._organisation(ref, name)
        organisation.kind = organisation.kind or node.get("type")
        for tag, text in names.items():
            self._add_name(organisation, tag, line_of(text))
            self._refs.setdefault(normal_name(text), set()).add(ref)

    def _organisation(self, ref: str, name: str) -> Organisation:
        organisations = self._by_ref if ref else self._by_name
        key = ref or normal_name(name)
        if key not in organisations:
            self._count(key)
            organisations[key] = Organisation(ref)
        return organisations[key]

    def _add_name(self, organisation: Organisation, tag: str, name: str) -> None:
        if organisation.name.setdefault(tag, name) != name and len(organisation.others) < MAX_NAMES:
            organisation.others[name] = None
            self._count(name)

    def _count(self, text: str) -> None:
        self._characters += len(text) + 200
        number = len(self._by_ref) + len(self._by_name)
        if number > MAX_ORGANISATIONS or self._characters > MAX_CHARACTERS:
            raise TooLarge(f"The file has more than {MAX_ORGANISATIONS} organisations. Send it in several files.")

    def link(self, node: Node, language: str) -> str | None:
        """Return what a link to the partner of a mention contains, and note whether the mention is kept."""
        ref = reference_of(node)
        names = texts_of(node, language)
        node.fate = None
        name = first_name(names)
        if not ref and name:
            refs = self._refs.get(normal_name(name), set()) - {UNNAMED}
            if len(refs) > 1:
                node.fate = "several_organisations"
                return None
            ref = next(iter(refs), "")
        if not ref and not name:
            node.fate = "empty"
            return None
        return f"{ORGANISATION}:{ref}" if ref else line_of(name)

    def all(self) -> Iterator[Organisation]:
        """Yield each organisation once."""
        yield from self._by_ref.values()
        for name, organisation in self._by_name.items():
            if not self._refs.get(name, set()) - {UNNAMED}:
                yield organisation


def first_name(names: Texts) -> str:
    """Return the name by which an organisation without a reference is known: the first in the element."""
    return next(iter(names.values()), "")


def partner_record(organisation: Organisation) -> tuple[dict[str, Any], list[str]]:
    """Return the record of a partner, and its members that the file does not state itself."""
    ref = organisation.ref
    record: dict[str, Any] = {
        "name": organisation.name or {UNDETERMINED: ref},
        "kind": KINDS.get(organisation.kind, "other"),
        "aliases": [name for name in organisation.others if name not in organisation.name.values()],
    }
    inferred = [] if organisation.kind in KINDS else ["kind"]
    if ref:
        record["identifiers"] = [{"scheme": ORGANISATION, "value": ref}]
    if country := country_of(ref):
        record["country"] = country
        inferred.append("country")
    return record, inferred


def country_of(ref: str) -> str | None:
    """Return the country of the register that gave a reference: GB for `GB-CHC-1047501`."""
    code, hyphen, rest = ref.partition("-")
    return code if hyphen and rest and code in COUNTRY.codes else None
