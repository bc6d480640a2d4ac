"""`hoptac serve`, `hoptac worker` and `hoptac mcp`."""

import argparse
import asyncio

from app.commands.dataset import seed
from app.commands.output import DONE, FAILED, MISUSED, print_error
from app.commands.schema import migrate_up
from app.core.settings import Settings


def serve(options: argparse.Namespace, settings: Settings) -> int:
    """Serve the API. With --migrate or --seed, prepare the database first."""
    if options.migrate:
        migrate_up(settings)
    if options.seed and (code := seed(argparse.Namespace(dataset=None), settings)) != DONE:
        return code
    from app.server.run import serve

    try:
        serve(settings)
    except SystemExit:  # uvicorn has logged why the application did not start
        return FAILED
    return DONE


def worker(_: argparse.Namespace, settings: Settings) -> int:
    """Send webhooks and do other background work, beside the server or instead of it. Any number can run."""
    import app.catalogue  # noqa: F401 - declares every table
    from app.core.logs import set_up_logs
    from app.server.metrics_port import metrics_port
    from app.server.run import work

    set_up_logs()
    with metrics_port(settings):
        work(settings)
    return DONE


def mcp(_: argparse.Namespace, settings: Settings) -> int:
    """Serve the tools for agents on standard input and output (Model Context Protocol; needs the extra `mcp`)."""
    from app.agents.endpoint import is_available

    if not is_available():
        print_error("The package mcp is not installed. Install it with: pip install 'hoptac[mcp]'")
        return MISUSED
    from app.agents.stdio import serve
    from app.main import api_of
    from app.server.run import ensure_ready

    ensure_ready(settings)
    asyncio.run(serve(api_of(settings.model_copy(update={"webhook_sender": False})), settings))
    return DONE
