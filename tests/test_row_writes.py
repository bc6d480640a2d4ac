"""Many rows at once: inserted, updated and deleted as given, on both engines."""

from typing import Any

from sqlalchemy import Table, select

from app.core.database.engine import Database
from app.core.model.resource import RESOURCES
from app.core.model.row_writes import delete_rows, insert_rows, read_rows, update_rows
from app.core.search.tables import RECORDS
from app.core.search.vocabulary import WORDS

ODD = ["", '"', "\\", "{}", "NULL", "%s", "%b", "?", ":a", "đ\u0301", "😀", "a,b", "line\nbreak", "'"]


def test_rows_are_stored_as_given(database: Database) -> None:
    with database.write() as session:
        connection = session.connection()
        insert_rows(connection, WORDS, [{"word": word, "stem": word, "records": 1} for word in ODD])
        update_rows(connection, WORDS, "word", [{"word": word, "records": len(word)} for word in ODD[1:]])
        delete_rows(connection, WORDS, "word", ODD[3:5])
        rows = connection.execute(select(WORDS)).all()
        found = read_rows(connection, WORDS, ("word", "stem", "records"), "word", [*ODD[1:], "absent"])
        assert sorted([*found, ("", "", 1)]) == sorted(map(tuple, rows))
        expected = [(word, word, len(word) if word else 1) for word in ODD if word not in ODD[3:5]]
        assert sorted(map(tuple, rows)) == sorted(expected)
        assert read_rows(connection, WORDS, ("word",), "word", []) == []
        delete_rows(connection, WORDS, "word", ["absent"])
        delete_rows(connection, WORDS, "word", [])
        assert len(connection.execute(select(WORDS)).all()) == len(expected)


def test_bytes_large_numbers_and_absent_values_are_stored(database: Database) -> None:
    values: list[tuple[int, bytes | None]] = [(1, b"\x00\xff"), (2, b""), (2**40, None)]
    texts: dict[str, Any] = {"resource": "projects", "names": "n", "texts": "t", "about": "a", "preview": "{}"}
    rows = [{"docid": docid, "record_id": str(docid), **texts, "stored_terms": terms} for docid, terms in values]
    with database.write() as session:
        insert_rows(session.connection(), RECORDS, rows)
        stored = session.connection().execute(select(RECORDS.c.docid, RECORDS.c.stored_terms).order_by("docid")).all()
        assert list(map(tuple, stored)) == values


def test_numbers_of_a_column_may_be_whole_or_not(database: Database) -> None:
    figures: Table = RESOURCES["figures"].table.__table__
    values: list[float | None] = [1, 2.5, None, -0.1]
    names = ("created_at", "updated_at", "indicator", "unit")
    texts = {**dict.fromkeys(names, "x"), "state": "published", "kind": "actual", "qualifier": "exact"}
    numbers = {"version": 1, "rendering": 1}
    rows = [
        {"id": str(place), **texts, **numbers, "change": place, "value": value} for place, value in enumerate(values)
    ]
    with database.write() as session:
        insert_rows(session.connection(), figures, rows)
        stored = session.connection().execute(select(figures.c.value).order_by(figures.c.id)).scalars().all()
        assert stored == values
        session.rollback()  # there is no such indicator
