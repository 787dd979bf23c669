"""Time that a test moves by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

#: When tests begin, unless they say otherwise.
START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class ManualClock:
    """A clock that stands still until it is told otherwise.

    It counts as settled for a day, so that nothing waits for it to be; a test of
    that sets ``settled``. ``held`` is what a step of more than a day leads to.
    """

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._held = False
        self.settled = timedelta(days=1)

    def now(self) -> datetime:
        """Return the instant that was set."""
        return self._now

    def settled_for(self) -> timedelta:
        """Return ``settled``."""
        return self.settled

    def held(self) -> bool:
        """Return whether ticking waits for an operator."""
        return self._held

    def advance(self, by: timedelta) -> datetime:
        """Let time pass, as a running clock does; return the new instant."""
        self._now += by
        self.settled += by
        return self._now

    def set(self, instant: datetime) -> None:
        """Step to an instant, forward or back: a disturbance."""
        self._now = instant
        self.settled = timedelta()

    def hold(self) -> None:
        """Wait for an operator from now on."""
        self._held = True

    def release(self) -> None:
        """Go on, as when the step was undone."""
        self._held = False
        self.settled = timedelta()
