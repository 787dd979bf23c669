"""What every driver decides alike, as pure functions.

The contract's sentences about tokens, revocations and labels are written once
here; a driver looks the facts up and asks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from crony import errors
from crony.clock import cut
from crony.model import policy, spoken
from crony.model.hook import HookKind
from crony.model.lease import Closing, Standing
from crony.model.run import ErrorEntry, Progress, Run
from crony.model.schedule import Definition
from crony.model.state import (
    EXECUTING,
    HELD,
    TERMINAL,
    AttemptState,
    Origin,
    Reason,
    RunState,
)

#: From the weakest to the strongest.
SANDBOX_LEVELS = ("none", "landlock", "namespaces", "full")

#: How many progress entries of a schedule are kept.
PROGRESS_KEPT = 20

#: An error's text in a schedule's list is cut to so many bytes.
ERROR_TEXT = 4096

#: So many of the runs that take a limit up are named.
SCOPE_RUNS = 10

#: The attempts that a schedule's list of errors shows.
FAULTS = frozenset({AttemptState.FAILED, AttemptState.TIMED_OUT, AttemptState.LOST})

#: When to ask again after a quota was met: people have to act first.
QUOTA_PAUSE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Lane:
    """What a run asks of a worker, the same for many runs."""

    tenant: str
    queue: str
    requires: tuple[tuple[str, str], ...]
    level: int
    #: Runs of a group that is full never hold up those of others. A hook's run,
    #: which no limit holds up, has none.
    group: str = ""


def lane_of(run: Run, definition: Definition) -> Lane:
    """Return the lane of a run that executes this definition."""
    return Lane(
        run.tenant,
        run.queue,
        tuple(sorted(definition.requires.items())),
        rank(run.policy.sandbox.level),
        "" if run.origin is Origin.HOOK else run.group,
    )


def rank(level: str) -> int:
    """Return how strong a sandbox level is; an unknown one counts as none."""
    return SANDBOX_LEVELS.index(level) if level in SANDBOX_LEVELS else 0


def satisfied(
    lane: Lane, *, queues: Collection[str], labels: Mapping[str, str], level: str
) -> bool:
    """Return whether a worker with these may execute what is in the lane."""
    return (
        lane.queue in queues
        and rank(level) >= lane.level
        and carries(labels, lane.requires)
    )


def carries(labels: Mapping[str, str], requires: Collection[tuple[str, str]]) -> bool:
    """Return whether each required label is there with that value."""
    return all(labels.get(name) == value for name, value in requires)


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
    same = was is closing.state or {was, closing.state} == _STOPPED
    return Standing.REPEATED if same else None


#: One is kept for the other, see ``ended_as``: the repeat brings what was reported.
_STOPPED = frozenset({AttemptState.CANCELLED, AttemptState.PREEMPTED})


def ended_as(
    before: RunState, cause: Reason | None, reported: AttemptState
) -> AttemptState:
    """Return what an attempt counts as that ended as was reported.

    Whether a run that was stopped goes on elsewhere is for who stopped it to say.
    ``before`` and ``cause`` are the run's state and reason at the report.
    """
    if before is RunState.STOPPING and reported in _STOPPED:
        preempted = cause is Reason.PREEMPTED
        return AttemptState.PREEMPTED if preempted else AttemptState.CANCELLED
    return reported


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


def closing_verdict(
    before: RunState,
    cause: Reason | None,
    closing: Closing,
    *,
    deleted: bool,
    now: datetime,
    deadline_at: datetime | None = None,
) -> policy.Verdict:
    """Return what follows a report; what was stopped keeps the cause of that.

    ``deleted``: the run's schedule is gone, so that nothing of it starts again.
    """
    ended = ended_as(before, cause, closing.state)
    reason = closing.reason
    if before is RunState.STOPPING and ended is AttemptState.CANCELLED:
        reason = reason or cause
    if before is RunState.STOPPING and cause is Reason.PREEMPTED:
        # It was to go on: what became of it meanwhile counts as without that.
        before = RunState.RUNNING
    retry_at = None if deleted else closing.retry_at
    if retry_at is not None and deadline_at is not None and retry_at >= deadline_at:
        retry_at = None
    verdict = policy.after_report(before, ended, reason, retry_at=retry_at, now=now)
    return _final(verdict) if deleted else verdict


def loss_verdict(
    before: RunState,
    cause: Reason | None,
    *,
    lost: int,
    max_lost: int,
    deleted: bool,
    now: datetime,
) -> policy.Verdict:
    """Return what follows when a worker vanished with an attempt."""
    verdict = policy.after_loss(before, cause, lost=lost, max_lost=max_lost, now=now)
    return _final(verdict) if deleted else verdict


def _final(verdict: policy.Verdict) -> policy.Verdict:
    """Return what a run ends as that would be pending again."""
    if verdict.state is RunState.PENDING:
        return policy.Verdict(RunState.CANCELLED, Reason.DELETED)
    return verdict


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


def turn(run: Run) -> datetime:
    """Return the instant by which a run comes before all that is due from then on.

    It is the deadline of the earliest-deadline-first order (Liu and Layland, 1973);
    who has none gets one, for else those who have could keep it waiting for ever.
    """
    if run.catch_up:
        return run.created_at + policy.CATCH_UP_TURN
    latest = run.due_at + policy.TURN
    return latest if run.deadline_at is None else min(run.deadline_at, latest)


def catch_up_share(slots: int) -> int:
    """Return how many runs that catch up a worker may have in its hands."""
    return max(1, slots // 2)


def error_entry(
    run: str,
    attempt: int,
    *,
    state: AttemptState,
    reason: Reason | None,
    at: datetime,
    error: str | None,
) -> ErrorEntry:
    """Return the line for a schedule's errors."""
    by_worker = state is AttemptState.LOST or reason is Reason.START_FAILED
    text, truncated = _bounded(error or "")
    return ErrorEntry(
        run=run,
        attempt=attempt,
        source="worker" if by_worker else "task",
        at=at,
        reason=reason,
        text=text,
        truncated=truncated,
    )


