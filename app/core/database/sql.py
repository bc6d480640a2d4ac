"""SQL expressions that SQLite and PostgreSQL write differently."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    SelectBase,
    Table,
    Text,
    bindparam,
    func,
    literal_column,
    null,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.visitors import replacement_traverse
from sqlalchemy.types import NullType

from app.core.database.statements import Query

Value = TypeVar("Value")

SHORT_TEXT = 20_000  # bytes: a page of 200 of them is not too large
CHUNK = 500  # values in one statement; SQLite accepts at most 32,766


def chunks(values: Iterable[Value]) -> Iterator[list[Value]]:
    """Yield the values in lists that are short enough for one statement."""
    items = list(values)
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))


class utf8(FunctionElement[bytes]):  # noqa: N801 - named like an SQL function, as are the others
    """A text column as UTF-8 bytes, which takes a third of the time of a string that is then encoded."""

    type = LargeBinary()
    inherit_cache = True


@compiles(utf8, "sqlite")
def _utf8_sqlite(element: FunctionElement[Any], compiler: Any, **kwargs: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **kwargs)} AS BLOB)"


@compiles(utf8, "postgresql")
def _utf8_postgresql(element: utf8, compiler: Any, **kwargs: Any) -> str:
    return f"convert_to({compiler.process(element.clauses, **kwargs)}, 'UTF8')"


class unfitted(FunctionElement[str]):  # noqa: N801
    """A text column inside of a select for `bounded`: bytes on SQLite, and the text on PostgreSQL.

    SQLite needs a tenth more time for a page if it converts the texts outside of the subquery.
    """

    type = Text()
    inherit_cache = True


@compiles(unfitted, "sqlite")
def _unfitted_sqlite(element: unfitted, compiler: Any, **kwargs: Any) -> str:
    return _utf8_sqlite(element, compiler, **kwargs)


@compiles(unfitted, "postgresql")
def _unfitted_postgresql(element: unfitted, compiler: Any, **kwargs: Any) -> str:
    return str(compiler.process(element.clauses, **kwargs))


class fits(FunctionElement[bytes]):  # noqa: N801
    """A text column as UTF-8 bytes, in a statement whose rows may have too many bytes. The column is `unfitted`.

    On SQLite the reader stops, so this is only the column there. On PostgreSQL the statement comes in two forms. The
    usual one returns no bytes for texts of more than SHORT_TEXT. If there is one, the reader runs the exact form, which
    returns no bytes from the row on with which the rows have more than `:most_bytes`; the first text is always there.
    Neither form reads a long text to determine its length. Adding up the lengths takes a tenth of the time of a page.
    """

    type = LargeBinary()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any]) -> None:
        super().__init__(column, bindparam("most_bytes", type_=BigInteger()))


@compiles(fits, "sqlite")
def _fits_sqlite(element: fits, compiler: Any, **kwargs: Any) -> str:
    return str(compiler.process(next(iter(element.clauses)), **kwargs))


@compiles(fits, "postgresql")
def _fits_postgresql(element: fits, compiler: Any, *, exact: bool = False, **kwargs: Any) -> str:
    text, bound = element.clauses
    column = compiler.process(text, **kwargs)
    length = f"octet_length({column})"
    condition = f"{length} > {SHORT_TEXT}"
    if exact:
        total = f"sum({length}) OVER (ROWS UNBOUNDED PRECEDING)"
        condition = f"{total} > {compiler.process(bound, **kwargs)} AND {total} > {length}"
    return f"CASE WHEN {condition} THEN ''::bytea ELSE convert_to({column}, 'UTF8') END"


def bounded_query(statement: Select[Any], *, looks_up: bool = False) -> Query:
    """Return the query of a select whose rows may have too many bytes. Its last column is `unfitted`."""
    return Query(statement, on_postgresql=bounded(statement), looks_up=looks_up)


def bounded(statement: Select[Any]) -> Select[Any]:
    """Return the rows of a select in their order, with `fits` applied to the last column if it is a text.

    SQLite copies the rows of such a subquery, so `bounded_query` does without it.
    """
    *columns, last = statement.subquery().c
    return select(*columns, last if isinstance(last.type, LargeBinary) else fits(last).label(last.key))


class unindexed(FunctionElement[Any]):  # noqa: N801
    """A column whose index SQLite does not use, because without statistics it would choose the wrong index."""

    type = NullType()
    inherit_cache = True


@compiles(unindexed, "sqlite")
def _unindexed_sqlite(element: unindexed, compiler: Any, **kwargs: Any) -> str:
    return f"+{compiler.process(element.clauses, **kwargs)}"


@compiles(unindexed, "postgresql")
def _unindexed_postgresql(element: unindexed, compiler: Any, **kwargs: Any) -> str:
    return str(compiler.process(element.clauses, **kwargs))


def unindexed_in(table: Table, condition: Any) -> Any:
    """Return a condition whose columns of this table are `unindexed`."""

    def replacement(element: Any, **_: Any) -> Any:
        return unindexed(element) if isinstance(element, Column) and element.table is table else None

    return replacement_traverse(condition, {}, replacement)


class equal_in_part(FunctionElement[Any]):  # noqa: N801
    """The condition that two columns are equal, for which SQLite uses a partial index of the first one.

    It would prefer the index of all rows, since their values are unique.
    """

    type = NullType()
    inherit_cache = True


@compiles(equal_in_part, "sqlite")
def _equal_in_part_sqlite(element: equal_in_part, compiler: Any, **kwargs: Any) -> str:
    column, value = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"{column} BETWEEN {value} AND {value}"


@compiles(equal_in_part, "postgresql")
def _equal_in_part_postgresql(element: equal_in_part, compiler: Any, **kwargs: Any) -> str:
    column, value = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"{column} = {value}"


class position_of(FunctionElement[int]):  # noqa: N801
    """The position of a text in another one, from 1; 0 if it does not occur."""

    type = Integer()
    inherit_cache = True


@compiles(position_of, "sqlite")
def _position_of_sqlite(element: position_of, compiler: Any, **kwargs: Any) -> str:
    return f"instr({compiler.process(element.clauses, **kwargs)})"


@compiles(position_of, "postgresql")
def _position_of_postgresql(element: position_of, compiler: Any, **kwargs: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **kwargs)})"


class joined(FunctionElement[str]):  # noqa: N801
    """The texts of a column in a group, in one text with spaces between them. NULL is an empty text.

    Several such columns of a statement have the same order.
    """

    type = Text()
    inherit_cache = True


@compiles(joined, "sqlite")
def _joined_sqlite(element: joined, compiler: Any, **kwargs: Any) -> str:
    return f"group_concat(coalesce({compiler.process(element.clauses, **kwargs)}, ''), ' ')"


@compiles(joined, "postgresql")
def _joined_postgresql(element: joined, compiler: Any, **kwargs: Any) -> str:
    return f"string_agg(coalesce({compiler.process(element.clauses, **kwargs)}, ''), ' ')"


class one_of(FunctionElement[Any]):  # noqa: N801
    """The condition that a column equals one value of the list bound as `name`, for lists of any length.

    PostgreSQL estimates the rows from the values, and plans such a statement again each time. In a query that
    `looks_up`, the values come from a subquery, from which it can estimate nothing.
    """

    type = NullType()  # for a Boolean, SQLAlchemy would append `= 1` on SQLite, and no index could be used
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        super().__init__(column, bindparam(name))


@compiles(one_of, "sqlite")
def _one_of_sqlite(element: one_of, compiler: Any, **kwargs: Any) -> str:
    column, values = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"


@compiles(one_of, "postgresql")
def _one_of_postgresql(element: one_of, compiler: Any, *, looks_up: bool = False, **kwargs: Any) -> str:
    column, values = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"{column} = ANY((SELECT {values})::text[])" if looks_up else f"{column} = ANY({values})"


class in_gathered(FunctionElement[Any]):  # noqa: N801
    """The condition that a column is one of the ids that a statement returns, which PostgreSQL gathers first.

    The planner cannot know how many nodes of a tree there are, and reads whole tables. The ids of an array are looked
    up in the index. They must be few, because the array is in memory.
    """

    type = NullType()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], ids: SelectBase) -> None:
        super().__init__(column, ids.scalar_subquery())


@compiles(in_gathered, "sqlite")
def _in_gathered_sqlite(element: in_gathered, compiler: Any, **kwargs: Any) -> str:
    column, ids = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"{column} IN {ids}"


@compiles(in_gathered, "postgresql")
def _in_gathered_postgresql(element: in_gathered, compiler: Any, **kwargs: Any) -> str:
    column, ids = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"{column} = ANY(ARRAY{ids})"


class in_order_of(FunctionElement[Any]):  # noqa: N801
    """The condition that a column, by which the rows are sorted, is one of the ids that a statement returns.

    PostgreSQL reads distinct ids in the order of their index, and only as many as the rows of the page need. Otherwise
    it sorts all of them, or goes through the table to find the next one.
    """

    type = NullType()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], ids: Any) -> None:
        distinct = select(*ids.subquery().c).distinct()
        super().__init__(column, ids.scalar_subquery(), distinct.scalar_subquery())


@compiles(in_order_of, "sqlite")
def _in_order_of_sqlite(element: in_order_of, compiler: Any, **kwargs: Any) -> str:
    column, ids, _ = element.clauses
    return f"{compiler.process(column, **kwargs)} IN {compiler.process(ids, **kwargs)}"


@compiles(in_order_of, "postgresql")
def _in_order_of_postgresql(element: in_order_of, compiler: Any, **kwargs: Any) -> str:
    column, _, ids = element.clauses
    return f"{compiler.process(column, **kwargs)} IN {compiler.process(ids, **kwargs)}"


class holds(FunctionElement[Any]):  # noqa: N801
    """The condition that a row of the search index matches `:fts5` (SQLite) or `:tsquery` (PostgreSQL)."""

    type = NullType()
    inherit_cache = True

    def __init__(self) -> None:
        super().__init__(bindparam("fts5"), bindparam("tsquery"))


@compiles(holds, "sqlite")
def _holds_sqlite(element: holds, compiler: Any, **kwargs: Any) -> str:
    fts5, _ = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"search_terms MATCH {fts5}"


@compiles(holds, "postgresql")
def _holds_postgresql(element: holds, compiler: Any, **kwargs: Any) -> str:
    tsquery = compiler.process(list(element.clauses)[1], **kwargs)
    return f"search_terms.terms @@ CAST({tsquery} AS tsquery)"


def block_term(bits: int, block: str) -> str:
    """Return, as SQL for PostgreSQL, the term of a block in the search index: the rows whose ids differ in these bits.

    `block` is SQL for its number, which is the id without the bits. No other term starts with `#`.
    """
    return f"('#{bits}/' || {block})"


class within_blocks(FunctionElement[Any]):  # noqa: N801
    """The condition, on PostgreSQL, that a row of the search index is in one of some blocks.

    `blocks` returns their numbers in the column `block`. If it returns none, no row is in them; with `or_in_any`, the
    row can then be in any block, and the condition is `holds`.

    It is combined with `holds`, not with its expression: GIN then goes through the matches of both in turn, and skips
    what is not in the other. In one expression it would compare each row of the blocks.
    """

    type = NullType()
    inherit_cache = True

    def __init__(self, bits: int, blocks: Select[Any], *, or_in_any: bool = False) -> None:
        quoted: ColumnElement[str] = literal_column(f"quote_literal({block_term(bits, 'block')})")
        any_block = select(func.string_agg(quoted, literal_column("'|'"))).select_from(blocks.subquery("searched"))
        otherwise = bindparam("tsquery") if or_in_any else null()
        super().__init__(any_block.scalar_subquery(), otherwise)


@compiles(within_blocks, "postgresql")
def _within_blocks(element: within_blocks, compiler: Any, **kwargs: Any) -> str:
    terms = ", ".join(f"CAST({compiler.process(clause, **kwargs)} AS tsquery)" for clause in element.clauses)
    return f"search_terms.terms @@ coalesce({terms})"
