"""From a schedule to its occurrences, and from occurrences to records.

Every occurrence of a schedule ends as exactly one record: a run of its own, or
its place in one record for a long stretch of them. What was settled lies behind
the cursor; ``settle`` says what the next piece becomes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from crony.clock import MOMENT
from crony.model import ids
from crony.model.policy import (
    MISFIRE_AFTER,
    MISFIRE_WINDOW,
    Policy,
    PolicySettings,
    resolve,
)
from crony.model.run import Run
from crony.model.schedule import Definition, Schedule
from crony.model.state import Origin, Reason, RunState, ScheduleState
from crony.model.trigger import At
from crony.triggers import Bounded, bounded, compile_trigger, jittered


def policy_of(definition: Definition) -> Policy:
    """Return the policy that holds for a schedule."""
    return _resolved(definition.policy)


@lru_cache(maxsize=1024)
def _resolved(settings: PolicySettings) -> Policy:
    # It is asked for each occurrence, and most schedules set the same few.
    return resolve(("schedule", settings))[0]


def calendar(definition: Definition, *, identity: str, created_at: datetime) -> Bounded:
    """Return the occurrences of a definition; raises ``InvalidTrigger``.

    Nothing before the creation is due, save the instant of an ``at``: it was
    asked for by itself, and how far back it may lie is checked at the door.
    """
    compiled = compile_trigger(
        definition.trigger,
        identity=identity,
        anchor=definition.start_at or created_at,
    )
    return bounded(
        compiled,
        not_before=None if isinstance(definition.trigger, At) else created_at,
        start_at=definition.start_at,
        end_at=definition.end_at,
    )


def calendar_of(schedule: Schedule) -> Bounded:
    """Return the occurrences of a schedule."""
    return calendar(
        schedule.definition,
        identity=schedule.identity,
        created_at=schedule.created_at,
    )


def standing(definition: Definition, cursor: datetime | None) -> ScheduleState:
    """Return the state of a schedule with that cursor."""
    if cursor is None:
        return ScheduleState.FINISHED
    return ScheduleState.PAUSED if definition.paused else ScheduleState.ACTIVE


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

    ``gap_until``: what came due up to here did so while nothing ticked. ``known``
    are instants from the cursor on that have a run already, which happens when an
    edit met a run that had been confirmed ahead of its instant.
    """

    until: datetime
    now: datetime
    limit: int
    gap_until: datetime | None = None
    known: Sequence[datetime] = ()


def settle(schedule: Schedule, how: Settling) -> Settlement:
    """Return what the occurrences from the cursor to ``how.until`` become.

    Those of a paused schedule are skipped, as one stretch. Of an active one, those
    older than the misfire window are missed, as one stretch, and the others are
    runs, at most ``how.limit`` of them.
    """
    return _Settler(schedule, how).settlement()


def needs_known(schedule: Schedule, how: Settling) -> bool:
    """Return whether ``settle`` must be told of runs that exist already.

    A stretch must not begin at one of them, since its record would take that id;
    and they do not count towards ``max_runs`` again. A single run that exists is
    found by its id.
    """
    if schedule.cursor is None or schedule.cursor > how.until:
        return False
    return (
        schedule.definition.paused
        or schedule.definition.max_runs is not None
        or schedule.cursor < how.now - MISFIRE_WINDOW
    )


class _Settler:
    """Goes through the occurrences once, from the cursor on."""

    def __init__(self, schedule: Schedule, how: Settling) -> None:
        self._schedule = schedule
        self._how = how
        self._calendar = calendar_of(schedule)
        self._policy = policy_of(schedule.definition)
        self._known = sorted(how.known)
        self._runs: list[Run] = []
        self._added = 0
        most = schedule.definition.max_runs
        self._left = None if most is None else max(most - schedule.occurrences, 0)

    def settlement(self) -> Settlement:
        start = self._schedule.cursor
        if start is None:
            return self._done(None, complete=True)
        how = self._how
        if self._schedule.definition.paused:
            self._stretches(start, how.until, RunState.SKIPPED, Reason.PAUSED)
            return self._done(self._after(start, how.until), complete=True)
        oldest = how.now - MISFIRE_WINDOW
        if start < oldest:
            end = min(oldest - MOMENT, how.until)
            self._stretches(start, end, RunState.MISSED, Reason.MISFIRE)
            start = max(start, end + MOMENT)
        return self._single_runs(start)

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

    def _single_runs(self, start: datetime) -> Settlement:
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
            self._runs.append(self._run(instant, following))
        return self._done(after, complete=complete)

    def _is_known(self, instant: datetime) -> bool:
        index = bisect_left(self._known, instant)
        return index < len(self._known) and self._known[index] == instant

    def _count(self, number: int) -> None:
        self._added += number
        if self._left is not None:
            self._left -= number

    def _run(self, instant: datetime, following: datetime | None) -> Run:
        how, jitter = self._how, self._schedule.definition.jitter
        due_at = (
            jittered(self._schedule.id, instant, jitter=jitter, following=following)
            if jitter
            else instant
        )
        gap = how.gap_until
        # Ticks look ahead: what is found this late was not looked at in time,
        # also where another node saw the gap and this one did not.
        late = how.now - instant >= MISFIRE_AFTER
        return occurrence_run(
            self._schedule,
            instant,
            policy=self._policy,
            now=how.now,
            due_at=due_at,
            catch_up=late or (gap is not None and instant <= gap),
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
            occurrence_run(
                self._schedule,
                first,
                policy=self._policy,
                now=self._how.now,
                state=state,
                reason=reason,
                range_count=number,
                range_until=self._nth(first, high, number) if number > 1 else None,
            )
        )

    def _nth(self, first: datetime, high: datetime, number: int) -> datetime:
        """Return the instant of the ``number``-th occurrence from ``first`` on.

        Found by halving: a stretch may hold years of seconds.
        """
        before = first - MOMENT
        low, top = 0, (high - first) // MOMENT
        while low < top:
            middle = (low + top) // 2
            if self._calendar.count(before, first + middle * MOMENT) >= number:
                top = middle
            else:
                low = middle + 1
        return first + low * MOMENT


def occurrence_run(
    schedule: Schedule,
    instant: datetime,
    *,
    policy: Policy,
    now: datetime,
    due_at: datetime | None = None,
    catch_up: bool = False,
    state: RunState = RunState.PENDING,
    reason: Reason | None = None,
    range_count: int = 1,
    range_until: datetime | None = None,
) -> Run:
    """Return the record of an occurrence, or of a stretch that begins with it."""
    due_at = due_at or instant
    return Run(
        id=ids.run_id(schedule.id, Origin.SCHEDULE, instant),
        tenant=schedule.tenant,
        schedule=schedule.id,
        schedule_name=schedule.definition.name,
        revision=schedule.revision,
        origin=Origin.SCHEDULE,
        scheduled_for=instant,
        due_at=due_at,
        available_at=due_at,
        catch_up=catch_up,
        range_until=range_until,
        range_count=range_count,
        state=state,
        reason=reason,
        queue=schedule.definition.queue,
        priority=policy.priority,
        max_lost=policy.max_lost,
        created_at=now,
        # What never executes is over as soon as it is recorded.
        finished_at=None if state is RunState.PENDING else now,
    )
