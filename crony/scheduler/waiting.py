"""Why a pending run has not started: what it waits for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from crony.model.lease import Scope
from crony.model.run import Run
from crony.model.state import AttemptState, Origin, Reason, RunState
from crony.model.worker import Worker, WorkerState, worker_state
from crony.scheduler.reasons import Because, Code
from crony.storage import rules
from crony.storage.contract import Position, RunQuery, Store
from crony.wire import format_duration, format_instant

#: So many runs are looked through for one that went first.
_NEAR = 50


class Waiting:
    """Looks for what keeps a run from starting."""

    def __init__(self, store: Store, *, lease_ttl: timedelta) -> None:
        self._store = store
        self._lease_ttl = lease_ttl

    def of(self, run: Run, *, now: datetime) -> Because:
        """Say why a pending run is still pending."""
        if run.available_at > now:
            return _not_yet(run, now)
        now_for = self._now_for(run, now)
        ended = run.attempts[-1] if run.attempts else None
        if run.reason is Reason.PREEMPTED and ended is not None:
            others = self._preemptor(run)
            by = f" by run {others[0]}" if others else " by one of higher priority"
            detail = f'it gave way{by} on worker "{ended.worker_name}"'
            return Because(Code.PREEMPTED, f"{detail}; {now_for.detail}", others)
        if run.reason is Reason.LOST and ended is not None:
            detail = (
                f'attempt {ended.number} was lost with worker "{ended.worker_name}", '
                "whose lease ran out; it starts again elsewhere"
            )
            return Because(Code.LOST, f"{detail}; {now_for.detail}", now_for.runs)
        return now_for

    def _now_for(self, run: Run, now: datetime) -> Because:
        """Say what a run that may start now waits for."""
        full = self._full(run)
        if full is not None:
            return full
        able = _Able(self._workers(run.tenant), run, self._requires(run))
        lacking = able.lacking(now=now, lease_ttl=self._lease_ttl)
        if lacking is not None:
            return Because(Code.NO_WORKER, lacking)
        first = self._before(run)
        if first:
            detail = (
                f"run {first[0]} of the same schedule goes first, and "
                f"max_concurrent is {run.policy.limit}"
            )
            return Because(Code.LIMIT, detail, first)
        names = able.names
        running = self._store.workers.running(
            run.tenant, [each.id for each in able.workers]
        )
        if all(len(running.get(w.id, ())) >= w.slots for w in able.workers):
            detail = (
                f"every slot of the workers that may run it ({names}) is taken; give "
                "them more slots, add a worker, or raise its priority"
            )
            busy = tuple(r for w in able.workers for r in running.get(w.id, ()))
            return Because(Code.NO_SLOT, detail, busy[:10])
        share = (
            "; it catches up, and such runs leave half of a worker's slots to what is "
            "due now"
            if run.catch_up
            else ""
        )
        detail = f"it starts when a worker that may run it ({names}) asks next{share}"
        return Because(Code.WAITING, detail)

    def _full(self, run: Run) -> Because | None:
        for scope in self._store.leases.scopes(run.tenant, run.id):
            if scope.limit is not None and scope.held >= scope.limit:
                return Because(Code.LIMIT, _taken(scope), scope.runs)
        return None

    def _before(self, run: Run) -> tuple[str, ...]:
        """Return runs of the schedule that go first, if they take all its places."""
        if run.origin is Origin.HOOK:
            return ()
        query = RunQuery(
            schedule=run.schedule,
            states=frozenset(
                {RunState.PENDING, RunState.LEASED, RunState.RUNNING, RunState.STOPPING}
            ),
            oldest_first=True,
        )
        page = self._store.runs.page(run.tenant, query, limit=_NEAR, after=None)
        first = [
            each
            for each in page.items
            if each.origin is not Origin.HOOK
            and each.id != run.id
            and (
                each.state is not RunState.PENDING
                or (each.due_at, each.id) < (run.due_at, run.id)
            )
        ]
        return tuple(r.id for r in first) if len(first) >= run.policy.limit else ()

    def _preemptor(self, run: Run) -> tuple[str, ...]:
        """Return the run that took the place of one that gave way."""
        ended = run.attempts[-1]
        if ended.finished_at is None:
            return ()
        page = self._store.runs.page(
            run.tenant, RunQuery(worker=ended.worker), limit=_NEAR, after=None
        )
        taken = [
            (each.started_at, each.id)
            for each in page.items
            if each.priority > run.priority
            and each.started_at is not None
            and each.started_at >= ended.finished_at
        ]
        return (min(taken)[1],) if taken else ()

    def _requires(self, run: Run) -> Sequence[tuple[str, str]]:
        found = self._store.schedules.definition(run.tenant, run.schedule, run.revision)
        return () if found is None else tuple(found.requires.items())

    def _workers(self, tenant: str) -> list[Worker]:
        found: list[Worker] = []
        after: Position | None = None
        while True:
            page = self._store.workers.page(tenant, limit=1000, after=after)
            found.extend(page.items)
            after = page.next
            if after is None:
                return found


class _Able:
    """The workers that may execute a run, and what is wrong where there are none."""

    def __init__(
        self, workers: Sequence[Worker], run: Run, requires: Sequence[tuple[str, str]]
    ) -> None:
        self.workers: Sequence[Worker] = workers
        self._run = run
        self._requires = requires

    @property
    def names(self) -> str:
        """Some of their names."""
        names = [each.name for each in self.workers]
        return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")

    def lacking(self, *, now: datetime, lease_ttl: timedelta) -> str | None:
        """Keep those that may execute it; say what none of them has, if so."""
        if not self.workers:
            return "no worker is registered; crony-worker register starts one"
        states = {
            each.id: worker_state(each, now=now, lease_ttl=lease_ttl)
            for each in self.workers
        }
        for fits, detail in self._needs(states):
            able = [each for each in self.workers if fits(each)]
            if not able:
                return detail.replace("{names}", self.names)
            self.workers = able
        return None

    def _needs(
        self, states: Mapping[str, WorkerState]
    ) -> Sequence[tuple[Callable[[Worker], bool], str]]:
        """Return what a worker must be, and what to say where none is."""
        queue, level = self._run.queue, self._run.policy.sandbox.level
        labels = ", ".join(f"{name}={value}" for name, value in self._requires)
        return (
            (
                lambda worker: queue in worker.queues,
                f'no registered worker serves the queue "{queue}"; register one with '
                f"--queue {queue}, or give the schedule another queue",
            ),
            (
                lambda worker: rules.carries(worker.labels, self._requires),
                f'no worker of the queue "{queue}" has the labels {labels}; register '
                "one with them, or change what the schedule requires",
            ),
            (
                lambda worker: rules.rank(worker.sandbox_level) >= rules.rank(level),
                f'no worker of the queue "{queue}" proved the sandbox level "{level}"; '
                "mend its host as crony-worker says at its start, or ask for less",
            ),
            (
                lambda worker: states[worker.id] is not WorkerState.LOST,
                "the workers that may run it ({names}) have not been heard of for a "
                "lease time; start them, or look at their hosts",
            ),
            (
                lambda worker: not worker.draining,
                "the workers that may run it ({names}) are draining and take nothing "
                "new; register them again, or start another",
            ),
        )


def _not_yet(run: Run, now: datetime) -> Because:
    wait = format_duration(run.available_at - now)
    at = format_instant(run.available_at)
    ended = run.attempts[-1] if run.attempts else None
    if ended is None or ended.state not in (
        AttemptState.FAILED,
        AttemptState.TIMED_OUT,
    ):
        return Because(Code.UPCOMING, f"it starts in {wait}, at {at}")
    said = ended.error or ended.reason or ended.state
    detail = (
        f"attempt {ended.number} of at most {1 + run.policy.retries.max} that count "
        f"ended {ended.state} ({said}); the next one starts in {wait}, at {at}"
    )
    return Because(Code.WAITING_RETRY, detail)


def _taken(scope: Scope) -> str:
    whose = (
        "the schedule" if scope.kind == "schedule" else f'{scope.kind} "{scope.name}"'
    )
    some = f" ({', '.join(scope.runs[:3])})" if scope.runs else ""
    return (
        f"max_concurrent of {whose} is {scope.limit}, and {scope.held} of its runs "
        f"are under way{some}; it starts when one of them ends"
    )
