"""`/docs`: the contract in Swagger UI, from which requests can be sent, below the introduction."""

from app.core.http.html_pages.layout import markdown
from app.core.public_paths import public

VIEWER_STYLES = ("swagger-ui.css", "docs.css")
SCRIPTS = ("swagger-ui-bundle.js", "docs.js")


def try_it_out_page(introduction: str) -> str:
    """Return the content of the page. The introduction is folded, so that operations can be seen at once."""
    reference = f'<a href="{public("/reference")}">Reference</a>'
    authorize = f'<a href="{public("/reference")}#authentication-how-to-get-a-key">key</a>'
    scripts = "".join(f'<script src="{public(f"/docs/assets/{name}")}"></script>' for name in SCRIPTS)
    return (
        f"<h1>Try it out</h1><p>Open an operation and press <em>Execute</em>. Its values work with the demonstration "
        f"data. Reading needs no {authorize}. The {reference} describes all parameters and members.</p>"
        f"<details><summary>Getting started: first request, keys, scopes, pages, filters, synchronisation, errors, "
        f"limits, versions, contact</summary>{markdown(introduction)}</details>"
        f'<div id="docs" data-contract="{public("/openapi.json")}"></div>'
        f"<noscript><p>This page needs JavaScript. The {reference} does not.</p></noscript>{scripts}"
    )