def hook_error(
    parent: str,
    attempt: int,
    *,
    kind: HookKind,
    state: AttemptState,
    reason: Reason | None,
    at: datetime,
    error: str | None,
    says: str | None,
) -> ErrorEntry | None:
    """Return the line for a schedule's errors of a hook's attempt, if there is one.

    ``parent`` and ``attempt`` are what the hook followed.
    """
    said = says if kind is HookKind.ERROR else None
    if state not in FAULTS and not said:
        return None
    text, truncated = _bounded(said or error or "")
    return ErrorEntry(
        run=parent,
        attempt=attempt,
        source="hook",
        at=at,
        reason=reason,
        text=text,
        truncated=truncated,
    )


def hook_progress(
    parent: str, attempt: int, *, kind: HookKind, at: datetime, says: str | None
) -> Progress | None:
    """Return the progress entry that a hook's words are, if they are one."""
    if kind is HookKind.ERROR or not says:
        return None
    said = spoken.of_text(says)
    message, _ = _bounded(said.message)
    return Progress(
        run=parent,
        attempt=attempt,
        source="hook",
        at=at,
        percent=said.percent,
        message=message,
    )


def _bounded(text: str) -> tuple[str, bool]:
    """Return the text, cut if it is too long, and whether it was."""
    raw = text.encode()
    return raw[:ERROR_TEXT].decode(errors="ignore"), len(raw) > ERROR_TEXT


def check_session(
    session: str, sequence: int, *, stored: str | None, newest: int
) -> None:
    """Refuse a request that a newer poll of the same worker has replaced."""
    if session != stored or sequence != newest:
        raise errors.StaleToken("a newer request of this worker has come since")


#: A session that says which start of its worker it is, in numbers that grow.
_STARTED = re.compile(r"ses_(\d{1,18})_.*", re.ASCII)


def began_before(session: str, stored: str | None) -> bool:
    """Return whether a session is known to be older than the stored one.

    The first request of a process that has died may come after that of its successor,
    whose runs it would have taken for lost. Sessions ``ses_<number>_…`` are in the
    order of their numbers; of others nothing is known.
    """
    one, other = _STARTED.fullmatch(session), _STARTED.fullmatch(stored or "")
    return one is not None and other is not None and int(one[1]) < int(other[1])


@dataclass(frozen=True, slots=True)
class Kept:
    """A piece of output to be kept; ``head`` pieces are never dropped."""

    stream: str
    offset: int
    data: bytes
    head: bool


def pieces(
    stream: str, offset: int, data: bytes, *, position: int, room: int, bound: int
) -> Sequence[Kept]:
    """Return what of an arriving chunk is to be kept.

    ``position`` is up to where the stream is known, ``room`` how much of the head
    is free, ``bound`` how large the part after the head may be.
    """
    data = data[max(0, position - offset) :]
    offset = max(offset, position)
    kept = []
    if room and data:
        kept.append(Kept(stream, offset, data[:room], head=True))
        offset, data = offset + len(data[:room]), data[room:]
    elif not data:
        kept.append(Kept(stream, offset, b"", head=False))
    if data:
        cut = max(0, len(data) - bound)
        kept.append(Kept(stream, offset + cut, data[cut:], head=False))
    return kept
