"""Many runs at once that no occurrence made, and runs that others led to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crony import errors
from crony.model.hook import HookKind
from crony.model.policy import Policy, Retention, Retries, Sandbox
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import Origin
from crony.storage.contract import Store
from crony.testing import factories
from crony.testing.storage.scene import LINE, TENANT, Scene, second


def runs_of(schedule: Schedule, *seconds: float, **changes: object) -> list[Run]:
    """Return runs of a backfill, the same ones each time."""
    return [
        factories.make_run(
            schedule,
            id=f"run_{schedule.id[4:24]}{at:06}",
            origin=Origin.BACKFILL,
            scheduled_for=second(at),
            **changes,
        )
        for at in seconds
    ]


class TestBackfill:
    def test_all_are_stored_and_their_line_is_told(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        runs = runs_of(schedule, -3, -2, -1)
        assert store.runs.backfill(runs, quota=None) == (3, frozenset({LINE}))
        assert scene.leased(scene.worker()) == [runs[0].id]
        assert scene.stored(schedule).occurrences == 0
        assert scene.stored(schedule).cursor == schedule.cursor
        assert all(scene.told(run.id)[0] == "run.pending" for run in runs)

    def test_those_that_exist_are_left_as_they_are(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        store.runs.backfill(runs_of(schedule, -3, -2), quota=None)
        again = runs_of(schedule, -3, -2, -1, priority=9)
        assert store.runs.backfill(again, quota=3)[0] == 1
        priorities = [scene.run(run).priority for run in again]
        assert priorities == [0, 0, 9]
        assert store.runs.backfill(again, quota=3) == (0, frozenset())

    def test_a_quota_that_does_not_hold_them_all_refuses_them_all(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.manual(schedule)
        runs = runs_of(schedule, -3, -2, -1)
        said = "has 1 pending runs, and may have 3: there is no room for 3 more"
        with pytest.raises(errors.QuotaExceeded, match=said):
            store.runs.backfill(runs, quota=3)
        assert len(scene.runs()) == 1
        assert store.tenants.usage(TENANT).pending_runs == 1
        assert not [e for e in scene.events() if e.subject == runs[0].id]
        assert store.runs.backfill(runs, quota=4)[0] == 3

    def test_those_of_a_schedule_that_is_gone_are_refused(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.delete(schedule)
        with pytest.raises(errors.NotFound):
            store.runs.backfill(runs_of(schedule, -1), quota=None)
        assert scene.runs() == []

    def test_none_at_all_are_stored_at_once(self, store: Store) -> None:
        assert store.runs.backfill([], quota=0) == (0, frozenset())

    def test_they_count_towards_the_limit_of_their_schedule(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=2)
        runs = runs_of(schedule, -3, -2, -1)
        store.runs.backfill(runs, quota=None)
        assert scene.leased(scene.worker()) == [runs[0].id, runs[1].id]


class TestKept:
    def test_what_a_run_is_made_with_is_read_again(self, store: Store) -> None:
        scene = Scene(store)
        scene.group("etl")
        policy = Policy(
            max_runtime=timedelta(microseconds=1500),
            max_concurrent=3,
            on_overlap="replace",
            misfire="latest",
            misfire_window=timedelta(minutes=2),
            retries=Retries(max=2, factor=1.5, randomize=False),
            deadline=timedelta(seconds=90),
            preemptible=True,
            sandbox=Sandbox(network="host", cpu=0.5, ro_paths=("/usr",)),
            retention=Retention(runs=1, age=timedelta(days=1), log=0),
        )
        (run,) = scene.due(
            scene.schedule(group="etl"),
            1,
            policy=policy,
            deadline_at=second(91),
            overlap="replace",
            hooks=frozenset({HookKind.ERROR, HookKind.PROGRESS}),
            hook_interval=timedelta(microseconds=10_000_001),
            catch_up=True,
        )
        assert run.group == "etl"
        assert scene.run(run) == run
        assert scene.runs() == [run]
        (offer,) = scene.lease(scene.worker())
        assert offer.run.policy == policy
        assert store.leases.inputs(TENANT, [run.id])[run.id][0].policy == policy

    def test_a_run_taken_back_has_the_policy_it_is_made_with_anew(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.group("etl")
        schedule = scene.schedule()
        scene.due(schedule, 3)
        scene.edit(schedule, group="etl")
        policy = Policy(grace=timedelta(seconds=1))
        (again,) = scene.due(
            schedule,
            3,
            policy=policy,
            deadline_at=second(60),
            overlap="skip",
            hooks=frozenset({HookKind.SUCCESS}),
        )
        back = scene.run(again)
        assert (back.policy, back.group, back.revision) == (policy, "etl", 2)
        assert (back.deadline_at, back.overlap) == (second(60), "skip")
        assert back.hooks == {HookKind.SUCCESS}


class TestList:
    def test_runs_are_found_by_what_made_them(self, store: Store) -> None:
        scene = Scene(store)
        scene.group("etl")
        schedule = scene.schedule(group="etl", limit=9)
        (run,) = scene.due(schedule, 0)
        (other,) = scene.due(scene.schedule(), 1)
        retry = scene.manual(schedule, origin=Origin.RETRY, parent=run.id)
        backfill = runs_of(schedule, -1)
        store.runs.backfill(backfill, quota=None)
        hook = scene.hook(run, HookKind.ERROR)

        def found(**query: object) -> set[str]:
            return {run.id for run in scene.runs(**query)}

        assert found(origin=Origin.SCHEDULE) == {run.id, other.id}
        assert found(origin=Origin.RETRY) == {retry.id}
        assert found(origin=Origin.BACKFILL) == {backfill[0].id}
        assert found(origin=Origin.HOOK) == {hook.id}
        assert found(parent=run.id) == {retry.id, hook.id}
        assert found(parent=run.id, origin=Origin.HOOK) == {hook.id}
        assert found(group="default") == {other.id}
        expected = {run.id, retry.id, backfill[0].id, hook.id}
        assert found(group="etl") == expected
        assert found(group="etl", origin=Origin.SCHEDULE) == {run.id}
        assert found(schedule=schedule.id) == expected
