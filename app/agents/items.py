"""Records and their evidence in few words, for answers."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from app.agents.quoting import quoted
from app.agents.registry import RESOURCES, Registry

Record = Mapping[str, Any]

# The resources of links whose names are not those of a resource in the singular.
LINKS = {
    **{resource[:-1]: resource for resource in RESOURCES},
    **{resource: resource for resource in RESOURCES},
    **dict.fromkeys(("done_by", "to", "issuer", "publisher", "provider", "receiver"), "partners"),
    **dict.fromkeys(("country", "signed_in"), "places"),
    **dict.fromkeys(("occasion", "fulfilled_by"), "milestones"),
    "legal_basis": "documents",
}
LINKS_TO_OWN = ("part_of", "follows", "amends", "parent", "succeeded_by", "merged_into")
NO_FIELDS = frozenset(
    {"resource", "id", "version", "created_at", "updated_at", "inferred", "managed_by", "state"}
    | {"citations", "labels", "included", "sha256", "logo"}
)
MAX_ENTRIES = 12  # of a list in an item


def present(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item without what is not stated. 0 and False are stated."""
    return {name: value for name, value in item.items() if value is not None and value != [] and value != ""}


def citation_of(record: Record, member: str) -> Record | None:
    """Return the citation that supports a member, else the one of the whole record."""
    citations: list[Record] = record["citations"]
    for wanted in (member, None):
        for citation in citations:
            if (wanted in citation["supports"]) if wanted else not citation["supports"]:
                return citation
    return citations[0] if citations else None


def evidence(registry: Registry, citation: Record) -> dict[str, Any]:
    """Return the cited words, and where they stand."""
    note = citation["note"]
    return present(
        {
            "quote": quoted(citation["as_written"]) if citation["as_written"] else None,
            "document": registry.reference("documents", citation["document"]),
            "paragraph": citation["paragraph"],
            "basis": citation["basis"],
            "note": quoted(next(iter(note.values()))) if note else None,
        }
    )


def figure_item(registry: Registry, figure: Record, labels: Mapping[str, str], at: str = "") -> dict[str, Any]:
    """Return a number with its unit, the words that state it, who said it, and a link.

    `at` is the place of the figure in `labels`.
    """
    citation = citation_of(figure, "value")
    words = evidence(registry, citation) if citation else {}
    if "quote" not in words and figure["as_written"]:
        words = {"quote": quoted(figure["as_written"]), **words}
    return present(
        {
            "record": f"figures/{figure['id']}",
            "kind": labels.get(f"{at}/kind", figure["kind"]),
            "value": figure["value"],
            "value_high": figure["value_high"],
            "text": quoted(next(iter(figure["text"].values()))) if figure["text"] else None,
            "unit": unit_of(figure, labels, at),
            "qualifier": figure["qualifier"],
            "period": labels.get(f"{at}/period"),
            **words,
            "said_by": voice(registry, figure["said_by"]),
            "relayed_for": voice(registry, figure["relayed_for"]),
            "done_by": [registry.reference("partners", partner) for partner in figure["done_by"][:MAX_ENTRIES]],
            "url": registry.url("figures", figure["id"]),
        }
    )


def unit_of(figure: Record, labels: Mapping[str, str], at: str = "") -> str | None:
    """Return the unit of a figure in words."""
    if figure["unit_text"]:
        return quoted(next(iter(figure["unit_text"].values())), 60)
    return labels.get(f"{at}/unit", figure["unit"])


def voice(registry: Registry, speaker: Record | None) -> dict[str, Any] | None:
    """Return who speaks: name, office and organisation."""
    if not speaker:
        return None
    office = speaker.get("office")
    return present(
        {
            "name": quoted(speaker["name"], 80) if speaker.get("name") else None,
            "office": quoted(next(iter(office.values())), 80) if office else None,
            "partner": registry.reference("partners", speaker["partner"]) if speaker.get("partner") else None,
        }
    )


def documents_of(records: Iterable[Record]) -> set[str]:
    """Return the ids of the documents that these records cite."""
    cited: set[str] = set()
    for record in records:
        cited.update(citation["document"] for citation in record["citations"])
    return cited


def links_of(record: Record) -> dict[str, set[str]]:
    """Return the ids of the records that a record names, by resource."""
    links: dict[str, set[str]] = {"documents": documents_of([record])}
    for name, value in _members(record):
        resource = _resource_of(record, name)
        if resource and isinstance(value, str):
            links.setdefault(resource, set()).add(value)
    return links


def fields_of(registry: Registry, record: Record) -> Iterator[dict[str, Any]]:
    """Yield an item for each member of a record that is stated, with its evidence."""
    for name, value in record.items():
        if name in NO_FIELDS or value in (None, [], {}):
            continue
        labelled = _labelled(registry, record, name, value, f"/{name}")
        cited = [citation for citation in record["citations"] if _supports(citation, name)]
        item = {"field": name, "value": labelled, "evidence": [evidence(registry, citation) for citation in cited[:4]]}
        if any(pointer.split("/")[1] == name for pointer in record["inferred"]):
            item["inferred"] = True
        yield present(item)


def _members(record: Record) -> Iterator[tuple[str, Any]]:
    """Yield each text in a record with the name of its member, also those in lists and objects."""
    pending: list[tuple[str, Any]] = [(name, value) for name, value in record.items() if name not in NO_FIELDS]
    while pending:
        name, value = pending.pop()
        if isinstance(value, Mapping):
            pending += value.items()
        elif isinstance(value, list):
            pending += [(name, entry) for entry in value]
        else:
            yield name, value


def _resource_of(record: Record, name: str) -> str | None:
    """Return the resource to which a member links."""
    if name in LINKS_TO_OWN:
        return str(record["resource"])
    return LINKS.get(name)


def _supports(citation: Record, name: str) -> bool:
    return any(member.lstrip("/").split("/")[0] == name for member in citation["supports"])


def _labelled(registry: Registry, record: Record, name: str, value: Any, at: str) -> Any:
    """Return a value with labels beside ids and codes, and texts as quotations."""
    if isinstance(value, list):
        first = enumerate(value[:MAX_ENTRIES])
        entries = [_labelled(registry, record, name, entry, f"{at}/{place}") for place, entry in first]
        rest = len(value) - MAX_ENTRIES
        return [*entries, f"and {rest} more"] if rest > 0 else entries
    label = record.get("labels", {}).get(at)
    if isinstance(value, Mapping):
        return _object_value(registry, record, value, at, label)
    if not isinstance(value, str):
        return value
    resource = _resource_of(record, name)
    if resource:
        return registry.reference(resource, value)
    return {"code": value, "label": label} if label else quoted(value)


def _object_value(registry: Registry, record: Record, value: Record, at: str, label: str | None) -> Any:
    if "edtf" in value:
        return {"edtf": value["edtf"], "label": label} if label else value["edtf"]
    if len(value) == 1 and registry.language in value:
        return quoted(str(value[registry.language]))
    return present({key: _labelled(registry, record, key, part, f"{at}/{key}") for key, part in value.items()})
