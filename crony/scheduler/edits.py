"""Edits: schedules are changed and deleted without losing an occurrence.

An edit first settles the occurrences up to its instant under the old version;
what was materialised ahead of it is withdrawn, and the cursor is worked out anew.
All of that is one conditional write: who comes too late reads again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from crony import errors, log
from crony.clock import IMPLAUSIBLE, MOMENT, Clock, cut
from crony.model.run import Run
from crony.model.schedule import Definition, Schedule
from crony.model.state import TERMINAL, Origin, RunState
from crony.model.trigger import At, Trigger
from crony.scheduler import triggering
from crony.scheduler.materializer import Materializer, runs_of
from crony.scheduler.occurrences import Settlement, calendar_of, policy_of, standing
from crony.scheduler.wakes import Wakes
from crony.storage.contract import Store

_log = log.get(__name__)

#: So many settled occurrences go into one edit; more are materialised before it.
_SETTLED = 1_000


@dataclass(frozen=True, slots=True)
class _Settled:
    """A schedule as it was read last, and what its occurrences up to now become."""

    schedule: Schedule
    settlement: Settlement


class Edits:
    """Writes the next revision of a schedule, or its end."""

    def __init__(
        self, store: Store, clock: Clock, *, materializer: Materializer, wakes: Wakes
    ) -> None:
        self._store = store
        self._clock = clock
        self._materializer = materializer
        self._wakes = wakes

    def change(self, found: Schedule, definition: Definition) -> Schedule | None:
        """Write the next revision; return ``None`` when another was first.

        The same definition is no revision. Raises ``InvalidBody``, ``NameTaken``.
        """
        if definition == found.definition:
            return found
        now = self._instant(found)
        if not triggering.same_occurrences(definition, found.definition):
            _refuse_never(definition, tenant=found.tenant, now=now)
        settled = self._settled(found, now)
        if settled is None:
            return None
        schedule = self._next(settled, definition, now=now)
        counted, ready = self._store.schedules.update(
            schedule,
            limit=policy_of(definition).max_concurrent,
            expected=settled.schedule,
            settled=settled.settlement.runs,
            now=now,
        )
        if not counted:
            return None
        self._wakes.publish(ready)
        _log.info("schedule changed", tenant=schedule.tenant, schedule=schedule.id)
        # Only the store knows how many occurrences count, after what it withdrew.
        stored = self._store.schedules.find(schedule.tenant, schedule.id)
        if stored is None:
            return schedule
        self.written(stored, now)
        return stored

    def delete(self, found: Schedule, *, cancel_running: bool) -> bool:
        """Remove a schedule; return ``False`` when another was first."""
        now = self._instant(found)
        settled = self._settled(found, now)
        if settled is None:
            return False
        gone, held, ready = self._store.schedules.delete(
            settled.schedule,
            settled=settled.settlement.runs,
            cancel_running=cancel_running,
            now=now,
        )
        if gone:
            _log.info("schedule deleted", tenant=found.tenant, schedule=found.id)
            self._tell_holders(held)
            self._wakes.publish(ready)
        return gone

    def written(self, schedule: Schedule, now: datetime) -> None:
        """Materialise at once what is due at once in what was written just now."""
        if self._clock.held():
            return
        try:
            self._materializer.one(schedule, now)
        except errors.Unavailable:
            # The schedule is stored and acknowledged; the ticker goes on.
            _log.warning("a schedule waits for the ticker", schedule=schedule.id)
        self._wakes.publish_tick()

    def ahead(self, schedule: Schedule, now: datetime) -> int:
        """Return how many runs lie ahead of their instant and have not ended."""
        return sum(
            run.origin is Origin.SCHEDULE
            and run.state is not RunState.WITHDRAWN
            and run.state not in TERMINAL
            for run in runs_of(self._store, schedule, since=now + MOMENT)
        )

    def _instant(self, found: Schedule) -> datetime:
        """Return the instant of an edit: not before the one of the last.

        What that one settled as a stretch would else be due again, on a clock that
        was set back or on a node whose clock is a little behind.
        """
        now = cut(self._clock.now())
        # Further ahead than that, the last one was made by a clock that was wrong.
        trusted = found.updated_at - now <= IMPLAUSIBLE
        return max(now, found.updated_at) if trusted else now

    def _settled(self, found: Schedule, now: datetime) -> _Settled | None:
        """Return what becomes of the occurrences up to now, under the old version.

        Many are materialised beforehand, so that the edit itself stays small.
        ``None`` when another was first meanwhile.
        """
        while True:
            try:
                settlement = self._materializer.up_to(found, now=now, limit=_SETTLED)
            except errors.InvalidTrigger:
                # Its zone went with a release of tzdata: nothing can come due, and
                # it must be possible to mend or remove it.
                settlement = Settlement(
                    runs=(), cursor=found.cursor, complete=True, added=0
                )
            if settlement.complete:
                return _Settled(found, settlement)
            self._materializer.write(found, settlement, now)
            later = self._store.schedules.find(found.tenant, found.id)
            if later is None or later.revision != found.revision:
                return None
            if later.cursor == found.cursor:
                # Nothing gets on here; the caller gives up after some tries.
                return None
            found = later

    def _next(
        self, settled: _Settled, definition: Definition, *, now: datetime
    ) -> Schedule:
        """Return the next revision, with its cursor worked out from now."""
        found = settled.schedule
        schedule = replace(
            found,
            revision=found.revision + 1,
            definition=definition,
            updated_at=now,
        )
        start = now + MOMENT
        if definition.trigger != found.definition.trigger:
            start = asked_for(definition.trigger, start)
        cursor = calendar_of(schedule).first(start, inclusive=True)
        if definition.max_runs is not None:
            # What is ahead may be withdrawn and then does not count. Counting too
            # few here is mended when the cursor comes due, too many never would be.
            counted = found.occurrences + settled.settlement.added
            if counted - self.ahead(found, now) >= definition.max_runs:
                cursor = None
        return replace(schedule, cursor=cursor, state=standing(definition, cursor))

    def _tell_holders(self, held: Sequence[Run]) -> None:
        for run in held:
            self._wakes.publish_run(run.id)
            if run.attempts:
                self._wakes.publish_worker(run.attempts[-1].worker)


def asked_for(trigger: Trigger, start: datetime) -> datetime:
    """Return from when on occurrences count: an ``at`` may be a little late."""
    return min(start, trigger.instant) if isinstance(trigger, At) else start


def _refuse_never(definition: Definition, *, tenant: str, now: datetime) -> None:
    faults = triggering.check_trigger(definition, tenant=tenant, now=now)
    if faults:
        raise errors.InvalidBody(faults)
