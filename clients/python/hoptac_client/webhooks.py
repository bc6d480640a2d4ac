"""Webhooks, verified by the library of Standard Webhooks."""

import json
from collections.abc import Mapping

from standardwebhooks import Webhook

from hoptac_client.errors import InvalidWebhook
from hoptac_client.models import Event


def verify_webhook(secret: str, headers: Mapping[str, str], body: bytes) -> Event:
    """Return the event of a webhook that was signed with the secret of the subscription.

    `body` is the body exactly as it was received. A webhook that is older than five minutes raises `InvalidWebhook`,
    like one with a wrong signature. An event can come more than once: process each value of the header `webhook-id`
    once.
    """
    webhook = Webhook(secret)
    try:
        # The library raises errors of many types for headers and bodies that are not well formed.
        webhook.verify(body, dict(headers), json_parse=False)
        event: Event = json.loads(body)
    except Exception as error:
        raise InvalidWebhook(f"The webhook was not verified: {error}") from error
    return event
