"""A schedule as people see it: its definition, what holds, and what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from crony import errors
from crony.model.policy import Policy
from crony.model.run import ErrorEntry, Progress, Run
from crony.model.schedule import Schedule
from crony.model.state import Origin, RunState, ScheduleState
from crony.scheduler import doubts
from crony.scheduler.occurrences import calendar_of
from crony.scheduler.policies import Look, Policies
from crony.storage.contract import Live, Store

_RUNS = 10
_ENTRIES = 20
_NOTHING = Live()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleView:
    """A schedule with its live part.

    ``sources`` says of each policy field which level set it. ``next_run_at`` is
    the next instant it is due at, also where its run was made ahead already; it is
    ``None`` unless it will run by itself. For the same reason ``state`` is not
    ``finished`` before the last instant has come.
    """

    schedule: Schedule
    state: ScheduleState
    policy: Policy
    sources: Mapping[str, str]
    description: str
    next_run_at: datetime | None
    last_run: Run | None
    recent_runs: Sequence[Run]
    errors: Sequence[ErrorEntry]
    progress: Sequence[Progress]
    warnings: Sequence[doubts.Warning]


class Views:
    """Looks up the live part of many schedules at once."""

    def __init__(self, store: Store, *, policies: Policies) -> None:
        self._store = store
        self._policies = policies

    def of(
        self, schedules: Sequence[Schedule], *, now: datetime, look: Look | None = None
    ) -> list[ScheduleView]:
        """Return a view of each schedule of a tenant, in order.

        ``look`` is that of the call, where it has had one.
        """
        known = [schedule.id for schedule in schedules]
        if not known:
            return []
        tenant = schedules[0].tenant
        lives = self._store.runs.live(tenant, known, runs=_RUNS, entries=_ENTRIES)
        holds = (look or self._policies.look()).many(schedules)
        served = doubts.served(self._store, schedules)
        views: list[ScheduleView] = []
        for schedule in schedules:
            held = holds[schedule.id]
            live = lives.get(schedule.id, _NOTHING)
            recent = live.runs
            next_run_at = _next(schedule, recent, now)
            views.append(
                ScheduleView(
                    schedule=schedule,
                    state=_state(schedule, next_run_at),
                    policy=held.policy,
                    sources=held.sources,
                    description=_description(schedule),
                    next_run_at=next_run_at,
                    last_run=_last(recent, now),
                    recent_runs=recent,
                    errors=live.errors,
                    progress=live.progress,
                    warnings=doubts.warnings(
                        schedule,
                        held.policy,
                        recent,
                        served=schedule.id in served,
                        held=held.held,
                        now=now,
                    ),
                )
            )
        return views


def _description(schedule: Schedule) -> str:
    try:
        return calendar_of(schedule).describe()
    except errors.InvalidTrigger as exc:
        # A zone may have gone with a release of tzdata.
        return f"never: {exc.detail}"


def _next(schedule: Schedule, recent: Sequence[Run], now: datetime) -> datetime | None:
    """Return when a schedule is due next; its cursor is past what was made ahead.

    So many runs may have been made ahead that they are not all recent; then the
    trigger itself knows.
    """
    if schedule.state is ScheduleState.PAUSED:
        return None
    ahead = [
        run.scheduled_for
        for run in recent
        if run.origin is Origin.SCHEDULE
        and run.state in (RunState.PENDING, RunState.LEASED)
        and run.scheduled_for > now
    ]
    if len(ahead) == _RUNS:
        # There may be more, and nearer ones.
        with suppress(errors.InvalidTrigger):
            ahead.append(calendar_of(schedule).first(now) or ahead[-1])
    if schedule.cursor is not None:
        ahead.append(schedule.cursor)
    return min(ahead, default=None)


def _state(schedule: Schedule, next_run_at: datetime | None) -> ScheduleState:
    if schedule.state is ScheduleState.FINISHED and next_run_at is not None:
        return ScheduleState.ACTIVE
    return schedule.state


def _last(recent: Sequence[Run], now: datetime) -> Run | None:
    """Return the newest run that is not just materialised ahead."""
    for run in recent:
        if run.scheduled_for <= now or run.started_at is not None or run.over:
            return run
    return None
