"""The plans of imports: what they read of hostile lines and names, for how long, and in how much memory."""

import gc
import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select
from starlette.testclient import TestClient

from app.core.database.engine import Database
from app.core.model.list_bounds import long_lists
from app.core.model.resource import RESOURCES, Resource
from app.core.values.links import link_paths
from app.core.writing import integrity
from app.exchange.imports.database_tables import LINES
from app.exchange.imports.pace import Pace
from app.exchange.imports.planning import name_index, names, plan
from app.exchange.imports.run import begin_run, run
from app.exchange.imports.storage.claims import import_transaction
from tests.support.imports import ALL, COAST, PORTS, counts, ended, lines_of, ports, received, state
from tests.support.keys import Key


def nested(path: tuple[str, ...], value: Any) -> Any:
    """A value at a path of `link_paths`."""
    if not path:
        return value
    inner = nested(path[1:], value)
    return inner if path[0] == "*" else {path[0]: [inner] * 501 if path[1:2] == ("*",) else inner}


def test_every_list_of_links_has_a_bound_that_raw_json_is_compared_with() -> None:
    for resource in RESOURCES.values():
        for path, _ in link_paths(resource.fields):
            if "*" in path:
                assert list(long_lists(resource.fields, nested(path, "x"))), path
    assert not list(long_lists(RESOURCES["projects"].fields, {**PORTS, "identifiers": 3, "roles": [{"partner": []}]}))


