"""The tools as a server of the official SDK for the Model Context Protocol. Only this module and `stdio` import it.

The server keeps no session: each request of the specification 2026-07-28 stands for itself, and clients of older
specifications get a connection for each of their requests.
"""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import structlog
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from starlette.types import ASGIApp, Receive, Scope, Send

from app import __version__
from app.agents.calls import Result, call
from app.agents.definitions import INSTRUCTIONS, TOOLS, TOOLS_BY_NAME
from app.agents.drafts import Writer
from app.agents.registry import Registry
from app.core.request_cost import COST, Metered
from app.core.settings import Settings
from app.core.values.json import to_json

FRESH = CacheHint(ttl_ms=3_600_000, scope="public")  # the tools change with a release only

FAILED = {"error": "internal_error", "detail": "The tool failed.", "do": "Report this. Another call can succeed."}

log = structlog.get_logger("hoptac.error")

Context = ServerRequestContext[Any, Any]


class Caller(NamedTuple):
    """Where a call comes from: its scope, the URL of the registry as it sees it, and its `Authorization`."""

    scope: Scope
    base: str
    authorization: str


class Apis(NamedTuple):
    """The API in the process: without keys, for reads, and with authentication, for drafts."""

    public: ASGIApp
    keyed: ASGIApp


def tool_server(settings: Settings, apis: Apis, caller_of: Callable[[Context], Caller]) -> Server[Any]:
    """Return the server with all tools."""
    logging.getLogger("mcp").setLevel(logging.ERROR)  # it would write several lines for each request

    async def list_tools(_: Context, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=definitions())

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult:
        tool = TOOLS_BY_NAME.get(params.name)
        if tool is None:
            raise MCPError(INVALID_PARAMS, f"There is no such tool. The tools are {', '.join(TOOLS_BY_NAME)}.")
        caller = caller_of(context)
        arguments = params.arguments or {}
        language = "vi" if arguments.get("lang") == "vi" else "en"
        registry = Registry(apis.public, caller.scope, caller.base, language)
        writer = Writer(apis.keyed, caller.scope, caller.authorization)
        work: Any = call(tool, arguments, registry, writer)
        cost = COST.get()
        try:
            return _result(await (Metered(work, cost) if cost else work))
        except Exception:
            log.exception("tool_failed", tool=tool.name)
            return _result(Result(FAILED, is_refused=True))

    return Server(
        "hoptac",
        version=__version__,
        title=settings.site_name,
        instructions=INSTRUCTIONS,
        cache_hints={"tools/list": FRESH, "server/discover": FRESH},
        get_tool_input_schema=lambda name: TOOLS_BY_NAME[name].input_schema if name in TOOLS_BY_NAME else None,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def definitions() -> list[Tool]:
    """Return the definitions of the tools."""
    return [
        Tool(
            name=tool.name,
            description=tool.description,
            input_schema=tool.input_schema,
            output_schema=tool.output_schema,
            annotations=ToolAnnotations(title=tool.title, read_only_hint=tool.run is not None),
        )
        for tool in TOOLS
    ]


async def respond(server: Server[Any], scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one HTTP request. Its tasks end with it."""
    manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True)
    async with manager.run():
        await manager.handle_request(scope, receive, send)


def _result(result: Result) -> CallToolResult:
    """Return an answer as JSON, and as text for clients that read only text."""
    content = [TextContent(type="text", text=to_json(result.body).decode())]
    if result.is_refused:
        return CallToolResult(content=content, is_error=True)
    return CallToolResult(content=content, structured_content=result.body)
