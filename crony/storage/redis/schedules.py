"""Schedules, in Redis."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from crony import errors
from crony.model.lease import Ready
from crony.model.run import Run
from crony.model.schedule import Definition, Schedule, Version
from crony.storage.codec import (
    definition_in,
    instant_in,
    instant_out,
    maybe_instant_out,
)
from crony.storage.contract import (
    Creation,
    Materialisation,
    Page,
    Position,
    ScheduleQuery,
    Schedules,
)
from crony.storage.redis import tenantwise, walking
from crony.storage.redis.engine import Arguments, Engine
from crony.storage.redis.listing import schedule_page
from crony.storage.redis.records import (
    Reader,
    policies_out,
    run_out,
    schedule_in,
    schedule_out,
    written_out,
)
from crony.storage.redis.refusals import check, refusal
from crony.storage.redis.values import raw, unpacked


class RedisSchedules(Schedules):
    """Schedules as records of their tenant."""

    def __init__(self, engine: Engine, reader: Reader) -> None:
        self._engine = engine
        self._reader = reader

    def create(self, schedule: Schedule, *, limit: int, quota: int | None) -> bool:
        (stored,) = self.create_all([Creation(schedule, limit)], quota=quota)
        if isinstance(stored, errors.CronyError):
            raise stored
        return stored

    def create_all(
        self, batch: Sequence[Creation], *, quota: int | None
    ) -> Sequence[bool | errors.CronyError]:
        results: list[bool | errors.CronyError] = [False] * len(batch)
        for tenant, numbers in _by_tenant([c.schedule.tenant for c in batch]):
            items = [_creation(batch[n]) for n in numbers]
            answers = self._engine.call(
                "schedule_create", tenant, items=items, quota=quota
            )
            for n, answer in zip(numbers, answers, strict=True):
                results[n] = refusal(answer) or bool(answer)
        return results

    def find(self, tenant: str, reference: str) -> Schedule | None:
        found = self._engine.call("schedule_find", tenant, reference=reference)
        return None if found is None else schedule_in(tenant, found)

    def named(self, tenant: str, names: Collection[str]) -> Mapping[str, Schedule]:
        wanted = list(names)
        calls: list[tuple[str, Arguments]] = [
            (tenant, {"reference": name}) for name in wanted
        ]
        found = self._engine.each("schedule_find", calls)
        schedules = (
            None if (record := check(answer)) is None else schedule_in(tenant, record)
            for answer in found
        )
        return {
            name: each
            for name, each in zip(wanted, schedules, strict=True)
            if each is not None and each.definition.name == name
        }

    def page(
        self, tenant: str, query: ScheduleQuery, *, limit: int, after: Position | None
    ) -> Page[Schedule]:
        return schedule_page(self._engine, tenant, query, limit=limit, after=after)

    def definition(
        self, tenant: str, schedule: str, revision: int
    ) -> Definition | None:
        text = self._engine.call(
            "schedule_definition", tenant, schedule=schedule, revision=revision
        )
        return None if text is None else definition_in(text)

    def update(
        self,
        schedule: Schedule,
        *,
        limit: int,
        expected: Schedule,
        settled: Sequence[Run],
        now: datetime,
    ) -> tuple[bool, Ready]:
        counted, queues = self._engine.call(
            "schedule_update",
            expected.tenant,
            schedule=schedule_out(schedule),
            **written_out(schedule.definition),
            limit=limit,
            expected=_expected(expected),
            settled=[run_out(run) for run in settled],
            policies=policies_out(settled),
            now=instant_out(now),
        )
        return counted, ready(expected.tenant, queues)

    def versions(
        self, tenant: str, schedule: str, *, until: datetime | None, limit: int
    ) -> Sequence[Version]:
        found, definitions = self._engine.call(
            "schedule_versions",
            tenant,
            schedule=schedule,
            until_=maybe_instant_out(until),
            limit=limit,
        )
        return tuple(
            Version(
                schedule=schedule,
                revision=version["revision"],
                since=instant_in(version["since"]),
                definition=definition_in(definitions[str(version["revision"])]),
                held=version["held"],
                rules=version["rules"],
            )
            for version in found
        )

    def in_group(
        self, tenant: str, group: str, *, held: bool, limit: int
    ) -> Sequence[Schedule]:
        found = self._engine.call(
            "schedule_in_group", tenant, group=group, held=held, limit=limit
        )
        return tuple(schedule_in(tenant, each) for each in found)

    def ahead(
        self, tenant: str, *, now: datetime, limit: int, after: str | None
    ) -> Sequence[str]:
        return tuple(
            self._engine.call(
                "schedule_ahead",
                tenant,
                now=instant_out(now),
                limit=limit,
                after=after,
            )
        )

    def unfinished(
        self, tenant: str, *, limit: int, after: str | None
    ) -> Sequence[Schedule]:
        found = self._engine.call(
            "schedule_unfinished", tenant, limit=limit, after=after
        )
        return tuple(schedule_in(tenant, each) for each in found)

    def limit(self, batch: Sequence[Creation]) -> Ready:
        lines: set[tuple[str, str]] = set()
        for tenant, numbers in _by_tenant([c.schedule.tenant for c in batch]):
            items = [
                {
                    "id": batch[n].schedule.id,
                    "revision": batch[n].schedule.revision,
                    "limit": batch[n].limit,
                }
                for n in numbers
            ]
            queues = self._engine.call("schedule_limit", tenant, items=items)
            lines |= ready(tenant, queues)
        return frozenset(lines)

    def delete(
        self,
        expected: Schedule,
        *,
        settled: Sequence[Run],
        cancel_running: bool,
        now: datetime,
    ) -> tuple[bool, Sequence[Run], Ready]:
        tenant = expected.tenant
        counted, held, queues = self._engine.call(
            "schedule_delete",
            tenant,
            expected=_expected(expected),
            settled=[run_out(run) for run in settled],
            policies=policies_out(settled),
            cancel_running=cancel_running,
            now=instant_out(now),
        )
        runs = [self._reader.whole(tenant, unpacked(raw(each))) for each in held]
        runs.sort(key=lambda run: run.id)
        return counted, tuple(runs), ready(tenant, queues)

    def due(self, horizon: datetime, *, limit: int) -> Sequence[Schedule]:
        tenants = list(tenantwise.due(self._engine, ("cursors", instant_out(horizon))))
        asked = {"horizon": instant_out(horizon), "limit": limit}
        answers = self._engine.each("schedule_due", [(name, asked) for name in tenants])
        found = [
            list(walking.readable(tenant, check(answer)))
            for tenant, answer in zip(tenants, answers, strict=True)
        ]
        return tuple(heapq.merge(*found, key=_cursor))[:limit]

    def earliest(self) -> datetime | None:
        asked: dict[str, object] = {}
        names = self._engine.tenants()
        firsts = self._engine.each("schedule_earliest", [(n, asked) for n in names])
        first = min((f for f in firsts if f is not None), default=None)
        return None if first is None else instant_in(first)

    def walk(
        self, *, limit: int, after: Position | None
    ) -> tuple[Sequence[Schedule], Position | None]:
        pieces, end = walking.walk(self._engine, limit=limit, after=after, there=False)
        return (
            tuple(
                schedule
                for tenant, found in pieces
                for schedule in walking.readable(tenant, found)
            ),
            end,
        )

    def materialise(
        self, batch: Sequence[Materialisation], *, now: datetime
    ) -> tuple[Sequence[bool], Ready]:
        results = [False] * len(batch)
        lines: set[tuple[str, str]] = set()
        for tenant, numbers in _by_tenant([item.tenant for item in batch]):
            items = [batch[n] for n in numbers]
            counted, queues = self._engine.call(
                "schedule_materialise",
                tenant,
                items=[_materialisation(item) for item in items],
                policies=policies_out(run for item in items for run in item.runs),
                now=instant_out(now),
            )
            for n, each in zip(numbers, counted, strict=True):
                results[n] = each
            lines |= ready(tenant, queues)
        return tuple(results), frozenset(lines)


def ready(tenant: str, queues: Sequence[str]) -> Ready:
    """Return the lines of a tenant's queues."""
    return frozenset((tenant, queue) for queue in queues)


def _by_tenant(tenants: Sequence[str]) -> list[tuple[str, list[int]]]:
    """Return each tenant with the numbers of its items, in their order."""
    found: dict[str, list[int]] = defaultdict(list)
    for n, tenant in enumerate(tenants):
        found[tenant].append(n)
    return list(found.items())


def _creation(item: Creation) -> dict[str, Any]:
    return {
        "schedule": schedule_out(item.schedule),
        **written_out(item.schedule.definition),
        "limit": item.limit,
    }


def _expected(schedule: Schedule) -> dict[str, Any]:
    return {
        "id": schedule.id,
        "revision": schedule.revision,
        "cursor": maybe_instant_out(schedule.cursor),
    }


def _materialisation(item: Materialisation) -> dict[str, Any]:
    return {
        "schedule": item.schedule,
        "revision": item.revision,
        "cursor": instant_out(item.cursor),
        "next_cursor": maybe_instant_out(item.next_cursor),
        "runs": [run_out(run) for run in item.runs],
        "limit": item.limit,
    }


def _cursor(schedule: Schedule) -> tuple[int, str]:
    return (maybe_instant_out(schedule.cursor) or 0, schedule.id)
