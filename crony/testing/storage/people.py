"""What people do to schedules and workers, in two stores at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule

from crony.model import ids
from crony.model.hook import HookKind
from crony.model.policy import PolicySettings, SandboxSettings
from crony.model.schedule import Schedule
from crony.model.state import Origin, RunState, ScheduleState
from crony.model.worker import Role
from crony.storage.contract import Materialisation
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.storage.pair import NUMBERS, TENANT, Pair

_limits = st.integers(min_value=0, max_value=3)
_queues = st.sampled_from(["default", "slow"])
GROUPS = st.sampled_from(["default", "default", "etl", "web"])

#: What schedules set, besides what is drawn on its own.
POLICIES: dict[str, PolicySettings] = {
    "": PolicySettings(),
    "skip": PolicySettings(on_overlap="skip"),
    "replace": PolicySettings(on_overlap="replace"),
    "deadline": PolicySettings(deadline=timedelta(seconds=12)),
    "preemptible": PolicySettings(preemptible=True),
    "once": PolicySettings(delivery="at_most_once"),
}


class People(Pair):
    """Create, edit and delete, run by hand, and register."""

    @rule(
        name=st.sampled_from(["host-a", "host-b", "host-c"]),
        queues=st.lists(_queues, min_size=1, unique=True),
        level=st.sampled_from(["none", "namespaces", "full"]),
        labelled=st.booleans(),
    )
    def add_worker(
        self,
        name: str,
        queues: list[str],
        level: str,
        labelled: bool,  # noqa: FBT001  # hypothesis gives it by name
    ) -> None:
        worker = factories.make_worker(
            id=self.identity(ids.WORKER),
            name=name,
            queues=tuple(queues),
            slots=2,
            sandbox_level=level,
            labels={"gpu": "yes"} if labelled else {},
            seen_at=self.now,
        )
        key = factories.make_key(id=self.identity(ids.KEY), role=Role.WORKER)
        stored = self.both(lambda s: s.workers.register(worker, key, quota=3))
        if stored is not None and stored.id not in self.workers:
            self.workers.append(stored.id)

    @rule(worker=NUMBERS)
    def drain(self, worker: int) -> None:
        name = self.workers[worker % len(self.workers)]
        self.both(lambda s: s.workers.drain(TENANT, name, now=self.now))

    @rule(worker=NUMBERS, really=st.integers(0, 3))
    def delete_worker(self, worker: int, really: int) -> None:
        name = self.workers[worker % len(self.workers)]
        if not really:
            self.both(lambda s: s.workers.delete(TENANT, name, now=self.now))

    @rule(
        name=st.sampled_from([None, "a", "b"]),
        limit=_limits,
        queue=_queues,
        picky=st.booleans(),
        priority=st.integers(0, 1),
        group=GROUPS,
        policy=st.sampled_from(list(POLICIES)),
        hooked=st.booleans(),
        profile=st.sampled_from([None, None, None, "slow"]),
        lagging=st.integers(0, 5),
    )
    def create(
        self,
        name: str | None,
        limit: int,
        queue: str,
        picky: bool,  # noqa: FBT001
        priority: int,
        group: str,
        policy: str,
        hooked: bool,  # noqa: FBT001
        profile: str | None,
        lagging: int,
    ) -> None:
        held = self.held_by(group, lagging=not lagging)
        schedule = factories.make_schedule(
            id=self.identity(ids.SCHEDULE),
            name=name,
            queue=queue,
            requires={"gpu": "yes"} if picky else {},
            policy=replace(
                POLICIES[policy],
                priority=priority,
                sandbox=SandboxSettings(level="none" if priority else None),
            ),
            group=group,
            profile=profile,
            hooks=factories.make_hooks(*HookKind, interval=10) if hooked else {},
            cursor=self.now,
            created_at=self.now,
            held=held,
            state=ScheduleState.PAUSED if held else ScheduleState.ACTIVE,
        )
        if self.both(lambda s: s.schedules.create(schedule, limit=limit, quota=6)):
            self.schedules.append(schedule.id)

    def held_by(self, group: str, *, lagging: bool) -> bool:
        """Return whether a group holds its schedules; wrongly so for who lags."""
        found = self.first.groups.find(TENANT, group)
        paused = found is not None and found.paused
        return paused != lagging

    def update(self, changed: Schedule, *, expected: Schedule) -> None:
        """Replace a schedule."""
        self.both(
            lambda s: s.schedules.update(
                changed, limit=1, expected=expected, settled=(), now=self.now
            )
        )

    @rule(
        schedule=NUMBERS,
        step=st.integers(0, 3),
        stale=st.integers(0, 5),
        state=st.sampled_from([RunState.PENDING] * 4 + [RunState.MISSED]),
        catch_up=st.booleans(),
        ends=st.integers(0, 9),
    )
    def materialise(
        self,
        schedule: int,
        step: int,
        stale: int,
        state: RunState,
        catch_up: bool,  # noqa: FBT001
        ends: int,
    ) -> None:
        found = self.schedule(schedule)
        if found is None:
            return
        cursor = found.cursor or self.now
        number = (cursor - START) // timedelta(seconds=10)
        runs = [
            self.occurrence(found, number + n, state=state, catch_up=catch_up)
            for n in range(step)
        ]
        item = Materialisation(
            schedule=found.id,
            tenant=TENANT,
            revision=found.revision,
            cursor=cursor if stale else cursor + timedelta(seconds=1),
            next_cursor=START + timedelta(seconds=10 * (number + step + 1))
            if ends
            else None,
            runs=tuple(runs),
        )
        # The second of the same is one too many.
        self.both(lambda s: s.schedules.materialise([item, item], now=self.now))

    @rule(
        schedule=NUMBERS,
        limit=_limits,
        settled=NUMBERS,
        name=st.sampled_from([None, "a", "b"]),
        queue=_queues,
        stale=st.integers(0, 5),
        same=st.integers(0, 3),
        group=GROUPS,
        lagging=st.integers(0, 9),
    )
    def edit(
        self,
        schedule: int,
        limit: int,
        settled: int,
        name: str | None,
        queue: str,
        stale: int,
        same: int,
        group: str,
        lagging: int,
    ) -> None:
        found = self.schedule(schedule)
        if found is None:
            return
        runs = [self.occurrence(found, settled)]
        held = self.held_by(group, lagging=not lagging)
        changed = replace(
            found,
            revision=found.revision + 1,
            definition=replace(found.definition, name=name, queue=queue, group=group),
            state=ScheduleState.PAUSED if held else ScheduleState.ACTIVE,
            held=held,
            cursor=self.now,
            updated_at=self.now,
        )
        if not same:
            # The cursor alone, worked out anew.
            changed = replace(found, cursor=self.now)
        expected = found if stale else replace(found, revision=found.revision - 1)
        self.both(
            lambda s: s.schedules.update(
                changed,
                limit=limit,
                expected=expected,
                settled=[run for run in runs if run.scheduled_for <= self.now],
                now=self.now,
            )
        )

    @rule(
        schedule=NUMBERS,
        settled=NUMBERS,
        really=st.integers(0, 3),
        cancel_running=st.booleans(),
    )
    def delete(
        self,
        schedule: int,
        settled: int,
        really: int,
        cancel_running: bool,  # noqa: FBT001
    ) -> None:
        found = self.schedule(schedule)
        if found is None or really:
            return
        runs = [self.occurrence(found, settled)]
        self.both(
            lambda s: s.schedules.delete(
                found, settled=runs, cancel_running=cancel_running, now=self.now
            )
        )

    @rule(schedule=NUMBERS, late=st.integers(-20, 20), priority=st.integers(0, 2))
    def insert(self, schedule: int, late: int, priority: int) -> None:
        if not self.schedules:
            return
        owner = self.schedules[schedule % len(self.schedules)]
        found = self.first.schedules.find(TENANT, owner)
        at = self.now - timedelta(seconds=late)
        self.count += 1
        run = factories.make_run(
            found or factories.make_schedule(id=owner),
            id=ids.run_id(owner, "manual", at, str(self.count)),
            origin=Origin.MANUAL,
            scheduled_for=at,
            priority=priority,
            created_at=self.now,
        )
        self.runs.append(run.id)
        self.both(lambda s: s.runs.insert(run, quota=8))

    @rule(run=NUMBERS)
    def cancel(self, run: int) -> None:
        if self.runs:
            name = self.runs[run % len(self.runs)]
            self.both(lambda s: s.runs.cancel(TENANT, name, now=self.now))
