"""Which runs may be leased: admission by schedules, places in groups and tenants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from crony.model import policy
from crony.model.lease import Ready, Scope
from crony.model.run import Run
from crony.model.state import HELD, Origin, RunState
from crony.storage import rules
from crony.storage.memory.ending import take_offer
from crony.storage.memory.state import Memory


@contextmanager
def change(memory: Memory, *schedules: str) -> Iterator[set[tuple[str, str]]]:
    """Admit anew in these schedules at the end; tell what became leasable.

    That is also what waited for a place in its group or tenant, of any schedule. The
    set is complete only after the block.
    """
    touched = set(schedules)
    before = {run.id for run in _of(memory, touched) if offered(memory, run)}
    stuck = _stuck(memory)
    ready: set[tuple[str, str]] = set()
    yield ready
    for schedule in touched:
        _admit(memory, schedule)
    for run in _of(memory, touched):
        if offered(memory, run) and run.id not in before:
            ready.add((run.tenant, run.queue))
    for name in stuck:
        waited = memory.runs.get(name)
        if waited and offered(memory, waited) and has_place(memory, waited):
            ready.add((waited.tenant, waited.queue))


def ready(lines: set[tuple[str, str]]) -> Ready:
    """Return the lines as the contract names them."""
    return frozenset(lines)


def offered(memory: Memory, run: Run) -> bool:
    """Return whether a run is pending and admitted."""
    return run.state is RunState.PENDING and run.id in memory.admitted


def _of(memory: Memory, schedules: set[str]) -> list[Run]:
    return [run for run in memory.runs.values() if run.schedule in schedules]


def _stuck(memory: Memory) -> list[str]:
    """Return the admitted runs that wait for a place in their group or tenant."""
    limited = any(
        tenant.held or tenant.max_concurrent is not None
        for tenant in memory.tenants.values()
    ) or any(group.max_concurrent is not None for group in memory.groups.values())
    if not limited:
        return []
    return [
        run.id
        for run in memory.runs.values()
        if offered(memory, run) and not has_place(memory, run)
    ]


def _admit(memory: Memory, schedule: str) -> None:
    """Decide which runs of a schedule are admitted: see the contract."""
    runs = _of(memory, {schedule})
    held = [run for run in runs if run.state in HELD]
    pending = [run for run in runs if run.state is RunState.PENDING]
    hooks = [run for run in pending if run.origin is Origin.HOOK]
    others = [run for run in pending if run.origin is not Origin.HOOK]
    # What has made an attempt waits for its retry, and is not overtaken.
    others.sort(key=lambda run: (run.attempt == 0, run.due_at, run.id))
    taken = sum(run.origin is not Origin.HOOK for run in held)
    free = max(0, memory.limits.get(schedule, 0) - taken)
    memory.admitted -= {run.id for run in runs}
    memory.admitted |= {run.id for run in held + hooks + others[:free]}


def has_place(memory: Memory, run: Run) -> bool:
    """Return whether the run's group and tenant have a place for it."""
    if memory.is_held(run.tenant):
        return False
    return group_has_place(memory, run) and tenant_has_place(memory, run)


def group_has_place(memory: Memory, run: Run) -> bool:
    """Return whether the run's group lets one more of its runs be held."""
    group = memory.groups.get((run.tenant, run.group))
    limit = group.max_concurrent if group else None
    return run.origin is Origin.HOOK or not _full(limit, _held_in_group(memory, run))


def tenant_has_place(memory: Memory, run: Run) -> bool:
    """Return whether the run's tenant lets one more of its runs be held."""
    tenant = memory.tenants.get(run.tenant)
    limit = tenant.max_concurrent if tenant else None
    return run.origin is Origin.HOOK or not _full(limit, _held_in_tenant(memory, run))


def _full(limit: int | None, held: Sequence[Run]) -> bool:
    return limit is not None and len(held) >= limit


def _held(memory: Memory) -> Iterator[Run]:
    """Meet the runs in workers' hands that count towards limits."""
    for name in memory.leases:
        run = memory.runs[name]
        if run.origin is not Origin.HOOK:
            yield run


def _held_in_schedule(memory: Memory, run: Run) -> list[Run]:
    return [other for other in _held(memory) if other.schedule == run.schedule]


def _held_in_group(memory: Memory, run: Run) -> list[Run]:
    return [other for other in _held_in_tenant(memory, run) if other.group == run.group]


def _held_in_tenant(memory: Memory, run: Run) -> list[Run]:
    return [other for other in _held(memory) if other.tenant == run.tenant]


def scopes(memory: Memory, run: Run) -> Sequence[Scope]:
    """Return the limits that hold for a run: none for a hook's."""
    if run.origin is Origin.HOOK:
        return ()
    limit: int | None = memory.limits.get(run.schedule)
    group = memory.groups.get((run.tenant, run.group))
    tenant = memory.tenants.get(run.tenant)
    return tuple(
        Scope(
            kind=kind,
            name=name,
            limit=limit,
            held=len(held),
            runs=tuple(sorted(other.id for other in held)[: rules.SCOPE_RUNS]),
        )
        for kind, name, limit, held in (
            (
                "schedule",
                run.schedule,
                None if limit == policy.NO_LIMIT else limit,
                _held_in_schedule(memory, run),
            ),
            (
                "group",
                run.group,
                group.max_concurrent if group else None,
                _held_in_group(memory, run),
            ),
            (
                "tenant",
                run.tenant,
                tenant.max_concurrent if tenant else None,
                _held_in_tenant(memory, run),
            ),
        )
    )


def offering(memory: Memory, tenant: str) -> set[str]:
    """Return the schedules of which workers hold offers."""
    held = [memory.runs[name] for name in memory.leases]
    return {
        run.schedule
        for run in held
        if run.tenant == tenant and run.state is RunState.LEASED
    }


def recall_for(memory: Memory, run: Run) -> frozenset[str]:
    """Take back the offers that give way to a new run; return their workers."""
    recalled = set()
    if run.origin is not Origin.HOOK:
        for scope, held_in in (
            (0, _held_in_schedule),
            (1, _held_in_group),
            (2, _held_in_tenant),
        ):
            limit = scopes(memory, run)[scope].limit
            held = held_in(memory, run)
            if _full(limit, held):
                recalled |= _recall(memory, held, run=run, now=run.created_at)
    return frozenset(recalled)


def _recall(
    memory: Memory, held: Sequence[Run], *, run: Run, now: datetime
) -> set[str]:
    """Take back the latest offer that starts later than the new run."""
    later = [
        (memory.leases[other.id].start_at, other.id)
        for other in held
        if other.state is RunState.LEASED
        and memory.leases[other.id].start_at > run.available_at + policy.CONFIRM_AHEAD
    ]
    if not later:
        return set()
    _, last = max(later)
    worker = memory.leases[last].worker
    take_offer(memory, memory.runs[last], now=now)
    return {worker}
