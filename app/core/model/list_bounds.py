"""The maximum number of items in the lists and maps of a model, checked in raw JSON before any item is read."""

import types
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from annotated_types import MaxLen
from pydantic import BaseModel

from app.core.errors import ErrorItem


class _Member(NamedTuple):
    """A member that has a maximum itself, or that contains models with such members."""

    name: str
    limit: int | None
    item: type[BaseModel] | None


def long_lists(model: type[BaseModel], value: Any, pointer: str = "") -> Iterator[ErrorItem]:
    """Yield an error for each list or map in the JSON of a model that has more items than the model allows."""
    for name, limit, item in _members(model) if isinstance(value, dict) else ():
        member = value.get(name)
        if not isinstance(member, list | dict):
            continue
        if limit is not None and len(member) > limit:
            yield ErrorItem(pointer=f"{pointer}/{name}", code="invalid_value", detail=f"At most {limit} are allowed.")
        elif item is not None:
            for position, element in enumerate(member if isinstance(member, list) else ()):
                yield from long_lists(item, element, f"{pointer}/{name}/{position}")
            yield from long_lists(item, member, f"{pointer}/{name}")


def has_long_list(model: type[BaseModel], value: Any) -> bool:
    """Return whether `long_lists` yields an error, in a third of its time."""
    if not isinstance(value, dict):
        return False
    for name, limit, item in _members(model):
        member = value.get(name)
        if not isinstance(member, list | dict):
            continue
        if limit is not None and len(member) > limit:
            return True
        if item is not None:
            elements = member if isinstance(member, list) else (member,)
            for element in elements:
                if has_long_list(item, element):
                    return True
    return False


@cache
def _members(model: type[BaseModel]) -> tuple[_Member, ...]:
    members = [
        _Member(field.alias or name, _limit(field.annotation, field.metadata), _model_in(field.annotation))
        for name, field in model.model_fields.items()
    ]
    return tuple(
        member for member in members if member.limit is not None or (member.item is not None and _members(member.item))
    )


def _limit(annotation: Any, metadata: Sequence[Any] = ()) -> int | None:
    """Return the maximum number of items of a list or map, regardless of the maximums inside its items."""
    own = next((mark.max_length for mark in metadata if isinstance(mark, MaxLen)), None)
    if own is not None or get_origin(annotation) in (list, dict):
        return own if get_origin(annotation) is not None else None
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        marks += chain.from_iterable(getattr(mark, "metadata", ()) for mark in tuple(marks))
        return _limit(inner, marks)
    is_union = get_origin(annotation) in (Union, types.UnionType)
    limits = [_limit(argument) for argument in get_args(annotation)] if is_union else []
    return next((limit for limit in limits if limit is not None), None)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
