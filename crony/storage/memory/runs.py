"""Runs, in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from crony import errors
from crony.model.lease import Ready
from crony.model.run import ErrorEntry, Progress, Run
from crony.model.state import Reason, RunState
from crony.storage import rules
from crony.storage.codec import cut, instant_out, kept
from crony.storage.contract import Page, Position, RunQuery, Runs
from crony.storage.memory.state import Memory, paged, ready, summary

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
            pending = [
                other
                for other in memory.runs.values()
                if other.tenant == run.tenant and other.state is RunState.PENDING
            ]
            if quota is not None and len(pending) >= quota:
                raise errors.QuotaExceeded(
                    f"the tenant has {quota} pending runs, which is all it may have",
                    retry_after=rules.QUOTA_PAUSE,
                )
            with memory.change(run.schedule) as lines:
                recalled = memory.recall_for(run)
                memory.put(replace(kept(run), attempts=()), now=run.created_at)
            return True, ready(lines), recalled

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
                order=lambda position: (-int(position[0] or 0), _Down(position[1])),
                limit=limit,
                after=after,
            )
            return Page(tuple(summary(item.run) for item in page.items), page.next)

    def recent(
        self, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[Run]]:
        with self._memory.verb():
            runs = [
                (run.schedule, run)
                for run in self._memory.runs.values()
                if run.state is not RunState.WITHDRAWN
            ]
            newest = _newest(
                schedules,
                runs,
                order=lambda run: (run.scheduled_for, run.id),
                limit=limit,
            )
            return {name: [summary(run) for run in of] for name, of in newest.items()}

    def errors(
        self, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[ErrorEntry]]:
        with self._memory.verb():
            entries = [
                (
                    run.schedule,
                    rules.error_entry(
                        run.id,
                        attempt.number,
                        state=attempt.state,
                        reason=attempt.reason,
                        at=attempt.finished_at,
                        error=attempt.error,
                    ),
                )
                for run in self._memory.runs.values()
                for attempt in run.attempts
                if attempt.state in rules.FAULTS and attempt.finished_at is not None
            ]
            return _newest(
                schedules,
                entries,
                order=lambda entry: (entry.at, entry.run, entry.attempt),
                limit=limit,
            )

    def progress(
        self, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[Progress]]:
        with self._memory.verb():
            return {
                schedule: list(reversed(entries))[:limit]
                for schedule in schedules
                if (entries := self._memory.progress.get(schedule))
            }

    def cancel(self, tenant: str, run: str, *, now: datetime) -> tuple[Run, Ready]:
        memory = self._memory
        with memory.verb():
            found = memory.runs.get(run)
            if found is None or found.tenant != tenant:
                raise errors.NotFound("run", run)
            with memory.change(found.schedule) as lines:
                match found.state:
                    case RunState.STOPPING:
                        pass
                    case RunState.RUNNING:
                        stopping = replace(
                            found, state=RunState.STOPPING, reason=Reason.USER
                        )
                        memory.put(stopping, now=now)
                    case RunState.PENDING | RunState.LEASED:
                        if found.state is RunState.LEASED:
                            found = memory.without_offer(found)
                        memory.put(
                            replace(
                                found,
                                state=RunState.CANCELLED,
                                reason=Reason.USER,
                                finished_at=cut(now),
                            ),
                            now=now,
                        )
                    case _:
                        raise errors.RunOver(run, found.state.value)
            return memory.full(memory.runs[run]), ready(lines)


class _Listed:
    """A run on its way through ``paged``, which leaves it as it is."""

    def __init__(self, run: Run) -> None:
        self.run = run


class _Down(str):
    """A text that sorts the other way round."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)

    def __gt__(self, other: str) -> bool:
        return str.__lt__(self, other)


def _matches(run: Run, query: RunQuery) -> bool:
    return (
        query.schedule in (None, run.schedule)
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