def test_a_line_with_too_long_a_list_is_refused_before_anything_is_looked_up(
    registry: TestClient, editor: Key, seeded_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = [{"scheme": "x", "value": str(number)} for number in range(20_000)]
    monkeypatch.setattr("app.exchange.imports.planning.identify.identifiers_of", None)
    project = {name: value for name, value in PORTS.items() if name != "id"}
    found, lines = ended(registry, editor, lines_of({**project, "identifiers": codes}), "?dry_run=true")
    assert counts(found) == (0, 0, 0, 1)
    assert [(each["pointer"], each["code"]) for each in lines[0]["errors"]] == [("/identifiers", "invalid_value")]


def test_the_identifiers_of_a_line_take_few_statements(seeded_database: Database, tmp_path: Path) -> None:
    codes = [{"scheme": f"x-{number}", "value": str(number)} for number in range(100)]
    lines = [{**PORTS, "identifiers": codes}, {**PORTS, "id": None, "title": {"en": "Else"}, "identifiers": codes[-1:]}]
    statements: list[str] = []
    event.listen(seeded_database.engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    for line in lines:
        import_id = received(seeded_database, tmp_path / "x.jsonl", lines_of(line), "one")
        statements.clear()
        assert run(seeded_database, import_id, "one", Pace())
        assert sum("identifiers" in each and each.startswith("SELECT") for each in statements) < 10
    assert counts(state(seeded_database, import_id)) == (0, 1, 0, 0)


def test_others_write_while_lines_are_read(
    seeded_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that takes: it needs no lock, and each step ends soon."""
    import_id = received(seeded_database, tmp_path / "x.jsonl", lines_of(*ports(200)), "one", mode="rows")
    waits = []

    def slow(*_: Any) -> Any:
        time.sleep(0.02)
        began = time.monotonic()
        with seeded_database.write():
            waits.append(time.monotonic() - began)
        return []

    import_run = begin_run(seeded_database, import_id, "one", Pace())
    monkeypatch.setattr(plan.Plan, "_targets", slow)
    assert import_run is not None
    steps = 0
    while len(waits) < 100:
        steps += 1
        assert import_run.step()
    import_run.release()
    assert steps > 5
    assert max(waits) < 5


def test_partners_with_one_name_take_no_memory(
    registry: TestClient, editor: Key, seeded_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only the first of them are compared, curated ones before others, and only their names are kept."""
    large = {"en": "x" * 20_000, "vi": "\U0001f600" * 10_000}
    agency = {name: value for name, value in COAST.items() if name != "aliases"}
    many = [{**agency, "id": f"agency-{n}", "name": {"en": "Twin"}, "description": large} for n in range(60)]
    found, _ = ended(registry, editor, lines_of(*many), "?mode=rows")
    assert counts(found) == (60, 0, 0, 0)
    monkeypatch.setattr(name_index, "MAX_COMPARED", 5)
    read: list[str] = []
    of = names.NamedRecord.of

    def counted(resource: Resource, body: str) -> Any:
        read.append(body)
        return of(resource, body)

    monkeypatch.setattr(names.NamedRecord, "of", counted)
    line = {**PORTS, "roles": [{"partner": "Twin", "role": "lead"}]}
    import_id = received(seeded_database, tmp_path / "x.jsonl", lines_of(line, {**line, "id": "other"}), "one")
    assert run(seeded_database, import_id, "one", Pace())
    assert counts(state(seeded_database, import_id)) == (0, 0, 0, 2)
    assert len(read) == 5


def test_a_partner_is_found_by_the_first_of_its_names(
    registry: TestClient, editor: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by those after some 4,000 letters, which are not even read."""
    monkeypatch.setattr(name_index, "NAMES_LENGTH", 60)
    many = {**COAST, "id": "many", "name": {"en": "First Name"}, "aliases": [f"Alias Number {n}" for n in range(20)]}
    ended(registry, editor, lines_of(many))
    line = {**PORTS, "id": "by-name"}
    found = [
        ended(registry, editor, lines_of({**line, "roles": [{"partner": name, "role": "lead"}]}))[0]
        for name in ("First Name", "Alias Number 19")
    ]
    assert [each["created"] for each in found] == [1, 0]


def test_a_file_has_a_bound_of_names_and_of_links(
    registry: TestClient, editor: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_index, "MAX_NAMES", 5)
    monkeypatch.setattr(plan, "MAX_NAMES", 5)
    named = [{**each, "roles": [{"partner": f"Partner {n}", "role": "lead"}]} for n, each in enumerate(ports(6))]
    found, _ = ended(registry, editor, lines_of(*named))
    assert (found["status"], found["reason"]) == ("failed", "The file has more than 5 names of records. Divide it.")
    monkeypatch.setattr(plan, "MAX_LINKS", 5)
    linked = [{**each, "part_of": ["port-0"]} for each in ports(8)[1:]]
    found, _ = ended(registry, editor, lines_of(*ports(1), *linked))
    assert found["status"] == "failed"
    assert "Divide" in found["reason"]


def memory_of_plan(database: Database, path: Path, number: int) -> int:
    """How much a plan of so many lines takes, of which all but one link to another."""
    lines = [{**each, "part_of": [f"port-{n - 1}"] if n else []} for n, each in enumerate(ports(number))]
    import_id = received(database, path, lines_of(*lines), "one", mode="rows")
    made = plan.Plan(ALL, import_id, by_line=True)
    tracemalloc.start()
    try:
        for _ in made.make(lambda: import_transaction(database)):
            pass
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(made.groups) == number
    return taken


def test_a_plan_takes_little_memory_for_a_line(seeded_database: Database, tmp_path: Path) -> None:
    sizes = [memory_of_plan(seeded_database, tmp_path / "x.jsonl", number) for number in (600, 600, 2_600)]
    assert (sizes[2] - sizes[1]) / 2_000 < 300, sizes


@pytest.mark.parametrize("mode", ["rows", "all"])
def test_a_dense_graph_above_a_record_is_not_read_in_full(
    seeded_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """60 layers of five projects, each part of all five of the layer above."""
    monkeypatch.setattr(integrity, "MAX_ANCESTORS", 100)
    integrity._ancestor_query.cache_clear()
    layered = [
        {**PORTS, "id": f"l{layer}-{n}", "title": {"en": f"{layer} {n}"}, "part_of": above}
        for layer in range(60)
        for n, above in enumerate([[f"l{layer - 1}-{m}" for m in range(5)] if layer else []] * 5)
    ]
    import_id = received(seeded_database, tmp_path / "x.jsonl", lines_of(*layered), "one", mode="rows")
    assert run(seeded_database, import_id, "one", Pace())
    assert counts(state(seeded_database, import_id)) == (300, 0, 0, 0)
    statements: list[str] = []
    event.listen(seeded_database.engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    last = {**layered[-1], "title": {"en": "changed"}}
    upper = {**layered[45], "title": {"en": "changed"}}
    circle = {**layered[0], "part_of": ["l5-0", "l5-1", "l0-1"]}
    verdicts = []
    for line in (last, upper, circle):
        import_id = received(seeded_database, tmp_path / "x.jsonl", lines_of(line), "one", mode=mode)
        statements.clear()
        assert run(seeded_database, import_id, "one", Pace())
        assert sum("RECURSIVE" in each for each in statements) <= 3
        verdicts.append(counts(state(seeded_database, import_id)))
    integrity._ancestor_query.cache_clear()
    assert verdicts == [(0, 0, 0, 1), (0, 1, 0, 0), (0, 0, 0, 1)]
    with seeded_database.snapshot() as connection:
        errors = connection.execute(select(LINES.c.errors).where(LINES.c.import_id == import_id)).scalar()
    assert [each["pointer"] for each in json.loads(errors or "")] == ["/part_of/0", "/part_of/1"]
