"""Functions for the endpoints of keys, webhooks and imports: one write transaction, and pages ordered by id."""

from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.access.rotation import RandomId
from app.core.errors import NotFound
from app.core.public_paths import public
from app.core.reading.parameters import Digits

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class PageQuery(BaseModel, defer_build=True):
    """The size of a page, and the position where it starts."""

    model_config = ConfigDict(extra="forbid")

    limit: Digits = Field(default=50, ge=1, le=200, description="Maximum number of items on a page.")
    cursor: RandomId | None = Field(default=None, description="Start of the page, from `next` of the previous page.")


async def run_transaction(
    request: Request,
    caller: Caller,
    work: Callable[Concatenate[Session, Caller, Arguments], Result],
    *arguments: Arguments.args,
    **named: Arguments.kwargs,
) -> Result:
    """Return `work(session, caller, …)`, run in one write transaction with the caller as the database knows it now.

    Raise NotFound for an id in the path that no row can have.
    """
    ensure_possible_ids(request)
    result: Result = await request.app.state.editor.run(
        caller, lambda session, caller: work(session, caller, *arguments, **named)
    )
    return result


def ensure_possible_ids(request: Request) -> None:
    """Raise NotFound for an id in the path that no row can have: PostgreSQL would fail on a NUL character."""
    if not all(text.isascii() and text.replace("-", "").isalnum() for text in request.path_params.values()):
        raise NotFound


def page_of(rows: Sequence[Any], limit: int, path: str) -> dict[str, Any]:
    """Return a page of models with ids. One row more than `limit` means that there is a next page.

    `path` is the path of the list with its filters, ending in `?` or `&`.
    """
    items = [row.model_dump() for row in rows[:limit]]
    next_path = public(f"{path}limit={limit}&cursor={items[-1]['id']}") if len(rows) > limit else None
    return {"items": items, "next": next_path}
