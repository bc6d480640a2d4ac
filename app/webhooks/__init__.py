"""`/v1/webhooks`: subscriptions, and the delivery of events to them.

What a webhook sends is in `events`. The way of an event: `fan_out` turns a Change into deliveries, `queue` keeps them
until they are due, `sender` claims them, and `client` posts each with a signature to an address that `egress` permits.
"""
