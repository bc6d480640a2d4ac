"""The search index: what it is after any writes is what indexing everything anew would make it."""

import json
import string
import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import OSA
from sqlalchemy import Connection, select, text, update

from app.catalogue import RESOURCES as DECLARED
from app.core.database.engine import Database
from app.core.database.sql import holds
from app.core.errors import Unavailable
from app.core.maintenance.schema import migrate
from app.core.model.resource import RESOURCES
from app.core.model.texts import name_texts, other_texts
from app.core.search import filling, index, stored_terms, vocabulary
from app.core.search.about import facts_of
from app.core.search.entries import INDEXING, MAX_ENTRY_SIZE, IndexEntry, words_in
from app.core.search.filling import fill_index
from app.core.search.index import add_terms, clear_index
from app.core.search.query.concepts import Alternative, Concept
from app.core.search.query.interpretation import all_concepts, fts5
from app.core.search.tables import BLOCK_BITS, LARGE_BLOCK_BITS, RECORDS, REFERENCE_DATA, STATE, TERMS
from app.core.search.tokens import (
    NAME,
    PAIR_JOINT,
    SPELLING,
    WHOLE_NAME,
    code_term,
    link_text,
    name_terms,
    own_text,
    spellings_in,
    tokenize,
)
from app.core.search.vocabulary import PAIRS, WORDS, letter_pairs, nearest, similarity_values
from app.core.writing.batch import Batch
from app.core.writing.representation import accepted_fields, render
from seed.files import Dataset
from seed.loader import load
from tests.support.databases import NewDatabase, migrate_down, url_of
from tests.support.http import client_of
from tests.support.selection import examples

PARTNERS = RESOURCES["partners"]


