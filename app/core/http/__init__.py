"""FastAPI routes that are the same for all resources, the OpenAPI document, and the pages of the site.

`routing` declares and dispatches routes. It may know everything else in the core but the ASGI layers.
"""
