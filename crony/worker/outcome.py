"""How an attempt ended, and how the service is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from crony import wire
from crony.model.state import AttemptState, Reason
from crony.model.task import Json

#: Bytes of UTF-8 of an error's text.
_ERROR_BOUND = 4096


class StopCause(Enum):
    """Why a worker ended a task, or gave up one that had not started."""

    CANCELLED = "cancelled"
    REPLACED = "replaced"
    DELETED = "deleted"
    PREEMPTED = "preempted"
    MAX_RUNTIME = "max_runtime"
    DEADLINE = "deadline"
    #: The lease is over or another's: nothing about the attempt counts any more.
    LOST = "lost"
    #: Its lease could not be renewed in time.
    LEASE_END = "lease_end"
    #: The worker stops at once.
    SHUTDOWN = "shutdown"

    @property
    def silent(self) -> bool:
        """Whether the attempt is left to the service, which counts it as lost."""
        return self in (StopCause.LOST, StopCause.LEASE_END, StopCause.SHUTDOWN)

    @property
    def weight(self) -> int:
        """How much it says of what becomes of the run: the heaviest is reported."""
        if self is StopCause.PREEMPTED:
            return 0
        return 2 if self.silent else 1

    @property
    def graceful(self) -> bool:
        """Whether the task has its grace period."""
        return self not in (StopCause.LOST, StopCause.SHUTDOWN)


_STOPPED: dict[StopCause, tuple[AttemptState, Reason | None]] = {
    StopCause.CANCELLED: (AttemptState.CANCELLED, Reason.USER),
    StopCause.REPLACED: (AttemptState.CANCELLED, Reason.REPLACED),
    StopCause.DELETED: (AttemptState.CANCELLED, Reason.DELETED),
    StopCause.PREEMPTED: (AttemptState.PREEMPTED, Reason.PREEMPTED),
    StopCause.MAX_RUNTIME: (AttemptState.TIMED_OUT, Reason.MAX_RUNTIME),
    StopCause.DEADLINE: (AttemptState.TIMED_OUT, Reason.DEADLINE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What a task's own end looked like.

    ``error`` is set where the task failed without an exit code or a signal.
    """

    exit_code: int | None = None
    signal: str | None = None
    oom: bool = False
    cpu: timedelta | None = None
    memory_peak: int | None = None
    error: str | None = None
    result: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of an attempt, ready to be reported."""

    state: AttemptState
    reason: Reason | None
    error: str | None
    ending: Ending
    lateness: timedelta | None = None
    duration: timedelta | None = None


def not_started(error: str) -> Outcome:
    """Return the outcome of a task that could not be started."""
    return Outcome(
        state=AttemptState.FAILED,
        reason=Reason.START_FAILED,
        error=_bounded(error),
        ending=Ending(),
    )


def judge(
    ending: Ending,
    cause: StopCause | None,
    *,
    memory: int,
    max_runtime: timedelta,
    lateness: timedelta | None,
    duration: timedelta | None,
) -> Outcome:
    """Return what became of an attempt, given why it was stopped, if it was."""
    if cause is not None:
        state, reason = _STOPPED[cause]
        error = _text_of_stop(cause, max_runtime, started=duration is not None)
    else:
        state, reason, error = _by_itself(ending, memory)
    return Outcome(
        state=state,
        reason=reason,
        error=None if error is None else _bounded(error),
        ending=ending,
        lateness=lateness,
        duration=duration,
    )


def _text_of_stop(
    cause: StopCause, max_runtime: timedelta, *, started: bool
) -> str | None:
    if cause is StopCause.MAX_RUNTIME:
        return f"stopped after its max_runtime of {wire.format_duration(max_runtime)}"
    if cause is StopCause.DEADLINE:
        return "stopped at its deadline" if started else "not started by its deadline"
    return None


def _by_itself(
    ending: Ending, memory: int
) -> tuple[AttemptState, Reason | None, str | None]:
    if ending.oom:
        allowed = wire.format_size(memory)
        return AttemptState.FAILED, Reason.OOM, f"out of its memory of {allowed}"
    if ending.signal is not None:
        return AttemptState.FAILED, Reason.SIGNAL, f"killed by {ending.signal}"
    if ending.error is not None:
        return AttemptState.FAILED, Reason.EXIT, ending.error
    if ending.exit_code:
        return AttemptState.FAILED, Reason.EXIT, f"exit code {ending.exit_code}"
    return AttemptState.SUCCEEDED, None, None


def _bounded(text: str) -> str:
    clean = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace")
    return clean[:_ERROR_BOUND].decode("utf-8", "ignore")