def terms_in(connection: Connection) -> list[tuple[int, str]]:
    """The terms that the engine holds, each with its docid."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("CREATE VIRTUAL TABLE temp.shown USING fts5vocab(main, search_terms, instance)"))
        found = connection.execute(text("SELECT doc, term FROM temp.shown")).all()
        connection.execute(text("DROP TABLE temp.shown"))
    else:
        found = connection.execute(text("SELECT rowid, unnest(tsvector_to_array(terms)) FROM search_terms")).all()
    terms = [(docid, term) for docid, term in found]
    blocks = {(docid, f"#{bits}/{docid >> bits}") for docid, _ in terms for bits in (BLOCK_BITS, LARGE_BLOCK_BITS)}
    assert {each for each in terms if each[1][0] == "#"} == (set() if connection.dialect.name == "sqlite" else blocks)
    return [each for each in terms if each[1][0] != "#"]


def held(database: Database) -> dict[str, Any]:
    """Everything in the index, by record instead of docid."""
    with database.write() as session:
        connection = session.connection()
        records = {row.docid: row for row in connection.execute(select(RECORDS))}
        kept: dict[tuple[str, str], set[str]] = {}
        for docid, term in terms_in(connection):
            kept.setdefault((records[docid].resource, records[docid].record_id), set()).add(term)
        assert len(kept) == len(records)
        return {
            "terms": kept,
            "rows": {(row.resource, row.record_id): row[3:] for row in records.values()},
            "reference data": {row.record_id for row in records.values() if row.docid >= REFERENCE_DATA},
            "words": sorted(map(tuple, connection.execute(select(WORDS)))),
            "pairs": sorted(map(tuple, connection.execute(select(PAIRS)))),
        }


def entry_of(resource: Any, record_id: str, fields: Any) -> IndexEntry:
    record = json.loads(render(resource, record_id, fields, 1, "", ""))
    facts = facts_of(resource, record)
    return IndexEntry.of(resource, record, facts, dict.fromkeys(facts.references, "A linked name"))


def index_anew(database: Database) -> None:
    with database.write() as session:
        session.connection().execute(update(STATE).values(indexing=0))
    fill_index(database)


def test_the_index_of_the_dataset_is_what_indexing_anew_makes(seeded_database: Database, dataset: Dataset) -> None:
    before = held(seeded_database)
    assert set(before["terms"]) == set(dataset.records)
    index_anew(seeded_database)
    assert held(seeded_database) == before


WRITES = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", "d"]),
            st.sampled_from(["put", "put", "put", "draft", "delete"]),
            st.sampled_from(["Bộ Công Thương", "Bộ Công An", "Đường", "Dương dương", "10 - 20", "…", "Thuỷ"]),
            st.sampled_from([None, "Công ty", "khu công nghiệp sinh thái", "x" * 50]),
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda each: each[0],
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=examples(12), deadline=None, suppress_health_check=list(HealthCheck))
@given(WRITES)
def test_the_index_after_any_writes_is_what_indexing_anew_makes(
    new_database: NewDatabase, migrated: str, transactions: list[list[tuple[str, str, str, str | None]]]
) -> None:
    database = Database(new_database(migrated))
    for writes in transactions:
        with database.write() as session:
            batch = Batch(session, "test")
            present = batch.stored(PARTNERS, [each[0] for each in writes])
            for key, action, name, description in writes:
                if action == "delete":
                    if key in present:
                        batch.delete(PARTNERS, key, present[key])
                    continue
                fields = {
                    "name": {"vi": name},
                    "kind": "company",
                    "description": {"en": description} if description else None,
                    "state": "draft" if action == "draft" else "published",
                }
                batch.put(PARTNERS, key, PARTNERS.fields.model_validate(fields), present.get(key))
            batch.flush()
    before = held(database)
    index_anew(database)
    assert held(database) == before
    database.close()


def test_terms_are_stored_with_what_many_records_have_in_common(
    seeded_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite stores the terms: smaller once there are enough records, and without what was removed everywhere."""
    named = {f"firm-{number}": {"vi": f"Xưởng Commonfirm {number}"} for number in range(50)}
    is_sqlite = seeded_database.is_sqlite

    def put(*ids: str) -> None:
        with seeded_database.write() as session:
            batch = Batch(session, "test")
            for key in ids:
                fields = PARTNERS.fields.model_validate({"name": named[key], "kind": "company"})
                batch.put(PARTNERS, key, fields, None)
            batch.flush()

    def stored() -> tuple[int, bytes]:
        """Return the bytes of the terms of the dataset, and the dictionary."""
        with seeded_database.write() as session:
            terms = session.scalars(select(RECORDS.c.stored_terms).where(RECORDS.c.record_id.not_in(named)))
            return sum(len(each or b"") for each in terms), session.scalar(select(STATE.c.dictionary)) or b""

    put(*list(named)[1:])
    without, none = stored()
    assert none == b""
    monkeypatch.setattr(stored_terms, "MIN_RECORDS", 100)
    put("firm-0")
    smaller, dictionary = stored()
    assert smaller < 0.6 * without or not is_sqlite
    assert (b"commonfirm" in dictionary) == is_sqlite
    with seeded_database.write() as session:
        batch = Batch(session, "test")
        for key, present in batch.stored(PARTNERS, named).items():
            batch.delete(PARTNERS, key, present)
        batch.flush()
        clear_index(session.connection())
    _, again = stored()
    assert bool(again) == is_sqlite
    assert b"commonfirm" not in again
    monkeypatch.setattr(stored_terms, "RESOURCES", {"partners": PARTNERS})
    monkeypatch.setattr(stored_terms, "SAMPLES", 3)  # as if only three records were left
    with seeded_database.write() as session:
        clear_index(session.connection())
    assert stored() == (without, b"")
    monkeypatch.undo()
    before = held(seeded_database)
    index_anew(seeded_database)
    after = held(seeded_database)
    assert {key: row[:-1] for key, row in before.pop("rows").items()} == {
        key: row[:-1] for key, row in after.pop("rows").items()
    }
    assert before == after


