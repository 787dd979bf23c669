"""Runs, in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from crony import errors
from crony.model.hook import FollowUp
from crony.model.lease import Ready
from crony.model.moving import Pruned
from crony.model.run import Attempt, ErrorEntry, Progress, Run
from crony.model.schedule import Schedule
from crony.model.state import EXECUTING, Origin, Reason, RunState
from crony.storage import rules
from crony.storage.codec import cut, instant_out, kept
from crony.storage.contract import Live, Page, Position, RunQuery, Runs
from crony.storage.memory.admission import change, offering, ready, recall_for
from crony.storage.memory.ending import end_unstarted, stop
from crony.storage.memory.paging import Down, paged
from crony.storage.memory.pruning import prunable, prune
from crony.storage.memory.state import Memory, summary

_Entry = TypeVar("_Entry")


class MemoryRuns(Runs):
    """Runs in a dict."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def insert(
        self, run: Run, *, quota: int | None
    ) -> tuple[bool, Ready, frozenset[str]]:
        memory = self._memory
        with memory.verb():
            if run.id in memory.runs:
                return False, frozenset(), frozenset()
            if run.schedule not in memory.schedules:
                raise errors.NotFound("schedule", run.schedule)
            self._check_quota(run.tenant, quota=quota, new=1)
            # An offer that gives way may be of another schedule.
            with change(memory, run.schedule, *offering(memory, run.tenant)) as lines:
                recalled = recall_for(memory, run)
                memory.put(replace(kept(run), attempts=()), now=run.created_at)
            return True, ready(lines), recalled

    def backfill(self, runs: Sequence[Run], *, quota: int | None) -> tuple[int, Ready]:
        memory = self._memory
        with memory.verb():
            new = {run.id: run for run in runs if run.id not in memory.runs}
            for run in new.values():
                if run.schedule not in memory.schedules:
                    raise errors.NotFound("schedule", run.schedule)
                self._check_quota(run.tenant, quota=quota, new=len(new))
            with change(memory, *{run.schedule for run in new.values()}) as lines:
                for run in new.values():
                    memory.put(replace(kept(run), attempts=()), now=run.created_at)
            return len(new), ready(lines)

    def _check_quota(self, tenant: str, *, quota: int | None, new: int) -> None:
        """Refuse new runs that would be more than the tenant may have."""
        pending = [
            run
            for run in self._memory.runs.values()
            if run.tenant == tenant and run.state is RunState.PENDING
        ]
        if quota is not None and len(pending) + new > quota:
            raise errors.QuotaExceeded(
                f"the tenant has {len(pending)} pending runs, and may have {quota}: "
                f"there is no room for {new} more",
                retry_after=rules.QUOTA_PAUSE,
            )

    def standing_at(self, tenant: str, schedule: str, instant: datetime) -> Run | None:
        with self._memory.verb():
            records = [
                run
                for run in self._memory.runs.values()
                if run.tenant == tenant
                and run.schedule == schedule
                and run.origin is Origin.SCHEDULE
                and run.state is not RunState.WITHDRAWN
                and run.scheduled_for <= cut(instant)
            ]
            newest = max(records, key=lambda run: run.scheduled_for, default=None)
            return None if newest is None else summary(newest)

    def follow_ups(self, *, limit: int) -> Sequence[FollowUp]:
        with self._memory.verb():
            owed = sorted(
                self._memory.follow_ups.values(),
                key=lambda of: (of.at, of.run, of.attempt, of.kind, of.number),
            )
            return tuple(owed[:limit])

    def followed(self, items: Sequence[FollowUp]) -> None:
        with self._memory.verb():
            for of in items:
                name = (of.run, of.attempt, of.kind, of.number)
                self._memory.follow_ups.pop(name, None)

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
        memory = self._memory
        with memory.verb():
            if memory.used.get(schedule) != tenant:
                return 0
            return prune(
                memory,
                schedule,
                keep=keep,
                before=cut(before),
                now=cut(now),
                limit=limit,
            )

    def pruned(self, tenant: str, schedule: str) -> Pruned | None:
        memory = self._memory
        with memory.verb():
            if memory.used.get(schedule) != tenant:
                return None
            return kept(memory.pruned.get(schedule))

    def prunable(
        self, *, limit: int, after: Position | None
    ) -> tuple[Sequence[tuple[str, str, Schedule | None]], Position | None]:
        with self._memory.verb():
            return prunable(self._memory, limit=limit, after=after)

    def find(self, tenant: str, run: str) -> Run | None:
        with self._memory.verb():
            found = self._memory.runs.get(run)
            if found is None or found.tenant != tenant:
                return None
            return self._memory.full(found)

    def page(
        self, tenant: str, query: RunQuery, *, limit: int, after: Position | None
    ) -> Page[Run]:
        with self._memory.verb():
            page = paged(
                [
                    _Listed(run)
                    for run in self._memory.runs.values()
                    if run.tenant == tenant and _matches(run, query)
                ],
                lambda item: (instant_out(item.run.scheduled_for), item.run.id),
                order=_oldest_first if query.oldest_first else _newest_first,
                limit=limit,
                after=after,
            )
            return Page(tuple(summary(item.run) for item in page.items), page.next)

    def recent(
        self, tenant: str, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[Run]]:
        with self._memory.verb():
            runs = [
                (run.schedule, run)
                for run in self._memory.runs.values()
                if run.tenant == tenant
                and run.state is not RunState.WITHDRAWN
                and run.origin is not Origin.HOOK
            ]
            newest = _newest(
                schedules,
                runs,
                order=lambda run: (run.scheduled_for, run.id),
                limit=limit,
            )
            return {name: [summary(run) for run in of] for name, of in newest.items()}

    def errors(
        self, tenant: str, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[ErrorEntry]]:
        with self._memory.verb():
            entries = [
                (run.schedule, (entry, run.id, attempt.number))
                for run in self._memory.runs.values()
                if run.tenant == tenant
                for attempt in run.attempts
                if (entry := self._fault(run, attempt)) is not None
            ]
            newest = _newest(
                schedules,
                entries,
                order=lambda item: (item[0].at, *item[1:]),
                limit=limit,
            )
            return {name: [entry for entry, *_ in of] for name, of in newest.items()}

    def _fault(self, run: Run, attempt: Attempt) -> ErrorEntry | None:
        says = self._memory.says.get((run.id, attempt.token))
        return rules.fault(run, attempt, says=says)

    def progress(
        self, tenant: str, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[Progress]]:
        memory = self._memory
        with memory.verb():
            return {
                schedule: list(reversed(entries))[:limit]
                for schedule in schedules
                if memory.used.get(schedule) == tenant
                and (entries := memory.progress.get(schedule))
            }

    def live(
        self, tenant: str, schedules: Sequence[str], *, runs: int, entries: int
    ) -> Mapping[str, Live]:
        with self._memory.verb():
            return rules.live(self, tenant, schedules, runs=runs, entries=entries)

    def cancel(self, tenant: str, run: str, *, now: datetime) -> tuple[Run, Ready]:
        memory = self._memory
        with memory.verb():
            found = memory.runs.get(run)
            if found is None or found.tenant != tenant:
                raise errors.NotFound("run", run)
            if found.over or found.state is RunState.WITHDRAWN:
                raise errors.RunOver(run, found.state.value)
            with change(memory, found.schedule) as lines:
                if found.state not in EXECUTING:
                    end_unstarted(
                        memory, found, RunState.CANCELLED, Reason.USER, now=now
                    )
                elif not rules.stops_for_good(found.state, found.reason):
                    stop(memory, found, Reason.USER, now=now)
            return memory.full(memory.runs[run]), ready(lines)


