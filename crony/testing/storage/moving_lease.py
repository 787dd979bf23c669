"""What moved in is leased under the limits of here, and its tokens go on."""

from __future__ import annotations

from dataclasses import replace

from crony.model.lease import Holding, Standing
from crony.model.state import RunState
from crony.testing import factories
from crony.testing.storage.moving import Moving, move, move_schedules, runs
from crony.testing.storage.scene import LINE, TENANT, Scene, second


class TestGrants(Moving):
    def test_a_late_report_of_an_attempt_elsewhere_is_stale(
        self, scene: Scene, source: Scene
    ) -> None:
        run = source.manual(source.schedule(), max_lost=5)
        worker = source.worker()
        (item,) = source.start(worker)
        source.after(3600)
        source.expire()
        (moved,) = runs(source.store)
        raised = replace(moved.run, token=moved.run.token + 1000)
        move_schedules(source.store, scene.store)
        scene.store.moving.put_runs([replace(moved, run=raised)])
        key = factories.make_key()
        scene.store.workers.register(worker, key, quota=None)
        scene.now = source.now
        assert scene.report(worker, item).standing is Standing.STALE
        (answer,) = scene.confirm(worker, item)
        assert answer.standing is Standing.STALE
        entry = factories.make_progress(run.id)
        said = scene.store.leases.progress(TENANT, worker.id, item.token, entry)
        assert said is Standing.STALE
        unknown = Holding(item.run, item.token + 1)
        assert scene.report(worker, unknown).standing is Standing.UNKNOWN
        assert scene.run(run).state is RunState.PENDING

    def test_its_tokens_go_on_from_where_they_were(
        self, scene: Scene, source: Scene
    ) -> None:
        source.manual(source.schedule(), max_lost=5)
        source.start(source.worker())
        source.after(3600)
        source.expire()
        (moved,) = runs(source.store)
        raised = replace(moved.run, token=moved.run.token + 1000)
        move_schedules(source.store, scene.store)
        scene.store.moving.put_runs([replace(moved, run=raised)])
        scene.now = source.now
        (offer,) = scene.lease(scene.worker())
        assert (offer.token, offer.attempt) == (moved.run.token + 1001, 2)

    def test_a_withdrawn_run_is_taken_back_under_them(
        self, scene: Scene, source: Scene
    ) -> None:
        schedule = source.schedule()
        source.due(schedule, 60)
        source.edit(schedule)
        (moved,) = runs(source.store)
        assert moved.run.state is RunState.WITHDRAWN
        move_schedules(source.store, scene.store)
        raised = replace(moved.run, token=1000)
        scene.store.moving.put_runs([replace(moved, run=raised)])
        again = factories.make_run(schedule, scheduled_for=second(60), revision=2)
        stored = scene.stored(schedule)
        item = factories.make_materialisation(
            stored, next_cursor=second(61), runs=(again,)
        )
        scene.store.schedules.materialise([item], now=scene.now)
        assert scene.run(again).state is RunState.PENDING
        assert scene.run(again).token == 1000


class TestAdmission(Moving):
    def test_limits_hold_of_what_moved_in(self, scene: Scene, source: Scene) -> None:
        schedule = source.schedule(limit=2)
        made = [source.manual(schedule, due_at=second(n)) for n in (2, 0, 1)]
        move(source.store, scene.store)
        scene.after(9)
        assert scene.leased(scene.worker()) == [made[1].id, made[2].id]

    def test_what_is_here_already_shares_them(
        self, scene: Scene, source: Scene
    ) -> None:
        schedule = source.schedule(limit=1)
        early = source.manual(schedule, due_at=second(0))
        move_schedules(source.store, scene.store)
        late = scene.manual(schedule, due_at=second(1))
        move_runs = scene.store.moving.put_runs(runs(source.store))
        assert list(move_runs) == [True]
        scene.after(9)
        worker = scene.worker()
        (item,) = scene.start(worker)
        assert item.run == early.id
        scene.report(worker, item)
        assert scene.leased(worker) == [late.id]

    def test_groups_and_tenants_hold_of_it(self, scene: Scene, source: Scene) -> None:
        source.group("etl", max_concurrent=1)
        for _ in range(2):
            source.manual(source.schedule(group="etl"), group="etl")
        source.manual(source.schedule())
        move(source.store, scene.store)
        assert len(scene.leased(scene.worker())) == 2

    def test_what_is_to_come_waits_to_be_promoted(
        self, scene: Scene, source: Scene
    ) -> None:
        run = source.manual(source.schedule(), available_at=second(60))
        move(source.store, scene.store)
        assert scene.store.leases.earliest() == second(60)
        ready = scene.store.leases.promote(horizon=second(59), limit=9)
        assert not ready
        assert scene.store.leases.promote(horizon=second(60), limit=9) == {LINE}
        scene.now = second(60)
        assert scene.leased(scene.worker()) == [run.id]

    def test_labels_and_levels_are_asked_for(self, scene: Scene, source: Scene) -> None:
        source.manual(source.schedule(requires={"gpu": "yes"}))
        move(source.store, scene.store)
        assert not scene.leased(scene.worker())
        assert scene.leased(scene.worker(name="host-b", labels={"gpu": "yes"}))
