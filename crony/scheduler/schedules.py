"""Schedules: made, changed, paused and deleted without losing an occurrence.

A change first settles the occurrences up to its instant under the old version;
what was materialised ahead of it is withdrawn, and the cursor is worked out anew.
All of that is one conditional write: who comes too late reads again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from crony import errors, log
from crony.clock import Clock
from crony.errors import Fault
from crony.model import ids
from crony.model.run import Run
from crony.model.schedule import Definition, Schedule
from crony.model.state import TERMINAL, Origin, RunState
from crony.model.trigger import At, Trigger
from crony.scheduler import triggering
from crony.scheduler.attempts import again
from crony.scheduler.materializer import Materializer, runs_of
from crony.scheduler.occurrences import (
    MOMENT,
    Settlement,
    calendar_of,
    cut,
    policy_of,
    standing,
)
from crony.scheduler.views import ScheduleView, Views
from crony.scheduler.wakes import Wakes
from crony.storage.contract import Page, Position, ScheduleQuery, Store
from crony.triggers import Upcoming

_log = log.get(__name__)

#: So many settled occurrences go into one edit; more are materialised before it.
_SETTLED = 1_000


class Schedules:
    """What people do with schedules."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        materializer: Materializer,
        wakes: Wakes,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._store = store
        self._clock = clock
        self._materializer = materializer
        self._wakes = wakes
        self._entropy = entropy
        self._views = Views(store)

    def new_id(self) -> str:
        """Return an id for a schedule that is still to be made."""
        return ids.timed(
            ids.SCHEDULE, self._clock.now(), entropy=self._entropy(ids.ENTROPY)
        )

    def find(self, tenant: str, reference: str) -> Schedule:
        """Return the schedule of that id or name; raises ``NotFound``."""
        found = self._store.schedules.find(tenant, reference)
        if found is None:
            raise errors.NotFound("schedule", reference)
        return found

    def page(
        self, tenant: str, query: ScheduleQuery, *, limit: int, after: Position | None
    ) -> Page[Schedule]:
        """Return some of the schedules that match."""
        return self._store.schedules.page(tenant, query, limit=limit, after=after)

    def views(self, schedules: Sequence[Schedule]) -> list[ScheduleView]:
        """Return schedules with their live part, in the order given."""
        return self._views.of(schedules, now=cut(self._clock.now()))

    # Making.

    def create(
        self, tenant: str, definition: Definition, *, id: str | None = None
    ) -> tuple[Schedule, bool]:
        """Make a schedule; return it, and whether this made it.

        The same name and definition again is the schedule that exists. ``id`` is
        that of an earlier, interrupted request: what that one made counts as made
        by this one. Raises ``InvalidBody``, ``NameTaken``, ``QuotaExceeded``.
        """
        now = cut(self._clock.now())
        faults = self.check_trigger(definition, tenant=tenant, now=now)
        if faults:
            found = self._same(tenant, definition)
            if found is None:
                raise errors.InvalidBody(faults)
            return found, False
        schedule = self._fresh(tenant, definition, id=id or self.new_id(), now=now)
        try:
            stored = self._store.schedules.create(
                schedule,
                limit=policy_of(definition).max_concurrent,
                quota=self._quota(tenant),
            )
        except errors.NameTaken:
            found = self._same(tenant, definition)
            if found is None:
                raise
            return found, found.id == schedule.id
        if not stored:
            return self.find(tenant, schedule.id), True
        _log.info("schedule created", tenant=tenant, schedule=schedule.id)
        self._after_write(schedule, now)
        return schedule, True

    def _fresh(
        self, tenant: str, definition: Definition, *, id: str, now: datetime
    ) -> Schedule:
        schedule = Schedule(
            id=id,
            tenant=tenant,
            revision=1,
            definition=definition,
            state=standing(definition, now),
            cursor=now,
            occurrences=0,
            created_at=now,
            updated_at=now,
        )
        start = _asked_for(definition.trigger, now)
        cursor = calendar_of(schedule).first(start, inclusive=True)
        return replace(schedule, cursor=cursor, state=standing(definition, cursor))

    def _same(self, tenant: str, definition: Definition) -> Schedule | None:
        """Return the schedule that has this name and definition already."""
        if definition.name is None:
            return None
        found = self._store.schedules.find(tenant, definition.name)
        if found is None or found.definition != definition:
            return None
        return found

    def _quota(self, tenant: str) -> int | None:
        found = self._store.tenants.find(tenant)
        if found is None:
            raise errors.NotFound("tenant", tenant)
        return found.quotas.schedules

    # Changing.

    def replace(
        self,
        tenant: str,
        reference: str,
        definition: Definition,
        *,
        if_match: int | None,
        if_none_match: bool = False,
        id: str | None = None,
    ) -> tuple[Schedule, bool]:
        """Replace a schedule, or make it under that name; return whether new."""
        for _ in again("schedule"):
            found = self._store.schedules.find(tenant, reference)
            if found is not None:
                if if_none_match:
                    raise errors.RevisionMismatch(
                        f"the schedule {reference!r} exists already"
                    )
                new = definition
                if new.name is None and reference == found.definition.name:
                    new = replace(new, name=reference)
                changed = self._changed(found, new, if_match=if_match)
                if changed is not None:
                    return changed, False
                continue
            named = self._named(reference, definition, if_match=if_match)
            try:
                return self.create(tenant, named, id=id)
            except errors.NameTaken:
                if if_none_match:
                    raise errors.RevisionMismatch(
                        f"the schedule {reference!r} exists already"
                    ) from None
        raise AssertionError("unreachable")

    def _named(
        self, reference: str, definition: Definition, *, if_match: int | None
    ) -> Definition:
        """Return the definition of a schedule that is made under a name."""
        if if_match is not None:
            raise errors.RevisionMismatch(f"there is no schedule {reference!r} yet")
        if ids.looks_like_id(reference):
            raise errors.NotFound("schedule", reference)
        if definition.name is None:
            return replace(definition, name=reference)
        if definition.name != reference:
            detail = f'"{definition.name}" is not the name in the path, "{reference}"'
            raise errors.InvalidBody([Fault("/name", detail)])
        return definition

    def modify(
        self,
        tenant: str,
        reference: str,
        change: Callable[[Definition], Definition],
        *,
        if_match: int | None,
    ) -> Schedule:
        """Change a schedule; ``change`` is applied anew whenever another was first."""
        for _ in again("schedule"):
            found = self.find(tenant, reference)
            changed = self._changed(found, change(found.definition), if_match=if_match)
            if changed is not None:
                return changed
        raise AssertionError("unreachable")

    def pause(self, tenant: str, reference: str) -> Schedule:
        """Let nothing of a schedule come due until it is resumed."""
        return self.modify(
            tenant, reference, lambda old: replace(old, paused=True), if_match=None
        )

    def resume(self, tenant: str, reference: str) -> Schedule:
        """Let a schedule come due again; what it skipped is recorded."""
        return self.modify(
            tenant, reference, lambda old: replace(old, paused=False), if_match=None
        )

    def _changed(
        self, found: Schedule, definition: Definition, *, if_match: int | None
    ) -> Schedule | None:
        """Write the next revision, or return ``None`` when another was first."""
        _match(found, if_match)
        if definition == found.definition:
            return found
        now = cut(self._clock.now())
        if not triggering.same_occurrences(definition, found.definition):
            _refuse(self.check_trigger(definition, tenant=found.tenant, now=now))
        settlement = self._settled(found, now)
        if settlement is None:
            return None
        schedule = self._next(found, definition, settlement, now=now)
        counted, ready = self._store.schedules.update(
            schedule,
            limit=policy_of(definition).max_concurrent,
            expected=found,
            settled=settlement.runs,
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
        self._after_write(stored, now)
        return stored

    def _settled(self, found: Schedule, now: datetime) -> Settlement | None:
        """Return what becomes of the occurrences up to now, under the old version.

        ``None`` after a part of many was materialised beforehand: read again.
        """
        while True:
            try:
                settlement = self._materializer.up_to(found, now=now, limit=_SETTLED)
            except errors.InvalidTrigger:
                # Its zone went with a release of tzdata: nothing can come due, and
                # it must be possible to mend or remove it.
                return Settlement(runs=(), cursor=found.cursor, complete=True, added=0)
            if settlement.complete:
                return settlement
            self._materializer.write(found, settlement, now)
            later = self._store.schedules.find(found.tenant, found.id)
            if later is None or later.revision != found.revision:
                return None
            if later.cursor == found.cursor:
                # Nothing gets on here; the caller gives up after some tries.
                return None
            found = later

    def _next(
        self,
        found: Schedule,
        definition: Definition,
        settlement: Settlement,
        *,
        now: datetime,
    ) -> Schedule:
        """Return the next revision, with its cursor worked out from now."""
        schedule = replace(
            found,
            revision=found.revision + 1,
            definition=definition,
            updated_at=now,
        )
        start = now + MOMENT
        if definition.trigger != found.definition.trigger:
            start = _asked_for(definition.trigger, start)
        cursor = calendar_of(schedule).first(start, inclusive=True)
        if definition.max_runs is not None:
            # What is ahead may be withdrawn and then does not count. Counting too
            # few here is mended when the cursor comes due, too many never would be.
            certain = found.occurrences + settlement.added - self._ahead(found, now)
            if certain >= definition.max_runs:
                cursor = None
        return replace(schedule, cursor=cursor, state=standing(definition, cursor))

    def _ahead(self, schedule: Schedule, now: datetime) -> int:
        """Return how many runs lie ahead of their instant and have not ended."""
        return sum(
            run.origin is Origin.SCHEDULE
            and run.state is not RunState.WITHDRAWN
            and run.state not in TERMINAL
            for run in runs_of(self._store, schedule, since=now + MOMENT)
        )

    def delete(
        self,
        tenant: str,
        reference: str,
        *,
        if_match: int | None,
        cancel_running: bool,
    ) -> None:
        """Remove a schedule; what has not started never will."""
        for _ in again("schedule"):
            found = self.find(tenant, reference)
            _match(found, if_match)
            now = cut(self._clock.now())
            settlement = self._settled(found, now)
            if settlement is None:
                continue
            gone, held = self._store.schedules.delete(
                found,
                settled=settlement.runs,
                cancel_running=cancel_running,
                now=now,
            )
            if gone:
                _log.info("schedule deleted", tenant=tenant, schedule=found.id)
                self._tell_holders(held)
                return

    def _tell_holders(self, held: Sequence[Run]) -> None:
        for run in held:
            self._wakes.publish_run(run.id)
            if run.attempts:
                self._wakes.publish_worker(run.attempts[-1].worker)

    def _after_write(self, schedule: Schedule, now: datetime) -> None:
        """Materialise at once what is due at once."""
        if self._clock.held():
            return
        try:
            self._materializer.one(schedule, now)
        except errors.Unavailable:
            # The schedule is stored and acknowledged; the ticker goes on.
            _log.warning("a schedule waits for the ticker", schedule=schedule.id)
        self._wakes.publish_tick()

    # Looking ahead.

    def upcoming(self, tenant: str, reference: str, *, count: int) -> list[Upcoming]:
        """Return the next occurrences of a schedule; none while it is paused."""
        schedule = self.find(tenant, reference)
        definition = schedule.definition
        if definition.paused:
            return []
        now = cut(self._clock.now())
        if definition.max_runs is not None:
            done = schedule.occurrences - self._ahead(schedule, now)
            count = min(count, max(definition.max_runs - done, 0))
        return calendar_of(schedule).upcoming(now, count) if count else []

    def preview(
        self,
        tenant: str,
        *,
        trigger: Trigger,
        start_at: datetime | None = None,
        end_at: datetime | None = None,
        max_runs: int | None = None,
        name: str | None = None,
        count: int = 10,
    ) -> tuple[str, list[Upcoming]]:
        """Describe a trigger, and say when it would be due from now on."""
        return triggering.preview(
            tenant=tenant,
            trigger=trigger,
            start_at=start_at,
            end_at=end_at,
            max_runs=max_runs,
            name=name,
            count=count,
            now=self._clock.now(),
        )

    def check_trigger(
        self, definition: Definition, *, tenant: str, now: datetime
    ) -> list[Fault]:
        """Return why a definition would never be due; see ``triggering``."""
        return triggering.check_trigger(definition, tenant=tenant, now=now)


def _asked_for(trigger: Trigger, start: datetime) -> datetime:
    """Return from when on occurrences count: an ``at`` may be a little late."""
    return min(start, trigger.instant) if isinstance(trigger, At) else start


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise errors.InvalidBody(faults)


def _match(schedule: Schedule, if_match: int | None) -> None:
    if if_match is not None and if_match != schedule.revision:
        raise errors.RevisionMismatch(
            f"the schedule is at revision {schedule.revision}, not {if_match}"
        )
