"""A host: its clocks, and that it may be suspended."""

from __future__ import annotations

from datetime import datetime, timedelta

from crony.testing.simulation.world import START, World


class Host:
    """Clocks that differ from those of all other hosts."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._booted = world.between(100, 100_000)
        #: Its own wall clock may show anything: nobody may compare it with another's.
        self._wall_ahead = world.between(-7200, 7200)
        self._suspended = timedelta()
        self._suspended_at: datetime | None = None

    def boottime(self) -> timedelta:
        """Return ``CLOCK_BOOTTIME``: suspends count."""
        return self._booted + (self._world.now - START)

    def monotonic(self) -> timedelta:
        """Return ``CLOCK_MONOTONIC``: it stands still in a suspend."""
        slept = self._suspended
        if self._suspended_at is not None:
            slept += self._world.now - self._suspended_at
        return self.boottime() - slept

    def wall(self) -> datetime:
        """Return what the host's own wall clock shows."""
        return self._world.now + self._wall_ahead

    def suspend(self) -> None:
        """Stand still."""
        self._suspended_at = self._world.now

    def resume(self) -> None:
        """Go on."""
        if self._suspended_at is not None:
            self._suspended += self._world.now - self._suspended_at
        self._suspended_at = None
