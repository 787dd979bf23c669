"""One run, from its lease to its report, in a thread of its own.

The thread prepares the task behind its gate, then lives in one loop over output,
progress, the task's end and a descriptor by which others wake it. Others are the
starter, which confirms and lets go, the keeper, which prolongs the lease, and
whoever stops the run; they change the plan under the lock and wake the loop.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from crony import clock, errors, log
from crony.worker.lease import Lease
from crony.worker.outcome import Ending, Outcome, StopCause, judge, not_started
from crony.worker.output import Output
from crony.worker.plan import Action, Plan
from crony.worker.progress import ProgressReader
from crony.worker.sources import Sources
from crony.worker.tasks.workshop import Workshop
from crony.worker.work import Work

_log = log.get(__name__)

_NOTHING = timedelta(0)
#: How long one that has ended gives way to others that end, and to what starts.
_TURN = timedelta(seconds=1)
#: What failed for no fault of the task is offered again: not in circles.
_CALM = timedelta(seconds=1)


class Crew(Protocol):
    """Who hears of a run; every method is called on the run's own thread."""

    def printed(self, runner: Runner) -> None:
        """There is output or progress to send."""

    def ended(self, runner: Runner, outcome: Outcome | None) -> None:
        """The attempt is over; ``None`` when there is nothing to report."""

    def left(self, runner: Runner) -> None:
        """Nothing of the run is left; its slot is free."""

    def broken(self, cause: errors.MissingSafeguard) -> None:
        """A safeguard is gone: no run may start any more."""


