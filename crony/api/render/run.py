"""Runs and their attempts."""

from __future__ import annotations

from crony.api.render.values import Object, duration, instant, plain
from crony.model.run import Attempt, ErrorEntry, Run
from crony.scheduler.rendering import progress, summary

__all__ = ["error", "progress", "summary", "whole"]


def whole(run: Run) -> Object:
    """Return a run with its result and its attempts."""
    return {
        **summary(run),
        "result": run.result,
        "attempts": [_attempt(attempt) for attempt in run.attempts],
    }


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
