"""The authentication middleware: it puts the caller into the scope of a request, before any other code reads it."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import or_, update
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.access.caller import Caller
from app.core.access.keys import KEYS, READ_KEY_BY_ID, caller_of_token, id_of_token
from app.core.change_log import instant, now
from app.core.database.engine import Database
from app.core.database.statements import Read
from app.core.errors import Problem, Unauthorized

USE_RECORDED_EVERY = timedelta(minutes=1)


class AuthenticationMiddleware:
    """An ASGI middleware that sets `scope["caller"]`. It refuses an invalid key for every request, reads included."""

    def __init__(self, app: ASGIApp, state: Any) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/v1"):
            headers = [value for name, value in scope["headers"] if name == b"authorization"]
            if headers:
                try:
                    scope["caller"] = await self._identify_and_count(headers, scope.get("meter"))
                except Problem as problem:
                    scope["refused"] = getattr(problem, "reason", problem.code)  # for the access log
                    await problem.response()(scope, receive, send)
                    return
        await self.app(scope, receive, send)

    async def _identify_and_count(self, headers: list[bytes], meter: Any) -> Caller:
        """Return the caller, and count the request for the rate limits if there are any (`meter`)."""
        try:
            caller = await self._identify(headers)
        except Unauthorized:
            if meter is not None:
                meter.count_invalid_key()
            raise
        if meter is not None:
            meter.count_for_key(caller.key)
        return caller

    async def _identify(self, headers: list[bytes]) -> Caller:
        scheme, _, credentials = headers[0].decode("latin-1").partition(" ")
        if len(headers) > 1 or scheme.lower() != "bearer":
            raise Unauthorized
        token = credentials.strip()
        key_id = id_of_token(token)
        key = await self.state.reader.run(lambda: _find_key(key_id))
        caller = caller_of_token(key, token)
        self.state.uses.record(key)
        return caller


def _find_key(key_id: str) -> Read:
    rows = yield READ_KEY_BY_ID, {"id": key_id}
    return SimpleNamespace(**dict(zip(KEYS.c.keys(), rows[0], strict=True))) if rows else None


class KeyUseRecorder:
    """Records when keys were last used: at most once a minute for each, in the background and without a Change."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._tasks: set[asyncio.Future[None]] = set()
        self._recorded_at: dict[str, str] = {}

    def record(self, key: Any) -> None:
        """Record that the key is used now."""
        limit = instant(datetime.now(UTC) - USE_RECORDED_EVERY)
        if max(key.last_used_at or "", self._recorded_at.get(key.id, "")) > limit:
            return
        self._recorded_at[key.id] = now()
        task = asyncio.ensure_future(asyncio.to_thread(self._write, key.id, limit))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _write(self, key_id: str, limit: str) -> None:
        is_older = or_(KEYS.c.last_used_at.is_(None), KEYS.c.last_used_at < limit)
        statement = update(KEYS).where(KEYS.c.id == key_id, is_older).values(last_used_at=now())
        with contextlib.suppress(SQLAlchemyError), self.database.engine.begin() as connection:
            connection.execute(statement)

    async def close(self) -> None:
        """Wait for the writes that have started."""
        await asyncio.gather(*self._tasks)
