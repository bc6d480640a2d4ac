"""The used part of each client's rate limit, which the processes of several machines share through Redis or Valkey.

A request waits for no other machine. Each process counts in a table of its own. Several times a second it adds what it
has counted to the server of the setting, and receives what all processes have counted for these clients. What a client
uses beyond its quota in between is a debt, as any other use beyond it. Without the server, each process counts alone.
"""

import asyncio
import time
from contextvars import Context
from itertools import islice
from typing import Any

import structlog

from app.core.asgi.usage_table import MAX_USED, ROUNDING, SLOTS, WINDOW, UsageTable
from app.core.gauges import register_gauge

EVERY = 0.25  # seconds between two exchanges with the server
TIMEOUT = 1.0  # seconds for one exchange
CLIENTS_AT_ONCE = 200  # in a script, which keeps the server from its other work meanwhile
PREFIX = "hoptac:used:"

# What `UsageTable` does for one process, for each key: the window, the use that is carried over, and the addition.
# The clock is that of the server, because each machine has another one.
SCRIPT = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local window, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local states = {}
for i, key in ipairs(KEYS) do
    local state = redis.call('HMGET', key, 'used', 'ends')
    local used, ends = tonumber(state[1] or '0'), tonumber(state[2] or '0')
    if now >= ends then
        local windows = math.floor((now - ends) / window)
        used = math.max(used - 1 - windows, 0)
        ends = used > 0 and ends + (1 + windows) * window or now + window
    end
    used = math.min(math.max(used + tonumber(ARGV[i + 2]), 0), most)
    redis.call('HSET', key, 'used', string.format('%.12f', used), 'ends', string.format('%.6f', ends))
    redis.call('PEXPIRE', key, math.ceil((ends - now + used * window) * 1000))
    states[i] = string.format('%.12f %.6f', used, ends - now)
end
return states
"""


class SharedUsageTable(UsageTable):
    """A table of this process that exchanges its counts with a server at `redis://…`."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._names: dict[int, str] = {}  # of clients, by tag: the tags of each process are its own
        self._counted: dict[int, float] = {}  # since the last exchange, by tag
        self._shared_at = time.monotonic()
        self._is_shared = True
        self._task: asyncio.Task[None] | None = None

    def tag_of(self, client: str) -> int:
        tag = super().tag_of(client)
        if len(self._names) >= SLOTS:
            del self._names[next(iter(self._names))]
        self._names[tag] = client
        return tag

    def take(self, tag: int, amount: float, now: float) -> tuple[bool, float, float]:
        usage = super().take(tag, amount, now)
        if usage[0]:
            self._counted[tag] = self._counted.get(tag, 0.0) + amount
        return usage

    def add(self, tag: int, amount: float, now: float) -> tuple[float, float]:
        self._counted[tag] = self._counted.get(tag, 0.0) + amount
        return super().add(tag, amount, now)

    def start(self) -> None:
        """Exchange counts with the server from now on."""
        register_gauge("rate_limits_shared", "1 if rate limits are shared between servers.", lambda: self._is_shared)
        self._task = asyncio.get_running_loop().create_task(self._run(), context=Context())

    async def close(self) -> None:
        """Stop the exchange."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        from redis import asyncio as redis  # noqa: PLC0415 - an extra, which need not be installed
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.exceptions import RedisError  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        limits: Any = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT, "retry": Retry(NoBackoff(), 0)}
        async with redis.Redis.from_url(self._url, **limits) as server:
            script = server.register_script(SCRIPT)
            while True:
                await asyncio.sleep(EVERY)
                try:
                    async with asyncio.timeout(TIMEOUT):
                        await self._exchange(script)
                except (RedisError, OSError, TimeoutError, ValueError) as error:
                    self._note_loss(error)

    async def _exchange(self, script: Any) -> None:
        """Add what was counted to the server, and take over what it has."""
        while self._counted or not self._is_shared:
            counted = {tag: self._counted[tag] for tag in islice(self._counted, CLIENTS_AT_ONCE)}
            named = {tag: name for tag in counted if (name := self._names.get(tag)) is not None}
            amounts = [repr(counted[tag]) for tag in named]
            states = await script(keys=[PREFIX + name for name in named.values()], args=[WINDOW, MAX_USED, *amounts])
            for tag, amount in counted.items():
                self._counted[tag] -= amount  # more may have been counted meanwhile
            for tag, state in zip(named, states, strict=True):
                used, seconds = map(float, state.split())
                self._replace(tag, used + self._counted[tag], seconds)
            for tag in counted:
                if abs(self._counted[tag]) < ROUNDING:
                    del self._counted[tag]
            self._note_answer()
        self._shared_at = time.monotonic()

    def _note_answer(self) -> None:
        if not self._is_shared:
            self._is_shared = True
            structlog.get_logger("hoptac.limits").warning("rate limits are shared between servers again")

    def _replace(self, tag: int, used: float, seconds: float) -> None:
        """Set the usage of a client, and the seconds until its window ends."""
        now = time.monotonic()
        slot = self._current_slot(tag, now)
        self._used[slot] = used
        self._ends[slot] = now + seconds

    def _note_loss(self, error: Exception) -> None:
        """Log that the server was lost. What was counted for longer than a window is not added later."""
        if time.monotonic() > self._shared_at + WINDOW:
            self._counted.clear()
        if self._is_shared:
            self._is_shared = False
            log = structlog.get_logger("hoptac.limits")
            log.warning("rate limits are not shared between servers", reason=type(error).__name__)
