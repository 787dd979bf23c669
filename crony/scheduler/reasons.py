"""Why an occurrence did, or did not, lead to a task that runs: codes and answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Code(StrEnum):
    """What stands, or stood, between an occurrence and its end."""

    #: Nothing is due at that instant.
    NOT_DUE = "not_due"
    UPCOMING = "upcoming"
    #: It has come due, and nothing ticked since.
    DUE = "due"
    PAUSED = "paused"
    #: Its tenant is held, and not activated yet.
    HELD = "held"
    #: Of the schedule's life, start_at, end_at or max_runs.
    OUTSIDE_BOUNDS = "outside_bounds"
    MISFIRE = "misfire"
    OVERLAP = "overlap"
    LIMIT = "limit"
    NO_WORKER = "no_worker"
    #: Workers that may run it are all busy.
    NO_SLOT = "no_slot"
    #: A worker may take it at any moment.
    WAITING = "waiting"
    WAITING_RETRY = "waiting_retry"
    PREEMPTED = "preempted"
    LOST = "lost"
    DEADLINE = "deadline"
    LEASED = "leased"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    DELETED = "deleted"
    #: An edit took it back before it started.
    WITHDRAWN = "withdrawn"
    PRUNED = "pruned"
    #: It was settled, and its record is not there: that must not be.
    UNRECORDED = "unrecorded"
    #: What was due then can't be told any more.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Because:
    """A code, what it means in words, and the runs that it is about, if any."""

    code: Code
    detail: str
    runs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to *why* about an instant.

    ``occurrence`` is the one that the answer is about, ``before`` and ``after`` the
    nearest others; ``run`` is its record.
    """

    at: datetime
    schedule: str
    because: Because
    occurrence: datetime | None
    before: datetime | None
    after: datetime | None
    run: str | None
    revision: int | None
