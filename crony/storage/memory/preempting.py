"""Runs of low priority make room for those of higher priority, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from crony.model import policy
from crony.model.lease import Change
from crony.model.run import Run
from crony.model.state import Origin, Reason, RunState
from crony.model.worker import Worker
from crony.storage import rules
from crony.storage.memory.admission import group_has_place, tenant_has_place
from crony.storage.memory.ending import stop
from crony.storage.memory.offering import (
    candidates,
    catching_up,
    may_execute,
    reserved,
)
from crony.storage.memory.records import Reservation
from crony.storage.memory.state import Memory


def preempt(memory: Memory, *, now: datetime, limit: int) -> Sequence[Change]:
    """Stop preemptible runs for what has waited long enough."""
    victims: list[Change] = []
    #: By worker, what is reserved for it of what catches up.
    given: Counter[str] = Counter()
    horizon = now - policy.PREEMPT_AFTER
    for run in candidates(memory, None, horizon=horizon, now=now):
        if len(victims) >= limit:
            break
        if memory.is_held(run.tenant):
            continue
        if run.origin is not Origin.HOOK and not reserved(memory, run, now=now):
            victim = _victim(memory, run, given)
            if victim is not None:
                if run.catch_up and not victim.catch_up:
                    given[memory.leases[victim.id].worker] += 1
                victims.append(_make_room(memory, run, victim, now=now))
    return tuple(victims)


def _make_room(memory: Memory, run: Run, victim: Run, *, now: datetime) -> Change:
    """Stop the victim, and keep its slot for the run."""
    lease = memory.leases[victim.id]
    memory.reserved[run.id] = Reservation(lease.worker, lease.expires_at)
    return stop(memory, victim, Reason.PREEMPTED, now=now)


def _victim(memory: Memory, run: Run, given: Counter[str]) -> Run | None:
    """Return the run that is to make room for this one, if one should and can."""
    workers = [
        worker
        for worker in memory.workers.values()
        if not worker.draining
        and worker.id not in memory.lost
        and may_execute(memory, worker, run)
    ]
    in_group = not group_has_place(memory, run)
    limited = in_group or not tenant_has_place(memory, run)
    if not limited and any(_has_slot(memory, worker) for worker in workers):
        return None
    names = {worker.id for worker in workers}
    open_to_late = {
        worker.id
        for worker in workers
        if catching_up(memory, worker) + given[worker.id]
        < rules.catch_up_share(worker.slots)
    }
    found = [
        other
        for name, lease in memory.leases.items()
        if (other := memory.runs[name]).state is RunState.RUNNING
        and lease.worker in names
        and other.policy.preemptible
        and other.priority < run.priority
        and (not in_group or other.group == run.group)
        # A hook's run takes no place that it could free.
        and not (limited and other.origin is Origin.HOOK)
        # A worker takes only so many that catch up.
        and (not run.catch_up or other.catch_up or lease.worker in open_to_late)
    ]
    return min(found, key=_order, default=None)


def _has_slot(memory: Memory, worker: Worker) -> bool:
    held = sum(lease.worker == worker.id for lease in memory.leases.values())
    return held < worker.slots


def _order(run: Run) -> tuple[int, float, str]:
    """The lowest priority first, then the newest started."""
    started_at = run.started_at.timestamp() if run.started_at else 0.0
    return (run.priority, -started_at, run.id)
