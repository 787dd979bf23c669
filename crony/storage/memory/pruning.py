"""Old runs go, and are counted, in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from crony.model.moving import Pruned
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import Origin, RunState
from crony.storage.codec import kept
from crony.storage.contract import Position
from crony.storage.memory.state import Memory


def prune(
    memory: Memory,
    schedule: str,
    *,
    keep: int,
    before: datetime,
    now: datetime,
    limit: int,
) -> int:
    """Remove what nobody has to answer for any more; return how many runs."""
    ended = _ended(memory, schedule)
    counted = [run for run in ended if run.origin is not Origin.HOOK]
    edge = [_order(run) for run in counted[: max(0, len(counted) - keep)]][-1:]
    hooks = _hooks(ended)
    spared = _needed(memory)
    gone = [
        each
        for run in ended
        if (_ended_at(run) < before or [_order(run)] <= edge)
        and run.scheduled_for <= now
        and run.id not in spared
        and not (run.origin is Origin.HOOK and run.parent in memory.runs)
        for each in (*hooks[run.id], run)
    ][:limit]
    for run in gone:
        _count(memory, run)
    gone += _withdrawn(memory, schedule, before=before)[: limit - len(gone)]
    for run in gone:
        remove(memory, run)
    if schedule not in memory.schedules and not _has_runs(memory, schedule):
        _forget(memory, schedule)
    return len(gone)


def _ended(memory: Memory, schedule: str) -> list[Run]:
    """Return the ended runs of a schedule, in the order in which they go."""
    runs = [
        run for run in memory.runs.values() if run.schedule == schedule and run.over
    ]
    return sorted(runs, key=_order)


def _order(run: Run) -> tuple[datetime, str]:
    return (_ended_at(run), run.id)


def _hooks(ended: Sequence[Run]) -> Mapping[str | None, list[Run]]:
    """Return the hooks' runs among them, by the run that they follow."""
    found: defaultdict[str | None, list[Run]] = defaultdict(list)
    for run in sorted(ended, key=lambda run: (run.scheduled_for, run.id)):
        if run.origin is Origin.HOOK:
            found[run.parent].append(run)
    return found


def _ended_at(run: Run) -> datetime:
    return run.finished_at or run.created_at


def _needed(memory: Memory) -> set[str | None]:
    """Return the ids of runs that something unfinished refers to."""
    parents = {run.parent for run in memory.runs.values() if not run.over}
    return parents | {owed.run for owed in memory.follow_ups.values()}


def _withdrawn(memory: Memory, schedule: str, *, before: datetime) -> list[Run]:
    """Return the withdrawn runs of a schedule that will not be due again."""
    found = memory.schedules.get(schedule)
    if found is not None and found.cursor is not None:
        before = min(before, found.cursor)
    runs = [
        run
        for run in memory.runs.values()
        if run.schedule == schedule
        and run.state is RunState.WITHDRAWN
        and (found is None or run.scheduled_for < before)
    ]
    return sorted(runs, key=lambda run: (run.scheduled_for, run.id))


def _count(memory: Memory, run: Run) -> None:
    """Add a run to what is known of those that are gone."""
    until = run.range_until or run.scheduled_for
    known = memory.pruned.get(run.schedule) or Pruned(
        until=until, occurrences={}, others={}
    )
    one = {run.state: run.range_count}
    occurs = run.origin is Origin.SCHEDULE
    memory.pruned[run.schedule] = Pruned(
        until=max(known.until, until),
        occurrences=_sum(known.occurrences, one if occurs else {}),
        others=_sum(known.others, {} if occurs else one),
    )


def _sum(
    some: Mapping[RunState, int], more: Mapping[RunState, int]
) -> Mapping[RunState, int]:
    return dict(Counter(some) + Counter(more))


def remove(memory: Memory, run: Run) -> None:
    """Forget a run, with its attempts and their output."""
    del memory.runs[run.id]
    memory.admitted.discard(run.id)
    memory.waiting.discard(run.id)
    for by_token in (memory.grants, memory.outputs, memory.says):
        for key in [key for key in by_token if key[0] == run.id]:
            del by_token[key]
    for owed in [key for key in memory.follow_ups if key[0] == run.id]:
        del memory.follow_ups[owed]


def _has_runs(memory: Memory, schedule: str) -> bool:
    return any(run.schedule == schedule for run in memory.runs.values())


def _forget(memory: Memory, schedule: str) -> None:
    """Forget the definitions and versions of a deleted schedule."""
    memory.versions.pop(schedule, None)
    for name in [name for name in memory.definitions if name[0] == schedule]:
        del memory.definitions[name]


def prunable(
    memory: Memory, *, limit: int, after: Position | None
) -> tuple[Sequence[tuple[str, str, Schedule | None]], Position | None]:
    """Return schedules that may have something to remove, piece by piece."""
    walked, end = memory.walk(limit=limit, after=after)
    there = {schedule for schedule, _ in memory.definitions} - memory.schedules.keys()
    there |= {run.schedule for run in memory.runs.values()}
    return (
        tuple(
            (tenant, name, kept(memory.schedules.get(name)))
            for tenant, name in walked
            if name in there
        ),
        end,
    )
