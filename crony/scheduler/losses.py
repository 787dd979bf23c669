"""What was lost: attempts, told to people and to who waits; and workers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from crony import log
from crony.clock import Clock
from crony.model.lease import Loss
from crony.scheduler.timing import Timing
from crony.scheduler.wakes import Wakes
from crony.storage.contract import Store

_log = log.get(__name__)

_LIMIT = 100


def tell(losses: Sequence[Loss], *, wakes: Wakes) -> None:
    """Log each loss, and wake who looks at those runs."""
    for loss in losses:
        _log.warning(
            "attempt lost",
            tenant=loss.tenant,
            schedule=loss.schedule,
            run=loss.run,
            worker=loss.worker,
            state=loss.state,
        )
    wakes.publish_runs(frozenset(loss.run for loss in losses))


class Losses:
    """Notes which workers were not heard of for one lease time."""

    def __init__(self, store: Store, clock: Clock, *, timing: Timing) -> None:
        self._store = store
        self._clock = clock
        self._ttl = timing.lease_ttl

    def step(self, now: datetime) -> bool:
        """Note some; return whether there may be more."""
        if self._clock.settled_for() < self._ttl:
            # They had no chance to be heard yet.
            return False
        lost = self._store.workers.lose(before=now - self._ttl, limit=_LIMIT, now=now)
        for worker in lost:
            _log.warning(
                "worker lost",
                tenant=worker.tenant,
                worker=worker.id,
                name=worker.name,
            )
        return len(lost) == _LIMIT
