"""The reaper: takes back what was not confirmed or renewed in time."""

from __future__ import annotations

from datetime import datetime, timedelta

from crony.scheduler.losses import tell
from crony.scheduler.timing import Timing
from crony.scheduler.wakes import Wakes
from crony.storage.contract import Store

_LIMIT = 1_000


class Reaper:
    """Ends leases, and lets waiting runs become leasable."""

    def __init__(self, store: Store, *, timing: Timing, wakes: Wakes) -> None:
        self._store = store
        self._ahead: timedelta = timing.lease_ahead
        self._wakes = wakes

    def step(self, now: datetime, *, include_leases: bool) -> bool:
        """Expire and promote, up to the bounds.

        Without ``include_leases`` only offers are taken back: the workers had no
        chance to renew yet. Returns whether another step at once would do more.
        """
        losses, ready = self._store.leases.expire(
            now=now, limit=_LIMIT, include_leases=include_leases
        )
        self._wakes.publish(ready)
        tell(losses, wakes=self._wakes)
        for loss in losses:
            self._wakes.publish_worker(loss.worker)
        promoted = self._store.leases.promote(horizon=now + self._ahead, limit=_LIMIT)
        self._wakes.publish(promoted)
        earliest = self._store.leases.earliest()
        if earliest is None or earliest > now:
            return False
        # Leases that are left alone for now are no reason to come again at once.
        return include_leases or bool(ready or promoted)
