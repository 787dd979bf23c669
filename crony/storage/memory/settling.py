"""Occurrences become runs, and are taken back, in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from crony.model.run import Run
from crony.model.state import UNCONFIRMED, Reason, RunState
from crony.storage import rules
from crony.storage.codec import kept
from crony.storage.contract import Materialisation
from crony.storage.memory.ending import end_unstarted, stop
from crony.storage.memory.state import Memory


def settle(memory: Memory, run: Run, *, now: datetime) -> int:
    """Insert a run or take it back; return by how much occurrences grow."""
    after = rules.settled(memory.runs.get(run.id), kept(run))
    if after is None:
        return 0
    memory.put(after, now=now)
    return after.range_count


def withdraw(memory: Memory, schedule: str, *, now: datetime) -> int:
    """Withdraw what is still to come; return by how much occurrences shrink."""
    count = 0
    for run in list(memory.runs.values()):
        if run.schedule == schedule and rules.is_ahead(run, now=now):
            offered = rules.without_offer(run)
            withdrawn = replace(offered, state=RunState.WITHDRAWN, reason=None)
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
    if stored is None or not rules.advances(stored, item):
        return False
    count = sum(settle(memory, run, now=now) for run in item.runs)
    if item.limit is not None:
        memory.limits[item.schedule] = item.limit
    memory.move(rules.advanced(stored, item, grown=count), now=now)
    return True
