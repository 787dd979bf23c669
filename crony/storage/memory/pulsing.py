"""Progress hooks come due, in memory."""

from __future__ import annotations

from datetime import datetime

from crony.model.hook import HookKind
from crony.storage import rules
from crony.storage.memory.ending import leave
from crony.storage.memory.records import Pulse
from crony.storage.memory.state import Memory


def pulse(memory: Memory, *, now: datetime, limit: int) -> int:
    """Leave a follow-up for each running run whose progress hook has come due."""
    due = sorted(
        (pulse.next_at, name)
        for name, pulse in memory.pulses.items()
        if pulse.next_at <= now
    )[:limit]
    for _, name in due:
        _follow(memory, name, now=now)
    return len(due)


def _follow(memory: Memory, name: str, *, now: datetime) -> None:
    run = memory.runs[name]
    number = memory.pulses[name].number + 1
    if run.started_at is None or run.hook_interval is None:
        raise AssertionError(f"{name} has a pulse and nothing that beats")
    next_at = rules.next_pulse(run.started_at, run.hook_interval, now=now)
    memory.pulses[name] = Pulse(next_at, number)
    leave(memory, rules.owed(run, HookKind.PROGRESS, number=number, now=now))
