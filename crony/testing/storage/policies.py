"""Groups, limits, hooks and what time decides, in two stores at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from crony.model import ids
from crony.model.group import Group
from crony.model.hook import FollowUp
from crony.model.run import Run
from crony.model.state import HELD, Origin, ScheduleState
from crony.model.worker import Tenant, Worker
from crony.storage.contract import Creation, RunQuery, Store
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.storage.pair import NUMBERS, TENANT
from crony.testing.storage.people import GROUPS, People

_places = st.sampled_from([None, None, 0, 1, 2])


class Policies(People):
    """What groups, profiles and tenants set, and what the ticker does of it."""

    def __init__(self) -> None:
        super().__init__()
        #: How many each group, or the tenant, had in workers' hands a step ago.
        self.held: Counter[str | None] = Counter()

    @rule(
        name=GROUPS,
        places=_places,
        paused=st.integers(0, 3),
        profile=st.sampled_from([None, None, "slow"]),
        stale=st.integers(0, 5),
    )
    def put_group(
        self,
        name: str,
        places: int | None,
        paused: int,
        profile: str | None,
        stale: int,
    ) -> None:
        found = self.first.groups.find(TENANT, name)
        if found is None:
            group = factories.make_group(name=name, since=self.now)
            self.both(lambda s: s.groups.put(group, expected=None))
            return
        if paused == 1:
            revision = found.revision if stale else 7
            self.both(lambda s: s.groups.delete(TENANT, name, expected=revision))
            return
        pauses = paused == 0
        changed = replace(
            found,
            revision=found.revision + 1,
            max_concurrent=places,
            profile=profile,
            paused=pauses,
            since=self.now if pauses != found.paused else found.since,
            carried=found.carried and pauses == found.paused,
        )
        expected = found.revision if stale else found.revision + 7
        self.both(lambda s: s.groups.put(changed, expected=expected))

    @rule(limit=st.integers(1, 2))
    def carry(self, limit: int) -> None:
        """Carry a pause or resume over to some schedules, as the ticker does."""
        for group in self.first.groups.uncarried(limit=9):
            self._carry(group, limit=limit)

    def _carry(self, group: Group, *, limit: int) -> None:
        lagging = self.both(
            lambda s: s.schedules.in_group(
                TENANT, group.name, held=not group.paused, limit=limit
            )
        )
        for schedule in lagging or ():
            paused = group.paused or schedule.definition.paused
            changed = replace(
                schedule,
                held=group.paused,
                state=ScheduleState.PAUSED if paused else ScheduleState.ACTIVE,
                cursor=self.now,
            )
            self.update(changed, expected=schedule)
        self.both(lambda s: s.groups.carried(group))

    @rule(
        what=st.sampled_from(["tenant", "tenant", "profile", "no profile"]),
        places=_places,
        profile=st.sampled_from([None, None, "slow"]),
    )
    def set_up(self, what: str, places: int | None, profile: str | None) -> None:
        """Give the tenant or the profile its next revision, or take that away."""
        found = self.first.profiles.find(TENANT, "slow")
        revision = found.revision if found else None
        if what == "tenant":
            self._put_tenant(places, profile)
        elif what == "profile":
            made = factories.make_profile(
                name="slow", revision=(revision or 0) + 1, updated_at=self.now
            )
            self.both(lambda s: s.profiles.put(made, expected=revision))
        else:
            expected = revision or 1
            self.both(lambda s: s.profiles.delete(TENANT, "slow", expected=expected))

    def _put_tenant(self, places: int | None, profile: str | None) -> None:
        found = self.first.tenants.find(TENANT)
        assert found is not None
        changed = replace(
            found, revision=found.revision + 1, max_concurrent=places, profile=profile
        )
        self.both(lambda s: s.tenants.put(changed, expected=found.revision))

    @rule(held=st.integers(0, 2))
    def hold(self, held: int) -> None:
        """Hold the tenant; most often it is let go soon."""
        found = self.first.tenants.find(TENANT)
        assert found is not None
        changed = replace(found, revision=found.revision + 1, held=held == 0)
        self.both(lambda s: s.tenants.put(changed, expected=found.revision))

    @rule(number=NUMBERS, away=st.integers(0, 3))
    def move_in(self, number: int, away: int) -> None:
        """Let what is there move in again, or go as if it had never been there."""
        moved = self.first.moving.schedules(TENANT, limit=3, after=None).items
        self.both(lambda s: list(s.moving.put_schedules(moved)))
        runs = self.first.moving.runs(TENANT, limit=99, after=None).items
        if not runs:
            return
        item = runs[number % len(runs)]
        name = item.run.id
        if away == 0:
            if self.both(lambda s: s.moving.remove_runs(TENANT, [name])):
                self.gone.add(name)
        elif item.run.state not in HELD:
            self.both(lambda s: list(s.moving.put_runs([item])))

    @rule(number=st.integers(0, 5), places=st.integers(0, 3), ago=st.integers(0, 1))
    def limit(self, number: int, places: int, ago: int) -> None:
        """Give a schedule a limit, as who knows this revision or an older one."""
        if not self.schedules:
            return
        name = self.schedules[number % len(self.schedules)]
        found = self.first.schedules.find(TENANT, name)
        if found is not None:
            known = replace(found, revision=found.revision - ago)
            self.both(lambda s: s.schedules.limit([Creation(known, places)]))

    @rule(seconds=st.sampled_from([0.6, 10]))
    def tick(self, seconds: float) -> None:
        """Do what the ticker does all day, so that histories get somewhere."""
        self.let_time_pass(seconds)
        self.both(lambda s: s.leases.expire(now=self.now, limit=9, include_leases=True))
        for what in ("overlap", "lapse", "preempt", "pulse"):
            self.decide(what, 9)
        self.follow(1, crash=1)

    @rule(
        what=st.sampled_from(["overlap", "lapse", "preempt", "pulse", "lose"]),
        limit=st.integers(1, 3),
    )
    def decide(self, what: str, limit: int) -> None:
        """Do one thing of what the ticker does."""
        match what:
            case "overlap":
                self.both(lambda s: s.leases.overlap(now=self.now, limit=limit))
            case "lapse":
                self.both(lambda s: s.leases.lapse(now=self.now, limit=limit))
            case "preempt":
                self.both(lambda s: s.leases.preempt(now=self.now, limit=limit))
            case "pulse":
                # Of those due at once none is first: all of them.
                self.both(lambda s: s.leases.pulse(now=self.now, limit=99))
            case _:
                before = self.now - timedelta(seconds=20 * limit)
                self.both(lambda s: self._lose(s, before))

    def _lose(self, store: Store, before: datetime) -> dict[str, Worker]:
        lost = store.workers.lose(before=before, limit=99, now=self.now)
        return {worker.id: worker for worker in lost}

    @rule(width=st.integers(1, 3), crash=st.integers(0, 3))
    def follow(self, width: int, crash: int) -> None:
        """Make runs of hooks that are owed, as the ticker does; it may be killed."""
        owed = sorted(self.first.runs.follow_ups(limit=99), key=_by_name)[:width]
        for item in owed:
            parent = self.first.runs.find(TENANT, item.run)
            assert parent is not None
            n = f"{item.run}/{item.attempt}/{item.kind}/{item.number}"
            self.insert_hook(parent, item, n=n)
        if crash:
            self.both(lambda s: s.runs.followed(owed))

    def insert_hook(self, parent: Run, item: FollowUp, *, n: str) -> None:
        """Store the run of a hook under an id that is the same each time."""
        run = factories.make_hook_run(
            parent,
            item.kind,
            id=ids.run_id(parent.schedule, "hook", START, n),
            hook_attempt=item.attempt,
            scheduled_for=item.at,
            due_at=item.at,
            available_at=item.at,
            created_at=self.now,
        )
        if run.id not in self.runs:
            self.runs.append(run.id)
        self.both(lambda s: s.runs.insert(run, quota=None))

    @rule(schedule=NUMBERS, first=st.integers(-9, 0), width=st.integers(1, 3))
    def backfill(self, schedule: int, first: int, width: int) -> None:
        found = self.schedule(schedule)
        if found is None:
            return
        runs: list[Run] = []
        for number in range(first, first + width):
            at = START + timedelta(seconds=10 * number)
            run = factories.make_run(
                found,
                id=ids.run_id(found.id, "backfill", at, "b"),
                origin=Origin.BACKFILL,
                scheduled_for=at,
                created_at=self.now,
            )
            runs.append(run)
            if run.id not in self.runs:
                self.runs.append(run.id)
        self.both(lambda s: s.runs.backfill(runs, quota=12))

    @rule(
        schedule=NUMBERS,
        keep=st.integers(0, 2),
        ago=st.sampled_from([5, 60]),
        limit=st.integers(1, 4),
    )
    def prune(self, schedule: int, keep: int, ago: int, limit: int) -> None:
        if not self.schedules:
            return
        name = self.schedules[schedule % len(self.schedules)]
        before = self.now - timedelta(seconds=ago)
        there = self.stored()
        self.both(
            lambda s: s.runs.prune(
                TENANT, name, keep=keep, before=before, now=self.now, limit=limit
            )
        )
        self.gone |= there - self.stored()

    def stored(self) -> set[str]:
        """Return the ids of the runs that are there."""
        page = self.first.runs.page(TENANT, RunQuery(), limit=999, after=None)
        return {run.id for run in page.items}

    @invariant()
    def no_group_or_tenant_takes_in_more_than_its_limit(self) -> None:
        query = RunQuery(states=HELD)
        page = self.first.runs.page(TENANT, query, limit=999, after=None)
        held = Counter(run.group for run in page.items if run.origin is not Origin.HOOK)
        for group in self.first.groups.page(TENANT, limit=9, after=None).items:
            self._check(group.name, held[group.name], group.max_concurrent)
        tenant = self.first.tenants.find(TENANT)
        assert tenant is not None
        self._check(None, held.total(), tenant.max_concurrent)

    def _check(self, group: str | None, held: int, limit: int | None) -> None:
        """A limit may have been lowered below what is held, which is then the most."""
        assert limit is None or held <= max(limit, self.held[group])
        self.held[group] = held

    def looks(self) -> Sequence[Callable[[Store], object]]:
        return (*super().looks(), self.see_rules)

    def far_looks(self) -> Sequence[Callable[[Store], object]]:
        return (*super().far_looks(), self.see_ledger)

    def see_rules(self, store: Store) -> list[object]:
        """Return what can be seen of groups, profiles and what is owed."""
        groups = store.groups.page(TENANT, limit=9, after=None)
        names = [group.name for group in groups.items]
        uses = store.profiles.uses(TENANT, ["slow"])
        tenant = store.tenants.find(TENANT)
        assert tenant is not None
        return [
            [_undated(group) for group in groups.items],
            {k: v for k, v in store.groups.schedules(TENANT, names).items() if v},
            [_undated(group) for group in store.groups.uncarried(limit=9)],
            store.profiles.page(TENANT, limit=9, after=None),
            [(use.schedules, use.groups, use.tenants) for use in uses.values()],
            _settings(tenant),
            self._levels(store),
            sorted(store.runs.follow_ups(limit=99), key=_by_name),
            [
                [
                    schedule.id
                    for schedule in store.schedules.in_group(
                        TENANT, name, held=held, limit=9
                    )
                ]
                for name in names
                for held in (False, True)
            ],
        ]

    def _levels(self, store: Store) -> object:
        found = store.tenants.levels(TENANT, groups=["default", "etl"], profiles=[])
        assert found.tenant is not None
        groups = {name: _undated(group) for name, group in found.groups.items()}
        return _settings(found.tenant), groups, dict(found.profiles)

    def see_ledger(self, store: Store) -> list[object]:
        """Return what can be seen of what was due, and what became of it."""
        return [
            [
                (
                    list(store.schedules.versions(TENANT, name, until=None, limit=99)),
                    store.runs.pruned(TENANT, name),
                    store.runs.standing_at(TENANT, name, self.now),
                    store.schedules.definition(TENANT, name, 1),
                )
                for name in self.schedules
            ],
            list(store.schedules.ahead(TENANT, now=self.now, limit=9, after=None)),
            list(store.schedules.unfinished(TENANT, limit=9, after=None)),
            self._prunable(store),
            [self._scopes(store, run) for run in self.runs],
        ]

    def _scopes(self, store: Store, run: str) -> object:
        if store.runs.find(TENANT, run) is None:
            return None
        return list(store.leases.scopes(TENANT, run))

    def _prunable(self, store: Store) -> Sequence[object]:
        met: list[object] = []
        page, after = store.runs.prunable(limit=2, after=None)
        met.extend(page)
        while after is not None:
            page, after = store.runs.prunable(limit=2, after=after)
            met.extend(page)
        return met


def _undated(group: Group) -> Group:
    """Return a group without when it was made: the store's own were at its birth."""
    since = group.since if group.revision > 1 else START
    return replace(group, created_at=START, updated_at=START, since=since)


def _settings(tenant: Tenant) -> object:
    """Return what a tenant sets; when the store's own was made is not the same."""
    return tenant.revision, tenant.max_concurrent, tenant.held, tenant.profile


def _by_name(item: FollowUp) -> tuple[str, int, str, int]:
    return (item.run, item.attempt, item.kind.value, item.number)
