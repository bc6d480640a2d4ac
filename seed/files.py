"""The files of the dataset: YAML with records by resource and id, and the numbers and dates to ignore."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

import app.catalogue  # noqa: F401 - declares every resource
from app.core.model.fields import RecordFields
from app.core.model.resource import RESOURCES, Resource
from app.core.model.validation import error_detail
from app.core.values.text import SLUGS, counted
from seed.reference import points_of_places, reference_places

DATASET = Path(__file__).parent / "dataset"
DatasetKey = tuple[str, str]


class DatasetError(Exception):
    """An error in the files of the dataset; `problems` has one text for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(f"{counted(len(problems), 'problem')} in the dataset")
        self.problems = problems


@dataclass(frozen=True)
class IgnoredTokens:
    """Numbers and dates of a document that no record stores, and the reason."""

    document: str
    first: int
    last: int
    tokens: tuple[str, ...]
    reason: str


@dataclass
class Dataset:
    """All records and their files by (resource, id), and the ignored numbers and dates."""

    records: dict[DatasetKey, RecordFields] = field(default_factory=dict)
    files: dict[DatasetKey, str] = field(default_factory=dict)
    ignored: list[IgnoredTokens] = field(default_factory=list)

    def of(self, resource: str) -> dict[str, Any]:
        """Return the records of one resource by id."""
        return {key: fields for (name, key), fields in self.records.items() if name == resource}


class CoreLoader(yaml.CSafeLoader):
    """A loader with the core schema of YAML 1.2: dates stay text, and only true and false are booleans."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Refuse a duplicate key: PyYAML would use the last one without an error."""
        seen: set[Any] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a scalar", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key {key.value}", key.start_mark)
            seen.add(key.value)
        return dict(super().construct_mapping(node, deep))


CoreLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|", ["~", "n", ""]),
):
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


def read(folder: Path = DATASET) -> Dataset:
    """Read all records in the files of a folder. Raise DatasetError with every problem at once."""
    dataset = Dataset()
    problems: list[str] = []
    for path in sorted(path for path in folder.glob("*.yaml") if path.is_file()):
        try:
            content = yaml.load(path.read_text("utf-8"), CoreLoader) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            problems.append(f"{path.name}: {error}")
            continue
        problems += [f"{path.name}: {problem}" for problem in _add(dataset, path.name, content)]
    problems += _add_reference_places(dataset, folder)
    _add_points(dataset, folder)
    if not dataset.records and not problems:
        problems.append(f"{folder} contains no records." if folder.is_dir() else f"There is no folder {folder}.")
    if problems:
        raise DatasetError(problems)
    return dataset


def _add_reference_places(dataset: Dataset, folder: Path) -> Iterator[str]:
    """Add the reference places that the files do not describe, neither by this id nor as the same country."""
    countries = {place.code for place in dataset.of("places").values() if place.level == "country"}
    for file, place_id, members in reference_places(folder):
        if ("places", place_id) not in dataset.records and members["code"] not in countries:
            yield from _add_record(dataset, file, RESOURCES["places"], place_id, members, None)


def _add_points(dataset: Dataset, folder: Path) -> None:
    """Add the points of places that have none, with their citations."""
    places = dataset.of("places")
    for place_id, (point, citation) in points_of_places(folder).items():
        place = places.get(place_id)
        if place is not None and place.point is None:
            added = {"point": point, "citations": [*place.citations, citation]}
            dataset.records["places", place_id] = place.model_copy(update=added)


def _add(dataset: Dataset, file: str, content: Any) -> Iterator[str]:
    if not isinstance(content, dict):
        yield "must be a mapping of resources"
        return
    document = content.pop("document", None)
    try:
        dataset.ignored += [_ignored(document, entry) for entry in content.pop("ignored", None) or []]
    except (KeyError, TypeError, ValueError):
        yield "ignored: an entry needs paragraph and reason, and may have through and tokens"
    for name, records in content.items():
        if name not in RESOURCES or not isinstance(records, dict):
            yield f"{name}: must be a resource with records by id"
            continue
        for record_id, members in records.items():
            yield from _add_record(dataset, file, RESOURCES[name], str(record_id), members, document)


def _add_record(
    dataset: Dataset, file: str, resource: Resource, record_id: str, members: Any, document: str | None
) -> Iterator[str]:
    key = (resource.name, record_id)
    if key in dataset.records:
        yield f"{resource.name}/{record_id}: is already in {dataset.files[key]}"
        return
    try:
        SLUGS.validate_python(record_id)
        dataset.records[key] = resource.fields.model_validate(_with_document(members, document))
        dataset.files[key] = file
    except ValidationError as error:
        for item in error.errors(include_url=False):
            location = ".".join(map(str, item["loc"]))
            yield f"{resource.name}/{record_id}: {location} {error_detail(item)}"


def _with_document(members: Any, document: str | None) -> Any:
    """Return the members of a record with the document of the file in each citation that names none."""
    if document is None or not isinstance(members, Mapping) or not isinstance(members.get("citations"), list):
        return members
    citations = [{"document": document, **item} if isinstance(item, dict) else item for item in members["citations"]]
    return {**members, "citations": citations}


def _ignored(document: str | None, entry: Mapping[str, Any]) -> IgnoredTokens:
    if set(entry) - {"paragraph", "through", "tokens", "reason"}:
        raise ValueError("unknown key")
    first = int(entry["paragraph"])
    tokens = tuple(str(token) for token in entry.get("tokens", ()))
    return IgnoredTokens(str(document), first, int(entry.get("through", first)), tokens, str(entry["reason"]))
