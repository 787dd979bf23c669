"""A store with people in it: the short words that the shared tests are told in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from crony.model import ids
from crony.model.event import Event
from crony.model.group import Group, Profile
from crony.model.hook import HookKind
from crony.model.lease import Change, Closed, Confirmed, Holding, Loss, Offer, Ready
from crony.model.policy import PolicySettings, SandboxSettings
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import AttemptState, Origin, ScheduleState
from crony.model.worker import Role, Tenant, Worker
from crony.storage.contract import RunQuery, Store
from crony.testing import factories
from crony.testing.clock import START

TENANT = "default"
LEASE_TTL = timedelta(seconds=60)
AHEAD = timedelta(seconds=5)

#: The line of what waits in the queue of this name.
LINE = (TENANT, "default")


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
        if self.store.tenants.find(schedule.tenant) is None:
            tenant = factories.make_tenant(name=schedule.tenant)
            self.store.tenants.put(tenant, expected=None)
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
        run = factories.make_run(schedule, **{"origin": Origin.MANUAL, **changes})
        assert self.store.runs.insert(run, quota=None)[0]
        return run

    def hook(self, of: Run, kind: HookKind, *, attempt: int = 1) -> Run:
        """Insert the run of a hook that follows an attempt of another."""
        schedule = factories.make_schedule(id=of.schedule, tenant=of.tenant)
        return self.manual(
            schedule,
            origin=Origin.HOOK,
            parent=of.id,
            group=of.group,
            hook=kind,
            hook_attempt=attempt,
        )

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
            worker.tenant, worker.id, session="session", sequence=sequence, now=self.now
        )

    def lease(self, worker: Worker, *, slots: int = 99) -> list[Offer]:
        """Ask for work."""
        offers = self.store.leases.lease(
            worker.tenant,
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
            worker.tenant, worker.id, items, now=self.now, lease_ttl=LEASE_TTL
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
        closed, _ = self.store.leases.report(
            worker.tenant, worker.id, [closing], now=self.now
        )
        return closed[0]

    def finish(
        self,
        worker: Worker,
        item: Holding,
        state: AttemptState = AttemptState.SUCCEEDED,
        **changes: object,
    ) -> Ready:
        """Report the end of an attempt; return the lines of what that lets go."""
        changes = {"finished_at": self.now, **changes}
        closing = factories.make_closing(item.run, item.token, state=state, **changes)
        _, ready = self.store.leases.report(
            worker.tenant, worker.id, [closing], now=self.now
        )
        return ready

    def expire(self) -> tuple[list[Loss], Ready]:
        """Take back what time has ended."""
        losses, ready = self.store.leases.expire(
            now=self.now, limit=99, include_leases=True
        )
        return list(losses), ready

    def overlap(self, *, limit: int = 99) -> list[Change]:
        """Decide on what overlaps; return what that changed."""
        return list(self.store.leases.overlap(now=self.now, limit=limit)[0])

    def lapse(self, *, limit: int = 99) -> list[Change]:
        """Expire what has come to its deadline."""
        return list(self.store.leases.lapse(now=self.now, limit=limit)[0])

    def preempt(self, *, limit: int = 99) -> list[Change]:
        """Stop what has to give way; return the victims."""
        return list(self.store.leases.preempt(now=self.now, limit=limit))

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

    def events(self, *, after: int = 0, **query: object) -> list[Event]:
        """Return the events of the tenant that match, in order."""
        return list(
            self.store.events.page(TENANT, after=after, limit=9999, **query)  # type: ignore[arg-type]  # the test's
        )

    def told(self, *subjects: str) -> list[str]:
        """Return the types of the events of these runs, schedules or workers."""
        return [event.type for event in self.events() if event.subject in subjects]

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

    def hold(self, schedule: Schedule, *, held: bool) -> bool:
        """Carry the pause of its group, or its end, over to the schedule."""
        stored = self.stored(schedule)
        state = ScheduleState.PAUSED if held else ScheduleState.ACTIVE
        changed = replace(
            stored, held=held, state=state, cursor=self.now, updated_at=self.now
        )
        counted, _ = self.store.schedules.update(
            changed, limit=1, expected=stored, settled=(), now=self.now
        )
        return counted

    def group(self, name: str, **changes: object) -> Group:
        """Store a group."""
        group = factories.make_group(name=name, **{"since": self.now, **changes})
        assert self.store.groups.put(group, expected=None)[0]
        return group

    def regroup(self, group: Group, **changes: object) -> Group:
        """Give a group its next revision."""
        changed = replace(group, revision=group.revision + 1, **changes)  # type: ignore[arg-type]  # the test's
        assert self.store.groups.put(changed, expected=group.revision)[0]
        return changed

    def profile(self, name: str, **changes: object) -> Profile:
        """Store a profile."""
        profile = factories.make_profile(name=name, **changes)
        assert self.store.profiles.put(profile, expected=None)
        return profile

    def tenant(self, name: str = TENANT, **changes: object) -> Tenant:
        """Give a tenant its next revision, or create it."""
        found = self.store.tenants.find(name)
        if found is None:
            tenant = factories.make_tenant(name=name, **changes)
            assert self.store.tenants.put(tenant, expected=None)[0]
            return tenant
        changed = replace(found, revision=found.revision + 1, **changes)  # type: ignore[arg-type]  # the test's
        assert self.store.tenants.put(changed, expected=found.revision)[0]
        return changed

    def delete(self, schedule: Schedule, *, cancel_running: bool = False) -> None:
        """Delete the schedule."""
        counted, _, _ = self.store.schedules.delete(
            self.stored(schedule),
            settled=(),
            cancel_running=cancel_running,
            now=self.now,
        )
        assert counted


def new_run_id() -> str:
    """Return the id of a run that is not stored."""
    return ids.run_id(factories.make_id(ids.SCHEDULE), "schedule", START)
