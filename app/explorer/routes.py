"""The routes of the pages. They are read like the API: with an ETag, by anyone, in one of two languages."""

import hashlib
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files
from mimetypes import guess_type

from fastapi import APIRouter, Request, Response

from app.core.errors import NotFound
from app.core.etags import matches_any
from app.core.public_paths import public
from app.core.settings import Settings
from app.explorer.languages import chosen_language
from app.explorer.pages.agreement import agreement_page
from app.explorer.pages.document import document_page
from app.explorer.pages.figure import figure_page
from app.explorer.pages.lists import LISTS, list_page
from app.explorer.pages.partner import partner_page
from app.explorer.pages.place import place_page, places_page
from app.explorer.pages.problem import problem_content, successor_of
from app.explorer.pages.project import project_page
from app.explorer.pages.record import indicator_page, milestone_page, statement_page
from app.explorer.pages.search import search_page
from app.explorer.pages.timeline import timeline_page
from app.explorer.reads import PublicReads, ReadFailed
from app.explorer.rendering import Content, render
from app.explorer.view import View

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HTML = "text/html; charset=utf-8"
STATIC = files("app.explorer") / "static"

Page = Callable[..., Awaitable[Content]]

PAGES: dict[str, Page] = {
    **{f"/{record_list.resource}": list_page(record_list) for record_list in LISTS},
    "/search": search_page,
    "/timeline": timeline_page,
    "/places": places_page,
    "/projects/{project}": project_page,
    "/agreements/{agreement}": agreement_page,
    "/partners/{partner}": partner_page,
    "/documents/{document}": document_page,
    "/figures/{figure}": figure_page,
    "/places/{place}": place_page,
    "/milestones/{milestone}": milestone_page,
    "/statements/{statement}": statement_page,
    "/indicators/{indicator}": indicator_page,
}
PAGE_PATHS = frozenset(path.split("/")[1] for path in PAGES)


def explorer_router(settings: Settings) -> APIRouter:
    """Return the routes of all pages and of their files."""
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/explorer/{name}", read_static)
    for path, page in PAGES.items():
        router.add_api_route(path, _endpoint(page, settings))
    return router


def _endpoint(page: Page, settings: Settings) -> Callable[[Request], Awaitable[Response]]:
    async def read_page(request: Request) -> Response:
        return await page_response(request, page, settings)

    return read_page


async def page_response(request: Request, page: Page, settings: Settings) -> Response:
    """Return a page, the page of a problem, or the link to the record that has replaced this one."""
    language = chosen_language(request.query_params.get("lang"))
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    view = View(language, request.url.path, query, _base(request, settings), settings.site_name)
    reads = PublicReads(request.app.state.public_api, request.scope, language)
    view.reads = reads.paths
    status = 200
    try:
        content = await page(view, reads, **request.path_params)
    except ReadFailed as failure:
        if failure.location:
            return Response(None, 308, {"Location": successor_of(view, failure.location)})
        content = await problem_content(reads, failure, request.url.path)
        status = failure.status
    return _html_response(request, render(content, view), status, settings)


def _base(request: Request, settings: Settings) -> str:
    """Return the URL of the registry, as the client sees it."""
    if settings.public_url:
        return settings.public_url.rstrip("/").removesuffix(public(""))
    host = request.headers.get("host", "")
    return f"{request.url.scheme}://{host}" if host else ""


def _html_response(request: Request, content: str, status: int, settings: Settings) -> Response:
    body = content.encode()
    headers = {"Content-Security-Policy": PAGE_POLICY}
    if status != 200:
        return Response(body, status, {**headers, "Cache-Control": "no-store"}, media_type=HTML)
    tag = hashlib.blake2b(body, digest_size=8).hexdigest()
    headers |= {"ETag": f'"{tag}"', "Cache-Control": settings.cache_control}
    if matches_any(request.headers.get("if-none-match", ""), tag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, media_type=HTML)


async def read_static(request: Request, name: str) -> Response:
    """Return a file of static/ by its name."""
    content = _static().get(name)
    if content is None:
        raise NotFound("There is no resource at this path.")
    tag = hashlib.blake2b(content, digest_size=8).hexdigest()
    headers = {"ETag": f'"{tag}"', "Cache-Control": request.app.state.settings.cache_control}
    if matches_any(request.headers.get("if-none-match", ""), tag):
        return Response(None, 304, headers)
    return Response(content, 200, headers, media_type=guess_type(name)[0] or "application/octet-stream")


@cache
def _static() -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in STATIC.iterdir() if file.is_file()}
