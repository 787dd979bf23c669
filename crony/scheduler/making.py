"""Making runs: what each takes along from its schedule, whatever made it."""

from __future__ import annotations

from datetime import datetime

from crony.model import ids
from crony.model.hook import HookKind
from crony.model.policy import REPLACE, SKIP, Policy
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import Origin, Reason, RunState


def made(
    schedule: Schedule,
    *,
    policy: Policy,
    origin: Origin,
    scheduled_for: datetime,
    due_at: datetime,
    now: datetime,
    number: str = "0",
    catch_up: bool = False,
) -> Run:
    """Return a pending run, with the policy that holds now for all its attempts.

    Only an occurrence that is on time may be skipped for an earlier run, or replace
    it; all others wait for their turn.
    """
    hooks = schedule.definition.hooks
    progress = hooks.get(HookKind.PROGRESS)
    on_time = origin is Origin.SCHEDULE and not catch_up
    decides = on_time and policy.on_overlap in (SKIP, REPLACE)
    return Run(
        id=ids.run_id(schedule.id, origin, scheduled_for, number),
        tenant=schedule.tenant,
        schedule=schedule.id,
        schedule_name=schedule.definition.name,
        revision=schedule.revision,
        origin=origin,
        group=schedule.definition.group,
        policy=policy,
        scheduled_for=scheduled_for,
        due_at=due_at,
        available_at=due_at,
        catch_up=catch_up,
        deadline_at=None if policy.deadline is None else due_at + policy.deadline,
        overlap=policy.on_overlap if decides else None,
        hooks=frozenset(hooks),
        hook_interval=None if progress is None else progress.interval,
        queue=schedule.definition.queue,
        priority=policy.priority,
        max_lost=policy.max_lost,
        created_at=now,
    )


def stretch(
    schedule: Schedule,
    first: datetime,
    *,
    policy: Policy,
    now: datetime,
    state: RunState,
    reason: Reason,
    count: int,
    until: datetime | None,
) -> Run:
    """Return one record for ``count`` occurrences that never execute.

    ``until`` is the last of them, ``None`` where there is but one. The record is over
    as soon as it is made, so that no hook follows it.
    """
    return Run(
        id=ids.run_id(schedule.id, Origin.SCHEDULE, first),
        tenant=schedule.tenant,
        schedule=schedule.id,
        schedule_name=schedule.definition.name,
        revision=schedule.revision,
        origin=Origin.SCHEDULE,
        group=schedule.definition.group,
        policy=policy,
        scheduled_for=first,
        due_at=first,
        available_at=first,
        range_until=until,
        range_count=count,
        state=state,
        reason=reason,
        queue=schedule.definition.queue,
        priority=policy.priority,
        max_lost=policy.max_lost,
        created_at=now,
        finished_at=now,
    )
