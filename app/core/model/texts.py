"""The texts in a representation. A field holds text if `clean` validates it."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import chain
from typing import Annotated, Any, get_args, get_origin

from pydantic import AfterValidator, BaseModel

from app.core.model.resource import Resource
from app.core.values.text import clean
from app.core.values.urls import is_web_url

Texts = list[tuple[str, str]]  # (path, text); a path is such as title.vi or aliases[0]

_Collect = Callable[[Any, str, Texts], None]

NOT_TEXT = frozenset({"supports"})  # it contains names of fields


def name_texts(resource: Resource, record: Mapping[str, Any]) -> Texts:
    """Return the texts of the fields that name a record."""
    return _collected(_readers(resource)[0], record)


def other_texts(resource: Resource, record: Mapping[str, Any]) -> Texts:
    """Return all other texts of a record."""
    return _collected(_readers(resource)[1], record)


@cache
def url_members(resource: Resource) -> tuple[str, ...]:
    """Return the members that contain URLs, which are not among the texts."""
    return tuple(name for name, field in resource.fields.model_fields.items() if _is_url(field.annotation))


def _is_url(kind: Any) -> bool:
    """Return whether a type is WebUrl, or a union with it."""
    types = (kind,) if get_origin(kind) is Annotated else get_args(kind)
    rules = chain.from_iterable(get_args(option)[1:] for option in types)
    return any(isinstance(rule, AfterValidator) and rule.func is is_web_url for rule in rules)


def _collected(readers: list[tuple[str, _Collect]], record: Mapping[str, Any]) -> Texts:
    texts: Texts = []
    for name, collect in readers:
        if record.get(name):  # a representation of an older rendering may not have it
            collect(record[name], name, texts)
    return texts


@cache
def _readers(resource: Resource) -> tuple[list[tuple[str, _Collect]], list[tuple[str, _Collect]]]:
    """Return the collectors of the fields that name a record, in their declared order, and those of the others."""
    fields = dict(_of_fields(resource.fields))
    names = [(name, fields.pop(name)) for name in resource.names]
    return names, list(fields.items())


def _of_fields(model: type[BaseModel]) -> Iterator[tuple[str, _Collect]]:
    for name, field in model.model_fields.items():
        collect = None if name in NOT_TEXT else _reader(field.annotation, field.metadata)
        if collect:
            yield field.alias or name, collect


def _reader(kind: Any, rules: Any = ()) -> _Collect | None:
    """Return the collector for values of a type; None if they contain no text."""
    origin = get_origin(kind)
    inner = get_args(kind)
    if origin is Annotated:
        return _reader(inner[0], inner[1:])
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _of_model(list(_of_fields(kind)))
    if kind is str:
        return _line if any(isinstance(rule, AfterValidator) and rule.func is clean for rule in rules) else None
    if origin is list:
        return _of_list(_reader(inner[0]))
    if origin is dict:
        return _of_mapping(_reader(inner[1]))
    return next(filter(None, map(_reader, inner)), None)


def _line(value: str, path: str, texts: Texts) -> None:
    texts.append((path, value))


def _of_list(collect: _Collect | None) -> _Collect | None:
    def read(value: list[Any], path: str, texts: Texts) -> None:
        for position, item in enumerate(value):
            collect(item, f"{path}[{position}]", texts)  # type: ignore[misc]

    return collect and read


def _of_mapping(collect: _Collect | None) -> _Collect | None:
    def read(value: dict[str, Any] | str, path: str, texts: Texts) -> None:
        if isinstance(value, str):  # in a representation of an older rendering
            _line(value, path, texts)
            return
        for key, member in value.items():
            collect(member, f"{path}.{key}", texts)  # type: ignore[misc]

    return collect and read


def _of_model(readers: list[tuple[str, _Collect]]) -> _Collect | None:
    def read(value: dict[str, Any], path: str, texts: Texts) -> None:
        for key, collect in readers:
            if value.get(key):
                collect(value[key], f"{path}.{key}", texts)

    return read if readers else None
