"""Time as it passes for all, and whoever does something in it."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

Action = Callable[[], None]
Trace = Callable[[str], None]

#: So many uses of the service may be under way at once, one within the other.
_DEEPEST = 3


class World:
    """A queue of events; one generator of chance decides everything.

    ``now`` is the time that really passes. No part of the service sees it: nodes read
    the clocks of their hosts and of the store.
    """

    def __init__(self, seed: int, *, trace: Trace | None = None) -> None:
        self.chance = random.Random(seed)
        self.now = START
        #: What the store's clock shows is ahead of ``now`` by this.
        self.store_ahead = timedelta()
        #: Whether that has stepped.
        self.stepped = False
        self._queue: list[tuple[datetime, int, Action]] = []
        self._count = 0
        self._depth = 0
        self._trace = trace

    @property
    def store_now(self) -> datetime:
        """What the store's clock shows."""
        return self.now + self.store_ahead

    @property
    def traced(self) -> bool:
        """Whether anybody reads what is told."""
        return self._trace is not None

    def tell(self, line: str) -> None:
        """Tell what happened, for whoever replays this."""
        if self._trace is not None:
            passed = (self.now - START).total_seconds()
            self._trace(f"{passed:12.3f} {'  ' * self._depth}{line}")

    def after(self, delay: timedelta, action: Action) -> None:
        """Let this happen later."""
        self.at(self.now + delay, action)

    def at(self, instant: datetime, action: Action) -> None:
        """Let this happen at an instant, or now if that has passed."""
        self._count += 1
        heapq.heappush(self._queue, (max(instant, self.now), self._count, action))

    def run(self, until: datetime) -> None:
        """Let time pass, and all that happens in it."""
        while self._queue and self._queue[0][0] <= until:
            instant, _, action = heapq.heappop(self._queue)
            self.now = max(self.now, instant)
            action()
        self.now = max(self.now, until)

    def meanwhile(self, span: timedelta) -> None:
        """Let others go on for a while in the middle of something."""
        if self._depth >= _DEEPEST:
            return
        self._depth += 1
        try:
            self.run(self.now + span)
        finally:
            self._depth -= 1

    def happens(self, probability: float) -> bool:
        """Throw a coin of that weight."""
        return probability > 0 and self.chance.random() < probability

    def between(self, low: float, high: float) -> timedelta:
        """Draw a span of so many seconds, to the millisecond."""
        return timedelta(
            milliseconds=self.chance.randint(int(low * 1e3), int(high * 1e3))
        )


class Actor:
    """Somebody who may die, and may be stopped for a while.

    What an earlier life had in mind never happens; what comes while it is stopped
    happens at once when it goes on.
    """

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.alive = False
        self.life = 0
        self.asleep = False
        self._missed: list[tuple[int, Action]] = []

    def later(self, delay: timedelta, action: Action) -> None:
        """Do this after a while, in this life only."""
        self.world.after(delay, self._of_this_life(action))

    def then(self, instant: datetime, action: Action) -> None:
        """Do this at an instant, in this life only."""
        self.world.at(instant, self._of_this_life(action))

    def _of_this_life(self, action: Action) -> Action:
        life = self.life
        return lambda: self._do(life, action)

    def _do(self, life: int, action: Action) -> None:
        if life != self.life or not self.alive:
            return
        if self.asleep:
            self._missed.append((life, action))
            return
        action()

    def born(self) -> None:
        """Begin another life."""
        self.life += 1
        self.alive = True
        self.asleep = False
        self._missed.clear()

    def died(self) -> None:
        """End this life."""
        self.alive = False
        self.asleep = False
        self._missed.clear()

    def sleep(self) -> None:
        """Do nothing from now on."""
        self.asleep = True

    def wake(self) -> None:
        """Go on, with all that came meanwhile."""
        self.asleep = False
        missed, self._missed = self._missed, []
        for life, action in missed:
            self._do(life, action)
