"""What a worker's write about a run meets."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from crony.model.lease import Closing, Standing
from crony.model.state import (
    EXECUTING,
    HELD,
    TERMINAL,
    AttemptState,
    Reason,
    RunState,
)

#: One is kept for the other, see ``ended_as``: the repeat brings what was reported.
STOPPED = frozenset({AttemptState.CANCELLED, AttemptState.PREEMPTED})


def standing(
    token: int, *, current: int, state: RunState, counts: Collection[RunState]
) -> Standing:
    """Return what a write under ``token`` meets that its worker was once given.

    ``current`` is the run's token, ``counts`` the states in which it counts.
    """
    if token != current:
        return Standing.STALE
    if state in counts:
        return Standing.ACCEPTED
    if state in TERMINAL or state is RunState.STOPPING:
        return Standing.OVER
    return Standing.STALE


def running_standing(
    token: int, *, current: int, state: RunState, was: AttemptState | None
) -> Standing:
    """Return what a write about a running attempt meets; ``was``: its own state."""
    if was is AttemptState.LOST:
        return Standing.STALE
    return standing(token, current=current, state=state, counts=EXECUTING)


def confirm_standing(
    token: int,
    *,
    current: int,
    state: RunState,
    deadline_at: datetime | None,
    now: datetime,
) -> Standing:
    """Return what a confirm of a run meets that its worker was once offered."""
    if state is RunState.RUNNING and token == current:
        return Standing.REPEATED
    met = standing(token, current=current, state=state, counts={RunState.LEASED})
    late = deadline_at is not None and deadline_at <= now
    return Standing.OVER if late and met is Standing.ACCEPTED else met


def report_standing(
    closing: Closing, *, current: int, state: RunState, was: AttemptState | None
) -> Standing:
    """Return what a report meets; ``was``: the state of the attempt that it names."""
    before = None if was is None else closed_before(was, closing)
    return before or standing(
        closing.token, current=current, state=state, counts=report_counts(closing)
    )


def report_counts(closing: Closing) -> Collection[RunState]:
    """Return the states of a run in which this closing counts.

    An offer never started, so that all it can report is that it could not.
    """
    return HELD if closing.state is AttemptState.FAILED else EXECUTING


def closed_before(was: AttemptState, closing: Closing) -> Standing | None:
    """Return the standing of a closing whose attempt has ended already.

    ``None`` leaves it to the run's own state.
    """
    if was is AttemptState.LOST:
        return Standing.STALE
    same = was is closing.state or {was, closing.state} == STOPPED
    return Standing.REPEATED if same else None


def cause(state: RunState, reason: Reason | None, *, newest: bool) -> str:
    """Return why a lease must be given up; ``newest``: its token is the run's."""
    if state is RunState.STOPPING or (state is RunState.CANCELLED and newest):
        if reason is Reason.USER:
            return "cancelled"
        if state is RunState.STOPPING and reason is not None:
            return reason.value
        if reason is Reason.DELETED:
            return reason.value
    return Reason.LOST.value
