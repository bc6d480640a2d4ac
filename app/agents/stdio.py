"""`hoptac mcp`: the tools on standard input and output, for clients that start a program of this machine."""

from typing import Any

from mcp.server.stdio import stdio_server
from starlette.types import Scope

from app.agents.protocol import Apis, Caller, Context, tool_server
from app.core.settings import Settings

LOCAL: Scope = {"type": "http", "scheme": "http", "client": ("127.0.0.1", 0), "server": None, "headers": []}


async def serve(app: Any, settings: Settings) -> None:
    """Answer requests until the input ends. `app` is the application without middleware."""
    caller = Caller(
        LOCAL,
        settings.public_url.rstrip("/"),
        f"Bearer {settings.mcp_key}" if settings.mcp_key else "",
    )

    def caller_of(_: Context) -> Caller:
        return caller

    apis = Apis(app.state.public_reads, app.state.keyed_api)
    server = tool_server(settings, apis, caller_of)
    async with app.router.lifespan_context(app), stdio_server() as (received, sent):
        await server.run(received, sent, server.create_initialization_options())
