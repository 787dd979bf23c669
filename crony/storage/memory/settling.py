"""Occurrences become runs, and are taken back, in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from crony.model.run import Run
from crony.model.state import Origin, Reason, RunState, ScheduleState
from crony.storage.codec import cut, kept
from crony.storage.contract import Materialisation
from crony.storage.memory.ending import (
    UNCONFIRMED,
    end_unstarted,
    stop,
    without_offer,
)
from crony.storage.memory.state import Memory


def settle(memory: Memory, run: Run, *, now: datetime) -> int:
    """Insert a run or take it back; return by how much occurrences grow."""
    run = kept(run)
    before = memory.runs.get(run.id)
    if before is None:
        memory.put(replace(run, attempts=()), now=now)
        return run.range_count
    if before.state is not RunState.WITHDRAWN:
        return 0
    back = replace(
        before,
        state=run.state,
        reason=run.reason,
        revision=run.revision,
        schedule_name=run.schedule_name,
        group=run.group,
        policy=run.policy,
        due_at=run.due_at,
        available_at=run.available_at,
        catch_up=run.catch_up,
        deadline_at=run.deadline_at,
        overlap=run.overlap,
        hooks=run.hooks,
        hook_interval=run.hook_interval,
        range_until=run.range_until,
        range_count=run.range_count,
        queue=run.queue,
        priority=run.priority,
        max_lost=run.max_lost,
        finished_at=run.finished_at,
    )
    memory.put(back, now=now)
    return run.range_count


def withdraw(memory: Memory, schedule: str, *, now: datetime) -> int:
    """Withdraw what is still to come; return by how much occurrences shrink."""
    count = 0
    for run in list(memory.runs.values()):
        if run.schedule == schedule and is_ahead(run, cut(now)):
            withdrawn = replace(
                without_offer(run), state=RunState.WITHDRAWN, reason=None
            )
            memory.put(withdrawn, now=now)
            count += run.range_count
    return count


def strike(memory: Memory, run: Run, *, cancel_running: bool, now: datetime) -> None:
    """Cancel a run of a schedule that is deleted."""
    if run.state in UNCONFIRMED:
        end_unstarted(memory, run, RunState.CANCELLED, Reason.DELETED, now=now)
    elif run.state is RunState.RUNNING and cancel_running:
        stop(memory, run, Reason.DELETED, now=now)


def materialise(memory: Memory, item: Materialisation, *, now: datetime) -> bool:
    """Insert an item's runs and move its schedule's cursor, if it counts."""
    stored = memory.schedules.get(item.schedule)
    if (
        stored is None
        or stored.tenant != item.tenant
        or stored.state is not ScheduleState.ACTIVE
        or (stored.revision, stored.cursor) != (item.revision, cut(item.cursor))
    ):
        return False
    count = sum(settle(memory, run, now=now) for run in item.runs)
    finished = item.next_cursor is None
    if item.limit is not None:
        memory.limits[item.schedule] = item.limit
    moved = replace(
        stored,
        cursor=kept(item.next_cursor),
        state=ScheduleState.FINISHED if finished else stored.state,
        occurrences=stored.occurrences + count,
    )
    memory.move(moved, now=now)
    return True


def is_ahead(run: Run, now: datetime) -> bool:
    """Return whether a run of an occurrence is still to come, and may be taken back."""
    return (
        run.origin is Origin.SCHEDULE
        and run.state in UNCONFIRMED
        and run.scheduled_for > now
    )
