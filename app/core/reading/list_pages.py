"""One page of a list: its filters, sort, cursor and limit, and the path of the next page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from app.core.access.caller import Caller
from app.core.database.statements import Read
from app.core.error_codes import ERROR_DETAILS
from app.core.errors import BadCursor, ErrorItem, Invalid
from app.core.model.resource import Resource
from app.core.reading.cursors import Cursors, CursorSigner
from app.core.reading.filter_conditions import ALL, DRAFTS, OWN, FilterShape, filter_shape
from app.core.reading.filter_ids import resolve_ids
from app.core.reading.shapes import Shape
from app.core.reading.sorts import Sort, is_number, nullable
from app.core.search.ranking import SearchPosition


@dataclass
class ListPage:
    """A requested page: the shape, which decides the statement, and the values to bind.

    `fixed_filters` are the filters that the path states, such as the parent of a nested list.
    """

    resource: Resource
    query: Any
    fixed_filters: Mapping[str, Any]
    path: str
    signer: CursorSigner
    shape: FilterShape = ()
    values: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    hints: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = self.query.model_fields_set
        self._filters = {name: getattr(self.query, name) for name in self.resource.parameters if name in names}
        self.shape, self.values = filter_shape(self.resource.parameters, {**self.fixed_filters, **self._filters})
        self.sort = Sort.of(self.query.sort)
        self.limit = self.query.limit
        if self.query.cursor is not None:
            self.after = dict(zip(("after_value", "after_id"), self._read(self.query.cursor), strict=True))

    def _resolve_ids(self) -> Read:
        """Replace the ids of merged records in the filters, and find the hints."""
        if not any(self.resource.parameters[name].target for name in self._filters):
            return
        filters, self.hints = yield from resolve_ids(self.resource.parameters, self._filters)
        self.shape, self.values = filter_shape(self.resource.parameters, {**self.fixed_filters, **filters})

    @cached_property
    def query_pairs(self) -> list[tuple[str, str]]:
        """The parameters of the request to which a cursor is bound."""
        pairs = [(name, value) for name, value in self._filters.items() if not isinstance(value, list)]
        for name, values in self._filters.items():
            if isinstance(values, list):
                pairs += [(name, value) for value in values]
        if self.query.q is not None:
            pairs.append(("q", self.query.q))
        names = self.query.model_fields_set
        return [*pairs, *((name, getattr(self.query, name)) for name in ("state", "sort") if name in names)]

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts of the list that the page can contain: records with a value to sort by, then those without."""
        may_lack = nullable(self.resource.all_sorts[self.sort.name])
        if not self.after:
            return ("value", "absent") if may_lack else ("value",)
        if self.after["after_value"] is None:
            return ("absent-after",)
        return ("value-after", "absent") if may_lack else ("value-after",)

    @property
    def by_relevance(self) -> bool:
        """Whether the page contains the hits of a query in the order of search."""
        return self.query.q is not None and "sort" not in self.query.model_fields_set

    @property
    def position(self) -> SearchPosition | None:
        """The position of the cursor among the hits, if they are in the order of search."""
        return SearchPosition.from_cursor(self.after["after_value"]) if self.after and self.by_relevance else None

    def narrow(self, name: str, values: Mapping[str, Any]) -> None:
        """Add a condition that is not a parameter of the list."""
        self.shape += ((name, True),)
        self.values |= values

    def check_access(self, caller: Caller) -> None:
        """For a list of drafts, raise Forbidden if the caller writes none, and Invalid if the query is not for them."""
        if self.query.state != "draft":
            return
        caller.require("records:write", "records:write:own")
        for name in ("include", "q"):
            if getattr(self.query, name, None) is not None:
                raise Invalid(ErrorItem(parameter=name, code="of_drafts", detail=ERROR_DETAILS["of_drafts"]))

    def prepare(self, caller: Caller) -> Read:
        """Resolve the ids in filters, and select the drafts that the caller may write if the list is of drafts."""
        yield from self._resolve_ids()
        if self.query.state != "draft":
            return
        self.shape += ((DRAFTS, ALL if caller.writes_all else OWN),)
        self.values["manager"] = caller.partner

    def next(self, value: Any, record_id: str) -> str:
        """Return the path of the page after the row with this sort value and this id."""
        shaping = [("limit", self.query.limit)] if self.query.limit else []
        shaping += [("include", include)] if (include := getattr(self.query, "include", None)) else []
        shaping += Shape.of(self.query).parameters
        shaping += [("rows", rows)] if (rows := getattr(self.query, "rows", None)) else []
        shaping += [(name, "true") for name in ("total", "bom") if getattr(self.query, name, False)]
        return self._cursors.next(shaping, value, record_id)

    @property
    def _cursors(self) -> Cursors:
        return Cursors(self.path, self.query_pairs, self.signer)

    def _read(self, cursor: str) -> tuple[Any, str]:
        value, record_id = self._cursors.read(cursor)
        kind = (int, float) if is_number(self.resource.all_sorts[self.sort.name]) else str
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise BadCursor
        return value, record_id
