"""The materialiser: occurrences become runs, a little before they are due.

Any number of these may work at once, in any number of processes: a run's id is a
function of its occurrence, and a cursor moves by comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from crony import errors, log
from crony.clock import MOMENT
from crony.model.policy import Policy
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import Origin, RunState, ScheduleState
from crony.scheduler.policies import Policies
from crony.scheduler.settling import Settlement, Settling, needs_known, settle
from crony.scheduler.timing import Timing
from crony.scheduler.wakes import Wakes
from crony.storage.contract import Materialisation, RunQuery, Store

_log = log.get(__name__)

#: So many schedules are looked at in one step,
_SCHEDULES = 500
#: and so many runs are made, shared fairly, so that one schedule that has much to
#: catch up with does not hold up the others;
_RUNS = 5_000
#: but each gets on.
_LEAST = 10

#: Longer than from one round of the ticker to the next, whatever happens.
_SOON = timedelta(seconds=3)


class Materializer:
    """Makes runs of what is due within the look-ahead."""

    def __init__(
        self, store: Store, *, policies: Policies, timing: Timing, wakes: Wakes
    ) -> None:
        self._store = store
        self._policies = policies
        self._ahead: timedelta = timing.lease_ahead
        self._wakes = wakes
        #: Schedules that could not be worked out, by id, with their revision.
        self._bad: dict[str, int] = {}

    def step(self, now: datetime, *, gap_until: datetime | None = None) -> bool:
        """Materialise what is due, once over all schedules or up to the bounds.

        What was due by ``gap_until`` came due while nothing ticked. Returns whether
        another step at once would do more.
        """
        # Those that can't be worked out stay due: they must not fill the page.
        limit = _SCHEDULES + len(self._bad)
        due = self._store.schedules.due(now + self._ahead, limit=limit)
        if not due:
            self._bad.clear()
            return False
        share = max(_LEAST, _RUNS // len(due))
        held = self._policies.many(due)
        items: list[Materialisation] = []
        whole = len(due) < limit
        for schedule in due:
            policy = held[schedule.id].policy
            settlement = self._settled(
                schedule, policy, now=now, limit=share, gap_until=gap_until
            )
            if settlement is not None:
                items.append(_item(schedule, settlement, policy))
                whole = whole and settlement.complete
        # PERF: what is leased together lies side by side, then, in a store that keeps
        # it as it comes.
        items.sort(key=_by_due)
        # Where nothing gets on, at once again would not help.
        return self._write(items, now=now) > 0 and not whole

    def one(self, schedule: Schedule, now: datetime) -> None:
        """Materialise one schedule that was written just now, if it is due.

        The ticker would do it too; this keeps what is due at once from waiting
        for it.
        """
        cursor = schedule.cursor
        if schedule.state is not ScheduleState.ACTIVE or cursor is None:
            return
        if cursor > now + self._ahead:
            return
        policy = self._policy_of(schedule)
        settlement = self._settled(
            schedule, policy, now=now, limit=_RUNS, gap_until=None
        )
        if settlement is not None:
            self._write([_item(schedule, settlement, policy)], now=now)

    def is_far(self, schedule: Schedule, now: datetime) -> bool:
        """Return whether rounds that come by themselves are in time for a schedule."""
        if schedule.state is not ScheduleState.ACTIVE or schedule.cursor is None:
            return True
        return schedule.cursor - self._ahead > now + _SOON

    def catch_up(self, schedule: Schedule, now: datetime) -> None:
        """Settle what is due of a schedule for which nothing ticked until now."""
        while schedule.state is ScheduleState.ACTIVE:
            if schedule.cursor is None or schedule.cursor > now:
                return
            policy = self._policy_of(schedule)
            settlement = self._settled(
                schedule, policy, now=now, limit=_RUNS, gap_until=now
            )
            if settlement is None or settlement.complete:
                if settlement is not None:
                    self._write([_item(schedule, settlement, policy)], now=now)
                return
            if not self._write([_item(schedule, settlement, policy)], now=now):
                return
            schedule = replace(
                schedule,
                cursor=settlement.cursor,
                occurrences=schedule.occurrences + settlement.added,
            )

    def up_to(
        self,
        schedule: Schedule,
        until: datetime,
        *,
        now: datetime,
        limit: int = _RUNS,
        resumed: str | None = None,
    ) -> Settlement:
        """Return what becomes of a schedule's occurrences up to an instant.

        ``resumed``: that is the end of a pause, and this says what runs of it.
        """
        how = Settling(
            until=until,
            now=now,
            limit=limit,
            policy=self._policy_of(schedule),
            resumed=resumed,
        )
        return settle(schedule, self._informed(schedule, how))

    def write(self, schedule: Schedule, settlement: Settlement, now: datetime) -> None:
        """Materialise part of what ``up_to`` found, before it is too much."""
        self._write([_item(schedule, settlement, self._policy_of(schedule))], now=now)

    def _policy_of(self, schedule: Schedule) -> Policy:
        return self._policies.of(schedule.tenant, schedule.definition).policy

    def _settled(
        self,
        schedule: Schedule,
        policy: Policy,
        *,
        now: datetime,
        limit: int,
        gap_until: datetime | None,
    ) -> Settlement | None:
        how = Settling(
            until=now + self._ahead,
            now=now,
            limit=limit,
            policy=policy,
            gap_until=gap_until,
        )
        try:
            return settle(schedule, self._informed(schedule, how))
        except errors.Unavailable:
            raise
        except Exception:  # noqa: BLE001  # one bad row must not stop the others
            if self._bad.get(schedule.id) != schedule.revision:
                self._bad[schedule.id] = schedule.revision
                _log.exception(
                    "a schedule's occurrences can't be worked out",
                    tenant=schedule.tenant,
                    schedule=schedule.id,
                )
            return None

    def _informed(self, schedule: Schedule, how: Settling) -> Settling:
        """Add what is known of runs from the cursor on, where it matters."""
        cursor = schedule.cursor
        if cursor is None or not needs_known(schedule, how):
            return how
        known = tuple(
            run.scheduled_for
            for run in runs_of(
                self._store, schedule, since=cursor, until=how.until + MOMENT
            )
            if run.origin is Origin.SCHEDULE and run.state is not RunState.WITHDRAWN
        )
        return replace(how, known=known)

    def _write(self, items: Sequence[Materialisation], *, now: datetime) -> int:
        """Write a batch; return of how many schedules the cursor moved.

        One by one where the batch can't be written whole.
        """
        if not items:
            return 0
        try:
            counted, ready = self._store.schedules.materialise(items, now=now)
        except errors.Unavailable:
            raise
        except Exception:  # noqa: BLE001  # one bad row must not stop the others
            if len(items) == 1:
                _log.exception(
                    "a schedule can't be materialised",
                    tenant=items[0].tenant,
                    schedule=items[0].schedule,
                )
                return 0
            return sum(self._write([item], now=now) for item in items)
        self._wakes.publish(ready)
        return sum(counted)


def runs_of(
    store: Store,
    schedule: Schedule,
    *,
    since: datetime,
    until: datetime | None = None,
) -> Sequence[Run]:
    """Return all runs of a schedule in a span of ``scheduled_for``."""
    query = RunQuery(schedule=schedule.id, since=since, until=until)
    found: list[Run] = []
    page = store.runs.page(schedule.tenant, query, limit=500, after=None)
    found.extend(page.items)
    while page.next is not None:
        page = store.runs.page(schedule.tenant, query, limit=500, after=page.next)
        found.extend(page.items)
    return found


def _item(
    schedule: Schedule, settlement: Settlement, policy: Policy
) -> Materialisation:
    assert schedule.cursor is not None
    return Materialisation(
        schedule=schedule.id,
        tenant=schedule.tenant,
        revision=schedule.revision,
        cursor=schedule.cursor,
        next_cursor=settlement.cursor,
        runs=settlement.runs,
        limit=policy.limit,
    )


def _by_due(item: Materialisation) -> tuple[datetime, str]:
    """Return when its first run is due, and that run's id.

    By these runs are leased, where neither priority nor a deadline says otherwise.
    """
    if not item.runs:
        return item.cursor, ""
    return item.runs[0].due_at, item.runs[0].id
