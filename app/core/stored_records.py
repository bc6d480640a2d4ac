"""Selects of records with their stored representations."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Executable, Select, case, func, literal_column, select, union_all

from app.core.change_log import CHANGES
from app.core.database.sql import bounded, unfitted, utf8
from app.core.database.statements import Query
from app.core.model.resource import Resource


def select_stored(resource: Resource, *columns: Any, state: str = "published") -> Select[Any]:
    """Select columns of public records (or drafts), and last the bytes of the representation."""
    return _select(utf8, resource, columns, state)


def select_texts(resource: Resource, *columns: Any, state: str = "published") -> Select[Any]:
    """Select columns of public records (or drafts), and last the text of the representation, for `bounded`."""
    return _select(lambda text: unfitted(text).label("body"), resource, columns, state)


def _select(encode: Callable[[Any], Any], resource: Resource, columns: Sequence[Any], state: str) -> Select[Any]:
    """Select columns, and last the representation.

    The representation is that of the last Change, unless the record was rendered again since.
    """
    table = resource.table
    body = encode(func.coalesce(table.body, CHANGES.c.body))
    statement = select(*columns, body).join(CHANGES, CHANGES.c.sequence == table.change)
    return statement.where(table.state == literal_column(f"'{state}'"))


def select_keys(resource: Resource, *columns: Any, state: str = "published") -> Select[Any]:
    """Select columns of public records (or drafts), and last the id, for `TextsOf`."""
    table = resource.table
    return select(*columns, table.id.label("id")).where(table.state == literal_column(f"'{state}'"))


# Adds the text of the representation to an ordered select of keys. There is one function for each engine.
TextsOf = Callable[[Resource, Select[Any]], Select[Any]]


def _texts_after_sort(resource: Resource, keys: Select[Any]) -> Select[Any]:
    """Read the representations of the rows of a page only.

    SQLite would copy the representation of every matching record if it had to sort them. `typeof` does not read it.
    """
    table = resource.table
    page = keys.add_columns(table.change.label("change"), func.typeof(table.body).label("type_of_body")).subquery()
    rendered = select(table.body).where(table.id == page.c.id).correlate(page).scalar_subquery()
    text = func.coalesce(case((page.c.type_of_body != literal_column("'null'"), rendered)), CHANGES.c.body)
    body = select(unfitted(text)).where(CHANGES.c.sequence == page.c.change).correlate(page).scalar_subquery()
    columns = [column for column in page.c if column.key not in ("change", "type_of_body")]
    return select(*columns, body.label("body"))


def _joined_texts(resource: Resource, keys: Select[Any]) -> Select[Any]:
    """Read the representations in the same select. PostgreSQL sorts references to large texts, not the texts."""
    table = resource.table
    body = unfitted(func.coalesce(table.body, CHANGES.c.body)).label("body")
    return bounded(keys.add_columns(body).join_from(table, CHANGES, CHANGES.c.sequence == table.change))


def ordered_query(
    build: Callable[[TextsOf], Executable],
    *,
    alone: bool = False,
    is_in_index_order: bool = False,
    looks_up: bool = False,
) -> Query:
    """Return the query of a select of ordered keys with their representations. `build` adds them with its argument.

    If an index always has the order, SQLite does not sort, and a page takes a quarter less with `_joined_texts`.
    """
    joined = partial(build, _joined_texts)
    on_sqlite = joined if is_in_index_order else partial(build, _texts_after_sort)
    return Query(on_sqlite, joined, alone=alone, looks_up=looks_up)


def query_in_order(resource: Resource, keys: Select[Any]) -> Query:
    """Return the query of one select of ordered keys, with their representations."""
    return ordered_query(lambda texts_of: texts_of(resource, keys))


def union_in_order(*parts: Select[Any]) -> Any:
    """Return the rows of each select of `TextsOf` or `bounded`, one select after the other.

    Both engines append in this order: on PostgreSQL, readers switch parallel plans off.
    """
    return parts[0] if len(parts) == 1 else union_all(*parts)
