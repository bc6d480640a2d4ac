"""Endpoints, their OpenAPI document and the pages of the site.

- `operations` declares endpoints; `dispatch` finds the endpoint of a read
- `resource_router`, `read_endpoints`, `write_endpoints`: the endpoints that every resource has
- `bodies`, `responses`: request bodies and responses
- `openapi`: the OpenAPI document
- `site`: index, code lists, health; `html_pages`: pages for developers

This folder may import everything else in the core except the ASGI middleware.
"""
