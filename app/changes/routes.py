"""`GET /v1/changes`: the change feed, page by page or with long polling."""

import contextlib
import time
from dataclasses import replace
from functools import cache, partial, reduce
from operator import or_
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, StringConstraints, create_model

from app.changes.feed import PATH, SCANNED, FeedPage, read_feed
from app.changes.interests import Interest
from app.core.access.clients import client_of
from app.core.change_log import ACTION, PUBLIC_ACTION
from app.core.errors import NotReached, Rewound
from app.core.http.operations import operation
from app.core.http.read_endpoints import OF_LISTS
from app.core.http.responses import PreparedResponse, read_request, run_read, write_response
from app.core.model.fields import Instant
from app.core.model.resource import RESOURCES, Id
from app.core.reading.parameters import DEFAULT_LIMIT, LIMIT_TEXT, MAX_ITEMS, Digits, query_model
from app.core.values.text import SLUG

LAST_NUMBER = 2**63 - 1
MAX_WAIT = 60  # seconds
Hash = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]

DESCRIPTION = f"""The change feed contains every write of every public record, deletions included, in the order of
commits. Each item has the complete record as it was after the write. The item of a deletion has its last version.

**Start and continue.** Start with `after=0` to read everything, or with the number of the last Change that you
processed. Then request the path in `next`, which every page has. You are up to date when the `after` in `next` equals
`last`. A page has at most {MAX_ITEMS} items. It examines at most {SCANNED:,} Changes, so with filters a page can be
empty although later pages have items.

**Nothing is missed.** A Change that is committed later has a higher number. Numbers that the unfiltered feed leaves out
belong to drafts, which are not public. The publication of a draft is a `create`. Its withdrawal is a `delete` with
the last public version of the record.

**Long polling.** With `wait`, a request for which there is no item yet is answered as soon as there is one, or after
that number of seconds.

**Filter by partner.** With `partner`, the feed contains the Changes of the partner itself and of records that link
to it, and the Change that removes the last link.

**Redactions.** A `redact` means that a text was removed from every version of the record. Replace your copy by the
record in this item. If you also store earlier versions, read them again with `record`. The redaction of a record that
was deleted or withdrawn is one more `delete`, with a higher version.

**Rewound registry.** The error 409 `rewound` means that the registry does not have the last Change that you
processed, for example because an earlier backup was restored. Discard your copy and start again with `after=0`.

**Verification.** With `proof=true` and no filter, the feed contains every number, and of the Change of a draft only
the proof. All hashes are SHA-256 in lower-case hexadecimal, computed over UTF-8. Lines are separated by one newline,
and the last line has none.

1. The entry of a Change is the hash of seven lines: `at`, `actor`, `proof.action`, `resource`, `id`, `version` and
   `proof.digest`. For the Change of a draft, it is `proof.entry`.
2. `proof.chain` is the hash of three lines: the chain value of the previous Change (empty for Change 1), `sequence`
   and the entry.
3. `proof.digest` is the hash of `proof.salt` (empty if null), directly followed by the bytes of `record` as they were
   sent. It cannot be checked if `proof.withheld` is true or `proof.redacted` is not null.
4. If `proof.redacted` is not null and `proof.withheld` is false, the hash of three lines (`proof.salt`, `sequence`
   and the bytes of `record`) is one of the `proof.digests` of the Change with the number `proof.redacted`.
5. The `actor` of a redaction is `redact:` followed by the hash of its `proof.digests`, written as a JSON array
   without whitespace."""


class Proof(BaseModel):
    """The values with which a client verifies a Change, as the description of the change feed explains."""

    action: Annotated[str, ACTION] | None = Field(
        default=None, description="What the write did to the record, whether it was public or a draft."
    )
    digest: Hash | None = Field(
        default=None, description="SHA-256 of the salt and the representation as it was written."
    )
    salt: str | None = Field(
        default=None, description="Text that is hashed before the representation; null means none."
    )
    redacted: int | None = Field(
        default=None, description="Number of the redaction that last removed text from this representation."
    )
    withheld: bool = Field(
        default=False, description="True if `digest` is that of a draft. `record` is then the last public version."
    )
    entry: Hash | None = Field(
        default=None, description="The hash that represents the Change in the chain; only for the Change of a draft."
    )
    chain: Hash = Field(description="Value of the chain at this Change.")
    reason: str | None = Field(default=None, description="Reason for the redaction; only for redactions.")
    digests: list[Hash] | None = Field(
        default=None, description="Hash of each representation that the redaction wrote; only for redactions."
    )


async def _wait_for_page(request: Request, query: Any) -> FeedPage:
    """Return the first page with items, or an empty one when the time is over."""
    state = request.scope["app"].state
    deadline = time.monotonic() + query.wait
    interest = _interest(query)
    unconditional = replace(read_request(request), tags="")
    while True:
        read = partial(read_feed, query, unconditional)
        key = (unconditional, query.after, query.chain)
        page: FeedPage = await run_read(request, read, long=bool(query.partner), key=key)
        seconds = deadline - time.monotonic()
        if not page.is_idle:
            return page
        client = client_of(request.scope)
        waits = state.waiting.wait_for_change(page.scanned_to, seconds, request.receive, client, interest)
        if not await waits:
            return page
        if "meter" in request.scope:
            request.scope["meter"].count_again()
        query = query.model_copy(update={"after": page.scanned_to, "chain": page.chain or None})


