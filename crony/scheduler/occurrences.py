"""From a schedule to its occurrences: when it is due, whatever becomes of that."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from crony.model.schedule import Definition, Schedule
from crony.model.state import ScheduleState
from crony.model.trigger import At
from crony.triggers import Bounded, bounded, compile_trigger


def calendar(definition: Definition, *, identity: str, created_at: datetime) -> Bounded:
    """Return the occurrences of a definition; raises ``InvalidTrigger``.

    Nothing before the creation is due, save the instant of an ``at``: it was
    asked for by itself, and how far back it may lie is checked at the door.
    """
    compiled = compile_trigger(
        definition.trigger,
        identity=identity,
        anchor=definition.start_at or created_at,
    )
    return bounded(
        compiled,
        not_before=None if isinstance(definition.trigger, At) else created_at,
        start_at=definition.start_at,
        end_at=definition.end_at,
    )


def calendar_of(schedule: Schedule) -> Bounded:
    """Return the occurrences of a schedule."""
    return calendar(
        schedule.definition,
        identity=schedule.identity,
        created_at=schedule.created_at,
    )


def with_cursor(schedule: Schedule, cursor: datetime | None) -> Schedule:
    """Return a schedule with that cursor, and the state that follows from it."""
    if cursor is None:
        state = ScheduleState.FINISHED
    else:
        state = ScheduleState.PAUSED if schedule.paused else ScheduleState.ACTIVE
    return replace(schedule, cursor=cursor, state=state)
