"""`/v1/webhooks`: subscriptions to what changes, and what became of each event sent to them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.core.access.caller import Caller
from app.core.access.keys import ID_LENGTH
from app.core.errors import Conflict, ErrorItem, Invalid, NotFound
from app.core.http.bodies import MERGE_PATCH, read_json
from app.core.http.operations import PathParameter, operation
from app.core.http.resource_writes import OF_BODIES
from app.core.http.responses import private_json
from app.core.reading.parameters import Digits
from app.webhooks import subscriptions
from app.webhooks.egress import EgressPolicy, EgressRefused
from app.webhooks.models import DELIVERY, DeliveryShown, Rotated, WebhookCreated, WebhookFields, WebhookShown

PATH = "/v1/webhooks"
LOOKING_UP = 5.0  # seconds for the name in a new URL
SCOPES = ("webhooks", "keys")
WebhookId = Annotated[str, StringConstraints(pattern=rf"^[0-9a-z]{{{ID_LENGTH}}}$")]
DeliveryId = Annotated[str, StringConstraints(pattern=rf"^[0-9a-z]{{{ID_LENGTH}}}-(test-)?[0-9a-z]{{1,20}}$")]
READ_WEBHOOK = {"webhook_id": PathParameter("Id of the subscription.", "k2v9x0q4ma", WebhookId)}
READ_DELIVERY = {**READ_WEBHOOK, "delivery_id": PathParameter("Id of the delivery.", "k2v9x0q4ma-361", DeliveryId)}


class WebhookPage(BaseModel):
    """A page of subscriptions."""

    items: list[WebhookShown]
    next: str | None = Field(description="Path of the next page; null at the end.")


class DeliveryPage(BaseModel):
    """A page of deliveries, the latest first."""

    items: list[DeliveryShown]
    next: str | None = Field(description="Path of the next page; null at the end.")


class WebhooksQuery(BaseModel):
    """Where to go on, and how far."""

    model_config = ConfigDict(extra="forbid")

    limit: Digits = Field(default=50, ge=1, le=200, description="Items a page.")
    cursor: WebhookId | None = Field(default=None, description="Where to go on: taken from `next`.")


class DeliveriesQuery(BaseModel):
    """Which deliveries, where to go on, and how far."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[str, DELIVERY] | None = Field(default=None, description="Only those in this state.")
    limit: Digits = Field(default=50, ge=1, le=200, description="Items a page.")
    cursor: DeliveryId | None = Field(default=None, description="Where to go on: taken from `next`.")


ONE_PATH = "/{webhook_id}"
DUE = {"202": "Due at once; read it again to see what became of it."}

TAG_DESCRIPTION = """Subscriptions to changes, and the deliveries of their events. A key needs the scope `webhooks`.

Events are sent as [Standard Webhooks](https://www.standardwebhooks.com) specifies. Each event is delivered at least
once, and the events of one record in their order. A delivery succeeds with a 2xx response within ten seconds. Anything
else, redirects included, is retried with growing delays. A subscription is disabled when an event is not accepted for
24 hours, or when the response is 410."""
TAG = {"name": "webhooks", "description": TAG_DESCRIPTION}
router = APIRouter(prefix=PATH, tags=["webhooks"])


@operation(
    router,
    "GET",
    "",
    "List the subscriptions",
    returns=WebhookPage,
    scopes=SCOPES,
)
async def list_webhooks(request: Request, caller: Caller, query: WebhooksQuery) -> Response:
    """Those of the key and of its partner; with the scope `keys` all. Never their secrets."""
    found = await _run(request, caller, subscriptions.show_webhooks, query.cursor or "", query.limit + 1)
    page = found[: query.limit]
    more = f"{PATH}?limit={query.limit}&cursor={page[-1]['id']}" if len(found) > len(page) else None
    return private_json({"items": page, "next": more})


@operation(
    router,
    "POST",
    "",
    "Subscribe",
    returns=WebhookCreated,
    scopes=SCOPES,
    statuses={"201": "Created; the only answer with the secret."},
    problems=(Conflict, *OF_BODIES),
)
async def create_webhook(request: Request, caller: Caller, body: WebhookFields) -> Response:
    """From now on, each change that the lists do not leave out is posted to the URL. The answer holds the secret."""
    await _check_url(request, body.url)
    made = await _run(request, caller, subscriptions.create, body)
    return private_json(made, 201, {"Location": f"{PATH}/{made['id']}"})


@operation(
    router,
    "GET",
    ONE_PATH,
    "Read one subscription",
    returns=WebhookShown,
    in_path=READ_WEBHOOK,
    scopes=SCOPES,
    problems=(NotFound,),
)
async def read_webhook(request: Request, caller: Caller, webhook_id: str) -> Response:
    """What it is told of, and whether that works."""
    return private_json(await _run(request, caller, subscriptions.show_webhook, webhook_id))


