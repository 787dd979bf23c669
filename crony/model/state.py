"""The states of schedules, runs and attempts, and which may follow which.

The drawing in the documentation is made from ``TRANSITIONS``.
"""

from __future__ import annotations

from enum import StrEnum


class ScheduleState(StrEnum):
    """``finished``: the trigger will never be due again."""

    ACTIVE = "active"
    PAUSED = "paused"
    FINISHED = "finished"


class RunState(StrEnum):
    """What is true of a run now; a terminal state never changes."""

    PENDING = "pending"
    LEASED = "leased"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    MISSED = "missed"
    SKIPPED = "skipped"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class AttemptState(StrEnum):
    """How one try of a run stands or ended."""

    LEASED = "leased"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"
    PREEMPTED = "preempted"


class Reason(StrEnum):
    """Why a run or an attempt is in its state, where the state does not say."""

    EXIT = "exit"
    SIGNAL = "signal"
    OOM = "oom"
    START_FAILED = "start_failed"
    LOST = "lost"
    MAX_RUNTIME = "max_runtime"
    DEADLINE = "deadline"
    OVERLAP = "overlap"
    REPLACED = "replaced"
    DELETED = "deleted"
    USER = "user"
    PREEMPTED = "preempted"
    MISFIRE = "misfire"
    PAUSED = "paused"


class Origin(StrEnum):
    """What made a run."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    BACKFILL = "backfill"
    RETRY = "retry"
    HOOK = "hook"


#: An attempt that ended so counts against ``retries``.
FAILURES = frozenset({AttemptState.FAILED, AttemptState.TIMED_OUT})

_S = RunState

#: From each state, the states that may follow.
TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    _S.PENDING: frozenset(
        {_S.LEASED, _S.CANCELLED, _S.SKIPPED, _S.EXPIRED, _S.WITHDRAWN}
    ),
    # A report of a start that failed may come before the confirm.
    _S.LEASED: frozenset(
        {_S.RUNNING, _S.PENDING, _S.CANCELLED, _S.WITHDRAWN, _S.FAILED, _S.EXPIRED}
    ),
    # Back to pending: an attempt failed, timed out, was lost or preempted, and
    # the run has attempts left.
    _S.RUNNING: frozenset(
        {
            _S.STOPPING,
            _S.PENDING,
            _S.SUCCEEDED,
            _S.FAILED,
            _S.TIMED_OUT,
            _S.CANCELLED,
        }
    ),
    _S.STOPPING: frozenset(
        {_S.PENDING, _S.SUCCEEDED, _S.FAILED, _S.TIMED_OUT, _S.CANCELLED}
    ),
    # Due again: as a run, or as the first of a stretch that is recorded as one.
    _S.WITHDRAWN: frozenset({_S.PENDING, _S.MISSED, _S.SKIPPED}),
    _S.SUCCEEDED: frozenset(),
    _S.FAILED: frozenset(),
    _S.TIMED_OUT: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.MISSED: frozenset(),
    _S.SKIPPED: frozenset(),
    _S.EXPIRED: frozenset(),
}

#: A run in one of these has ended.
TERMINAL = frozenset(state for state, after in TRANSITIONS.items() if not after)

#: A run in one of these may be taken back: no worker has begun with it.
UNCONFIRMED = frozenset({_S.PENDING, _S.LEASED})

#: A run in one of these is in a worker's hands and carries a live token.
HELD = frozenset({_S.LEASED, _S.RUNNING, _S.STOPPING})

#: A run in one of these has been confirmed and may be executing.
EXECUTING = frozenset({_S.RUNNING, _S.STOPPING})
