"""Ids by which records name other records, each typed by the resource it names; and where they are in a record."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from app.core.values.text import Slug


@dataclass(frozen=True)
class LinksTo:
    """Marks an id as that of a record of this resource."""

    resource: str


DocumentId = Annotated[Slug, LinksTo("documents")]

PlaceId = Annotated[Slug, LinksTo("places")]

PartnerId = Annotated[Slug, LinksTo("partners")]

ProjectId = Annotated[Slug, LinksTo("projects")]

AgreementId = Annotated[Slug, LinksTo("agreements")]

MilestoneId = Annotated[Slug, LinksTo("milestones")]

IndicatorId = Annotated[Slug, LinksTo("indicators")]

FigureId = Annotated[Slug, LinksTo("figures")]


def links_in(value: BaseModel, at: str = "") -> Iterator[tuple[str, str, str]]:
    """Every link of a record as (JSON Pointer, resource, id), in the order of its fields."""
    for name, shown, target in _members(type(value)):
        yield from _links(getattr(value, name), target, f"{at}/{shown}")


def _links(value: Any, target: str | None, at: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, BaseModel):
        yield from links_in(value, at)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _links(each, target, f"{at}/{number}")
    elif isinstance(value, str) and target is not None:
        yield at, target, value


@cache
def link_paths(model: type[BaseModel]) -> tuple[tuple[tuple[str, ...], str], ...]:
    """Where the JSON of a model has links: the members that lead there (`*`: each item of a list), and the resource."""
    found: list[tuple[tuple[str, ...], str]] = []
    for each, (_, shown, target) in zip(model.model_fields.values(), _members(model), strict=True):
        here = (shown, "*") if _is_list(each.annotation) else (shown,)
        if target is not None:
            found.append((here, target))
        for nested in _models(each.annotation):
            found += [((*here, *path), below) for path, below in link_paths(nested)]
    return tuple(found)


def text_positions(value: Any, path: Sequence[str], at: str = "") -> Iterator[tuple[Any, Any, str]]:
    """Each (object or list, its key, JSON Pointer) at a path of `link_paths` where raw JSON has a text."""
    found: list[tuple[Any, Any]] = []
    if path[0] == "*" and isinstance(value, list):
        found = list(enumerate(value))
    elif isinstance(value, dict):
        found = [(path[0], value.get(path[0]))]
    for key, each in found:
        if len(path) > 1:
            yield from text_positions(each, path[1:], f"{at}/{key}")
        elif isinstance(each, str):
            yield value, key, f"{at}/{key}"


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(map(_is_list, get_args(annotation)))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)


@cache
def _members(model: type[BaseModel]) -> tuple[tuple[str, str, str | None], ...]:
    """Fields of a model: name, name in JSON, and the resource that it names, if it is a link or a list of links."""
    fields = model.model_fields.items()
    return tuple((name, each.alias or name, _link_target(each.annotation, each.metadata)) for name, each in fields)


def _link_target(annotation: Any, metadata: Any = ()) -> str | None:
    found = [each.resource for each in metadata if isinstance(each, LinksTo)]
    found += [each.resource for each in getattr(annotation, "__metadata__", ()) if isinstance(each, LinksTo)]
    found += filter(None, map(_link_target, get_args(annotation)))
    return found[0] if found else None
