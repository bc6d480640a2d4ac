"""Everything beside the records: the index, code lists, health, metrics, and the pages for developers."""

import hashlib
import html
import inspect
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import text
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from app.core import codelists
from app.core.database import Query, Read
from app.core.errors import MISTAKES, Invalid, NotFound, Problem, ProblemShown, Unavailable, family
from app.core.resource import RESOURCES
from app.core.routes import NOT_CHANGED, Documented, InPath, ReadRoute, asked, documented, problems
from app.core.settings import Settings
from app.core.text import LanguageMap, to_json

VERSION = Query(text("SELECT version_num FROM alembic_version"))


class Index(BaseModel, defer_build=True):
    """Where everything is."""

    name: str
    about: LanguageMap
    version: str = Field(description="Version of the program.")
    resources: dict[str, str] = Field(description="Path of each resource's list.")
    search: str
    progress: str = Field(description="Targets against actuals.")
    aggregate: str = Field(description="Figures added up.")
    timeline: str = Field(description="What comes when.")
    audit: str = Field(description="What a careful reader would flag.")
    changes: str = Field(description="Every change, to follow.")
    codelists: str
    openapi: str
    docs: str
    reference: str
    problems: str
    licence: str = Field(description="SPDX id of the licence of the data.")
    licence_url: str


class CodeShown(BaseModel, defer_build=True):
    """One code of a list."""

    code: str
    label: LanguageMap
    iati: str | None = Field(description="The code of the same meaning in the IATI code list named by the list.")


class CodeListShown(BaseModel, defer_build=True):
    """A closed list of codes."""

    name: str
    description: str
    source: str = Field(description="Whose codes these are.")
    iati_codelist: str | None = Field(description="The IATI 2.03 code list that `iati` refers to.")
    codes: list[CodeShown]


class CodeLists(BaseModel, defer_build=True):
    """All code lists."""

    items: list[CodeListShown]
    next: None = Field(description="Always null: the lists fit one page.")


class Alive(BaseModel, defer_build=True):
    """The process answers."""

    status: str = Field(examples=["ok"])


class Ready(BaseModel, defer_build=True):
    """The database answers and has the schema that this program needs."""

    status: str = Field(examples=["ok"])
    schema_version: str


def site_router(settings: Settings, version: str, schema: str) -> APIRouter:
    """`/v1`, `/v1/codelists`, `/livez`, `/readyz`."""
    router = APIRouter(tags=["registry"], route_class=ReadRoute, responses=problems(Invalid))
    index = _index(settings, version)

    async def read_index(request: Request, _: BaseModel) -> Response:
        return ready_bytes(request, index)

    async def read_readyz(request: Request, _: BaseModel) -> Response:
        found = await request.app.state.reader.run(_schema)
        if found != schema:
            raise Unavailable("The database does not have the schema of this program: run `hoptac migrate`.")
        return _now({"status": "ok", "schema_version": found})

    def add(path: str, read: Any, shown: Any, summary: str, also: Any, **in_path: InPath) -> None:
        said = documented(read, Documented(lambda: shown, in_path))
        router.add_api_route(path, said, operation_id=read.__name__, summary=summary, responses=also)

    add("/v1", read_index, Index, "Where everything is", NOT_CHANGED)
    add("/v1/codelists", list_codelists, CodeLists, "List the code lists", NOT_CHANGED)
    name, also = InPath("Its name.", "project_status", str), {**NOT_CHANGED, **problems(NotFound)}
    add("/v1/codelists/{codelist}", read_codelist, CodeListShown, "Read one code list", also, codelist=name)
    add("/livez", read_livez, Alive, "Is the process alive?", {})
    add("/readyz", read_readyz, Ready, "Can it serve?", problems(Unavailable))
    return router


async def list_codelists(request: Request, _: BaseModel) -> Response:
    """Every code list."""
    return ready_bytes(request, _codelists())


async def read_codelist(request: Request, _: BaseModel, codelist: str) -> Response:
    """One code list."""
    if codelist not in codelists.ALL:
        raise NotFound
    return ready_bytes(request, to_json(codelists.ALL[codelist].shown()))


async def read_livez(_: Request, __: BaseModel) -> Response:
    """That the process answers."""
    return _now({"status": "ok"})


def _schema() -> Read:
    rows = yield VERSION, {}
    value = rows[0][0] if rows else ""
    return value.decode() if isinstance(value, bytes) else value


def _index(settings: Settings, version: str) -> bytes:
    return to_json(
        {
            "name": settings.site_name,
            "about": {
                "en": "An open registry of international cooperation, with evidence for every figure.",
                "vi": "Sổ đăng ký mở về hợp tác quốc tế, mỗi con số đều có nguồn.",
            },
            "version": version,
            "resources": {name: f"/v1/{name}" for name in RESOURCES},
            "search": "/v1/search",
            "progress": "/v1/progress",
            "aggregate": "/v1/figures/aggregate",
            "timeline": "/v1/timeline",
            "audit": "/v1/audit",
            "changes": "/v1/changes",
            "codelists": "/v1/codelists",
            "openapi": "/openapi.json",
            "docs": "/docs",
            "reference": "/reference",
            "problems": "/problems",
            "licence": settings.data_licence,
            "licence_url": settings.data_licence_url,
        }
    )


