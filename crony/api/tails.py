"""Who reads a log while it is written."""

from __future__ import annotations

import asyncio

from crony.scheduler.wakes import Wake, Wakes


class Tails:
    """Events by run; set when a run has something new to read."""

    def __init__(self) -> None:
        self._events: dict[str, set[asyncio.Event]] = {}
        self.closing = False

    def listen(self, wakes: Wakes) -> None:
        """Hear of all wakes, from whatever thread they come."""
        loop = asyncio.get_running_loop()
        wakes.subscribe(lambda wake: _call(loop, self, wake))

    def enter(self, run: str) -> asyncio.Event:
        """Begin to follow a run, before its first look."""
        event = asyncio.Event()
        self._events.setdefault(run, set()).add(event)
        return event

    def leave(self, run: str, event: asyncio.Event) -> None:
        """Follow no more."""
        events = self._events.get(run, set())
        events.discard(event)
        if not events:
            self._events.pop(run, None)

    def wake(self, runs: frozenset[str]) -> None:
        """Let those look who follow one of the runs."""
        for run in runs & self._events.keys():
            for event in self._events[run]:
                event.set()

    def wake_all(self) -> None:
        """Let all look: they may have missed something."""
        self.wake(frozenset(self._events))

    def close(self) -> None:
        """Let every follower end."""
        self.closing = True
        self.wake_all()


def _call(loop: asyncio.AbstractEventLoop, tails: Tails, wake: Wake) -> None:
    if loop.is_closed():
        return
    if wake.missed:
        loop.call_soon_threadsafe(tails.wake_all)
    elif wake.runs:
        loop.call_soon_threadsafe(tails.wake, wake.runs)
