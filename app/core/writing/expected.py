"""What a write is expected to read, so that it can be read in advance for all writes of a group."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from app.core.model.resource import RESOURCES, Resource
from app.core.search.about import Reference
from app.core.values.links import links_in_json
from app.core.values.text import SLUG
from app.core.writing.batch import Batch
from app.core.writing.edit import used_ids
from app.core.writing.write_group import WriteGroup

MAX_LINKS = 2_000  # of all writes of a group that are read in advance

_IS_SLUG = re.compile(SLUG)


@dataclass(frozen=True)
class Expected:
    """The record that a write reads and writes, and members of its body, which may have links."""

    resource: Resource
    record_id: str
    members: Any = None

    @property
    def reference(self) -> Reference:
        """The record."""
        return Reference(self.resource.name, self.record_id)


def read_expected(group: WriteGroup, expected: Iterable[Expected]) -> None:
    """Read the records of these writes, and the states of those to which they link."""
    by_resource: dict[str, list[Expected]] = {}
    for write in expected:
        by_resource.setdefault(write.resource.name, []).append(write)
    links: set[tuple[str, str]] = set()
    for name, writes in by_resource.items():
        _read_records(group, RESOURCES[name], {write.record_id for write in writes})
        for write in writes:
            links.update(_links(group, write))
    ids_by_target: dict[str, set[str]] = {}
    for target, record_id in islice(links, MAX_LINKS):
        ids_by_target.setdefault(target, set()).add(record_id)
    for target, linked in ids_by_target.items():
        group.lookups.states(group.session, RESOURCES[target], linked)
    group.lookups.documents_with_text(group.session, ids_by_target.get("documents", ()))


def _read_records(group: WriteGroup, resource: Resource, ids: set[str]) -> None:
    """Read records, and which of the other ids were never used."""
    stored = Batch(group.session, "").stored(resource, ids)
    group.stored |= {Reference(resource.name, record_id): stored.get(record_id) for record_id in ids}
    missing = ids - stored.keys()
    unused = missing - used_ids(group.session, resource, missing)
    group.unused |= {Reference(resource.name, record_id) for record_id in unused}


def _links(group: WriteGroup, expected: Expected) -> Iterator[tuple[str, str]]:
    """Yield (resource, id) of the links in a body, and in the record as it is stored."""
    stored = group.stored[expected.reference]
    bodies = [expected.members, json.loads(stored.body)] if stored else [expected.members]
    for body in bodies:
        for holder, key, _, target in links_in_json(expected.resource.fields, body):
            if _IS_SLUG.fullmatch(holder[key]):
                yield target, holder[key]
