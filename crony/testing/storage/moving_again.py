"""What moved in once moves in again as it became, or goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crony.model.hook import FollowUp, HookKind
from crony.model.lease import Standing
from crony.model.moving import MovedRun
from crony.model.run import Run
from crony.model.state import RunState
from crony.testing.clock import START
from crony.testing.storage.moving import (
    Moving,
    fill,
    move,
    move_again,
    move_schedules,
    runs,
    schedules,
    write,
)
from crony.testing.storage.scene import TENANT, Scene, second


def owed_of(run: Run, *kinds: HookKind) -> Sequence[FollowUp]:
    """Return follow-ups of a run's newest attempt."""
    return [
        FollowUp(
            tenant=run.tenant,
            schedule=run.schedule,
            run=run.id,
            attempt=run.attempt,
            kind=kind,
            number=1,
            at=second(1),
        )
        for kind in kinds
    ]


class TestAgain(Moving):
    def test_a_held_tenant_takes_all_in_again(
        self, scene: Scene, source: Scene
    ) -> None:
        made = fill(source)
        scene.tenant(held=True)
        move(source.store, scene.store)
        for _ in range(2):
            move_again(source.store, scene.store)
            assert schedules(scene.store) == schedules(source.store)
            assert runs(scene.store) == runs(source.store)
        # And once more, after time went on there.
        worker = source.worker(name="host-c", slots=99)
        for item in source.start(worker):
            write(source, worker.id, item)
            source.report(worker, item)
        source.edit(made["one"], name="uno", group="etl", cursor=second(500))
        source.delete(made["done"])
        move_again(source.store, scene.store)
        assert schedules(scene.store) == schedules(source.store)
        assert runs(scene.store) == runs(source.store)
        assert scene.store.schedules.find(TENANT, "one") is None
        ours, theirs = (s.store.stats(TENANT, now=source.now) for s in (scene, source))
        assert (ours.pending, ours.schedules) == (theirs.pending, theirs.schedules)
        assert ours.oldest_due == theirs.oldest_due

    def test_a_run_that_ended_meanwhile_is_over(
        self, scene: Scene, source: Scene
    ) -> None:
        scene.tenant(held=True)
        run = source.manual(source.schedule())
        move(source.store, scene.store)
        source_worker = source.worker()
        (item,) = source.start(source_worker)
        source.report(source_worker, item, result=1)
        move_again(source.store, scene.store)
        assert scene.run(run) == source.run(run)
        scene.tenant(held=False)
        assert not scene.leased(scene.worker())
        assert scene.store.tenants.usage(TENANT).pending_runs == 0

    def test_what_leaves_a_place_lets_the_next_go(
        self, scene: Scene, source: Scene
    ) -> None:
        scene.tenant(held=True)
        schedule = source.schedule()
        first, then = (source.manual(schedule, due_at=second(n)) for n in (0, 1))
        move(source.store, scene.store)
        over = replace(first, state=RunState.CANCELLED, finished_at=second(0))
        assert list(scene.store.moving.put_runs([MovedRun(run=over)])) == [True]
        scene.tenant(held=False)
        scene.after(2)
        assert scene.leased(scene.worker()) == [then.id]

    def test_what_a_worker_has_is_left_to_it(self, scene: Scene) -> None:
        schedule = scene.schedule(limit=2)
        runs_ = [scene.manual(schedule, scheduled_for=second(n)) for n in (0, 1)]
        worker = scene.worker(slots=1)
        (item,) = scene.start(worker, slots=1)
        scene.tenant(held=True)
        moved = [
            MovedRun(run=replace(run, state=RunState.CANCELLED, finished_at=START))
            for run in runs_
        ]
        counted = scene.store.moving.put_runs(moved)
        assert list(counted) == [run.id != item.run for run in runs_]
        names = [run.id for run in runs_]
        assert scene.store.moving.remove_runs(TENANT, names) == 1
        assert scene.run(item.run).state is RunState.RUNNING
        assert scene.report(worker, item).standing is Standing.ACCEPTED

    def test_a_limit_that_moves_in_admits_anew(
        self, scene: Scene, source: Scene
    ) -> None:
        scene.tenant(held=True)
        schedule = source.schedule(limit=1)
        for number in range(3):
            source.manual(schedule, scheduled_for=second(number), due_at=START)
        move(source.store, scene.store)
        (moved,) = schedules(scene.store)
        wide = replace(moved, limit=2)
        assert list(scene.store.moving.put_schedules([wide])) == [True]
        scene.tenant(held=False)
        scene.after(9)
        assert len(scene.leased(scene.worker())) == 2

    def test_a_schedule_that_was_deleted_meanwhile_is(
        self, scene: Scene, source: Scene
    ) -> None:
        scene.tenant(held=True)
        schedule = source.schedule(name="one")
        source.due(schedule, 0, state=RunState.MISSED, finished_at=second(0))
        move(source.store, scene.store)
        source.delete(schedule)
        move_again(source.store, scene.store)
        scene.tenant(held=False)
        assert scene.store.schedules.find(TENANT, "one") is None
        assert not scene.store.schedules.due(second(999), limit=9)
        assert scene.store.tenants.usage(TENANT).schedules == 0
        assert len(scene.runs()) == 1
        pruned = scene.store.runs.prune(
            TENANT, schedule.id, keep=0, before=second(9), now=second(9), limit=9
        )
        assert pruned == 1
        assert scene.store.schedules.definition(TENANT, schedule.id, 1) is None

    def test_hooks_that_are_owed_are_replaced_with_their_run(
        self, scene: Scene, source: Scene
    ) -> None:
        run = source.manual(source.schedule(), state=RunState.FAILED, finished_at=START)
        move_schedules(source.store, scene.store)
        put = scene.store.moving.put_runs
        owed = tuple(owed_of(run, HookKind.ERROR))
        put([MovedRun(run=run, follow_ups=owed)])
        assert tuple(scene.store.runs.follow_ups(limit=9)) == owed
        scene.tenant(held=True)
        put([MovedRun(run=run)])
        assert not scene.store.runs.follow_ups(limit=9)

    def test_hooks_that_are_owed_move_in_the_order_of_their_kinds(
        self, scene: Scene, source: Scene
    ) -> None:
        run = source.manual(source.schedule(), state=RunState.FAILED, finished_at=START)
        move_schedules(source.store, scene.store)
        later, earlier = owed_of(run, HookKind.ERROR, HookKind.PROGRESS)
        later = replace(later, at=second(2))
        scene.store.moving.put_runs([MovedRun(run=run, follow_ups=(earlier, later))])
        (moved,) = runs(scene.store)
        assert moved.follow_ups == (later, earlier)

    def test_a_tenant_that_was_deleted_takes_all_in_anew(
        self, scene: Scene, source: Scene
    ) -> None:
        source.manual(source.schedule(tenant="other"), tenant="other")
        here = scene.store
        for _ in range(2):
            revision = scene.tenant("other", held=True).revision
            move(source.store, here, tenant="other")
            left = runs(here, tenant="other")
            assert left == runs(source.store, tenant="other")
            assert schedules(here, tenant="other") == schedules(
                source.store, tenant="other"
            )
            assert here.moving.remove_runs("other", [left[0].run.id]) == 1
            (item,) = schedules(here, tenant="other")
            assert item.schedule is not None
            here.schedules.delete(
                item.schedule, settled=(), cancel_running=False, now=scene.now
            )
            assert here.tenants.delete("other", expected=revision)


