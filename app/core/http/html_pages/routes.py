"""The routes of the pages."""

from collections.abc import Callable
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response

from app.core.http.html_pages.assets import read_asset
from app.core.http.html_pages.guides import guide_page, guide_text, guides, guides_page
from app.core.http.html_pages.layout import document
from app.core.http.html_pages.problems_page import problems_page
from app.core.http.html_pages.reference import overview_page, schemas_page, tag_page
from app.core.http.html_pages.search_entries import Entry, entries_of, results_page
from app.core.http.html_pages.viewer import OperationContracts, try_it_out_page
from app.core.http.responses import json_response
from app.core.settings import Settings
from app.core.values.json import to_json

MARKDOWN = ".md"
MARKDOWN_TYPE = "text/markdown; charset=utf-8"

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; worker-src blob:; font-src 'self' data:; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)


def pages(app: FastAPI, settings: Settings, contract_with_examples: Callable[[], dict[str, Any]]) -> None:
    """Mount the pages."""
    router = APIRouter(include_in_schema=False)
    site = settings.site_name

    contract: Callable[[], dict[str, Any]] = cache(contract_with_examples)
    contract_json = cache(lambda: to_json(app.openapi()))

    @router.get("/openapi.json")
    async def read_openapi(request: Request) -> Response:
        return json_response(request, contract_json())

    _add_guides(router, site)
    _add_try_it_out(router, contract, site)
    _add_reference(router, contract, site)
    problems = cache(lambda: document(site, "Problems", problems_page(), path="/problems"))

    @router.get("/problems")
    async def read_problems(request: Request) -> Response:
        return _page(request, problems())

    app.include_router(router)


def _add_guides(router: APIRouter, site: str) -> None:
    @router.get("/guides")
    async def read_guides(request: Request) -> Response:
        return _page(request, document(site, "Guides", guides_page(), path="/guides"))

    @cache
    def guide(name: str) -> str:
        content = guide_page(name)
        return document(site, guides()[name].title, content, path="/guides")

    @router.get("/guides/{name}")
    async def read_guide(request: Request, name: str) -> Response:
        if name.endswith(MARKDOWN):
            return json_response(request, guide_text(name.removesuffix(MARKDOWN)).encode(), MARKDOWN_TYPE)
        return _page(request, guide(name))


def _add_try_it_out(router: APIRouter, contract: Callable[[], dict[str, Any]], site: str) -> None:
    router.add_api_route("/docs/assets/{name}", read_asset)
    with_examples = cache(lambda: to_json(contract()))
    operations = cache(lambda: OperationContracts(contract()))

    @cache
    def docs() -> str:
        return document(site, "Try it out", try_it_out_page(contract()), path="/docs", styles=("docs.css",))

    @router.get("/docs")
    async def read_docs(request: Request) -> Response:
        return _page(request, docs())

    @router.get("/docs/openapi.json")
    async def read_examples(request: Request) -> Response:
        return json_response(request, with_examples())

    @router.get("/docs/operations/{name}.json")
    async def read_operation(request: Request, name: str) -> Response:
        return json_response(request, to_json(operations().read(name)))


def _add_reference(router: APIRouter, contract: Callable[[], dict[str, Any]], site: str) -> None:
    @cache
    def entries() -> list[Entry]:
        return entries_of(contract())

    def page(title: str, content: str) -> str:
        return document(site, title, content, path="/reference")

    overview: Callable[[], str] = cache(lambda: page("Reference", overview_page(contract())))
    schemas: Callable[[], str] = cache(lambda: page("Schemas", schemas_page(contract())))
    tag: Callable[[str], str] = cache(lambda name: page(name.capitalize(), tag_page(contract(), name)))

    @router.get("/reference")
    async def read_reference(request: Request) -> Response:
        query = request.query_params.get("q")
        return _page(request, page("Search", results_page(entries(), query)) if query else overview())

    @router.get("/reference/schemas")
    async def read_schemas(request: Request) -> Response:
        return _page(request, schemas())

    @router.get("/reference/{name}")
    async def read_tag(request: Request, name: str) -> Response:
        return _page(request, tag(name))


def _page(request: Request, content: str) -> Response:
    response = json_response(request, content.encode(), "text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response
