"""What does not move in: a taken id or name, and what refers to nothing here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crony import errors
from crony.model import ids
from crony.model.moving import MovedRun
from crony.model.state import RunState
from crony.testing import factories
from crony.testing.storage.moving import Moving, move, runs, schedules
from crony.testing.storage.scene import TENANT, Scene, second


class TestIds(Moving):
    def test_what_is_there_stays_as_it_is(self, scene: Scene) -> None:
        schedule = scene.schedule(name="one")
        run = scene.manual(schedule)
        (moved,), (left,) = schedules(scene.store), runs(scene.store)
        changed = replace(schedule, cursor=second(99))
        assert list(
            scene.store.moving.put_schedules([replace(moved, schedule=changed)])
        ) == [False]
        over = replace(run, state=RunState.CANCELLED, finished_at=second(0))
        assert list(scene.store.moving.put_runs([replace(left, run=over)])) == [False]
        assert schedules(scene.store) == [moved]
        assert runs(scene.store) == [left]

    def test_an_id_that_was_used_elsewhere_is_used(
        self, scene: Scene, source: Scene
    ) -> None:
        dead = source.schedule(name="dead")
        source.delete(dead)
        move(source.store, scene.store)
        assert scene.store.schedules.find(TENANT, dead.id) is None
        assert not scene.store.schedules.create(dead, limit=1, quota=None)
        scene.schedule(name="dead")

    def test_an_id_of_another_tenant_is_not_taken(
        self, scene: Scene, source: Scene
    ) -> None:
        schedule = source.schedule()
        run = source.manual(schedule)
        scene.tenant("other", held=True)
        scene.tenant(held=True)
        other = replace(schedule, tenant="other")
        (moved,), (left,) = schedules(source.store), runs(source.store)
        put = scene.store.moving
        taken = replace(moved, tenant="other", schedule=other)
        assert list(put.put_schedules([taken])) == [True]
        theirs = replace(left, run=replace(run, tenant="other"))
        assert list(put.put_runs([theirs])) == [True]
        assert list(put.put_schedules([moved])) == [False]
        assert list(put.put_runs([left])) == [False]
        assert put.remove_runs(TENANT, [run.id]) == 0
        assert scene.store.runs.find("other", run.id) is not None
        assert scene.store.schedules.find("other", schedule.id) is not None


class TestRefusals(Moving):
    def test_a_run_needs_its_schedule_and_definition(
        self, scene: Scene, source: Scene
    ) -> None:
        one = source.schedule()
        runs_ = [source.manual(one, scheduled_for=second(n)) for n in range(3)]
        (moved,) = schedules(source.store)
        assert list(scene.store.moving.put_schedules([moved])) == [True]
        good, odd, last = (MovedRun(run=run) for run in runs_)
        unknown = replace(odd.run, schedule=factories.make_id(ids.SCHEDULE))
        with pytest.raises(errors.NotFound):
            scene.store.moving.put_runs([good, replace(odd, run=unknown), last])
        assert [run.id for run in scene.runs()] == [good.run.id]
        later = replace(odd.run, revision=7)
        with pytest.raises(errors.NotFound):
            scene.store.moving.put_runs([replace(odd, run=later), last])
        assert [run.id for run in scene.runs()] == [good.run.id]

    def test_a_name_belongs_to_one_schedule(self, scene: Scene, source: Scene) -> None:
        holder = scene.schedule(name="one")
        source.schedule(name="other")
        source.schedule(name="one")
        first, taken = schedules(source.store)
        with pytest.raises(errors.NameTaken) as caught:
            scene.store.moving.put_schedules([first, taken])
        assert caught.value.holder == holder.id
        found = [item.id for item in schedules(scene.store)]
        assert sorted(found) == sorted([holder.id, first.id])

    def test_its_group_and_profile_are_there(self, scene: Scene, source: Scene) -> None:
        source.group("etl")
        source.profile("slow")
        grouped = source.schedule(group="etl")
        source.schedule(profile="slow")
        for item in schedules(source.store):
            with pytest.raises(errors.NotFound):
                scene.store.moving.put_schedules([item])
        assert not schedules(scene.store)
        scene.group("etl")
        (moved, _) = schedules(source.store)
        assert moved.id == grouped.id
        assert list(scene.store.moving.put_schedules([moved])) == [True]

    def test_a_schedule_that_lags_behind_its_group_is_carried_over_later(
        self, scene: Scene, source: Scene
    ) -> None:
        schedule = source.schedule(group="default")
        (moved,) = schedules(source.store)
        group = scene.store.groups.find(TENANT, "default")
        assert group is not None
        paused = scene.regroup(group, paused=True, carried=True)
        assert not scene.store.groups.uncarried(limit=9)
        assert list(scene.store.moving.put_schedules([moved])) == [True]
        (lagging,) = scene.store.groups.uncarried(limit=9)
        assert (lagging.name, lagging.revision) == (paused.name, paused.revision)
        assert scene.stored(schedule).held is False
