"""Ids by which records name other records, each typed by the resource it names; and where they are in a record."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import BaseModel

from app.core.text import Slug


@dataclass(frozen=True)
class Names:
    """Marks an id as that of a record of this resource."""

    resource: str


DocumentId = Annotated[Slug, Names("documents")]
PlaceId = Annotated[Slug, Names("places")]
PartnerId = Annotated[Slug, Names("partners")]
ProjectId = Annotated[Slug, Names("projects")]
AgreementId = Annotated[Slug, Names("agreements")]
MilestoneId = Annotated[Slug, Names("milestones")]
IndicatorId = Annotated[Slug, Names("indicators")]
FigureId = Annotated[Slug, Names("figures")]


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
def _members(model: type[BaseModel]) -> tuple[tuple[str, str, str | None], ...]:
    """Fields of a model: name, name in JSON, and the resource that it names, if it is a link or a list of links."""
    fields = model.model_fields.items()
    return tuple((name, each.alias or name, _named(each.annotation, each.metadata)) for name, each in fields)


def _named(annotation: Any, metadata: Any = ()) -> str | None:
    found = [each.resource for each in metadata if isinstance(each, Names)]
    found += [each.resource for each in getattr(annotation, "__metadata__", ()) if isinstance(each, Names)]
    found += filter(None, map(_named, get_args(annotation)))
    return found[0] if found else None
