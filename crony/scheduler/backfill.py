"""Backfill: a run for each occurrence of a span that people ask for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from crony import errors, log
from crony.clock import EPOCH, MOMENT, Clock, cut
from crony.errors import Fault
from crony.model import ids
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import Origin
from crony.scheduler.making import made
from crony.scheduler.policies import Policies
from crony.scheduler.stretches import latest
from crony.scheduler.wakes import Wakes
from crony.storage.contract import Creation, Store
from crony.triggers import Bounded, bounded, compile_trigger
from crony.wire import format_instant

_log = log.get(__name__)

#: How many runs one request may make.
MOST = 10_000

#: How many of them are shown.
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfilled:
    """What was made, or in a dry run would be; ``runs`` are the first of them.

    ``until`` is exclusive: the end asked for, or the instant of the request.
    """

    schedule: str
    count: int
    since: datetime
    until: datetime
    runs: tuple[Run, ...]
    dry_run: bool


class Backfill:
    """Makes runs of what came due, or would have, in the past."""

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
        """Return an ``n`` for ``span``, to be kept for a repeat: see ``Runs``."""
        return ids.timed(ids.RUN, self._clock.now(), entropy=self._entropy(ids.ENTROPY))

    def span(
        self,
        tenant: str,
        reference: str,
        *,
        since: datetime,
        until: datetime,
        dry_run: bool,
        n: str | None = None,
    ) -> Backfilled:
        """Make a run for each occurrence from ``since`` on and before ``until``.

        All or none, under the schedule's present definition, also for instants before
        its creation; what lies ahead is left out, since it comes due by itself. The
        same ``n`` makes the same runs. Raises ``NotFound``, ``InvalidBody``,
        ``QuotaExceeded``.
        """
        schedule = self._store.schedules.find(tenant, reference)
        if schedule is None:
            raise errors.NotFound("schedule", reference)
        number = n or self.new_number()
        now = ids.instant_in(number) or cut(self._clock.now())
        _refuse(since, until, now=now)
        until = min(until, now + MOMENT)
        runs = self._runs(schedule, since, until, number=number, now=now)
        if not dry_run:
            self._store_all(schedule, runs)
        return Backfilled(
            schedule=schedule.id,
            count=len(runs),
            since=since,
            until=until,
            runs=runs[:_SHOWN],
            dry_run=dry_run,
        )

    def _runs(
        self,
        schedule: Schedule,
        since: datetime,
        until: datetime,
        *,
        number: str,
        now: datetime,
    ) -> tuple[Run, ...]:
        due = _calendar(schedule)
        count = due.count(since - MOMENT, until - MOMENT)
        if count > MOST:
            detail = (
                f"{count} occurrences lie in this span, more than the {MOST} that one "
                "backfill may run; ask for a shorter span"
            )
            raise errors.InvalidBody([Fault("/to", detail)])
        if not count:
            raise errors.InvalidBody([Fault("/from", _none(due, since, until))])
        policy = self._policies.of(schedule.tenant, schedule.definition).policy
        return tuple(
            # They are asked for late, and wait for each other: a deadline counted
            # from now would end most of them unseen.
            replace(
                made(
                    schedule,
                    policy=policy,
                    origin=Origin.BACKFILL,
                    scheduled_for=instant,
                    due_at=now,
                    now=now,
                    number=number,
                    catch_up=True,
                ),
                deadline_at=None,
            )
            for instant in due.between(since - MOMENT, until - MOMENT, limit=MOST)
        )

    def _store_all(self, schedule: Schedule, runs: tuple[Run, ...]) -> None:
        tenant = self._store.tenants.find(schedule.tenant)
        if tenant is None:
            raise errors.NotFound("tenant", schedule.tenant)
        # Its policy may have changed with its group or profile since its last run.
        limit = Creation(schedule, runs[0].policy.limit)
        self._wakes.publish(self._store.schedules.limit([limit]))
        new, ready = self._store.runs.backfill(runs, quota=tenant.quotas.pending_runs)
        self._wakes.publish(ready)
        _log.info(
            "runs requested", tenant=schedule.tenant, schedule=schedule.id, count=new
        )


def _calendar(schedule: Schedule) -> Bounded:
    """Return the occurrences of a schedule, from before its creation too."""
    definition = schedule.definition
    try:
        compiled = compile_trigger(
            definition.trigger,
            identity=schedule.identity,
            anchor=definition.start_at or schedule.created_at,
        )
    except errors.InvalidTrigger as exc:
        # Its zone went with a release of tzdata.
        raise errors.InvalidBody([Fault("", f"nothing is due: {exc.detail}")]) from exc
    return bounded(
        compiled,
        not_before=None,
        start_at=definition.start_at,
        end_at=definition.end_at,
    )


def _refuse(since: datetime, until: datetime, *, now: datetime) -> None:
    if since >= until:
        detail = (
            f'"{format_instant(until)}" is not after from "{format_instant(since)}"'
        )
        raise errors.InvalidBody([Fault("/to", detail)])
    if since > now:
        detail = (
            f'"{format_instant(since)}" has not come yet: what is due then runs by '
            "itself"
        )
        raise errors.InvalidBody([Fault("/from", detail)])


def _none(due: Bounded, since: datetime, until: datetime) -> str:
    before = latest(due, EPOCH, since - MOMENT)
    after = due.first(until, inclusive=True)
    nearest = " and ".join(
        f"{format_instant(instant)} {side}"
        for instant, side in ((before, "before it"), (after, "after it"))
        if instant is not None
    )
    return (
        "the schedule is due at no instant of this span"
        f"{f'; the nearest are {nearest}' if nearest else ''}"
    )
