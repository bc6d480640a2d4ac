"""The authentication middleware: it puts the caller into the scope of a request, before any other code reads it."""

from types import SimpleNamespace
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.access.caller import Caller
from app.core.access.clients import client_of
from app.core.access.keys import DETAILS, KEYS, READ_KEY_BY_ID, caller_of, id_of_token, refusal_of, token_hash
from app.core.database.statements import Read
from app.core.errors import BadRequest, Problem, ReadOnly, Unauthorized

TOKEN_IN_PATH = "/v1/keys/hoptac_"
WITH_KEYS = ("/v1", "/mcp")  # where a key is looked at


class AuthenticationMiddleware:
    """An ASGI middleware that sets `scope["caller"]`. It refuses an invalid key for every request, reads included."""

    def __init__(self, app: ASGIApp, state: Any) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(WITH_KEYS):
            headers = [value for name, value in scope["headers"] if name == b"authorization"]
            try:
                _refuse_token_in_path(scope["path"])
                if headers:
                    scope["caller"] = await self._identify_and_count(headers, scope)
            except Problem as problem:
                scope["refused"] = getattr(problem, "reason", problem.code)  # for the access log
                await problem.response()(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _identify_and_count(self, headers: list[bytes], scope: Scope) -> Caller:
        """Return the caller, and count the request for the rate limits if there are any (`meter`)."""
        meter = scope.get("meter")
        try:
            caller = await self._identify(headers, scope)
        except (Unauthorized, ReadOnly):
            if meter is not None:
                meter.count_invalid_key()
            raise
        if meter is not None:
            meter.count_for_key(caller.key)
        return caller

    async def _identify(self, headers: list[bytes], scope: Scope) -> Caller:
        if self.state.settings.writer_url:  # a read node has no keys
            raise ReadOnly.at_node(self.state.settings.writer_url, scope["path"])
        scheme, _, credentials = headers[0].decode("latin-1").partition(" ")
        if len(headers) > 1 or scheme.lower() != "bearer":
            raise Unauthorized
        token = credentials.strip()
        address = (scope.get("client") or ("",))[0]
        key = await read_key(self.state.primary_reader, id_of_token(token), client_of(scope))
        if key is None:
            raise Unauthorized
        refusal = refusal_of(key, token, address)
        if refusal is not None:
            self.state.key_activity.refused(key.id, refusal, address)
            raise Unauthorized(DETAILS[refusal], refusal)
        self.state.key_activity.used(key)
        return caller_of(key, address, token_hash(token))


async def read_key(reader: Any, key_id: str, client: str) -> Any | None:
    """Return the stored key with this id, as it is in the database now: no process keeps keys in memory."""

    def read() -> Read:
        rows = yield READ_KEY_BY_ID, {"id": key_id}
        return SimpleNamespace(**dict(zip(KEYS.c.keys(), rows[0], strict=True))) if rows else None

    return await reader.run(read, client=client)


def _refuse_token_in_path(path: str) -> None:
    """Explain how to revoke a leaked key to a client that has put its token into the path."""
    if path.startswith(TOKEN_IN_PATH):
        raise BadRequest(
            "The path contains a token. Paths are written to logs, so a token must never be part of one. To revoke a"
            ' leaked key, send POST /v1/keys/revoke with the body {"key": "hoptac_…"}, which needs no other key. The'
            " id of a key is the part of its token between `hoptac_` and the next `_`."
        )