def test_a_write_that_fails_leaves_the_index_as_it_was(seeded_database: Database) -> None:
    before = held(seeded_database)

    def attempt() -> None:
        with seeded_database.write() as session:
            batch = Batch(session, "test")
            present = batch.stored(PARTNERS, ["unido"])["unido"]
            fields = accepted_fields(PARTNERS, present.body)
            batch.put(PARTNERS, "unido", fields.model_copy(update={"name": {"en": "Quixotry"}}), present)
            batch.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        attempt()
    assert held(seeded_database) == before


def test_a_program_that_indexes_otherwise_asks_for_migrate(
    seeded_database: Database, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (index, filling):
        monkeypatch.setattr(module, "INDEXING", INDEXING + 1)
    with pytest.raises(Unavailable, match="migrate"), seeded_database.write() as session:
        index.update_index(session.connection(), [])
    before = held(seeded_database)
    assert fill_index(seeded_database) == len(dataset.records)
    assert held(seeded_database) == before
    assert fill_index(seeded_database) == 0
    load(seeded_database, dataset)


def test_search_waits_for_a_complete_index(seeded_database: Database) -> None:
    with client_of(url_of(seeded_database)) as client:
        with seeded_database.write() as session:
            session.connection().execute(update(STATE).values(complete=False))
        for path in ("/v1/search?q=unido", "/v1/partners?q=unido"):
            response = client.get(path)
            assert (response.status_code, response.json()["code"]) == (503, "unavailable")
            assert "migrate" in response.json()["detail"]
        assert client.get("/v1/partners").status_code == 200
        fill_index(seeded_database)
        assert client.get("/v1/search?q=unido").status_code == 200


def test_a_record_of_any_size_can_be_indexed(database: Database) -> None:
    texts = {
        tag: " ".join(f"{tag}{number}ệẬ" for number in range(1, 2000)) for tag in ("vi", "en", "fr", "de", "es", "it")
    }
    fields = {"name": {"vi": "Một bản ghi dài"}, "aliases": ["ư" * 900], "kind": "company", "description": texts}
    with database.write() as session:
        batch = Batch(session, "test")
        for key in ("long", "longer"):
            batch.put(PARTNERS, key, PARTNERS.fields.model_validate({**fields, "description": None}), None)
        batch.flush()
        parsed = PARTNERS.fields.model_validate(fields)
        batch.put(PARTNERS, "long", parsed, batch.stored(PARTNERS, ["long"])["long"])
        batch.flush()
    entry = entry_of(PARTNERS, "long", parsed)
    assert MAX_ENTRY_SIZE - 100 < len(entry.terms) <= MAX_ENTRY_SIZE
    assert set(entry.words) == words_in(entry.terms)
    assert held(database)["terms"]["partners", "long"] == set(entry.terms.split(" "))


# -- what is indexed -----------------------------------------------------------------------------------------------


def test_each_resource_says_what_names_it_and_stands_for_it() -> None:
    assert sorted(resource.number for resource in DECLARED) == list(range(1, len(DECLARED) + 1))
    for resource in DECLARED:
        assert set(resource.names or resource.heading) <= set(resource.fields.model_fields)
        assert resource.names or resource.heading


def test_texts_are_told_by_their_types(dataset: Dataset) -> None:
    fields = dataset.records["agreements", "eco-industrial-parks-mou-2024-2028"]
    agreements = RESOURCES["agreements"]
    record = json.loads(render(agreements, "x", fields, 1, "", ""))
    assert [path for path, _ in name_texts(agreements, record)] == ["title.vi", "title.en"]
    paths = {path for path, _ in other_texts(agreements, record)}
    assert {"description.vi", "signatories[0].name", "citations[0].as_written"} <= paths
    assert not [path for path in paths if path.startswith(("kind", "parties[0].partner", "citations[0].document"))]
    assert not [path for path in paths if "supports" in path or "basis" in path]


@pytest.mark.parametrize("resource", DECLARED, ids=lambda resource: resource.name)
def test_each_record_has_terms_of_its_names_and_texts(dataset: Dataset, resource: Any) -> None:
    for record_id, fields in dataset.of(resource.name).items():
        entry = entry_of(resource, record_id, fields)
        assert entry.terms.startswith(WHOLE_NAME)
        assert bool(resource.names) == (f" {NAME}" in entry.terms)
        assert set(entry.words) >= {term[1:] for term in entry.terms.split() if term[0] == NAME}
        assert set(entry.words) == words_in(entry.terms)  # by which they are removed


# -- words ---------------------------------------------------------------------------------------------------------


def terms_of(said: str) -> set[str]:
    """Return all terms that a text can have in the index."""
    return {*name_terms(tokenize(said)), *own_text(said).terms, *link_text(said).terms, code_term(tokenize(said))}


@given(st.text())
def test_every_term_is_one_token_on_both_engines(said: str) -> None:
    assert_are_tokens(terms_of(said))


def assert_are_tokens(found: set[str]) -> None:
    """Letters, digits and marks only: neither engine takes such a term apart or changes it."""
    for term in found:
        assert term[0] in "123456789"
        assert not set(term) & set(string.punctuation + string.whitespace + string.ascii_uppercase), term
        assert all(each.isalnum() or each == PAIR_JOINT or unicodedata.category(each)[0] == "M" for each in term[1:]), (
            term
        )
        assert len(term.encode()) < 2000


PLANE = 0x10000
CHARACTERS = [chr(code) for code in range(1, PLANE) if not 0xD800 <= code < 0xE000]  # all of the basic plane
CHARACTERS += [chr(code) for code in range(PLANE, sys.maxunicode, 17)]
PIECES = [CHARACTERS[start : start + 2_000] for start in range(0, len(CHARACTERS), 2_000)]


def test_no_character_makes_a_term_that_is_no_token() -> None:
    for piece in PIECES:
        text = "".join(f"{character} a{character}b " for character in piece)
        assert_are_tokens(terms_of(text))


def test_blocks_are_added_to_an_index_of_before(seeded_database: Database) -> None:
    complete = held(seeded_database)
    migrate_down(seeded_database, "0017")
    migrate(seeded_database)
    assert held(seeded_database) == complete
    assert fill_index(seeded_database) == 0


def test_both_engines_hold_and_find_the_same_terms_of_every_character(database: Database) -> None:
    numbered = {docid: set(own_text(" ".join(piece)).terms) for docid, piece in enumerate(PIECES, 1)}
    entries = {docid: found for docid, found in numbered.items() if found}
    with database.write() as session:
        connection = session.connection()
        add_terms(connection, [(docid, " ".join(found)) for docid, found in entries.items()])
        stored: dict[int, set[str]] = {}
        for docid, term in terms_in(connection):
            stored.setdefault(docid, set()).add(term)
        assert stored == entries
        for docid, found in entries.items():
            query = " & ".join(f"'{term}'" for term in found)
            statement = select(TERMS.c.rowid).where(holds())
            parameters = {"fts5": fts5(query), "tsquery": query}
            assert docid in connection.scalars(statement, parameters).all()


@given(st.text())
def test_words_are_alike_for_every_form_of_a_text(said: str) -> None:
    assert (
        tokenize(unicodedata.normalize("NFC", said)) == tokenize(unicodedata.normalize("NFD", said)) == tokenize(said)
    )


@given(st.text())
def test_folding_words_again_changes_nothing(said: str) -> None:
    folded = [each.folded for each in tokenize(said)]
    assert [each.folded for each in tokenize(" ".join(folded))] == folded


@pytest.mark.parametrize(
    ("one", "other"),
    [("hòa", "hoà"), ("thủy", "thuỷ"), ("khóa", "khoá"), ("ủy", "uỷ"), ("kỹ", "kĩ"), ("Mỹ", "mĩ"), ("lý", "lí"),
     ("quý", "quí"), ("Quy", "qui"),
     ("sỹ", "sĩ"), ("tỷ", "tỉ"), ("Đ", "đ"), ("QUỲNH", "quỳnh"), ("Ð", "đ")],
)  # fmt: skip
def test_spellings_of_one_word_are_one_word(one: str, other: str) -> None:
    assert tokenize(one) == tokenize(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("đường", "dương"), ("bò", "bộ"), ("uy", "ui"), ("tay", "tai"), ("thúy", "thúi"), ("y", "i"), ("quây", "quâi")],
)
def test_other_words_stay_other_words(one: str, other: str) -> None:
    assert tokenize(one)[0].exact != tokenize(other)[0].exact


