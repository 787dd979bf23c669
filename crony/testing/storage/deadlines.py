"""Runs that have not started by their deadline never do."""

from __future__ import annotations

import pytest

from crony.model.lease import Change, Holding, Standing
from crony.model.state import AttemptState, Reason, RunState
from crony.storage.contract import Store
from crony.testing.storage.scene import TENANT, Scene, second


class TestLapse:
    def test_a_run_that_waits_at_its_deadline_is_expired(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 0, deadline_at=second(5))
        (following,) = scene.due(schedule, 1, queue="slow")
        scene.after(4.999)
        assert scene.lapse() == []
        scene.after(0.001)
        changes, ready = store.leases.lapse(now=scene.now, limit=9)
        assert list(changes) == [
            Change(
                run=run.id,
                schedule=schedule.id,
                tenant=TENANT,
                worker=None,
                state=RunState.EXPIRED,
                reason=Reason.DEADLINE,
            )
        ]
        # What its place in the schedule lets in is told.
        assert ready == {(TENANT, "slow")}
        expired = scene.run(run)
        assert (expired.state, expired.reason) == (RunState.EXPIRED, Reason.DEADLINE)
        assert expired.finished_at == scene.now
        assert scene.lapse() == []
        worker = scene.worker(queues=("default", "slow"))
        assert scene.leased(worker) == [following.id]

    def test_an_offer_not_confirmed_by_then_is_expired_and_its_worker_told(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 2, deadline_at=second(3))
        worker = scene.worker()
        (offer,) = scene.lease(worker)
        scene.after(3)
        (change,) = scene.lapse()
        assert (change.run, change.worker) == (run.id, worker.id)
        (late,) = scene.confirm(worker, Holding(offer.run.id, offer.token))
        assert (late.standing, late.state) == (Standing.OVER, RunState.EXPIRED)
        assert scene.run(run).attempts == ()

    def test_a_confirm_at_the_deadline_is_refused_also_before_it_was_noted(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 2, deadline_at=second(3))
        worker = scene.worker()
        (offer,) = scene.lease(worker)
        scene.after(3)
        (late,) = scene.confirm(worker, Holding(offer.run.id, offer.token))
        assert late.standing is Standing.OVER
        scene.lapse()
        assert scene.run(run).state is RunState.EXPIRED

    def test_what_was_confirmed_in_time_is_not_touched(self, store: Store) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 2, deadline_at=second(3))
        worker = scene.worker()
        (offer,) = scene.lease(worker)
        scene.after(2.999)
        item = Holding(offer.run.id, offer.token)
        (answer,) = scene.confirm(worker, item)
        assert answer.standing is Standing.ACCEPTED
        scene.after(5)
        assert scene.lapse() == []
        assert scene.run(run).state is RunState.RUNNING
        # The worker stops it, and says why.
        closed = scene.report(
            worker,
            item,
            AttemptState.TIMED_OUT,
            reason=Reason.DEADLINE,
            retry_at=scene.now,
        )
        assert closed.state is RunState.TIMED_OUT
        assert scene.run(run).reason is Reason.DEADLINE

    @pytest.mark.parametrize(
        ("retry", "state"), [(4.9, RunState.PENDING), (5.1, RunState.FAILED)]
    )
    def test_no_retry_is_given_that_would_start_after_the_deadline(
        self, store: Store, retry: float, state: RunState
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0, deadline_at=second(5))
        worker = scene.worker()
        (item,) = scene.start(worker)
        closed = scene.report(worker, item, AttemptState.FAILED, retry_at=second(retry))
        assert closed.state is state
        assert scene.run(run).over is (state is RunState.FAILED)

    def test_a_retry_that_nobody_took_in_time_is_expired(self, store: Store) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0, deadline_at=second(5))
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.report(worker, item, AttemptState.FAILED, retry_at=second(2))
        scene.after(5)
        assert [change.run for change in scene.lapse()] == [run.id]
        over = scene.run(run)
        assert (over.state, over.reason) == (RunState.EXPIRED, Reason.DEADLINE)
        assert [attempt.state for attempt in over.attempts] == [AttemptState.FAILED]

    def test_what_was_lost_does_not_start_again_after_the_deadline(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0, deadline_at=second(5))
        worker = scene.worker()
        scene.start(worker)
        scene.after(60)
        scene.expire()
        scene.lapse()
        assert scene.run(run).over
        assert not scene.lease(worker)

    def test_a_withdrawn_run_does_not_expire(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 1, deadline_at=second(2))
        scene.edit(schedule)
        scene.after(9)
        assert scene.lapse() == []
        assert scene.run(run).state is RunState.WITHDRAWN

    def test_the_earliest_deadlines_come_first_and_no_more_than_the_limit(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        late, early = (
            scene.due(scene.schedule(), 0, deadline_at=second(at))[0] for at in (6, 5)
        )
        scene.after(9)
        assert [change.run for change in scene.lapse(limit=1)] == [early.id]
        assert [change.run for change in scene.lapse()] == [late.id]

    def test_a_run_that_waits_for_another_has_its_deadline_looked_out_for(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.due(schedule, 0)
        scene.start(scene.worker())
        scene.due(schedule, 1, deadline_at=second(7))
        store.leases.promote(horizon=second(5), limit=9)
        assert store.leases.earliest() == second(7)
        scene.after(7)
        scene.lapse()
        assert store.leases.earliest() == second(60)
