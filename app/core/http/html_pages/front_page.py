"""`/`: what the registry is, three requests to click, and where to read on."""

from html import escape

from app.core.public_paths import public
from app.core.settings import Settings

PURPOSE_TEXT = (
    "An open registry of international cooperation: who agreed what with whom, what was promised, and what was "
    "delivered. Every figure names the document and the paragraph that it comes from."
)

# They work with any data: none of them needs a record of the dataset.
EXAMPLES = {
    "/v1/search?q=nha%20may%20thong%20minh": (
        "Search in Vietnamese or English",
        "Finds “nhà máy thông minh” (smart factory) although the diacritics are missing.",
    ),
    "/v1/projects?limit=1&include=partners,figures": (
        "A project with its partners and figures",
        "One request returns the record, the records that it links to, and the sources of each statement.",
    ),
    "/v1/progress?limit=3": (
        "Targets and results",
        "Compares what projects planned with what they reported, and shows each calculation.",
    ),
}

PLACES = {
    "/guides/use-the-api": ("Use the API", "First steps for developers: lists, filters, search, caching."),
    "/guides/keep-in-step": ("Write and synchronise", "For partners: keys, imports, the change feed, webhooks."),
    "/guides": ("All guides", "Also for operators, and about the data itself."),
    "/docs": ("Try it out", "Send requests from the browser, with values that work."),
    "/reference": ("Reference", "Every operation, parameter and schema. It can be searched."),
    "/openapi.json": ("The contract", "OpenAPI 3.1, for client generators."),
    "/v1/export": ("Download everything", "All public records in one ZIP file: CSV, JSON Lines and the history."),
    "/v1": ("Index", "The paths of the API as JSON."),
    "/readyz": ("Status", "Whether this registry can serve requests now."),
}


def front_page(settings: Settings, version: str) -> str:
    """Return the content of the page."""
    examples = "".join(
        f'<li><a href="{public(escape(path))}">{title}</a><p>{explanation}</p>'
        f"<code>GET {escape(public(path).replace('%20', ' '))}</code></li>"
        for path, (title, explanation) in EXAMPLES.items()
    )
    places = "".join(
        f'<li><a href="{public(path)}">{title}</a><p>{explanation}</p></li>'
        for path, (title, explanation) in PLACES.items()
    )
    licence = f'<a href="{escape(settings.data_licence_url)}">{escape(settings.data_licence)}</a>'
    return (
        f'<h1>{escape(settings.site_name)}</h1><p class="text">{PURPOSE_TEXT} Reading needs no key.</p>'
        f'<section id="examples"><h2>Three requests</h2><ul class="cards">{examples}</ul></section>'
        f'<section id="read-on"><h2>Read on</h2><ul class="cards">{places}</ul></section>'
        f'<p class="muted">The data can be used under {licence}. Version {escape(version)}.</p>'
    )
