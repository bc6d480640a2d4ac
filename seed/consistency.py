"""Checks of the dataset that need no source texts. Each rule is a function that yields its problems.

To add a rule, write the function and add it to RULES.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import chain
from typing import Any

from app.core.model.resource import RESOURCES
from app.core.values.text import fold
from app.core.writing.representation import linked_records
from seed.curation import CURATION_RULES
from seed.evidence_rules import EVIDENCE_RULES, CheckRule, at
from seed.files import Dataset


def check(dataset: Dataset) -> list[str]:
    """Return all problems that the rules find, in a stable order."""
    return list(chain.from_iterable(rule(dataset) for rule in RULES))


def references(dataset: Dataset) -> Iterator[str]:
    """Check that every linked record exists."""
    for key, fields in dataset.records.items():
        for target, name in linked_records(fields):
            if (target, name) not in dataset.records:
                yield f"{at(key)} links to {target}/{name}, which does not exist"


def cycles(dataset: Dataset) -> Iterator[str]:
    """Check that no record is part of itself, follows itself or contains itself, directly or through other records."""
    trees: dict[str, Mapping[str, list[str]]] = {}
    for name, resource in RESOURCES.items():
        records = dataset.of(name)
        for field in resource.trees:
            trees[f"{name}.{field}"] = {key: _ids(getattr(fields, field)) for key, fields in records.items()}
    trees["figures.relations part_of"] = {
        key: [relation.figure for relation in fields.relations if relation.kind == "part_of"]
        for key, fields in dataset.of("figures").items()
    }
    for name, parents in trees.items():
        for start in parents:
            if start in _reachable(start, parents):
                yield f"{name}: {start} leads back to itself"


def _ids(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _reachable(start: str, parents: Mapping[str, list[str]]) -> set[str]:
    seen: set[str] = set()
    pending = list(parents.get(start, ()))
    while pending:
        node = pending.pop()
        if node not in seen:
            seen.add(node)
            pending += parents.get(node, ())
    return seen


def unique_partner_names(dataset: Dataset) -> Iterator[str]:
    """Check that no two partners of one country share a name, abbreviation or alias."""
    partners_by_name: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for key, partner in dataset.of("partners").items():
        for name in [*partner.name.values(), partner.abbreviation, *partner.aliases]:
            if name:
                partners_by_name[str(partner.country)][" ".join(fold(name).split())].add(key)
    for names in partners_by_name.values():
        for name, keys in names.items():
            if len(keys) > 1:
                yield f"partners {', '.join(sorted(keys))}: they share the name «{name}»"


def units(dataset: Dataset) -> Iterator[str]:
    """Check that a figure has the unit of its indicator, and a unit that its kind allows."""
    indicators = dataset.of("indicators")
    for key, figure in dataset.of("figures").items():
        indicator = indicators.get(figure.indicator)
        if indicator and indicator.unit != figure.unit:
            yield f"figures/{key}: its unit is {figure.unit}, that of its indicator is {indicator.unit}"
        if figure.kind == "duration" and figure.unit not in ("year", "month"):
            yield f"figures/{key}: a duration cannot have the unit {figure.unit}"
        if figure.unit == "ordinal" and (figure.kind != "rank" or not figure.value or figure.value < 1):
            yield f"figures/{key}: the unit ordinal needs the kind rank and a value of at least 1"


def relations(dataset: Dataset) -> Iterator[str]:
    """Check that the units, kinds and values of related figures allow the relation."""
    figures = dataset.of("figures")
    for key, figure in figures.items():
        for relation in figure.relations:
            other = figures.get(relation.figure)
            if other is None:
                continue
            problem = "relates to itself" if other is figure else _relation_problem(relation.kind, figure, other)
            if problem:
                yield f"figures/{key} {relation.kind} {relation.figure}: {problem}"


def _relation_problem(kind: str, figure: Any, other: Any) -> str | None:
    if kind == "part_of" and (figure.unit, figure.kind) != (other.unit, other.kind):
        return "a part must have the unit and kind of its total"
    if kind == "share_of" and figure.unit != "percent":
        return "a share must be in per cent"
    if kind == "change_of" and figure.unit not in ("percent", "percentage_point", other.unit):
        return "a change must be in per cent, percentage points or the unit of the other figure"
    same = (figure.value, figure.value_high, figure.unit) == (other.value, other.value_high, other.unit)
    if kind == "same_as" and not same:
        return "the two figures have different values or units"
    return None


def sums(dataset: Dataset) -> Iterator[str]:
    """Check that the parts of a total that have the same dimensions add up to the total."""
    figures = dataset.of("figures")
    parts: dict[tuple[str, tuple[str, ...]], list[Any]] = defaultdict(list)
    for figure in figures.values():
        for relation in figure.relations:
            if relation.kind == "part_of" and relation.figure in figures:
                parts[relation.figure, tuple(sorted(figure.breakdown))].append(figure)
    for (total_id, dimensions), group in parts.items():
        values = [part.value for part in group]
        total = figures[total_id].value
        if total is None or None in values or {part.qualifier for part in group} != {"exact"}:
            continue
        added = sum(Decimal(str(value)) for value in values)
        if added != Decimal(str(total)):
            by = f" by {', '.join(dimensions)}" if dimensions else ""
            yield f"figures/{total_id}: its parts{by} add up to {added}, its value is {total}"


def times(dataset: Dataset) -> Iterator[str]:
    """Check that an event that a document reports as done is not after the publication of the document."""
    published = {key: document.published_on for key, document in dataset.of("documents").items()}
    for key, fields in dataset.records.items():
        when = _done_on(key[0], fields)
        dates = [published.get(citation.document) for citation in fields.citations]
        days = [date.latest for date in dates if date and date.latest]
        if when and when.earliest and days and when.earliest > max(days):
            yield f"{at(key)}: it is done, but it is later than every document cited for it"


def _done_on(resource: str, fields: Any) -> Any:
    """Return the date of a completed event; None when the record does not say that it took place."""
    if resource == "milestones" and fields.status == "done":
        return fields.date
    if resource == "agreements" and fields.status in ("signed", "in_force", "ended"):
        return fields.signed_on
    return fields.period if resource == "figures" and fields.kind in ("actual", "baseline") else None


def codes(dataset: Dataset) -> Iterator[str]:
    """Check that a country has a country code, and a province a code of its country."""
    places = dataset.of("places")
    for key, place in places.items():
        country = places.get(place.parent) if place.level == "province" else None
        if place.code and place.level == "country" and len(place.code) != 2:
            yield f"places/{key}: {place.code} is not a country code"
        if place.code and country is not None and not place.code.startswith(f"{country.code}-"):
            yield f"places/{key}: {place.code} is not a code of {place.parent}"


def unique_codes(dataset: Dataset) -> Iterator[str]:
    """Check that no two records share an identifier, and no two places a code at the same time."""
    holders: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for key, place in dataset.of("places").items():
        if place.code:
            holders["places", place.code, str(place.period and place.period.earliest)].add(key)
    for (resource, key), fields in dataset.records.items():
        for identifier in getattr(fields, "identifiers", []) if resource != "places" else []:
            holders[resource, identifier.scheme, identifier.value].add(key)
    for (resource, *code), keys in holders.items():
        if len(keys) > 1:
            yield f"{resource}: {', '.join(sorted(keys))} have the same code {' '.join(code)}"


def repeated(dataset: Dataset) -> Iterator[str]:
    """Check that no list has a duplicate item, no record links to itself, and no record is a draft."""
    for key, fields in dataset.records.items():
        if fields.state != "published":
            yield f"{at(key)}: is a {fields.state}"
        for name in type(fields).model_fields:
            value = getattr(fields, name)
            if isinstance(value, list) and any(item in value[:index] for index, item in enumerate(value)):
                yield f"{at(key)}: {name} has a duplicate item"
        if key in set(linked_records(fields.model_copy(update={"citations": []}))):
            yield f"{at(key)}: links to itself"


def used(dataset: Dataset) -> Iterator[str]:
    """Check that each indicator has a figure."""
    measured = {figure.indicator for figure in dataset.of("figures").values()}
    for key in sorted(set(dataset.of("indicators")) - measured):
        yield f"indicators/{key}: no figure uses it"


def signatures(dataset: Dataset) -> Iterator[str]:
    """Check that an intended agreement is not signed, and that each signatory signs for a party."""
    for key, agreement in dataset.of("agreements").items():
        if agreement.status == "intended" and (agreement.signed_on or agreement.signatories):
            yield f"agreements/{key}: its status is intended, but it is signed"
        parties = {party.partner for party in agreement.parties}
        for signatory in agreement.signatories:
            if signatory.for_party and signatory.for_party not in parties:
                yield f"agreements/{key}: signed for {signatory.for_party}, which is not a party"


def kinds(dataset: Dataset) -> Iterator[str]:
    """Check that the kind of a record agrees with its other fields."""
    for key, partner in dataset.of("partners").items():
        if partner.kind == "collective" and not partner.collective:
            yield f"partners/{key}: the kind is collective, but the field collective is false"
    for key, project in dataset.of("projects").items():
        if project.kind == "requested_support" and project.status in ("active", "completed", "past", "agreed"):
            yield f"projects/{key}: the kind is requested_support, but the status is {project.status}"
    for key, document in dataset.of("documents").items():
        if bool(document.sha256) != bool(document.paragraphs):
            yield f"documents/{key}: sha256 and paragraphs must be set together"


def ignored(dataset: Dataset) -> Iterator[str]:
    """Check that an ignored entry names a paragraph of an available text, and has a reason."""
    documents = dataset.of("documents")
    for entry in dataset.ignored:
        document = documents.get(entry.document)
        if document is None or not document.paragraphs:
            yield f"ignored: {entry.document} is not a document with a text"
        elif not 1 <= entry.first <= entry.last <= document.paragraphs:
            yield f"ignored: {entry.document} has no paragraphs {entry.first} to {entry.last}"
        if not entry.reason.strip():
            yield f"ignored: {entry.document} paragraph {entry.first} has no reason"


RULES: tuple[CheckRule, ...] = (
    references,
    cycles,
    *EVIDENCE_RULES,
    *CURATION_RULES,
    unique_partner_names,
    units,
    relations,
    sums,
    times,
    codes,
    unique_codes,
    repeated,
    used,
    signatures,
    kinds,
    ignored,
)
