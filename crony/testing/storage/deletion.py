"""Schedules are deleted: what waits, what runs, and what comes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crony.model.state import AttemptState, Reason, RunState
from crony.storage.contract import Store
from crony.testing.storage.scene import TENANT, Scene


class TestDelete:
    def test_a_deleted_schedule_is_gone_and_its_history_stays(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule(name="a")
        (run,) = scene.due(schedule, 1)
        expected = scene.stored(schedule)
        assert store.schedules.delete(
            expected, settled=(), cancel_running=False, now=scene.now
        ) == (True, (), frozenset())
        assert store.schedules.find(TENANT, "a") is None
        assert scene.run(run).state is RunState.CANCELLED
        assert scene.run(run).reason is Reason.DELETED
        assert scene.run(run).finished_at == scene.now
        assert (
            store.schedules.definition(schedule.tenant, schedule.id, 1)
            == schedule.definition
        )

    def test_the_id_of_a_deleted_schedule_is_never_used_again(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule(name="a")
        store.schedules.delete(
            schedule, settled=(), cancel_running=False, now=scene.now
        )
        assert not store.schedules.create(schedule, limit=1, quota=None)
        scene.schedule(name="a")

    @pytest.mark.parametrize("cancel_running", [True, False])
    def test_running_runs_are_stopped_where_that_was_asked_for(
        self, store: Store, *, cancel_running: bool
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=3)
        running, leased = scene.due(schedule, 0, 3)
        worker = scene.worker()
        scene.start(worker, slots=1)
        scene.lease(worker)
        counted, before, _ = store.schedules.delete(
            scene.stored(schedule),
            settled=(),
            cancel_running=cancel_running,
            now=scene.now,
        )
        assert counted
        held = {run.id: run for run in before}
        assert held.keys() == {running.id, leased.id}
        assert held[leased.id].state is RunState.LEASED
        assert held[leased.id].attempts[-1].worker == worker.id
        expected = RunState.STOPPING if cancel_running else RunState.RUNNING
        assert scene.run(running).state is expected
        assert scene.run(leased).state is RunState.CANCELLED

    def test_what_was_withdrawn_is_not_recorded_as_cancelled(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 3)
        scene.edit(schedule)
        scene.delete(schedule)
        assert scene.run(run).state is RunState.WITHDRAWN
        assert store.stats(TENANT, now=scene.now).pending == 0

    def test_what_is_settled_with_the_deletion_takes_a_withdrawn_run_back(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 3)
        scene.edit(schedule)
        scene.after(3)
        again = replace(run, revision=2)
        store.schedules.delete(
            scene.stored(schedule), settled=[again], cancel_running=False, now=scene.now
        )
        assert scene.run(run).state is RunState.CANCELLED

    @pytest.mark.parametrize(
        ("reported", "ends"),
        [
            (AttemptState.SUCCEEDED, RunState.SUCCEEDED),
            (AttemptState.FAILED, RunState.FAILED),
            (AttemptState.TIMED_OUT, RunState.TIMED_OUT),
            (AttemptState.PREEMPTED, RunState.CANCELLED),
        ],
    )
    def test_what_ends_after_the_deletion_is_not_tried_again(
        self, store: Store, reported: AttemptState, ends: RunState
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.delete(schedule)
        reason = Reason.EXIT if reported is AttemptState.FAILED else None
        closed = scene.report(
            worker, item, reported, reason=reason, retry_at=scene.after(1)
        )
        assert closed.state is ends
        ended = scene.run(run)
        deleted = Reason.DELETED if ends is RunState.CANCELLED else reason
        assert (ended.state, ended.reason) == (ends, deleted)
        assert ended.finished_at is not None
        scene.after(60)
        assert scene.leased(worker) == []

    def test_what_is_lost_after_the_deletion_is_cancelled(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=2)
        expired, reclaimed = scene.due(schedule, 0, 0.5)
        worker, other = scene.worker(), scene.worker()
        scene.start(other, slots=1)
        scene.start(worker, slots=1)
        scene.delete(schedule)
        losses, ready = store.leases.reclaim(
            worker.tenant,
            worker.id,
            session="session",
            sequence=1,
            holding=(),
            now=scene.now,
        )
        assert [loss.state for loss in losses] == [RunState.CANCELLED]
        scene.after(70)
        losses, _ = store.leases.expire(now=scene.now, limit=9, include_leases=True)
        assert [loss.state for loss in losses] == [RunState.CANCELLED]
        for run in (expired, reclaimed):
            ended = scene.run(run)
            assert (ended.state, ended.reason) == (RunState.CANCELLED, Reason.DELETED)
            assert ended.attempts[-1].state is AttemptState.LOST
        assert ready == frozenset()
        scene.poll(worker)
        assert scene.leased(worker) == []

    def test_the_last_loss_that_a_run_may_have_fails_it_all_the_same(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 0, max_lost=1)
        scene.start(scene.worker())
        scene.delete(schedule)
        scene.after(70)
        store.leases.expire(now=scene.now, limit=9, include_leases=True)
        ended = scene.run(run)
        assert (ended.state, ended.reason) == (RunState.FAILED, Reason.LOST)
