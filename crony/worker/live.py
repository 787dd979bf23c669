"""Output and progress of runs that go on, on its way to the service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

from crony import clock
from crony.worker import reports
from crony.worker.backoff import passing_status
from crony.worker.outcome import StopCause
from crony.worker.parcel import Parcel
from crony.worker.reports import Item
from crony.worker.runner import Runner

#: Bytes of one run's output in a request.
_MOST_BYTES = 512 << 10

#: Output is sent this often, and seldom once more was sent than will be kept.
_EVERY = timedelta(milliseconds=250)
_SELDOM_EVERY = timedelta(seconds=3)

#: When there is nothing to send.
NEVER = timedelta.max


class Live:
    """The runners with news, and when it may be sent; safe from any thread.

    ``changed`` is called when the next time to send may have moved.
    """

    def __init__(
        self,
        changed: Callable[[], None],
        *,
        boottime: Callable[[], timedelta] = clock.boottime,
    ) -> None:
        self._changed = changed
        self._now = boottime
        self._lock = threading.Lock()
        self._due: dict[Runner, timedelta] = {}

    def printed(self, runner: Runner) -> None:
        """Send what a run printed, soon."""
        with self._lock:
            if runner in self._due or runner.concluded:
                return
            self._due[runner] = self._now() + _every(runner)
        self._changed()

    def forget(self, runner: Runner) -> None:
        """Send nothing more of a run by itself: the rest goes with its report."""
        with self._lock:
            self._due.pop(runner, None)

    def next_at(self) -> timedelta:
        """Return when there will be something to send."""
        with self._lock:
            return min(self._due.values(), default=NEVER)

    def take(self, most: int) -> Sequence[Parcel]:
        """Return the news of so many runs whose time has come."""
        now = self._now()
        with self._lock:
            due = [runner for runner, at in self._due.items() if at <= now][:most]
            for runner in due:
                del self._due[runner]
        return [parcel for runner in due if (parcel := self._parcel(runner)).items]

    def _parcel(self, runner: Runner) -> Parcel:
        pieces = runner.output.take(_MOST_BYTES)
        progress = runner.progress.newest

        def settle(statuses: Sequence[int]) -> None:
            arrived = bool(statuses) and not any(map(passing_status, statuses))
            runner.output.settle(accepted=arrived)
            if arrived:
                runner.progress.acknowledge(progress)
            if {404, 409} & set(statuses):
                runner.stop(StopCause.LOST)
            elif runner.output.waiting() or not arrived:
                self.printed(runner)

        return Parcel(reports.live(runner.lease, pieces, progress), settle)


def _every(runner: Runner) -> timedelta:
    more_than_kept = runner.output.accepted > runner.lease.log
    return _SELDOM_EVERY if more_than_kept else _EVERY


def rest_of(runner: Runner) -> Sequence[Item]:
    """Return the items with all that was not sent of an ended run."""
    return reports.live(runner.lease, runner.output.rest(), runner.progress.newest)