@pytest.mark.parametrize(
    ("text_", "found"),
    [
        ("Bộ Công-Thương (MOIT)", ["bo", "cong", "thuong", "moit"]),
        ("35/2022/NĐ–CP", ["35", "2022", "nd", "cp"]),
        ("中国商务部", ["中", "国", "商", "务", "部"]),
        ("삼성 Ørsted Łódź", ["삼성", "orsted", "lodz"]),
        ("a_b c'd", ["a", "b", "c", "d"]),
        ("", []),
    ],
)
def test_words_of_a_text(text_: str, found: list[str]) -> None:
    assert [each.folded for each in tokenize(text_)] == found


# -- slips ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [("samsng", "samsung", 1), ("uniddo", "unido", 1), ("abcd", "acbd", 1), ("abcd", "abcd", 0), ("ab", "", 2),
     ("kitten", "sitting", 3), ("abc", "cab", 2)],
)  # fmt: skip
def test_distance(one: str, other: str, slips: int) -> None:
    assert OSA.distance(one, other) == OSA.distance(other, one) == slips


LETTERS = st.text(string.ascii_lowercase, min_size=4, max_size=12)


@given(LETTERS, st.integers(0, 3), st.data())
def test_a_word_with_as_many_slips_as_are_forgiven_is_always_a_candidate(word: str, kind: int, data: Any) -> None:
    typed = word
    for _ in range(1):
        place = data.draw(st.integers(0, len(typed) - 2))
        letter = data.draw(st.sampled_from(string.ascii_lowercase))
        typed = [
            typed[:place] + letter + typed[place:],
            typed[:place] + typed[place + 1 :],
            typed[:place] + letter + typed[place + 1 :],
            typed[:place] + typed[place + 1] + typed[place] + typed[place + 2 :],
        ][kind]
    if len(typed) < 4:
        return
    asked: Any = similarity_values(typed)
    assert len(set(asked["pairs"]) & set(letter_pairs(word))) >= asked["shared"]
    assert asked["shortest"] <= len(word) <= asked["longest"]
    assert nearest(typed, [(word, 1)]) == (word if typed[0] == word[0] else None)


