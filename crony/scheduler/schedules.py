"""Schedules as people handle them: made, found, changed and looked ahead at."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from crony import errors, log
from crony.clock import Clock, cut
from crony.errors import Fault
from crony.model import ids
from crony.model.schedule import Definition, Schedule
from crony.model.state import ScheduleState
from crony.model.trigger import Trigger
from crony.scheduler import references, triggering
from crony.scheduler.contention import again
from crony.scheduler.edits import Edits, asked_for
from crony.scheduler.occurrences import calendar_of, with_cursor
from crony.scheduler.policies import Look, Policies
from crony.scheduler.views import ScheduleView, Views
from crony.storage.contract import Page, Position, ScheduleQuery, Store
from crony.triggers import Upcoming, rules_of

_log = log.get(__name__)


class Schedules:
    """What people do with schedules."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        policies: Policies,
        edits: Edits,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._store = store
        self._clock = clock
        self._policies = policies
        self._edits = edits
        self._entropy = entropy
        self._views = Views(store, policies=policies)

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

    def named(self, tenant: str, names: Collection[str]) -> Mapping[str, Schedule]:
        """Return the schedules that there are of these names, by name."""
        return self._store.schedules.named(tenant, names)

    def views(
        self, schedules: Sequence[Schedule], *, look: Look | None = None
    ) -> list[ScheduleView]:
        """Return schedules with their live part, in the order given."""
        return self._views.of(schedules, now=cut(self._clock.now()), look=look)

    def look(self) -> Look:
        """Return a look at what has a say in schedules, for one request."""
        return self._policies.look()

    # Making.

    def create(
        self,
        tenant: str,
        definition: Definition,
        *,
        id: str | None = None,
        look: Look | None = None,
    ) -> tuple[Schedule, bool]:
        """Make a schedule; return it, and whether this made it.

        ``look`` is that of the request, where it has had one, and afterwards shows what
        the schedule was made by. The same name and definition again is the schedule
        that exists. ``id`` is that of an earlier, interrupted request: what that one
        made counts as made by this one. Raises ``InvalidBody``, ``NameTaken``,
        ``QuotaExceeded``.
        """
        look = look or self._policies.look()
        for _ in again("group"):
            now = cut(self._clock.now())
            holds = look.resolved(tenant, definition)
            faults = self._faults(tenant, definition, look, now=now)
            if faults:
                # A repeat is answered as the first time, also when its instant is
                # past.
                found = self._of_id(tenant, id) or self._same(tenant, definition)
                if found is None:
                    raise errors.InvalidBody(faults)
                return found, found.id == id
            schedule = fresh(
                tenant,
                definition,
                id=id or self.new_id(),
                now=now,
                held=holds.group.paused,
            )
            try:
                return self._stored(schedule, look, limit=holds.policy.limit)
            except errors.Contended:
                look.forget()
        raise AssertionError("unreachable")

    def _faults(
        self, tenant: str, definition: Definition, look: Look, *, now: datetime
    ) -> list[Fault]:
        """Return why this definition can't be that of a schedule."""
        policy = look.resolved(tenant, definition).policy
        return references.missing(look, tenant, definition) + triggering.check_trigger(
            definition, tenant=tenant, now=now, window=policy.misfire_window
        )

    def _stored(
        self, schedule: Schedule, look: Look, *, limit: int
    ) -> tuple[Schedule, bool]:
        """Store a new schedule; return what is stored, and whether this made it."""
        tenant, definition = schedule.tenant, schedule.definition
        owner = look.tenant(tenant)
        if owner is None:
            raise errors.NotFound("tenant", tenant)
        try:
            stored = self._store.schedules.create(
                schedule, limit=limit, quota=owner.quotas.schedules
            )
        except errors.NameTaken:
            found = self._same(tenant, definition)
            if found is None:
                raise
            return found, found.id == schedule.id
        except errors.NotFound as exc:
            # It went after it was looked for.
            raise references.refused(exc) from exc
        if not stored:
            return self.find(tenant, schedule.id), True
        _log.info("schedule created", tenant=tenant, schedule=schedule.id)
        self._edits.written([schedule], now=schedule.created_at)
        return schedule, True

    def _same(self, tenant: str, definition: Definition) -> Schedule | None:
        """Return the schedule that has this name and definition already."""
        if definition.name is None:
            return None
        found = self._store.schedules.find(tenant, definition.name)
        if found is None or found.definition != definition:
            return None
        return found

    def _of_id(self, tenant: str, id: str | None) -> Schedule | None:
        """Return the schedule that an interrupted request made under its id."""
        return None if id is None else self._store.schedules.find(tenant, id)

    # Changing.

    def replace(
        self,
        tenant: str,
        reference: str,
        definition: Definition,
        *,
        if_match: int | None,
        if_none_match: bool = False,
    ) -> tuple[Schedule, bool]:
        """Replace a schedule, or make it under that name; return whether new."""
        for _ in again("schedule"):
            found = self._store.schedules.find(tenant, reference)
            if found is None:
                named = self._named(reference, definition, if_match=if_match)
                try:
                    made, new = self.create(tenant, named)
                except errors.NameTaken:
                    continue
                if if_none_match and not new:
                    raise _exists(reference)
                return made, new
            if if_none_match:
                raise _exists(reference)
            _match(found, if_match)
            changed = self._edits.change(
                found, _kept_name(definition, found, reference)
            )
            if changed is not None:
                return changed, False
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
        misfire: str | None = None,
    ) -> Schedule:
        """Change a schedule; ``change`` is applied anew whenever another was first.

        ``misfire`` is for a change that ends a pause: see ``resume``.
        """
        for _ in again("schedule"):
            found = self.find(tenant, reference)
            _match(found, if_match)
            changed = self._edits.change(
                found, change(found.definition), misfire=misfire
            )
            if changed is not None:
                return changed
        raise AssertionError("unreachable")

    def pause(self, tenant: str, reference: str) -> Schedule:
        """Let nothing of a schedule come due until it is resumed.

        Its runs that are due already, or run, come to their end; those made ahead are
        withdrawn, unless their worker has confirmed them.
        """
        return self.modify(
            tenant, reference, lambda old: replace(old, paused=True), if_match=None
        )

    def resume(
        self, tenant: str, reference: str, *, misfire: str | None = None
    ) -> Schedule:
        """Let a schedule come due again; what it skipped is recorded.

        ``misfire`` lets occurrences of the pause run now: ``all`` or the ``latest``
        of those within the misfire window. It reaches back to the last change of
        the schedule. While the schedule's group is paused, it stays paused.
        """
        return self.modify(
            tenant,
            reference,
            lambda old: replace(old, paused=False),
            if_match=None,
            misfire=misfire,
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
            if self._edits.delete(found, cancel_running=cancel_running):
                return

    # Looking ahead.

    def upcoming(self, tenant: str, reference: str, *, count: int) -> list[Upcoming]:
        """Return the next occurrences of a schedule; none while it is paused."""
        schedule = self.find(tenant, reference)
        definition = schedule.definition
        if schedule.paused:
            return []
        now = cut(self._clock.now())
        if definition.max_runs is not None:
            done = schedule.occurrences - self._edits.ahead(schedule, now)
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

    def check_new(
        self,
        definition: Definition,
        *,
        tenant: str,
        id: str | None = None,
        look: Look | None = None,
    ) -> list[Fault]:
        """Return why a definition can't be that of a schedule; a repeat always can.

        Its task does not count here; ``create`` looks at the whole.
        """
        now = cut(self._clock.now())
        look = look or self._policies.look()
        faults = self._faults(tenant, definition, look, now=now)
        if not faults or self._of_id(tenant, id) is not None:
            return []
        name = definition.name
        found = None if name is None else self._store.schedules.find(tenant, name)
        repeats = found is not None and triggering.same_occurrences(
            definition, found.definition
        )
        return [] if repeats else faults


def fresh(
    tenant: str, definition: Definition, *, id: str, now: datetime, held: bool
) -> Schedule:
    """Return a new schedule, with the first instant that it is due at."""
    schedule = Schedule(
        id=id,
        tenant=tenant,
        revision=1,
        definition=definition,
        state=ScheduleState.ACTIVE,
        cursor=now,
        occurrences=0,
        created_at=now,
        updated_at=now,
        held=held,
        rules=rules_of(definition.trigger),
    )
    start = asked_for(definition.trigger, now)
    return with_cursor(schedule, calendar_of(schedule).first(start, inclusive=True))


def _kept_name(definition: Definition, found: Schedule, reference: str) -> Definition:
    """Return a definition that keeps the name under which it was asked for."""
    if definition.name is None and reference == found.definition.name:
        return replace(definition, name=reference)
    return definition


def _exists(reference: str) -> errors.RevisionMismatch:
    return errors.RevisionMismatch(f"the schedule {reference!r} exists already")


def _match(schedule: Schedule, if_match: int | None) -> None:
    if if_match is not None and if_match != schedule.revision:
        raise errors.RevisionMismatch(
            f"the schedule is at revision {schedule.revision}, not {if_match}"
        )
