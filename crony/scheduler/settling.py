"""Settling: what occurrences become, from the cursor on.

Every occurrence of a schedule ends as exactly one record: a run of its own, or its
place in one record for a long stretch of them. What was settled lies behind the
cursor.

What came due while nothing ticked is a *misfire*. The policy says which misfires run
all the same; the others are missed, those in a row as one record.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crony.clock import MOMENT
from crony.model.policy import ALL, LATEST, MISFIRE_AFTER, Policy
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import Origin, Reason, RunState
from crony.scheduler.making import made, stretch
from crony.scheduler.occurrences import calendar_of
from crony.scheduler.stretches import nth
from crony.triggers import Bounded, jittered


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What some occurrences become, and the cursor behind them.

    ``complete`` is false when the bound was reached before ``until``. ``added`` is
    by how much the schedule's count of occurrences grows.
    """

    runs: tuple[Run, ...]
    cursor: datetime | None
    complete: bool
    added: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """How to settle: up to when (inclusive), and what is known of the past.

    ``policy`` is what holds for the schedule. ``gap_until``: what came due up to here
    did so while nothing ticked. ``known`` are instants from the cursor on that have a
    run already, which happens when an edit met a run that had been confirmed ahead
    of its instant. ``resumed`` ends a pause, and says as ``misfire`` does which of
    the occurrences in it run now; ``None``: none does.
    """

    until: datetime
    now: datetime
    limit: int
    policy: Policy
    gap_until: datetime | None = None
    known: Sequence[datetime] = ()
    resumed: str | None = None

    @property
    def misfires_until(self) -> datetime:
        """What was due by then, and is not settled, came due while nothing ticked.

        Ticks look ahead: what is found this late was not looked at in time, also
        where another node saw the gap and this one did not.
        """
        late = self.now - MISFIRE_AFTER
        gap = late if self.gap_until is None else max(late, self.gap_until)
        return min(gap, self.until)

    @property
    def oldest(self) -> datetime:
        """What was due before that runs no more."""
        return self.now - self.policy.misfire_window


def settle(schedule: Schedule, how: Settling) -> Settlement:
    """Return what the occurrences from the cursor to ``how.until`` become.

    At most ``how.limit`` of them become runs.
    """
    return _Settler(schedule, how).settlement()


def needs_known(schedule: Schedule, how: Settling) -> bool:
    """Return whether ``settle`` must be told of runs that exist already.

    A stretch must not begin at one of them, since its record would take that id;
    and they do not count towards ``max_runs`` again. A single run that exists is
    found by its id.
    """
    cursor = schedule.cursor
    if cursor is None or cursor > how.until:
        return False
    if schedule.paused or schedule.definition.max_runs is not None:
        return True
    all_run = how.policy.misfire == ALL and cursor >= how.oldest
    return cursor <= how.misfires_until and not all_run


