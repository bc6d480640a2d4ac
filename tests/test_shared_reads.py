"""Equal long reads run once, and no client waits behind the other reads of another one."""

import asyncio
from typing import Any

import pytest

from app.core.errors import TooMany, Unavailable
from app.core.reading.shared_reads import MAX_WAITING, SharedReads


def test_equal_reads_of_a_client_run_once() -> None:
    started: list[str] = []

    async def read() -> str:
        started.append("read")
        await asyncio.sleep(0.01)
        return "result"

    async def main() -> None:
        shared = SharedReads()
        assert await asyncio.gather(*(shared.run("key", "a", read) for _ in range(5))) == ["result"] * 5
        assert await shared.run("key", "a", read) == "result"

    asyncio.run(main())
    assert started == ["read", "read"]


def test_the_first_result_is_that_of_all_clients() -> None:
    """The first client has many other reads in the queue, so its turn comes late."""
    ended: list[str] = []

    async def waits() -> Any:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("waits")

    async def runs() -> str:
        await asyncio.sleep(0.01)
        return "result"

    async def main() -> None:
        shared = SharedReads()
        first = asyncio.ensure_future(shared.run("key", "a", waits))
        await asyncio.sleep(0)
        assert await asyncio.wait_for(shared.run("key", "b", runs), 5) == "result"
        assert await asyncio.wait_for(first, 5) == "result"

    asyncio.run(main())
    assert ended == ["waits"]


def test_nobody_fails_as_another_client_does() -> None:
    async def fails() -> Any:
        await asyncio.sleep(0.01)
        raise Unavailable

    async def runs() -> str:
        await asyncio.sleep(0.05)
        return "result"

    async def main() -> None:
        shared = SharedReads()
        reads = [shared.run("key", "a", fails), shared.run("key", "b", runs), shared.run("key", "a", runs)]
        results = await asyncio.gather(*reads, return_exceptions=True)
        assert [type(result) for result in results] == [Unavailable, str, Unavailable]
        with pytest.raises(Unavailable):
            await shared.run("key", "a", fails)

    asyncio.run(main())


def test_a_client_that_is_refused_is_refused_at_once() -> None:
    async def refused() -> Any:
        await asyncio.sleep(0.01)
        raise TooMany

    async def main() -> list[Any]:
        shared = SharedReads()
        reads = [shared.run("key", "a", refused) for _ in range(1_500)]
        return await asyncio.wait_for(asyncio.gather(*reads, return_exceptions=True), 10)

    assert {type(result) for result in asyncio.run(main())} == {TooMany}


def test_the_requests_of_a_client_that_wait_for_one_read_are_bounded() -> None:
    """They all go on in one round of the event loop, in which nobody else is answered."""

    async def runs() -> str:
        await asyncio.sleep(0.05)
        return "result"

    async def main() -> list[Any]:
        shared = SharedReads()
        reads = [shared.run("key", "a", runs) for _ in range(MAX_WAITING + 9)]
        other = shared.run("key", "b", runs)
        return await asyncio.gather(*reads, other, return_exceptions=True)

    results = asyncio.run(main())
    assert [type(result) for result in results[-10:]] == [TooMany] * 9 + [str]
    assert results[:MAX_WAITING] == ["result"] * MAX_WAITING