def _interest(query: Any) -> Interest:
    resource, _, record_id = (query.record or "").partition("/")
    has_filter = bool(query.resource or query.record or query.partner)
    record = (resource, record_id) if query.record else None
    return Interest(frozenset(query.resource or ()), record, query.partner, drafts=query.proof and not has_filter)


@cache
def _query() -> type[BaseModel]:
    """Return the model of the query parameters."""
    names = "|".join(RESOURCES)
    resource = Annotated[str, StringConstraints(pattern=f"^({names})$")]
    record = Annotated[str, StringConstraints(pattern=f"^({names})/{SLUG[1:]}", max_length=140)]
    chain = Annotated[str, StringConstraints(pattern="^[0-9a-f]{8,64}$")]
    fields: dict[str, Any] = {
        "after": (
            Digits,
            Field(default=0, ge=0, le=LAST_NUMBER, description="Number of the last Change that you processed."),
        ),
        "chain": (
            chain | None,
            Field(
                default=None,
                description="Start of the chain value of that Change, as in `next`. If it differs, you get 409.",
            ),
        ),
        "resource": (
            list[resource] | None,
            Field(default=None, max_length=MAX_ITEMS, description="Only Changes of records of these resources."),
        ),
        "partner": (
            Id | None,
            Field(
                default=None,
                description="Only Changes of records that are this partner, name it, or named it before the Change.",
                examples=["unido"],
            ),
        ),
        "record": (
            record | None,
            Field(
                default=None,
                description="Only Changes of this record, as resource/id.",
                examples=["partners/unido"],
            ),
        ),
        "limit": (
            Digits,
            Field(default=DEFAULT_LIMIT, ge=1, le=MAX_ITEMS, description=LIMIT_TEXT),
        ),
        "wait": (
            Digits,
            Field(default=0, ge=0, le=MAX_WAIT, description="Seconds to wait for the first item if there is none yet."),
        ),
        "proof": (
            bool,
            Field(default=False, description="Whether each item has the values with which the chain can be verified."),
        ),
    }
    return query_model("ChangesQuery", fields)


@cache
def _page_model() -> Any:
    representation: Any = reduce(or_, [resource.shown for resource in RESOURCES.values()])
    unsealed = "Absent only for the Change of a draft (with proof)."
    fields: dict[str, Any] = {
        "sequence": (int, Field(description="Number of the Change in the order of commits.")),
        "at": (
            Instant,
            Field(default=None, description=f"Time of the write, the same for all of one transaction. {unsealed}"),
        ),
        "actor": (
            str,
            Field(
                default=None,
                description="Who wrote it: `key:` and the id of a key, a command such as `seed`, or a redaction.",
            ),
        ),
        "partner": (
            str | None,
            Field(
                default=None,
                description="Id of the partner whose key wrote it. Null: a key without a partner, or a command.",
            ),
        ),
        "action": (
            Annotated[str, PUBLIC_ACTION],
            Field(
                default=None, description="What the write did from the point of view of a reader who sees no drafts."
            ),
        ),
        "resource": (str, Field(default=None, description="Resource of the record.")),
        "id": (str, Field(default=None, description="Id of the record.")),
        "version": (int, Field(default=None, description="Version of the record after the write.")),
        "proof": (Proof, Field(default=None, description="Values that verify the Change; only with `proof=true`.")),
        "record": (
            Annotated[representation, Field(discriminator="resource")],
            Field(default=None, description="The record after the write; for a `delete`, its last public version."),
        ),
    }
    item = create_model("ChangeShown", __doc__="A Change, as it is shown to readers who cannot see drafts.", **fields)
    return create_model(
        "ChangesPage",
        __doc__="A page of the change feed, in the order of commits.",
        items=(list[item], Field(description="Changes of this page.")),
        next=(str, Field(description="Path of the next page; every page has one.")),
        last=(int, Field(description="Number of the newest Change of the registry; 0 if there is none.")),
    )


TAG = {
    "name": "changes",
    "description": "The change feed: every change of a record, in order. With it, a copy stays up to date.",
}

router = APIRouter(tags=["changes"])


@operation(
    router,
    "GET",
    PATH,
    "Read the change feed",
    about=DESCRIPTION,
    returns=_page_model,
    query=_query,
    problems=(*OF_LISTS, Rewound),
)
async def read_changes(request: Request, query: Any) -> Response:
    """Return a page of the feed; with `wait`, as soon as it has an item."""
    with contextlib.suppress(NotReached):  # the read says whether the log was rewound
        await request.scope["app"].state.fresh.ensure_reached(query.after)
    if not query.wait:
        return await write_response(request, lambda: read_feed(query, read_request(request)), long=bool(query.partner))
    page = await _wait_for_page(request, query)
    request.scope["app"].state.position.note(page.sequence)
    body = page.body or b""
    headers = [
        (b"cache-control", b"no-store"),
        (b"hoptac-sequence", b"%d" % page.last),
        (b"link", b'<%s>; rel="next"' % str(page.next).encode()),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]
    return PreparedResponse(200, headers, body)