def test_an_alternative_that_contains_another_is_not_looked_for() -> None:
    written = ["memorandum", "memorandum of understanding", "memo", "biên bản"]
    alternatives = tuple(Alternative(tuple(tokenize(text)), 1.0) for text in written)
    concept = Concept("memorandum", alternatives, 1.0, 200)
    understood = all_concepts("all_words", None, alternatives[0].tokens, [concept], total=1000, has_name=False)
    assert understood.stage(1).terms == "('2memorandum' | '2memo' | ('4biên' & '4bản' & '8·bien·ban'))".replace(
        "biên' & '4bản", f"{written[3].split()[0]}' & '4{tokenize('bản')[0].exact}"
    )


@given(st.text(st.sampled_from("aB9_ế²½\u0301漢・カ -/–.(\n"), max_size=30))
def test_words_are_found_in_any_text(written: str) -> None:
    text_in_nfc = unicodedata.normalize("NFC", written)
    assert spellings_in(text_in_nfc) == SPELLING.findall(text_in_nfc)


def test_of_words_equally_near_the_most_frequent_is_meant() -> None:
    assert nearest("sola", [("solo", 3), ("solar", 9), ("polar", 99)]) == "solar"
    assert nearest("abc", [("abd", 1)]) is None
    assert nearest("2021", [("2022", 1)]) is None
    assert vocabulary.tolerance("2022") == 0
