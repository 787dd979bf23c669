"""A store with people in it: the short words that the shared tests are told in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from crony.model import ids
from crony.model.lease import Closed, Confirmed, Holding, Offer
from crony.model.policy import PolicySettings, SandboxSettings
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import AttemptState, Origin
from crony.model.worker import Role, Worker
from crony.storage.contract import RunQuery, Store
from crony.testing import factories
from crony.testing.clock import START

TENANT = "default"
LEASE_TTL = timedelta(seconds=60)
AHEAD = timedelta(seconds=5)


def second(number: float) -> datetime:
    """Return the instant so many seconds after the start of all tests."""
    return START + timedelta(seconds=number)


class Scene:
    """A store, the time, and the polls of its workers."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = START
        self.sequences: dict[str, int] = {}

    def schedule(self, *, limit: int = 1, **changes: object) -> Schedule:
        """Store a schedule whose cursor is now; ``level`` is its sandbox's."""
        level = changes.pop("level", None)
        if level is not None:
            sandbox = SandboxSettings(level=str(level))
            changes["policy"] = PolicySettings(sandbox=sandbox)
        schedule = factories.make_schedule(**{"cursor": self.now, **changes})
        assert self.store.schedules.create(schedule, limit=limit, quota=None)
        return schedule

    def due(self, schedule: Schedule, *seconds: float, **changes: object) -> list[Run]:
        """Materialise runs for these instants; the cursor goes past the last."""
        stored = self.stored(schedule)
        runs = [
            factories.make_run(stored, scheduled_for=second(number), **changes)
            for number in seconds
        ]
        item = factories.make_materialisation(
            stored, next_cursor=second(max(seconds) + 1), runs=tuple(runs)
        )
        counted, _ = self.store.schedules.materialise([item], now=self.now)
        assert counted == (True,)
        return runs

    def stored(self, schedule: Schedule) -> Schedule:
        """Return the schedule as it is now."""
        found = self.store.schedules.find(schedule.tenant, schedule.id)
        assert found is not None
        return found

    def manual(self, schedule: Schedule, **changes: object) -> Run:
        """Insert a run by hand, for now."""
        changes = {"scheduled_for": self.now, "created_at": self.now, **changes}
        run = factories.make_run(schedule, origin=Origin.MANUAL, **changes)
        assert self.store.runs.insert(run, quota=None)[0]
        return run

    def worker(self, **changes: object) -> Worker:
        """Register a worker that has polled once."""
        worker = factories.make_worker(**changes)
        key = factories.make_key(tenant=worker.tenant, role=Role.WORKER)
        self.store.workers.register(worker, key, quota=None)
        self.poll(worker)
        return worker

    def poll(self, worker: Worker) -> None:
        """Open the worker's next poll."""
        sequence = self.sequences.get(worker.id, 0) + 1
        self.sequences[worker.id] = sequence
        self.store.leases.begin(
            worker.id, session="session", sequence=sequence, now=self.now
        )

    def lease(self, worker: Worker, *, slots: int = 99) -> list[Offer]:
        """Ask for work."""
        offers = self.store.leases.lease(
            worker.id,
            session="session",
            sequence=self.sequences[worker.id],
            slots=slots,
            horizon=self.now + AHEAD,
            now=self.now,
            lease_ttl=LEASE_TTL,
        )
        return list(offers)

    def leased(self, worker: Worker, *, slots: int = 99) -> list[str]:
        """Ask for work; return the ids of the runs."""
        return [offer.run.id for offer in self.lease(worker, slots=slots)]

    def confirm(self, worker: Worker, *items: Holding) -> Sequence[Confirmed]:
        """Confirm offers."""
        return self.store.leases.confirm(
            worker.id, items, now=self.now, lease_ttl=LEASE_TTL
        )

    def start(self, worker: Worker, *, slots: int = 99) -> list[Holding]:
        """Lease and confirm what there is."""
        items = [
            Holding(offer.run.id, offer.token)
            for offer in self.lease(worker, slots=slots)
        ]
        self.confirm(worker, *items)
        return items

    def report(
        self,
        worker: Worker,
        item: Holding,
        state: AttemptState = AttemptState.SUCCEEDED,
        **changes: object,
    ) -> Closed:
        """Report the end of an attempt."""
        changes = {"finished_at": self.now, **changes}
        closing = factories.make_closing(item.run, item.token, state=state, **changes)
        closed, _ = self.store.leases.report(worker.id, [closing], now=self.now)
        return closed[0]

    def run(self, run: Run | str) -> Run:
        """Return the run as it is now."""
        name = run if isinstance(run, str) else run.id
        found = self.store.runs.find(TENANT, name)
        assert found is not None
        return found

    def runs(self, **query: object) -> list[Run]:
        """Return all runs of the tenant that match, newest first."""
        asked = RunQuery(**query)  # type: ignore[arg-type]  # the test's members
        page = self.store.runs.page(TENANT, asked, limit=999, after=None)
        return list(page.items)

    def after(self, seconds: float) -> datetime:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
        return self.now

    def edit(self, schedule: Schedule, *, limit: int = 1, **changes: object) -> bool:
        """Give the schedule its next revision, with the cursor at now."""
        stored = self.stored(schedule)
        changed = factories.make_schedule(
            id=stored.id,
            tenant=stored.tenant,
            revision=stored.revision + 1,
            **{"cursor": self.now, "updated_at": self.now, **changes},
        )
        counted, _ = self.store.schedules.update(
            changed, limit=limit, expected=stored, settled=(), now=self.now
        )
        return counted

    def delete(self, schedule: Schedule, *, cancel_running: bool = False) -> None:
        """Delete the schedule."""
        counted, _ = self.store.schedules.delete(
            self.stored(schedule),
            settled=(),
            cancel_running=cancel_running,
            now=self.now,
        )
        assert counted


def new_run_id() -> str:
    """Return the id of a run that is not stored."""
    return ids.run_id(factories.make_id(ids.SCHEDULE), "schedule", START)
