"""A run: the execution of one occurrence, with its attempts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crony.model.group import DEFAULT_GROUP
from crony.model.hook import HookKind
from crony.model.policy import Policy
from crony.model.state import (
    TERMINAL,
    AttemptState,
    Origin,
    Reason,
    RunState,
)
from crony.model.task import Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a task says of how far it is; ``percent`` is 0..100."""

    run: str
    attempt: int
    source: str
    at: datetime
    percent: float | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorEntry:
    """One line of a schedule's ``errors``."""

    run: str
    attempt: int
    #: task | hook | worker
    source: str
    at: datetime
    reason: Reason | None
    text: str
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a run on one worker."""

    #: Counts from 1 per run. An offer that was never confirmed leaves no attempt:
    #: its number is used again, under a new token.
    number: int
    token: int
    state: AttemptState
    reason: Reason | None = None
    worker: str
    worker_name: str
    leased_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    #: How long after ``due_at`` the task began, as the worker measured it.
    lateness: timedelta | None = None
    duration: timedelta | None = None
    exit_code: int | None = None
    signal: str | None = None
    error: str | None = None
    sandbox_level: str | None = None
    #: What applied, and what was used, as the worker reported them.
    limits: JsonObject | None = None
    usage: JsonObject | None = None
    #: Bytes of output written, and of those the bytes kept.
    log_bytes: int = 0
    log_kept: int = 0

    @property
    def counted(self) -> bool:
        """Whether it counts against ``retries``."""
        return self.state not in (AttemptState.LOST, AttemptState.PREEMPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as the store keeps it."""

    id: str
    tenant: str
    schedule: str
    schedule_name: str | None
    #: The revision of the schedule's definition that it executes.
    revision: int
    origin: Origin
    #: What a retry repeats, or a hook belongs to.
    parent: str | None = None
    #: The schedule's group when the run was made.
    group: str = DEFAULT_GROUP
    #: The policy that held when the run was made, and holds for all of its attempts.
    policy: Policy = field(default_factory=Policy)
    scheduled_for: datetime
    #: ``scheduled_for`` plus jitter: lateness counts from here.
    due_at: datetime
    #: Not to be started before: ``due_at``, or the end of a back-off.
    available_at: datetime
    #: Came due while nothing ticked; what is due now goes first.
    catch_up: bool = False
    #: Not started by then: expired; running by then: stopped.
    deadline_at: datetime | None = None
    #: ``skip`` or ``replace`` until that was decided at ``due_at``; else ``None``.
    overlap: str | None = None
    #: The hooks of its definition; ``hook_interval`` is that of the progress hook.
    hooks: frozenset[HookKind] = frozenset()
    hook_interval: timedelta | None = None
    #: Of a hook's run: which one it is, and the attempt of ``parent`` it follows.
    hook: HookKind | None = None
    hook_attempt: int | None = None
    #: One record for a stretch of occurrences from ``scheduled_for`` to here,
    #: both inclusive; ``None`` for a run of one occurrence.
    range_until: datetime | None = None
    range_count: int = 1
    state: RunState = RunState.PENDING
    reason: Reason | None = None
    queue: str
    priority: int
    #: Lost attempts after which the run has failed.
    max_lost: int
    #: Changes to the task that a manual trigger carried.
    overrides: JsonObject | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    lateness: timedelta | None = None
    duration: timedelta | None = None
    #: The newest attempt's number; 0 before the first lease.
    attempt: int = 0
    #: Grows with each lease and never falls, withdrawal included.
    token: int = 0
    #: Attempts that ended failed or timed out, and those lost with their worker.
    failures: int = 0
    lost: int = 0
    exit_code: int | None = None
    signal: str | None = None
    error: str | None = None
    progress: Progress | None = None
    result: Json = None
    #: Oldest first; left empty in summaries.
    attempts: tuple[Attempt, ...] = ()

    @property
    def over(self) -> bool:
        """Whether the state is terminal."""
        return self.state in TERMINAL

    @property
    def tokens(self) -> frozenset[int]:
        """Those of its attempts."""
        return frozenset(attempt.token for attempt in self.attempts)

    def attempt_under(self, token: int) -> Attempt | None:
        """Return the attempt with that token."""
        return next((each for each in self.attempts if each.token == token), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChunk:
    """A piece of an attempt's output.

    ``sequence`` orders the chunks of an attempt over both streams, as they came.
    ``offset`` counts bytes within the stream; ``dropped`` is how many bytes of the
    stream before this chunk were not kept by the worker.
    """

    sequence: int = 0
    stream: str
    offset: int
    data: bytes
    dropped: int = 0
