"""Time as Crony counts it.

The store's clock decides what time it is. A node measures the store's clock now
and then, and carries it in between with ``CLOCK_BOOTTIME``, which goes on while
the host is suspended and knows nothing of steps of the wall clock.

A jump between what was carried and what is measured is a *disturbance*, and so
is a suspend: for one lease time after it nothing may be expired, since workers
had no chance to renew. A jump forward by more than a day stops ticking until it is
undone, or an operator accepts it by starting the service again, because one bad
answer of a time server must not move every schedule.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: What instants are kept to.
MOMENT = timedelta(milliseconds=1)

#: A difference this large between carried and measured time is a disturbance.
STEP = timedelta(seconds=1)

#: An answer that took longer than this says little about when it was true.
_PROMPT = timedelta(milliseconds=10)

#: A step forward beyond this needs an operator's consent.
IMPLAUSIBLE = timedelta(hours=24)

#: What is said while ticking waits for that, and what to do about it.
HELD = "the clock stepped by more than a day; ticking waits"
ADVICE = "put the clock right, or restart the service to accept its time"


def boottime() -> timedelta:
    """Return ``CLOCK_BOOTTIME``: the time since boot, suspends included."""
    return timedelta(microseconds=time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000)


def monotonic() -> timedelta:
    """Return ``CLOCK_MONOTONIC``, which stands still in a suspend."""
    return timedelta(microseconds=time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)


def host_now() -> datetime:
    """Return the host's wall clock: the store's clock where the store is a file."""
    return EPOCH + timedelta(microseconds=time.time_ns() // 1000)


def cut(instant: datetime) -> datetime:
    """Return the instant as it is kept: in whole moments."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


class Clock(Protocol):
    """What a use case needs of time; tests give one that they move by hand."""

    def now(self) -> datetime:
        """Return the store's time."""

    def settled_for(self) -> timedelta:
        """Return how long there was no start, step or suspend."""

    def held(self) -> bool:
        """Return whether ticking waits after a step that is not plausible."""


class StoreClock:
    """The store's clock, carried by this node's ``CLOCK_BOOTTIME``.

    ``measure`` asks the store; it may raise what the store raises, and then the
    clock goes on with what it has.
    """

    def __init__(
        self,
        measure: Callable[[], datetime],
        *,
        boottime: Callable[[], timedelta] = boottime,
        monotonic: Callable[[], timedelta] = monotonic,
    ) -> None:
        self._measure = measure
        self._boottime = boottime
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._held = False
        self._origin, self._suspended = self._reading(None)
        self._settled_at = self._boottime()

    def _reading(self, known: datetime | None) -> tuple[datetime, timedelta]:
        """Return the store's time at boot, and the time spent suspended.

        The store looked at its clock at some time between question and answer. After
        a slow answer what was ``known`` stands, as far as it may be right.
        """
        before = self._boottime()
        measured = self._measure()
        after = self._boottime()
        earliest, latest = measured - after, measured - before
        if known is None or latest - earliest <= _PROMPT:
            origin = earliest + (latest - earliest) / 2
        else:
            origin = min(max(known, earliest), latest)
        return origin, after - self._monotonic()

    def now(self) -> datetime:
        """Return the store's time as carried since the last measurement."""
        return self._origin + self._boottime()

    def settled_for(self) -> timedelta:
        """Return how long nothing has disturbed this clock."""
        return self._boottime() - self._settled_at

    def held(self) -> bool:
        """Return whether a step of more than a day was found, and not undone."""
        return self._held

    def synchronise(self) -> timedelta:
        """Measure the store's clock; return by how much it had stepped."""
        with self._lock:
            origin, suspended = self._reading(self._origin)
            step = origin - self._origin
            if step > IMPLAUSIBLE:
                self._held = True
                return step
            self._held = False
            if abs(step) >= STEP or suspended - self._suspended >= STEP:
                self._settled_at = self._boottime()
            self._origin, self._suspended = origin, suspended
            return step
