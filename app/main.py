"""The application. Only this module knows all resources and features."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from app import __version__
from app.agents.endpoint import add_endpoint
from app.agents.llms_txt import add_llms_txt
from app.agreements.routes import agreements_router
from app.analysis.aggregates import routes as aggregates
from app.analysis.audit import routes as audit
from app.analysis.evidence.routes import evidence_router
from app.analysis.progress import routes as progress
from app.analysis.timeline import routes as timeline
from app.catalogue import RESOURCES
from app.changes import routes as changes
from app.changes.interests import look_with
from app.changes.long_poll import LongPolls
from app.core.access.key_activity import KeyActivity
from app.core.asgi.authentication import AuthenticationMiddleware
from app.core.asgi.compression import Compression
from app.core.asgi.freshness import Freshness
from app.core.asgi.http_middleware import HttpMiddleware
from app.core.asgi.purged_caching import PurgedCaching
from app.core.asgi.rate_limits import RateLimitMiddleware
from app.core.asgi.request_headers import RequestHeaders
from app.core.asgi.response_cache import ResponseCache
from app.core.asgi.shared_usage import SharedUsageTable
from app.core.asgi.turns import Rounds, Turns
from app.core.asgi.usage_table import UsageTable
from app.core.database.engine import Database, WriteLimits
from app.core.database.log_position import LogPosition
from app.core.database.statements import Reader
from app.core.gauges import register_gauge
from app.core.http import site
from app.core.http.bodies import BufferedBodies
from app.core.http.dispatch import Dispatch
from app.core.http.error_handlers import add_error_handlers
from app.core.http.fixed_paths import add_fixed_paths
from app.core.http.html_pages.contract import stored_contract
from app.core.http.html_pages.routes import pages
from app.core.http.openapi.document import openapi_document
from app.core.http.openapi.examples import Examples, add_examples
from app.core.logs import set_up_logs
from app.core.maintenance.pruning import Prune, Pruner
from app.core.maintenance.reindex import REFRESHED_EVERY, refresh_index
from app.core.maintenance.schema import head
from app.core.maintenance.stopping import StopDelay, before_stop, end_in_time
from app.core.public_paths import RootPath, set_root_path
from app.core.reading.counts.count_cache import CountCache
from app.core.reading.cursors import CursorSigner
from app.core.reading.shared_reads import SharedReads
from app.core.request_cost import MeteredWork
from app.core.settings import Settings
from app.core.writing.idempotency import prune_replays
from app.core.writing.write_quota import prune_written_bytes
from app.core.writing.writer_thread import WriterThread
from app.documents.routes import documents_router
from app.documents.texts import routes as document_texts
from app.documents.texts.reading import last_state
from app.exchange.archives import routes as archives
from app.exchange.archives.current import CurrentArchive, remove_archives
from app.exchange.exports.page_routes import page_exports
from app.exchange.exports.routes import export_router
from app.exchange.exports.temporary_folder import remove_abandoned_folders
from app.exchange.exports.workbook import workbook_queue
from app.exchange.iati import routes as iati
from app.exchange.imports import routes as imports
from app.exchange.imports.receiving import FileReceiver
from app.exchange.imports.storage.claims import end_wrong_leases
from app.exchange.imports.storage.deletion import prune_imports
from app.exchange.imports.worker import Importer
from app.exchange.linked_data.routes import linked_data_router
from app.exchange.mappings import routes as mappings
from app.exchange.metadata import routes as metadata
from app.exchange.reconciliation import routes as reconciliation
from app.explorer.reads import Summaries
from app.explorer.routes import explorer_router, page_variant
from app.figures import transaction_sums
from app.figures.routes import figures_router, indicators_router, transactions_router
from app.keys import routes as keys
from app.keys.powers import log_last_administrator
from app.keys.revocation import PendingRevocations
from app.milestones.routes import milestones_router
from app.partners.routes import partners_router
from app.places.routes import places_router
from app.projects.routes import projects_router
from app.search import routes as search
from app.statements.routes import statements_router
from app.webhooks import routes as webhooks
from app.webhooks.egress import EgressPolicy
from app.webhooks.events import webhooks_document
from app.webhooks.limits import ManualLimits
from app.webhooks.pruning import correct_due_times, prune_deliveries
from app.webhooks.sender import Sender

# Seconds after which a thread has to let the event loop use the interpreter. The default is ten times as long.
SWITCH_INTERVAL = 0.0005
DAY = 86_400.0  # seconds between two checks that an administrator remains

ANALYSIS_TAG = {
    "name": "analysis",
    "description": "Compare targets with results, aggregate figures, put events in the order of time, and find records "
    "that contradict each other.",
}

EXAMPLES = Path(__file__).with_name("examples.json")  # a record of each resource
REQUESTS = Path(__file__).with_name("request_examples.json")  # parameters and bodies of operations
ANSWERS = Path(__file__).with_name("answers.json")  # responses of operations


def create_app(settings: Settings | None = None, usage: UsageTable | None = None) -> ASGIApp:
    """Return the ASGI application with its middleware. `usage` is the table that it shares with other workers."""
    settings = settings or Settings()
    set_root_path(settings.root_path)
    set_up_logs()
    app = api_of(settings, usage)
    observe = None
    if settings.metrics or settings.metrics_port:
        from app.core.asgi.metrics import mount  # noqa: PLC0415 - an extra, which need not be installed

        observe = mount(app, on_own_port=bool(settings.metrics_port))
    inner = MeteredWork(Compression(app.state.keyed_api))
    http = HttpMiddleware(
        inner,
        access_log=settings.access_log,
        log_clients=settings.log_clients,
        observe=observe,
        position=app.state.position,
        caching=PurgedCaching(settings.cache_control, settings.shared_max_age, settings.shared_stale)
        if settings.shared_max_age
        else None,
    )
    outermost: ASGIApp = http
    if settings.hot_cache:
        outermost = ResponseCache(http, app.state.fresh, settings.hot_cache, page_variant)
    outermost = RequestHeaders(outermost, http, app.state.public_api.has_file, app.state.fresh)
    of_key = settings.rate_limit_key
    of_address = settings.rate_limit_address
    if of_key or of_address:
        outermost = RateLimitMiddleware(outermost, http, app.state.usage, of_key=of_key, of_address=of_address)
    if settings.root_path:
        outermost = RootPath(outermost, settings.root_path)
    return Turns(outermost, app.state.rounds)


def api_of(settings: Settings, usage: UsageTable | None = None) -> FastAPI:
    """Return the FastAPI application and, in its state, the API as it is read and written in the process."""
    app, routers = assemble(settings, usage)
    # Without authentication, so it returns public data only.
    app.state.public_api = Dispatch(app, routers, app.state.explorer)
    app.state.keyed_api = AuthenticationMiddleware(app.state.public_api, app.state)
    app.state.rounds = Rounds()
    app.state.public_reads = Turns(app.state.public_api, app.state.rounds, within=True)  # of pages and tools
    return app


def assemble(settings: Settings, usage: UsageTable | None = None) -> tuple[FastAPI, list[APIRouter]]:
    """Return the FastAPI application without middleware, and its routers."""
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
    state.shared_usage = SharedUsageTable(settings.rate_limit_url) if settings.rate_limit_url else None
    state.usage = state.shared_usage or usage or UsageTable()
    state.cursor_signer = CursorSigner()
    state.counts = CountCache()
    state.shared_reads = SharedReads()
    state.workbooks = workbook_queue()
    state.position = LogPosition()
    state.source = None
    state.replicas = None
    state.stop_delay = StopDelay(settings.stop_delay)
    state.fresh = Freshness(
        lambda: last_state(state.separate_reader),
        lambda: state.database.commits(),
        settings.hot_staleness,
        state.position,
        partial(_lacks, state),
    )
    state.summaries = Summaries(state.fresh.marker)
    routers = _routers(settings)
    for router in routers:
        app.include_router(router)
    app.openapi = partial(stored_contract, settings, __version__)  # type: ignore[method-assign]
    pages(app, settings, partial(contract_with_examples, settings))
    state.explorer = explorer_router(settings, site.index(settings, __version__))
    app.include_router(state.explorer)
    add_fixed_paths(app, settings)
    add_endpoint(app, settings)
    add_llms_txt(app, settings)
    add_error_handlers(app)
    return app, routers


def written_contract(settings: Settings, routers: list[APIRouter]) -> dict[str, Any]:
    """Return the OpenAPI document, written anew from the routers."""
    tags = [{"name": resource.name, "description": resource.about} for resource in RESOURCES]
    tags = [
        search.TAG,
        *tags,
        ANALYSIS_TAG,
        changes.TAG,
        archives.TAG,
        iati.TAG,
        reconciliation.TAG,
        imports.TAG,
        webhooks.TAG,
        keys.TAG,
        *site.TAGS,
    ]
    return openapi_document(settings, __version__, routers, RESOURCES, tags, webhooks_document())


def contract_with_examples(settings: Settings) -> dict[str, Any]:
    """Return the stored OpenAPI document with examples of requests and responses."""
    document = stored_contract(settings, __version__)
    records, requests, answers = (json.loads(file.read_text("utf-8")) for file in (EXAMPLES, REQUESTS, ANSWERS))
    add_examples(document, RESOURCES, Examples(records, requests, answers))
    return document


def _routers(settings: Settings) -> list[APIRouter]:
    """Return all routers. Fixed paths such as `/v1/figures/aggregate` come before those with an id."""
    return [
        search.router,
        progress.router,
        aggregates.router,
        transaction_sums.router,
        audit.router,
        timeline.router,
        changes.router,
        *map(linked_data_router, RESOURCES),
        *map(export_router, RESOURCES),
        *page_exports(),
        iati.router,
        reconciliation.router,
        projects_router(),
        partners_router(),
        agreements_router(),
        milestones_router(),
        statements_router(),
        figures_router(),
        indicators_router(),
        transactions_router(),
        documents_router(),
        document_texts.router,
        *map(evidence_router, RESOURCES),
        places_router(),
        archives.router,
        metadata.router,
        site.codelists_router,
        site.site_router(settings, __version__, head()),
        keys.router,
        imports.router,
        mappings.router,
        webhooks.router,
    ]


async def _lacks(state: Any, sequence: int) -> bool:
    """Return whether the registry is known not to have a Change that the database does not have."""
    if state.source is not None:
        return bool(await state.source.lacks(sequence))
    return state.replicas is None or bool(state.replicas.primary.responds)


def _source_watch(reader: Reader, settings: Settings) -> Any:
    from app.exchange.mirrors.source_watch import SourceWatch  # noqa: PLC0415 - it imports httpx

    return SourceWatch(reader, settings.read_max_lag)


def _pruning(settings: Settings) -> list[Prune]:
    """Return the pruning functions of a server. A read node never writes to its database."""
    files: list[Prune] = [partial(remove_archives, settings), remove_abandoned_folders]
    if settings.writer_url:
        return files
    rows = (end_wrong_leases, correct_due_times, prune_imports, prune_replays, prune_deliveries, prune_written_bytes)
    return [*rows, *files]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    sys.setswitchinterval(SWITCH_INTERVAL)
    database = Database(
        settings.database_url,
        deadline=settings.query_deadline,
        inline_budget=settings.inline_budget,
        limits=WriteLimits(settings.write_quota, settings.max_body),
        position=app.state.position,
        revision=head(),
    )
    app.state.database = database
    replicas = database.replicas(settings.read_url, settings.read_max_lag)
    if replicas is not None:
        await replicas.start()
    app.state.replicas = replicas
    app.state.reader = replicas.reader if replicas else database.reader()
    app.state.primary_reader = replicas.primary_reader if replicas else app.state.reader
    app.state.separate_reader = replicas.separate_reader if replicas else database.separate_reader()
    app.state.source = _source_watch(app.state.separate_reader, settings) if settings.writer_url else None
    app.state.key_activity = KeyActivity(database)
    app.state.editor = WriterThread(database, app.state.key_activity.refused)
    app.state.key_revocations = PendingRevocations()
    pool: Any = database.engine.pool
    register_gauge("write_connections", "Connections of the pool for writes that are in use.", pool.checkedout)
    register_gauge("writes", "Writes that run or wait.", lambda: app.state.editor.waiting_writes)
    app.state.buffered_bodies = BufferedBodies(settings.max_body)
    app.state.receiver = FileReceiver(settings.max_import)
    app.state.importer = Importer(database, app.state.primary_reader, app.state.editor, settings.import_quota)
    app.state.archives = CurrentArchive(settings, app.state.primary_reader)
    app.state.pruner = Pruner(database, *_pruning(settings))
    writes = not settings.writer_url  # at a read node, only `hoptac mirror` writes
    index_refresher = Pruner(database, *([refresh_index] if writes else []), every=REFRESHED_EVERY)
    administrator_watch = Pruner(database, *([log_last_administrator] if writes else []), every=DAY)
    long_polls = LongPolls(app.state.fresh, look=look_with(app.state.reader))
    long_polls.end_before_stop()
    before_stop(end_in_time)
    app.state.stop_delay.set_up()
    app.state.waiting = long_polls
    app.state.manual_limits = ManualLimits(app.state.usage)
    policy = EgressPolicy.parse(settings.webhook_allow)
    sender = Sender(database, app.state.primary_reader, policy, settings.link_base())
    if settings.webhook_sender and writes:
        sender.start()
    exchanges = [exchange for exchange in (app.state.source, app.state.shared_usage) if exchange is not None]
    for exchange in exchanges:  # with other servers
        exchange.start()
    process_gauges = getattr(app.state, "process_gauges", None)
    if process_gauges is not None:
        process_gauges.start()
    yield
    if process_gauges is not None:
        await process_gauges.stop()
    await sender.stop()
    app.state.manual_limits.close()
    for exchange in exchanges:
        await exchange.close()
    await long_polls.close()
    await app.state.pruner.close()
    await index_refresher.close()
    await administrator_watch.close()
    await app.state.receiver.close()
    await app.state.importer.close()
    await app.state.archives.close()
    await app.state.key_activity.close()
    app.state.editor.close()
    await app.state.reader.close()
    await app.state.separate_reader.close()
    if replicas is not None:
        await replicas.close()
    database.close()
