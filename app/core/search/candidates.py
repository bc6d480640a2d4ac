"""The candidates of a stage: the statements that read the next window of them from the index.

A window is up to `WINDOW` records in the order of their docids. `ranking` sorts them.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, case, false, func, literal_column, or_, select, true, union_all

from app.core.database.sql import holds, within_blocks
from app.core.database.statements import Query
from app.core.model.resource import Resource
from app.core.search.query.interpretation import fts5
from app.core.search.tables import BLOCK_BITS, LARGE_BLOCK_BITS, RECORDS, TERMS

_COLUMNS = tuple(RECORDS.c[name] for name in ("docid", "record_id", "names", "texts", "about", "preview"))

WINDOW = 100  # candidates that are ranked together
BLOCKS = 3  # that are searched together: GIN compares each row in one of them with each of them
MAX_BLOCKS = 16  # large ones that the whole range is searched in: a resource with up to a million records

NO_TERMS = "'0'"  # matches nothing: no term starts with 0

_WINDOW: Any = literal_column(str(WINDOW))
_NO_OFFSET: Any = literal_column("0")
_BLOCKS: Any = literal_column(str(BLOCKS))


def window_of_candidates(condition: ColumnElement[bool] | None = None, *, in_blocks: bool = False) -> Query:
    """Return the statement that reads a window of candidates, of all records or of those that fulfil a condition.

    Its values are those of `term_values`, `docid_after` and `docid_upto` (inclusive). PostgreSQL's GIN index does not
    return rows in the order of docid, so the statement gathers all matches. With `in_blocks` it first gathers those in
    the next blocks of docids, then those in the next large blocks, which is enough if many records match, and at last
    those in all large blocks of the range. If there are more than MAX_BLOCKS, it searches the whole index.
    """
    where = [] if condition is None else [condition]
    on_postgresql = _gathered_by_blocks(where) if in_blocks else _gathered(where)
    return Query(_window_on_sqlite(where), on_postgresql)


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


def _gathered_by_blocks(where: Sequence[ColumnElement[bool]]) -> Any:
    """Return the statement for PostgreSQL that searches some blocks, then larger ones, then the whole index.

    It stops as soon as a window is full, or all blocks up to `docid_upto` have been searched.
    """
    windows: list[tuple[Any, Any]] = []
    for name, bits in (("near", BLOCK_BITS), ("far", LARGE_BLOCK_BITS)):
        blocks = _next_blocks(bits, name)
        window = _gathered(where, [within_blocks(bits, select(blocks.c.block))], name).cte(f"{name}_window")
        is_full = select(func.count() >= _WINDOW).select_from(window).scalar_subquery()
        were_all = select(func.count() < _BLOCKS).select_from(blocks).scalar_subquery()
        is_enough = select(or_(is_full, were_all).label("is_enough")).cte(f"{name}_is_enough")
        windows.append((window, select(is_enough.c.is_enough).scalar_subquery()))
    (near, near_is_enough), (far, far_is_enough) = windows
    # PostgreSQL evaluates a CASE in order, so that it searches more blocks only if the first ones are not enough.
    uses_far = case((near_is_enough, false()), else_=far_is_enough)
    uses_all = case((near_is_enough, false()), (far_is_enough, false()), else_=true())
    large_blocks = _next_blocks(LARGE_BLOCK_BITS, "all", MAX_BLOCKS + 1)
    are_few = select(func.count() <= literal_column(str(MAX_BLOCKS))).select_from(large_blocks).scalar_subquery()
    of_range = select(large_blocks.c.block).where(are_few)
    matches = within_blocks(LARGE_BLOCK_BITS, of_range, or_in_any=True)
    in_all = _gathered(where, [matches, uses_all]).subquery("all_window")
    window = union_all(select(near).where(near_is_enough), select(far).where(uses_far), select(in_all))
    return window.order_by(literal_column("docid"))


def _next_blocks(bits: int, name: str, limit: int = BLOCKS) -> Any:
    """Return the numbers of the next blocks with records after `docid_after`.

    A recursive CTE looks up one docid of each block, and has one row more, which is NULL, after the last block.
    """

    def first(after: Any) -> Any:
        row = TERMS.alias()
        query = select(row.c.rowid.op(">>")(literal_column(str(bits))))
        query = query.where(after(row.c.rowid), row.c.rowid <= bindparam("docid_upto"))
        return query.order_by(row.c.rowid).limit(literal_column("1")).scalar_subquery()

    first_block = select(first(lambda docid: docid > bindparam("docid_after")).label("block"))
    every = first_block.cte(f"{name}_every_block", recursive=True)
    first_of_next = (every.c.block + literal_column("1")).op("<<")(literal_column(str(bits)))
    every = every.union_all(select(first(lambda docid: docid >= first_of_next)).where(every.c.block.is_not(None)))
    return (
        select(every.c.block).where(every.c.block.is_not(None)).limit(literal_column(str(limit))).cte(f"{name}_blocks")
    )


def _gathered(
    where: Sequence[ColumnElement[bool]], conditions: Sequence[ColumnElement[Any]] = (), name: str = "all"
) -> Any:
    """Return the statement for PostgreSQL that gathers all matching docids, and looks up the first of them.

    The planner cannot know how many records contain a combination of words, so the statement leaves it no choice.
    """
    gathered = select(TERMS.c.rowid).where(holds(), *conditions).cte(f"{name}_matches").prefix_with("MATERIALIZED")
    in_range = gathered.c.rowid > bindparam("docid_after"), gathered.c.rowid <= bindparam("docid_upto")
    first = select(gathered.c.rowid).where(*in_range).order_by(gathered.c.rowid)
    docids = (first if where else first.limit(_WINDOW)).subquery("docids")
    # LATERAL with OFFSET makes PostgreSQL look up one record after the other, and stop when the window is full.
    looked_up = select(*_COLUMNS).where(RECORDS.c.docid == docids.c.rowid, *where).offset(_NO_OFFSET)
    record = looked_up.lateral("record")
    from_index = select(*record.c).select_from(docids.join(record, true()))
    return from_index.order_by(docids.c.rowid).limit(_WINDOW)
