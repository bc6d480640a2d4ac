"""The layers around FastAPI, outermost first: rate limits, response cache, middleware, gate, metrics.

Each is a plain ASGI application. They know callers and the last Change, but no resource.
"""
