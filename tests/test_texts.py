"""Texts of documents: who may read which paragraph, and what quotations prove with them."""

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.cli import main
from app.core.database.engine import Database
from app.core.maintenance.backup import back_up, restore
from app.core.maintenance.redact import Redaction, redact
from app.core.settings import Settings
from app.documents.texts.paragraphs import (
    MAX_BYTES,
    MAX_CHARACTERS,
    MAX_PARAGRAPHS,
    MAX_PLACES,
    paragraphs_of,
    places_of,
)
from app.exchange.archives.description import Description
from app.exchange.archives.making import export_archive
from app.explorer.passages import marked
from tests.support.databases import url_of
from tests.support.http import drop, get, patch, problem, put
from tests.support.keys import Key

SECRET = "Quagga"
TEXT = f"Bản tin\r\n\r\n \nNăm 2022 có 26 doanh nghiệp - 14 ở phía Bắc, 26 doanh nghiệp cả nước.\n{SECRET} ở đoạn ba.\n"
DIGEST = hashlib.sha256(TEXT.encode()).hexdigest()
DOCUMENT = {
    "kind": "news", "title": {"vi": "Bản tin"}, "language": "vi", "managed_by": "unido",
    "url": "https://news.example/tin", "sha256": DIGEST, "paragraphs": 3,
}  # fmt: skip
WORDS = "26 doanh nghiệp"
BULLETIN = "/v1/documents/bulletin"


def cited(paragraph: int | None, words: str, *supports: str) -> dict[str, Any]:
    return {"document": "bulletin", "paragraph": paragraph, "as_written": words, "supports": list(supports)}


def figure(**members: Any) -> dict[str, Any]:
    own = {"indicator": "enterprises-supported", "kind": "context", "value": 26, "unit": "enterprise"}
    return own | {"citations": [cited(2, "phía Bắc"), cited(2, WORDS, "value"), cited(1, "Bản tin")]} | members


@pytest.fixture
def bulletin(registry: TestClient, editor: Key) -> TestClient:
    """A registry with a document, and with a figure and a draft that cite it."""
    put(registry, editor, "documents/bulletin", DOCUMENT)
    put(registry, editor, "figures/cited", figure())
    put(registry, editor, "figures/secret-draft", figure(state="draft", citations=[cited(3, SECRET)]))
    return registry


def send(client: TestClient, key: Key, text: bytes | str, terms: str = "full", **headers: str) -> Response:
    plain = {**key, "Content-Type": "text/plain; charset=utf-8", **headers}
    return client.put(f"{BULLETIN}/text?shown={terms}", content=text, headers=plain)


def texts(client: TestClient, path: str = f"{BULLETIN}/paragraphs") -> dict[int, str | None]:
    return {item["paragraph"]: item["text"] for item in get(client, path)["items"]}


def test_only_the_text_of_the_document_is_accepted(bulletin: TestClient, editor: Key) -> None:
    problem(send(bulletin, editor, TEXT.replace("ba", "bốn")), 409, "conflict")
    problem(send(bulletin, editor, TEXT, **{"Content-Type": "application/json"}), 415, "unsupported_type")
    problem(send(bulletin, editor, b"x" * (MAX_BYTES + 1)), 413, "too_large")
    for text in (b"\xff", "a\n" * (MAX_PARAGRAPHS + 1), "a" * (MAX_CHARACTERS + 1)):
        problem(send(bulletin, editor, text), 400, "bad_file")
    problem(send(bulletin, editor, TEXT, "everybody"), 422, "invalid")
    problem(send(bulletin, {}, TEXT), 401, "unauthorized")
    problem(bulletin.get(f"{BULLETIN}/text"), 404, "not_found")
    assert texts(bulletin) == {1: None, 2: None}  # the paragraphs that public records cite
    assert get(bulletin, f"{BULLETIN}/paragraphs/3")["quotations"] == []
    for number in ("0", "4", "x", "9" * 30):
        problem(bulletin.get(f"{BULLETIN}/paragraphs/{number}"), 404, "not_found")
    patch(bulletin, editor, "documents/bulletin", paragraphs=4)
    assert "3 paragraphs" in problem(send(bulletin, editor, TEXT), 409, "conflict")["detail"]
    patch(bulletin, editor, "documents/bulletin", paragraphs=None, sha256=None)
    assert "sha256" in problem(send(bulletin, editor, TEXT), 409, "conflict")["detail"]


