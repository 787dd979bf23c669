"""Which hooks follow an attempt, and when."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from crony.clock import cut
from crony.model.hook import HookKind
from crony.model.state import AttemptState, RunState


def follow_up(
    hooks: Collection[HookKind], attempt: AttemptState, state: RunState
) -> HookKind | None:
    """Return the hook that is owed when an attempt has ended so.

    ``state`` is the run's after it.
    """
    kind = None
    if state is RunState.SUCCEEDED:
        kind = HookKind.SUCCESS
    elif attempt in (AttemptState.FAILED, AttemptState.TIMED_OUT) or (
        attempt is AttemptState.LOST and state is RunState.FAILED
    ):
        kind = HookKind.ERROR
    return kind if kind in hooks else None


def next_pulse(started_at: datetime, interval: timedelta, *, now: datetime) -> datetime:
    """Return when a progress hook is due next, after ``now``."""
    # What is kept is cut to the millisecond: what comes earlier than that is now.
    gone = cut(now) + timedelta(milliseconds=1) - started_at
    return cut(started_at + max(1, -(-gone // interval)) * interval)