class _Listed:
    """A run on its way through ``paged``, which leaves it as it is."""

    def __init__(self, run: Run) -> None:
        self.run = run


def _newest_first(position: Position) -> tuple[object, ...]:
    return (-int(position[0] or 0), Down(position[1]))


def _oldest_first(position: Position) -> tuple[object, ...]:
    return (int(position[0] or 0), position[1])


def _matches(run: Run, query: RunQuery) -> bool:
    return (
        query.schedule in (None, run.schedule)
        and query.group in (None, run.group)
        and query.origin in (None, run.origin)
        and query.parent in (None, run.parent)
        and (not query.states or run.state in query.states)
        and (query.since is None or run.scheduled_for >= cut(query.since))
        and (query.until is None or run.scheduled_for < cut(query.until))
        and (
            query.worker is None
            or (bool(run.attempts) and run.attempts[-1].worker == query.worker)
        )
    )


def _newest(
    schedules: Sequence[str],
    items: Sequence[tuple[str, _Entry]],
    *,
    order: Callable[[_Entry], tuple[datetime, str] | tuple[datetime, str, int]],
    limit: int,
) -> Mapping[str, Sequence[_Entry]]:
    """Return the newest items of each schedule that has any, newest first."""
    found: dict[str, Sequence[_Entry]] = {}
    for schedule in schedules:
        mine = [item for owner, item in items if owner == schedule]
        if mine:
            found[schedule] = sorted(mine, key=order, reverse=True)[:limit]
    return found
