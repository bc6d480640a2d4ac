"""The application: the only module that knows every slice."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from starlette.types import ASGIApp
from starlette_compress import CompressMiddleware

from app import __version__
from app.agreements.models import AGREEMENTS
from app.audit.routes import audit_router
from app.changes.routes import changes_router
from app.changes.waiting import Waiting
from app.core.database import Database
from app.core.edge import Edge, set_up_logs
from app.core.editing import Editor
from app.core.errors import Failed, MethodNotAllowed, NotFound, Problem
from app.core.history_routes import history_router
from app.core.hot import Freshness, Hot
from app.core.keys import Gate, Uses
from app.core.limits import Limits
from app.core.openapi import describe
from app.core.reading import READINGS, Reading, last_change
from app.core.routes import Dispatch, resource_router
from app.core.schema import head
from app.core.settings import Settings
from app.core.site import pages, site_router
from app.core.write_routes import write_router
from app.documents.models import DOCUMENTS
from app.exchange.routes import imports_router
from app.exchange.worker import Importer
from app.figures.indicators import INDICATORS
from app.figures.models import FIGURES
from app.figures.routes import figures_router
from app.keys.routes import keys_router
from app.milestones.models import MILESTONES
from app.partners.models import PARTNERS
from app.partners.routes import partners_router
from app.places.models import PLACES
from app.projects.models import PROJECTS
from app.search.routes import search_router
from app.statements.models import STATEMENTS
from app.timeline.routes import timeline_router
from app.webhooks.address import Allowance
from app.webhooks.delivery import Sender
from app.webhooks.events import contract
from app.webhooks.routes import webhooks_router

# The order of the docs, and of matching: what is asked most comes first.
RESOURCES = (PROJECTS, PARTNERS, AGREEMENTS, MILESTONES, STATEMENTS, FIGURES, INDICATORS, DOCUMENTS, PLACES)


def create_app(settings: Settings | None = None) -> ASGIApp:
    """The whole ASGI application, for one database."""
    settings = settings or Settings()
    set_up_logs()
    app, routers = assemble(settings)
    observe = None
    if settings.metrics:
        from app.core.metrics import mount  # noqa: PLC0415 - an extra, imported only where it is installed and wanted

        observe = mount(app)
    inner = CompressMiddleware(Gate(Dispatch(app, routers), app.state), minimum_size=500)
    edge = Edge(inner, access_log=settings.access_log, observe=observe)
    outermost: ASGIApp = edge
    if settings.hot_cache:
        outermost = Hot(edge, app.state.fresh, settings.hot_cache)
    of_key, of_address = settings.rate_limit_key, settings.rate_limit_address
    return Limits(outermost, edge, of_key=of_key, of_address=of_address) if of_key or of_address else outermost


def assemble(settings: Settings) -> tuple[FastAPI, list[APIRouter]]:
    """The FastAPI application inside, without the outer layers, and the routers it was made of."""
    READINGS.update({resource.name: Reading(resource) for resource in RESOURCES})
    app = FastAPI(
        title=settings.site_name,
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    state = app.state
    state.settings = settings
    state.fresh = Freshness(lambda: last_change(state.reader), lambda: state.database.commits(), settings.hot_staleness)
    computed = [search_router(), figures_router(), audit_router(), timeline_router(), changes_router()]
    routers = [*computed, *map(resource_router, RESOURCES), site_router(settings, __version__, head())]
    routers += [*map(history_router, RESOURCES), *map(write_router, RESOURCES), partners_router(), keys_router()]
    routers += [imports_router(), webhooks_router()]
    for router in routers:
        app.include_router(router)
    pages(app, settings.site_name)
    describe(app, settings, RESOURCES, Path(__file__).with_name("examples.json"), contract)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unforeseen)
    return app, routers


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    database = Database(settings.database_url, deadline=settings.query_deadline, inline_budget=settings.inline_budget)
    app.state.database, app.state.reader = database, database.reader()
    app.state.editor, app.state.uses = Editor(database), Uses(database)
    app.state.importer = Importer(database, app.state.reader, app.state.editor)
    waiting = Waiting(app.state.fresh)
    waiting.end_with_the_process()
    app.state.waiting = waiting
    allowance = Allowance.parse(settings.webhook_allow)
    sender = Sender(database, app.state.reader, allowance, settings.public_url)
    if settings.webhook_sender:
        sender.start()
    yield
    await sender.stop()
    await waiting.close()
    await app.state.importer.close()
    await app.state.uses.close()
    app.state.editor.close()
    await app.state.reader.close()
    database.close()


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _unforeseen(_: Request, __: Exception) -> Response:
    return Failed().response()


async def _http_error(request: Request, error: Exception) -> Response:
    """What the router itself refuses."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = {"Allow": ", ".join(_allowed(request))}
        return (
            Response(None, 204, allowed)
            if request.method == "OPTIONS"
            else MethodNotAllowed(headers=allowed).response()
        )
    return NotFound("There is nothing at this path.").response()


def _allowed(request: Request) -> list[str]:
    """The methods of a path; those of `/{id}` are not those of a word that is no id, such as `/facets`."""
    path, methods = request.scope["path"], {"OPTIONS"}
    if path.startswith("/docs/assets/"):
        methods.add("GET")
    routes: list[Any] = [each for each in iter_route_contexts(request.app.routes) if getattr(each, "methods", None)]
    exact = [route for route in routes if route.path == path]
    for route in exact or [route for route in routes if compile_path(route.path)[0].match(path)]:
        methods |= set(route.methods)
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))