@operation(
    router,
    "PATCH",
    ONE_PATH,
    "Change a subscription",
    returns=WebhookShown,
    body=WebhookFields,
    body_type=MERGE_PATCH,
    in_path=READ_WEBHOOK,
    scopes=SCOPES,
    problems=(NotFound, Conflict, *OF_BODIES),
)
async def patch_webhook(request: Request, caller: Caller, webhook_id: str) -> Response:
    """A JSON Merge Patch (RFC 7396). Disabled and made active again, it is told what it missed meanwhile too."""
    patch = await read_json(request, WebhookFields, MERGE_PATCH)
    if not isinstance(patch, dict):
        raise Invalid(ErrorItem(pointer="", code="invalid_value", detail="The body is an object."))
    fields = await _run(request, caller, subscriptions.patched, webhook_id, patch)
    if "url" in patch or "state" in patch:
        await _check_url(request, fields.url)
    return private_json(await _run(request, caller, subscriptions.patch_subscription, webhook_id, patch))


@operation(
    router,
    "DELETE",
    ONE_PATH,
    "Unsubscribe",
    in_path=READ_WEBHOOK,
    scopes=SCOPES,
    statuses={"204": "Deleted."},
    problems=(NotFound,),
)
async def delete_webhook(request: Request, caller: Caller, webhook_id: str) -> Response:
    """Nothing more is sent, and what was sent can no longer be read."""
    await _run(request, caller, subscriptions.remove_webhook, webhook_id)
    return Response(None, 204)


@operation(
    router,
    "POST",
    f"{ONE_PATH}/rotate",
    "Rotate the secret",
    returns=WebhookCreated,
    in_path=READ_WEBHOOK,
    scopes=SCOPES,
    problems=(NotFound, *OF_BODIES),
)
async def rotate_webhook(request: Request, caller: Caller, webhook_id: str, body: Rotated) -> Response:
    """A new secret. The one before signs too for `overlap` seconds, one day by default: there are two signatures."""
    return private_json(await _run(request, caller, subscriptions.rotate, webhook_id, body.overlap))


@operation(
    router,
    "POST",
    f"{ONE_PATH}/test",
    "Send a test",
    returns=DeliveryShown,
    in_path=READ_WEBHOOK,
    scopes=SCOPES,
    statuses=DUE,
    problems=(NotFound, Conflict),
)
async def ping_webhook(request: Request, caller: Caller, webhook_id: str) -> Response:
    """An event `webhook.test` is sent once."""
    return private_json(await _run(request, caller, subscriptions.send_test, webhook_id), 202)


@operation(
    router,
    "GET",
    f"{ONE_PATH}/deliveries",
    "List what was sent",
    returns=DeliveryPage,
    in_path=READ_WEBHOOK,
    scopes=SCOPES,
    problems=(NotFound,),
)
async def list_deliveries(request: Request, caller: Caller, query: DeliveriesQuery, webhook_id: str) -> Response:
    """What was sent and what came of it, the latest first. What is done can be read for seven days."""
    arguments = (webhook_id, query.state, query.cursor, query.limit + 1)
    found = await _run(request, caller, subscriptions.deliveries, *arguments)
    page, more = found[: query.limit], None
    if len(found) > len(page):
        state = f"state={query.state}&" if query.state else ""
        more = f"{PATH}/{webhook_id}/deliveries?{state}limit={query.limit}&cursor={page[-1]['id']}"
    return private_json({"items": page, "next": more})


@operation(
    router,
    "POST",
    f"{ONE_PATH}/deliveries/{{delivery_id}}/repeat",
    "Send again",
    returns=DeliveryShown,
    in_path=READ_DELIVERY,
    scopes=SCOPES,
    statuses=DUE,
    problems=(NotFound, Conflict),
)
async def repeat_delivery(request: Request, caller: Caller, webhook_id: str, delivery_id: str) -> Response:
    """What was sent is sent once more under the same id; what waits for its next attempt is tried now."""
    return private_json(await _run(request, caller, subscriptions.redeliver, webhook_id, delivery_id), 202)


async def _check_url(request: Request, url: str) -> None:
    """Invalid unless the URL may be called now; when something is sent, it is checked again."""
    allowance = EgressPolicy.parse(request.app.state.settings.webhook_allow)
    lookups = ThreadPoolExecutor(1)
    try:
        place = allowance.endpoint(url)
        async with asyncio.timeout(LOOKING_UP):
            await allowance.addresses(place.host, place.port, lookups)
    except (EgressRefused, TimeoutError) as error:
        error = error if isinstance(error, EgressRefused) else EgressRefused("has a host that is not found in time")
        raise Invalid(ErrorItem(pointer="/url", code="not_callable", detail=f"The URL {error}.")) from None
    finally:
        lookups.shutdown(wait=False)


async def _run(request: Request, caller: Caller, act: Any, *arguments: Any) -> Any:
    """What an act on subscriptions returns. Ids that do not fit their pattern never reach the database."""
    if not all(part.isascii() and part.replace("-", "").isalnum() for part in request.path_params.values()):
        raise NotFound
    return await request.app.state.editor.run(caller, lambda session, still: act(session, still, *arguments))