def test_paragraphs_are_shown_under_the_terms_of_the_text(bulletin: TestClient, editor: Key) -> None:
    before = bulletin.get(BULLETIN)
    stored = send(bulletin, editor, TEXT)
    assert stored.status_code == 200, stored.text
    assert {**stored.json(), "stored_at": ""} == {
        "document": "bulletin", "sha256": DIGEST, "paragraphs": 3, "shown": "full", "stored_at": "",
    }  # fmt: skip
    assert get(bulletin, f"{BULLETIN}/text") == stored.json()
    whole = {number: line.strip() for number, line in enumerate(filter(str.strip, TEXT.splitlines()), 1)}
    first = get(bulletin, f"{BULLETIN}/paragraphs?limit=2")
    assert {item["paragraph"]: item["text"] for item in first["items"]} | texts(bulletin, first["next"]) == whole
    second = bulletin.get(f"{BULLETIN}/paragraphs/2")
    assert [(quoted["as_written"], quoted["places"]) for quoted in second.json()["quotations"]] == [
        (WORDS, [[12, 27], [45, 60]]),
        ("phía Bắc", [[35, 43]]),
    ]
    assert (
        bulletin.get(f"{BULLETIN}/paragraphs/2", headers={"If-None-Match": second.headers["etag"]}).status_code == 304
    )
    assert send(bulletin, editor, TEXT, "cited_paragraphs").status_code == 200
    assert texts(bulletin) == {1: whole[1], 2: whole[2]}
    assert get(bulletin, f"{BULLETIN}/paragraphs/3")["text"] is None  # only a draft cites it
    assert send(bulletin, editor, TEXT, "nobody").status_code == 200
    assert texts(bulletin) == {1: None, 2: None}
    assert get(bulletin, f"{BULLETIN}/paragraphs/2")["quotations"][0]["places"] == []
    assert (
        bulletin.get(f"{BULLETIN}/paragraphs/2", headers={"If-None-Match": second.headers["etag"]}).status_code == 200
    )
    assert bulletin.get(BULLETIN).headers["etag"] == before.headers["etag"]  # there is no Change


def test_a_text_is_nowhere_else(bulletin: TestClient, editor: Key, seeded_database: Database, tmp_path: Path) -> None:
    assert send(bulletin, editor, TEXT).status_code == 200
    queries = ("/v1/search?q=quagga", "/v1/documents?q=quagga", "/v1/documents.jsonl?id=bulletin", "/search?q=quagga")
    for path in (*queries, "/v1/changes?after=600&limit=200", f"{BULLETIN}/history", BULLETIN):
        answer = bulletin.get(path, headers={"Accept": "*/*, text/html"})
        assert answer.status_code == 200, path
        assert SECRET not in answer.text, path
    archive = tmp_path / "registry.zip"
    export_archive(seeded_database, archive, Description.of(Settings()))
    with zipfile.ZipFile(archive) as opened:
        assert not [name for name in opened.namelist() if SECRET.encode() in opened.read(name)]


