"""What an instant decides of runs that wait: overlaps, and deadlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from crony.model import policy
from crony.model.lease import Change, Ready
from crony.model.run import Run
from crony.model.state import EXECUTING, UNCONFIRMED, Reason, RunState
from crony.storage import rules
from crony.storage.memory.admission import change, ready
from crony.storage.memory.ending import end_unstarted, stop
from crony.storage.memory.state import Memory


def undecided(memory: Memory) -> list[Run]:
    """Return the runs whose overlap is to be decided on, in the order of that."""
    runs = [
        run
        for run in memory.runs.values()
        if run.state is RunState.PENDING and run.overlap is not None
    ]
    return sorted(runs, key=rules.by_due)


def overlap(
    memory: Memory, *, now: datetime, limit: int
) -> tuple[Sequence[Change], Ready]:
    """Decide on runs whose instant has come while others were in their way."""
    due = [run for run in undecided(memory) if run.due_at <= now][:limit]
    changed: list[Change] = []
    with change(memory, *(run.schedule for run in due)) as lines:
        for run in due:
            changed += _decide(memory, run, now=now)
    return tuple(changed), ready(lines)


def _decide(memory: Memory, run: Run, *, now: datetime) -> list[Change]:
    """Decide on one; return what changed."""
    decided = replace(run, overlap=None)
    # Not by ``put``: what waits to be promoted goes on to.
    memory.runs[run.id] = decided
    way = rules.in_the_way(run, memory.runs.values())
    limit = memory.limits[run.schedule]
    if len(way) < limit:
        return []
    if run.overlap == policy.SKIP:
        return [
            end_unstarted(memory, decided, RunState.SKIPPED, Reason.OVERLAP, now=now)
        ]
    given = rules.giving_way(way, limit=limit)
    return [_replace(memory, other, now=now) for other in given]


def _replace(memory: Memory, run: Run, *, now: datetime) -> Change:
    if run.state in EXECUTING:
        return stop(memory, run, Reason.REPLACED, now=now)
    return end_unstarted(memory, run, RunState.CANCELLED, Reason.REPLACED, now=now)


def bounded(memory: Memory) -> list[tuple[datetime, str]]:
    """Return the deadlines of runs that have not started, with their ids."""
    return sorted(
        (run.deadline_at, run.id)
        for run in memory.runs.values()
        if run.deadline_at is not None and run.state in UNCONFIRMED
    )


def lapse(
    memory: Memory, *, now: datetime, limit: int
) -> tuple[Sequence[Change], Ready]:
    """Expire runs that have not started by their deadline."""
    gone = [memory.runs[name] for at, name in bounded(memory) if at <= now][:limit]
    with change(memory, *(run.schedule for run in gone)) as lines:
        changed = [
            end_unstarted(memory, run, RunState.EXPIRED, Reason.DEADLINE, now=now)
            for run in gone
        ]
    return tuple(changed), ready(lines)