class Runner:
    """One leased run on this worker."""

    def __init__(
        self,
        lease: Lease,
        *,
        slot: int,
        workshop: Workshop,
        crew: Crew,
        turns: threading.Semaphore | None = None,
        boottime: Callable[[], timedelta] = clock.boottime,
    ) -> None:
        self.lease = lease
        self.slot = slot
        self.output = Output(bound=lease.log, part=lease.log_part)
        self.progress = ProgressReader()
        #: When the end was seen: how long it waits for its turn is no part of the run.
        self.ended_at: timedelta | None = None
        #: What is left to send goes with the final report.
        self.concluded = False
        self._workshop = workshop
        self._crew = crew
        self._turns = turns or threading.Semaphore()
        self._turn = False
        self._now = boottime
        self._lock = threading.Lock()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._plan = Plan(lease)
        #: What the watchdog was told at first.
        self._known = self._plan.limit
        self._work: Work | None = None
        #: It stands at its gate, or has stood there, and the watchdog knows.
        self._ready = False
        #: When the loop looks again by itself; it has not begun while this is zero.
        self._looks_at = _NOTHING
        self._due = False
        self._confirmed = False
        self._start_error: str | None = None
        self._over = False

    # What others ask of it, from their threads.

    @property
    def start_at(self) -> timedelta:
        """The instant to start at."""
        return self._plan.start_at

    @property
    def waiting(self) -> bool:
        """Whether it is an offer still: neither confirmed nor given up."""
        return not (self._confirmed or self._over or self._plan.cause)

    def start(self) -> None:
        """Begin to prepare."""
        name = f"crony-{self.lease.run}"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def confirm(self, *, start_at: timedelta, expires_at: timedelta | None) -> None:
        """Take note that the service counts the run as running."""
        with self._lock:
            self._confirmed = True
            self._plan.refine(start_at)
        if expires_at is not None:
            self.renew(expires_at)

    def let_go(self) -> bool:
        """Start the task now, or as soon as it is ready; whether ``wake`` must follow.

        PERF: of many that start at once, hardly any has something to do before its
        loop looks by itself, and all would take the processor from those that start.
        """
        with self._lock:
            self._due = True
            if not self._ready:
                return False
            # NOTE: a worker that was stopped may come here much too late. If it is
            # stopped again right after this look, the watchdog has closed the gate.
            if not self._plan.may_start(self._now()):
                return True
            assert self._work is not None
            try:
                self._work.release()
            except errors.SandboxFailed as exc:
                self._start_error = str(exc)
                return True
            now = self._plan.started_at = self._now()
            return self._plan.next_at(now) < self._looks_at

    def renew(self, expires_at: timedelta) -> None:
        """Prolong the lease; a renewal that comes too late changes nothing."""
        with self._lock:
            before = self._plan.limit
            changed = self._plan.renew(expires_at, self._now())
            if self._ready and self._plan.limit != before:
                self._tell_watchdog()
        if changed:
            self.wake()

    def stop(self, cause: StopCause) -> None:
        """Stop the task, or give it up if it has not started."""
        with self._lock:
            self._plan.stop(cause, self._now())
        self.wake()

    def wake(self) -> None:
        """Have the loop look at what has changed."""
        with self._lock:
            # A number that was closed may be somebody else's by now.
            if not self._over:
                os.eventfd_write(self._wake, 1)

    # Its own thread.

    def _run(self) -> None:
        with log.bound(run=self.lease.run, attempt=self.lease.attempt):
            outcome: Outcome | None = None
            try:
                outcome = self._execute()
            except Exception:  # noqa: BLE001  # the thread's top: the slot comes back
                # Not reported: nobody knows whether the task is dead before the
                # sandbox is closed, and an attempt that is lost runs again.
                _log.exception("run broke")
                time.sleep(_CALM.total_seconds())
            self.concluded = True
            try:
                self._crew.ended(self, outcome)
            finally:
                self._leave()

    def _execute(self) -> Outcome | None:
        try:
            self._prepare()
        except errors.SandboxFailed as exc:
            _log.warning("run could not be prepared", detail=str(exc))
            self._start_error = str(exc)
            return self._conclude_unstarted()
        except errors.MissingSafeguard as exc:
            self._crew.broken(exc)
            return None
        except Exception as exc:  # noqa: BLE001  # a lost attempt would say nothing
            # Safe to report: no task has passed its gate, and none can any more.
            _log.exception("run could not be prepared")
            self._start_error = (
                f"the worker could not prepare the task ({type(exc).__name__}); "
                "its log says more"
            )
            return self._conclude_unstarted()
        if self._due:
            self.let_go()
        self._tell_of_renewals()
        assert self._work is not None
        with Sources(self._work, self._wake, self._take) as sources:
            self._supervise(self._work, sources)
            seen_at = self._now()
            with self._lock:
                # Who stops it from now on comes too late.
                self._plan.ended(seen_at, killed=False)
            self._turn = self._turns.acquire(timeout=_TURN.total_seconds())
            with self._lock:
                started = self._plan.started_at
            if started is None:
                self.ended_at = seen_at
                return self._conclude_unstarted()
            # A short task may have ended before the starter took note of its start.
            self.ended_at = max(started, seen_at)
            return self._conclude(self._work, sources, started, self.ended_at)

    def _prepare(self) -> None:
        self._work = self._workshop.prepare(self.lease, slot=self.slot)
        self._known = self._plan.limit
        self._work.watch(kill_at=self._known.kill_at)
        with self._lock:
            self._ready = True

    def _tell_of_renewals(self) -> None:
        """Tell the watchdog of a renewal that came while the task was prepared.

        It can wait until the task has started: what it knows is only too early.
        """
        with self._lock:
            if self._plan.limit != self._known:
                self._tell_watchdog()

    def _leave(self) -> None:
        try:
            if self._work is not None:
                self._work.close()
        except (errors.CronyError, OSError) as exc:
            _log.error("sandbox was not cleared", detail=str(exc))
        finally:
            if self._turn:
                self._turns.release()
        with self._lock:
            self._over = True
            os.close(self._wake)
        self._crew.left(self)

    def _supervise(self, work: Work, sources: Sources) -> None:
        """Read what the task says until it has ended or is given up."""
        while True:
            now = self._now()
            with self._lock:
                action = self._plan.action(now)
                self._looks_at = due = self._plan.next_at(now)
            if action is Action.KILL:
                work.kill()
            elif action is Action.TERMINATE:
                work.terminate()
            elif action is Action.GIVE_UP or self._start_error is not None:
                return
            if sources.read(due - now):
                return

    def _take(self, stream: str, data: bytes) -> None:
        if stream == "progress":
            self.progress.feed(data)
        else:
            self.output.write(stream, data)
        self._crew.printed(self)

    def _conclude(
        self, work: Work, sources: Sources, started: timedelta, ended_at: timedelta
    ) -> Outcome | None:
        """Return how the attempt ended, once all of it has."""
        ending = work.wait()
        with self._lock:
            self._plan.ended(ended_at, killed=ending.signal == "SIGKILL")
        sources.drain()
        if self.progress.has_result and "python" in self.lease.task:
            ending = replace(ending, result=self.progress.result)
        return self._judged(ending, ended_at - started, started - self._plan.start_at)

    def _conclude_unstarted(self) -> Outcome | None:
        """Return what became of a task that never started."""
        with self._lock:
            self._plan.ended(self._now(), killed=True)
            cause = self._plan.cause
            if cause is None and self._ready:
                # Nobody may let go what is gone.
                self._plan.stop(StopCause.LOST, self._now())
        if cause is not None:
            # What was only an offer is the service's own again.
            return self._judged(Ending(), None, None) if self._confirmed else None
        if not self._ready:
            return not_started(self._start_error or "the sandbox did not come up")
        return self._conclude_gone()

    def _conclude_gone(self) -> Outcome | None:
        """Judge a sandbox that ended at its gate, which no task has passed.

        The run itself has not failed: it is given back, unless it asked for too
        little memory to stand there.
        """
        assert self._work is not None
        self._work.kill()
        if self._work.wait().oom:
            return not_started("the sandbox had too little memory to start the task")
        _log.warning("prepared sandbox is gone", detail=self._start_error)
        time.sleep(_CALM.total_seconds())
        return None

    def _judged(
        self, ending: Ending, duration: timedelta | None, lateness: timedelta | None
    ) -> Outcome | None:
        cause = self._plan.cause
        if cause is not None and cause.silent:
            return None
        return judge(
            ending,
            cause,
            memory=self.lease.sandbox.memory,
            max_runtime=self.lease.max_runtime,
            lateness=None if lateness is None else max(_NOTHING, lateness),
            duration=duration,
        )

    def _tell_watchdog(self) -> None:
        assert self._work is not None
        try:
            self._work.extend(kill_at=self._plan.limit.kill_at)
        except errors.MissingSafeguard as exc:
            self._crew.broken(exc)
