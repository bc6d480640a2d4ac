"""`/v1/webhooks`: subscriptions to Changes, and the deliveries of their events."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.core.access.caller import Caller
from app.core.access.keys import ID_LENGTH
from app.core.access.rotation import RandomId, Rotation
from app.core.errors import Conflict, ErrorItem, Invalid, NotFound
from app.core.http.bodies import MERGE_PATCH, read_json
from app.core.http.guarded_endpoints import PageQuery, page_of, run_transaction
from app.core.http.operations import PathParameter, operation
from app.core.http.responses import private_json
from app.core.http.write_endpoints import OF_BODIES
from app.core.public_paths import public
from app.core.reading.parameters import Digits
from app.webhooks import subscriptions
from app.webhooks.egress import EgressPolicy, EgressRefused
from app.webhooks.models import DELIVERY, DeliveryShown, WebhookCreated, WebhookFields, WebhookShown

PATH = "/v1/webhooks"
LOOKUP_TIMEOUT = 5.0  # seconds for the name in a new URL
SCOPES = ("webhooks", "keys")
DeliveryId = Annotated[str, StringConstraints(pattern=rf"^[0-9a-z]{{{ID_LENGTH}}}-(test-)?[0-9a-z]{{1,20}}$")]
WEBHOOK_PATH = {"webhook_id": PathParameter("Id of the subscription.", "k2v9x0q4ma", RandomId)}
DELIVERY_PATH = {**WEBHOOK_PATH, "delivery_id": PathParameter("Id of the delivery.", "k2v9x0q4ma-361", DeliveryId)}
DUE = {"202": "Accepted. The delivery is due now; read it later to see its result."}


class WebhookPage(BaseModel, defer_build=True):
    """A page of subscriptions, in the order of their ids."""

    items: list[WebhookShown] = Field(description="The subscriptions of this page.")
    next: str | None = Field(description="Path of the next page; null on the last page.")


class DeliveryPage(BaseModel, defer_build=True):
    """A page of deliveries, the latest first."""

    items: list[DeliveryShown] = Field(description="The deliveries of this page.")
    next: str | None = Field(description="Path of the next page; null on the last page.")


class DeliveriesQuery(BaseModel, defer_build=True):
    """A filter, the size of a page, and the position where it starts."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[str, DELIVERY] | None = Field(default=None, description="Only deliveries in this state.")
    limit: Digits = Field(default=50, ge=1, le=200, description="Maximum number of items on a page.")
    cursor: DeliveryId | None = Field(default=None, description="Start of the page, from `next` of the previous page.")


TAG_DESCRIPTION = """Subscriptions to changes, and the deliveries of their events. A key needs the scope `webhooks`.

Events are sent as [Standard Webhooks](https://www.standardwebhooks.com) specifies. Each event is delivered at least
once, and the events of one record in their order. A delivery succeeds with a 2xx response within ten seconds. Anything
else, redirects included, is retried with growing delays. A subscription is disabled when an event is not accepted for
24 hours, or when the response is 410."""
TAG = {"name": "webhooks", "description": TAG_DESCRIPTION}
router = APIRouter(prefix=PATH, tags=["webhooks"])


@operation(router, "GET", "", "List subscriptions", returns=WebhookPage, scopes=SCOPES)
async def list_webhooks(request: Request, caller: Caller, query: PageQuery) -> Response:
    """Return the subscriptions of the key and of its partner. A key with the scope `keys` gets all subscriptions.

    Secrets are never included.
    """
    rows = await run_transaction(request, caller, subscriptions.show_webhooks, query.cursor or "", query.limit + 1)
    return private_json(page_of(rows, query.limit, f"{PATH}?"))


@operation(
    router,
    "POST",
    "",
    "Create a subscription",
    returns=WebhookCreated,
    scopes=SCOPES,
    statuses={"201": "Created. No other response contains the secret."},
    problems=(Conflict, *OF_BODIES),
)
async def create_webhook(request: Request, caller: Caller, body: WebhookFields) -> Response:
    """Subscribe to the Changes from now on. Each Change that matches the lists is posted to the URL.

    The response contains the secret with which messages are signed.
    """
    await _check_url(request, caller, body.url)
    webhook = await run_transaction(request, caller, subscriptions.create, body)
    return private_json(webhook.model_dump(), 201, {"Location": public(f"{PATH}/{webhook.id}")})


@operation(
    router,
    "GET",
    "/{webhook_id}",
    "Read a subscription",
    returns=WebhookShown,
    in_path=WEBHOOK_PATH,
    scopes=SCOPES,
    problems=(NotFound,),
)
async def read_webhook(request: Request, caller: Caller, webhook_id: str) -> Response:
    """Return a subscription with its filters and the times of its last success and failure."""
    webhook = await run_transaction(request, caller, subscriptions.show_webhook, webhook_id)
    return private_json(webhook.model_dump())


