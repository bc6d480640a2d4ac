"""The routes of the pages. They are read like the API: with an ETag, by anyone, in one of two languages."""

import hashlib
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files
from mimetypes import guess_type
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from starlette.types import Scope

from app.core.errors import BadQuery, NotFound
from app.core.etags import matches_any
from app.core.public_paths import public
from app.core.settings import Settings
from app.core.translation import in_language
from app.explorer.embedding.card import project_card
from app.explorer.embedding.progress import embedded_progress, progress_image
from app.explorer.following.calendar import timeline_calendar
from app.explorer.following.changes import changes_feed, changes_page
from app.explorer.languages import chosen_language
from app.explorer.pages.agreement import agreement_page
from app.explorer.pages.audit import audit_page
from app.explorer.pages.document import document_page
from app.explorer.pages.figure import figure_page
from app.explorer.pages.lists import LISTS, list_page
from app.explorer.pages.partner import partner_page
from app.explorer.pages.place import place_page, places_page
from app.explorer.pages.problem import problem_content, successor_of
from app.explorer.pages.project import project_page
from app.explorer.pages.record import indicator_page, milestone_page, statement_page, transaction_page
from app.explorer.pages.search import search_page
from app.explorer.pages.start import start_page
from app.explorer.pages.timeline import timeline_page
from app.explorer.reads import PublicReads, ReadFailed
from app.explorer.rendering import HTML, JSON, Content, render
from app.explorer.view import View

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
FRAMED_POLICY = PAGE_POLICY.replace("frame-ancestors 'none'", "frame-ancestors *")
FILE_POLICY = "default-src 'none'; frame-ancestors 'none'"
STATIC = files("app.explorer") / "static"

# A page repeats its parameters in many links, such as those that add or remove a filter.
MAX_ADDRESS = 2_000  # bytes of path and query
MAX_PARAMETERS = 30
TOO_LONG = f"The address of a page has at most {MAX_ADDRESS} bytes and {MAX_PARAMETERS} parameters."

Page = Callable[..., Awaitable[Content]]

PAGES: dict[str, Page] = {
    **{f"/{record_list.resource}": list_page(record_list) for record_list in LISTS},
    "/": start_page,
    "/audit": audit_page,
    "/search": search_page,
    "/timeline": timeline_page,
    "/places": places_page,
    "/projects/{project}": project_page,
    "/agreements/{agreement}": agreement_page,
    "/partners/{partner}": partner_page,
    "/documents/{document}": document_page,
    "/figures/{figure}": figure_page,
    "/places/{place}": place_page,
    "/changes": changes_page,
    "/changes.atom": changes_feed,
    "/timeline.ics": timeline_calendar,
    "/projects/{project}/progress.svg": progress_image,
    "/projects/{project}/embed": embedded_progress,
    "/oembed": project_card,
    "/milestones/{milestone}": milestone_page,
    "/statements/{statement}": statement_page,
    "/indicators/{indicator}": indicator_page,
    "/transactions/{transaction}": transaction_page,
}
PAGE_PATHS = frozenset(path.split("/")[1] for path in PAGES)  # with "", the first page


def explorer_router(settings: Settings, index: bytes) -> APIRouter:
    """Return the routes of all pages and of their files. `index` is what clients get at `/` that ask for JSON."""
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/explorer/{name}", _read_static)
    for path, page in PAGES.items():
        router.add_api_route(path, _endpoint(page, settings, index if path == "/" else None))
    return router


def page_variant(scope: Scope) -> str | None:
    """Return what a page depends on besides its path and query: the address of the registry, which it contains.

    None: there is no page at this path.
    """
    if scope["path"].split("/", 2)[1] not in PAGE_PATHS:
        return None
    headers = scope["header_values"]
    form = "index" if scope["path"] == "/" and prefers_json(headers.get(b"accept", b"").decode("latin-1")) else "page"
    return f"{form} {scope['scheme']} {headers.get(b'host', b'').decode('latin-1')}"


