"""Attempts end: reported, expired, tried again."""

from __future__ import annotations

import pytest

from crony.model.lease import Closed, Holding, Standing
from crony.model.state import AttemptState, Reason, RunState
from crony.storage.contract import Store
from crony.testing import factories
from crony.testing.storage.scene import TENANT, Scene, second


class TestReport:
    @pytest.mark.parametrize(
        ("state", "end"),
        [
            (AttemptState.SUCCEEDED, RunState.SUCCEEDED),
            (AttemptState.FAILED, RunState.FAILED),
            (AttemptState.TIMED_OUT, RunState.TIMED_OUT),
            (AttemptState.CANCELLED, RunState.CANCELLED),
        ],
    )
    def test_the_run_ends_as_its_last_attempt(
        self, store: Store, state: AttemptState, end: RunState
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.after(2)
        closed = scene.report(worker, item, state, exit_code=3)
        assert closed == Closed(run.id, item.token, Standing.ACCEPTED, end)
        over = scene.run(run)
        assert (over.state, over.finished_at) == (end, second(2))
        assert over.exit_code == 3
        (attempt,) = over.attempts
        assert (attempt.state, attempt.finished_at) == (state, second(2))
        assert attempt.limits == {"memory": 512 << 20}
        assert attempt.sandbox_level == "full"

    def test_a_failed_attempt_is_tried_again_when_the_policy_says(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        retry_at = second(10)
        closed = scene.report(worker, item, AttemptState.FAILED, retry_at=retry_at)
        assert closed.state is RunState.PENDING
        waiting = scene.run(run)
        assert (waiting.available_at, waiting.failures) == (retry_at, 1)
        assert (waiting.reason, waiting.finished_at) == (Reason.EXIT, None)
        assert waiting.result is None
        assert not scene.lease(worker)
        scene.after(10)
        assert store.leases.promote(horizon=scene.now, limit=9) == {(TENANT, "default")}
        (again,) = scene.start(worker)
        running = scene.run(run)
        assert (again.token, running.attempt) == (2, 2)
        assert (running.reason, running.error, running.exit_code) == (None, None, None)
        assert [a.number for a in running.attempts] == [1, 2]

    def test_a_due_retry_is_given_also_before_it_was_promoted(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.report(worker, item, AttemptState.FAILED, retry_at=second(10))
        scene.after(10)
        assert scene.leased(worker) == [run.id]

    def test_the_same_report_again_is_repeated_whatever_the_run_did_since(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        for _ in range(2):
            scene.report(worker, item, AttemptState.FAILED, retry_at=scene.now)
        (again,) = scene.start(worker)
        closed = scene.report(worker, item, AttemptState.FAILED)
        assert (closed.standing, closed.state) == (Standing.REPEATED, RunState.RUNNING)
        assert len(scene.run(item.run).attempts) == 2
        assert scene.report(worker, again).standing is Standing.ACCEPTED

    def test_a_late_report_of_an_old_attempt_is_refused(self, store: Store) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0)
        worker, other = scene.worker(), scene.worker()
        (old,) = scene.start(worker)
        scene.after(60)
        store.leases.expire(now=scene.now, limit=9, include_leases=True)
        (new,) = scene.start(other)
        assert scene.report(worker, old).standing is Standing.STALE
        assert scene.run(run).state is RunState.RUNNING
        assert scene.report(other, new).standing is Standing.ACCEPTED
        assert scene.report(worker, old).standing is Standing.STALE

    def test_another_end_than_the_reported_one_is_over(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.report(worker, item)
        closed = scene.report(worker, item, AttemptState.FAILED)
        assert (closed.standing, closed.state) == (Standing.OVER, RunState.SUCCEEDED)

    def test_an_attempt_that_was_counted_lost_is_stale_also_at_the_end(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0, max_lost=1)
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.after(60)
        losses, _ = store.leases.expire(now=scene.now, limit=9, include_leases=True)
        assert [loss.state for loss in losses] == [RunState.FAILED]
        assert scene.run(run).reason is Reason.LOST
        assert scene.report(worker, item).standing is Standing.STALE

    def test_of_an_offer_only_a_failed_start_counts(self, store: Store) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (offer,) = scene.lease(worker)
        item = Holding(run.id, offer.token)
        assert scene.report(worker, item).standing is Standing.STALE
        closed = scene.report(
            worker, item, AttemptState.FAILED, reason=Reason.START_FAILED
        )
        assert (closed.standing, closed.state) == (Standing.ACCEPTED, RunState.FAILED)
        assert scene.run(run).attempts[0].started_at is None

    def test_a_stopping_run_is_never_tried_again(self, store: Store) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        store.runs.cancel(TENANT, run.id, now=scene.now)
        closed = scene.report(worker, item, AttemptState.FAILED, retry_at=scene.now)
        assert closed.state is RunState.FAILED

    def test_a_report_of_another_worker_is_unknown(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        (item,) = scene.start(scene.worker())
        closed = scene.report(scene.worker(), item)
        assert (closed.standing, closed.state) == (Standing.UNKNOWN, None)

    def test_answers_come_in_the_order_of_the_reports(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(limit=9), 0, 1, 2)
        worker = scene.worker()
        items = scene.start(worker)[::-1]
        closings = [factories.make_closing(i.run, i.token) for i in items]
        closed, _ = store.leases.report(
            worker.tenant, worker.id, closings * 2, now=scene.now
        )
        assert [(c.run, c.standing) for c in closed] == [
            (item.run, standing)
            for standing in (Standing.ACCEPTED, Standing.REPEATED)
            for item in items
        ]


class TestExpire:
    def test_an_offer_is_taken_back_five_seconds_after_its_instant(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 3)
        worker = scene.worker()
        scene.lease(worker)
        scene.after(7.999)
        nothing: tuple[tuple[()], frozenset[tuple[str, str]]] = ((), frozenset())
        assert store.leases.expire(now=scene.now, limit=9, include_leases=True) == (
            nothing
        )
        scene.after(0.001)
        losses, ready = store.leases.expire(
            now=scene.now, limit=9, include_leases=False
        )
        assert not losses
        assert ready == {(TENANT, "default")}
        back = scene.run(run)
        assert (back.state, back.attempt, back.token) == (RunState.PENDING, 0, 1)
        (offer,) = scene.lease(worker)
        assert (offer.attempt, offer.token) == (1, 2)

    def test_a_lease_that_was_not_renewed_is_lost_at_its_end(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.after(59.999)
        assert not store.leases.expire(now=scene.now, limit=9, include_leases=True)[0]
        scene.after(0.001)
        # A node whose clock is unsettled takes no attempt away.
        assert not store.leases.expire(now=scene.now, limit=9, include_leases=False)[0]
        (loss,), _ = store.leases.expire(now=scene.now, limit=9, include_leases=True)
        assert (loss.run, loss.token, loss.state) == (
            run.id,
            item.token,
            RunState.PENDING,
        )
        assert (loss.schedule, loss.tenant) == (run.schedule, TENANT)
        assert scene.leased(worker) == [run.id]

    def test_a_stopping_run_whose_worker_vanished_has_stopped(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0)
        scene.start(scene.worker())
        store.runs.cancel(TENANT, run.id, now=scene.now)
        scene.after(60)
        (loss,), _ = store.leases.expire(now=scene.now, limit=9, include_leases=True)
        assert loss.state is RunState.CANCELLED
        assert scene.run(run).reason is Reason.USER

    def test_lost_attempts_do_not_count_as_failures(self, store: Store) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0, max_lost=2)
        worker = scene.worker()
        for _ in range(2):
            scene.start(worker)
            scene.after(60)
            store.leases.expire(now=scene.now, limit=9, include_leases=True)
        over = scene.run(run)
        assert (over.state, over.lost, over.failures) == (RunState.FAILED, 2, 0)

    def test_no_more_than_the_limit_of_each_the_earliest_first(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        runs = scene.due(scene.schedule(limit=9), 0, 1, 2)
        scene.start(scene.worker())
        scene.after(99)
        losses, _ = store.leases.expire(now=scene.now, limit=2, include_leases=True)
        assert {loss.run for loss in losses} == {runs[0].id, runs[1].id}
