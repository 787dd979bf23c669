"""Attempts end as their workers report, in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from crony.model.hook import HookKind
from crony.model.lease import Closed, Closing, Standing
from crony.model.run import Attempt, Progress, Run
from crony.model.state import HELD, TERMINAL, AttemptState
from crony.storage import rules
from crony.storage.codec import kept
from crony.storage.memory.ending import owe
from crony.storage.memory.state import Memory, attempt_of

_FAILURES = (AttemptState.FAILED, AttemptState.TIMED_OUT)


def close(
    memory: Memory, tenant: str, worker: str, item: Closing, *, now: datetime
) -> Closed:
    """Answer a report; end the attempt if it counts."""
    run = memory.known(tenant, worker, item.run, item.token)
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
        _hear(memory, run, item, now=now)
    return Closed(item.run, item.token, standing, run.state)


def _closed(
    memory: Memory, run: Run, attempt: Attempt, item: Closing, *, now: datetime
) -> Run:
    """End the attempt, and let the run follow."""
    verdict = rules.closing_verdict(
        run.state,
        run.reason,
        item,
        deleted=run.schedule not in memory.schedules,
        now=now,
        deadline_at=run.deadline_at,
    )
    over = verdict.state in TERMINAL
    state = rules.ended_as(run.state, run.reason, item.state)
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
        state=state,
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
            "failures": run.failures + (state in _FAILURES),
            "attempts": (*run.attempts[:-1], ended),
        },
    )
    memory.put(after, now=now)
    owe(memory, after, state, now=now)
    return after


def _hear(memory: Memory, run: Run, item: Closing, *, now: datetime) -> None:
    """Keep what a hook said of the run that it follows."""
    if run.hook is None or run.parent is None:
        return
    if item.says and run.hook is HookKind.ERROR:
        memory.says[run.id, item.token] = item.says
    entry = rules.hook_progress(
        run.parent,
        run.hook_attempt or 0,
        kind=run.hook,
        at=item.finished_at,
        says=item.says,
    )
    if entry is not None:
        note_progress(memory, run.schedule, entry, now=now)


def note_progress(
    memory: Memory, schedule: str, entry: Progress, *, now: datetime
) -> None:
    """Keep an entry for a schedule, and for its run while that is not over."""
    if schedule in memory.schedules:
        entries = memory.progress.setdefault(schedule, [])
        entries.append(entry)
        del entries[: -rules.PROGRESS_KEPT]
    run = memory.runs.get(entry.run)
    if run is not None and not run.over:
        memory.runs[run.id] = replace(run, progress=entry)
        memory.tell_run("progress", memory.runs[run.id], now=now)
