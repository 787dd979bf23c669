"""A service on a store, moved by hand: what the tests of the use cases share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from crony.model.group import Group, Profile
from crony.model.lease import Closed, Closing, Holding, Offer
from crony.model.policy import PolicySettings
from crony.model.run import Run
from crony.model.schedule import Definition, Schedule
from crony.model.state import RunState
from crony.model.worker import Worker
from crony.scheduler.leasing import Polled
from crony.scheduler.service import Service
from crony.scheduler.timing import Timing
from crony.scheduler.wakes import Wake, Wakes
from crony.storage.contract import RunQuery, Store
from crony.testing.clock import ManualClock
from crony.testing.factories import make_closing, make_definition

TENANT = "default"
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def at(text: str) -> datetime:
    """Return an instant of the day on which tests begin: ``at("12:00:30")``."""
    return datetime.fromisoformat(f"2026-11-20T{text}").replace(tzinfo=UTC)


class Stage:
    """A service, its clock, and a worker that does as it is told."""

    def __init__(self, store: Store, *, timing: Timing | None = None) -> None:
        self.store = store
        self.clock = ManualClock()
        self.wakes = Wakes()
        self.news: list[Wake] = []
        self.wakes.subscribe(self.news.append)
        self.fraction = 1.0
        self.service = self.node(timing=timing)
        self._sequence = 0

    def node(self, *, timing: Timing | None = None) -> Service:
        """Return another service on the same store and clock."""
        return Service(
            self.store,
            self.clock,
            timing=timing or Timing(),
            wakes=self.wakes,
            fraction=lambda: self.fraction,
        )

    # Schedules.

    def add(self, **members: object) -> Schedule:
        """Create a schedule; it is due every minute unless said otherwise."""
        created, _ = self.service.schedules.create(TENANT, make_definition(**members))
        return created

    def group(self, name: str, **members: object) -> Group:
        """Create a group, or put one in its place."""
        facts = {
            "description": "",
            "profile": None,
            "max_concurrent": None,
            "paused": False,
        } | members
        put = self.service.groups.put(TENANT, name, **facts)  # type: ignore[arg-type]
        return put[0]

    def profile(self, name: str, **members: object) -> Profile:
        """Create a profile with that policy, or put one in its place."""
        settings = policy(**members)
        put = self.service.profiles.put(TENANT, name, description="", settings=settings)
        return put[0]

    def found(self, schedule: Schedule) -> Schedule:
        """Return the schedule as it is now."""
        return self.service.schedules.find(TENANT, schedule.id)

    def edit(self, schedule: Schedule, **members: object) -> Schedule:
        """Change members of a schedule's definition."""

        def change(old: Definition) -> Definition:
            return replace(old, **members)  # type: ignore[arg-type]  # the test's

        return self.service.schedules.modify(TENANT, schedule.id, change, if_match=None)

    def delete(self, schedule: Schedule, *, cancel_running: bool = False) -> None:
        """Delete a schedule."""
        self.service.schedules.delete(
            TENANT, schedule.id, if_match=None, cancel_running=cancel_running
        )

    def runs(
        self,
        schedule: Schedule | None = None,
        *states: RunState,
        since: datetime | None = None,
    ) -> list[Run]:
        """Return runs, the oldest first."""
        query = RunQuery(
            schedule=schedule.id if schedule else None,
            states=frozenset(states),
            since=since,
        )
        found: list[Run] = []
        page = self.store.runs.page(TENANT, query, limit=1000, after=None)
        found.extend(page.items)
        while page.next is not None:
            page = self.store.runs.page(TENANT, query, limit=1000, after=page.next)
            found.extend(page.items)
        return found[::-1]

    def run(self, schedule: Schedule) -> Run:
        """Return the only run of a schedule, with its attempts."""
        (only,) = self.runs(schedule)
        return self.service.runs.find(TENANT, only.id)

    # Time.

    def advance(self, by: timedelta) -> datetime:
        """Let time pass with nothing ticking."""
        return self.clock.advance(by)

    def tick(self, by: timedelta = timedelta()) -> datetime:
        """Let time pass, then tick until nothing is left; return the next instant."""
        now = self.clock.advance(by)
        while True:
            wake_at = self.service.ticker.tick(now)
            if wake_at > now:
                return wake_at

    def live(self, span: timedelta, *, step: timedelta = SECOND) -> None:
        """Let time pass as it does for a service that is up."""
        end = self.clock.now() + span
        while self.clock.now() < end:
            self.tick(min(step, end - self.clock.now()))

    # The worker.

    def worker(self, **members: object) -> Worker:
        """Register a worker of the queue ``default``."""
        facts: dict[str, object] = {
            "name": "host-a",
            "machine": "ab" * 32,
            "queues": ["default"],
            "labels": {},
            "slots": 4,
            "sandbox_level": "full",
            "version": "1.0.0",
        } | members
        tenant = str(facts.pop("tenant", TENANT))
        return self.service.workers.register(tenant, **facts)[0]  # type: ignore[arg-type]

    def poll(
        self, worker: Worker, *, slots: int = 4, holding: Sequence[Holding] = ()
    ) -> Polled:
        """Poll once, under the next sequence number."""
        self._sequence += 1
        return self.service.leasing.poll(
            worker.tenant,
            worker.id,
            session="session",
            sequence=self._sequence,
            slots=slots,
            holding=holding,
        )

    def again(
        self, worker: Worker, *, slots: int = 4, holding: Sequence[Holding] = ()
    ) -> Polled:
        """Look again for the poll that waits."""
        return self.service.leasing.again(
            worker.tenant,
            worker.id,
            session="session",
            sequence=self._sequence,
            slots=slots,
            holding=holding,
        )

    def start(self, worker: Worker, *, slots: int = 4) -> list[Offer]:
        """Lease what there is, and confirm it."""
        offers = list(self.poll(worker, slots=slots).offers)
        self.service.leasing.confirm(worker.tenant, worker.id, held(offers))
        return offers

    def end(self, worker: Worker, offer: Offer, **facts: object) -> Closed:
        """Report the end of an attempt."""
        closing: Closing = make_closing(
            offer.run.id, offer.token, finished_at=self.clock.now(), **facts
        )
        (closed,) = self.service.leasing.report(worker.tenant, worker.id, [closing])
        return closed


def held(offers: Sequence[Offer]) -> list[Holding]:
    """Return what a worker says it holds after it was given these."""
    return [Holding(offer.run.id, offer.token) for offer in offers]


def policy(**members: object) -> PolicySettings:
    """Return what a schedule sets of its policy."""
    return PolicySettings(**members)  # type: ignore[arg-type]  # the test's
