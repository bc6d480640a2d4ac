"""`GET /v1/changes`: follow what happens here, page by page or waiting for it."""

import time
from dataclasses import replace
from functools import cache, partial, reduce
from operator import or_
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, StringConstraints, create_model

from app.changes.feed import PATH, FeedPage, read_feed
from app.core.errors import Rewound
from app.core.http.operations import operation
from app.core.http.resource_reads import OF_LISTS
from app.core.http.responses import PreparedResponse, read_request, write_response
from app.core.log import ACTION, PUBLIC_ACTION
from app.core.model.fields import Instant
from app.core.model.resource import RESOURCES, Id
from app.core.reading.parameters import DEFAULT_LIMIT, MAX_ITEMS, Digits, query_model
from app.core.values.text import SLUG

LAST_NUMBER = 2**63 - 1
LONGEST_WAIT = 60
Hash = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]

ABOUT = f"""Every write of every public record, deletions included, in the order of commits, each with the whole record
as it was then. Follow `next`, which is always there; start with `after=0`, or with `after` of where you left off. Who
follows it misses nothing: numbers only grow, and what is told later has a higher one. Numbers that are left out belong
to drafts, which nobody is told of: publishing one is *create*, withdrawing it *delete* with what was public last.

*redact*: a text was taken down from every version of this record: take this one, and ask with `record=` for its Changes
again if you keep them. Of a record that is gone this is one more *delete*, of a higher version. With `partner=` come
records that are or name the partner, and once more when they cease to.
A page looks at a bounded number of Changes: it may be empty though there is more to come.

With `wait=` the answer comes as soon as there is something, or after so many seconds. 409 `rewound`: this registry went
back to an earlier state than yours (a backup was restored): begin again. With `proof=true` and no filter every number
is told: `entry` is the SHA-256 of `at`, `actor`, `proof.action`, `resource`, `id`, `version` and `proof.digest`, one a
line; `chain` that of the chain value before, the sequence and the entry, one a line; `digest` that of `salt` (empty
when null) and the bytes of `record`, unless it is `withheld` or `redacted`. Of a redacted one, the SHA-256 of `salt`,
its own sequence and the bytes of `record`, one a line, is among the `digests` of the Change in `redacted`, and that
of those, as a JSON list without blanks, in its actor. A page has at most {MAX_ITEMS} Changes."""


class Proof(BaseModel):
    """What verifies a Change."""

    action: Annotated[str, ACTION] | None = Field(default=None, description="What the write did, drafts included.")
    digest: Hash | None = Field(default=None, description="SHA-256 of salt and representation.")
    salt: str | None = Field(default=None, description="What stands before the representation when it is hashed.")
    redacted: int | None = Field(default=None, description="The Change that took text down from this one.")
    withheld: bool = Field(default=False, description="`digest` is of a draft; `record` is what was public last.")
    entry: Hash | None = Field(default=None, description="Only of a draft's Change: what stands for it in the chain.")
    chain: Hash = Field(description="The value of the chain at this Change.")
    reason: str | None = Field(default=None, description="Only of *redact*: why.")
    digests: list[Hash] | None = Field(
        default=None, description="Only of *redact*: SHA-256 of each representation that it put in place of another."
    )


async def _awaited(request: Request, query: Any) -> FeedPage:
    state, until = request.scope["app"].state, time.monotonic() + query.wait
    untagged = replace(read_request(request), tags="")
    while True:
        found: FeedPage = await state.reader.run(partial(read_feed, query, untagged), long=bool(query.partner))
        left = until - time.monotonic()
        if not found.is_idle or not await state.waiting.wait_for_change(found.scanned_to, left, request.receive):
            return found
        query = query.model_copy(update={"after": found.scanned_to, "chain": found.chain or None})


@cache
def _query() -> type[BaseModel]:
    """The parameters of the feed."""
    names = "|".join(RESOURCES)
    resource = Annotated[str, StringConstraints(pattern=f"^({names})$")]
    record = Annotated[str, StringConstraints(pattern=f"^({names})/{SLUG[1:]}", max_length=140)]
    chain = Annotated[str, StringConstraints(pattern="^[0-9a-f]{8,64}$")]
    fields: dict[str, Any] = {
        "after": (Digits, Field(default=0, ge=0, le=LAST_NUMBER, description="The last Change that you have seen.")),
        "chain": (
            chain | None,
            Field(default=None, description="How its chain value begins, as in `next`: 409 when it is another here."),
        ),
        "resource": (
            list[resource] | None,
            Field(default=None, max_length=MAX_ITEMS, description="Only records of these resources."),
        ),
        "partner": (
            Id | None,
            Field(
                default=None,
                description="Only records that are or name this partner, or did before.",
                examples=["unido"],
            ),
        ),
        "record": (
            record | None,
            Field(default=None, description="Only this record, as resource/id.", examples=["partners/unido"]),
        ),
        "limit": (Digits, Field(default=DEFAULT_LIMIT, ge=1, le=MAX_ITEMS, description="Changes a page at most.")),
        "wait": (
            Digits,
            Field(
                default=0, ge=0, le=LONGEST_WAIT, description="Seconds to wait for something, when there is nothing."
            ),
        ),
        "proof": (bool, Field(default=False, description="With what verifies the chain.")),
    }
    return query_model("ChangesQuery", fields)


@cache
def _page_model() -> Any:
    shown: Any = reduce(or_, [resource.shown for resource in RESOURCES.values()])
    of_all = "There for all but, with proof, a draft's Change. "
    fields: dict[str, Any] = {
        "sequence": (int, Field(description="Its number: its place in the order of commits.")),
        "at": (Instant, Field(default=None, description=f"{of_all}When; the same for all of one transaction.")),
        "actor": (str, Field(default=None, description="Who: `key:` and the id of a key, or `seed`.")),
        "action": (Annotated[str, PUBLIC_ACTION], Field(default=None, description="What it did, as everyone sees it.")),
        "resource": (str, Field(default=None, description="The record's resource.")),
        "id": (str, Field(default=None, description="The record's id.")),
        "version": (int, Field(default=None, description="The record's version with this Change.")),
        "proof": (Proof, Field(default=None, description="Only with proof=true.")),
        "record": (
            Annotated[shown, Field(discriminator="resource")],
            Field(default=None, description="The record as it was then; of a deleted one, as it was last."),
        ),
    }
    item = create_model("ChangeShown", __doc__="A Change, as everyone sees it.", **fields)
    return create_model(
        "ChangesPage",
        __doc__="Changes, in the order of commits.",
        items=(list[item], Field(description="The Changes.")),
        next=(str, Field(description="Path to follow: there is always one.")),
        last=(int, Field(description="The number of the newest Change; 0: there is none.")),
    )


router = APIRouter(tags=["registry"])


@operation(
    router,
    "GET",
    PATH,
    "Follow every change",
    about=ABOUT,
    returns=_page_model,
    query=_query,
    problems=(*OF_LISTS, Rewound),
)
async def read_changes(request: Request, query: Any) -> Response:
    """A page of the feed; with `wait`, as soon as there is something in it."""
    if not query.wait:
        return await write_response(request, lambda: read_feed(query, read_request(request)), long=bool(query.partner))
    found = await _awaited(request, query)
    headers = [
        (b"cache-control", b"no-store"),
        (b"link", b'<%s>; rel="next"' % str(found.next).encode()),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(found.body or b"")),
    ]
    return PreparedResponse(200, headers, found.body or b"")
