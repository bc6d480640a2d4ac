"""Labels of codes and texts of dates beside a record, and language maps that are reduced to one language."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, Field

from app.core.values.codelists import CodeList
from app.core.values.date_texts import date_text
from app.core.values.dates import Edtf
from app.core.values.text import LanguageTag

LABELS = "labels"  # the member that a response adds to a record
EXTENT = "period"  # in fields of this name, an interval is a period; in others, it bounds one moment
LABELS_TEXT = (
    "Texts to show in place of codes and dates, by JSON Pointer: `/status`, `/roles/0/role`, `/period`. Only with the "
    "parameter `labels`. A label that does not exist in this language is in English."
)
Labels = Annotated[dict[str, str], Field(description=LABELS_TEXT, examples=[{"/period": "đến 12/2022"}])]
Language = Literal["vi", "en"]


def labelled(model: type[BaseModel], members: dict[str, Any], language: str) -> dict[str, Any]:
    """Return the members with `labels`: the text of each code and date, by JSON Pointer."""
    labels: dict[str, str] = {}
    for name, visit in _visits(model):
        if name in members:
            labels.update(visit(members[name], f"/{name}", language))
    return {**members, LABELS: labels}


def in_one_language(model: type[BaseModel], members: Mapping[str, Any], language: str) -> dict[str, Any]:
    """Return the members with one text in each language map: in this language, or else in the next best one."""
    reducers = _reducers(model)
    return {name: reducers[name](value, language) if name in reducers else value for name, value in members.items()}


def code_label(codes: CodeList, code: str, language: str) -> str:
    """Return the label of a code; in English if there is none in this language."""
    entry = codes.codes.get(code)
    return code if entry is None else entry.label.get(language, entry.en)


@cache
def codes_of_field(model: type[BaseModel], name: str) -> CodeList | None:
    """Return the code list of a field, if it has one."""
    field = model.model_fields.get(name)
    return None if field is None else _Type.of(field.annotation, tuple(field.metadata)).codes


# Yields the pointer and the text of each code and date in a value.
_Visit = Callable[[Any, str, str], Iterator[tuple[str, str]]]
# Returns a value whose language maps have one text.
_Reduce = Callable[[Any, str], Any]


class _Type(NamedTuple):
    """The type of a field, without what is optional: its kind, and its code list, if it has one."""

    kind: Any
    codes: CodeList | None = None

    @classmethod
    def of(cls, annotation: Any, marks: tuple[Any, ...] = ()) -> "_Type":
        if get_origin(annotation) is Annotated:
            return cls.of(get_args(annotation)[0], (*marks, *annotation.__metadata__))
        parts = [part for part in get_args(annotation) if part is not type(None)]
        if len(parts) == 1 and get_origin(annotation) is not list:
            return cls.of(parts[0], marks)
        return cls(annotation, next((mark for mark in marks if isinstance(mark, CodeList)), None))

    @property
    def items(self) -> Any:
        """The type of the items of a list; None for any other type."""
        return get_args(self.kind)[0] if get_origin(self.kind) is list else None

    @property
    def is_model(self) -> bool:
        """Whether values are objects with declared members."""
        return isinstance(self.kind, type) and issubclass(self.kind, BaseModel)

    @property
    def is_language_map(self) -> bool:
        """Whether values are texts by language."""
        return get_origin(self.kind) is dict and get_args(self.kind)[0] == LanguageTag


@cache
def _visits(model: type[BaseModel]) -> tuple[tuple[str, _Visit], ...]:
    visits = []
    for name, field in model.model_fields.items():
        visit = _visit(_Type.of(field.annotation, tuple(field.metadata)), is_extent=name == EXTENT)
        if visit is not None:
            visits.append((field.alias or name, visit))
    return tuple(visits)


def _visit(kind: _Type, *, is_extent: bool) -> _Visit | None:
    if kind.codes is not None:
        return _of_code(kind.codes)
    if kind.kind is Edtf:
        return _of_date(is_extent)
    if kind.is_model:
        return _of_members(_visits(kind.kind)) if _visits(kind.kind) else None
    if kind.items is not None:
        visit = _visit(_Type.of(kind.items), is_extent=is_extent)
        return _of_items(visit) if visit else None
    return None


def _of_code(codes: CodeList) -> _Visit:
    def visit(value: Any, pointer: str, language: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, str):
            yield pointer, code_label(codes, value, language)

    return visit


def _of_date(is_extent: bool) -> _Visit:
    def visit(value: Any, pointer: str, language: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, Mapping) and isinstance(edtf := value.get("edtf"), str):
            yield pointer, date_text(edtf, language, is_extent=is_extent)

    return visit


def _of_members(visits: tuple[tuple[str, _Visit], ...]) -> _Visit:
    def visit(value: Any, pointer: str, language: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, Mapping):
            for name, visit_member in visits:
                yield from visit_member(value.get(name), f"{pointer}/{name}", language)

    return visit


def _of_items(visit_item: _Visit) -> _Visit:
    def visit(value: Any, pointer: str, language: str) -> Iterator[tuple[str, str]]:
        for number, item in enumerate(value if isinstance(value, list) else ()):
            yield from visit_item(item, f"{pointer}/{number}", language)

    return visit


@cache
def _reducers(model: type[BaseModel]) -> dict[str, _Reduce]:
    """Return what reduces the language maps of a model, by the names of the members that have any."""
    reducers = {}
    for name, field in model.model_fields.items():
        reduce = _reducer(field.annotation)
        if reduce is not None:
            reducers[field.alias or name] = reduce
    return reducers


def _reducer(annotation: Any) -> _Reduce | None:
    kind = _Type.of(annotation)
    if kind.is_language_map:
        return _best_text
    if kind.is_model:
        return _reducer_of_members(kind.kind) if _reducers(kind.kind) else None
    inner = None if kind.items is None else _reducer(kind.items)
    return _reducer_of_items(inner) if inner else None


def _best_text(value: Any, language: str) -> Any:
    if not isinstance(value, Mapping) or not value:
        return value
    tags = [*value]
    variants = [tag for tag in tags if tag.startswith(f"{language}-")]
    best = next(tag for tag in (language, *variants, "en", "vi", *tags) if tag in value)
    return {best: value[best]}


def _reducer_of_members(model: type[BaseModel]) -> _Reduce:
    def reduce(value: Any, language: str) -> Any:
        return in_one_language(model, value, language) if isinstance(value, Mapping) else value

    return reduce


def _reducer_of_items(reduce_item: _Reduce) -> _Reduce:
    def reduce(value: Any, language: str) -> Any:
        return [reduce_item(item, language) for item in value] if isinstance(value, list) else value

    return reduce
