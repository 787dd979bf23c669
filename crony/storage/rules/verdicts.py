"""What becomes of a run whose attempt has ended."""

from __future__ import annotations

from datetime import datetime

from crony.model import policy
from crony.model.lease import Closing
from crony.model.state import AttemptState, Reason, RunState
from crony.storage.rules.standings import STOPPED


def ended_as(
    before: RunState, cause: Reason | None, reported: AttemptState
) -> AttemptState:
    """Return what an attempt counts as that ended as was reported.

    Whether a run that was stopped goes on elsewhere is for who stopped it to say.
    ``before`` and ``cause`` are the run's state and reason at the report.
    """
    if before is RunState.STOPPING and reported in STOPPED:
        preempted = cause is Reason.PREEMPTED
        return AttemptState.PREEMPTED if preempted else AttemptState.CANCELLED
    return reported


def stops_for_good(state: RunState, reason: Reason | None) -> bool:
    """Return whether a run is being stopped, and will not go on elsewhere."""
    return state is RunState.STOPPING and reason is not Reason.PREEMPTED


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
