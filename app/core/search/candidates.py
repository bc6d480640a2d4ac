"""The candidates of a stage: the statements that read the next window of them from the index.

A window is up to `WINDOW` records in the order of their docids. `ranking` sorts them.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, literal_column, select, true, union_all

from app.core.database.sql import holds, holds_unindexed
from app.core.database.statements import Query
from app.core.model.resource import Resource
from app.core.search.query.interpretation import fts5
from app.core.search.tables import RECORDS, TERMS

_COLUMNS = tuple(RECORDS.c[name] for name in ("docid", "record_id", "names", "texts", "about", "preview"))

WINDOW = 100  # candidates that are ranked together
# Rows that PostgreSQL checks in order before it uses its index: 4 and 24 ms.
FEW_WALKED_ROWS = 500
WALKED_ROWS = 3_000

NO_TERMS = "'0'"  # matches nothing: no term starts with 0

_WINDOW: Any = literal_column(str(WINDOW))
_NO_OFFSET: Any = literal_column("0")


def window_of_candidates(condition: ColumnElement[bool] | None = None, *, walked: int = 0) -> Query:
    """Return the statement that reads a window of candidates, of all records or of those that fulfil a condition.

    Its values are those of `term_values`, `docid_after` and `docid_upto` (inclusive). PostgreSQL's GIN index does not
    return rows in the order of docid. So the statement either gathers all matches, or first checks this number of rows
    (`walked`) one after the other, which fills a window if many records match.
    """
    where = [] if condition is None else [condition]
    on_postgresql = _walked_on_postgresql(where, walked) if walked else _gathered_on_postgresql(where)
    return Query(_window_on_sqlite(where), on_postgresql)


def _literal(number: int) -> Any:
    """Return a number as a literal and not a bound value, so that the planner knows it."""
    return literal_column(str(number))


def is_match(resource: Resource) -> ColumnElement[bool]:
    """Return the condition that a record is a hit, for the values of `Ranking.match_values`."""
    where = [RECORDS.c.resource == literal_column(f"'{resource.name}'")] if resource.is_reference_data else []
    return resource.table.id.in_(_matches(select(RECORDS.c.record_id), where))  # type: ignore[no-any-return]


def term_values(terms: str) -> dict[str, str]:
    """Return the values with which the statements search for this expression of terms."""
    return {"fts5": fts5(terms), "tsquery": terms}


def _matches(statement: Select[Any], where: Iterable[ColumnElement[bool]]) -> Select[Any]:
    # Every row has a record, so an inner join would return the same. With the outer join SQLite starts with the terms.
    joined = statement.select_from(TERMS).outerjoin(RECORDS, RECORDS.c.docid == TERMS.c.rowid)
    return joined.where(holds(), *_between("docid_after", "docid_upto"), *where)


def _between(after: str, upto: str) -> list[ColumnElement[bool]]:
    return [TERMS.c.rowid > bindparam(after), TERMS.c.rowid <= bindparam(upto)]


def _window_on_sqlite(where: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """Return the statement for SQLite. FTS5 returns matching rows in the order of docid and stops after the window."""
    return _matches(select(*_COLUMNS), where).order_by(TERMS.c.rowid).limit(_WINDOW)


def _walked_on_postgresql(where: Sequence[ColumnElement[bool]], walked_rows: int) -> Any:
    """Return the statement for PostgreSQL that walks: it checks the terms of the next rows in order.

    If that does not fill the window, it gathers.
    """
    next_rows = select(TERMS.c.rowid, TERMS.c.terms).where(*_between("docid_after", "docid_upto"))
    ahead = next_rows.order_by(TERMS.c.rowid).limit(_literal(walked_rows)).subquery("ahead")
    checked = select(*_COLUMNS).join(ahead, ahead.c.rowid == RECORDS.c.docid)
    checked = checked.where(holds_unindexed(ahead.c.terms), *where)
    walked = checked.order_by(RECORDS.c.docid).limit(_WINDOW).cte("walked")
    is_full = select(func.count() >= _WINDOW).select_from(walked).scalar_subquery()
    window = union_all(select(walked).where(is_full), _gathered_on_postgresql(where, ~is_full))
    return window.order_by(literal_column("docid"))


def _gathered_on_postgresql(where: Sequence[ColumnElement[bool]], *conditions: ColumnElement[bool]) -> Any:
    """Return the statement for PostgreSQL that gathers all matching docids, and looks up the first of them.

    The planner cannot know how many records contain a combination of words, so the statement leaves it no choice.
    """
    gathered = select(TERMS.c.rowid).where(holds(), *conditions).cte("gathered").prefix_with("MATERIALIZED")
    in_range = gathered.c.rowid > bindparam("docid_after"), gathered.c.rowid <= bindparam("docid_upto")
    first = select(gathered.c.rowid).where(*in_range).order_by(gathered.c.rowid)
    docids = (first if where else first.limit(_WINDOW)).subquery("docids")
    # LATERAL with OFFSET makes PostgreSQL look up one record after the other, and stop when the window is full.
    looked_up = select(*_COLUMNS).where(RECORDS.c.docid == docids.c.rowid, *where).offset(_NO_OFFSET)
    record = looked_up.lateral("record")
    from_index = select(*record.c).select_from(docids.join(record, true()))
    return from_index.order_by(docids.c.rowid).limit(_WINDOW)
