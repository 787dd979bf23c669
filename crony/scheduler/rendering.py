"""A run as it is told to people, programs and hooks: one form for all of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from crony import wire
from crony.model.run import Progress, Run
from crony.model.task import Json

Object = dict[str, Json]


def instant(value: datetime | None) -> str | None:
    """Return an instant as the wire has it."""
    return None if value is None else wire.format_instant(value)


def duration(value: timedelta | None) -> str | None:
    """Return a duration in the short form."""
    return None if value is None else wire.format_duration(value)


def plain(value: Enum | None) -> str | None:
    """Return the word of an enum's member."""
    return None if value is None else str(value.value)


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
        "deadline_at": instant(run.deadline_at),
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


def _range(run: Run) -> Object | None:
    """Return the stretch of occurrences that this one record stands for."""
    if run.range_until is None:
        return None
    return {"until": instant(run.range_until), "count": run.range_count}


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
