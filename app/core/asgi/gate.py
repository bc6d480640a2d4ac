"""Finds out who calls before anything else looks at the request."""

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
from app.core.database.engine import Database
from app.core.database.statements import Read
from app.core.errors import Problem, Unauthorized
from app.core.log import instant, now

USE_RECORDED_EVERY = timedelta(minutes=1)


class AuthenticationMiddleware:
    """Pure ASGI: tells everything behind it who asks, and refuses a key that does not count, on reads too."""

    def __init__(self, app: ASGIApp, state: Any) -> None:
        self.app, self.state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/v1"):
            given = [value for name, value in scope["headers"] if name == b"authorization"]
            if given:
                try:
                    scope["caller"] = await self._identify_and_count(given, scope.get("meter"))
                except Problem as problem:
                    await problem.response()(scope, receive, send)
                    return
        await self.app(scope, receive, send)

    async def _identify_and_count(self, given: list[bytes], meter: Any) -> Caller:
        """Who asks; the meter, where there is one, is told whether the key is valid."""
        try:
            caller = await self._identify(given)
        except Unauthorized:
            if meter is not None:
                meter.count_invalid_key()
            raise
        if meter is not None:
            meter.count_for_key(caller.key)
        return caller

    async def _identify(self, given: list[bytes]) -> Caller:
        scheme, _, text = given[0].decode("latin-1").partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer":
            raise Unauthorized
        key_id = id_of_token(text.strip())
        key = await self.state.reader.run(lambda: _find_key(key_id))
        caller = caller_of_token(key, text.strip())
        self.state.uses.record(key)
        return caller


def _find_key(key_id: str) -> Read:
    rows = yield READ_KEY_BY_ID, {"id": key_id}
    return SimpleNamespace(**dict(zip(KEYS.c.keys(), rows[0], strict=True))) if rows else None


class KeyUseRecorder:
    """Notes when keys were used, at most once a minute each, beside the requests and without a Change."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._tasks: set[asyncio.Future[None]] = set()
        self._recorded_at: dict[str, str] = {}

    def record(self, key: Any) -> None:
        """This key is used now."""
        before = instant(datetime.now(UTC) - USE_RECORDED_EVERY)
        if max(key.last_used_at or "", self._recorded_at.get(key.id, "")) > before:
            return
        self._recorded_at[key.id] = now()
        task = asyncio.ensure_future(asyncio.to_thread(self._write, key.id, before))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _write(self, key_id: str, before: str) -> None:
        stale = or_(KEYS.c.last_used_at.is_(None), KEYS.c.last_used_at < before)
        used = update(KEYS).where(KEYS.c.id == key_id, stale).values(last_used_at=now())
        with contextlib.suppress(SQLAlchemyError), self.database.engine.begin() as connection:
            connection.execute(used)

    async def close(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._tasks)
