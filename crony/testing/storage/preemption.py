"""A full worker gives way to what matters more, and what gave way goes on later."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from crony import errors
from crony.model.hook import HookKind
from crony.model.lease import Change, Holding, Standing
from crony.model.policy import Policy
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import AttemptState, Origin, Reason, RunState
from crony.model.worker import Worker
from crony.storage.contract import Store
from crony.testing.storage.scene import TENANT, Scene, second

PREEMPTIBLE = Policy(preemptible=True)


@dataclass(frozen=True, slots=True)
class Preempted:
    """A run that is stopped on a worker of one slot, for one of higher priority."""

    run: Run
    worker: Worker
    item: Holding
    higher: Run


def preempted(scene: Scene, schedule: Schedule | None = None) -> Preempted:
    """Let a run of the schedule be preempted, half a second from now."""
    start = (scene.now - second(0)).total_seconds()
    (run,) = scene.due(schedule or scene.schedule(), start, policy=PREEMPTIBLE)
    worker = scene.worker(slots=1)
    (item,) = scene.start(worker, slots=1)
    higher = scene.manual(scene.schedule(), priority=5)
    scene.after(0.5)
    assert [change.run for change in scene.preempt()] == [run.id]
    return Preempted(run, worker, item, higher)


class TestPreempt:
    def test_after_half_a_second_a_run_of_lower_priority_gives_way(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        low = scene.schedule()
        (run,) = scene.due(low, 0, policy=PREEMPTIBLE)
        worker = scene.worker(slots=1)
        (item,) = scene.start(worker, slots=1)
        (higher,) = scene.due(scene.schedule(), 1, priority=1)
        scene.after(1.499)
        assert scene.preempt() == []
        scene.after(0.001)
        assert scene.preempt() == [
            Change(
                run=run.id,
                schedule=low.id,
                tenant=TENANT,
                worker=worker.id,
                state=RunState.STOPPING,
                reason=Reason.PREEMPTED,
            )
        ]
        assert scene.preempt() == []
        assert not scene.lease(worker, slots=0)
        scene.report(worker, item, AttemptState.CANCELLED)
        assert scene.leased(worker, slots=1) == [higher.id]

    def test_nobody_gives_way_to_what_catches_up_where_its_share_is_taken(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        worker = scene.worker(slots=2)
        scene.due(scene.schedule(), 0, policy=PREEMPTIBLE)
        (late,) = scene.due(scene.schedule(), 0, catch_up=True, priority=1)
        scene.start(worker, slots=2)
        scene.due(scene.schedule(), 0, catch_up=True, priority=5)
        scene.after(1)
        assert scene.preempt() == []
        scene.finish(worker, Holding(late.id, scene.run(late).token))
        (after,) = scene.lease(worker, slots=1)
        assert after.run.catch_up

    def test_what_catches_up_takes_the_slot_of_another_that_does(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        worker = scene.worker(slots=2)
        scene.due(scene.schedule(), 0, policy=PREEMPTIBLE)
        (late,) = scene.due(
            scene.schedule(), 0, catch_up=True, priority=1, policy=PREEMPTIBLE
        )
        items = {item.run: item for item in scene.start(worker, slots=2)}
        (higher,) = scene.due(scene.schedule(), 0, catch_up=True, priority=5)
        scene.after(1)
        assert [change.run for change in scene.preempt()] == [late.id]
        scene.report(worker, items[late.id], AttemptState.CANCELLED)
        assert scene.leased(worker, slots=1) == [higher.id]

    def test_no_more_give_way_to_what_catches_up_than_its_share(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        worker = scene.worker(slots=4)
        scene.due(scene.schedule(limit=9), 0, 0.1, 0.2, 0.3, policy=PREEMPTIBLE)
        scene.after(0.5)
        scene.start(worker, slots=4)
        for _ in range(4):
            scene.due(scene.schedule(), 0, catch_up=True, priority=5)
        scene.after(1)
        assert len(scene.preempt()) == 2

    def test_nobody_gives_way_to_a_hook(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 0, policy=PREEMPTIBLE)
        worker = scene.worker(slots=1)
        scene.start(worker, slots=1)
        scene.manual(
            schedule,
            origin=Origin.HOOK,
            parent=run.id,
            hook=HookKind.PROGRESS,
            hook_attempt=1,
            priority=5,
        )
        scene.after(0.5)
        assert scene.preempt() == []

    def test_what_gave_way_is_pending_again_and_the_attempt_does_not_count(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        case = preempted(scene)
        closed = scene.report(case.worker, case.item, AttemptState.CANCELLED)
        assert closed.state is RunState.PENDING
        run = scene.run(case.run)
        assert (run.state, run.reason) == (RunState.PENDING, Reason.PREEMPTED)
        assert (run.failures, run.lost) == (0, 0)
        assert run.attempts[-1].state is AttemptState.PREEMPTED
        (high,) = scene.start(case.worker, slots=1)
        assert high.run == case.higher.id
        scene.report(case.worker, high)
        (again,) = scene.lease(case.worker, slots=1)
        assert (again.run.id, again.token, again.attempt) == (case.run.id, 2, 2)

    @pytest.mark.parametrize(
        ("reported", "state"),
        [
            (AttemptState.PREEMPTED, RunState.PENDING),
            (AttemptState.SUCCEEDED, RunState.SUCCEEDED),
            (AttemptState.FAILED, RunState.PENDING),
        ],
    )
    def test_it_may_end_by_itself_before_it_is_stopped(
        self, store: Store, reported: AttemptState, state: RunState
    ) -> None:
        scene = Scene(store)
        case = preempted(scene)
        closed = scene.report(case.worker, case.item, reported, retry_at=scene.now)
        assert closed.state is state

    def test_a_repeated_report_of_a_preempted_attempt_is_accepted_again(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        case = preempted(scene)
        standings = []
        for _ in range(2):
            closed = scene.report(case.worker, case.item, AttemptState.CANCELLED)
            assert closed.state is RunState.PENDING
            standings.append(closed.standing)
        assert standings == [Standing.ACCEPTED, Standing.REPEATED]
        assert len(scene.run(case.run).attempts) == 1

    def test_a_worker_that_vanished_meanwhile_loses_the_attempt_not_the_run(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        case = preempted(scene)
        scene.after(60)
        (loss,), _ = scene.expire()
        assert (loss.run, loss.state) == (case.run.id, RunState.PENDING)
        assert scene.run(case.run).lost == 1

    def test_a_person_may_cancel_what_gives_way(self, store: Store) -> None:
        scene = Scene(store)
        case = preempted(scene)
        after, _ = store.runs.cancel(TENANT, case.run.id, now=scene.now)
        assert (after.state, after.reason) == (RunState.STOPPING, Reason.USER)
        closed = scene.report(case.worker, case.item, AttemptState.CANCELLED)
        assert closed.state is RunState.CANCELLED
        with pytest.raises(errors.RunOver):
            store.runs.cancel(TENANT, case.run.id, now=scene.now)

    def test_nothing_of_a_deleted_schedule_goes_on_elsewhere(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        case = preempted(scene, schedule)
        scene.delete(schedule)
        closed = scene.report(case.worker, case.item, AttemptState.CANCELLED)
        assert closed.state is RunState.CANCELLED
        assert scene.run(case.run).reason is Reason.DELETED


class TestPreemptible:
    def test_it_is_told_whether_a_running_one_may_give_way(self, store: Store) -> None:
        scene = Scene(store)
        assert not store.leases.preemptible()
        scene.due(scene.schedule(), 0)
        worker = scene.worker()
        scene.start(worker)
        scene.due(scene.schedule(), 0, policy=PREEMPTIBLE)
        (offer,) = scene.lease(worker)
        assert not store.leases.preemptible()
        item = Holding(offer.run.id, offer.token)
        scene.confirm(worker, item)
        assert store.leases.preemptible()
        scene.report(worker, item)
        assert not store.leases.preemptible()
