"""What templates call: words, links, citations and numbers in the language of the page."""

import re
from calendar import month_name
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import product
from shlex import quote as quote_for_shell
from string import ascii_uppercase
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from app.core.public_paths import public
from app.core.settings import Settings
from app.explorer.languages import DEFAULT, LANGUAGES, words

Record = Mapping[str, Any]
PAGES = (
    "projects",
    "agreements",
    "partners",
    "documents",
    "figures",
    "places",
    "milestones",
    "statements",
    "indicators",
    "transactions",
)
EXACT = "exact"

# Around the letter of a document: private characters of Unicode, which no text of the pages contains.
BEFORE_LETTER = "\ue000"
AFTER_LETTER = "\ue001"
SIGLUM = re.compile(f"{BEFORE_LETTER}([A-Z]+\xa0){AFTER_LETTER}")


class Text(NamedTuple):
    """A text with its language."""

    text: str
    language: str


class View:
    """One page in one language. `query` has the parameters of its URL without the language."""

    def __init__(
        self, language: str, path: str, query: Sequence[tuple[str, str]], base: str, settings: Settings
    ) -> None:
        self.language = language
        self.path = path
        self.query = query
        self.base = base  # scheme and host of the registry, with the path of a proxy
        self.site = settings.site_name
        self.licence = settings.data_licence
        self.licence_url = settings.data_licence_url
        self.reads: list[str] = []
        self.has_inferred = False  # whether the page tags a value as inferred, so that it explains the word
        self._root = public("")
        self._language = "" if language == DEFAULT else f"?{urlencode({'lang': language})}"
        self._words = words(language)
        self._documents: dict[str, Record] = {}
        self._names: dict[tuple[str, str], Text] = {}
        self._sigla: dict[str, str] = {}

    def word(self, name: str, **values: object) -> str:
        """Return a text of the pages."""
        text = self._words[name]
        return text.format(**values) if values else text

    def kinds(self) -> dict[str, str]:
        """Return the word for one record of each resource."""
        return {resource: self._words[f"one_{resource}"] for resource in PAGES}

    def texts(self, translations: Mapping[str, str] | None) -> list[Text]:
        """Return a text in the language of the page and then in the other one, as far as it exists."""
        present = translations or {}
        order = sorted(present, key=lambda language: (language != self.language, language))
        return [Text(present[language], language) for language in order]

    def title_of(self, record: Record) -> list[Text]:
        """Return the name of a record in both languages; of a record without one, its id."""
        for field in ("title", "name", "summary"):
            if record.get(field):
                return self.texts(record[field])
        return [Text(record["id"], self.language)]

    def plain_title(self, record: Record) -> str:
        """Return the name of a record as one text."""
        return self.title_of(record)[0].text

    def href(self, path: str, parameters: Mapping[str, Any] | None = None) -> str:
        """Return the link to a page in the language of this page."""
        language = {} if self.language == DEFAULT else {"lang": self.language}
        query = urlencode({**(parameters or {}), **language}, doseq=True)
        return public(quote(path)) + (f"?{query}" if query else "")

    def record_href(self, resource: str, record_id: str) -> str:
        """Return the link to the page of a record."""
        return f"{self._root}/{resource}/{quote(record_id)}{self._language}"

    def address(self, path: str, language: str | None = None) -> str:
        """Return the URL of a page: in the language of this page, or in another one."""
        chosen = language or self.language
        query = "" if chosen == DEFAULT else f"?{urlencode({'lang': chosen})}"
        return f"{self.base}{public(quote(path))}{query}"

    def languages(self) -> list[tuple[str, str]]:
        """Return each language with the link to this page in it."""
        links = []
        for language in LANGUAGES:
            query = urlencode([*self.query, *([] if language == DEFAULT else [("lang", language)])])
            links.append((language, public(quote(self.path)) + (f"?{query}" if query else "")))
        return links

    def asset(self, name: str) -> str:
        """Return the path of a file of static/."""
        return public(f"/explorer/{name}")

    def api(self, path: str) -> str:
        """Return the path of the API, or of a page for developers."""
        return public(path)

    def curl(self, path: str) -> str:
        """Return the command that repeats a read of this page in a shell."""
        return f"curl -s {quote_for_shell(self.base + path)}"

    def fields(self, supported: Iterable[str]) -> str:
        """Return the names of the fields that a citation supports."""
        names = [pointer.strip("/").partition("/")[0] for pointer in supported]
        return ", ".join(self._words.get(f"field_{name}", name.replace("_", " ")) for name in dict.fromkeys(names))

    def field(self, name: str) -> str:
        """Return the name of a field or filter, with a capital letter."""
        return self.fields([name]).capitalize()

    def chosen_name(self, field: str, value: str, facets: Mapping[str, Record], resource: str | None) -> str:
        """Return the label of a value by which a list is filtered, or the name of the record, if it was added; else the
        value."""
        for counted in facets.get(field, {"values": []})["values"]:
            if counted["value"] == value and counted["label"]:
                return self.texts(counted["label"])[0].text
        name = self.name_of(resource, value) if resource else None
        return name.text if name else value

    def with_filter(self, filters: Mapping[str, list[str]], name: str, value: str) -> dict[str, list[str]]:
        """Return the filters with a value added, or removed if they have it."""
        chosen = filters.get(name, [])
        changed = [other for other in chosen if other != value] if value in chosen else [*chosen, value]
        return {**filters, name: changed}

    def present(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters that have a value."""
        return {name: value for name, value in parameters.items() if value}

    def label(self, record: Record, pointer: str) -> str:
        """Return the label of a code or date in a record, which was read with `labels`; "" if there is none."""
        label: str = record.get("labels", {}).get(pointer, "")
        return label

    def is_inferred(self, record: Record, pointer: str) -> bool:
        """Return whether no source states a value, or the one around it."""
        return any(pointer == other or pointer.startswith(f"{other}/") for other in record.get("inferred", ()))

    # Citations.

    def add_documents(self, documents: Mapping[str, Record]) -> None:
        """Add documents that records of this page cite."""
        self._documents.update(documents)

    def add_names(self, resource: str, records: Iterable[Record]) -> None:
        """Add the names of records that this page mentions."""
        for record in records:
            stated = record.get("as_written")  # of a figure, in a language that only its document knows
            self._names[resource, record["id"]] = Text(stated, "und") if stated else self.title_of(record)[0]

    def name_of(self, resource: str, record_id: str) -> Text | None:
        """Return the name of a record that was added."""
        return self._names.get((resource, record_id))

    def siglum(self, document: str) -> str:
        """Return the letter that stands for a document on this page, with marks by which `finished` finds it."""
        return f"{BEFORE_LETTER}{self._sigla.setdefault(document, _letter(len(self._sigla)))}\xa0{AFTER_LETTER}"

    def finished(self, page: str) -> str:
        """Return a page with letters in place of their marks. If it cites only one document, it has no letters."""
        return SIGLUM.sub(r"\1" if len(self._sigla) > 1 else "", page)

    def document_title(self, document: str) -> Text:
        """Return the title of a cited document."""
        record = self._documents.get(document)
        return self.title_of(record)[0] if record else Text(self.word("a_document"), self.language)

    def document_language(self, document: str) -> str:
        """Return the language of a cited document."""
        return (self._documents.get(document) or {}).get("language") or ""

    def sources(self) -> list[tuple[str, Record]]:
        """Return the documents that the page has cited so far, with their letters."""
        return [
            (letter if len(self._sigla) > 1 else "", self._documents[document])
            for document, letter in self._sigla.items()
            if document in self._documents
        ]

    def citations(self, record: Record, *fields: str) -> list[Record]:
        """Return the citations that support fields of a record; those of the whole record if none does."""
        cited: list[Record] = list(record.get("citations", ()))
        supporting = self.exact_citations(record, *fields)
        return supporting or _distinct(citation for citation in cited if not citation["supports"]) or cited[:1]

    def exact_citations(self, record: Record, *fields: str) -> list[Record]:
        """Return the citations that support fields of a record by name, one of each paragraph."""
        cited = record.get("citations", ())
        return _distinct(citation for citation in cited if _supports(citation["supports"], fields))

    def citation_href(self, citation: Record) -> str:
        """Return the link to the cited paragraph."""
        paragraph = citation.get("paragraph")
        return self.record_href("documents", citation["document"]) + (f"#p{paragraph}" if paragraph else "")

    # Numbers.

    def number(self, value: float) -> str:
        """Return a number with the separators of the language."""
        text = f"{value:,}" if value == int(value) else f"{value:,.10f}".rstrip("0")
        if self.language == "vi":
            return text.translate({ord(","): ".", ord("."): ","})
        return text

    def value(self, figure: Record) -> str:
        """Return the value of a figure, or its range; "" if the source states it in words only."""
        if figure["value"] is None:
            return ""
        low = self.number(figure["value"])
        return low if figure["value_high"] is None else f"{low}–{self.number(figure['value_high'])}"

    def qualifier(self, figure: Record) -> str:
        """Return how exactly the source states the number; "" if it does so exactly."""
        return "" if figure["qualifier"] == EXACT else self.label(figure, "/qualifier")

    def unit(self, figure: Record) -> str:
        """Return the unit of a figure."""
        if figure.get("unit_text"):
            return self.texts(figure["unit_text"])[0].text
        return self.label(figure, "/unit")

    def breakdown(self, figure: Record) -> list[tuple[str, str]]:
        """Return the breakdown of a figure without the places, which have a field of their own."""
        return [item for item in figure["breakdown"].items() if item[1] not in figure["places"]]

    def day(self, instant: str) -> str:
        """Return the day of an instant."""
        day = date.fromisoformat(instant[:10])
        if self.language == "vi":
            return f"{day.day}/{day.month}/{day.year}"
        return f"{day.day} {month_name[day.month]} {day.year}"


def _supports(supported: Sequence[str], fields: Sequence[str]) -> bool:
    parts = ["/" + name.strip("/") for name in supported]
    wanted = ["/" + name.strip("/") for name in fields]
    return any(
        f"{part}/".startswith(f"{field}/") or f"{field}/".startswith(f"{part}/")
        for part, field in product(parts, wanted)
    )


def _distinct(citations: Iterable[Record]) -> list[Record]:
    """Return the first citation of each paragraph."""
    by_paragraph: dict[tuple[str, int | None], Record] = {}
    for citation in citations:
        by_paragraph.setdefault((citation["document"], citation["paragraph"]), citation)
    return list(by_paragraph.values())


def _letter(number: int) -> str:
    if number < len(ascii_uppercase):
        return ascii_uppercase[number]
    return _letter(number // len(ascii_uppercase) - 1) + ascii_uppercase[number % len(ascii_uppercase)]
