"""Uses the generated client as a partner would: follows lists to their ends, reads, changes and imports records."""
# ruff: noqa: T201 - it says what it did

import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import registry_client
from registry_client import AuthenticatedClient, Client
from registry_client.models import LanguageMap, PartialProject, PartnerShown, ProblemShown
from registry_client.types import UNSET, File

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
    "transactions": "transaction",
}
PROJECT = "smart-factory-cooperation"


def operation(name: str) -> Any:
    """A generated operation, which is in the folder of its tag."""
    (file,) = Path(registry_client.__path__[0]).glob(f"api/*/{name}.py")
    return import_module(f"registry_client.api.{file.parent.name}.{name}")


def everything(client: Client, resource: str) -> list[Any]:
    """Every record of a list, page by page."""
    found: list[Any] = []
    more: dict[str, str] = {}
    while True:
        page = operation(f"list_{resource}").sync(client=client, limit=50, **more)
        found += page.items
        if page.next_ is None:
            return found
        more = {"cursor": parse_qs(urlsplit(page.next_).query)["cursor"][0]}


def read_all(client: Client, resource: str, one: str) -> int:
    """Read a list, some fields of it, its first and last record, and one that is not there."""
    found = everything(client, resource)
    if resource == "transactions" and not found:  # the dataset has none
        return 0
    assert found, f"no {resource}"
    assert len({each.id for each in found}) == len(found), f"{resource} come twice"
    some = operation(f"select_{resource}").sync(client=client, fields="id,version", limit=2)
    assert [each.citations for each in some.items] == [UNSET] * len(some.items), some
    read = operation(f"read_{one}")
    for listed in (found[0], found[-1]):
        record = read.sync(listed.id, client=client)
        assert type(record).__name__ == f"{one.title()}Detail", record
        assert (record.id, record.version) == (listed.id, listed.version)
    problem = read.sync("no-such-record", client=client)
    assert isinstance(problem, ProblemShown), problem
    assert problem.code == "not_found", problem
    return len(found)


def change(client: Client) -> None:
    """Change a record under the condition that it is the version that was read."""
    answer = operation("read_project").sync_detailed(PROJECT, client=client, include="partners,figures")
    partners = answer.parsed.included.partners.additional_properties.values()
    assert partners, "nothing included"
    assert all(isinstance(each, PartnerShown) for each in partners), partners
    body = PartialProject(description=LanguageMap.from_dict({"en": "Changed with openapi-python-client."}))
    condition = {"if_match": answer.headers["ETag"]}
    written = operation("patch_project").sync(PROJECT, client=client, body=body, **condition)
    assert written.description["en"] == "Changed with openapi-python-client.", written
    assert (written.state, written.citations) == (answer.parsed.state, answer.parsed.citations)


def import_file(client: Client) -> None:
    """Send a file with one invented project, and wait for the end of the import."""
    project = {"resource": "projects", "title": {"en": "Invented by Python"}, "kind": "project", "status": "unknown"}
    evidence = {"document": "samsung-smart-factory-2023", "paragraph": 11, "as_written": "2022 – 2023"}
    line = {**project, "state": "draft", "citations": [evidence]}
    sent = operation("send_import").sync(client=client, body=File(payload=json.dumps(line).encode()))
    assert not isinstance(sent, ProblemShown), sent
    ended = operation("read_import").sync(sent.id, client=client, wait=30)
    assert ended.status == "done", ended


address = os.environ["BASE"]
with Client(base_url=address, raise_on_unexpected_status=True) as registry:
    index = operation("read_index").sync(client=registry)
    assert set(index.resources.to_dict()) == set(RESOURCES), index.resources
    count = sum(read_all(registry, *names) for names in RESOURCES.items())
    assert operation("search").sync(client=registry, q="smart factory").items, "no hits"
with AuthenticatedClient(base_url=address, token=os.environ["KEY"], raise_on_unexpected_status=True) as writer:
    change(writer)
    import_file(writer)
print(f"   the Python client reads {count} records of {len(RESOURCES)} lists, changes one and imports one")
