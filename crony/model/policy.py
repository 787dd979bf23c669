"""Run-time policy: what a schedule sets, what holds, and what follows from it.

``PolicySettings`` is what one level sets (``None``: inherited); ``Policy`` is what
holds after all levels were looked at. The functions are pure: instants, settings
and randomness come in as arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import TypeVar

from crony.model.state import FAILURES, AttemptState, Reason, RunState

#: The levels that set a policy, from the weakest to the strongest.
BUILT_IN, TENANT, GROUP, PROFILE, SCHEDULE = (
    "built-in",
    "tenant",
    "group",
    "profile",
    "schedule",
)

#: An offer that was not confirmed this long after its instant is pending again.
CONFIRM_GRACE = timedelta(seconds=5)

#: A worker confirms no earlier than this before the instant: an offer that is
#: farther from its own may still give way to a run that is due now.
CONFIRM_AHEAD = timedelta(milliseconds=250)

#: Occurrences that came due longer ago than this are recorded as missed, where the
#: policy sets no other window.
MISFIRE_WINDOW = timedelta(hours=24)

#: Without a tick for this long, what came due meanwhile is a misfire.
MISFIRE_AFTER = timedelta(seconds=10)

#: A run that is due waits this long for an idle worker before one is preempted.
PREEMPT_AFTER = timedelta(milliseconds=500)

#: Who waits has a turn, so that nothing of one priority waits for ever: its deadline,
#: at the latest so long after it was due,
TURN = timedelta(hours=1)
#: or, of what catches up, so long after it was made.
CATCH_UP_TURN = timedelta(hours=24)

#: The limit of a schedule whose runs start beside each other (``allow``).
NO_LIMIT = 2**31 - 1

#: Values of ``on_overlap``, ``misfire`` and ``delivery``.
QUEUE, SKIP, REPLACE, ALLOW = "queue", "skip", "replace", "allow"
ALL, LATEST, NONE = "all", "latest", "none"
AT_LEAST_ONCE, AT_MOST_ONCE = "at_least_once", "at_most_once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often, and after what wait, a failed or timed-out attempt is repeated."""

    max: int = 0
    backoff: timedelta = timedelta(seconds=10)
    factor: float = 2.0
    max_backoff: timedelta = timedelta(hours=1)
    randomize: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriesSettings:
    """The members of ``retries`` that one level sets."""

    max: int | None = None
    backoff: timedelta | None = None
    factor: float | None = None
    max_backoff: timedelta | None = None
    randomize: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """What a task may use; ``level`` is the least that the schedule accepts.

    ``memory`` and ``disk`` are bytes, ``cpu`` is cores; ``pass_env`` names
    variables of the worker's environment.
    """

    level: str = "namespaces"
    network: str = "none"
    memory: int = 512 << 20
    cpu: float = 1.0
    pids: int = 256
    disk: int = 256 << 20
    ro_paths: tuple[str, ...] = ()
    rw_paths: tuple[str, ...] = ()
    pass_env: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """The members of ``sandbox`` that one level sets."""

    level: str | None = None
    network: str | None = None
    memory: int | None = None
    cpu: float | None = None
    pids: int | None = None
    disk: int | None = None
    ro_paths: tuple[str, ...] | None = None
    rw_paths: tuple[str, ...] | None = None
    pass_env: tuple[str, ...] | None = None


