"""The pruner: forgets what retention no longer keeps, a little at a time.

One process at a time has the duty. It walks through all schedules, deleted ones too,
then forgets old events and deliveries, and rests, for which it keeps the duty. Each
step is small, so that no write of a tick or a worker waits long behind it. How far the
walk came is left as a note with the duty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from crony import errors, log
from crony.clock import EPOCH
from crony.model.policy import Retention
from crony.model.schedule import Schedule
from crony.scheduler.duty import Duty
from crony.scheduler.policies import Policies
from crony.scheduler.wakes import Wakes
from crony.storage.contract import Position, Store

_log = log.get(__name__)

DUTY = "prune"

#: How long the duty stays with a process that says nothing more.
_TTL = timedelta(seconds=30)
_PROLONG = timedelta(seconds=10)

#: How long it rests after each walk at least, and as a multiple of the walk: looking
#: at a million schedules that keep all they have must not keep a node busy. After a
#: short walk it is a greater one, up to ten minutes.
_REST = timedelta(seconds=60)
_REST_SHARE, _REST_SHARE_OF_SHORT = 9, 99
_REST_OF_SHORT = timedelta(minutes=10)

#: So many schedules are looked at in one step, and so many records removed.
_SCHEDULES = 50
_BATCH = 50
#: So many are passed in one step where they have no runs: that costs little.
_PASSED = 800

#: How long events are kept; while a webhook has not looked at them, longer,
EVENTS_KEPT = timedelta(days=1)
#: but not for ever.
_EVENTS_MOST = timedelta(days=7)

#: How long it is kept how a delivery went.
DELIVERIES_KEPT = timedelta(days=7)

_Item = tuple[str, str, Schedule | None]


class Pruner:
    """Applies retention."""

    def __init__(
        self, store: Store, *, policies: Policies, wakes: Wakes, holder: str
    ) -> None:
        self._store = store
        self._policies = policies
        self._holder = holder
        self._duty = Duty(
            store, DUTY, holder=holder, wakes=wakes, ttl=_TTL, prolong=_PROLONG
        )
        self._work: Iterator[None] | None = None
        self._now = EPOCH
        self._begun_at = EPOCH
        #: Since when it rests, and for how long.
        self._rests: tuple[datetime, timedelta] | None = None

    def step(self, now: datetime) -> bool:
        """Forget a little; return whether there may be more at once."""
        if not self._duty.hold(now):
            # Who has it goes on from the note.
            self._work = self._rests = None
            return False
        # A clock that was set back must not put it off.
        if self._rests is not None and abs(now - self._rests[0]) < self._rests[1]:
            return False
        self._now = now
        if self._work is None:
            self._begun_at = now
            self._work = self._walk()
        work, self._work = self._work, None
        for _ in work:
            self._work = work
            return True
        took = now - self._begun_at
        after_short = min(_REST_SHARE_OF_SHORT * took, _REST_OF_SHORT)
        self._rests = now, max(_REST, _REST_SHARE * took, after_short)
        return False

    def stop(self) -> None:
        """Give the duty to whoever wants it."""
        self._duty.release()

    def _walk(self) -> Iterator[None]:
        """Go through everything once; yield after each little piece."""
        after = _place_in(self._store.duties.note(DUTY))
        passed = _SCHEDULES
        while True:
            items, after = self._store.runs.prunable(limit=passed, after=after)
            passed = min(2 * passed, _PASSED) if not items else _SCHEDULES
            if len(items) > _SCHEDULES:
                # The others are read once it is their turn: as they are then.
                items = items[:_SCHEDULES]
                after = items[-1][:2]
            yield from self._schedules(items)
            self._store.duties.leave(DUTY, self._holder, _place_out(after))
            yield
            if after is None:
                break
        while self._events(self._now) == _BATCH:
            yield
        while self._deliveries(self._now) == _BATCH:
            yield

    # Runs.

    def _schedules(self, items: Sequence[_Item]) -> Iterator[None]:
        # Of a tenant that is held, all is to be as it was where it comes from.
        held = {tenant for tenant in {t for t, _, _ in items} if self._is_held(tenant)}
        items = [item for item in items if item[0] not in held]
        live = [schedule for _, _, schedule in items if schedule is not None]
        holds = self._policies.many(live)
        of_tenant: dict[str, Retention] = {}
        removed = 0
        for tenant, identity, schedule in items:
            if schedule is not None:
                retention = holds[identity].policy.retention
            else:
                retention = self._of_tenant(tenant, of_tenant)
            number = _BATCH
            while number == _BATCH:
                number = self._prune(tenant, identity, retention)
                removed += number
                if removed >= _BATCH:
                    removed = 0
                    yield

    def _prune(self, tenant: str, schedule: str, retention: Retention) -> int:
        now = self._now
        try:
            return self._store.runs.prune(
                tenant,
                schedule,
                keep=retention.runs,
                before=now - retention.age,
                now=now,
                limit=_BATCH,
            )
        except errors.Unavailable:
            raise
        except Exception:  # noqa: BLE001  # one bad row must not stop the others
            _log.exception("runs can't be pruned", schedule=schedule)
            return 0

    def _is_held(self, tenant: str) -> bool:
        found = self._store.tenants.find(tenant)
        return found is not None and found.held

    def _of_tenant(self, tenant: str, known: dict[str, Retention]) -> Retention:
        """Return what is kept of a deleted schedule."""
        if tenant not in known:
            known[tenant] = self._policies.of_tenant(tenant).retention
        return known[tenant]

    # Events.

    def _events(self, now: datetime) -> int:
        before = now - EVENTS_KEPT
        waiting = self._unseen()
        if waiting is not None:
            before = max(min(before, waiting), now - _EVENTS_MOST)
        return self._store.events.prune(before=before, limit=_BATCH)

    def _deliveries(self, now: datetime) -> int:
        return self._store.webhooks.prune(before=now - DELIVERIES_KEPT, limit=_BATCH)

    def _unseen(self) -> datetime | None:
        """Return when the oldest event was that a webhook has not looked at."""
        lowest: dict[str, int] = {}
        after: Position | None = None
        while True:
            page = self._store.webhooks.walk(limit=100, after=after)
            for webhook in page.items:
                position = lowest.get(webhook.tenant, webhook.position)
                lowest[webhook.tenant] = min(position, webhook.position)
            after = page.next
            if after is None:
                break
        unseen = [
            event.at
            for tenant, position in lowest.items()
            for event in self._store.events.page(tenant, after=position, limit=1)
        ]
        return min(unseen, default=None)


def _place_out(after: Position | None) -> str:
    """Return the note of where the walk goes on."""
    return "" if after is None else f"{after[0]} {after[1]}"


def _place_in(note: str | None) -> Position | None:
    """Return where the walk of a note goes on; that of an older release begins anew."""
    tenant, _, schedule = (note or "").partition(" ")
    return (tenant, schedule) if schedule else None
