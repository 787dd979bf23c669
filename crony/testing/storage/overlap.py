"""What becomes of an occurrence while an earlier run is unfinished."""

from __future__ import annotations

import pytest

from crony.model.hook import HookKind
from crony.model.lease import Change, Holding, Standing
from crony.model.policy import REPLACE, SKIP
from crony.model.state import AttemptState, Origin, Reason, RunState
from crony.storage.contract import Store
from crony.testing.storage.preemption import preempted
from crony.testing.storage.scene import LINE, TENANT, Scene, second

BOTH = pytest.mark.parametrize("overlap", [SKIP, REPLACE])


class TestDecision:
    @BOTH
    def test_with_nothing_in_the_way_the_run_goes_its_way(
        self, store: Store, overlap: str
    ) -> None:
        scene = Scene(store)
        before, run = scene.due(scene.schedule(), 0, 1, overlap=overlap)
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.report(worker, item)
        scene.after(1)
        assert scene.overlap() == []
        assert scene.run(run).overlap is None
        assert scene.leased(worker) == [run.id]
        assert scene.run(before).state is RunState.SUCCEEDED

    @BOTH
    def test_nothing_is_decided_before_the_instant(
        self, store: Store, overlap: str
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.due(schedule, 0)
        scene.start(scene.worker())
        (run,) = scene.due(schedule, 10, overlap=overlap)
        assert store.leases.earliest() == second(10)
        scene.after(9.999)
        assert scene.overlap() == []
        assert scene.run(run).overlap == overlap
        scene.after(0.001)
        assert len(scene.overlap()) == 1

    @BOTH
    def test_it_is_decided_once(self, store: Store, overlap: str) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 1, overlap=overlap)
        scene.after(1)
        assert scene.overlap() == []
        # One that comes before it now comes too late to be in its way.
        scene.manual(schedule, scheduled_for=second(0))
        assert scene.overlap() == []
        assert scene.run(run).state is RunState.PENDING
        assert scene.run(run).overlap is None

    @BOTH
    @pytest.mark.parametrize("origin", [Origin.BACKFILL, Origin.HOOK])
    def test_backfills_and_hooks_are_not_in_the_way(
        self, store: Store, overlap: str, origin: Origin
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=9)
        (of,) = scene.due(schedule, -1, state=RunState.MISSED)
        hook = HookKind.ERROR if origin is Origin.HOOK else None
        beside = scene.manual(
            schedule,
            origin=origin,
            parent=of.id,
            hook=hook,
            hook_attempt=1 if hook else None,
        )
        stored = scene.stored(schedule)
        store.schedules.update(
            stored, limit=1, expected=stored, settled=(), now=scene.now
        )
        scene.start(scene.worker())
        (run,) = scene.due(schedule, 1, overlap=overlap)
        scene.after(1)
        assert scene.overlap() == []
        assert scene.run(run).state is RunState.PENDING
        assert scene.run(beside).state is RunState.RUNNING

    def test_runs_of_other_schedules_are_not_in_the_way(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        (run,) = scene.due(scene.schedule(), 0, overlap=SKIP)
        assert scene.overlap() == []
        assert scene.run(run).state is RunState.PENDING

    def test_they_are_decided_in_their_order_and_no_more_than_the_limit(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        runs = scene.due(scene.schedule(), 0, 1, 2, overlap=SKIP)
        scene.after(5)
        assert scene.overlap(limit=1) == []
        assert [run.overlap for run in map(scene.run, runs)] == [None, SKIP, SKIP]
        assert [change.run for change in scene.overlap(limit=1)] == [runs[1].id]
        assert [change.run for change in scene.overlap()] == [runs[2].id]
        assert scene.run(runs[0]).state is RunState.PENDING

    @BOTH
    def test_a_retry_of_what_was_confirmed_before_its_instant_is_not_decided(
        self, store: Store, overlap: str
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 0.2, overlap=overlap)
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.manual(schedule, scheduled_for=second(0.1))
        scene.report(
            worker,
            item,
            AttemptState.FAILED,
            reason=Reason.START_FAILED,
            retry_at=second(9),
        )
        scene.after(5)
        assert scene.overlap() == []
        assert scene.run(run).state is RunState.PENDING

    def test_a_run_that_was_withdrawn_is_not_decided(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.due(schedule, 0)
        scene.start(scene.worker())
        (run,) = scene.due(schedule, 1, overlap=SKIP)
        scene.edit(schedule)
        scene.after(1)
        assert scene.overlap() == []
        assert scene.run(run).state is RunState.WITHDRAWN


class TestSkip:
    def test_an_unfinished_run_in_the_way_lets_the_next_be_skipped(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.due(schedule, 0)
        scene.start(scene.worker())
        (run,) = scene.due(schedule, 1, overlap=SKIP)
        scene.after(1)
        changes, ready = store.leases.overlap(now=scene.now, limit=9)
        assert list(changes) == [
            Change(
                run=run.id,
                schedule=schedule.id,
                tenant=TENANT,
                worker=None,
                state=RunState.SKIPPED,
                reason=Reason.OVERLAP,
            )
        ]
        assert ready == frozenset()
        skipped = scene.run(run)
        assert (skipped.state, skipped.reason) == (RunState.SKIPPED, Reason.OVERLAP)
        assert skipped.finished_at == scene.now
        assert scene.stored(schedule).occurrences == 2

    @pytest.mark.parametrize("in_the_way", ["pending", "retry", "leased", "stopping"])
    def test_whatever_is_unfinished_is_in_the_way(
        self, store: Store, in_the_way: str
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (first,) = scene.due(schedule, 0)
        worker = scene.worker()
        match in_the_way:
            case "leased":
                scene.lease(worker)
            case "stopping":
                scene.start(worker)
                store.runs.cancel(TENANT, first.id, now=scene.now)
            case "retry":
                (item,) = scene.start(worker)
                scene.report(worker, item, AttemptState.FAILED, retry_at=second(99))
        (run,) = scene.due(schedule, 1, overlap=SKIP)
        scene.after(1)
        assert [change.run for change in scene.overlap()] == [run.id]

    def test_a_run_by_hand_is_in_the_way_where_it_comes_before(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.manual(schedule)
        (run,) = scene.due(schedule, 1, overlap=SKIP)
        later = scene.manual(scene.schedule(), scheduled_for=second(2))
        scene.after(3)
        assert [change.run for change in scene.overlap()] == [run.id]
        assert scene.run(later).state is RunState.PENDING

    def test_what_comes_after_is_not_in_the_way(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 1, overlap=SKIP)
        scene.manual(schedule, scheduled_for=second(2))
        scene.after(3)
        assert scene.overlap() == []
        assert scene.run(run).state is RunState.PENDING

    def test_as_many_as_the_limit_must_be_in_the_way(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=2)
        scene.due(schedule, 0)
        worker = scene.worker()
        scene.start(worker)
        beside, skipped = scene.due(schedule, 1, 2, overlap=SKIP)
        scene.after(1)
        assert scene.overlap() == []
        assert scene.leased(worker) == [beside.id]
        scene.after(1)
        assert [change.run for change in scene.overlap()] == [skipped.id]


class TestReplace:
    def test_a_running_run_in_the_way_is_stopped_and_the_next_waits_for_its_end(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (first,) = scene.due(schedule, 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        (run,) = scene.due(schedule, 1, overlap=REPLACE)
        scene.after(1)
        assert scene.overlap() == [
            Change(
                run=first.id,
                schedule=schedule.id,
                tenant=TENANT,
                worker=worker.id,
                state=RunState.STOPPING,
                reason=Reason.REPLACED,
            )
        ]
        assert not scene.lease(worker)
        _, (revoked,) = store.leases.renew(
            worker.tenant,
            worker.id,
            session="session",
            holding=[item],
            now=scene.now,
            lease_ttl=second(60) - second(0),
        )
        assert revoked.reason == "replaced"
        assert scene.finish(worker, item, AttemptState.CANCELLED) == {LINE}
        ended = scene.run(first)
        assert (ended.state, ended.reason) == (RunState.CANCELLED, Reason.REPLACED)
        assert scene.leased(worker) == [run.id]

    def test_one_that_has_not_started_is_cancelled_at_once(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (first,) = scene.due(schedule, 0)
        worker = scene.worker()
        (offer,) = scene.lease(worker)
        (run,) = scene.due(schedule, 1, overlap=REPLACE)
        scene.after(1)
        (change,), ready = store.leases.overlap(now=scene.now, limit=9)
        assert (change.run, change.worker) == (first.id, worker.id)
        assert (change.state, change.reason) == (RunState.CANCELLED, Reason.REPLACED)
        assert ready == {LINE}
        (late,) = scene.confirm(worker, Holding(offer.run.id, offer.token))
        assert late.standing is Standing.OVER
        assert scene.run(first).finished_at == scene.now
        assert scene.run(first).attempts == ()
        assert scene.leased(worker) == [run.id]

    def test_of_many_that_waited_only_the_last_is_left(self, store: Store) -> None:
        scene = Scene(store)
        runs = scene.due(scene.schedule(), 0, 1, 2, overlap=REPLACE)
        scene.after(5)
        assert [(change.run, change.worker) for change in scene.overlap()] == [
            (runs[0].id, None),
            (runs[1].id, None),
        ]
        assert scene.leased(scene.worker()) == [runs[2].id]

    def test_one_that_is_stopping_already_is_not_stopped_again(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (first,) = scene.due(schedule, 0)
        scene.start(scene.worker())
        store.runs.cancel(TENANT, first.id, now=scene.now)
        (run,) = scene.due(schedule, 1, overlap=REPLACE)
        scene.after(1)
        assert scene.overlap() == []
        assert scene.run(first).reason is Reason.USER
        assert scene.run(run).overlap is None

    def test_no_more_are_stopped_than_make_room_the_oldest_first(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=2)
        oldest, younger = scene.due(schedule, 0, 1)
        worker = scene.worker()
        scene.start(worker)
        (run,) = scene.due(schedule, 2, overlap=REPLACE)
        scene.after(2)
        assert [change.run for change in scene.overlap()] == [oldest.id]
        assert scene.run(younger).state is RunState.RUNNING
        assert scene.run(run).state is RunState.PENDING

    def test_what_was_stopped_to_go_on_elsewhere_is_replaced_as_well(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        first = preempted(scene, schedule).run
        (run,) = scene.due(schedule, 10, overlap=REPLACE)
        scene.after(10)
        (change,) = scene.overlap()
        assert (change.run, change.state, change.reason) == (
            first.id,
            RunState.STOPPING,
            Reason.REPLACED,
        )
        assert scene.run(run).overlap is None
