"""What can be proved of the dataset without the texts: each rule is a small function that yields what it finds.

Adding a rule: write the function, add it to RULES.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from app.core.model.fields import RecordFields
from app.core.model.resource import RESOURCES
from app.core.values.evidence import Citation
from app.core.values.text import fold
from app.core.writing.representation import linked_records
from seed.files import Dataset, DatasetKey

CheckRule = Callable[[Dataset], Iterator[str]]


def check(dataset: Dataset) -> list[str]:
    """Every problem that the rules find, in a stable order."""
    return [problem for rule in RULES for problem in rule(dataset)]


def references(dataset: Dataset) -> Iterator[str]:
    """Every record that another one names exists."""
    for key, fields in dataset.records.items():
        for target, name in linked_records(fields):
            if (target, name) not in dataset.records:
                yield f"{_at(key)} names {target}/{name}, which does not exist"


def cycles(dataset: Dataset) -> Iterator[str]:
    """Nothing is part of itself, follows itself or contains itself, however long the way."""
    trees: dict[str, Mapping[str, list[str]]] = {
        f"{name}.{field}": {key: _ids(getattr(fields, field)) for key, fields in dataset.of(name).items()}
        for name, resource in RESOURCES.items()
        for field in resource.trees
    }
    trees["figures.relations part_of"] = {
        key: [each.figure for each in fields.relations if each.kind == "part_of"]
        for key, fields in dataset.of("figures").items()
    }
    for name, above in trees.items():
        for start in above:
            if start in _reachable(start, above):
                yield f"{name}: {start} leads back to itself"


def _ids(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _reachable(start: str, above: Mapping[str, list[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(above.get(start, ()))
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += above.get(node, ())
    return seen


def evidence(dataset: Dataset) -> Iterator[str]:
    """Every record but a definition is cited: a held text by paragraph and words, an external source by a note."""
    documents = dataset.of("documents")
    for key, fields in dataset.records.items():
        if not fields.citations and RESOURCES[key[0]].needs_evidence:
            yield f"{_at(key)} has no citation"
        for number, citation in enumerate(fields.citations, 1):
            for problem in (*_uncited(citation, documents.get(citation.document)), *_unsupported(citation, fields)):
                yield f"{_at(key)} citation {number}: {problem}"


def _uncited(citation: Citation, document: Any) -> Iterator[str]:
    if citation.basis == "external" and not citation.note:
        yield "basis external needs a note that names the source"
    if document is None or not document.sha256:
        return
    if citation.paragraph is None or citation.as_written is None:
        yield f"the text of {citation.document} is held: paragraph and as_written are required"
    elif document.paragraphs and citation.paragraph > document.paragraphs:
        yield f"{citation.document} has {document.paragraphs} paragraphs"
    if citation.basis == "external":
        yield "what a held text says is not external"


def _unsupported(citation: Citation, fields: RecordFields) -> Iterator[str]:
    names = {entry.alias or name for name, entry in type(fields).model_fields.items()}
    for name in citation.supports:
        field = name.partition(".")[0]
        if field not in names:
            yield f"supports {name}, which is no field"
        elif getattr(fields, field, True) in (None, [], {}):
            yield f"supports {name}, which is empty"


def languages(dataset: Dataset) -> Iterator[str]:
    """Texts are given in Vietnamese and in English."""
    for key, fields in dataset.records.items():
        for name in ("title", "name", "description", "summary", "definition", "text"):
            words = getattr(fields, name, None)
            if isinstance(words, dict) and not {"vi", "en"} <= set(words):
                yield f"{_at(key)}: {name} is not in both vi and en"


def one_partner_each(dataset: Dataset) -> Iterator[str]:
    """No two partners of one country and level share a name, abbreviation or alias."""
    spelled: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for key, partner in dataset.of("partners").items():
        for name in [*partner.name.values(), partner.abbreviation, *partner.aliases]:
            if name:
                spelled[str(partner.country)][" ".join(fold(name).split())].add(key)
    for names in spelled.values():
        for name, keys in names.items():
            if len(keys) > 1:
                yield f"partners {', '.join(sorted(keys))}: all are called «{name}»"


def units(dataset: Dataset) -> Iterator[str]:
    """A figure has its indicator's unit, and a unit that its kind can have."""
    indicators = dataset.of("indicators")
    for key, figure in dataset.of("figures").items():
        indicator = indicators.get(figure.indicator)
        if indicator and indicator.unit != figure.unit:
            yield f"figures/{key}: its unit is {figure.unit}, its indicator's {indicator.unit}"
        if figure.kind == "duration" and figure.unit not in ("year", "month"):
            yield f"figures/{key}: a duration in {figure.unit}"
        if figure.unit == "ordinal" and (figure.kind != "rank" or not figure.value or figure.value < 1):
            yield f"figures/{key}: a position is a rank, counted from 1"