@operation(
    router,
    "PATCH",
    "/{webhook_id}",
    "Change a subscription",
    returns=WebhookShown,
    body=WebhookFields,
    body_type=MERGE_PATCH,
    in_path=WEBHOOK_PATH,
    scopes=SCOPES,
    problems=(NotFound, Conflict, *OF_BODIES),
)
async def patch_webhook(request: Request, caller: Caller, webhook_id: str) -> Response:
    """Apply a JSON Merge Patch (RFC 7396).

    A disabled subscription that becomes active again also receives the events that it missed.
    """
    patch = await read_json(request, WebhookFields, MERGE_PATCH)
    if not isinstance(patch, dict):
        raise Invalid(ErrorItem(pointer="", code="invalid_value", detail="The body must be an object."))
    fields = await run_transaction(request, caller, subscriptions.patched, webhook_id, patch)
    if "url" in patch or "state" in patch:
        await _check_url(request, caller, fields.url)
    webhook = await run_transaction(request, caller, subscriptions.patch_subscription, webhook_id, patch)
    return private_json(webhook.model_dump())


@operation(
    router,
    "DELETE",
    "/{webhook_id}",
    "Delete a subscription",
    in_path=WEBHOOK_PATH,
    scopes=SCOPES,
    statuses={"204": "Deleted."},
    problems=(NotFound,),
)
async def delete_webhook(request: Request, caller: Caller, webhook_id: str) -> Response:
    """Delete a subscription and its deliveries. Nothing more is sent."""
    await run_transaction(request, caller, subscriptions.remove_webhook, webhook_id)
    return Response(None, 204)


@operation(
    router,
    "POST",
    "/{webhook_id}/rotate",
    "Rotate a secret",
    returns=WebhookCreated,
    in_path=WEBHOOK_PATH,
    scopes=SCOPES,
    problems=(NotFound, *OF_BODIES),
)
async def rotate_webhook(request: Request, caller: Caller, webhook_id: str, body: Rotation) -> Response:
    """Replace the secret of a subscription.

    For `overlap` seconds, by default for one day, each message has two signatures: one with the new secret and one
    with the previous secret.
    """
    request.app.state.manual_limits.take("rotations", caller.key, webhook_id)
    webhook = await run_transaction(request, caller, subscriptions.rotate, webhook_id, body)
    return private_json(webhook.model_dump())


@operation(
    router,
    "POST",
    "/{webhook_id}/test",
    "Send a test event",
    returns=DeliveryShown,
    in_path=WEBHOOK_PATH,
    scopes=SCOPES,
    statuses=DUE,
    problems=(NotFound, Conflict),
)
async def ping_webhook(request: Request, caller: Caller, webhook_id: str) -> Response:
    """Send an event of the type `webhook.test`. There is only one attempt.

    A subscription can have 3 tests that have not ended, and 10 a minute; a key can have 30 a minute. The last 20 tests
    of a subscription can be read.
    """
    request.app.state.manual_limits.take("tests", caller.key, webhook_id)
    delivery = await run_transaction(request, caller, subscriptions.send_test, webhook_id)
    return private_json(delivery.model_dump(), 202)


@operation(
    router,
    "GET",
    "/{webhook_id}/deliveries",
    "List deliveries",
    returns=DeliveryPage,
    in_path=WEBHOOK_PATH,
    scopes=SCOPES,
    problems=(NotFound,),
)
async def list_deliveries(request: Request, caller: Caller, query: DeliveriesQuery, webhook_id: str) -> Response:
    """Return the deliveries of a subscription, the latest first.

    A delivery can be read for seven days after it was accepted or has failed, if it is one of the last 5,000 of its
    subscription. The subscriptions of a key keep 20,000 together, each an equal part of them.
    """
    rows = await run_transaction(
        request, caller, subscriptions.deliveries, webhook_id, query.state, query.cursor, query.limit + 1
    )
    state = f"state={query.state}&" if query.state else ""
    return private_json(page_of(rows, query.limit, f"{PATH}/{webhook_id}/deliveries?{state}"))


@operation(
    router,
    "POST",
    "/{webhook_id}/deliveries/{delivery_id}/repeat",
    "Repeat a delivery",
    returns=DeliveryShown,
    in_path=DELIVERY_PATH,
    scopes=SCOPES,
    statuses=DUE,
    problems=(NotFound, Conflict),
)
async def repeat_delivery(request: Request, caller: Caller, webhook_id: str, delivery_id: str) -> Response:
    """Send an event once more under the same id. If the delivery is pending, its next attempt is made now.

    A subscription can have 100 repetitions that have not ended, and 60 a minute; a key can have 120 a minute.
    """
    request.app.state.manual_limits.take("repetitions", caller.key, webhook_id)
    delivery = await run_transaction(request, caller, subscriptions.redeliver, webhook_id, delivery_id)
    return private_json(delivery.model_dump(), 202)


async def _check_url(request: Request, caller: Caller, url: str) -> None:
    """Raise Invalid unless the egress policy permits the URL now. Each attempt checks it again."""
    policy = EgressPolicy.parse(request.app.state.settings.webhook_allow)
    try:
        endpoint = policy.endpoint(url)
        lookups = request.app.state.manual_limits.lookups_of(caller.key)
        async with asyncio.timeout(LOOKUP_TIMEOUT):
            await policy.addresses(endpoint.host, endpoint.port, lookups)
    except EgressRefused as error:
        raise _not_callable(str(error)) from None
    except TimeoutError:
        raise _not_callable("has a host that was not found in time") from None


def _not_callable(reason: str) -> Invalid:
    return Invalid(ErrorItem(pointer="/url", code="not_callable", detail=f"The URL {reason}."))
