"""Runs, in Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from crony.model import policy
from crony.model.hook import FollowUp, HookKind
from crony.model.lease import Ready
from crony.model.moving import Pruned
from crony.model.run import ErrorEntry, Progress, Run
from crony.model.schedule import Schedule
from crony.model.state import AttemptState, Reason, RunState
from crony.storage import rules
from crony.storage.codec import duration_out, instant_in, instant_out
from crony.storage.contract import Live, Page, Position, RunQuery, Runs
from crony.storage.redis import following, walking
from crony.storage.redis.engine import Engine
from crony.storage.redis.listing import run_page
from crony.storage.redis.records import (
    Reader,
    Record,
    policies_out,
    progress_in,
    run_out,
)
from crony.storage.redis.schedules import ready


class RedisRuns(Runs):
    """Runs as records of their tenant."""

    def __init__(self, engine: Engine, reader: Reader) -> None:
        self._engine = engine
        self._reader = reader

    def insert(
        self, run: Run, *, quota: int | None
    ) -> tuple[bool, Ready, frozenset[str]]:
        new, queues, workers = self._engine.call(
            "run_insert",
            run.tenant,
            run=run_out(run),
            policies=policies_out([run]),
            quota=quota,
            now=instant_out(run.created_at),
            ahead=duration_out(policy.CONFIRM_AHEAD) // 1000,
        )
        return new, ready(run.tenant, queues), frozenset(workers)

    def backfill(self, runs: Sequence[Run], *, quota: int | None) -> tuple[int, Ready]:
        if not runs:
            return 0, frozenset()
        tenant = runs[0].tenant
        new, queues = self._engine.call(
            "run_backfill",
            tenant,
            runs=[run_out(run) for run in runs],
            policies=policies_out(runs),
            quota=quota,
        )
        return new, ready(tenant, queues)

    def standing_at(self, tenant: str, schedule: str, instant: datetime) -> Run | None:
        found = self._engine.call(
            "run_standing_at",
            tenant,
            schedule=schedule,
            instant=instant_out(instant),
        )
        return None if found is None else self._reader.runs(tenant, [found])[0]

    def follow_ups(self, *, limit: int) -> Sequence[FollowUp]:
        return following.owed(self._engine, limit=limit)

    def followed(self, items: Sequence[FollowUp]) -> None:
        following.settle(self._engine, items)

    def prune(
        self,
        tenant: str,
        schedule: str,
        *,
        keep: int,
        before: datetime,
        now: datetime,
        limit: int,
    ) -> int:
        gone = self._engine.call(
            "run_prune",
            tenant,
            schedule=schedule,
            keep=keep,
            before=instant_out(before),
            now=instant_out(now),
            limit=limit,
        )
        return int(gone)

    def pruned(self, tenant: str, schedule: str) -> Pruned | None:
        found = self._engine.call("run_pruned", tenant, schedule=schedule)
        return None if found is None else pruned_in(found)

    def prunable(
        self, *, limit: int, after: Position | None
    ) -> tuple[Sequence[tuple[str, str, Schedule | None]], Position | None]:
        pieces, end = walking.walk(self._engine, limit=limit, after=after, there=True)
        return (
            tuple(
                entry
                for tenant, found in pieces
                for each in found
                for entry in _prunable(tenant, each)
            ),
            end,
        )

    def find(self, tenant: str, run: str) -> Run | None:
        found = self._engine.call("run_find", tenant, run=run)
        return None if found is None else self._reader.whole(tenant, found)

    def page(
        self, tenant: str, query: RunQuery, *, limit: int, after: Position | None
    ) -> Page[Run]:
        return run_page(
            self._engine, self._reader, tenant, query, limit=limit, after=after
        )

    def recent(
        self, tenant: str, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[Run]]:
        found = self._newest("run_recent", tenant, schedules, limit=limit)
        return {
            schedule: self._reader.runs(tenant, records)
            for schedule, records in found.items()
        }

    def errors(
        self, tenant: str, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[ErrorEntry]]:
        found = self._newest("run_errors", tenant, schedules, limit=limit)
        return {
            schedule: [
                entry
                for each in records
                if (entry := _error(each["run"], each["attempt"])) is not None
            ]
            for schedule, records in found.items()
        }

    def progress(
        self, tenant: str, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[Progress]]:
        found = self._newest("run_progress", tenant, schedules, limit=limit)
        return {
            schedule: [progress_in(record) for record in records]
            for schedule, records in found.items()
        }

    def _newest(
        self, script: str, tenant: str, schedules: Sequence[str], *, limit: int
    ) -> dict[str, list[Record]]:
        """Return what a script finds of each schedule that has any."""
        names = list(dict.fromkeys(schedules))
        found = self._engine.call(script, tenant, schedules=names, limit=limit)
        return {
            schedule: records
            for schedule, records in zip(names, found, strict=True)
            if records
        }

    def live(
        self, tenant: str, schedules: Sequence[str], *, runs: int, entries: int
    ) -> Mapping[str, Live]:
        return rules.live(self, tenant, schedules, runs=runs, entries=entries)

    def cancel(self, tenant: str, run: str, *, now: datetime) -> tuple[Run, Ready]:
        found, queues = self._engine.call(
            "run_cancel", tenant, run=run, now=instant_out(now)
        )
        return self._reader.whole(tenant, found), ready(tenant, queues)


def _prunable(
    tenant: str, found: Mapping[str, Any]
) -> list[tuple[str, str, Schedule | None]]:
    kept = found.get("schedule")
    if kept is None:
        return [(tenant, found["id"], None)]
    # What can't be read back is not deleted, and nobody knows how long it is kept.
    return [(tenant, s.id, s) for s in walking.readable(tenant, [kept])]


def pruned_in(found: Record) -> Pruned:
    """Return what is left of runs that were pruned, of ``pruning.lua``'s record."""
    return Pruned(
        until=instant_in(found["until_"]),
        occurrences=_counts(found["occurrences"]),
        others=_counts(found["others"]),
    )


def _counts(found: Mapping[str, int] | Sequence[object]) -> dict[RunState, int]:
    # Lua's empty table is a list.
    pairs = found.items() if isinstance(found, Mapping) else ()
    return {RunState(state): count for state, count in pairs}


def _error(run: str, attempt: Record) -> ErrorEntry | None:
    """Return the line for a schedule's errors."""
    state, at = AttemptState(attempt["state"]), instant_in(attempt["finished_at"])
    reason = None if attempt.get("reason") is None else Reason(attempt["reason"])
    if "hook" in attempt:
        return rules.hook_error(
            attempt["parent"],
            attempt["hook_attempt"],
            kind=HookKind(attempt["hook"]),
            state=state,
            reason=reason,
            at=at,
            error=attempt.get("error"),
            says=attempt.get("says"),
        )
    return rules.error_entry(
        run,
        attempt["number"],
        state=state,
        reason=reason,
        at=at,
        error=attempt.get("error"),
    )
