"""The pages for developers: `/guides`, `/docs`, `/reference` and `/problems`.

- `routes` serves them; `layout` is what all of them share; `assets` are their styles, scripts and images
- `guides`, `problems_page`: what each of these pages contains
- `contract` reads the stored OpenAPI document, with the introduction in getting_started.md
- `reference` and `schema_types`: the contract as HTML, without a script
- `search_entries`: what the search field of the pages finds
- `viewer`: the operations, each in Swagger UI when it is opened

Every page but `/docs` is HTML that the server has written. No page loads anything from another host.
"""
