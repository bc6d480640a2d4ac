"""The subject of a record, besides its own texts: the labels of its codes, its years and numbers, and its links.

A figure has hardly any text of its own. A search for «export growth 2024» finds it by its indicator and its period.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel

from app.core.model.resource import Resource
from app.core.model.texts import Texts, name_texts
from app.core.values.codelists import CodeList
from app.core.values.dates import Edtf
from app.core.values.json import from_json, to_json_quickly
from app.core.values.links import LinksTo

MAX_LABEL = 500  # characters of the names of a linked record
MAX_PREVIEW = 2_000  # characters of names that are stored to show hits; more than in a label
MAX_LINKS = 60  # linked records whose names are indexed with a record

# Fields that say nothing about the subject of a record.
LEFT_OUT = frozenset({"state", "managed_by", "merged_into", "citations", "relations", "succeeded_by", "parent"})
LEFT_OUT_CODES = frozenset({"qualifier", "measured", "direction", "status", "level"})


class Reference(NamedTuple):
    """A link to a record, whose names belong to the words of this one."""

    resource: str
    record_id: str


_Fact = str | Reference
_Collect = Callable[[Any], Iterator[_Fact]]


class Preview(NamedTuple):
    """What a hit shows of a record: the id of its project, and its names with their paths.

    If the resource has no names, they are the texts of its heading. `is_cut`: there are more, or longer ones.
    """

    project: str | None
    names: Sequence[tuple[str, str]]
    is_cut: bool = False

    @classmethod
    def of(cls, stored: bytes) -> "Preview":
        """Return what `preview_of` has stored."""
        return cls(*from_json(stored))


def preview_of(resource: Resource, record: Mapping[str, Any], names: Texts, others: Texts) -> bytes:
    """Return `Preview` as JSON: ["smart-factories", [["title.vi", "Dự án"]]], then true if names are left out.

    Many or long names are left out, but not the first one.
    """
    headings = [text for text in others if text[0].partition(".")[0] in resource.heading]
    texts = names if resource.names else headings
    first = _first_names(texts)
    return to_json_quickly([project_of(record), first, *([True] if len(first) < len(texts) else ())])


def project_of(record: Mapping[str, Any]) -> str | None:
    """Return the id of the project to which a record belongs: the first one, if there are several."""
    project: str | None = record.get("project") or next(iter(record.get("projects") or ()), None)
    return project


def label_of(resource: Resource, record: Mapping[str, Any]) -> str:
    """Return the names of a record, one in each line, as records that link to it are indexed with them."""
    return _label(_first_names(name_texts(resource, record)))


def label_in(resource: Resource, stored: bytes) -> str:
    """Return the label of a record, given what `preview_of` has stored."""
    return _label(Preview.of(stored).names) if resource.names else ""


def _first_names(names: Texts) -> Texts:
    """Return the first names, which have at most MAX_PREVIEW characters, or only the first one."""
    total = 0
    for number, (path, name) in enumerate(names):
        total += len(path) + len(name)
        if number and total > MAX_PREVIEW:
            return names[:number]
    return names


def _label(names: Sequence[tuple[str, str]]) -> str:
    return "\n".join(dict.fromkeys([item[1] for item in names]))[:MAX_LABEL]


class Facts(NamedTuple):
    """The subject of a record: labels of its codes, years and numbers, and its links."""

    texts: list[str]
    references: list[Reference]


def facts_of(resource: Resource, record: Mapping[str, Any]) -> Facts:
    """Return the subject of a record."""
    texts: list[str] = []
    references: list[Reference] = []
    for name, collect in _collectors(resource.fields):
        for results in collect(record.get(name)):
            if isinstance(results, str):
                texts.append(results)
            else:
                references.append(results)
    return Facts(list(dict.fromkeys(texts)), list(dict.fromkeys(references))[:MAX_LINKS])


@cache
def _collectors(model: type[BaseModel]) -> tuple[tuple[str, _Collect], ...]:
    collectors = []
    for name, field in model.model_fields.items():
        collect = None if name in LEFT_OUT | LEFT_OUT_CODES else _collector(field.annotation, tuple(field.metadata))
        if collect is not None:
            collectors.append((field.alias or name, collect))
    return tuple(collectors)


def _collector(kind: Any, marks: tuple[Any, ...] = ()) -> _Collect | None:
    """Return the function that finds codes, links, dates and numbers in values of a type; None if it has none."""
    if get_origin(kind) is Annotated:
        return _collector(get_args(kind)[0], (*marks, *kind.__metadata__))
    for mark in marks:
        if isinstance(mark, CodeList):
            return _of_code(mark)
        if isinstance(mark, LinksTo):
            return _of_link(mark.resource)
    if kind is Edtf:
        return _years
    if kind is float:
        return _number
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _of_model(kind)
    inner = [_collector(part) for part in get_args(kind)]
    collect = next(filter(None, inner), None)
    return _of_list(collect) if collect and get_origin(kind) is list else collect


def _of_code(codes: CodeList) -> _Collect:
    name = codes.name if codes.name in ("sector", "sdg") else ""

    def find(value: Any) -> Iterator[str]:
        code = codes.codes.get(value) if isinstance(value, str) else None
        if code is not None:
            yield f"{name} {value}" if name else value.replace("_", " ")
            yield code.en
            yield code.vi

    return find


def _of_link(resource: str) -> _Collect:
    def find(value: Any) -> Iterator[Reference]:
        if isinstance(value, str):
            yield Reference(resource, value)

    return find


def _years(value: Any) -> Iterator[str]:
    """Yield the years of a date or period. Nobody searches for the days."""
    if isinstance(value, dict):
        for end in value["edtf"].split("/"):
            yield end[:4].strip(".")


def _number(value: Any) -> Iterator[str]:
    """Yield a number as it may be typed: 1234567, 1,234,567 and 1.234.567 have different words."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield f"{abs(value)}"
        if abs(value) >= 1000:
            yield f"{abs(value):,}"
        if value < 0:
            yield "giảm decrease"


def _of_model(model: type[BaseModel]) -> _Collect:
    def find(value: Any) -> Iterator[_Fact]:
        if isinstance(value, dict):
            for name, collect in _collectors(model):
                yield from collect(value.get(name))

    return find


def _of_list(collect: _Collect) -> _Collect:
    def find(value: Any) -> Iterator[_Fact]:
        for item in value if isinstance(value, list) else ():
            yield from collect(item)

    return find
