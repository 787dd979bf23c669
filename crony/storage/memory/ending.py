"""Runs are taken back, stopped and ended, in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from crony.model.hook import FollowUp
from crony.model.lease import Change, Loss
from crony.model.run import Run
from crony.model.state import AttemptState, Reason, RunState
from crony.storage import rules
from crony.storage.codec import cut
from crony.storage.memory.state import Memory

#: What may be taken back: no worker has begun with it.
UNCONFIRMED = (RunState.PENDING, RunState.LEASED)


def without_offer(run: Run) -> Run:
    """Return a run without the attempt that was offered and never confirmed."""
    if run.state is not RunState.LEASED:
        return run
    return replace(run, attempt=run.attempt - 1, attempts=run.attempts[:-1])


def take_offer(memory: Memory, run: Run, *, now: datetime) -> None:
    """Make a leased run pending again."""
    memory.put(replace(without_offer(run), state=RunState.PENDING), now=now)


def end_unstarted(
    memory: Memory, run: Run, state: RunState, reason: Reason, *, now: datetime
) -> Change:
    """End a run that is pending or leased."""
    changed = _change(memory, run, state, reason)
    memory.put(
        replace(
            without_offer(run),
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


def stops_for_good(run: Run) -> bool:
    """Return whether a run is being stopped, and will not go on elsewhere."""
    return run.state is RunState.STOPPING and run.reason is not Reason.PREEMPTED


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
    lost = run.lost + 1
    verdict = rules.loss_verdict(
        run.state,
        run.reason,
        lost=lost,
        max_lost=run.max_lost,
        deleted=run.schedule not in memory.schedules,
        now=now,
    )
    over = verdict.retry_at is None
    attempt = replace(
        run.attempts[-1],
        state=AttemptState.LOST,
        reason=Reason.LOST,
        finished_at=now,
    )
    after = replace(
        run,
        state=verdict.state,
        reason=verdict.reason,
        lost=lost,
        available_at=verdict.retry_at or run.available_at,
        finished_at=now if over else None,
        attempts=(*run.attempts[:-1], attempt),
    )
    memory.put(after, now=now)
    owe(memory, after, AttemptState.LOST, now=now)
    return Loss(run.id, run.schedule, run.tenant, lease.worker, run.token, after.state)


def owe(memory: Memory, run: Run, ended: AttemptState, *, now: datetime) -> None:
    """Leave the hook that is owed when the newest attempt has ended so."""
    kind = rules.follow_up(run.hooks, ended, run.state)
    if kind is not None:
        memory.follow_ups[run.id, run.attempt, kind, 1] = FollowUp(
            tenant=run.tenant,
            schedule=run.schedule,
            run=run.id,
            attempt=run.attempt,
            kind=kind,
            number=1,
            at=cut(now),
        )
