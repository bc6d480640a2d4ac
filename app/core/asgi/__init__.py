"""The ASGI middleware around FastAPI, from the outside: rate limits, response cache, HTTP, authentication.

They know callers and the last Change, but no resource. `metrics` counts requests for Prometheus.
"""
