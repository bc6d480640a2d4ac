"""Pages for developers: the OpenAPI document, two viewers of it, and the list of problems."""

import html
import inspect
import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from mimetypes import guess_type

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.responses import HTMLResponse

from app.core.errors import ERROR_DETAILS, NotFound, Problem, ProblemShown, family
from app.core.http.responses import json_response
from app.core.public_paths import public
from app.core.values.json import to_json

# Scripts and styles come from an installed package and are served here, so no page loads anything from another host.
ASSETS = files("fastapi_offline") / "static"

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; worker-src blob:; font-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
)
REDOC_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"

START_SWAGGER = """SwaggerUIBundle({
  url: "{openapi}", dom_id: "#docs", deepLinking: true, displayRequestDuration: true,
  docExpansion: "none", tryItOutEnabled: true, validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset]
});
"""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="{icon}">{head}</head>
<body>{body}</body></html>
"""

PLAIN = """<style>body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}
code{background:#f2f2f2;padding:.1em .3em;border-radius:3px}h2{margin:2rem 0 .3rem}p{margin:.3rem 0}
a{color:#0b5cad}</style>"""


def pages(app: FastAPI, title: str) -> None:
    """Mount /openapi.json, /docs (Swagger UI), /reference (ReDoc) and /problems."""

    def page(name: str, head: str, body: str) -> HTMLResponse:
        icon = public("/docs/assets/favicon.png")
        content = PAGE.format(title=f"{html.escape(title)} · {name}", head=head, body=body, icon=icon)
        return HTMLResponse(content, headers={"Content-Security-Policy": PAGE_POLICY})

    router = APIRouter(include_in_schema=False)

    @router.get("/openapi.json")
    async def read_openapi(request: Request) -> Response:
        return json_response(request, _openapi(app))

    @router.get("/docs")
    async def read_docs() -> Response:
        head = f'<link rel="stylesheet" href="{public("/docs/assets/swagger-ui.css")}">'
        sources = (public("/docs/assets/swagger-ui-bundle.js"), public("/docs/start.js"))
        scripts = "".join(f'<script src="{source}"></script>' for source in sources)
        return page("API", head, f'<div id="docs"></div>{scripts}')

    @router.get("/docs/start.js")
    async def read_start() -> Response:
        return Response(START_SWAGGER.replace("{openapi}", public("/openapi.json")), media_type="text/javascript")

    router.add_api_route("/docs/assets/{name}", _read_asset)

    @router.get("/reference")
    async def read_reference() -> Response:
        head = "<style>body{margin:0}</style>"
        script = f'<script src="{public("/docs/assets/redoc.standalone.js")}"></script>'
        return page("Reference", head, f'<redoc spec-url="{public("/openapi.json")}" hide-loading></redoc>{script}')

    @router.get("/problems")
    async def read_problems() -> Response:
        return page("Problems", PLAIN, _problems_page())

    app.include_router(router)


@cache
def _openapi(app: FastAPI) -> bytes:
    return to_json(app.openapi())


async def _read_asset(request: Request, name: str) -> Response:
    if name not in _asset_names():
        raise NotFound("There is no resource at this path.")
    return json_response(request, _asset(name), guess_type(name)[0] or "application/octet-stream")


@cache
def _asset_names() -> frozenset[str]:
    return frozenset(file.name for file in ASSETS.iterdir() if file.is_file())


@cache
def _asset(name: str) -> bytes:
    """Return a script, style or image. ReDoc shows our icon in place of the logo that it would load from a host."""
    return (ASSETS / name).read_bytes().replace(REDOC_LOGO, public("/docs/assets/favicon.png").encode())


def _problems_page() -> str:
    kinds: Iterable[type[Problem]] = family()
    entries = "".join(
        f'<h2 id="{kind.code}"><code>{kind.code}</code> · {kind.status} {html.escape(kind.title)}</h2>'
        f"<p>{_words(inspect.cleandoc(kind.__doc__ or ''))}</p>"
        for kind in kinds
    )
    errors = "".join(f'<p id="{code}"><code>{code}</code> {_words(text)}</p>' for code, text in ERROR_DETAILS.items())
    fields = "".join(
        f"<p><code>{name}</code> {_words(entry.description or '')}</p>"
        for name, entry in ProblemShown.model_fields.items()
    )
    intro = "<p>Errors are <code>application/problem+json</code> (RFC 9457) with these members:</p>"
    heading = "<h2>Codes of single errors</h2><p>The values of <code>errors[].code</code>:</p>"
    return f"<h1>Problems</h1>{intro}{fields}{entries}{heading}{errors}"


def _words(text: str) -> str:
    """Return a text as HTML. Words in backquotes become code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
