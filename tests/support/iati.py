"""Validators of IATI files: the official schemas, the ruleset and the code lists, where they are present."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from app.exchange.iati.extension.schema import extension_schema
from app.exchange.iati.extension.shapes import NAMESPACE

STANDARD = Path(__file__).parents[3] / "shared" / "iati"
needs_standard = pytest.mark.skipif(not STANDARD.exists(), reason="needs the schemas and rules of IATI")
ROOTS = {"iati-activities": "iati-activities-schema.xsd", "iati-organisations": "iati-organisations-schema.xsd"}

# Attributes with a code, as XPath, and their code lists.
CODES = {
    "//reporting-org/@type": "OrganisationType",
    "//participating-org/@type": "OrganisationType",
    "//participating-org/@role": "OrganisationRole",
    "//other-identifier/@type": "OtherIdentifierType",
    "//activity-status/@code": "ActivityStatus",
    "//activity-date/@type": "ActivityDateType",
    "//recipient-country/@code": "Country",
    "//location-reach/@code": "GeographicLocationReach",
    "//location-id/@vocabulary": "GeographicVocabulary",
    "//location-id[@vocabulary='A4']/@code": "Country",
    "//sector/@vocabulary": "SectorVocabulary",
    "//sector[@vocabulary='1']/@code": "Sector",
    "//sector[@vocabulary='2']/@code": "SectorCategory",
    "//tag/@vocabulary": "TagVocabulary",
    "//tag[@vocabulary='2']/@code": "UNSDG-Goals",
    "//tag[@vocabulary='3']/@code": "UNSDG-Targets",
    "//budget/@type": "BudgetType",
    "//budget/@status": "BudgetStatus",
    "//planned-disbursement/@type": "BudgetType",
    "//transaction/transaction-type/@code": "TransactionType",
    "//value/@currency": "Currency",
    "//document-link/category/@code": "DocumentCategory",
    "//related-activity/@type": "RelatedActivityType",
    "//result/@type": "ResultType",
    "//indicator/@measure": "IndicatorMeasure",
}


def parsed(content: bytes) -> Any:
    """The root of a file that is valid in every respect: schema, rules, codes and extension."""
    root = etree.fromstring(content)
    schema = _schema(ROOTS[root.tag])
    assert schema.validate(root), schema.error_log
    own = etree.XMLSchema(etree.fromstring(extension_schema().encode()))
    for record in records_in(root):
        assert own.validate(record), own.error_log
    assert list(broken_rules(root)) == []
    assert list(unknown_codes(root)) == []
    return root


def records_in(root: Any) -> list[Any]:
    """The elements of the extension that are records."""
    return root.xpath("//hoptac:*[not(parent::hoptac:*)]", namespaces={"hoptac": NAMESPACE})  # type: ignore[no-any-return]


@cache
def _schema(name: str) -> Any:
    return etree.XMLSchema(etree.parse(STANDARD / "2.03" / name))


@cache
def _codes(name: str) -> frozenset[str]:
    with (STANDARD / "codelists" / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        return frozenset(row[0] for row in csv.reader(file, "excel-tab"))


def unknown_codes(root: Any) -> Iterator[str]:
    """Yield each code that its list does not have."""
    for path, name in CODES.items():
        yield from (f"{path} {code}" for code in root.xpath(path) if code not in _codes(name))


def broken_rules(root: Any) -> Iterator[str]:
    """Yield the name of each rule of the standard that is an error, and that an element breaks."""
    ruleset = json.loads((STANDARD / "standard-ruleset.json").read_text("utf-8"))
    for context, rules in ruleset.items():
        for element in root.xpath(context):
            yield from _broken(element, rules, context)


def _broken(element: Any, rules: dict[str, Any], context: str) -> Iterator[str]:
    for name, content in rules.items():
        for case in content["cases"]:
            if case.get("ruleInfo", {}).get("severity") == "warning":
                continue
            if "condition" in case and not element.xpath(case["condition"]):
                continue
            if name == "loop":
                for value in set(element.xpath(case["foreach"])):
                    inner = json.dumps(case["do"]).replace("$1", value)
                    yield from _broken(element, json.loads(inner), context)
            elif not RULES[name](element, case):
                yield f"{context} {name} {case['ruleInfo']['id']}"


def _values(element: Any, path: str) -> list[str]:
    found = element.xpath(path)
    return [each if isinstance(each, str) else (each.text or "") for each in found]


def _dates(element: Any, path: str) -> list[str]:
    return [_today()] if path == "NOW" else [value[:10] for value in _values(element, path)]


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _in_order(element: Any, case: dict[str, Any]) -> bool:
    return all(less <= more for less in _dates(element, case["less"]) for more in _dates(element, case["more"]))


def _within_a_year(element: Any, case: dict[str, Any]) -> bool:
    days = [date.fromisoformat(_values(element, case[end])[0]) for end in ("start", "end")]
    return days[1] - days[0] < timedelta(days=366)


def _one_or_all(element: Any, case: dict[str, Any]) -> bool:
    if element.xpath(case["one"]):
        return True
    if case["all"] == "lang":
        return not element.xpath(".//narrative[not(@xml:lang)]")
    if case["all"] == "currency":
        return not element.xpath(".//value[not(@currency)]")
    return not element.xpath(f"transaction[not({case['all']})]")


RULES: dict[str, Callable[[Any, dict[str, Any]], bool]] = {
    "atleast_one": lambda element, case: any(element.xpath(path) for path in case["paths"]),
    "no_more_than_one": lambda element, case: all(len(element.xpath(path)) <= 1 for path in case["paths"]),
    "unique": lambda element, case: (
        len(values := [value for path in case["paths"] for value in _values(element, path)]) == len(set(values))
    ),
    "one_or_all": _one_or_all,
    "date_order": _in_order,
    "date_now": lambda element, case: all(value[:10] <= _today() for value in _values(element, case["date"])),
    "if_then": lambda element, case: not element.xpath(case["if"]) or bool(element.xpath(case["then"])),
    "strict_sum": lambda element, case: (
        sum(float(value) for path in case["paths"] for value in _values(element, path)) == case["sum"]
    ),
    "range": lambda element, case: all(
        case["min"] <= float(value) <= case["max"] for path in case["paths"] for value in _values(element, path)
    ),
    "regex_matches": lambda element, case: all(
        re.search(case["regex"], value) for path in case["paths"] for value in _values(element, path)
    ),
    "time_limit": _within_a_year,
    "between_dates": lambda element, case: (
        not element.xpath(case["date"])
    ),  # of lines of budgets, which we do not write
}
