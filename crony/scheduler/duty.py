"""A duty, as one process knows it: held, another's, or anybody's.

Who has it says so again and again. The others are told when it was last said, and ask
again when it would be over; so they ask seldom, and the moment it is over is theirs.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from crony import errors, log
from crony.scheduler.wakes import Wake, Wakes
from crony.storage.contract import Store

_log = log.get(__name__)


class Duty:
    """Work that one process at a time does for all.

    It stays with a process that says nothing more for ``ttl``; who has it says so each
    ``prolong``.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        *,
        holder: str,
        wakes: Wakes,
        ttl: timedelta,
        prolong: timedelta,
    ) -> None:
        self._store = store
        self._name = name
        self._holder = holder
        self._wakes = wakes
        self._ttl = ttl
        self._prolong = prolong
        self._held_at: datetime | None = None
        #: When that of another is over, if it says nothing more.
        self._over_at: datetime | None = None

    @property
    def held(self) -> bool:
        """Whether this process had it when it asked last."""
        return self._held_at is not None

    def is_known(self, now: datetime) -> bool:
        """Whether there is no need to ask by then."""
        if self._held_at is not None:
            return timedelta() <= now - self._held_at < self._prolong
        # After a step back what another said may lie in the future.
        return self._over_at is not None and (
            timedelta() < self._over_at - now <= self._ttl
        )

    def ask(self, now: datetime) -> tuple[bool, datetime | None]:
        """Take or prolong it; return whether this process has it, and when it was
        last held before."""
        held, last = self._store.duties.hold(
            self._name, self._holder, now=now, ttl=self._ttl
        )
        self._held_at = now if held else None
        self._over_at = None if held or last is None else last + self._ttl
        return held, last

    def hold(self, now: datetime) -> bool:
        """Return whether this process has it, and ask where that is not known."""
        return self.held if self.is_known(now) else self.ask(now)[0]

    def next_at(self, now: datetime) -> datetime:
        """Return when to ask again."""
        if self._held_at is not None:
            return self._held_at + self._prolong
        return now if self._over_at is None else self._over_at

    def lapse(self) -> None:
        """Say nothing more: it runs out by itself."""
        self._held_at = None

    def given_up(self, wake: Wake) -> bool:
        """Whether a wake says that it may be anybody's; then it is asked for again."""
        if not wake.missed and self._name not in wake.duties:
            return False
        self._over_at = None
        return True

    def release(self) -> None:
        """Give it up, so that another process has it at once."""
        if self._held_at is None:
            return
        self._held_at = None
        try:
            self._store.duties.release(self._name, self._holder)
        except errors.Unavailable:
            _log.warning("a duty runs out by itself", duty=self._name)
        else:
            self._wakes.publish_duty(self._name)
