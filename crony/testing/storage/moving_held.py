"""Of a held tenant nothing comes due or is leased; what runs may end."""

from __future__ import annotations

from dataclasses import replace

from crony.model.hook import HookKind
from crony.model.lease import Standing
from crony.model.state import RunState
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.storage.moving import Moving
from crony.testing.storage.scene import LINE, TENANT, Scene, second


class TestHeld(Moving):
    def test_nothing_of_a_held_tenant_comes_due_or_is_leased(
        self, scene: Scene
    ) -> None:
        schedule = scene.schedule(cursor=second(1))
        run = scene.manual(schedule)
        scene.tenant(held=True)
        late = scene.schedule(cursor=second(2))
        worker = scene.worker()
        assert not scene.store.schedules.due(second(99), limit=9)
        assert scene.store.schedules.earliest() is None
        assert not scene.leased(worker)
        scene.tenant(held=False)
        due = scene.store.schedules.due(second(99), limit=9)
        assert [each.id for each in due] == [schedule.id, late.id]
        assert scene.store.schedules.earliest() == second(1)
        assert scene.leased(worker) == [run.id]

    def test_others_go_on(self, scene: Scene) -> None:
        scene.schedule()
        other = scene.schedule(tenant="other", cursor=second(1))
        scene.tenant(held=True)
        assert [s.id for s in scene.store.schedules.due(second(9), limit=9)] == [
            other.id
        ]
        assert scene.store.schedules.earliest() == second(1)

    def test_one_that_is_made_held_is(self, scene: Scene) -> None:
        scene.tenant("other", held=True)
        scene.schedule(tenant="other")
        assert not scene.store.schedules.due(second(9), limit=9)
        found = scene.store.tenants.find("other")
        assert found is not None
        assert found.held

    def test_its_end_tells_the_lines_of_all_that_may_go(self, scene: Scene) -> None:
        scene.group("full", max_concurrent=0)
        scene.manual(scene.schedule(group="full", queue="a"), group="full", queue="a")
        ended = scene.manual(
            scene.schedule(queue="b"),
            queue="b",
            state=RunState.FAILED,
            finished_at=START,
        )
        scene.manual(scene.schedule(queue="c"), queue="c")
        scene.hook(ended, HookKind.ERROR)
        held = scene.tenant(held=True)
        changed = replace(held, revision=held.revision + 1, max_concurrent=9)
        assert scene.store.tenants.put(changed, expected=held.revision) == (
            True,
            frozenset(),
        )
        free = replace(changed, revision=changed.revision + 1, held=False)
        counted, ready = scene.store.tenants.put(free, expected=changed.revision)
        assert counted
        assert ready == {(TENANT, "c"), LINE}

    def test_only_hooks_go_on_where_the_tenant_has_no_place(self, scene: Scene) -> None:
        ended = scene.manual(scene.schedule(), state=RunState.FAILED, finished_at=START)
        scene.manual(scene.schedule(queue="c"), queue="c")
        scene.hook(ended, HookKind.ERROR)
        held = scene.tenant(held=True, max_concurrent=0)
        free = replace(held, revision=held.revision + 1, held=False)
        counted, ready = scene.store.tenants.put(free, expected=held.revision)
        assert (counted, ready) == (True, frozenset({LINE}))

    def test_a_place_that_comes_free_is_told_nobody(self, scene: Scene) -> None:
        group = scene.group("etl", max_concurrent=1)
        for _ in range(2):
            scene.manual(scene.schedule(group="etl"), group="etl")
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.tenant(held=True)
        assert scene.finish(worker, item) == frozenset()
        wider = replace(group, revision=2, max_concurrent=5)
        assert scene.store.groups.put(wider, expected=1) == (True, frozenset())

    def test_nothing_gives_way_to_it(self, scene: Scene) -> None:
        preemptible = factories.make_run().policy
        low = scene.manual(
            scene.schedule(), policy=replace(preemptible, preemptible=True)
        )
        worker = scene.worker(slots=1)
        scene.start(worker)
        scene.manual(scene.schedule(), priority=9)
        scene.tenant(held=True)
        scene.after(600)
        assert not scene.preempt()
        scene.tenant(held=False)
        assert [change.run for change in scene.preempt()] == [low.id]

    def test_what_runs_is_reported_and_may_end(self, scene: Scene) -> None:
        run = scene.manual(scene.schedule())
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.tenant(held=True)
        assert scene.report(worker, item).standing is Standing.ACCEPTED
        assert scene.run(run).state is RunState.SUCCEEDED
