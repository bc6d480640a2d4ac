"""How SQLite finds the records of a list, which it decides without statistics. Each way finds the same."""

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from app.catalogue import RESOURCES
from app.core.database.engine import Database
from app.core.database.statement_cache import STATEMENTS
from app.core.model.resource import Resource
from app.core.reading import filter_conditions, reads
from bench.apps.same_sql import recorded, runner
from tests.support.databases import url_of
from tests.support.http import client_of, get

DATES = ("2023", "1900", "2023-06/2025")


def _values(resource: Resource, name: str) -> tuple[str, ...]:
    parameter = resource.parameters[name]
    if parameter.is_flag:
        return ("true", "false")
    if name.startswith("updated_at"):
        return ("2020-01-01", "2100-01-01")
    if name.startswith("value"):
        return ("0", "3", "99999999")
    return ("viet-nam", "ha-noi", "no-such-place") if name == "place" else DATES


def _paths(resource: Resource) -> Iterator[str]:
    """Lists with each filter that can have an index, alone and with a code, in several orders."""
    sorts = itertools.cycle([*resource.all_sorts, *(f"-{name}" for name in resource.all_sorts)])
    code = next((name for name, parameter in resource.parameters.items() if parameter.codes), None)
    for name, parameter in resource.parameters.items():
        if not (parameter.ranges or parameter.is_flag or parameter.searches_tree):
            continue
        for value in _values(resource, name):
            yield f"/v1/{resource.name}?fields=id&limit=3&{name}={value}&sort={next(sorts)}"
            if code and not parameter.is_flag:
                first = next(iter(resource.parameters[code].codes.codes))  # type: ignore[union-attr]
                yield f"/v1/{resource.name}?fields=id&limit=3&{name}={value}&{code}={first}&sort={next(sorts)}"


def _first_pages(client: TestClient, path: str | None) -> list[str]:
    ids: list[str] = []
    for _ in range(3):
        if path:
            page = get(client, path)
            ids += [record["id"] for record in page["items"]]
            path = page["next"]
    return ids


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_few_records_are_gathered_and_of_many_only_a_page_is_read(
    seeded_database: Database, resource: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = list(_paths(resource))
    with client_of(url_of(seeded_database)) as client:
        gathered = [_first_pages(client, path) for path in paths]
    for module in (reads, filter_conditions):
        monkeypatch.setattr(module, "MANY_IN_RANGE", 1)
    monkeypatch.setattr(STATEMENTS, "_queries", OrderedDict())
    with client_of(url_of(seeded_database)) as client:
        assert [_first_pages(client, path) for path in paths] == gathered


@pytest.mark.parametrize(
    ("path", "index"),
    [
        ("/v1/projects?period=1900&sort=-title", "ix_projects_period_earliest_id (period_earliest<?)"),
        ("/v1/projects?period=2300&status=active", "ix_projects_period_latest_id (period_latest>?)"),
        ("/v1/figures?value_gte=999999999999&kind=actual", "ix_figures_value_id (value>?)"),
        ("/v1/agreements?part_of_none=false&sort=title", "ix_agreements_part_of (part_of>?)"),
        ("/v1/statements?updated_at_gte=2300-01-01", "ix_statements_updated_at_id (updated_at>?)"),
    ],
)
def test_a_range_without_records_ends_the_list_at_once(seeded_database: Database, path: str, index: str) -> None:
    url = url_of(seeded_database)
    sql, values = asyncio.run(recorded(url, [path]))[0][-1]
    with runner(url) as run:
        plan = [row[3] for row in run((f"EXPLAIN QUERY PLAN {sql}", values))]
    table = path.removeprefix("/v1/").partition("?")[0]
    searches = {line for line in plan if f" {table} " in line}
    assert any(line.startswith(f"SEARCH {table} USING ") and line.endswith(index) for line in searches)
    by_id = f"SEARCH {table} USING INDEX sqlite_autoindex_{table}_1 (id=?)"
    assert {line for line in searches if index not in line} == {by_id}
