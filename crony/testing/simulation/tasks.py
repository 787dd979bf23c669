"""The leases of a model worker, from their offers to the ends of their tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from crony.model.state import AttemptState, Reason
from crony.testing.simulation.sandbox import Sandbox, WorkerHost
from crony.testing.simulation.world import START
from crony.worker.lease import Lease
from crony.worker.outcome import StopCause
from crony.worker.plan import Action, Plan

if TYPE_CHECKING:
    from crony.testing.simulation.worker import ModelWorker

Key = tuple[str, int]

_TINY = timedelta(milliseconds=1)

_STOPPED: dict[StopCause, tuple[AttemptState, Reason]] = {
    StopCause.CANCELLED: (AttemptState.CANCELLED, Reason.USER),
    StopCause.REPLACED: (AttemptState.CANCELLED, Reason.REPLACED),
    StopCause.DELETED: (AttemptState.CANCELLED, Reason.DELETED),
    StopCause.PREEMPTED: (AttemptState.PREEMPTED, Reason.PREEMPTED),
    StopCause.MAX_RUNTIME: (AttemptState.TIMED_OUT, Reason.MAX_RUNTIME),
    StopCause.DEADLINE: (AttemptState.TIMED_OUT, Reason.DEADLINE),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ends, and after what time if nobody stops it."""

    state: AttemptState
    reason: Reason | None = None
    lasts: timedelta = timedelta()
    #: How much of its grace it takes when it is stopped.
    tardiness: float = 0.0


class Task:
    """One lease."""

    def __init__(self, lease: Lease, outcome: Outcome) -> None:
        self.lease = lease
        self.outcome = outcome
        self.plan = Plan(lease)
        self.confirmed = False
        self.sandbox: Sandbox | None = None
        self.gone = False
        #: Of the next look at it; earlier ones are forgotten.
        self.look = 0

    @property
    def waiting(self) -> bool:
        """Whether it is an offer still."""
        return not (self.confirmed or self.gone or self.plan.cause)


class Tasks:
    """All that one session of a worker has."""

    def __init__(
        self,
        worker: ModelWorker,
        host: WorkerHost,
        script: Callable[[], Outcome],
    ) -> None:
        self._worker = worker
        self._host = host
        self._script = script
        self._tasks: dict[Key, Task] = {}

    def keys(self) -> Sequence[Key]:
        """Return run and token of every lease."""
        return tuple(self._tasks)

    def free(self) -> int:
        """Return how many slots are free."""
        return self._worker.slots - len(self._tasks)

    def add(self, leases: Sequence[Lease]) -> None:
        """Take offers, as far as there is room."""
        for lease in leases:
            if lease.key in self._tasks:
                continue
            stale = [key for key in self._tasks if key[0] == lease.run]
            if not stale and self.free() > 0:
                task = Task(lease, self._script())
                self._tasks[lease.key] = task
                self._worker.ask_to_start(task)
                self._look_later(task)
            for key in stale:
                self.stop(key, StopCause.LOST)

    def renew(self, key: Key, expires_at: timedelta) -> None:
        """Prolong a lease, and tell the watchdog."""
        task = self._tasks.get(key)
        if task is None:
            return
        task.plan.renew(expires_at, self._worker.now())
        if task.sandbox is not None:
            task.sandbox.kill_at = task.plan.limit.kill_at

    def stop(self, key: Key, cause: StopCause) -> None:
        """Give a lease up."""
        task = self._tasks.get(key)
        if task is not None:
            task.plan.stop(cause, self._worker.now())
            self._act(task)

    def confirmed(
        self, task: Task, *, start_at: timedelta, expires_at: timedelta
    ) -> None:
        """Take note that the service counts it as running; let it go in time."""
        if task.gone or task.confirmed:
            return
        task.confirmed = True
        task.plan.refine(start_at)
        self.renew(task.lease.key, expires_at)
        self._worker.then(START + task.plan.start_at, lambda: self._let_go(task))

    def _let_go(self, task: Task) -> None:
        now = self._worker.now()
        if task.gone or not task.plan.may_start(now):
            self._act(task)
            return
        task.plan.started_at = now
        run, token = task.lease.key
        sandbox = self._host.start(
            run, token, lasts=task.outcome.lasts, kill_at=task.plan.limit.kill_at
        )
        task.sandbox = sandbox
        # A worker that is stopped, or killed, hears of it later, or never.
        sandbox.ended = lambda killed: self._worker.later(
            timedelta(), lambda: self._ended(task, killed=killed)
        )
        self._look_later(task)

    def _look_later(self, task: Task) -> None:
        task.look += 1
        number = task.look
        when = max(task.plan.next_at(self._worker.now()), self._worker.now() + _TINY)
        self._worker.then(START + when, lambda: self._look(task, number))

    def _look(self, task: Task, number: int) -> None:
        if task.gone or number != task.look:
            return
        if self._worker.now() >= task.plan.next_at(self._worker.now()):
            self._act(task)
        self._look_on(task, number)

    def _look_on(self, task: Task, number: int) -> None:
        """Go on to look at a lease, unless somebody does so already."""
        if not task.gone and number == task.look:
            self._look_later(task)

    def _act(self, task: Task) -> None:
        """Do what is due with a lease."""
        if task.gone:
            return
        action = task.plan.action(self._worker.now())
        sandbox = task.sandbox
        if action is Action.GIVE_UP:
            self._drop(task)
        elif action is Action.KILL and sandbox is not None:
            self._host.end(sandbox, killed=True)
        elif action is Action.TERMINATE and sandbox is not None:
            within = task.lease.grace * task.outcome.tardiness
            self._host.later(within, lambda: self._host.end(sandbox))
            self._look_later(task)

    def _ended(self, task: Task, *, killed: bool) -> None:
        if task.gone:
            return
        task.plan.ended(self._worker.now(), killed=killed)
        cause = task.plan.cause
        if cause is None:
            self._worker.ended(task.lease.key, task.outcome)
        elif not cause.silent:
            self._worker.ended(task.lease.key, Outcome(*_STOPPED[cause]))
        self._drop(task)

    def _drop(self, task: Task) -> None:
        task.gone = True
        self._tasks.pop(task.lease.key, None)
        self._worker.freed()
