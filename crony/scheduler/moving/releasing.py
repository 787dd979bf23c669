"""Tenants are held, and let go.

Of a held tenant nothing comes due or is leased. What came due meanwhile came due while
nothing ticked for it: its activation says so schedule by schedule, before it lets the
tenant go, so that policy decides on all of it as on misfires.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from crony import errors, log
from crony.clock import Clock, cut
from crony.model.schedule import Schedule
from crony.model.worker import Tenant
from crony.scheduler.contention import again
from crony.scheduler.materializer import Materializer
from crony.scheduler.wakes import Wakes
from crony.storage.contract import Position, ScheduleQuery, Store
from crony.triggers import rules_of

_log = log.get(__name__)

#: What is said of a held tenant, and what to do about it.
HELD = "the tenant is held: nothing of it comes due or starts"
ADVICE = "when all has moved in, let it go: crony import --activate --tenant NAME"

#: So many schedules are looked at in one step.
_PAGE = 200
#: So long nobody counts held tenants again.
_COUNTED_FOR = timedelta(seconds=2)

#: Lets schedules follow the rules of time zones that hold here, from an instant on.
Follow = Callable[[Sequence[Schedule], datetime], None]


class Releasing:
    """Holds a tenant, and lets it go."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        wakes: Wakes,
        materializer: Materializer,
        follow: Follow,
    ) -> None:
        self._store = store
        self._clock = clock
        self._wakes = wakes
        self._materializer = materializer
        self._follow = follow
        #: When held tenants were counted, and how many there were.
        self._counted: tuple[datetime, int] | None = None

    def hold(self, name: str) -> Tenant:
        """Let nothing of a tenant come due or be leased; return it.

        What workers have goes on to its end.
        """
        return self._put(name, held=True)

    def activate(self, name: str) -> Tenant:
        """Let a tenant go on; return it.

        It may be done again where it broke off.
        """
        if self._found(name).held:
            now = cut(self._clock.now())
            self._follow_zones(name, now)
            self._catch_up(name, now)
        tenant = self._put(name, held=False)
        self._wakes.publish_tick()
        return tenant

    def held_tenants(self) -> int:
        """Return how many tenants are held, as of a moment ago: probes ask often."""
        now = self._clock.now()
        if self._counted is None or abs(now - self._counted[0]) >= _COUNTED_FOR:
            self._counted = (now, self._count())
        return self._counted[1]

    def _count(self) -> int:
        number = 0
        after: Position | None = None
        while True:
            page = self._store.tenants.page(limit=_PAGE, after=after)
            number += sum(tenant.held for tenant in page.items)
            after = page.next
            if after is None:
                return number

    def _found(self, name: str) -> Tenant:
        found = self._store.tenants.find(name)
        if found is None:
            raise errors.NotFound("tenant", name)
        return found

    def _put(self, name: str, *, held: bool) -> Tenant:
        for _ in again("tenant"):
            found = self._found(name)
            if found.held == held:
                return found
            changed = replace(
                found,
                held=held,
                revision=found.revision + 1,
                updated_at=cut(self._clock.now()),
            )
            counted, ready = self._store.tenants.put(changed, expected=found.revision)
            if counted:
                self._wakes.publish(ready)
                _log.info("tenant held" if held else "tenant activated", tenant=name)
                return changed
        raise AssertionError("unreachable")

    def _follow_zones(self, name: str, now: datetime) -> None:
        """Work cursors out anew where time zones have other rules here."""
        after: Position | None = None
        while True:
            page = self._store.schedules.page(
                name, ScheduleQuery(), limit=_PAGE, after=after
            )
            self._follow([s for s in page.items if _is_foreign(s)], now)
            after = page.next
            if after is None:
                return

    def _catch_up(self, name: str, now: datetime) -> None:
        """Settle what came due while the tenant was held."""
        query = ScheduleQuery(sort="next_run_at")
        after: Position | None = None
        while True:
            page = self._store.schedules.page(name, query, limit=_PAGE, after=after)
            for schedule in page.items:
                self._materializer.catch_up(schedule, now)
            cursor = page.items[-1].cursor if page.items else None
            after = page.next
            if after is None or cursor is None or cursor > now:
                return


def _is_foreign(schedule: Schedule) -> bool:
    if schedule.cursor is None:
        return False
    try:
        return schedule.rules != rules_of(schedule.definition.trigger)
    except errors.InvalidTrigger:
        # Its zone is not there: people are told when it is worked out.
        return False


def held_by(store: Store, clock: Clock, tenant: Tenant, *, profile: bool) -> bool:
    """Store a tenant that moves in, held; return whether that changed anything.

    Its profile may come after it: without ``profile`` it is left as it is. Raises
    ``InUse`` for one that has schedules of its own and is not held.
    """
    for _ in again("tenant"):
        found = store.tenants.find(tenant.name)
        if found is not None and not found.held:
            _check_free(store, tenant.name)
        kept = found.profile if found is not None else None
        revision = 1 if found is None else found.revision
        arriving = replace(
            tenant,
            held=True,
            profile=tenant.profile if profile else kept,
            revision=max(revision, tenant.revision),
        )
        if found is not None and found == replace(
            arriving, updated_at=found.updated_at, revision=found.revision
        ):
            return False
        arriving = replace(
            arriving,
            revision=max(revision + (found is not None), tenant.revision),
            updated_at=cut(clock.now()),
        )
        expected = None if found is None else found.revision
        if store.tenants.put(arriving, expected=expected)[0]:
            return True
    raise AssertionError("unreachable")


def _check_free(store: Store, name: str) -> None:
    schedules = store.tenants.usage(name).schedules
    if schedules:
        raise errors.InUse(
            f"the tenant {name} has {schedules} schedules of its own and is not held: "
            "import into a store where it has none, or remove them first; one that "
            "moved in and was activated takes no more in, lest it undo what was done "
            "since"
        )