class _Settler:
    """Goes through the occurrences once, from the cursor on."""

    def __init__(self, schedule: Schedule, how: Settling) -> None:
        self._schedule = schedule
        self._how = how
        self._calendar: Bounded = calendar_of(schedule)
        self._known = sorted(how.known)
        self._runs: list[Run] = []
        self._added = 0
        most = schedule.definition.max_runs
        self._left = None if most is None else max(most - schedule.occurrences, 0)

    def settlement(self) -> Settlement:
        start, how = self._schedule.cursor, self._how
        if start is None:
            return self._done(None, complete=True)
        if self._schedule.paused:
            # All that came due in a pause was kept from running, not only what
            # nobody looked at.
            late_until, mode = how.until, how.resumed
            instead = (RunState.SKIPPED, Reason.PAUSED)
        else:
            late_until, mode = self._misfires_until(start), how.policy.misfire
            instead = (RunState.MISSED, Reason.MISFIRE)
        if start <= late_until:
            first = self._first_to_run(start, late_until, mode)
            self._stretches(start, min(first - MOMENT, late_until), *instead)
            start = first
        return self._single_runs(start, late_until)

    def _misfires_until(self, start: datetime) -> datetime:
        """Return up to where misfires reach; jitter may keep the last from being one.

        No jitter reaches beyond the next occurrence, so that all before it are due.
        """
        until = self._how.misfires_until
        if not self._schedule.definition.jitter:
            return until
        last = self._last(start, until)
        if last is None or self._due_at(last, self._calendar.first(last)) <= until:
            return until
        return last - MOMENT

    def _first_to_run(
        self, start: datetime, end: datetime, mode: str | None
    ) -> datetime:
        """Return from which instant on the late ones of ``start`` to ``end`` run."""
        behind = end + MOMENT
        young = min(max(start, self._how.oldest), behind)
        if mode == ALL:
            return young
        last = self._last(start, end) if mode == LATEST else None
        return behind if last is None or last < young else last

    def _last(self, start: datetime, end: datetime) -> datetime | None:
        """Return the last occurrence in a span, within ``max_runs``."""
        number = self._calendar.count(start - MOMENT, end) if start <= end else 0
        if self._left is not None:
            known = bisect_right(self._known, end) - bisect_left(self._known, start)
            number = min(number, self._left + known)
        first = self._calendar.first(start, inclusive=True)
        if number < 1 or first is None:
            return None
        return nth(self._calendar, first, end, number)

    def _after(self, start: datetime, until: datetime) -> datetime | None:
        return self._calendar.first(max(until, start - MOMENT))

    def _done(self, cursor: datetime | None, *, complete: bool) -> Settlement:
        if self._left == 0:
            cursor, complete = None, True
        return Settlement(
            runs=tuple(self._runs),
            cursor=cursor,
            complete=complete,
            added=self._added,
        )

    def _single_runs(self, start: datetime, late_until: datetime) -> Settlement:
        """Make runs of what is due from ``start`` on, as many as the bounds let."""
        how = self._how
        instants = self._calendar.between(
            start - MOMENT, how.until, limit=how.limit + 1
        )
        complete = len(instants) <= how.limit
        after = self._after(start, how.until) if complete else instants.pop()
        for index, instant in enumerate(instants):
            known = self._is_known(instant)
            if self._left == 0 and not known:
                break
            if not known:
                self._count(1)
            following = instants[index + 1] if index + 1 < len(instants) else after
            late = instant <= late_until
            self._runs.append(self._run(instant, following, catch_up=late))
        return self._done(after, complete=complete)

    def _is_known(self, instant: datetime) -> bool:
        index = bisect_left(self._known, instant)
        return index < len(self._known) and self._known[index] == instant

    def _count(self, number: int) -> None:
        self._added += number
        if self._left is not None:
            self._left -= number

    def _due_at(self, instant: datetime, following: datetime | None) -> datetime:
        jitter = self._schedule.definition.jitter
        if not jitter:
            return instant
        return jittered(self._schedule.id, instant, jitter=jitter, following=following)

    def _run(
        self, instant: datetime, following: datetime | None, *, catch_up: bool
    ) -> Run:
        return made(
            self._schedule,
            policy=self._how.policy,
            origin=Origin.SCHEDULE,
            scheduled_for=instant,
            due_at=self._due_at(instant, following),
            now=self._how.now,
            catch_up=catch_up,
        )

    def _stretches(
        self, start: datetime, end: datetime, state: RunState, reason: Reason
    ) -> None:
        """Record what is due from ``start`` to ``end``, in one piece if possible."""
        low = start
        for known in (*self._known, None):
            if known is not None and not low <= known <= end:
                continue
            high = end if known is None else known - MOMENT
            self._stretch(low, high, state, reason)
            if known is not None:
                low = known + MOMENT

    def _stretch(
        self, low: datetime, high: datetime, state: RunState, reason: Reason
    ) -> None:
        number = self._calendar.count(low - MOMENT, high) if low <= high else 0
        if self._left is not None:
            number = min(number, self._left)
        first = self._calendar.first(low, inclusive=True)
        if number < 1 or first is None:
            return
        self._count(number)
        self._runs.append(
            stretch(
                self._schedule,
                first,
                policy=self._how.policy,
                now=self._how.now,
                state=state,
                reason=reason,
                count=number,
                until=nth(self._calendar, first, high, number) if number > 1 else None,
            )
        )
