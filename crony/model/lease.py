"""Leases, and what is asked and answered about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from crony.model.run import Run
from crony.model.schedule import Definition
from crony.model.state import AttemptState, Reason, RunState
from crony.model.task import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Holding:
    """A lease that a worker says it holds."""

    run: str
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A run that a worker may execute, until confirmed only an offer.

    ``start_at`` is the instant to start at; ``expires_at`` is one lease time
    after it. ``definition`` is the one of the run's revision.
    """

    run: Run
    definition: Definition
    token: int
    attempt: int
    start_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Renewed:
    """A lease that goes on until ``expires_at``."""

    run: str
    token: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Revoked:
    """A lease the worker must give up: stop the task, if it started, and report.

    ``reason`` is one of cancelled, lost, preempted, replaced, deleted.
    """

    run: str
    token: int
    reason: str


class Standing(StrEnum):
    """What a write that carries a token met."""

    #: It counted.
    ACCEPTED = "accepted"
    #: The same was accepted before: answer as then.
    REPEATED = "repeated"
    #: The token is old, or the run was taken back.
    STALE = "stale"
    #: The run has ended otherwise.
    OVER = "over"
    #: No such run among those this worker was ever given.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """The answer to one confirm; ``start_at`` and ``expires_at`` when it counted."""

    run: str
    token: int
    standing: Standing
    state: RunState | None = None
    start_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """The end of an attempt, as a worker reports it.

    ``finished_at`` is in the store's time (the worker says how long ago).
    ``retry_at`` is when the policy would try again, ``None`` when no retry is
    left; it is drawn before the write, and does not count for a run that is
    being stopped.
    """

    run: str
    token: int
    state: AttemptState
    reason: Reason | None
    exit_code: int | None
    signal: str | None
    error: str | None
    result: Json
    lateness: timedelta | None
    duration: timedelta | None
    finished_at: datetime
    sandbox_level: str | None
    limits: JsonObject | None
    usage: JsonObject | None
    retry_at: datetime | None
    #: What a hook printed, for its schedule's ``errors`` or ``progress``.
    says: str | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """The answer to one closing; ``state`` is the run's state after it."""

    run: str
    token: int
    standing: Standing
    state: RunState | None


@dataclass(frozen=True, slots=True)
class Loss:
    """An attempt whose lease ended, and the run's state after it."""

    run: str
    schedule: str
    tenant: str
    worker: str
    token: int
    state: RunState


@dataclass(frozen=True, slots=True)
class Change:
    """A run that time, a limit or another run has moved.

    ``worker`` is the one that has it or had it in its hands, to be told.
    """

    run: str
    schedule: str
    tenant: str
    worker: str | None
    state: RunState
    reason: Reason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A limit that holds for a run: of its schedule, group or tenant.

    ``held`` counts the runs in workers' hands that count towards it; ``runs`` names
    some of them.
    """

    #: schedule | group | tenant
    kind: str
    name: str
    limit: int | None
    held: int
    runs: tuple[str, ...]


#: Lines in which runs may have become leasable: (tenant, queue).
Ready = frozenset[tuple[str, str]]