def relations(dataset: Dataset) -> Iterator[str]:
    """Related figures can be related in that way."""
    figures = dataset.of("figures")
    for key, figure in figures.items():
        for each in figure.relations:
            other = figures.get(each.figure)
            if other is None:
                continue
            problem = _cannot(each.kind, figure, other) if each.figure != key else "relates to itself"
            if problem:
                yield f"figures/{key} {each.kind} {each.figure}: {problem}"


def _cannot(kind: str, figure: Any, other: Any) -> str | None:
    if kind == "part_of" and (figure.unit, figure.kind) != (other.unit, other.kind):
        return "a part has its total's unit and kind"
    if kind == "share_of" and figure.unit != "percent":
        return "a share is in per cent"
    if kind == "change_of" and figure.unit not in ("percent", "percentage_point", other.unit):
        return "a change is in per cent, points, or the unit itself"
    if kind == "same_as" and (figure.value, figure.value_high, figure.unit) != (
        other.value,
        other.value_high,
        other.unit,
    ):
        return "the two do not state the same"
    return None


def sums(dataset: Dataset) -> Iterator[str]:
    """The parts of a total that are broken down by the same dimensions make the total."""
    figures = dataset.of("figures")
    parts: dict[tuple[str, tuple[str, ...]], list[Any]] = defaultdict(list)
    for figure in figures.values():
        for each in figure.relations:
            if each.kind == "part_of" and each.figure in figures:
                parts[each.figure, tuple(sorted(figure.breakdown))].append(figure)
    for (total, dimensions), each in parts.items():
        values = [part.value for part in each]
        whole = figures[total].value
        if whole is None or None in values or {part.qualifier for part in each} != {"exact"}:
            continue
        found = sum(Decimal(str(value)) for value in values)
        if found != Decimal(str(whole)):
            by = f" by {', '.join(dimensions)}" if dimensions else ""
            yield f"figures/{total}: its parts{by} make {found}, it says {whole}"


def times(dataset: Dataset) -> Iterator[str]:
    """What a document reports as done does not lie after its publication."""
    published = {key: document.published_on for key, document in dataset.of("documents").items()}
    for key, fields in dataset.records.items():
        when = _done_on(key[0], fields)
        days = [date.latest for each in fields.citations if (date := published.get(each.document)) and date.latest]
        if when and when.earliest and days and when.earliest > max(days):
            yield f"{_at(key)}: done, yet later than every document cited for it"


def _done_on(resource: str, fields: Any) -> Any:
    """When something took place, where the record says that it did."""
    if resource == "milestones" and fields.status == "done":
        return fields.date
    if resource == "agreements" and fields.status in ("signed", "in_force", "ended"):
        return fields.signed_on
    return fields.period if resource == "figures" and fields.kind in ("actual", "baseline") else None


DATES = ("date", "signed_on", "due", "happened_on", "published_on", "period")


def supported_dates(dataset: Dataset) -> Iterator[str]:
    """A date or period that a record has is what some citation is cited for."""
    for key, fields in dataset.records.items():
        cited = {name.partition(".")[0] for citation in fields.citations for name in citation.supports}
        for name in DATES:
            if getattr(fields, name, None) is not None and name not in cited:
                yield f"{_at(key)}: no citation supports its {name}"


def codes(dataset: Dataset) -> Iterator[str]:
    """A country has a country's code, a province one of its country's."""
    places = dataset.of("places")
    for key, place in places.items():
        country = places.get(place.parent) if place.level == "province" else None
        if place.code and place.level == "country" and len(place.code) != 2:
            yield f"places/{key}: {place.code} is no country's code"
        if place.code and country is not None and not place.code.startswith(f"{country.code}-"):
            yield f"places/{key}: {place.code} is not of {place.parent}"


