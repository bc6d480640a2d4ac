"""Ids that link to other records, typed by the resource of that record, and their positions in a record."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from app.core.values.text import Slug


@dataclass(frozen=True)
class LinksTo:
    """Marks an id as the id of a record of this resource."""

    resource: str


DocumentId = Annotated[Slug, LinksTo("documents")]
PlaceId = Annotated[Slug, LinksTo("places")]
PartnerId = Annotated[Slug, LinksTo("partners")]
ProjectId = Annotated[Slug, LinksTo("projects")]
AgreementId = Annotated[Slug, LinksTo("agreements")]
MilestoneId = Annotated[Slug, LinksTo("milestones")]
IndicatorId = Annotated[Slug, LinksTo("indicators")]
FigureId = Annotated[Slug, LinksTo("figures")]


def links_in(value: BaseModel, pointer: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield every link of a record as (JSON Pointer, resource, id), in the order of its fields."""
    for name, json_name, target in _linking_members(type(value)):
        if member := getattr(value, name):
            yield from _links(member, target, f"{pointer}/{json_name}")


def _links(value: Any, target: str | None, pointer: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, BaseModel):
        yield from links_in(value, pointer)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _links(item, target, f"{pointer}/{position}")
    elif isinstance(value, str) and target is not None:
        yield pointer, target, value


@cache
def _linking_members(model: type[BaseModel]) -> tuple[tuple[str, str, str | None], ...]:
    """Return those of `_members` that are links or contain some."""
    linking = {path[0] for path, _ in link_paths(model)}
    return tuple(member for member in _members(model) if member[1] in linking)


@cache
def link_paths(model: type[BaseModel]) -> tuple[tuple[tuple[str, ...], str], ...]:
    """Return the paths of the links in the JSON of a model, each with the resource that it links to.

    A path is a tuple of member names; `*` stands for each item of a list.
    """
    paths: list[tuple[tuple[str, ...], str]] = []
    for field, (_, json_name, target) in zip(model.model_fields.values(), _members(model), strict=True):
        path = (json_name, "*") if _is_list(field.annotation) else (json_name,)
        if target is not None:
            paths.append((path, target))
        for nested in models_in(field.annotation):
            paths += [((*path, *rest), nested_target) for rest, nested_target in link_paths(nested)]
    return tuple(paths)


def ids_in_json(model: type[BaseModel], target: str, body: bytes) -> Iterator[bytes]:
    """Yield the ids of all linked records of a resource, and perhaps of others, in the compact JSON of a model.

    This takes half of the time of parsing. It leaves out the manager of the record.
    """
    for single, several in _members_with_ids(model, target).findall(body):
        yield from [single] if single else several.split(b'","')


@cache
def _members_with_ids(model: type[BaseModel], target: str) -> re.Pattern[bytes]:
    """Return the pattern of the members of `link_paths`. In a text, each quotation mark has a backslash before it."""
    paths = [path for path, linked in link_paths(model) if linked == target and path != ("managed_by",)]
    names = sorted({[part for part in path if part != "*"][-1] for path in paths})
    return re.compile(rb'"(?:%s)":(?:"([^"]*)"|\["([^\]]*)"\])' % "|".join(map(re.escape, names)).encode())


def links_in_json(model: type[BaseModel], record: Any) -> Iterator[tuple[Any, Any, str, str]]:
    """Yield (object or list, its key, JSON Pointer, resource) for each text in a place of a link, in raw JSON."""
    for path, target in link_paths(model) if isinstance(record, dict) else ():
        if record.get(path[0]) is not None:
            for holder, key, pointer in text_positions(record, path):
                yield holder, key, pointer, target


def text_positions(value: Any, path: Sequence[str], pointer: str = "") -> Iterator[tuple[Any, Any, str]]:
    """Yield (object or list, its key, JSON Pointer) for each text in raw JSON at a path of `link_paths`."""
    members: list[tuple[Any, Any]] = []
    if path[0] == "*" and isinstance(value, list):
        members = list(enumerate(value))
    elif isinstance(value, dict):
        members = [(path[0], value.get(path[0]))]
    for key, member in members:
        if len(path) > 1:
            yield from text_positions(member, path[1:], f"{pointer}/{key}")
        elif isinstance(member, str):
            yield value, key, f"{pointer}/{key}"


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(map(_is_list, get_args(annotation)))


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models in the annotation of a field."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


@cache
def _members(model: type[BaseModel]) -> tuple[tuple[str, str, str | None], ...]:
    """Return (name, name in JSON, linked resource) of each field; the resource is None if the field is not a link."""
    fields = model.model_fields.items()
    return tuple((name, field.alias or name, _link_target(field.annotation, field.metadata)) for name, field in fields)


def _link_target(annotation: Any, metadata: Sequence[Any] = ()) -> str | None:
    for mark in (*metadata, *getattr(annotation, "__metadata__", ())):
        if isinstance(mark, LinksTo):
            return mark.resource
    return next(filter(None, map(_link_target, get_args(annotation))), None)
