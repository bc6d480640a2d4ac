"""Uses the generated client as a partner would: follows every list to its end and reads records by themselves."""
# ruff: noqa: T201 - it says what it did

import sys
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, urlsplit

from registry_client import Client
from registry_client.models import FigureShown, ProblemShown

RESOURCES = {
    "projects": "project",
    "partners": "partner",
    "agreements": "agreement",
    "milestones": "milestone",
    "statements": "statement",
    "figures": "figure",
    "indicators": "indicator",
    "documents": "document",
    "places": "place",
}


def operation(tag: str, name: str) -> Any:
    """A generated operation."""
    return import_module(f"registry_client.api.{tag}.{name}")


def everything(client: Client, resource: str) -> list[Any]:
    """Every record of a list, page by page."""
    found: list[Any] = []
    more: dict[str, str] = {}
    while True:
        page = operation(resource, f"list_{resource}").sync(client=client, limit=50, **more)
        found += page.items
        if page.next_ is None:
            return found
        more = {"cursor": parse_qs(urlsplit(page.next_).query)["cursor"][0]}


def read_all(client: Client, resource: str, one: str) -> int:
    """Read a list, its first and last record, and one that is not there."""
    found = everything(client, resource)
    assert found, f"no {resource}"
    assert len({each.id for each in found}) == len(found), f"{resource} come twice"
    read = operation(resource, f"read_{one}")
    for listed in (found[0], found[-1]):
        record = read.sync(listed.id, client=client)
        assert type(record).__name__ == f"{one.title()}Detail", record
        assert (record.id, record.version) == (listed.id, listed.version)
    problem = read.sync("no-such-record", client=client)
    assert isinstance(problem, ProblemShown), problem
    assert problem.code == "not_found", problem
    return len(found)


with Client(base_url=sys.argv[1], raise_on_unexpected_status=True) as registry:
    index = operation("service", "read_index").sync(client=registry)
    assert set(index.resources.to_dict()) == set(RESOURCES), index.resources
    count = sum(read_all(registry, *names) for names in RESOURCES.items())
    figures = operation("projects", "list_projects").sync(client=registry, include="figures").included.figures
    assert figures.additional_properties, "nothing included"
    assert all(isinstance(each, FigureShown) for each in figures.additional_properties.values()), figures
    print(f"   the Python client reads {count} records of {len(RESOURCES)} lists")
