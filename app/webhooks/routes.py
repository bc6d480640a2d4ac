"""`/v1/webhooks`: subscriptions to what changes, and what became of each event sent to them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.core.access.caller import Asker
from app.core.access.keys import ID_LENGTH
from app.core.errors import Conflict, ErrorItem, Invalid, NotFound
from app.core.http.bodies import MERGE_PATCH
from app.core.http.resource_writes import OF_BODIES, Row, body_of, guarded_router, private_json
from app.core.http.routing import Documented, InPath
from app.core.model.validation import checked_by
from app.core.reading.parameters import Digits
from app.webhooks import subscriptions
from app.webhooks.egress import Allowance, Refused
from app.webhooks.models import DELIVERY, DeliveryShown, Rotated, WebhookCreated, WebhookFields, WebhookShown

PATH = "/v1/webhooks"
LOOKING_UP = 5.0  # seconds for the name in a new URL
SCOPES = ("webhooks", "keys")
WebhookId = Annotated[str, StringConstraints(pattern=rf"^[0-9a-z]{{{ID_LENGTH}}}$")]
DeliveryId = Annotated[str, StringConstraints(pattern=rf"^[0-9a-z]{{{ID_LENGTH}}}-(test-)?[0-9a-z]{{1,20}}$")]
ONE = {"webhook_id": InPath("Id of the subscription.", "k2v9x0q4ma", WebhookId)}
ONE_DELIVERY = {**ONE, "delivery_id": InPath("Id of the delivery.", "k2v9x0q4ma-361", DeliveryId)}


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


def webhooks_router() -> APIRouter:
    """The routes of subscriptions and their deliveries."""
    return guarded_router(PATH, _routes())


def _routes() -> list[Row]:
    page = Documented(lambda: WebhookPage, query=lambda: WebhooksQuery, scopes=SCOPES)
    made = {"201": "Created; the only answer with the secret."}
    new = Documented(lambda: WebhookCreated, body=lambda: WebhookFields, scopes=SCOPES, statuses=made)
    single = Documented(lambda: WebhookShown, ONE, scopes=SCOPES)
    edit = Documented(lambda: WebhookShown, ONE, body=lambda: WebhookFields, body_type=MERGE_PATCH, scopes=SCOPES)
    again = Documented(lambda: WebhookCreated, ONE, body=lambda: Rotated, scopes=SCOPES)
    gone = Documented(None, ONE, scopes=SCOPES, statuses={"204": "Deleted."})
    due = {"202": "Due at once; read it again to see what became of it."}
    ping = Documented(lambda: DeliveryShown, ONE, scopes=SCOPES, statuses=due)
    sent = Documented(lambda: DeliveryPage, ONE, query=lambda: DeliveriesQuery, scopes=SCOPES)
    resend = Documented(lambda: DeliveryShown, ONE_DELIVERY, scopes=SCOPES, statuses=due)
    one, delivery = "/{webhook_id}", "/{webhook_id}/deliveries/{delivery_id}/repeat"
    return [
        ("", "GET", list_webhooks, page, (), "List the subscriptions"),
        ("", "POST", create_webhook, new, (Conflict, *OF_BODIES), "Subscribe"),
        (one, "GET", read_webhook, single, (NotFound,), "Read one subscription"),
        (one, "PATCH", patch_webhook, edit, (NotFound, Conflict, *OF_BODIES), "Change a subscription"),
        (one, "DELETE", delete_webhook, gone, (NotFound,), "Unsubscribe"),
        (f"{one}/rotate", "POST", rotate_webhook, again, (NotFound, *OF_BODIES), "Rotate the secret"),
        (f"{one}/test", "POST", ping_webhook, ping, (NotFound, Conflict), "Send a test"),
        (f"{one}/deliveries", "GET", list_deliveries, sent, (NotFound,), "List what was sent"),
        (delivery, "POST", repeat_delivery, resend, (NotFound, Conflict), "Send again"),
    ]


async def list_webhooks(request: Request, asker: Asker, query: WebhooksQuery) -> Response:
    """Those of the key and of its partner; with the scope `keys` all. Never their secrets."""
    found = await _run(request, asker, subscriptions.every, query.cursor or "", query.limit + 1)
    page = found[: query.limit]
    more = f"{PATH}?limit={query.limit}&cursor={page[-1]['id']}" if len(found) > len(page) else None
    return private_json({"items": page, "next": more})


async def create_webhook(request: Request, asker: Asker, _: BaseModel) -> Response:
    """From now on, each change that the lists do not leave out is posted to the URL. The answer holds the secret."""
    fields = checked_by(WebhookFields, await body_of(request, WebhookFields))
    await _check_url(request, fields.url)
    made = await _run(request, asker, subscriptions.create, fields)
    return private_json(made, 201, {"Location": f"{PATH}/{made['id']}"})


async def read_webhook(request: Request, asker: Asker, _: BaseModel, webhook_id: str) -> Response:
    """What it is told of, and whether that works."""
    return private_json(await _run(request, asker, subscriptions.one, webhook_id))


async def patch_webhook(request: Request, asker: Asker, _: BaseModel, webhook_id: str) -> Response:
    """A JSON Merge Patch (RFC 7396). Disabled and made active again, it is told what it missed meanwhile too."""
    patch = await body_of(request, WebhookFields, MERGE_PATCH)
    if not isinstance(patch, dict):
        raise Invalid(ErrorItem(pointer="", code="invalid_value", detail="The body is an object."))
    fields = await _run(request, asker, subscriptions.merged, webhook_id, patch)
    if "url" in patch or "state" in patch:
        await _check_url(request, fields.url)
    return private_json(await _run(request, asker, subscriptions.change, webhook_id, patch))


async def delete_webhook(request: Request, asker: Asker, _: BaseModel, webhook_id: str) -> Response:
    """Nothing more is sent, and what was sent can no longer be read."""
    await _run(request, asker, subscriptions.remove, webhook_id)
    return Response(None, 204)


async def rotate_webhook(request: Request, asker: Asker, _: BaseModel, webhook_id: str) -> Response:
    """A new secret. The one before signs too for `overlap` seconds, one day by default: there are two signatures."""
    rotation = checked_by(Rotated, await body_of(request, Rotated))
    return private_json(await _run(request, asker, subscriptions.rotate, webhook_id, rotation.overlap))


async def ping_webhook(request: Request, asker: Asker, _: BaseModel, webhook_id: str) -> Response:
    """An event `webhook.test` is sent once."""
    return private_json(await _run(request, asker, subscriptions.ping, webhook_id), 202)


async def list_deliveries(request: Request, asker: Asker, query: DeliveriesQuery, webhook_id: str) -> Response:
    """What was sent and what came of it, the latest first. What is done can be read for seven days."""
    arguments = (webhook_id, query.state, query.cursor, query.limit + 1)
    found = await _run(request, asker, subscriptions.deliveries, *arguments)
    page, more = found[: query.limit], None
    if len(found) > len(page):
        state = f"state={query.state}&" if query.state else ""
        more = f"{PATH}/{webhook_id}/deliveries?{state}limit={query.limit}&cursor={page[-1]['id']}"
    return private_json({"items": page, "next": more})


async def repeat_delivery(request: Request, asker: Asker, _: BaseModel, webhook_id: str, delivery_id: str) -> Response:
    """What was sent is sent once more under the same id; what waits for its next attempt is tried now."""
    return private_json(await _run(request, asker, subscriptions.repeat, webhook_id, delivery_id), 202)


async def _check_url(request: Request, url: str) -> None:
    """Invalid unless the URL may be called now; when something is sent, it is checked again."""
    allowance = Allowance.parse(request.app.state.settings.webhook_allow)
    lookups = ThreadPoolExecutor(1)
    try:
        place = allowance.endpoint(url)
        async with asyncio.timeout(LOOKING_UP):
            await allowance.addresses(place.host, place.port, lookups)
    except (Refused, TimeoutError) as error:
        error = error if isinstance(error, Refused) else Refused("has a host that is not found in time")
        raise Invalid(ErrorItem(pointer="/url", code="not_callable", detail=f"The URL {error}.")) from None
    finally:
        lookups.shutdown(wait=False)


async def _run(request: Request, asker: Asker, act: Any, *arguments: Any) -> Any:
    """What an act on subscriptions returns. Ids that do not fit their pattern never reach the database."""
    if not all(part.isascii() and part.replace("-", "").isalnum() for part in request.path_params.values()):
        raise NotFound
    return await request.app.state.editor.run(asker, lambda session, still: act(session, still, *arguments))
