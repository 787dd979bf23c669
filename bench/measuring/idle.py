"""Whether idle schedules cost anything: the same verbs beside none and a million.

A shelf is one store with so many schedules that are due in a year, and a few that
come due all the time. All shelves are measured in turns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from bench.measuring import copies
from bench.measuring.rates import took
from bench.measuring.trial import NOW, TENANT, TTL, Miscounted, batches
from crony.model.lease import Holding
from crony.model.schedule import Schedule
from crony.model.trigger import Cron
from crony.storage.contract import Creation, Store
from crony.testing import factories

#: So many come due at a time.
BUSY = 100
#: So many are stored with one call.
_LOAD = 1000

_YEAR = timedelta(days=365)
_IDLE = Cron("0 3 1 * *", "Europe/Berlin")


class Shelf:
    """One store, and how many idle schedules are in it."""

    def __init__(self, store: Store, *, url: str | None = None) -> None:
        """``url``: where most idle schedules may be copies, inside the database."""
        self.store = store
        self._url = url
        self.idle = 0
        self.now = NOW
        self.busy = self._made(BUSY, cursor=NOW)
        worker = factories.make_worker(slots=1000, sandbox_level="full")
        store.workers.register(worker, factories.make_key(), quota=None)
        store.leases.begin(TENANT, worker.id, session="s", sequence=1, now=NOW)
        self.worker = worker.id
        self._store(self.busy)

    def _made(self, count: int, **changes: object) -> list[Schedule]:
        return [factories.make_schedule(trigger=_IDLE, **changes) for _ in range(count)]

    def _store(self, schedules: list[Schedule]) -> None:
        batch = [Creation(schedule, limit=1) for schedule in schedules]
        stored = self.store.schedules.create_all(batch, quota=None)
        if stored.count(True) != len(batch):
            raise Miscounted(f"of {len(batch)} schedules {stored.count(True)} stored")

    def fill(self, count: int) -> Iterator[int]:
        """Add idle schedules up to that count; say how many after each step."""
        made = count if self._url is None else min(count, _LOAD)
        for numbers in batches(range(made), _LOAD):
            added = self._made(len(numbers), cursor=NOW + _YEAR)
            self._store(added)
            self.idle += len(numbers)
            yield len(numbers)
        if self._url is not None and count > made:
            for stored in copies.of(self._url)(self._url, added[0].id, count - made):
                self.idle += stored
                yield stored
            self._check(count - made)

    def _check(self, copied: int) -> None:
        """See that the store takes a copy for one of its own."""
        for number in (0, copied - 1):
            found = self.store.schedules.find(TENANT, copies.identity(number))
            if found is None or found.cursor != NOW + _YEAR:
                raise Miscounted(f"copy {number} is no schedule: {found}")

    def sample(self) -> dict[str, float]:
        """Return how long each verb takes, in seconds."""
        then = self.now + timedelta(minutes=1)
        items = [
            factories.make_materialisation(schedule, next_cursor=then)
            for schedule in self.busy
        ]
        new = self._made(1, cursor=NOW + _YEAR)[0]
        name = self.busy[0].id
        held: list[Holding] = []
        schedules = self.store.schedules
        seconds = {
            "find 100 that are due": took(lambda: schedules.due(self.now, limit=BUSY)),
            "materialise 100": took(lambda: schedules.materialise(items, now=self.now)),
            "lease 1": took(lambda: held.extend(self._lease(1))),
            "lease 99 more": took(lambda: held.extend(self._lease(BUSY))),
            "lease, nothing left": took(lambda: held.extend(self._lease(BUSY))),
            "create 1": took(lambda: schedules.create(new, limit=1, quota=None)),
            "find 1 by its id": took(lambda: schedules.find(TENANT, name)),
        }
        self._end(held)
        self.busy = [replace(schedule, cursor=then) for schedule in self.busy]
        self.now = then
        return seconds

    def _lease(self, slots: int) -> list[Holding]:
        offers = self.store.leases.lease(
            TENANT,
            self.worker,
            session="s",
            sequence=1,
            slots=slots,
            horizon=self.now,
            now=self.now,
            lease_ttl=TTL,
        )
        return [Holding(offer.run.id, offer.token) for offer in offers]

    def _end(self, held: list[Holding]) -> None:
        if len(held) != BUSY:
            raise Miscounted(f"of {BUSY} runs {len(held)} were leased")
        leases = self.store.leases
        leases.confirm(TENANT, self.worker, held, now=self.now, lease_ttl=TTL)
        closings = [factories.make_closing(item.run, item.token) for item in held]
        leases.report(TENANT, self.worker, closings, now=self.now)
