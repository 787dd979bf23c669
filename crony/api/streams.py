"""Who waits for events, and one look for all of them.

Everything here happens on the event loop. However many streams of a tenant are open,
one look a second (and one soon after each wake) finds out whether anything happened;
only then does each stream read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from crony import errors, log
from crony.scheduler.wakes import Wake, Wakes

_log = log.get(__name__)

#: Returns the position after all that has happened in a tenant.
Newest = Callable[[str], Awaitable[int]]

#: In seconds: how late news may be that no wake brought,
_IDLE = 1.0
#: and how soon after a look there may be another.
_LEAST = 0.05


@dataclass(eq=False, slots=True)
class _Watch:
    """The streams of one tenant."""

    news: asyncio.Event = field(default_factory=asyncio.Event)
    streams: set[asyncio.Event] = field(default_factory=set)
    task: asyncio.Task[None] | None = None


class Streams:
    """The open streams of one process, by tenant."""

    def __init__(self, newest: Newest) -> None:
        self._newest = newest
        self._watches: dict[str, _Watch] = {}
        self._woken = False
        self.closing = False

    def listen(self, wakes: Wakes) -> None:
        """Hear of all wakes, from whatever thread they come."""
        loop = asyncio.get_running_loop()
        wakes.subscribe(lambda wake: self._hear(loop, wake))

    def __len__(self) -> int:
        return sum(len(watch.streams) for watch in self._watches.values())

    def enter(self, tenant: str) -> asyncio.Event:
        """Begin to wait for events of a tenant; the first look is the caller's."""
        event = asyncio.Event()
        watch = self._watches.get(tenant)
        if watch is None:
            watch = self._watches[tenant] = _Watch()
            watch.task = asyncio.create_task(self._look_out(tenant, watch))
        watch.streams.add(event)
        return event

    def leave(self, tenant: str, event: asyncio.Event) -> None:
        """Wait no more."""
        watch = self._watches.get(tenant)
        if watch is None:
            return
        watch.streams.discard(event)
        if not watch.streams:
            del self._watches[tenant]
            if watch.task is not None:
                watch.task.cancel()

    def close(self) -> None:
        """Let every stream end."""
        self.closing = True
        for watch in self._watches.values():
            for event in watch.streams:
                event.set()

    def _hear(self, loop: asyncio.AbstractEventLoop, wake: Wake) -> None:
        # On any thread: wakes that come in a bunch are one.
        if self._watches and not self._woken and not loop.is_closed():
            self._woken = True
            loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._woken = False
        for watch in self._watches.values():
            watch.news.set()

    async def _look_out(self, tenant: str, watch: _Watch) -> None:
        known: int | None = None
        while not self.closing:
            watch.news.clear()
            newest = await self._look(tenant)
            if newest is not None and newest != known:
                known = newest
                for event in watch.streams:
                    event.set()
            await asyncio.sleep(_LEAST)
            try:
                async with asyncio.timeout(_IDLE):
                    await watch.news.wait()
            except TimeoutError:
                continue

    async def _look(self, tenant: str) -> int | None:
        try:
            return await self._newest(tenant)
        except errors.Unavailable:
            # The streams stay open; the next look may find the store again.
            return None
        except Exception:  # noqa: BLE001  # a tenant's streams depend on this task
            _log.exception("a look for events failed", tenant=tenant)
            return None


async def first(
    event: asyncio.Event, gone: asyncio.Future[Any], *, seconds: float
) -> None:
    """Wait for news, for the client to go, or for some time."""
    news: asyncio.Future[Any] = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait(
            {news, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        news.cancel()
