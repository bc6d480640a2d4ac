"""Turns: a client with many requests at once does not make the others wait, and its work in the event loop counts."""

import asyncio
import time
from collections import Counter
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.core.asgi.turns import MOST_IN_ROUND, ROUND, Queue, Rounds, Turns
from app.core.request_cost import COST, MeteredWork, RequestCost
from app.core.settings import Settings
from app.main import create_app

MANY = 60


def scope_of(address: str, path: str = "/v1/projects") -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": path, "client": (address, 1)}


async def nothing(*_: Any) -> Any:
    """What a request receives and sends here."""


def test_others_do_not_wait_for_all_requests_of_a_client() -> None:
    started: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        started.append(scope["path"] if scope["path"] == "/livez" else scope["client"][0])
        time.sleep(0.003)

    async def main() -> None:
        turns = Turns(app)
        crowd = [asyncio.ensure_future(turns(scope_of("10.0.0.1"), nothing, nothing)) for _ in range(MANY)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        others = [scope_of("10.0.0.2"), scope_of("10.0.0.3", "/livez")]
        await asyncio.gather(*(turns(scope, nothing, nothing) for scope in others))
        assert len(started) < 12
        await asyncio.gather(*crowd)

    asyncio.run(main())
    assert len(started) == MANY + 2


def test_the_reads_of_a_page_take_turns_and_end_it_before_the_next_one_begins() -> None:
    """Otherwise a round of the event loop would have one read of each page that a client has requested."""
    begun: Counter[str] = Counter()
    open_pages: list[int] = []
    rounds = Rounds()

    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        begun[scope["path"]] += 1
        open_pages.append(sum(count < 4 for count in begun.values()))
        time.sleep(0.003)

    reads = Turns(read, rounds, within=True)

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(4):
            await reads(scope, receive, send)

    async def main() -> None:
        pages = Turns(page, rounds)
        crowd = [pages(scope_of("10.0.0.1", f"/{number}"), nothing, nothing) for number in range(MANY)]
        running = [asyncio.ensure_future(each) for each in crowd]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await pages(scope_of("10.0.0.2", "/other"), nothing, nothing)
        assert sum(begun.values()) < MANY
        await asyncio.gather(*running)

    asyncio.run(main())
    assert set(begun.values()) == {4}
    assert max(open_pages) <= 4


def test_quick_requests_of_a_client_need_no_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.core.asgi.turns.ROUND", 60)  # quick, however busy the machine is
    rounds: list[int] = []

    async def app(*_: Any) -> None:
        rounds.append(len(rounds))

    async def main() -> None:
        turns = Turns(app)
        crowd = [asyncio.ensure_future(turns(scope_of("10.0.0.1"), nothing, nothing)) for _ in range(8)]
        await asyncio.sleep(0)
        assert len(rounds) == 8
        await asyncio.gather(*crowd)

    asyncio.run(main())


def test_a_request_that_is_cancelled_leaves_its_place() -> None:
    async def app(*_: Any) -> None:
        time.sleep(0.003)

    async def main() -> None:
        turns = Turns(app)
        crowd = [asyncio.ensure_future(turns(scope_of("10.0.0.1"), nothing, nothing)) for _ in range(9)]
        await asyncio.sleep(0)
        for request in crowd[3:7]:
            request.cancel()
        await asyncio.wait_for(asyncio.gather(*crowd, return_exceptions=True), 5)

    asyncio.run(main())


def test_work_in_the_event_loop_is_a_cost_of_the_request() -> None:
    working = asyncio.Event()

    async def app(*_: Any) -> None:
        for _number in range(2):
            until = time.thread_time() + 0.01
            while time.thread_time() < until:
                pass
            await asyncio.sleep(0.02)
        working.set()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(60)
        raise ValueError("ended")

    async def main() -> RequestCost:
        cost = RequestCost()
        COST.set(cost)
        request = asyncio.ensure_future(MeteredWork(app)(scope_of("10.0.0.1"), nothing, nothing))
        await working.wait()
        request.cancel()
        with pytest.raises(ValueError, match="ended"):
            await request
        return cost

    cost = asyncio.run(main())
    assert 0.02 <= cost.seconds < 0.2


def test_more_requests_start_in_a_round_if_they_are_quick() -> None:
    queue = Queue()
    assert queue.count_in_round == 1
    for _ in range(40):
        queue.note(ROUND / 10)
    assert 8 <= queue.count_in_round <= 10
    for _ in range(40):
        queue.note(0)
    assert queue.count_in_round == MOST_IN_ROUND
    queue.note(1)
    assert queue.count_in_round == 1


@pytest.mark.parametrize("path", ["/v1", "/livez"])
def test_refused_requests_take_turns_too(path: str) -> None:
    """The whole application: what the limits refuse is answered in turns, as is a request for the state of it."""
    app = create_app(Settings(database_url="sqlite:////nowhere/x.db", rate_limit_address=1, access_log=False))
    assert isinstance(app, Turns)
    scope = {**scope_of("10.0.0.9", path), "query_string": b"", "headers": [(b"host", b"x")], "scheme": "http"}
    scope |= {"http_version": "1.1", "server": ("x", 80), "root_path": ""}
    statuses: list[int] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def main() -> None:
        app._rounds._started["10.0.0.9"] = -ROUND  # this client has used its time of the round
        requests = [asyncio.ensure_future(app(dict(scope), nothing, send)) for _ in range(3)]
        await asyncio.sleep(0)
        assert statuses == []
        asyncio.get_running_loop().call_soon(app._rounds._next_round)
        await asyncio.wait_for(asyncio.gather(*requests), 60)

    asyncio.run(main())
    assert len(statuses) == 3
