"""Runs as people handle them: started by hand, retried, cancelled, looked at."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from crony import errors, log
from crony.clock import Clock, cut
from crony.model import ids
from crony.model.run import LogChunk, Run
from crony.model.schedule import Definition, Schedule
from crony.model.state import Origin
from crony.model.task import JsonObject
from crony.scheduler import overrides as overriding
from crony.scheduler.making import made
from crony.scheduler.policies import Policies
from crony.scheduler.wakes import Wakes
from crony.storage.contract import Creation, Page, Position, RunQuery, Store

_log = log.get(__name__)


class Runs:
    """What people do with runs."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        policies: Policies,
        wakes: Wakes,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._store = store
        self._clock = clock
        self._policies = policies
        self._wakes = wakes
        self._entropy = entropy

    def new_number(self) -> str:
        """Return an ``n`` for ``trigger`` or ``retry``, to be kept for a repeat.

        It holds the instant of the request, which a repeat after a crash takes
        over, so that it makes the same run.
        """
        return ids.timed(ids.RUN, self._clock.now(), entropy=self._entropy(ids.ENTROPY))

    def find(self, tenant: str, run: str) -> Run:
        """Return a run with its attempts; raises ``NotFound``."""
        found = self._store.runs.find(tenant, run)
        if found is None:
            raise errors.NotFound("run", run)
        return found

    def page(
        self, tenant: str, query: RunQuery, *, limit: int, after: Position | None
    ) -> Page[Run]:
        """Return some of the runs that match, as summaries."""
        return self._store.runs.page(tenant, query, limit=limit, after=after)

    def log(
        self, tenant: str, run: str, *, attempt: int | None = None, after: int = 0
    ) -> tuple[Sequence[LogChunk], bool]:
        """Return output of an attempt (the newest) after a chunk, and if it is all."""
        found = self.find(tenant, run)
        number = found.attempt if attempt is None else attempt
        if number < 1:
            return (), found.over
        if number > found.attempt:
            raise errors.NotFound("attempt", str(number))
        return self._store.logs.read(tenant, run, attempt=number, after=after)

    def trigger(
        self,
        tenant: str,
        schedule: str,
        *,
        overrides: JsonObject | None = None,
        n: str | None = None,
    ) -> Run:
        """Run a schedule now, paused or not; return the run.

        The same ``n`` makes the same run. Raises ``InvalidBody`` for overrides
        that the schedule's task has no use for, ``QuotaExceeded``.
        """
        found = self._schedule(tenant, schedule)
        overriding.check(found.definition.task, overrides)
        number = n or self.new_number()
        now = cut(self._clock.now())
        run = self._new(
            found,
            origin=Origin.MANUAL,
            scheduled_for=ids.instant_in(number) or now,
            now=now,
            number=number,
            overrides=overrides,
        )
        return self._insert(found, run)

    def retry(self, tenant: str, run: str, *, n: str | None = None) -> Run:
        """Run again what has ended, under the schedule's present definition."""
        old = self.find(tenant, run)
        if not old.over:
            raise errors.Conflict(
                f"run {run} is not over: {old.state}; cancel it first, or wait"
            )
        if old.range_until is not None:
            raise errors.Conflict(
                f"run {run} stands for {old.range_count} occurrences; "
                f"run the schedule instead"
            )
        if old.hook is not None:
            raise errors.Conflict(
                f"run {run} is a hook's; retry the run that it followed: {old.parent}"
            )
        found = self._schedule(tenant, old.schedule)
        run_again = self._new(
            found,
            origin=Origin.RETRY,
            scheduled_for=old.scheduled_for,
            now=cut(self._clock.now()),
            number=n or self.new_number(),
            overrides=old.overrides,
            parent=old.id,
        )
        return self._insert(found, run_again)

    def cancel(self, tenant: str, run: str) -> Run:
        """Stop a run; return it as it is then. Raises ``RunOver``."""
        before = self.find(tenant, run)
        found, ready = self._store.runs.cancel(tenant, run, now=cut(self._clock.now()))
        _log.info("run cancelled", tenant=tenant, run=run, state=found.state)
        self._wakes.publish(ready)
        self._wakes.publish_run(run)
        # An offer leaves no attempt behind: its worker is only in what was before.
        for attempt in (*before.attempts[-1:], *found.attempts[-1:]):
            self._wakes.publish_worker(attempt.worker)
        return found

    def effective_task(self, run: Run, definition: Definition) -> JsonObject:
        """Return the task a run executes: the schedule's, or that of its hook."""
        return overriding.task_of(run, definition)

    def _schedule(self, tenant: str, reference: str) -> Schedule:
        found = self._store.schedules.find(tenant, reference)
        if found is None:
            raise errors.NotFound("schedule", reference)
        return found

    def _new(
        self,
        schedule: Schedule,
        *,
        origin: Origin,
        scheduled_for: datetime,
        now: datetime,
        number: str,
        overrides: JsonObject | None,
        parent: str | None = None,
    ) -> Run:
        holds = self._policies.of(schedule.tenant, schedule.definition)
        due_at = max(scheduled_for, now) if origin is Origin.RETRY else scheduled_for
        run = made(
            schedule,
            policy=holds.policy,
            origin=origin,
            scheduled_for=scheduled_for,
            due_at=due_at,
            now=now,
            number=number,
        )
        return replace(run, parent=parent, overrides=overrides)

    def _insert(self, schedule: Schedule, run: Run) -> Run:
        tenant = self._store.tenants.find(run.tenant)
        if tenant is None:
            raise errors.NotFound("tenant", run.tenant)
        # Its policy may have changed with its group or profile since its last run.
        limit = Creation(schedule, run.policy.limit)
        self._wakes.publish(self._store.schedules.limit([limit]))
        stored, ready, recalled = self._store.runs.insert(
            run, quota=tenant.quotas.pending_runs
        )
        if not stored:
            return self.find(run.tenant, run.id)
        _log.info("run requested", tenant=run.tenant, schedule=run.schedule, run=run.id)
        self._wakes.publish(ready)
        for worker in recalled:
            self._wakes.publish_worker(worker)
        return run
