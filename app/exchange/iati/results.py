"""The targets, actuals and baselines of a project as results: one result for each indicator."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from app.core.values.text import NOT_IN_XML
from app.exchange.iati.dates import LANGUAGES, is_day, texts_of
from app.exchange.iati.losses import Loss, all_lost, present
from app.exchange.iati.markup import element, narrated
from app.exchange.iati.pages import Linked
from app.figures.codelists import QUALIFIER, UNIT

Record = Mapping[str, Any]
Days = tuple[str, str]

KINDS = ("baseline", "target", "actual")  # kinds of figures, which are also the names of their elements
OTHER = "9"  # the type of a result: a record does not say whether it is an output, an outcome or an impact
MEASURES = {"percent": "2", "ordinal": "4"}
UNIT_MEASURE = "1"
QUALITATIVE = "5"
ASCENDING = {"up": "1", "down": "0"}
UNIT_TEXTS = {"en": "Unit: {}.", "vi": "Đơn vị: {}."}

# What becomes of each member of a figure that is a result. None: it is in the element, or notes its losses itself.
MEMBERS: dict[str, tuple[str, str] | None] = {
    "id": ("", "no_element"),
    "indicator": None,
    "kind": None,
    "value": None,
    "value_high": ("", "in_comment"),
    "text": ("", "in_comment"),
    "unit": ("", "in_comment"),
    "unit_text": ("", "in_comment"),
    "qualifier": ("", "in_comment"),
    "measured": ("", "no_element"),
    "period": None,
    "places": None,
    "breakdown": None,
    "relations": ("", "no_element"),
    "project": None,
    "agreement": ("", "no_element"),
    "partner": ("", "no_element"),
    "done_by": ("", "no_element"),
    "milestone": ("", "no_element"),
    "document": ("", "no_element"),
    "said_by": ("", "no_element"),
    "relayed_for": ("", "no_element"),
    "as_written": ("", "in_comment"),
    "managed_by": ("", "no_element"),
    "citations": ("", "no_element"),
    "version": ("", "no_element"),
    "created_at": ("", "no_element"),
    "updated_at": ("", "no_element"),
    "inferred": ("", "no_element"),
}


class Results:
    """The results of an activity, and what they lack of each of its figures, by the id of the figure."""

    def __init__(self, project: Record, linked: Linked) -> None:
        self.losses: dict[str, list[Loss]] = {}
        self._project = project
        self._linked = linked
        indicators: dict[str, list[tuple[Record, Days]]] = {}
        for figure in linked.of("figures", project):
            reason = "not_a_result" if figure["kind"] not in KINDS else "no_day"
            days = days_of(figure, project) if figure["kind"] in KINDS else None
            if days is None:
                self.losses[figure["id"]] = list(all_lost(figure, reason))
                continue
            self.losses[figure["id"]] = list(self._losses(figure, days))
            indicators.setdefault(figure["indicator"], []).append((figure, days))
        self.elements = [self._result(name, indicators[name]) for name in sorted(indicators)]

    def _result(self, indicator_id: str, figures: list[tuple[Record, Days]]) -> str:
        indicator = self._linked.named["indicators", indicator_id]
        numeric = [item for item in figures if number_of(item[0])]
        worded = [item for item in figures if not number_of(item[0])]
        measure = MEASURES.get(indicator["unit"], UNIT_MEASURE)
        parts = [self._indicator(indicator, measure, numeric)] if numeric else []
        parts += [self._indicator(indicator, QUALITATIVE, worded)] if worded else []
        return element("result", {"type": OTHER}, narrated("title", indicator["name"]), *parts)

    def _indicator(self, indicator: Record, measure: str, figures: list[tuple[Record, Days]]) -> str:
        baselines = [self._baseline(figure, days) for figure, days in figures if figure["kind"] == "baseline"]
        periods: dict[Days, list[Record]] = {}
        for figure, days in figures:
            if figure["kind"] != "baseline":
                periods.setdefault(days, []).append(figure)
        return element(
            "indicator",
            {"measure": measure, "ascending": ASCENDING.get(indicator["direction"])},
            narrated("title", indicator["name"]),
            narrated("description", _description(indicator)),
            *baselines,
            *[self._period(days, periods[days]) for days in sorted(periods)],
        )

    def _period(self, days: Days, figures: list[Record]) -> str:
        targets = [self._value(figure) for figure in figures if figure["kind"] == "target"]
        actuals = [self._value(figure) for figure in figures if figure["kind"] == "actual"]
        start = element("period-start", {"iso-date": days[0]})
        return element("period", None, start, element("period-end", {"iso-date": days[1]}), *targets, *actuals)

    def _baseline(self, figure: Record, days: Days) -> str:
        return self._value(figure, {"iso-date": days[1], "year": int(days[1][:4])})

    def _value(self, figure: Record, attributes: Mapping[str, object] | None = None) -> str:
        own_places = set(self._project["places"])
        return element(
            figure["kind"],
            {**(attributes or {}), "value": number_of(figure)},
            *[element("location", {"ref": place}) for place in figure["places"] if place in own_places],
            *[element("dimension", {"name": name, "value": value}) for name, value in figure["breakdown"].items()],
            narrated("comment", comment_of(figure)),
        )

    def _losses(self, figure: Record, days: Days) -> Iterator[Loss]:
        kind = figure["kind"]
        for name in present(figure):
            if rest := MEMBERS[name]:
                yield Loss(f"/{name}", kind if rest[1] == "in_comment" else rest[0], rest[1])
        if number_of(figure) is None:
            yield Loss("/value", kind, "no_number")
        own_places = set(self._project["places"])
        yield from (
            Loss(f"/places/{number}", kind, "not_linked")
            for number, place in enumerate(figure["places"])
            if place not in own_places
        )
        period = figure["period"]
        if not (is_day(period, "earliest") and is_day(period, "latest")) or days[0] != period["earliest"]:
            yield Loss("/period", "period", "less_precise")
        for name, value in figure["breakdown"].items():
            if NOT_IN_XML.search(value):
                yield Loss(f"/breakdown/{name}", "dimension", "other_form")


def days_of(figure: Record, project: Record) -> Days | None:
    """Return the first and the last day of the period of a figure; None if one of them is not known.

    A level is measured on the last day. A cumulative number counts from the beginning, which is that of the project if
    the period has none.
    """
    period = figure["period"] or {"earliest": None, "latest": None}
    last: str | None = period["latest"]
    if last is None:
        return None
    first: str | None = period["earliest"]
    if figure["measured"] == "at_date" or figure["kind"] == "baseline":
        first = last
    elif first is None and figure["measured"] == "cumulative":
        first = (project["period"] or {}).get("earliest")
    return (first, last) if first is not None and first <= last else None


def number_of(figure: Record) -> str | None:
    """Return the single number of a figure without an exponent; None if it has none, or has a range."""
    value = figure["value"]
    return None if value is None or figure["value_high"] is not None else decimal(value)


def comment_of(figure: Record) -> dict[str, str]:
    """Return what a figure states, in words, by language."""
    texts = dict(figure["text"] or {})
    period = texts_of(figure["period"], is_extent=True)
    for language in LANGUAGES:
        parts = [_number_text(figure, language), period[language]]
        if figure["as_written"]:
            parts.append(f"«{figure['as_written']}»")
        stated = [texts[language]] if language in texts else []
        texts[language] = "; ".join([*stated, *filter(None, parts)])
    return texts


def _number_text(figure: Record, language: str) -> str:
    if figure["value"] is None:
        return ""
    numbers = [decimal(value) for value in (figure["value"], figure["value_high"]) if value is not None]
    qualifier = QUALIFIER.codes[figure["qualifier"]].label[language] if figure["qualifier"] != "exact" else ""
    return " ".join(filter(None, [qualifier, "–".join(numbers), _unit_text(figure, language)]))


def _unit_text(record: Record, language: str) -> str:
    texts = record["unit_text"] or UNIT.codes[record["unit"]].label
    return texts.get(language) or next(iter(texts.values()))


def _description(indicator: Record) -> dict[str, str]:
    """Return the definition of an indicator with its unit, by language."""
    texts = dict(indicator["definition"] or {})
    for language in LANGUAGES:
        unit = UNIT_TEXTS[language].format(_unit_text(indicator, language))
        texts[language] = " ".join(filter(None, [texts.get(language), unit]))
    return texts


def decimal(value: float) -> str:
    """Return a number without an exponent."""
    return format(Decimal(repr(value)), "f")
