"""Labels of codes and texts of dates beside a record, and language maps that are reduced to one language."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

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
LabelsOrNone = Annotated[dict[str, str] | None, Field(description=LABELS_TEXT)]
Language = Literal["vi", "en"]


def labelled(model: Any, members: dict[str, Any], language: str) -> dict[str, Any]:
    """Return the members with `labels`: the text of each code and date, by JSON Pointer."""
    labels: dict[str, str] = {}
    for name, visit in _visits(model):
        if name in members:
            labels.update(visit(members[name], f"/{name}", language))
    return {**members, LABELS: labels}


def in_one_language(model: Any, members: Mapping[str, Any], language: str) -> dict[str, Any]:
    """Return the members with one text in each language map: in this language or, if it is missing, in another one."""
    reducers = _reducers(model)
    return {name: reducers[name](value, language) if name in reducers else value for name, value in members.items()}


def code_label(codes: CodeList, code: str, language: str) -> str:
    """Return the label of a code; in English if there is none in this language."""
    entry = codes.codes.get(code)
    return code if entry is None else entry.label.get(language, entry.en)


class _Member(NamedTuple):
    """A member of a model: its name in JSON, and its type."""

    name: str
    annotation: Any
    marks: tuple[Any, ...] = ()


def _members_of(model: type[Any]) -> Iterator[_Member]:
    """Yield the members of a pydantic model or a dataclass."""
    if is_dataclass(model):
        yield from (_Member(name, hint) for name, hint in get_type_hints(model, include_extras=True).items())
    else:
        for name, field in model.model_fields.items():
            yield _Member(field.alias or name, field.annotation, tuple(field.metadata))


@cache
def codes_of_field(model: type[BaseModel], name: str) -> CodeList | None:
    """Return the code list of a field, if it has one."""
    field = model.model_fields.get(name)
    return None if field is None else _Type.of(field.annotation, tuple(field.metadata)).codes


# Yields the pointer and the text of each code and date in a value.
_Visit = Callable[[Any, str, str], Iterator[tuple[str, str]]]
# Returns a value in which each language map has one text.
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
        return isinstance(self.kind, type) and (issubclass(self.kind, BaseModel) or is_dataclass(self.kind))

    @property
    def is_language_map(self) -> bool:
        """Whether values are texts by language."""
        return get_origin(self.kind) is dict and get_args(self.kind)[0] == LanguageTag


@cache
def _visits(model: type[Any]) -> tuple[tuple[str, _Visit], ...]:
    visits = []
    for member in _members_of(model):
        visit = _visit(_Type.of(member.annotation, member.marks), is_extent=member.name == EXTENT)
        if visit is not None:
            visits.append((member.name, visit))
    return tuple(visits)


def _visit(kind: _Type, *, is_extent: bool) -> _Visit | None:
    if kind.codes is not None:
        return _of_code(kind.codes)
    if kind.kind is Edtf:
        return _of_date(is_extent)
    if kind.is_model:
        return _of_members(kind.kind)
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


def _of_members(model: Any) -> _Visit:
    """Return what visits the members of a model.

    It looks at the model when it is called: a model can contain itself.
    """

    def visit(value: Any, pointer: str, language: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, Mapping):
            for name, visit_member in _visits(model):
                yield from visit_member(value.get(name), f"{pointer}/{name}", language)

    return visit


def _of_items(visit_item: _Visit) -> _Visit:
    def visit(value: Any, pointer: str, language: str) -> Iterator[tuple[str, str]]:
        for number, item in enumerate(value if isinstance(value, list) else ()):
            yield from visit_item(item, f"{pointer}/{number}", language)

    return visit


@cache
def _reducers(model: type[Any]) -> dict[str, _Reduce]:
    """Return what reduces the language maps of a model, by the names of the members that have any."""
    reducers = {}
    for member in _members_of(model):
        reduce = _reducer(member.annotation)
        if reduce is not None:
            reducers[member.name] = reduce
    return reducers


def _reducer(annotation: Any) -> _Reduce | None:
    kind = _Type.of(annotation)
    if kind.is_language_map:
        return _best_text
    if kind.is_model:
        return _reducer_of_members(kind.kind) if _has_maps(kind) else None
    inner = None if kind.items is None else _reducer(kind.items)
    return _reducer_of_items(inner) if inner else None


def _has_maps(kind: _Type, above: tuple[Any, ...] = ()) -> bool:
    """Return whether values of a type contain a language map. `above` are the models around it: a model can recur."""
    if kind.items is not None:
        return _has_maps(_Type.of(kind.items), above)
    if not kind.is_model:
        return kind.is_language_map
    inside = (*above, kind.kind)
    return kind.kind not in above and any(
        _has_maps(_Type.of(member.annotation), inside) for member in _members_of(kind.kind)
    )


def _best_text(value: Any, language: str) -> Any:
    if not isinstance(value, Mapping) or not value:
        return value
    tags = [*value]
    variants = [tag for tag in tags if tag.startswith(f"{language}-")]
    best = next(tag for tag in (language, *variants, "en", "vi", *tags) if tag in value)
    return {best: value[best]}


def _reducer_of_members(model: type[Any]) -> _Reduce:
    def reduce(value: Any, language: str) -> Any:
        return in_one_language(model, value, language) if isinstance(value, Mapping) else value

    return reduce


def _reducer_of_items(reduce_item: _Reduce) -> _Reduce:
    def reduce(value: Any, language: str) -> Any:
        return [reduce_item(item, language) for item in value] if isinstance(value, list) else value

    return reduce