@cache
def _codelists() -> bytes:
    return to_json({"items": [each.shown() for each in codelists.ALL.values()], "next": None})


def _now(content: Mapping[str, Any]) -> Response:
    return Response(to_json(content), headers={"Cache-Control": "no-store"}, media_type="application/json")


def ready_bytes(request: Request, body: bytes, media_type: str = "application/json") -> Response:
    """Bytes that change only with the program or its settings, under a tag of their content."""
    tag = hashlib.blake2b(body, digest_size=8).hexdigest()
    headers = {"ETag": f'"{tag}"', "Cache-Control": request.app.state.settings.cache_control}
    if asked(request).has(tag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, media_type=media_type)


# Scripts and styles come from an installed package and are served by us: no page asks another host for anything.
ASSETS = files("fastapi_offline") / "static"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; worker-src blob:; font-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
)
REDOC_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
START_SWAGGER = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#docs", deepLinking: true, displayRequestDuration: true,
  docExpansion: "none", tryItOutEnabled: true, validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset]
});
"""
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="/docs/assets/favicon.png">{head}</head>
<body>{body}</body></html>
"""
PLAIN = """<style>body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}
code{background:#f2f2f2;padding:.1em .3em;border-radius:3px}h2{margin:2rem 0 .3rem}p{margin:.3rem 0}
a{color:#0b5cad}</style>"""


def pages(app: FastAPI, title: str) -> None:
    """Mount /openapi.json, /docs (Swagger UI), /reference (ReDoc) and /problems."""

    def page(name: str, head: str, body: str) -> HTMLResponse:
        content = PAGE.format(title=f"{html.escape(title)} · {name}", head=head, body=body)
        return HTMLResponse(content, headers={"Content-Security-Policy": PAGE_POLICY})

    router = APIRouter(include_in_schema=False)

    @router.get("/openapi.json")
    async def read_openapi(request: Request) -> Response:
        return ready_bytes(request, contract(app))

    @router.get("/docs")
    async def read_docs() -> Response:
        head = '<link rel="stylesheet" href="/docs/assets/swagger-ui.css">'
        scripts = '<script src="/docs/assets/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script>'
        return page("API", head, f'<div id="docs"></div>{scripts}')

    @router.get("/docs/start.js")
    async def read_start() -> Response:
        return Response(START_SWAGGER, media_type="text/javascript")

    @router.get("/docs/assets/redoc.standalone.js")
    async def read_redoc(request: Request) -> Response:
        return ready_bytes(request, _redoc(), "text/javascript")

    @router.get("/reference")
    async def read_reference() -> Response:
        head = "<style>body{margin:0}</style>"
        script = '<script src="/docs/assets/redoc.standalone.js"></script>'
        return page("Reference", head, f'<redoc spec-url="/openapi.json" hide-loading></redoc>{script}')

    @router.get("/problems")
    async def read_problems() -> Response:
        return page("Problems", PLAIN, _problems_page())

    app.include_router(router)
    app.mount("/docs/assets", StaticFiles(directory=str(ASSETS)), name="assets")


@cache
def contract(app: FastAPI) -> bytes:
    """The OpenAPI document, as it is served and as it is committed."""
    return to_json(app.openapi())


@cache
def _redoc() -> bytes:
    """ReDoc's script, with the logo that it would ask another host for replaced by our own icon."""
    return (ASSETS / "redoc.standalone.js").read_bytes().replace(REDOC_LOGO, b"/docs/assets/favicon.png")


def _problems_page() -> str:
    kinds: Iterable[type[Problem]] = family()
    entries = "".join(
        f'<h2 id="{kind.code}"><code>{kind.code}</code> · {kind.status} {html.escape(kind.title)}</h2>'
        f"<p>{_words(inspect.cleandoc(kind.__doc__ or ''))}</p>"
        for kind in kinds
    )
    mistakes = "".join(f'<p id="{code}"><code>{code}</code> {_words(said)}</p>' for code, said in MISTAKES.items())
    fields = "".join(
        f"<p><code>{name}</code> {_words(entry.description or '')}</p>"
        for name, entry in ProblemShown.model_fields.items()
    )
    intro = "<p>Errors are <code>application/problem+json</code> (RFC 9457) with these members:</p>"
    each = "<h2>Single mistakes</h2><p>What <code>errors[].code</code> can be:</p>"
    return f"<h1>Problems</h1>{intro}{fields}{entries}{each}{mistakes}"


def _words(text: str) -> str:
    """Text for a page; what stands in backquotes becomes code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