class TestRemoval(Moving):
    def test_what_is_removed_was_never_here(self, scene: Scene, source: Scene) -> None:
        made = fill(source)
        move(source.store, scene.store)
        names = [run.id for run in scene.runs(schedule=made["one"].id)]
        left = scene.store.runs.pruned(TENANT, made["one"].id)
        assert scene.store.moving.remove_runs(TENANT, names) == 0
        scene.tenant(held=True)
        assert scene.store.moving.remove_runs(TENANT, [*names, *names]) == len(names)
        assert not scene.runs(schedule=made["one"].id)
        assert not scene.store.runs.errors(TENANT, [made["one"].id], limit=9)
        assert scene.store.runs.pruned(TENANT, made["one"].id) == left
        assert not [
            owed for owed in scene.store.runs.follow_ups(limit=99) if owed.run in names
        ]
        moved = [item for item in runs(source.store) if item.run.id in names]
        assert list(scene.store.moving.put_runs(moved)) == [True] * len(names)
        assert runs(scene.store) == runs(source.store)

    def test_the_next_in_line_goes(self, scene: Scene) -> None:
        schedule = scene.schedule()
        first, then = (scene.manual(schedule, due_at=second(n)) for n in (0, 1))
        scene.tenant(held=True)
        assert scene.store.moving.remove_runs(TENANT, [first.id]) == 1
        scene.tenant(held=False)
        scene.after(2)
        assert scene.leased(scene.worker()) == [then.id]
