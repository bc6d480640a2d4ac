"""What is taken down is nowhere any more: in no version, list, search, file; and the log still proves itself."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json, to_json
from sqlalchemy import select, text
from starlette.testclient import TestClient

from app.core.change_log import REDACTIONS, digest
from app.core.database.engine import Database
from app.core.maintenance.redact import Redaction, redact
from app.core.maintenance.reindex import is_refresh_needed, refresh_index
from app.core.model.resource import RESOURCES
from app.core.search import linked
from app.core.search.tables import RECORDS
from app.core.search.vocabulary import PAIRS, WORDS
from app.exchange.formats.media_types import CSV
from app.exchange.imports.pace import Pace
from app.exchange.imports.run import run as run_import
from seed.files import Dataset
from tests.support.databases import url_of
from tests.support.history import delete_partner, history, put_partner, versions
from tests.support.http import get, put
from tests.support.imports import ended, lines_of, received
from tests.support.keys import key_of
from tests.support.log import changes, tamper, verified
from tests.support.servers import run

SECRET = "Nguyễn Quagga"
REASON = "A private person, who asked for it."
ONE, TWO, THREE, FOUR = (f"/v1/partners/zebra-{number}" for number in range(1, 5))
OF = {ONE: "partners/zebra-1", TWO: "partners/zebra-2", THREE: "partners/zebra-3", FOUR: "partners/zebra-4"}


@pytest.fixture
def editor(seeded_database: Database) -> dict[str, str]:
    return key_of(seeded_database, "records:write", partner="unido")


@pytest.fixture
def leaked(registry: TestClient, editor: dict[str, str]) -> TestClient:
    """A registry in which one record names it now, one did before, one ended with it, and one never was public."""
    put_partner(registry, editor, ONE, name={"en": f"Office of {SECRET}", "vi": "Văn phòng"}, aliases=[SECRET, "Z"])
    put_partner(registry, editor, ONE, name={"en": f"Bureau of {SECRET}", "vi": "Văn phòng"}, aliases=["Z"])
    put_partner(registry, editor, TWO, name={"en": f'"{SECRET}" \\ Co.'})
    put_partner(registry, editor, TWO, name={"en": "Zebra Two"})
    put_partner(registry, editor, THREE, name={"en": SECRET})
    delete_partner(registry, editor, THREE)
    put_partner(registry, editor, FOUR, name={"en": SECRET}, state="draft")
    return registry


def everything(database: Database, *also: str) -> str:
    """All that the database holds, as text."""
    with database.engine.connect() as connection:
        names = [
            "changes",
            "redactions",
            "partners",
            "replays",
            "partners_identifiers",
            *(t.name for t in TABLES),
            *also,
        ]
        return "\n".join(str(row) for name in names for row in connection.execute(text(f"SELECT * FROM {name}")))


TABLES = (RECORDS, WORDS, PAIRS)


def test_a_text_is_taken_down_from_every_version(
    leaked: TestClient, seeded_database: Database, editor: dict[str, str]
) -> None:
    chains = [(row.digest, row.chain) for row in changes(seeded_database)]
    salted = {row.salt for row in changes(seeded_database)}
    taken = {"/".join(each.name): each for each in redact(seeded_database, Redaction(SECRET, "[…]", REASON))}
    assert {name: len(each.versions) for name, each in taken.items()} == {
        OF[ONE]: 2,
        OF[TWO]: 1,
        OF[THREE]: 2,
        OF[FOUR]: 1,
    }
    assert taken[OF[ONE]].removed == {"/name/en", "/aliases/0"}
    held = everything(seeded_database)
    assert SECRET not in held
    assert "quagga" not in held.lower()
    assert json.loads(leaked.get(ONE).content)["name"] == {"en": "Bureau of […]", "vi": "Văn phòng"}
    assert leaked.get("/v1/search?q=quagga").json()["items"] == []
    assert [each["id"] for each in leaked.get("/v1/partners?name=bureau").json()["items"]] == ["zebra-1"]
    assert verified(seeded_database)[0] == []
    log = changes(seeded_database)
    assert [(row.digest, row.chain) for row in log[: len(chains)]] == chains
    assert [(row.record_id, row.action, row.shown, row.version) for row in log[len(chains) :]] == [
        ("zebra-1", "update", "redact", 3),
        ("zebra-2", "update", "redact", 3),
        ("zebra-3", "delete", "redact", 3),
        ("zebra-4", "update", None, 2),
    ]
    salts = [row.salt for row in log if row.redacted]
    assert (len(salts), len(set(salts)), None in salts) == (6, 6, False)
    assert not set(salts) & salted


def test_history_says_where_text_was_taken_down(
    leaked: TestClient, seeded_database: Database, editor: dict[str, str]
) -> None:
    before = history(leaked, path=ONE)[0]["at"]
    tag = leaked.get(f"{ONE}?as_of={before}").headers["etag"]
    redact(seeded_database, Redaction(SECRET, "[…]", REASON))
    last, second, first = history(leaked, path=ONE)
    assert (last["action"], last["changes"], last["partner"]) == ("redact", [], None)
    assert last["actor"].startswith("redact:")
    assert (second["redacted"], first["redacted"], last["redacted"]) == (last["sequence"], last["sequence"], None)
    assert second["changes"][0] == {"pointer": "/name/en", "before": "Office of […]", "after": "Bureau of […]"}
    then = leaked.get(f"{ONE}?as_of={before}", headers={"If-None-Match": tag})
    assert (then.status_code, then.json()["name"]["en"]) == (200, "Bureau of […]")
    assert versions(history(leaked, path=THREE)) == [("create", 1), ("delete", 2), ("redact", 3)]
    assert versions(history(leaked, editor, path=FOUR)) == [("create", 1), ("redact", 2)]
    assert [leaked.get(each).status_code for each in (THREE, FOUR, f"{FOUR}/history")] == [410, 404, 404]
    assert leaked.get(f"{THREE}?as_of=2999-01-01").status_code == 410


def test_a_withdrawn_record_stays_hidden(leaked: TestClient, seeded_database: Database, editor: dict[str, str]) -> None:
    put_partner(leaked, editor, ONE, name={"en": "Only a draft"}, state="draft")
    redact(seeded_database, Redaction(SECRET, "[…]", REASON))
    found = leaked.get(f"{ONE}/history")
    assert versions(found.json()["items"]) == [("create", 1), ("update", 2), ("delete", 3), ("redact", 4)]
    assert "Only a draft" not in found.text
    assert leaked.get(f"{ONE}?as_of=2999-01-01").status_code == 404
    assert verified(seeded_database)[0] == []
    put_partner(leaked, editor, ONE, name={"en": "Public again"})
    assert versions(history(leaked, path=ONE))[-1] == ("create", 5)
    assert verified(seeded_database)[0] == []


def test_looking_changes_nothing(leaked: TestClient, seeded_database: Database) -> None:
    before = everything(seeded_database)
    found = redact(seeded_database, Redaction(SECRET, "[…]", REASON), dry_run=True)
    assert ["/".join(each.name) for each in found] == list(OF.values())
    assert everything(seeded_database) == before


def test_one_record_alone(leaked: TestClient, seeded_database: Database) -> None:
    (taken,) = redact(seeded_database, Redaction(SECRET, "X.", REASON, ("partners", "zebra-2")))
    assert taken.name == ("partners", "zebra-2")
    assert leaked.get(ONE).json()["name"]["en"] == f"Bureau of {SECRET}"
    assert json.loads(changes(seeded_database)[-1].body)["name"] == {"en": "Zebra Two"}


def test_a_text_is_found_however_its_diacritics_are_written(
    registry: TestClient, seeded_database: Database, editor: dict[str, str]
) -> None:
    decomposed = "Nguye\u0302\u0303n Quagga"
    put_partner(registry, editor, ONE, name={"en": f"Ban {decomposed}"})
    assert redact(seeded_database, Redaction(SECRET, "[…]", REASON))
    assert registry.get(ONE).json()["name"]["en"] == "Ban […]"


def test_what_was_redacted_can_be_redacted_again(leaked: TestClient, seeded_database: Database) -> None:
    redact(seeded_database, Redaction(SECRET, "Somebody", REASON))
    redact(seeded_database, Redaction("Bureau of Somebody", "[…]", REASON))
    redact(seeded_database, Redaction("Somebody", "[…]", REASON))
    held = everything(seeded_database)
    assert "Somebody" not in held
    assert verified(seeded_database)[0] == []
    assert leaked.get(ONE).json()["version"] == 5


def test_the_lines_of_imports_are_looked_at_too(
    leaked: TestClient, seeded_database: Database, editor: dict[str, str], tmp_path: Path
) -> None:
    """What a dry run would change, and what is not yet written; that is written without the text."""
    renamed = {"resource": "partners", "id": "zebra-1", "name": {"en": "Otherwise"}}
    dry, _ = ended(leaked, editor, lines_of(renamed), "?dry_run=true")
    waits = {"resource": "partners", "id": "from-a-file", "name": {"en": f"Friends of {SECRET}"}, "kind": "other"}
    content = json.dumps({**waits, "managed_by": "unido"}).encode()  # in ASCII: ễ is an escape
    import_id = received(seeded_database, tmp_path / "x.jsonl", content, "one", mode="rows")
    looked = redact(seeded_database, Redaction(SECRET, "[…]", REASON), dry_run=True)
    assert {str(each) for each in looked if each.name[0] == "import_lines"} == {
        f"import_lines/{dry['id']}: 1 line, at diff",
        f"import_lines/{import_id}: 1 line, at given",
    }
    assert SECRET in everything(seeded_database, "import_lines")
    redact(seeded_database, Redaction(SECRET, "[…]", REASON))
    assert "Quagga" not in everything(seeded_database, "import_lines")
    (line,) = leaked.get(f"/v1/imports/{dry['id']}/lines", headers=editor).json()["items"]
    assert {"pointer": "/name/en", "before": "Bureau of […]", "after": "Otherwise"} in line["diff"]
    assert run_import(seeded_database, import_id, "one", Pace())
    assert leaked.get("/v1/partners/from-a-file").json()["name"] == {"en": "Friends of […]"}
    assert verified(seeded_database)[0] == []


def test_the_names_of_columns_in_an_import_are_looked_at_too(
    leaked: TestClient, seeded_database: Database, editor: dict[str, str]
) -> None:
    table = f"id,name.en,Thư của {SECRET}\nzebra-1,Otherwise,x\n"
    found, _ = ended(leaked, editor, table.encode(), "?resource=partners&ignore=C&dry_run=true", CSV)
    redact(seeded_database, Redaction(SECRET, "[…]", REASON))
    shown = leaked.get(f"/v1/imports/{found['id']}", headers=editor).json()
    assert shown["table"]["columns"][2]["header"] == "Thư của […]"
    assert "Quagga" not in everything(seeded_database, "imports")


def test_the_texts_of_import_mappings_are_looked_at_too(
    leaked: TestClient, seeded_database: Database, editor: dict[str, str]
) -> None:
    column = {
        "to": "roles.*.partner",
        "with": {"role": "lead"},
        "separator": ";",
        "values": {SECRET: "unido", "B": SECRET},
    }
    body = {
        "resource": "projects",
        "columns": {f"Office of {SECRET}": column, "Name": {"to": "title.en"}},
        "ignore": [f"Notes of {SECRET}"],
        "constants": {"description.en": f"From {SECRET}"},
        "required": ["Name"],
        "sheet": SECRET,
    }
    stored = leaked.put("/v1/import-mappings/list", json=body, headers=editor)
    assert stored.status_code == 201, stored.text
    results = redact(seeded_database, Redaction(SECRET, "[removed]", REASON))
    assert any("1 mapping, at content" in str(result) for result in results)
    assert SECRET not in everything(seeded_database, "import_mappings")
    shown = leaked.get("/v1/import-mappings/list", headers=editor).json()
    changed = shown["columns"]["Office of [removed]"]
    assert changed == {**changed, **column, "values": {"[removed]": "unido", "B": "[removed]"}}
    assert (shown["ignore"], shown["sheet"]) == (["Notes of [removed]"], "[removed]")
    redact(seeded_database, Redaction("partner", "[…]", REASON))  # a word of a path, which is no text
    shown = leaked.get("/v1/import-mappings/list", headers=editor).json()
    assert shown["columns"]["Office of [removed]"]["to"] == "roles.*.partner"


def test_ids_and_links_stay_and_are_named(
    registry: TestClient, seeded_database: Database, editor: dict[str, str]
) -> None:
    put_partner(registry, editor, "/v1/partners/quagga", name={"en": "the quagga"})
    put_partner(registry, editor, ONE, parent="quagga")
    taken = {each.name[1]: each for each in redact(seeded_database, Redaction("quagga", "[…]", REASON))}
    assert (taken["quagga"].removed, taken["quagga"].remaining) == ({"/name/en"}, {"/id"})
    assert (taken["zebra-1"].change, taken["zebra-1"].remaining) == (None, {"/parent"})
    assert registry.get("/v1/partners/quagga").json()["name"]["en"] == "the […]"
    assert verified(seeded_database)[0] == []


def test_ids_that_were_made_of_it_are_named(
    registry: TestClient, editor: dict[str, str], seeded_database: Database
) -> None:
    body = {"title": {"vi": "Trần Thị Kín Đáo"}, "kind": "project", "status": "active", "managed_by": "unido"}
    assert (
        registry.post("/v1/projects", json=body, headers=editor).headers["location"] == "/v1/projects/tran-thi-kin-dao"
    )
    put_partner(registry, editor, "/v1/partners/tran-thi-kin-daos-office", name={"en": "An office"})
    put_partner(registry, editor, "/v1/partners/office-of-tran-thi-kin-dao", name={"en": "An office"})
    taken = {each.name[1]: each for each in redact(seeded_database, Redaction("Trần Thị Kín Đáo", "[…]", REASON))}
    assert {name: each.remaining for name, each in taken.items()} == {
        "tran-thi-kin-dao": {"/id"},
        "office-of-tran-thi-kin-dao": {"/id"},
    }


def test_a_replacement_that_makes_a_record_invalid_changes_nothing(
    leaked: TestClient, seeded_database: Database
) -> None:
    before = everything(seeded_database)
    with pytest.raises(ValueError, match="partners/zebra-1: name/en") as raised:
        redact(seeded_database, Redaction(SECRET, "x" * 20_001, REASON))
    assert SECRET not in str(raised.value)
    assert everything(seeded_database) == before


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("", "x", "y"), "text: The text is blank."),
        (("\x00abc", "x", "y"), "text contains a control"),
        (("\ud800abc", "x", "y"), "unpaired surrogate"),
        (("abcd", "", "y"), "replacement: The text is blank."),
        (("abcd", "x", " "), "reason: The text is blank."),
        (("abcd", "xabcd", "y"), "contains the text"),
        (("abcd", "x", "since abcd asked"), "contains the text"),
        (("ab", "x", "y"), "--record"),
    ],
)
def test_what_cannot_be_taken_down_is_refused(given: tuple[str, str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Redaction(*given)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE changes SET body = replace(body, 'Office of', 'Friends of') WHERE redacted IS NOT NULL",
        "UPDATE redactions SET digests = replace(digests, 'a', 'b')",
        "DELETE FROM redactions",
        "UPDATE changes SET redacted = 1 WHERE sequence = 2",
        "UPDATE changes SET salt = 'x' WHERE redacted IS NOT NULL",
        "UPDATE changes SET shown = 'update' WHERE shown = 'redact'",
    ],
)
def test_a_redaction_that_nobody_made_is_found(leaked: TestClient, seeded_database: Database, statement: str) -> None:
    redact(seeded_database, Redaction(SECRET, "[…]", REASON))
    tamper(seeded_database, statement)
    assert verified(seeded_database)[0]


def test_every_version_is_written_as_it_was_rendered(dataset: Dataset, seeded_database: Database) -> None:
    for row in changes(seeded_database):
        assert to_json(from_json(row.body)).decode() == row.body
    assert {row.resource for row in changes(seeded_database)} == set(RESOURCES)


def test_the_command_takes_down_and_shows_the_text_nowhere(leaked: TestClient, seeded_database: Database) -> None:
    def command(*arguments: str) -> Any:
        given = ("redact", *arguments, "--reason", REASON)
        found = run(*given, HOPTAC_DATABASE_URL=url_of(seeded_database))
        assert SECRET not in found.stdout + found.stderr
        assert "Traceback" not in found.stderr
        return found

    looked = command(SECRET, "--dry-run")
    assert (looked.returncode, len(looked.stdout.splitlines())) == (0, 4), looked
    assert "partners/zebra-1: 2 versions, at /aliases/0, /name/en" in looked.stdout
    done = command(SECRET, "--with", "[removed]")
    assert done.returncode == 0, done
    assert leaked.get(ONE).json()["name"]["en"] == "Bureau of [removed]"
    with seeded_database.engine.connect() as connection:
        logged = connection.execute(select(REDACTIONS)).all()
    assert {row.reason for row in logged} == {REASON}
    assert sum(len(json.loads(row.digests)) for row in logged) == 6
    assert digest(SECRET.encode()) not in str(logged)
    again = command(SECRET)
    assert (again.returncode, again.stderr) == (1, "hoptac: No version of a record contains the text.\n")
    assert command("x", "--record", "nothing").returncode == 2
    assert command("x").returncode == 2
    if seeded_database.is_sqlite:
        path = Path(str(seeded_database.url.database))
        for file in path.parent.glob(f"{path.name}*"):
            content = file.read_bytes().lower()
            assert b"quagga" not in content, file
            assert b"bureau" in content or file != path


def test_files_that_others_read_are_said_to_hold_it_still(leaked: TestClient, seeded_database: Database) -> None:
    if not seeded_database.is_sqlite:
        assert seeded_database.scrub()
        return
    with seeded_database.snapshot() as reading:
        reading.execute(text("SELECT count(*) FROM changes"))
        redact(seeded_database, Redaction(SECRET, "[…]", REASON))
        assert not seeded_database.scrub(patience=0.1)
    assert seeded_database.scrub()


def test_many_records_that_link_to_it_lose_the_text_too(
    registry: TestClient, editor: dict[str, str], seeded_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than a write indexes again in its own transaction."""
    monkeypatch.setattr(linked, "AT_ONCE", 1)
    put_partner(registry, editor, "/v1/partners/zebra-9", name={"en": f"Bureau of {SECRET}"})
    for number in range(4):
        fields = {"title": {"en": f"Stripes {number}"}, "kind": "project", "status": "active", "managed_by": "zebra-9"}
        roles = [{"partner": "zebra-9", "role": "lead"}]
        put(registry, editor, f"projects/stripes-{number}", {**fields, "roles": roles})
    while refresh_index(seeded_database):
        pass
    assert any(hit["resource"] == "projects" for hit in get(registry, f"/v1/search?q={SECRET}")["items"])
    redact(seeded_database, Redaction(SECRET, "[removed]", REASON))
    assert not is_refresh_needed(seeded_database)
    assert not any(hit["resource"] == "projects" for hit in get(registry, f"/v1/search?q={SECRET}")["items"])
