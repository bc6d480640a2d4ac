"""The keys of lists, facets and details for a cache in front of the server. Other responses depend on every Change."""

from collections.abc import Collection, Iterable
from typing import Any

from app.core.model.resource import Resource
from app.core.reading.filter_conditions import resources_of
from app.core.reading.includes import includes_of
from app.core.values.cache_keys import CHANGES, key_of_record


def keys_of_list(resource: Resource, query: Any, further: Iterable[str] = ()) -> Collection[str]:
    """Return the keys of a page of a list or of facets. `further` are the filters that the path sets, or the facets.

    A list depends on the `resources_of` its filters, and a facet shows the names of their records. A query depends on
    the words of linked records too.
    """
    filtered = resources_of(resource, (*query.model_fields_set, *further))
    included = _resources_of(resource, getattr(query, "include", None))
    if getattr(query, "q", None) is not None or included is None:
        return (CHANGES,)
    return sorted({*filtered, *included})


def keys_of_detail(resource: Resource, record_id: str, query: Any) -> Collection[str]:
    """Return the keys of one record, with those of the resources of which it includes records."""
    included = _resources_of(resource, query.include)
    if included is None or query.as_of is not None:
        return (CHANGES,)
    return [key_of_record(resource.name, record_id), *sorted(included)]


def _resources_of(resource: Resource, include: str | None) -> Collection[str] | None:
    """Return the resources of included records, or None if something computed is included."""
    if not include:
        return ()
    includes = includes_of(resource, include)
    return None if includes.computed else {step.include.resource.name for step in includes.steps}
