"""Streams wait for news together, and hear of it however it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from crony import errors
from crony.api.streams import Streams, first
from crony.scheduler.wakes import Wakes


class Tenants:
    """What has happened where, and how often somebody looked."""

    def __init__(self) -> None:
        self.newest: dict[str, int] = {}
        self.looks: list[str] = []
        self.away = False

    async def look(self, tenant: str) -> int:
        self.looks.append(tenant)
        if self.away:
            raise errors.StoreUnavailable("away", retry_after=timedelta(seconds=1))
        return self.newest.get(tenant, 0)


def together(
    scene: Callable[[Streams, Tenants, Wakes], Coroutine[Any, Any, None]],
) -> None:
    async def run() -> None:
        tenants, wakes = Tenants(), Wakes()
        streams = Streams(tenants.look)
        streams.listen(wakes)
        async with asyncio.timeout(20):
            await scene(streams, tenants, wakes)

    asyncio.run(run())


async def told(event: asyncio.Event) -> None:
    await event.wait()
    event.clear()


async def silent(*waits: Awaitable[object]) -> bool:
    """Whether none of these comes within more than a look's time."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    done, pending = await asyncio.wait(tasks, timeout=1.5)
    for task in pending:
        task.cancel()
    return not done


def test_all_streams_of_a_tenant_hear_of_what_happened_there() -> None:
    async def scene(streams: Streams, tenants: Tenants, wakes: Wakes) -> None:
        ours = [streams.enter("a") for _ in range(50)]
        theirs = streams.enter("b")
        assert len(streams) == 51
        await asyncio.gather(*map(told, ours), told(theirs))
        tenants.newest["a"] = 1
        wakes.publish_events()
        await asyncio.gather(*map(told, ours))
        assert await silent(theirs.wait(), ours[0].wait())

    together(scene)


def test_news_that_no_wake_brought_is_found_by_looking() -> None:
    async def scene(streams: Streams, tenants: Tenants, wakes: Wakes) -> None:
        event = streams.enter("a")
        await told(event)
        tenants.newest["a"] = 7
        await told(event)

    together(scene)


def test_many_streams_and_many_wakes_cost_few_looks() -> None:
    async def scene(streams: Streams, tenants: Tenants, wakes: Wakes) -> None:
        for _ in range(100):
            streams.enter("a")
        for _ in range(200):
            wakes.publish_tick()
            await asyncio.sleep(0)
        tenants.newest["a"] = 1
        wakes.publish_tick()
        last = streams.enter("a")
        await told(last)
        assert len(tenants.looks) < 10

    together(scene)


def test_nobody_looks_where_no_stream_is_open() -> None:
    async def scene(streams: Streams, tenants: Tenants, wakes: Wakes) -> None:
        event = streams.enter("a")
        await told(event)
        streams.leave("a", event)
        streams.leave("a", event)
        assert len(streams) == 0
        looks = len(tenants.looks)
        wakes.publish_events()
        other = streams.enter("b")
        assert await silent(event.wait())
        assert tenants.looks[looks:].count("a") == 0
        streams.leave("b", other)

    together(scene)


def test_a_store_that_was_away_is_asked_again() -> None:
    async def scene(streams: Streams, tenants: Tenants, wakes: Wakes) -> None:
        tenants.away = True
        event = streams.enter("a")
        while not tenants.looks:
            await asyncio.sleep(0)
        tenants.away = False
        await told(event)

    together(scene)


def test_closing_lets_every_stream_end() -> None:
    async def scene(streams: Streams, tenants: Tenants, wakes: Wakes) -> None:
        events = [streams.enter("a"), streams.enter("b")]
        await asyncio.gather(*map(told, events))
        streams.close()
        await asyncio.gather(*map(told, events))
        assert streams.closing

    together(scene)


@pytest.mark.parametrize("which", ["news", "gone", "time"])
def test_a_wait_ends_with_news_the_client_or_time(which: str) -> None:
    async def run() -> None:
        news: asyncio.Event = asyncio.Event()
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if which == "news":
            news.set()
        if which == "gone":
            gone.set_result(None)
        async with asyncio.timeout(10):
            await first(news, gone, seconds=0.01 if which == "time" else 60)

    asyncio.run(run())
