"""Edits: schedules are changed and deleted without losing an occurrence.

An edit first settles the occurrences up to its instant under the old version;
what was materialised ahead of it is withdrawn, and the cursor is worked out anew.
All of that is one conditional write: who comes too late reads again.

A pause of a schedule is an edit, and so is the pause of its group, when it is carried
over to it. Either way runs that are ahead of their instant and not confirmed are
withdrawn; those that are due already, or run, stay and come to their end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from crony import errors, log
from crony.clock import IMPLAUSIBLE, MOMENT, Clock, cut
from crony.model.group import Group
from crony.model.run import Run
from crony.model.schedule import Definition, Schedule
from crony.model.state import TERMINAL, Origin, RunState
from crony.model.trigger import At, Trigger
from crony.scheduler import references, triggering
from crony.scheduler.contention import again
from crony.scheduler.materializer import Materializer, runs_of
from crony.scheduler.occurrences import calendar_of, with_cursor
from crony.scheduler.policies import Policies
from crony.scheduler.settling import Settlement
from crony.scheduler.wakes import Wakes
from crony.storage.contract import Creation, Store
from crony.triggers import rules_of

_log = log.get(__name__)

#: So many settled occurrences go into one edit; more are materialised before it.
_SETTLED = 1_000

#: So many schedules are looked at in one step.
_PAGE = 500


@dataclass(frozen=True, slots=True)
class _Settled:
    """A schedule as it was read last, and what its occurrences up to now become."""

    schedule: Schedule
    settlement: Settlement


class Edits:
    """Writes the next revision of a schedule, or its end."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        policies: Policies,
        materializer: Materializer,
        wakes: Wakes,
    ) -> None:
        self._store = store
        self._clock = clock
        self._policies = policies
        self._materializer = materializer
        self._wakes = wakes

    def change(
        self, found: Schedule, definition: Definition, *, misfire: str | None = None
    ) -> Schedule | None:
        """Write the next revision; return ``None`` when another was first.

        The same definition is no revision. Where this ends a pause, ``misfire`` says
        which of the occurrences in it run now, as the policy field does; else they
        stay skipped. Raises ``InvalidBody``, ``NameTaken``.
        """
        if definition == found.definition:
            return found
        before = self._caught_up(found)
        if before is None:
            return None
        now = self._instant(before)
        self._refuse(definition, before, now=now)
        group = self._policies.of(found.tenant, definition).group
        next_one = replace(
            before,
            revision=before.revision + 1,
            definition=definition,
            held=group.paused,
        )
        changed = self._put(next_one, before, now, misfire=misfire)
        if changed is not None:
            _log.info("schedule changed", tenant=changed.tenant, schedule=changed.id)
        return changed

    def hold(self, found: Schedule, group: Group) -> Schedule | None:
        """Carry the pause or resume of its group over to a schedule.

        It holds from ``group.since`` on, however late this comes; what came due
        until then stands under the version before. Returns ``None`` when another was
        first.
        """
        if found.held == group.paused:
            return found
        since = self._no_earlier(found, group.since)
        changed = self._put(
            replace(found, held=group.paused), found, since, misfire=group.misfire
        )
        if changed is not None:
            _log.info(
                "schedule paused with its group"
                if changed.held
                else "schedule resumed with its group",
                tenant=changed.tenant,
                schedule=changed.id,
                group=group.name,
            )
        return changed

    def rework(self, tenant: str, concerns: Callable[[Definition], bool]) -> int:
        """Let a changed policy hold for the occurrences from now on.

        Runs made ahead carry the policy of before: those of the schedules concerned
        are withdrawn and made anew. Returns how many schedules that were. The limit
        of a schedule holds at once, also for what waits already.
        """
        self._limit(tenant, concerns)
        number = 0
        after: str | None = None
        now = cut(self._clock.now())
        while True:
            page = self._store.schedules.ahead(
                tenant, now=now, limit=_PAGE, after=after
            )
            number += sum(self._tried(tenant, each, concerns) for each in page)
            if len(page) < _PAGE:
                return number
            after = page[-1]

    def _limit(self, tenant: str, concerns: Callable[[Definition], bool]) -> None:
        """Give the schedules concerned their limits, as far as they have runs.

        All others get theirs with their next runs.
        """
        after: str | None = None
        while True:
            page = self._store.schedules.unfinished(tenant, limit=_PAGE, after=after)
            some = [each for each in page if concerns(each.definition)]
            holds = self._policies.many(some)
            limits = [Creation(each, holds[each.id].policy.limit) for each in some]
            self._wakes.publish(self._store.schedules.limit(limits))
            if len(page) < _PAGE:
                return
            after = page[-1].id

    def _tried(
        self, tenant: str, schedule: str, concerns: Callable[[Definition], bool]
    ) -> bool:
        try:
            return self._reworked(tenant, schedule, concerns)
        except errors.Unavailable:
            raise
        except Exception:  # noqa: BLE001  # one bad row must not stop the others
            _log.exception(
                "a schedule can't follow its policy", tenant=tenant, schedule=schedule
            )
            return False

    def _reworked(
        self, tenant: str, schedule: str, concerns: Callable[[Definition], bool]
    ) -> bool:
        for _ in again("schedule"):
            found = self._store.schedules.find(tenant, schedule)
            if found is None or not concerns(found.definition):
                return False
            before = self._caught_up(found)
            if before is None:
                continue
            if self._put(before, before, self._instant(before)) is not None:
                return True
        raise AssertionError("unreachable")

    def delete(self, found: Schedule, *, cancel_running: bool) -> bool:
        """Remove a schedule; return ``False`` when another was first."""
        before = self._caught_up(found)
        if before is None:
            return False
        now = self._instant(before)
        settled = self._settled(before, now)
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
            self._wakes.publish(ready)
            self._wakes.publish_events()
            self._tell_holders(held)
        return gone

    def written(self, schedules: Sequence[Schedule], *, now: datetime) -> None:
        """Materialise at once what is due at once in what was written just now."""
        if self._clock.held() or not schedules:
            return
        for schedule in schedules:
            try:
                self._materializer.one(schedule, now)
            except errors.Unavailable:
                # The schedule is stored and acknowledged; the ticker goes on.
                _log.warning("a schedule waits for the ticker", schedule=schedule.id)
        # PERF: a round does much; one for each schedule would leave time for little.
        if all(self._materializer.is_far(schedule, now) for schedule in schedules):
            self._wakes.publish_events()
        else:
            self._wakes.publish_tick()

    def ahead(self, schedule: Schedule, now: datetime) -> int:
        """Return how many runs lie ahead of their instant and have not ended."""
        return sum(
            run.origin is Origin.SCHEDULE
            and run.state is not RunState.WITHDRAWN
            and run.state not in TERMINAL
            for run in runs_of(self._store, schedule, since=now + MOMENT)
        )

    def _refuse(
        self, definition: Definition, found: Schedule, *, now: datetime
    ) -> None:
        """Raise ``InvalidBody`` for what can't be, all faults at once."""
        look = self._policies.look()
        faults = references.missing(look, found.tenant, definition)
        if not triggering.same_occurrences(definition, found.definition):
            policy = look.resolved(found.tenant, definition).policy
            faults += triggering.check_trigger(
                definition,
                tenant=found.tenant,
                now=now,
                window=policy.misfire_window,
            )
        if faults:
            raise errors.InvalidBody(faults)

    def _put(
        self,
        schedule: Schedule,
        found: Schedule,
        now: datetime,
        *,
        misfire: str | None = None,
    ) -> Schedule | None:
        """Write ``schedule`` in the place of ``found``, as it holds from ``now`` on."""
        resumed = misfire if found.paused and not schedule.paused else None
        settled = self._settled(found, now, resumed=resumed)
        if settled is None:
            return None
        schedule = self._from(schedule, settled, now=now)
        policy = self._policies.of(schedule.tenant, schedule.definition).policy
        try:
            counted, ready = self._store.schedules.update(
                schedule,
                limit=policy.limit,
                expected=settled.schedule,
                settled=settled.settlement.runs,
                now=now,
            )
        except errors.Contended:
            return None
        except errors.NotFound as exc:
            # It went after it was looked for.
            raise references.refused(exc) from exc
        if not counted:
            return None
        self._wakes.publish(ready)
        # Only the store knows how many occurrences count, after what it withdrew.
        stored = self._store.schedules.find(schedule.tenant, schedule.id)
        if stored is None:
            return schedule
        self.written([stored], now=max(now, cut(self._clock.now())))
        return stored

    def _caught_up(self, found: Schedule) -> Schedule | None:
        """Return the schedule as it is with the pause or resume of its group."""
        group = self._policies.of(found.tenant, found.definition).group
        return self.hold(found, group)

    def _instant(self, found: Schedule) -> datetime:
        """Return the instant of an edit."""
        return self._no_earlier(found, cut(self._clock.now()))

    def _no_earlier(self, found: Schedule, instant: datetime) -> datetime:
        """Return an instant that is not before the last edit, nor within a stretch.

        What was settled as a stretch would else be due again: on a clock that was
        set back, on a node whose clock is a little behind, or where a group's pause
        is carried over late.
        """
        settled = [found.updated_at]
        standing = self._store.runs.standing_at(found.tenant, found.id, instant)
        later = runs_of(self._store, found, since=instant + MOMENT)
        settled += [
            run.range_until
            for run in (standing, *later)
            if run is not None and run.range_until is not None
        ]
        # Further ahead than that, they were made by a clock that was wrong.
        now = cut(self._clock.now())
        trusted = [each for each in settled if each - now <= IMPLAUSIBLE]
        return max((instant, *trusted))

    def _settled(
        self, found: Schedule, until: datetime, *, resumed: str | None = None
    ) -> _Settled | None:
        """Return what becomes of the occurrences up to then, under the old version.

        Many are written beforehand, so that the edit itself stays small. ``None``
        when another was first meanwhile.
        """
        now = max(until, cut(self._clock.now()))
        while True:
            try:
                settlement = self._materializer.up_to(
                    found, until, now=now, limit=_SETTLED, resumed=resumed
                )
            except errors.InvalidTrigger:
                # Its zone went with a release of tzdata: nothing can come due, and
                # it must be possible to mend or remove it.
                settlement = Settlement(
                    runs=(), cursor=found.cursor, complete=True, added=0
                )
            if settlement.complete:
                return _Settled(found, settlement)
            self._write(found, settlement, now)
            later = self._store.schedules.find(found.tenant, found.id)
            if later is None or later.revision != found.revision:
                return None
            if later.cursor == found.cursor:
                # Nothing gets on here; the caller gives up after some tries.
                return None
            found = later

    def _write(self, found: Schedule, settlement: Settlement, now: datetime) -> None:
        """Write part of what is settled, as if an earlier tick had done it."""
        if not found.paused:
            self._materializer.write(found, settlement, now)
            return
        # No tick ever does that for what is paused.
        policy = self._policies.of(found.tenant, found.definition).policy
        _, ready = self._store.schedules.update(
            with_cursor(found, settlement.cursor),
            limit=policy.limit,
            expected=found,
            settled=settlement.runs,
            now=settlement.runs[-1].scheduled_for,
        )
        self._wakes.publish(ready)

    def _from(
        self, schedule: Schedule, settled: _Settled, *, now: datetime
    ) -> Schedule:
        """Return the schedule with its cursor worked out from ``now`` on."""
        found, definition = settled.schedule, schedule.definition
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
        # What it is like changes then; the runs made ahead alone are no change of it.
        changed = schedule.revision != found.revision or schedule.held != found.held
        return replace(
            with_cursor(schedule, cursor),
            updated_at=now if changed else found.updated_at,
            rules=rules_of(definition.trigger),
        )

    def _tell_holders(self, held: Sequence[Run]) -> None:
        for run in held:
            self._wakes.publish_run(run.id)
            if run.attempts:
                self._wakes.publish_worker(run.attempts[-1].worker)


def asked_for(trigger: Trigger, start: datetime) -> datetime:
    """Return from when on occurrences count: an ``at`` may be a little late."""
    return min(start, trigger.instant) if isinstance(trigger, At) else start
