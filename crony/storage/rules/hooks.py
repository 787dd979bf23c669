"""Which hooks follow an attempt, and when."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from crony.clock import cut
from crony.model.hook import FollowUp, HookKind
from crony.model.run import Run
from crony.model.state import FAILURES, AttemptState, RunState


def follow_up(
    hooks: Collection[HookKind], attempt: AttemptState, state: RunState
) -> HookKind | None:
    """Return the hook that is owed when an attempt has ended so.

    ``state`` is the run's after it.
    """
    kind = None
    if state is RunState.SUCCEEDED:
        kind = HookKind.SUCCESS
    elif attempt in FAILURES or (
        attempt is AttemptState.LOST and state is RunState.FAILED
    ):
        kind = HookKind.ERROR
    return kind if kind in hooks else None


def owed(run: Run, kind: HookKind, *, number: int, now: datetime) -> FollowUp:
    """Return a hook that is to follow the newest attempt of a run."""
    return FollowUp(
        tenant=run.tenant,
        schedule=run.schedule,
        run=run.id,
        attempt=run.attempt,
        kind=kind,
        number=number,
        at=cut(now),
    )


def first_pulse(before: RunState, run: Run) -> datetime | None:
    """Return when its progress hook is due first, if the run has begun to run."""
    begins = before is not RunState.RUNNING and run.state is RunState.RUNNING
    wanted = HookKind.PROGRESS in run.hooks and run.hook_interval
    if not begins or not wanted or run.started_at is None:
        return None
    return next_pulse(run.started_at, wanted, now=run.started_at)


def next_pulse(started_at: datetime, interval: timedelta, *, now: datetime) -> datetime:
    """Return when a progress hook is due next, after ``now``."""
    # What is kept is cut to the millisecond: what comes earlier than that is now.
    gone = cut(now) + timedelta(milliseconds=1) - started_at
    return cut(started_at + max(1, -(-gone // interval)) * interval)
