"""`GET /v1/transactions/aggregate`: sums of transactions, each within one currency and one kind."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import case, func, literal_column, select

from app.core.database.statement_cache import STATEMENTS
from app.core.database.statements import Query, Read
from app.core.errors import ErrorItem, Invalid
from app.core.http.operations import operation
from app.core.http.read_endpoints import OF_LISTS
from app.core.http.responses import read_request, write_response
from app.core.reading.filter_conditions import FilterShape, filter_conditions, filter_shape
from app.core.reading.filter_ids import HINTS_TEXT, Hint, resolve_ids, with_hints
from app.core.reading.parameters import MAX_ITEMS, SEPARATED, Digits, filter_fields, query_model
from app.core.reading.results import ReadRequest, computed
from app.core.values.numbers import Quantity, quantity_shown
from app.figures.transactions import TRANSACTIONS, Transaction

DESCRIPTION = """\
Count and sum of groups of transactions. The filters are those of the list of transactions.

Transactions of different kinds or currencies, and original and revised budgets, are always in different groups, and
are never added to each other. The same payment can be reported by its provider and by its receiver: these are
transactions of different kinds.
"""
MAX_AMOUNTS = 50_000  # different amounts that are read to be added up, in one response
ALWAYS = ("kind", "currency", "budget_type")
TABLE = Transaction.__table__.c  # type: ignore[attr-defined]


def _year(column: Any) -> Any:
    return func.substr(column, literal_column("1"), literal_column("4"))


def _year_of(first: Any, last: Any) -> Any:
    return case((_year(first) == _year(last), _year(first)))


COLUMNS: dict[str, Any] = {
    **{name: TABLE[name] for name in (*ALWAYS, "project", "agreement", "provider", "receiver")},
    "year": func.coalesce(
        _year_of(TABLE.date_earliest, TABLE.date_latest), _year_of(TABLE.period_earliest, TABLE.period_latest)
    ),
}


class TransactionGroup(BaseModel, defer_build=True):
    """The transactions that have one key."""

    key: dict[str, str | None] = Field(
        description="Values of `group_by`, kind, currency and budget_type. `year` is that of the date or the period; "
        "null: it is not within one year."
    )
    count: int = Field(description="Number of transactions in the group.")
    sum: int | float = Field(description="Sum of their amounts, in the currency of the key.")


class TransactionSums(BaseModel, defer_build=True):
    """Groups of transactions."""

    groups: list[TransactionGroup] = Field(description="Groups, ordered by key.")
    more: bool = Field(description="Whether there are more groups than `limit`.")
    hints: list[Hint] = Field(default=[], description=HINTS_TEXT)


class Sums:
    """Sums of the transactions that a list with the same filters returns."""

    @cached_property
    def query(self) -> type[BaseModel]:
        """The model of the query string."""
        fields = filter_fields(TRANSACTIONS.parameters.values())
        choices = "|".join(COLUMNS)
        names = Annotated[str, StringConstraints(pattern=f"^({choices})(,({choices}))*$", max_length=200)]
        text = f"Names to group by, separated by commas: {', '.join(COLUMNS)}. The first three are always added."
        fields["group_by"] = (Annotated[names, SEPARATED], Field(default="kind", description=text))
        fields["limit"] = (Digits, Field(default=MAX_ITEMS, ge=1, le=1000, description="Maximum number of groups."))
        return query_model("TransactionSumsQuery", fields)

    def read(self, query: Any, request: ReadRequest) -> Read:
        """Read the groups with their sums."""
        return (yield from computed(request, lambda: self._read(query)))

    def _read(self, query: Any) -> Read:
        filters = query.model_dump(exclude_none=True, exclude={"group_by", "limit"})
        filters, hints = yield from resolve_ids(TRANSACTIONS.parameters, filters)
        shape, values = filter_shape(TRANSACTIONS.parameters, filters)
        names = tuple(dict.fromkeys([*query.group_by.split(","), *ALWAYS]))
        rows = yield STATEMENTS.query(self._build, names, shape), values
        if len(rows) > MAX_AMOUNTS:
            detail = f"More than {MAX_AMOUNTS} different amounts would be added. Use a narrower filter."
            raise Invalid(ErrorItem(parameter="group_by", code="too_many_figures", detail=detail))
        groups = _groups(names, rows)
        return {"groups": groups[: query.limit], "more": len(groups) > query.limit, **with_hints(hints)}, None

    def _build(self, names: tuple[str, ...], shape: FilterShape) -> Query:
        """Return the statement of the amounts in each group, each with its number. Equal ones are read once."""
        keys = [COLUMNS[name].label(name) for name in names]
        published = select(*keys, TABLE.value.label("value")).where(TABLE.state == literal_column("'published'"))
        amounts = published.where(*filter_conditions(TRANSACTIONS, shape)).subquery()
        columns = [*(amounts.c[name] for name in names), amounts.c.value]
        grouped = select(*columns, func.count()).group_by(*columns)
        for key in columns[:-1]:
            grouped = grouped.order_by(key.is_(None), key)  # NULL last on both engines
        return Query(grouped.limit(literal_column(str(MAX_AMOUNTS + 1))))


def _groups(names: Sequence[str], rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the groups. Amounts are added as decimals, so that no cent is lost."""
    sums: dict[tuple[Any, ...], Decimal] = {}
    counts: dict[tuple[Any, ...], int] = {}
    for *values, value, count in rows:
        key = tuple(values)
        sums[key] = sums.get(key, Decimal(0)) + Decimal(repr(value)) * count
        counts[key] = counts.get(key, 0) + count
    return [_group(dict(zip(names, key, strict=True)), counts[key], total) for key, total in sums.items()]


def _group(key: Mapping[str, Any], count: int, total: Decimal) -> dict[str, Any]:
    return {"key": key, "count": count, "sum": quantity_shown(Quantity(total))[0]}


SUMS = Sums()

router = APIRouter(tags=["analysis"])


@operation(
    router,
    "GET",
    "/v1/transactions/aggregate",
    "Add up transactions",
    about=DESCRIPTION,
    returns=TransactionSums,
    query=lambda: SUMS.query,
    problems=OF_LISTS,
)
async def aggregate_transactions(request: Request, query: BaseModel) -> Response:
    """Return groups of transactions with their sums."""
    return await write_response(request, lambda: SUMS.read(query, read_request(request)), long=True)
