"""What is done to a store in one round, and whether it added up.

A trial is one empty store. Its schedules come due, their runs are leased, confirmed
and reported, one by one and in batches; everything that a verb is given is made
before its time is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import TypeVar

from bench.measuring.bare import Bare, rows
from bench.measuring.rates import Rate, Step, rate
from crony.model.lease import Holding, Standing
from crony.model.schedule import Schedule
from crony.model.state import RunState
from crony.model.trigger import Cron
from crony.scheduler.materializer import Materializer
from crony.scheduler.policies import Policies
from crony.scheduler.timing import Timing
from crony.scheduler.wakes import Wakes
from crony.storage.contract import Creation, RunQuery, Store
from crony.testing import factories
from crony.testing.clock import START

TENANT = "default"
TTL = timedelta(seconds=60)
#: When all schedules are due, and when they are due again.
NOW = START + timedelta(minutes=5)
AGAIN = NOW + timedelta(minutes=5)
#: So many schedules a node looks at in one step of its ticker.
PAGE = 500

_TRIGGER = Cron("*/5 * * * *", "Europe/Berlin")
_Item = TypeVar("_Item")


class Miscounted(Exception):
    """What was done does not add up: the figures would be of nothing."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done in a round: so many one by one, so many in batches."""

    single: int
    batched: int


def due_schedules(count: int) -> list[Schedule]:
    """Return new schedules that are due at ``NOW``."""
    return [factories.make_schedule(cursor=NOW, trigger=_TRIGGER) for _ in range(count)]


def batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Return them in lists of ``size``."""
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


@dataclass(slots=True)
class Trial:
    """One empty store and what was done to it."""

    store: Store
    bare: Bare
    sizes: Sizes
    worker: str = ""
    schedules: dict[int, list[Schedule]] = field(default_factory=dict)
    held: dict[int, list[Holding]] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    rows: int = 0

    def __post_init__(self) -> None:
        worker = factories.make_worker(slots=1000, sandbox_level="full")
        self.store.workers.register(worker, factories.make_key(), quota=None)
        self.store.leases.begin(TENANT, worker.id, session="s", sequence=1, now=NOW)
        self.worker = worker.id

    def count(self, batch: int) -> int:
        """Return how many of a thing are done in batches of that size."""
        return self.sizes.single if batch == 1 else self.sizes.batched

    def insert_bare(self, batch: int) -> Rate:
        """Store rows by the database's own client."""
        made = rows(self.rows, self.count(batch))
        self.rows += len(made)
        return self._each(batches(made, batch), self.bare.insert, len(made))

    def create(self, batch: int) -> Rate:
        """Create schedules that are due at ``NOW``."""
        made = due_schedules(self.count(batch))
        self.schedules[batch] = made
        if batch == 1:
            return self._each(made, self._create_one, len(made))
        creations = (Creation(schedule, limit=1) for schedule in made)
        return self._each(batches(creations, batch), self._create_all, len(made))

    def _create_one(self, schedule: Schedule) -> None:
        self.done["created"] += self.store.schedules.create(
            schedule, limit=1, quota=None
        )

    def _create_all(self, batch: Sequence[Creation]) -> None:
        stored = self.store.schedules.create_all(batch, quota=None)
        self.done["created"] += stored.count(True)

    def materialise(self, batch: int) -> Rate:
        """Make one run of each of these schedules, and move its cursor."""
        made = self.schedules[batch]
        items = [
            factories.make_materialisation(schedule, next_cursor=AGAIN)
            for schedule in made
        ]

        def step(batch: Sequence[object]) -> None:
            counted, _ = self.store.schedules.materialise(batch, now=NOW)
            self.done["materialised"] += sum(counted)

        return self._each(batches(items, batch), step, len(items))

    def lease(self, batch: int) -> Rate:
        """Lease what is pending, so many with one call."""
        held = self.held.setdefault(batch, [])
        count = self.count(batch)

        def step() -> None:
            held.extend(self._lease(batch, at_most=count))

        return rate(count, [step] * -(-count // batch))

    def _lease(self, slots: int, *, at_most: int) -> list[Holding]:
        offers = self.store.leases.lease(
            TENANT,
            self.worker,
            session="s",
            sequence=1,
            slots=min(slots, at_most),
            horizon=AGAIN + TTL,
            now=NOW,
            lease_ttl=TTL,
        )
        self.done["leased"] += len(offers)
        return [Holding(offer.run.id, offer.token) for offer in offers]

    def confirm(self, batch: int) -> Rate:
        """Confirm what was leased in such batches."""
        held = self.held[batch]
        return self._each(batches(held, batch), self._confirm, len(held))

    def _confirm(self, held: Sequence[Holding]) -> None:
        answers = self.store.leases.confirm(
            TENANT, self.worker, held, now=NOW, lease_ttl=TTL
        )
        self.done["confirmed"] += sum(
            answer.standing is Standing.ACCEPTED for answer in answers
        )

    def report(self, batch: int) -> Rate:
        """Report the end of what was confirmed in such batches."""
        closings = [
            factories.make_closing(item.run, item.token)
            for item in self.held.pop(batch)
        ]
        return self._each(batches(closings, batch), self._report, len(closings))

    def _report(self, closings: Sequence[object]) -> None:
        answers, _ = self.store.leases.report(TENANT, self.worker, closings, now=NOW)
        self.done["reported"] += sum(
            answer.standing is Standing.ACCEPTED for answer in answers
        )

    def tick(self, _: int) -> Rate:
        """Make the next run of all schedules as a node does: with next instants."""
        materializer = Materializer(
            self.store,
            policies=Policies(self.store),
            timing=Timing(),
            wakes=Wakes(),
        )

        def step() -> None:
            while materializer.step(AGAIN):
                pass

        count = sum(map(len, self.schedules.values()))
        self.done["ticked"] += count
        return rate(count, [step])

    def work(self, batch: int) -> Rate:
        """Lease, confirm and report all that the tick has made."""
        count = sum(map(len, self.schedules.values()))

        def step() -> None:
            held = self._lease(batch, at_most=batch)
            self._confirm(held)
            self._report([factories.make_closing(i.run, i.token) for i in held])

        return rate(count, [step] * -(-count // batch))

    def find(self, _: int) -> Rate:
        """Read schedules by their ids."""
        made = self.schedules[1]

        def step(schedule: Schedule) -> None:
            self.done["found"] += (
                self.store.schedules.find(TENANT, schedule.id) is not None
            )

        return self._each(made, step, len(made))

    def _each(
        self, items: Iterable[_Item], do: Callable[[_Item], object], count: int
    ) -> Rate:
        steps: list[Step] = [lambda item=item: do(item) for item in items]
        return rate(count, steps)

    def account(self) -> dict[str, int]:
        """Return what was done, after a look at what the store has of it.

        Raises ``Miscounted`` where they differ, or a run is left.
        """
        stored = [schedule.id for made in self.schedules.values() for schedule in made]
        count = len(stored)
        wanted = {
            "created": count,
            "materialised": count,
            "ticked": count,
            "leased": 2 * count,
            "confirmed": 2 * count,
            "reported": 2 * count,
            "found": len(self.schedules[1]),
        }
        if wanted != dict(self.done):
            raise Miscounted(f"done was {dict(self.done)}, and not {wanted}")
        runs: list[str] = []
        for batch in batches(stored, 100):
            recent = self.store.runs.recent(TENANT, batch, limit=3)
            runs += [run.state for found in recent.values() for run in found]
        found = Counter(runs)
        if found != {RunState.SUCCEEDED: 2 * count}:
            raise Miscounted(f"of {2 * count} runs, the store has {dict(found)}")
        live = frozenset(RunState) - {RunState.SUCCEEDED}
        left = self.store.runs.page(
            TENANT, RunQuery(states=live), limit=1, after=None
        ).items
        stats = self.store.stats(TENANT, now=NOW)
        if left or stats.pending or stats.leased or stats.running:
            raise Miscounted(f"runs are left: {stats}")
        return wanted
