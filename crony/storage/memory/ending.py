"""Runs are taken back, stopped and ended, in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from crony.model.hook import FollowUp
from crony.model.lease import Change, Loss
from crony.model.run import Run
from crony.model.state import Reason, RunState
from crony.storage import rules
from crony.storage.codec import cut
from crony.storage.memory.state import Memory


def take_offer(memory: Memory, run: Run, *, now: datetime) -> None:
    """Make a leased run pending again."""
    memory.put(replace(rules.without_offer(run), state=RunState.PENDING), now=now)


def end_unstarted(
    memory: Memory, run: Run, state: RunState, reason: Reason, *, now: datetime
) -> Change:
    """End a run that is pending or leased."""
    changed = _change(memory, run, state, reason)
    memory.put(
        replace(
            rules.without_offer(run),
            state=state,
            reason=reason,
            finished_at=cut(now),
        ),
        now=now,
    )
    return changed


def stop(memory: Memory, run: Run, reason: Reason, *, now: datetime) -> Change:
    """Let an executing run stop for this reason from now on."""
    changed = _change(memory, run, RunState.STOPPING, reason)
    memory.put(replace(run, state=RunState.STOPPING, reason=reason), now=now)
    return changed


def _change(memory: Memory, run: Run, state: RunState, reason: Reason) -> Change:
    lease = memory.leases.get(run.id)
    return Change(
        run.id,
        run.schedule,
        run.tenant,
        lease.worker if lease else None,
        state,
        reason,
    )


def lose(memory: Memory, run: Run, *, now: datetime) -> Loss:
    """End a running or stopping run's attempt as lost."""
    lease = memory.leases[run.id]
    deleted = run.schedule not in memory.schedules
    after = rules.lost(run, deleted=deleted, now=now)
    memory.put(after, now=now)
    owe(memory, after, now=now)
    return Loss(run.id, run.schedule, run.tenant, lease.worker, run.token, after.state)


def owe(memory: Memory, run: Run, *, now: datetime) -> None:
    """Leave the hook that is owed when the newest attempt has ended."""
    kind = rules.follow_up(run.hooks, run.attempts[-1].state, run.state)
    if kind is not None:
        leave(memory, rules.owed(run, kind, number=1, now=now))


def leave(memory: Memory, owed: FollowUp) -> None:
    """Leave a hook that is owed."""
    memory.follow_ups[owed.run, owed.attempt, owed.kind, owed.number] = owed
