"""The reaper: what time alone does to runs.

Leases and offers end, deadlines come, runs give way to others, and what waited may be
leased.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from crony import log
from crony.model.lease import Change, Ready
from crony.scheduler.losses import tell
from crony.scheduler.timing import Timing
from crony.scheduler.wakes import Wakes
from crony.storage.contract import Store

_log = log.get(__name__)

_LIMIT = 1_000


class Reaper:
    """Moves runs on as time passes, and tells who waits for that."""

    def __init__(self, store: Store, *, timing: Timing, wakes: Wakes) -> None:
        self._store = store
        self._ahead: timedelta = timing.lease_ahead
        self._wakes = wakes

    def step(self, now: datetime, *, include_leases: bool) -> bool:
        """Do all that has come due by now, up to the bounds.

        Without ``include_leases`` only offers are taken back: the workers had no
        chance to renew yet. Returns whether another step at once would do more.
        """
        # PERF: most often nothing has come, and to see that takes no write.
        earliest = self._store.leases.earliest()
        come = earliest is not None and earliest <= now + self._ahead
        moved = False
        promoted: Ready = frozenset()
        if come:
            # What is decided at an instant comes first, to the millisecond.
            moved = self._overlap(now)
            moved = self._lapse(now) or moved
            moved = self._expire(now, include_leases=include_leases) or moved
        if self._store.leases.preemptible():
            moved = self._preempt(now) or moved
        if come:
            horizon = now + self._ahead
            promoted = self._store.leases.promote(horizon=horizon, limit=_LIMIT)
            self._wakes.publish(promoted)
            earliest = self._store.leases.earliest()
        if earliest is None or earliest > now:
            return False
        # What is left alone for now is no reason to come again at once.
        return moved or bool(promoted)

    def _overlap(self, now: datetime) -> bool:
        changes, ready = self._store.leases.overlap(now=now, limit=_LIMIT)
        self._wakes.publish(ready)
        self._tell(changes, "run met an earlier one")
        return bool(changes)

    def _lapse(self, now: datetime) -> bool:
        changes, ready = self._store.leases.lapse(now=now, limit=_LIMIT)
        self._wakes.publish(ready)
        self._tell(changes, "run not started by its deadline")
        return bool(changes)

    def _expire(self, now: datetime, *, include_leases: bool) -> bool:
        losses, ready = self._store.leases.expire(
            now=now, limit=_LIMIT, include_leases=include_leases
        )
        self._wakes.publish(ready)
        tell(losses, wakes=self._wakes)
        for loss in losses:
            self._wakes.publish_worker(loss.worker)
        return bool(losses or ready)

    def _preempt(self, now: datetime) -> bool:
        victims = self._store.leases.preempt(now=now, limit=_LIMIT)
        self._tell(victims, "run gives way to a more urgent one")
        return bool(victims)

    def _tell(self, changes: Sequence[Change], what: str) -> None:
        for change in changes:
            _log.info(
                what,
                tenant=change.tenant,
                schedule=change.schedule,
                run=change.run,
                worker=change.worker,
                state=change.state,
            )
            if change.worker is not None:
                self._wakes.publish_worker(change.worker)
        self._wakes.publish_runs(frozenset(change.run for change in changes))