def prefers_json(accept: str) -> bool:
    """Return whether a client wants JSON rather than a page: unless it names HTML, as browsers do."""
    return "text/html" not in accept and "application/xhtml+xml" not in accept


def _endpoint(page: Page, settings: Settings, index: bytes | None) -> Callable[[Request], Awaitable[Response]]:
    async def read_page(request: Request) -> Response:
        return await page_response(request, page, settings)

    async def read_start(request: Request) -> Response:
        if index is not None and prefers_json(request.headers.get("accept", "")):
            response = _tagged(request, index, "application/json", {})
        else:
            response = await page_response(request, page, settings)
        response.headers["Vary"] = "Accept"
        return response

    return read_page if index is None else read_start


async def page_response(request: Request, page: Page, settings: Settings) -> Response:
    """Return a page, the page of a problem, or the link to the record that has replaced this one."""
    language = chosen_language(request.query_params.get("lang"))
    state = request.app.state
    reads = PublicReads(state.public_reads, request.scope, language, summaries=state.summaries)
    if _is_too_long(request):
        view = View(language, "/", (), _base(request, settings), settings)
        problem = in_language(BadQuery(TOO_LONG).as_dict(), language)
        return await _problem_page(request, view, reads, ReadFailed(BadQuery.status, problem, ""))
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    view = View(language, request.scope["path"], query, _base(request, settings), settings)
    view.reads = reads.paths
    try:
        content = await page(view, reads, **request.path_params)
    except ReadFailed as failure:
        if failure.location:
            return Response(None, 308, {"Location": successor_of(view, failure.location)})
        return await _problem_page(request, view, reads, failure)
    return _response(request, content, render(content, view), 200)


def _is_too_long(request: Request) -> bool:
    length = len(quote(request.scope["path"])) + len(request.scope["query_string"])
    return length > MAX_ADDRESS or len(request.query_params.multi_items()) > MAX_PARAMETERS


async def _problem_page(request: Request, view: View, reads: PublicReads, failure: ReadFailed) -> Response:
    content = await problem_content(reads, failure, request.scope["path"])
    return _response(request, content, render(content, view), failure.status)


def _base(request: Request, settings: Settings) -> str:
    """Return the URL of the registry, as the client sees it."""
    if settings.public_url:
        return settings.public_url.rstrip("/").removesuffix(public(""))
    host = request.headers.get("host", "")
    return f"{request.url.scheme}://{host}" if host else ""


def _response(request: Request, content: Content, text: str, status: int) -> Response:
    is_page = content.media_type == HTML
    policy = FRAMED_POLICY if content.can_be_framed else PAGE_POLICY if is_page else FILE_POLICY
    headers = {"Content-Security-Policy": policy}
    if content.media_type == JSON:
        headers["Access-Control-Allow-Origin"] = "*"
    if status != 200:
        return Response(text, status, {**headers, "Cache-Control": "no-store"}, media_type=HTML)
    return _tagged(request, text.encode(), content.media_type, headers)


async def _read_static(request: Request) -> Response:
    """Return a file of static/ by its name."""
    name = request.path_params["name"]
    content = _static().get(name)
    if content is None:
        raise NotFound("There is no resource at this path.")
    return _tagged(request, content, guess_type(name)[0] or "application/octet-stream", {})


def _tagged(request: Request, body: bytes, media_type: str, headers: dict[str, str]) -> Response:
    """Return a body whose ETag is a digest of it, or 304."""
    tag = hashlib.blake2b(body, digest_size=8).hexdigest()
    headers = {**headers, "ETag": f'"{tag}"', "Cache-Control": request.app.state.settings.cache_control}
    if matches_any(request.headers.get("if-none-match", ""), tag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, media_type=media_type)


@cache
def _static() -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in STATIC.iterdir() if file.is_file()}
