"""Endpoints, their OpenAPI document and the pages of the site.

- `operations` declares endpoints; `dispatch` finds the endpoint of a read
- `resource_routes`, `resource_reads`, `resource_writes`: the endpoints that every resource has
- `bodies`, `responses`: request bodies and responses
- `openapi`: the OpenAPI document; `openapi_schemas`: its schemas; `openapi_named`: those of code lists, language maps
  and ids; `openapi_records`: those of resources; `openapi_components`: shared parameters and responses;
  `openapi_examples`: examples
- `site`: index, code lists, health; `html_pages`: pages for developers

This folder may import everything else in the core except the ASGI middleware.
"""
