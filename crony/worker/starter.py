"""Confirms runs shortly before their instant and lets them go at it.

Two threads, so that no start waits for an answer about another run: one asks the
service, the other waits for instants.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from crony import clock, errors, log
from crony.client import Client
from crony.model.task import JsonObject
from crony.worker import reading, reports
from crony.worker.backoff import passing, passing_status
from crony.worker.outcome import StopCause
from crony.worker.runner import Runner

_log = log.get(__name__)

#: The service refuses to confirm earlier than 250 ms before the instant. What is
#: due within that is asked for together, with a little left for clocks that differ.
_ASK_AT = timedelta(milliseconds=200)
_ASK_WITH = timedelta(milliseconds=240)
_ASK_AGAIN = timedelta(milliseconds=100)
_TIMEOUT = timedelta(seconds=3)
#: Waits on a condition may end late; the last stretch is slept.
_FINE = timedelta(milliseconds=2)
#: Waits stand still while the host is suspended, instants do not.
_NAP = timedelta(seconds=1)
_MOST = 1000


class Starter:
    """The two loops; ``confirm_due`` and ``let_go_due`` are a round of each."""

    def __init__(
        self, client: Client, *, boottime: Callable[[], timedelta] = clock.boottime
    ) -> None:
        self._client = client
        self._now = boottime
        self._changed = threading.Condition()
        self._asking: list[Runner] = []
        self._timed = threading.Condition()
        self._ready: list[tuple[timedelta, int, Runner]] = []
        self._count = itertools.count()
        self._closed = False
        self._ask_after = timedelta(0)

    def start(self) -> None:
        """Begin both loops."""
        for name, run in (("confirm", self._confirm), ("start", self._let_go)):
            threading.Thread(target=run, name=f"crony-{name}", daemon=True).start()

    def close(self) -> None:
        """End both loops."""
        for condition in (self._changed, self._timed):
            with condition:
                self._closed = True
                condition.notify_all()

    def add(self, runners: Sequence[Runner]) -> None:
        """See to the start of leased runs."""
        with self._changed:
            self._asking.extend(runners)
            self._changed.notify_all()

    def _confirm(self) -> None:
        while not self._closed:
            try:
                wait = self.confirm_due()
            except Exception:  # noqa: BLE001  # the loop's top: others wait
                _log.exception("confirm broke")
                wait = _ASK_AGAIN
            with self._changed:
                # What was added meanwhile may be due before that.
                if wait > timedelta(0) and self._next_ask() > self._now():
                    patience = min(self._next_ask() - self._now(), _NAP)
                    self._changed.wait(patience.total_seconds())

    def _next_ask(self) -> timedelta:
        starts = (r.start_at for r in self._asking)
        first = min(starts, default=timedelta.max / 2) - _ASK_AT
        return max(first, self._ask_after)

    def confirm_due(self) -> timedelta:
        """Confirm all that is about to start, in one request.

        Returns zero when there may be more to do at once.
        """
        now = self._now()
        with self._changed:
            self._asking = [runner for runner in self._asking if runner.waiting]
            if now < self._next_ask():
                return _ASK_AGAIN
            due = [r for r in self._asking if r.start_at - _ASK_WITH <= now][:_MOST]
        if not due:
            return _ASK_AGAIN
        try:
            settled = self._ask(due)
        except errors.ClientError as exc:
            _log.warning("confirm failed", runs=len(due), detail=str(exc))
            settled = [] if passing(exc) else due
            for runner in settled:
                runner.stop(StopCause.LOST)
        late = [r for r in due if self._now() > r.lease.confirm_by]
        for runner in late:
            if runner not in settled:
                _log.warning("run not confirmed in time", run=runner.lease.run)
                runner.stop(StopCause.LOST)
        done = {id(runner) for runner in (*settled, *late)}
        with self._changed:
            self._asking = [r for r in self._asking if id(r) not in done]
            if len(done) < len(due):
                self._ask_after = self._now() + _ASK_AGAIN
        return timedelta(0)

    def _ask(self, due: Sequence[Runner]) -> list[Runner]:
        """Confirm; return the runs that were answered for good."""
        sent = self._now()
        answer = self._client.reports(
            [reports.confirm(runner.lease) for runner in due], timeout=_TIMEOUT
        )
        received = self._now()
        settled = []
        for runner, result in zip(due, reading.objects(answer, "results"), strict=True):
            status = reading.integer(result, "status")
            if status < 300:
                self._confirmed(runner, result, sent=sent, received=received)
            elif passing_status(status):
                continue
            else:
                _log.info("run is not ours to start", run=runner.lease.run)
                runner.stop(StopCause.LOST)
            settled.append(runner)
        return settled

    def _confirmed(
        self,
        runner: Runner,
        result: JsonObject,
        *,
        sent: timedelta,
        received: timedelta,
    ) -> None:
        start_at, expires_at = runner.start_at, None
        if result.get("start_in") is not None:
            start_at = received + reading.duration(result, "start_in")
        if result.get("expires_in") is not None:
            expires_at = sent + reading.duration(result, "expires_in")
        runner.confirm(start_at=start_at, expires_at=expires_at)
        if runner.start_at <= self._now():
            if _start(runner):
                runner.wake()
            return
        with self._timed:
            heapq.heappush(self._ready, (runner.start_at, next(self._count), runner))
            self._timed.notify_all()

    def _let_go(self) -> None:
        while not self._closed:
            with self._timed:
                if not self._ready:
                    self._timed.wait(_NAP.total_seconds())
                    continue
                left = self._ready[0][0] - self._now()
                if left > _FINE:
                    self._timed.wait(min(left - _FINE, _NAP).total_seconds())
                    continue
            if left > timedelta(0):
                time.sleep(left.total_seconds())
            self.let_go_due()

    def let_go_due(self) -> None:
        """Start everything whose instant has come; wake the runners after that."""
        due = []
        now = self._now()
        with self._timed:
            while self._ready and self._ready[0][0] <= now:
                due.append(heapq.heappop(self._ready)[2])
        for runner in [each for each in due if _start(each)]:
            runner.wake()


def _start(runner: Runner) -> bool:
    """Let one run go, and say whether it must be woken.

    If that breaks, the others start all the same.
    """
    try:
        return runner.let_go()
    except Exception:  # noqa: BLE001  # nobody knows whether it has started
        _log.exception("start broke")
        runner.stop(StopCause.LOST)
        return False
