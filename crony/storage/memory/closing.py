"""Attempts end as their workers report, in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from crony.model.hook import HookKind
from crony.model.lease import Closed, Closing, Standing
from crony.model.run import Progress, Run
from crony.storage import rules
from crony.storage.memory.ending import owe
from crony.storage.memory.state import Memory


def close(
    memory: Memory, tenant: str, worker: str, item: Closing, *, now: datetime
) -> Closed:
    """Answer a report; end the attempt if it counts."""
    run = memory.known(tenant, worker, item.run, item.token)
    if run is None:
        return Closed(item.run, item.token, Standing.UNKNOWN, None)
    attempt = run.attempt_under(item.token)
    standing = rules.report_standing(
        item,
        current=run.token,
        state=run.state,
        was=None if attempt is None else attempt.state,
    )
    if standing is Standing.ACCEPTED:
        deleted = run.schedule not in memory.schedules
        run = rules.closed(run, item, deleted=deleted, now=now)
        memory.put(run, now=now)
        owe(memory, run, now=now)
        _hear(memory, run, item, now=now)
    return Closed(item.run, item.token, standing, run.state)


def _hear(memory: Memory, run: Run, item: Closing, *, now: datetime) -> None:
    """Keep what a hook said of the run that it follows."""
    if item.says and run.hook is HookKind.ERROR:
        memory.says[run.id, item.token] = item.says
    entry = rules.heard(run, item)
    if entry is not None:
        note_progress(memory, run.schedule, entry, now=now)


def note_progress(
    memory: Memory, schedule: str, entry: Progress, *, now: datetime
) -> None:
    """Keep an entry for a schedule, and for its run while that is not over."""
    if schedule in memory.schedules:
        entries = memory.progress.setdefault(schedule, [])
        entries.append(entry)
        del entries[: -rules.PROGRESS_KEPT]
    run = memory.runs.get(entry.run)
    if run is not None and not run.over:
        memory.runs[run.id] = replace(run, progress=entry)
        memory.tell_run("progress", memory.runs[run.id], now=now)
