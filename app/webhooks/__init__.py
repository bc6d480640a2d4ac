"""`/v1/webhooks`: subscriptions, and the delivery of events to them.

The way of an event: `fan_out` (log to deliveries), `queue` (leases), `sender`, `client` (one signed call).
"""