#: Of an attempt's output so many of the first bytes are kept, if not fewer are in all.
LOG_HEAD = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What is kept: the newest runs, while they are not too old; bytes of log.

    ``log`` is kept of each attempt.
    """

    runs: int = 1000
    age: timedelta = timedelta(days=90)
    log: int = 1 << 20

    @property
    def log_head(self) -> int:
        """How much of an attempt's output is its beginning: the rest is the newest."""
        return min(LOG_HEAD, self.log // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    """The members of ``retention`` that one level sets."""

    runs: int | None = None
    age: timedelta | None = None
    log: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """The policy fields that one level sets."""

    max_runtime: timedelta | None = None
    grace: timedelta | None = None
    max_concurrent: int | None = None
    on_overlap: str | None = None
    misfire: str | None = None
    misfire_window: timedelta | None = None
    retries: RetriesSettings | None = None
    max_lost: int | None = None
    priority: int | None = None
    deadline: timedelta | None = None
    preemptible: bool | None = None
    delivery: str | None = None
    sandbox: SandboxSettings | None = None
    retention: RetentionSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The policy that holds; the defaults are the built-in ones."""

    max_runtime: timedelta = timedelta(hours=1)
    grace: timedelta = timedelta(seconds=10)
    max_concurrent: int = 1
    on_overlap: str = QUEUE
    misfire: str = ALL
    misfire_window: timedelta = MISFIRE_WINDOW
    retries: Retries = field(default_factory=Retries)
    max_lost: int = 5
    priority: int = 0
    #: After the due instant; ``None`` is none.
    deadline: timedelta | None = None
    preemptible: bool = False
    delivery: str = AT_LEAST_ONCE
    sandbox: Sandbox = field(default_factory=Sandbox)
    retention: Retention = field(default_factory=Retention)

    @property
    def limit(self) -> int:
        """How many runs of the schedule may be in workers' hands at once."""
        return NO_LIMIT if self.on_overlap == ALLOW else self.max_concurrent


def length(policy: Policy | PolicySettings) -> int:
    """Return how many characters a policy has in its lists, the one part that grows."""
    sandbox = policy.sandbox
    if sandbox is None:
        return 0
    lists = (sandbox.ro_paths, sandbox.rw_paths, sandbox.pass_env)
    return sum(len(item) for each in lists for item in each or ())


_Whole = TypeVar("_Whole", Retries, Sandbox, Retention)

_Part = RetriesSettings | SandboxSettings | RetentionSettings


def _laid_over(whole: _Whole, part: _Part) -> _Whole:
    """Return ``whole`` with the members that ``part`` sets."""
    given = {f.name: getattr(part, f.name) for f in fields(part)}
    return replace(whole, **{k: v for k, v in given.items() if v is not None})


def resolve(*levels: tuple[str, PolicySettings]) -> tuple[Policy, Mapping[str, str]]:
    """Return the policy that holds, and which level each field came from.

    ``levels`` are (name, settings) from the weakest to the strongest. A member
    of ``retries``, ``sandbox`` or ``retention`` that a stronger level leaves out is
    taken from the weaker ones; the field is then named after the strongest that set
    a part. Delivery at most once wins over what would start a run twice: then there
    are no retries, no preemption, and the first lost attempt is the last.
    """
    policy = Policy()
    source = {f.name: BUILT_IN for f in fields(Policy)}
    for name, settings in levels:
        for f in fields(PolicySettings):
            value = getattr(settings, f.name)
            if value is None:
                continue
            if isinstance(value, _Part):
                value = _laid_over(getattr(policy, f.name), value)
            policy = replace(policy, **{f.name: value})
            source[f.name] = name
    if policy.delivery == AT_MOST_ONCE:
        policy = replace(
            policy,
            retries=replace(policy.retries, max=0),
            preemptible=False,
            max_lost=1,
        )
        for ruled in ("retries", "preemptible", "max_lost"):
            source[ruled] = source["delivery"]
    return policy, source


def backoff(retries: Retries, *, failures: int, fraction: float) -> timedelta:
    """Return the wait before the attempt that follows failure number ``failures``.

    It grows by ``factor`` from ``backoff`` up to ``max_backoff``. ``fraction`` is
    a random number in 0..1; with ``randomize`` the wait is spread evenly over
    50 % to 100 % of itself, so that runs that failed together do not return
    together ("equal jitter": Brooker, Exponential Backoff And Jitter, 2015).
    """
    ratio = retries.max_backoff / max(retries.backoff, timedelta(microseconds=1))
    # Bounding the power first keeps a large factor from overflowing.
    power = 1.0
    for _ in range(failures - 1):
        if power >= ratio or retries.factor == 1:
            break
        power *= retries.factor
    wait = min(retries.backoff * min(power, max(ratio, 0.0)), retries.max_backoff)
    return wait * (0.5 + 0.5 * fraction) if retries.randomize else wait


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a run when an attempt has ended.

    ``retry_at`` is when it may start again, for ``pending`` only.
    """

    state: RunState
    reason: Reason | None
    retry_at: datetime | None = None


#: The run's end when an attempt ended so and there is no other try.
_ENDS = {
    AttemptState.SUCCEEDED: RunState.SUCCEEDED,
    AttemptState.FAILED: RunState.FAILED,
    AttemptState.TIMED_OUT: RunState.TIMED_OUT,
    AttemptState.CANCELLED: RunState.CANCELLED,
}


def after_report(
    before: RunState,
    attempt: AttemptState,
    reason: Reason | None,
    *,
    retry_at: datetime | None,
    now: datetime,
) -> Verdict:
    """Return what follows when a worker reports the end of an attempt.

    ``before`` is the run's state at the report; ``retry_at`` is when the policy
    would try again, or ``None`` when no retry is left. A run that is being
    stopped is never tried again.
    """
    if attempt is AttemptState.PREEMPTED:
        return Verdict(RunState.PENDING, Reason.PREEMPTED, now)
    again = attempt in FAILURES
    if again and retry_at is not None and before is not RunState.STOPPING:
        return Verdict(RunState.PENDING, reason, retry_at)
    return Verdict(_ENDS[attempt], reason)


def after_loss(
    before: RunState, reason: Reason | None, *, lost: int, max_lost: int, now: datetime
) -> Verdict:
    """Return what follows when a worker vanished with an attempt.

    ``lost`` counts the run's lost attempts, this one included. A run that was
    being stopped has stopped, save one that was to go on elsewhere.
    """
    if before is RunState.STOPPING and reason is not Reason.PREEMPTED:
        return Verdict(RunState.CANCELLED, reason)
    if lost >= max_lost:
        return Verdict(RunState.FAILED, Reason.LOST)
    return Verdict(RunState.PENDING, Reason.LOST, now)
