"""Runs and their attempts."""

from __future__ import annotations

from crony.api.render.values import Object, duration, instant, plain
from crony.model.run import Attempt, ErrorEntry, Progress, Run


def summary(run: Run) -> Object:
    """Return a run as it stands in lists."""
    return {
        "id": run.id,
        "tenant": run.tenant,
        "schedule": run.schedule,
        "schedule_name": run.schedule_name,
        "origin": plain(run.origin),
        "parent": run.parent,
        "scheduled_for": instant(run.scheduled_for),
        "due_at": instant(run.due_at),
        "range": _range(run),
        "state": plain(run.state),
        "reason": plain(run.reason),
        "queue": run.queue,
        "priority": run.priority,
        "created_at": instant(run.created_at),
        "started_at": instant(run.started_at),
        "finished_at": instant(run.finished_at),
        "lateness": duration(run.lateness),
        "duration": duration(run.duration),
        "attempt": run.attempt,
        "exit_code": run.exit_code,
        "signal": run.signal,
        "error": run.error,
        "progress": progress(run.progress) if run.progress else None,
    }


def whole(run: Run) -> Object:
    """Return a run with its result and its attempts."""
    return {
        **summary(run),
        "result": run.result,
        "attempts": [_attempt(attempt) for attempt in run.attempts],
    }


def _range(run: Run) -> Object | None:
    """Return the stretch of occurrences that this one record stands for."""
    if run.range_until is None:
        return None
    return {"until": instant(run.range_until), "count": run.range_count}


def _attempt(attempt: Attempt) -> Object:
    return {
        "attempt": attempt.number,
        "token": attempt.token,
        "state": plain(attempt.state),
        "reason": plain(attempt.reason),
        "worker": attempt.worker,
        "worker_name": attempt.worker_name,
        "leased_at": instant(attempt.leased_at),
        "started_at": instant(attempt.started_at),
        "finished_at": instant(attempt.finished_at),
        "lateness": duration(attempt.lateness),
        "duration": duration(attempt.duration),
        "exit_code": attempt.exit_code,
        "signal": attempt.signal,
        "error": attempt.error,
        "counted": attempt.counted,
        "sandbox_level": attempt.sandbox_level,
        "limits": attempt.limits,
        "usage": attempt.usage,
        "log": {
            "bytes": attempt.log_bytes,
            "kept": attempt.log_kept,
            "dropped": attempt.log_bytes - attempt.log_kept,
        },
    }


def progress(entry: Progress) -> Object:
    """Return how far a task said it was."""
    return {
        "run": entry.run,
        "attempt": entry.attempt,
        "source": entry.source,
        "at": instant(entry.at),
        "percent": entry.percent,
        "message": entry.message,
    }


def error(entry: ErrorEntry) -> Object:
    """Return one line of a schedule's errors."""
    return {
        "run": entry.run,
        "attempt": entry.attempt,
        "source": entry.source,
        "at": instant(entry.at),
        "reason": plain(entry.reason),
        "text": entry.text,
        "truncated": entry.truncated,
    }