def test_quotations_are_compared_with_the_text(bulletin: TestClient, editor: Key) -> None:
    put(bulletin, editor, "figures/wrong", figure(citations=[cited(2, "27 doanh nghiệp")]))
    before = get(bulletin, "/v1/figures/cited/evidence")
    assert [quoted["verified"] for quoted in before["quotations"]] == [None] * 3
    assert before["quotations"][2]["link"].endswith("/tin#:~:text=26%20doanh%20nghi%E1%BB%87p")
    assert send(bulletin, editor, TEXT).status_code == 200
    evidence = get(bulletin, "/v1/figures/cited/evidence")
    assert [(quoted["as_written"], quoted["supports"]) for quoted in evidence["quotations"]] == [
        ("Bản tin", []), (WORDS, ["value"]), ("phía Bắc", []),
    ]  # fmt: skip
    second = evidence["quotations"][1]
    assert (second["prefix"], second["suffix"]) == ("Năm 2022 có", "- 14 ở phía")
    assert second["verified"]["holds"] is True
    assert second["link"].count("-") == 2  # of the directive; those of the text are encoded
    assert unquote(second["link"]) == f"https://news.example/tin#:~:text=Năm 2022 có-,{WORDS},-- 14 ở phía"
    assert [item["paragraph"] for item in evidence["paragraphs"]] == [1, 2]
    assert [item["id"] for item in evidence["documents"]] == ["bulletin"]
    assert [item["action"] for item in evidence["versions"]] == ["create"]
    wrong = get(bulletin, "/v1/figures/wrong/evidence")["quotations"]
    assert [quoted["verified"] and quoted["verified"]["holds"] for quoted in wrong] == [False]
    assert send(bulletin, editor, TEXT, "nobody").status_code == 200
    hidden = get(bulletin, "/v1/figures/cited/evidence")
    assert hidden["paragraphs"] == []
    assert {(quoted["prefix"], quoted["suffix"], quoted["verified"]["holds"]) for quoted in hidden["quotations"]} == {
        (None, None, True)
    }


def test_evidence_has_the_arithmetic_and_what_contradicts_it(bulletin: TestClient, editor: Key) -> None:
    evidence = get(bulletin, "/v1/figures/smart-factory-enterprises-2022/evidence")
    assert {(item["kind"], item["how"], item["result"], item["agrees"]) for item in evidence["arithmetic"]} == {
        ("parts", "14 + 12", 26, True), ("target", "26 / 50 × 100", 52, None), ("steps", "26 + 24", 50, True),
    }  # fmt: skip
    part = get(bulletin, "/v1/figures/smart-factory-enterprises-2022-north/evidence")
    assert [item["how"] for item in part["arithmetic"]] == ["14 + 12"]
    assert [term["role"] for term in part["arithmetic"][0]["terms"]] == ["summand", "summand", "stated"]
    same = {"project": "smart-factory-cooperation", "kind": "target", "period": "2030", "measured": "at_date"}
    put(bulletin, editor, "figures/a-target", figure(**same))
    other = {**cited(12, WORDS, "value"), "document": "samsung-smart-factory-2023"}
    put(bulletin, editor, "figures/b-target", figure(**same, value=40, citations=[other]))
    for name in ("a-target", "b-target"):  # the rule reports it for the first one
        rules = [finding["rule"] for finding in get(bulletin, f"/v1/figures/{name}/evidence")["findings"]]
        assert "sources_disagree" in rules
    drop(bulletin, editor, "figures/b-target")
    problem(bulletin.get("/v1/figures/b-target/evidence"), 410, "gone")
    problem(bulletin.get("/v1/figures/secret-draft/evidence"), 404, "not_found")
    for name in ("first", "second"):
        put(bulletin, editor, f"partners/{name}", {"name": {"en": name}, "kind": "company", "managed_by": "unido"})
    merged = bulletin.post("/v1/partners/first/merge", json={"into": "second"}, headers={**editor, "If-Match": "*"})
    assert merged.status_code == 200, merged.text
    moved = bulletin.get("/v1/partners/first/evidence", follow_redirects=False)
    assert (moved.status_code, moved.headers["location"]) == (308, "/v1/partners/second/evidence")


