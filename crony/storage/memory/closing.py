"""Attempts end as their workers report, in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from crony.model.lease import Closed, Closing, Standing
from crony.model.run import Attempt, Run
from crony.model.state import HELD, TERMINAL, AttemptState
from crony.storage import rules
from crony.storage.codec import kept
from crony.storage.memory.state import Memory, attempt_of

_FAILURES = (AttemptState.FAILED, AttemptState.TIMED_OUT)


def close(memory: Memory, worker: str, item: Closing, *, now: datetime) -> Closed:
    """Answer a report; end the attempt if it counts."""
    run = memory.known(worker, item.run, item.token)
    if run is None:
        return Closed(item.run, item.token, Standing.UNKNOWN, None)
    attempt = attempt_of(run, item.token)
    live = run.state in HELD and run.token == item.token
    standing = (
        rules.closed_before(attempt.state, item) if attempt and not live else None
    ) or rules.standing(
        item.token,
        current=run.token,
        state=run.state,
        counts=rules.report_counts(item),
    )
    if standing is Standing.ACCEPTED and attempt is not None:
        run = _closed(memory, run, attempt, item, now=now)
    return Closed(item.run, item.token, standing, run.state)


def _closed(
    memory: Memory, run: Run, attempt: Attempt, item: Closing, *, now: datetime
) -> Run:
    """End the attempt, and let the run follow."""
    deleted = run.schedule not in memory.schedules
    verdict = rules.closing_verdict(
        run.state, run.reason, item, deleted=deleted, now=now
    )
    over = verdict.state in TERMINAL
    outcome: dict[str, Any] = {
        "reason": item.reason,
        "finished_at": item.finished_at,
        "lateness": item.lateness,
        "duration": item.duration,
        "exit_code": item.exit_code,
        "signal": item.signal,
        "error": item.error,
    }
    ended = replace(
        attempt,
        state=item.state,
        sandbox_level=item.sandbox_level,
        limits=item.limits,
        usage=item.usage,
        **outcome,
    )
    after = replace(
        run,
        **outcome
        | {
            "state": verdict.state,
            "reason": verdict.reason,
            "finished_at": item.finished_at if over else None,
            "result": item.result if over else None,
            "available_at": kept(verdict.retry_at) or run.available_at,
            "failures": run.failures + (item.state in _FAILURES),
            "attempts": (*run.attempts[:-1], ended),
        },
    )
    memory.put(after, now=now)
    return after
