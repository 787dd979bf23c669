"""Who is on this worker: every lease from its offer until nothing of it is left."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

from crony.model.task import Json
from crony.worker.lease import Lease
from crony.worker.outcome import StopCause
from crony.worker.runner import Runner

#: What the service's words for a revocation mean to a task.
_CAUSES = {
    "cancelled": StopCause.CANCELLED,
    "replaced": StopCause.REPLACED,
    "deleted": StopCause.DELETED,
    "preempted": StopCause.PREEMPTED,
}


def holding_of(keys: Sequence[tuple[str, int]]) -> list[Json]:
    """Return leases as requests name them."""
    return [{"run": run, "token": token} for run, token in dict.fromkeys(keys)]


class Roster:
    """The runners, each in a slot of its own; safe from any thread."""

    def __init__(self, *, slots: int, freed: Callable[[], None]) -> None:
        self._slots = slots
        self._freed = freed
        self._lock = threading.Condition()
        self._runners: dict[tuple[str, int], Runner] = {}
        #: The same by their runs, of which an older attempt may still be here.
        self._of_run: dict[str, Runner] = {}
        #: Free slots; the first ones are given first.
        self._vacant = list(range(slots))
        self._open = True

    def close(self) -> None:
        """Take nothing new from now on."""
        with self._lock:
            self._open = False

    def free(self) -> int:
        """Return how many slots are free."""
        with self._lock:
            return self._slots - len(self._runners) if self._open else 0

    def add(self, lease: Lease, make: Callable[[int], Runner]) -> Runner | None:
        """Put a lease into a free slot, ``make`` gets its number.

        ``None`` for a lease that is known and when there is no room. An older
        token of the same run is no longer ours: that runner stops.
        """
        with self._lock:
            if not self._open or lease.key in self._runners:
                return None
            old = self._of_run.get(lease.run)
            runner = None
            # The older attempt must be dead before a newer one may start; until
            # then the offer is left to run out.
            if old is None and self._vacant:
                runner = make(self._vacant[0])
                heapq.heappop(self._vacant)
                self._runners[lease.key] = self._of_run[lease.run] = runner
        if old is not None:
            old.stop(StopCause.LOST)
        return runner

    def remove(self, runner: Runner) -> None:
        """Free a runner's slot."""
        with self._lock:
            if self._runners.pop(runner.lease.key, None) is not None:
                del self._of_run[runner.lease.run]
                heapq.heappush(self._vacant, runner.slot)
            self._lock.notify_all()
        self._freed()

    def keys(self) -> Sequence[tuple[str, int]]:
        """Return run and token of every lease."""
        with self._lock:
            return tuple(self._runners)

    def renewed(self, run: str, token: int, expires_at: timedelta) -> None:
        """Prolong a lease."""
        if (runner := self._find(run, token)) is not None:
            runner.renew(expires_at)

    def revoked(self, run: str, token: int, reason: str) -> None:
        """Give up a lease, in the way that its reason asks for."""
        if (runner := self._find(run, token)) is not None:
            runner.stop(_CAUSES.get(reason, StopCause.LOST))

    def _find(self, run: str, token: int) -> Runner | None:
        with self._lock:
            return self._runners.get((run, token))

    def stop_waiting(self) -> None:
        """Give up every run that is only an offer."""
        with self._lock:
            offers = [runner for runner in self._runners.values() if runner.waiting]
        for runner in offers:
            runner.stop(StopCause.SHUTDOWN)

    def stop_all(self, cause: StopCause) -> None:
        """Stop everything."""
        with self._lock:
            runners = list(self._runners.values())
        for runner in runners:
            runner.stop(cause)

    def wait_empty(self, timeout: timedelta) -> bool:
        """Wait until nothing is left."""
        with self._lock:
            return self._lock.wait_for(
                lambda: not self._runners, timeout.total_seconds()
            )