def test_a_text_goes_with_its_document(
    bulletin: TestClient, editor: Key, seeded_database: Database, copy: Database, tmp_path: Path
) -> None:
    assert send(bulletin, editor, TEXT).status_code == 200
    back_up(seeded_database, tmp_path / "backup.db")
    patch(bulletin, editor, "documents/bulletin", sha256="0" * 64)
    problem(bulletin.get(f"{BULLETIN}/text"), 404, "not_found")  # it is the text of another version
    assert texts(bulletin) == {1: None, 2: None}
    patch(bulletin, editor, "documents/bulletin", sha256=DIGEST)
    assert len(texts(bulletin)) == 3
    for name in ("cited", "secret-draft"):
        drop(bulletin, editor, f"figures/{name}")
    drop(bulletin, editor, "documents/bulletin")
    problem(bulletin.get(f"{BULLETIN}/paragraphs"), 410, "gone")
    put(bulletin, editor, "documents/bulletin", DOCUMENT)
    assert texts(bulletin) == {}
    assert send(bulletin, editor, TEXT).status_code == 200
    results = redact(seeded_database, Redaction(SECRET, "[…]", "Somebody asked for it."), dry_run=True)
    assert [result.name for result in results if result.versions] == [
        ("figures", "secret-draft"),
        ("text_paragraphs", "bulletin"),
    ]
    redact(seeded_database, Redaction(SECRET, "[…]", "Somebody asked for it."))
    problem(bulletin.get(f"{BULLETIN}/text"), 404, "not_found")
    assert send(bulletin, editor, TEXT).status_code == 200
    assert bulletin.delete(f"{BULLETIN}/text", headers=editor).status_code == 204
    problem(bulletin.delete(f"{BULLETIN}/text", headers=editor), 404, "not_found")
    restore(tmp_path / "backup.db", copy)
    with copy.snapshot() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM text_paragraphs").scalar() == 3


def test_a_folder_of_texts_is_loaded(
    bulletin: TestClient,
    seeded_database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "anything.txt").write_bytes(TEXT.encode())
    (tmp_path / "unido-moit-2021.txt").write_text("Another text.")
    (tmp_path / "nothing.txt").write_bytes(b"\xff")
    monkeypatch.setenv("HOPTAC_DATABASE_URL", url_of(seeded_database))
    run: Callable[..., int] = lambda *words: main(["texts", *words])  # noqa: E731
    assert run("load", str(tmp_path)) == 1
    printed = capsys.readouterr()
    assert "1 text stored" in printed.out
    assert "unido-moit-2021.txt: The SHA-256 of the text" in printed.err
    assert "nothing.txt: The text is not in UTF-8." in printed.err
    assert sorted(texts(bulletin)) == [1, 2]
    assert run("list") == 0
    assert "bulletin  cited_paragraphs  3 paragraphs" in capsys.readouterr().out
    assert run("remove", "bulletin") == 0
    assert run("remove", "bulletin") == 1
    assert run("load", str(tmp_path / "nowhere")) == 2


@pytest.mark.parametrize(
    ("text", "paragraphs"),
    [("", []), ("\ufeffa\rb\r\n\n \t\nc", ["a", "b", "c"]), ("a\x00b\n\x0c\n", ["a b"]), ("hoà\n", ["hoà"])],
)
def test_paragraphs_are_lines_that_are_not_blank(text: str, paragraphs: list[str]) -> None:
    assert paragraphs_of(text) == paragraphs


def test_words_are_whole_words() -> None:
    assert places_of("26", "126 26, 26a (26)") == [(4, 6), (13, 15)]
    assert len(places_of("a", "a " * 10_000)) == MAX_PLACES
    assert places_of("a", "a" * 20_000) == []
    assert places_of("(26)", "(26)(26)") == [(0, 4), (4, 8)]


def test_marks_of_quotations_may_overlap() -> None:
    quotations = [({"places": [(0, 2), (4, 6)]}, False), ({"places": [(1, 5)]}, True), ({"places": [(5, 6)]}, False)]
    assert [part[:2] for part in marked("abcdefgh", quotations)] == [
        ("a", "oth"), ("bcde", "tok"), ("f", "oth"), ("gh", ""),
    ]  # fmt: skip
    assert marked("", []) == []
