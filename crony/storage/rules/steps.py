"""What a run is after a step in a worker's hands, for drivers that keep it whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from crony.clock import cut
from crony.model.lease import Closing
from crony.model.run import Attempt, Run
from crony.model.state import FAILURES, TERMINAL, AttemptState, Reason, RunState
from crony.model.worker import Worker
from crony.storage.rules.verdicts import (
    closing_verdict,
    ended_as,
    loss_verdict,
)

#: What a run says of its newest attempt's end, before that has come.
_NOTHING_ENDED: dict[str, Any] = {
    "reason": None,
    "lateness": None,
    "duration": None,
    "exit_code": None,
    "signal": None,
    "error": None,
}


def leased(run: Run, worker: Worker, *, now: datetime) -> Run:
    """Return the run with an attempt that is offered to a worker."""
    attempt = Attempt(
        number=run.attempt + 1,
        token=run.token + 1,
        state=AttemptState.LEASED,
        worker=worker.id,
        worker_name=worker.name,
        leased_at=now,
    )
    return replace(
        run,
        state=RunState.LEASED,
        token=attempt.token,
        attempt=attempt.number,
        attempts=(*run.attempts, attempt),
    )


def lease_end(start_at: datetime, *, now: datetime, lease_ttl: timedelta) -> datetime:
    """Return one lease time after the attempt starts, or after now."""
    return cut(max(cut(now), start_at) + lease_ttl)


def without_offer(run: Run) -> Run:
    """Return a run without the attempt that was offered and never confirmed."""
    if run.state is not RunState.LEASED:
        return run
    return replace(run, attempt=run.attempt - 1, attempts=run.attempts[:-1])


def confirmed(run: Run, *, started_at: datetime) -> Run:
    """Return a leased run as its worker executes it."""
    attempt = replace(
        run.attempts[-1], state=AttemptState.RUNNING, started_at=started_at
    )
    return replace(
        run,
        state=RunState.RUNNING,
        started_at=started_at,
        overlap=None,
        attempts=(*run.attempts[:-1], attempt),
        **_NOTHING_ENDED,
    )


def closed(run: Run, item: Closing, *, deleted: bool, now: datetime) -> Run:
    """Return the run whose newest attempt has ended as reported.

    ``deleted``: its schedule is gone.
    """
    verdict = closing_verdict(
        run.state,
        run.reason,
        item,
        deleted=deleted,
        now=now,
        deadline_at=run.deadline_at,
    )
    over = verdict.state in TERMINAL
    state = ended_as(run.state, run.reason, item.state)
    outcome: dict[str, Any] = {
        "reason": item.reason,
        "finished_at": item.finished_at,
        "lateness": item.lateness,
        "duration": item.duration,
        "exit_code": item.exit_code,
        "signal": item.signal,
        "error": item.error,
    }
    attempt = replace(
        run.attempts[-1],
        state=state,
        sandbox_level=item.sandbox_level,
        limits=item.limits,
        usage=item.usage,
        **outcome,
    )
    follows: dict[str, Any] = {
        "state": verdict.state,
        "reason": verdict.reason,
        "finished_at": item.finished_at if over else None,
        "result": item.result if over else None,
        "available_at": verdict.retry_at or run.available_at,
        "failures": run.failures + (state in FAILURES),
        "attempts": (*run.attempts[:-1], attempt),
    }
    return replace(run, **outcome | follows)


def lost(run: Run, *, deleted: bool, now: datetime) -> Run:
    """Return the run with whose newest attempt a worker vanished.

    ``deleted``: its schedule is gone.
    """
    verdict = loss_verdict(
        run.state,
        run.reason,
        lost=run.lost + 1,
        max_lost=run.max_lost,
        deleted=deleted,
        now=now,
    )
    attempt = replace(
        run.attempts[-1],
        state=AttemptState.LOST,
        reason=Reason.LOST,
        finished_at=now,
    )
    return replace(
        run,
        state=verdict.state,
        reason=verdict.reason,
        lost=run.lost + 1,
        available_at=verdict.retry_at or run.available_at,
        finished_at=now if verdict.state in TERMINAL else None,
        attempts=(*run.attempts[:-1], attempt),
    )
