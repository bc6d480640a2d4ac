"""Results of an activity: each indicator becomes an indicator, each baseline, target and actual a figure."""

import re
from collections.abc import Iterator
from typing import Any

from app.core.error_codes import ERROR_DETAILS
from app.core.errors import ErrorItem
from app.core.values.text import PLAIN_NAME
from app.exchange.formats.lines import ParsedLine, SourceError
from app.exchange.iati.reading.documents import DocumentLinks, project_link
from app.exchange.iati.reading.findings import IMPORTED, Paths
from app.exchange.iati.reading.parser import Node
from app.exchange.iati.reading.source import Origin
from app.exchange.iati.reading.values import (
    UNDETERMINED,
    DerivedIds,
    Texts,
    clean_text,
    day_of,
    joined,
    line_of,
    period_of,
    texts_of,
)

NUMBER = "1"  # measures of indicators
PERCENT = "2"
QUALITATIVE = "5"
UNIT_TEXTS = {
    NUMBER: {"en": "units", "vi": "đơn vị"},
    "3": {"en": "classes without an order", "vi": "loại không có thứ tự"},
    "4": {"en": "classes in an order", "vi": "bậc"},
    QUALITATIVE: {"en": "in words", "vi": "bằng lời"},
}
DIRECTIONS = {"1": "up", "true": "up", "0": "down", "false": "down"}
KINDS = ("target", "actual")
UNITS = ("/unit", "/unit_text")  # which the file does not state, so that those of the registry stay
MAX_BREAKDOWN = 20
NOT_IN_NAME = re.compile("[^a-z0-9_]+")
YEAR = re.compile(r"\d{4}")


class Results:
    """The indicators and figures of one activity."""

    def __init__(self, activity: Node, origin: Origin, links: DocumentLinks) -> None:
        self._activity = activity
        self._origin = origin
        self._links = links
        self._ids = DerivedIds(origin.identifier)
        self._paths = Paths(activity)
        self._file = origin.file

    def lines(self) -> Iterator[ParsedLine]:
        """Yield the line of each indicator, and then those of its figures."""
        for result in self._activity.named("result"):
            result.fate = IMPORTED
            title = texts_of(result.first("title"), self._origin.language)
            result_texts = [title, texts_of(result.first("description"), self._origin.language)]
            cited = self._links.citations_in(result, ["definition"])
            for node in result.named("indicator"):
                yield from self._indicator(node, result_texts, cited)

    def _indicator(self, node: Node, result_texts: list[Texts], cited: list[dict[str, Any]]) -> Iterator[ParsedLine]:
        node.fate = IMPORTED
        name = texts_of(node.first("title"), self._origin.language)
        definition = [*result_texts, texts_of(node.first("description"), self._origin.language)]
        measure = node.get("measure")
        unit: dict[str, Any] = {"unit": "percent"}
        if measure != PERCENT:
            unit = {"unit": "other", "unit_text": UNIT_TEXTS.get(measure, UNIT_TEXTS[NUMBER])}
        name = name or next((texts for texts in definition if texts), {UNDETERMINED: self._origin.identifier})
        stem = name.get("en") or next(iter(name.values()))
        record_id = self._ids.new(stem, "indicator", repr(result_texts[0]), repr(name), measure)
        record = {
            "id": record_id,
            "name": name,
            **unit,
            "direction": DIRECTIONS.get(node.get("ascending"), "none" if measure == QUALITATIVE else "up"),
            "definition": joined(texts for texts in definition if texts != name),
        }
        inferred = ["unit"] if unit["unit"] == "other" else []
        more = [*cited, *self._links.citations_in(node, ["definition"])]
        record["citations"] = self._origin.citations(record, inferred, more)
        yield self._file.line("indicators", record, UNITS)
        yield from self._figures(node, record_id, unit, is_qualitative=measure == QUALITATIVE)

    def _figures(
        self, indicator: Node, indicator_id: str, unit: dict[str, Any], *, is_qualitative: bool
    ) -> Iterator[ParsedLine]:
        base = {"indicator": indicator_id, **unit, "project": project_link(self._origin.identifier)}
        for baseline in indicator.named("baseline"):
            when = day_of(baseline) if baseline.get("iso-date") else None
            if when is None and YEAR.fullmatch(baseline.get("year")):
                when = baseline.get("year")
            yield from self._figure(baseline, {**base, "kind": "baseline", "period": when}, is_qualitative)
        for node in indicator.named("period"):
            node.fate = IMPORTED
            when = period_of(node)
            for half in node.named(*KINDS):
                yield from self._figure(half, {**base, "kind": half.name, "period": when}, is_qualitative)

    def _figure(self, node: Node, base: dict[str, Any], is_qualitative: bool) -> Iterator[ParsedLine]:
        """Yield the line of a figure, if the element states one."""
        written = line_of(node.get("value"))
        comment = joined(texts_of(element, self._origin.language) for element in node.named("comment"))
        if not written and not comment:
            node.fate = "empty"
            return
        node.fate = IMPORTED
        errors: list[ErrorItem] = []
        value = None if is_qualitative else self._number(node, written, errors)
        words = {UNDETERMINED: clean_text(node.get("value"))}
        texts = comment if value is not None or not written else joined([words, comment])
        breakdown = self._breakdown(node)
        key = [base["indicator"], base["kind"], base["period"] or "", repr(sorted(breakdown.items()))]
        key += [element.get("ref") for element in node.named("location")]
        record = {
            "id": self._ids.new(base["indicator"].rpartition("-")[0] or base["kind"], *key),
            **base,
            "value": value,
            "text": texts,
            "breakdown": breakdown,
            "as_written": written or None,
        }
        more = self._links.citations_in(node, [])
        record["citations"] = self._origin.citations(record, [], more)
        if errors:
            node.fate = "refused"
        yield self._file.line("figures", record, UNITS, errors)

    def _number(self, node: Node, written: str, errors: list[ErrorItem]) -> float | int | None:
        try:
            return self._file.results.read(written) if written else None
        except ValueError:
            detail = ERROR_DETAILS["two_readings"]
            path = f"{self._paths.of(node)}/@value"
            errors.append(
                SourceError(pointer="/value", code="two_readings", detail=detail, source_line=node.line, path=path)
            )
            return None

    def _breakdown(self, node: Node) -> dict[str, str]:
        breakdown: dict[str, str] = {}
        for element in node.named("dimension"):
            name = NOT_IN_NAME.sub("_", clean_text(element.get("name")).lower()).strip("_")[:60]
            value = line_of(element.get("value"))
            if not name or not value or not PLAIN_NAME.fullmatch(name):
                element.fate = "empty"
            elif name in breakdown:
                element.fate = "repeated" if breakdown[name] == value else "other_text"
            elif len(breakdown) == MAX_BREAKDOWN:
                element.fate = "too_many"
            else:
                element.fate = IMPORTED
                breakdown[name] = value
        return breakdown
