"""Schedules, in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from crony import errors
from crony.model.lease import Ready
from crony.model.run import Run
from crony.model.schedule import Definition, Schedule, Version
from crony.model.state import (
    HELD,
    Origin,
    RunState,
    ScheduleState,
)
from crony.storage import codec, rules
from crony.storage.codec import cut, instant_out, kept
from crony.storage.contract import (
    Creation,
    Materialisation,
    Page,
    Position,
    ScheduleQuery,
    Schedules,
)
from crony.storage.memory.admission import change, ready
from crony.storage.memory.paging import paged
from crony.storage.memory.references import check_references
from crony.storage.memory.settling import (
    materialise,
    settle,
    strike,
    withdraw,
)
from crony.storage.memory.state import Memory

_SORTS: dict[str, Callable[[Schedule], str | int | None]] = {
    "name": lambda schedule: schedule.definition.name,
    "next_run_at": lambda schedule: codec.maybe_instant_out(schedule.cursor),
    "created_at": lambda schedule: instant_out(schedule.created_at),
}


class MemorySchedules(Schedules):
    """Schedules in a dict."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def create(self, schedule: Schedule, *, limit: int, quota: int | None) -> bool:
        memory = self._memory
        with memory.verb():
            if schedule.id in memory.used:
                return False
            memory.check_name(schedule)
            mine = [s for s in memory.schedules.values() if s.tenant == schedule.tenant]
            if quota is not None and len(mine) >= quota:
                raise errors.QuotaExceeded(
                    f"the tenant has {quota} schedules, which is all it may have",
                    retry_after=rules.QUOTA_PAUSE,
                )
            check_references(memory, schedule)
            memory.put_schedule(schedule, limit=limit, now=schedule.created_at)
            return True

    def create_all(
        self, batch: Sequence[Creation], *, quota: int | None
    ) -> Sequence[bool | errors.CronyError]:
        with self._memory.verb():
            return [self._tried(item, quota) for item in batch]

    def _tried(self, item: Creation, quota: int | None) -> bool | errors.CronyError:
        try:
            return self.create(item.schedule, limit=item.limit, quota=quota)
        except (errors.Conflict, errors.QuotaExceeded, errors.NotFound) as exc:
            return exc

    def find(self, tenant: str, reference: str) -> Schedule | None:
        with self._memory.verb():
            for schedule in self._memory.schedules.values():
                names = (schedule.id, schedule.definition.name)
                if schedule.tenant == tenant and reference in names:
                    return kept(schedule)
            return None

    def named(self, tenant: str, names: Collection[str]) -> Mapping[str, Schedule]:
        with self._memory.verb():
            return {
                schedule.definition.name: kept(schedule)
                for schedule in self._memory.schedules.values()
                if schedule.tenant == tenant
                and schedule.definition.name is not None
                and schedule.definition.name in names
            }

    def page(
        self, tenant: str, query: ScheduleQuery, *, limit: int, after: Position | None
    ) -> Page[Schedule]:
        value = _SORTS[query.sort]
        with self._memory.verb():
            return paged(
                [
                    schedule
                    for schedule in self._memory.schedules.values()
                    if schedule.tenant == tenant and self._matches(schedule, query)
                ],
                lambda schedule: (value(schedule), schedule.id),
                order=lambda position: (
                    position[0] is None,
                    position[0] if position[0] is not None else 0,
                    position[1],
                ),
                limit=limit,
                after=after,
            )

    def _matches(self, schedule: Schedule, query: ScheduleQuery) -> bool:
        written = schedule.definition
        text = (query.text or "").lower()
        return (
            query.group in (None, written.group)
            and query.queue in (None, written.queue)
            and query.state in (None, schedule.state)
            and query.trigger in (None, codec.trigger_kind(written.trigger))
            and (query.label is None or query.label in written.labels.items())
            and (query.text is None or text in (written.name or "").lower())
            and query.failing in (None, self._failing(schedule))
        )

    def _failing(self, schedule: Schedule) -> bool:
        ended = [
            run
            for run in self._memory.runs.values()
            if run.schedule == schedule.id
            and run.over
            and run.attempt
            and run.origin is not Origin.HOOK
        ]
        newest = max(ended, key=lambda run: (run.scheduled_for, run.id), default=None)
        return newest is not None and newest.state is not RunState.SUCCEEDED

    def definition(
        self, tenant: str, schedule: str, revision: int
    ) -> Definition | None:
        memory = self._memory
        with memory.verb():
            if memory.used.get(schedule) != tenant:
                return None
            return kept(memory.definitions.get((schedule, revision)))

    def update(
        self,
        schedule: Schedule,
        *,
        limit: int,
        expected: Schedule,
        settled: Sequence[Run],
        now: datetime,
    ) -> tuple[bool, Ready]:
        memory = self._memory
        with memory.verb():
            stored = self._current(expected)
            if stored is None:
                return False, frozenset()
            memory.check_name(schedule)
            check_references(memory, schedule)
            with change(memory, schedule.id) as lines:
                count = stored.occurrences + sum(
                    settle(memory, run, now=now) for run in settled
                )
                count -= withdraw(memory, schedule.id, now=now)
                changed = replace(
                    schedule,
                    tenant=stored.tenant,
                    created_at=stored.created_at,
                    occurrences=count,
                )
                memory.put_schedule(changed, limit=limit, now=now)
            return True, ready(lines)

    def versions(
        self, tenant: str, schedule: str, *, until: datetime | None, limit: int
    ) -> Sequence[Version]:
        with self._memory.verb():
            if self._memory.used.get(schedule) != tenant:
                return ()
            versions = [
                version
                for version in reversed(self._memory.versions.get(schedule, []))
                if until is None or version.since < cut(until)
            ]
            return kept(tuple(versions[:limit]))

    def in_group(
        self, tenant: str, group: str, *, held: bool, limit: int
    ) -> Sequence[Schedule]:
        with self._memory.verb():
            found = [
                schedule
                for schedule in self._memory.schedules.values()
                if schedule.tenant == tenant
                and schedule.definition.group == group
                and schedule.held == held
            ]
            found.sort(key=lambda schedule: schedule.id)
            return kept(tuple(found[:limit]))

    def ahead(
        self, tenant: str, *, now: datetime, limit: int, after: str | None
    ) -> Sequence[str]:
        with self._memory.verb():
            found = {
                run.schedule
                for run in self._memory.runs.values()
                if run.tenant == tenant and rules.is_ahead(run, now=now)
            }
            return tuple(sorted(n for n in found if n > (after or ""))[:limit])

    def unfinished(
        self, tenant: str, *, limit: int, after: str | None
    ) -> Sequence[Schedule]:
        memory = self._memory
        with memory.verb():
            found = {
                run.schedule
                for run in memory.runs.values()
                if run.tenant == tenant
                and run.state in (*HELD, RunState.PENDING)
                and run.origin is not Origin.HOOK
                and run.schedule in memory.schedules
            }
            names = sorted(n for n in found if n > (after or ""))[:limit]
            return kept(tuple(memory.schedules[name] for name in names))

    def limit(self, batch: Sequence[Creation]) -> Ready:
        memory = self._memory
        with memory.verb():
            others = {
                item.schedule.id: item.limit
                for item in batch
                if (stored := memory.schedules.get(item.schedule.id)) is not None
                and stored.revision == item.schedule.revision
                and memory.limits[item.schedule.id] != item.limit
            }
            with change(memory, *others) as lines:
                memory.limits.update(others)
            return ready(lines)

    def _current(self, expected: Schedule) -> Schedule | None:
        """Return the stored schedule while it is as expected."""
        stored = self._memory.schedules.get(expected.id)
        if stored is None or stored.tenant != expected.tenant:
            return None
        same = (stored.revision, stored.cursor) == (
            expected.revision,
            kept(expected.cursor),
        )
        return stored if same else None

    def delete(
        self,
        expected: Schedule,
        *,
        settled: Sequence[Run],
        cancel_running: bool,
        now: datetime,
    ) -> tuple[bool, Sequence[Run], Ready]:
        memory = self._memory
        with memory.verb():
            if self._current(expected) is None:
                return False, (), frozenset()
            with change(memory, expected.id) as lines:
                for run in settled:
                    settle(memory, run, now=now)
                mine = [r for r in memory.runs.values() if r.schedule == expected.id]
                before = [memory.full(run) for run in mine if run.state in HELD]
                for run in mine:
                    strike(memory, run, cancel_running=cancel_running, now=now)
                memory.drop_schedule(expected.id, now=now)
            held = tuple(sorted(before, key=lambda run: run.id))
            return True, held, ready(lines)

    def due(self, horizon: datetime, *, limit: int) -> Sequence[Schedule]:
        with self._memory.verb():
            found = [
                (schedule.cursor, schedule.id, schedule)
                for schedule in self._memory.schedules.values()
                if self._comes_due(schedule)
                and schedule.cursor is not None
                and schedule.cursor <= cut(horizon)
            ]
            found.sort(key=lambda item: item[:2])
            return tuple(kept(schedule) for _, _, schedule in found[:limit])

    def earliest(self) -> datetime | None:
        with self._memory.verb():
            return min(
                (
                    schedule.cursor
                    for schedule in self._memory.schedules.values()
                    if self._comes_due(schedule) and schedule.cursor is not None
                ),
                default=None,
            )

    def _comes_due(self, schedule: Schedule) -> bool:
        active = schedule.state is ScheduleState.ACTIVE
        return active and not self._memory.is_held(schedule.tenant)

    def walk(
        self, *, limit: int, after: Position | None
    ) -> tuple[Sequence[Schedule], Position | None]:
        memory = self._memory
        with memory.verb():
            walked, end = memory.walk(limit=limit, after=after)
            found = (memory.schedules.get(name) for _, name in walked)
            return (
                tuple(
                    kept(schedule)
                    for schedule in found
                    if schedule is not None and schedule.cursor is not None
                ),
                end,
            )

    def materialise(
        self, batch: Sequence[Materialisation], *, now: datetime
    ) -> tuple[Sequence[bool], Ready]:
        with self._memory.verb():
            touched = {item.schedule for item in batch}
            with change(self._memory, *touched) as lines:
                counted = [materialise(self._memory, item, now=now) for item in batch]
            return tuple(counted), ready(lines)
