"""Cursors: signed with a key of the database, and harmless at any position."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from starlette.testclient import TestClient

from app.core.database.engine import Database
from app.core.maintenance.backup import back_up, restore
from app.core.maintenance.schema import migrate
from app.core.reading.cursors import Cursors
from tests.support.cursors import signer_of, signer_with
from tests.support.databases import NewDatabase, drop_database, url_of
from tests.support.http import client_of, get, put, walk
from tests.support.keys import Key, key_of

LISTS: list[tuple[str, list[tuple[str, str]]]] = [
    ("/v1/figures", [("sort", "value")]),
    ("/v1/figures", [("sort", "-value")]),
    ("/v1/figures", [("sort", "-value,id")]),
    ("/v1/figures", [("sort", "period")]),
    ("/v1/projects", []),
    ("/v1/projects", [("sort", "title")]),
    ("/v1/projects", [("q", "cong nghiep")]),
    ("/v1/projects", [("q", "cong nghiep"), ("sort", "title")]),
    ("/v1/search", [("q", "cong nghiep")]),
    ("/v1/progress", []),
    ("/v1/projects/smart-factory-cooperation/history", []),
    ("/v1/timeline", []),
    ("/v1/timeline", [("sort", "-date")]),
    ("/v1/audit", [("as_of", "2026-11-22"), ("severity", "note")]),
]
NUMBERS = [2**63, 2**64, -(2**63) - 1, 10**30, 10**400, 1e308, float("inf"), float("nan"), True, 0.1, -0.0]
OTHERS = ["a", None, "\u0300" * 50, "~" * 600, "", [1], {"a": 1}, [[1], [2]], list(range(99))]
PLACES = [
    "0.0.0.4611686018427387903",
    "2.99999.0.0",
    "0.0.9999999999999999999.0",
    "２.0.0.0",
    "0_0.0.0.0",
    ["0001-01-01", "9999-12-31", 10**30],
    ["٠٠٠١-01-01", "9999-12-31", 3],
    ["figure_lacks_value", "figures", "a", 10**40],
    ["a", "a", "a", -1],
]


@pytest.mark.parametrize("value", [*NUMBERS, *OTHERS, *PLACES], ids=lambda value: repr(value)[:20])
def test_a_signed_cursor_for_an_absurd_position_is_no_server_error(client: TestClient, seeded: str, value: Any) -> None:
    signer = signer_of(seeded)
    for path, parameters in LISTS:
        for record_id in ("unido", "~" * 300, ""):
            cursor = Cursors(path, parameters, signer).cursor(value, record_id)
            status = client.get(f"{path}?{urlencode([*parameters, ('cursor', cursor)])}").status_code
            assert status in (200, 400, 422), (path, parameters, status)  # 422: a cursor over 1,000 characters


def next_cursor(client: TestClient) -> str:
    page = get(client, "/v1/partners?limit=2")
    return str(parse_qs(urlsplit(page["next"]).query)["cursor"][0])


def status_of(client: TestClient, cursor: str) -> int:
    return client.get(f"/v1/partners?limit=2&cursor={cursor}").status_code


def test_no_other_character_of_a_cursor_is_accepted(client: TestClient) -> None:
    cursor = next_cursor(client)
    assert status_of(client, cursor) == 200
    for position, character in enumerate(cursor):
        altered = cursor[:position] + ("A" if character != "A" else "B") + cursor[position + 1 :]
        assert status_of(client, altered) == 400, position
    for altered in (cursor + "A", cursor[:-1], cursor + "=", ""):
        assert status_of(client, altered) == 400


def test_cursors_without_the_key_are_refused(client: TestClient, new_database: NewDatabase) -> None:
    database = Database(new_database(None))
    migrate(database)
    stranger = signer_of(url_of(database))
    drop_database(database)
    for signer in (signer_with("00"), stranger):
        assert status_of(client, Cursors("/v1/partners", [], signer).cursor("unido", "unido")) == 400
    assert status_of(client, next_cursor(client)) == 200


def test_every_process_and_a_restored_backup_accept_a_cursor(
    client: TestClient, seeded_database: Database, new_database: NewDatabase, migrated: str, tmp_path: Path
) -> None:
    cursor = next_cursor(client)
    with client_of(url_of(seeded_database)) as other:
        assert status_of(other, cursor) == 200
    back_up(seeded_database, tmp_path / "backup")
    database = Database(new_database(None))
    migrate(database)
    with client_of(url_of(database)) as restored:
        assert status_of(restored, cursor) == 400  # the key of the empty database is another one
        restore(tmp_path / "backup", database)
        assert status_of(restored, cursor) in (200, 400)
        assert status_of(restored, cursor) == 200
    drop_database(database)


@pytest.mark.parametrize("path", ["keys", "imports", "webhooks"])
def test_lists_by_random_id_take_only_ids_as_cursors(
    registry: TestClient, seeded_database: Database, path: str
) -> None:
    admin = key_of(seeded_database, "keys", "records:write")
    for cursor in ("9" * 400, "%00", "é", "a" * 11, "-1", "A" * 10):
        assert registry.get(f"/v1/{path}?cursor={cursor}", headers=admin).status_code in (400, 422)


def test_a_list_goes_on_after_the_longest_names(registry: TestClient, editor: Key) -> None:
    """A sort key has up to 400 characters, of which each can take four bytes."""
    for number, letter in enumerate("漢한\U00020000"):
        name = {"vi": letter * 400}
        put(registry, editor, f"partners/long-{number}", {"name": name, "kind": "other", "managed_by": "unido"})
    expected = [item["id"] for item in get(registry, "/v1/partners?sort=-name&limit=200")["items"]]
    assert {"long-0", "long-1", "long-2"} < set(expected)
    assert [item["id"] for item in walk(registry, "/v1/partners?sort=-name&limit=1")] == expected