def one_record_each(dataset: Dataset) -> Iterator[str]:
    """A register gives a code to one record; a place's code is given once at a time."""
    given: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for key, place in dataset.of("places").items():
        if place.code:
            given["places", place.code, str(place.period and place.period.earliest)].add(key)
    for (resource, key), fields in dataset.records.items():
        for each in getattr(fields, "identifiers", []) if resource != "places" else []:
            given[resource, each.scheme, each.value].add(key)
    for (resource, *code), keys in given.items():
        if len(keys) > 1:
            yield f"{resource}: {', '.join(sorted(keys))} have the same code {' '.join(code)}"


def repeated(dataset: Dataset) -> Iterator[str]:
    """Nothing is listed twice in a record, no record names itself, and none is a draft."""
    for key, fields in dataset.records.items():
        if fields.state != "published":
            yield f"{_at(key)}: is a {fields.state}"
        for name in type(fields).model_fields:
            value = getattr(fields, name)
            if isinstance(value, list) and any(each in value[:n] for n, each in enumerate(value)):
                yield f"{_at(key)}: {name} holds something twice"
        if key in set(linked_records(fields.model_copy(update={"citations": []}))):
            yield f"{_at(key)}: names itself"


def used(dataset: Dataset) -> Iterator[str]:
    """An indicator is there because a figure measures it."""
    measured = {figure.indicator for figure in dataset.of("figures").values()}
    for key in sorted(set(dataset.of("indicators")) - measured):
        yield f"indicators/{key}: no figure measures it"


def signatures(dataset: Dataset) -> Iterator[str]:
    """What is only intended is not signed; who signs, signs for a party."""
    for key, agreement in dataset.of("agreements").items():
        if agreement.status == "intended" and (agreement.signed_on or agreement.signatories):
            yield f"agreements/{key}: intended, yet signed"
        parties = {party.partner for party in agreement.parties}
        for signatory in agreement.signatories:
            if signatory.for_party and signatory.for_party not in parties:
                yield f"agreements/{key}: signed for {signatory.for_party}, which is no party"


def kinds(dataset: Dataset) -> Iterator[str]:
    """Kinds that contradict what stands beside them."""
    for key, partner in dataset.of("partners").items():
        if partner.kind == "collective" and not partner.collective:
            yield f"partners/{key}: a collective that does not say so"
    for key, project in dataset.of("projects").items():
        if project.kind == "requested_support" and project.status in ("active", "completed", "past", "agreed"):
            yield f"projects/{key}: support that is asked for, yet {project.status}"
    for key, document in dataset.of("documents").items():
        if bool(document.sha256) != bool(document.paragraphs):
            yield f"documents/{key}: sha256 and paragraphs go together"


def written(dataset: Dataset) -> Iterator[str]:
    """A figure's as_written is among its citations, where the value is supported."""
    for key, figure in dataset.of("figures").items():
        needed = "text" if figure.value is None else "value"
        supporting = [each for each in figure.citations if needed in each.supports]
        if not supporting:
            yield f"figures/{key}: no citation supports its value"
        elif figure.as_written not in {each.as_written for each in supporting}:
            yield f"figures/{key}: no citation has its as_written"


def ignored(dataset: Dataset) -> Iterator[str]:
    """What is ignored lies in a document whose text is held, and has a reason."""
    documents = dataset.of("documents")
    for entry in dataset.ignored:
        document = documents.get(entry.document)
        if document is None or not document.paragraphs:
            yield f"ignored: {entry.document} is no document whose text is held"
        elif not 1 <= entry.first <= entry.last <= document.paragraphs:
            yield f"ignored: {entry.document} has no paragraphs {entry.first} to {entry.last}"
        if not entry.reason.strip():
            yield f"ignored: {entry.document} paragraph {entry.first} has no reason"


def _at(key: DatasetKey) -> str:
    return f"{key[0]}/{key[1]}"


RULES: tuple[CheckRule, ...] = (
    references,
    cycles,
    evidence,
    languages,
    one_partner_each,
    units,
    relations,
    sums,
    times,
    supported_dates,
    codes,
    one_record_each,
    repeated,
    used,
    signatures,
    kinds,
    written,
    ignored,
)
