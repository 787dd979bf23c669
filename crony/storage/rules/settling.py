"""How occurrences become runs and are taken back, for drivers that keep these whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import UNCONFIRMED, Origin, RunState, ScheduleState
from crony.storage.codec import cut, kept
from crony.storage.contract import Materialisation


def settled(before: Run | None, run: Run) -> Run | None:
    """Return the run of an occurrence that is settled; ``None``: it was settled before.

    ``before`` is the run that the store has of it: one that was withdrawn is due again,
    as ``run`` says.
    """
    if before is None:
        return replace(run, attempts=())
    if before.state is not RunState.WITHDRAWN:
        return None
    return replace(
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


def is_ahead(run: Run, *, now: datetime) -> bool:
    """Return whether a run of an occurrence is still to come, and may be taken back."""
    return (
        run.origin is Origin.SCHEDULE
        and run.state in UNCONFIRMED
        and run.scheduled_for > cut(now)
    )


def advances(schedule: Schedule, item: Materialisation) -> bool:
    """Return whether an item counts: the schedule is active, and where it expects."""
    return (
        schedule.tenant == item.tenant
        and schedule.state is ScheduleState.ACTIVE
        and (schedule.revision, schedule.cursor) == (item.revision, cut(item.cursor))
    )


def advanced(schedule: Schedule, item: Materialisation, *, grown: int) -> Schedule:
    """Return the schedule after an item; ``grown``: by so many occurrences."""
    finished = item.next_cursor is None
    return replace(
        schedule,
        cursor=kept(item.next_cursor),
        state=ScheduleState.FINISHED if finished else schedule.state,
        occurrences=schedule.occurrences + grown,
    )
