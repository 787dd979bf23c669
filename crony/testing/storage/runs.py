"""Runs: by hand, in lists, cancelled."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crony import errors
from crony.model.lease import Holding, Standing
from crony.model.run import ErrorEntry, Run
from crony.model.state import AttemptState, Origin, Reason, RunState
from crony.storage.contract import Page, RunQuery, Store
from crony.testing import factories
from crony.testing.storage.scene import TENANT, Scene, new_run_id, second


class TestInsert:
    def test_the_same_id_again_is_a_repeat(self, store: Store) -> None:
        scene = Scene(store)
        run = factories.make_run(scene.schedule(), origin=Origin.MANUAL)
        assert store.runs.insert(run, quota=1) == (
            True,
            frozenset({(TENANT, "default")}),
            frozenset(),
        )
        assert store.runs.insert(run, quota=1) == (False, frozenset(), frozenset())

    def test_a_run_of_a_schedule_that_is_gone_is_refused(self, store: Store) -> None:
        with pytest.raises(errors.NotFound):
            store.runs.insert(factories.make_run(origin=Origin.MANUAL), quota=None)

    def test_one_more_pending_run_than_the_quota_is_refused(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.manual(schedule)
        scene.start(scene.worker())
        store.runs.insert(factories.make_run(schedule, origin=Origin.MANUAL), quota=1)
        with pytest.raises(errors.QuotaExceeded):
            store.runs.insert(
                factories.make_run(schedule, origin=Origin.MANUAL), quota=1
            )

    def test_an_offer_not_due_yet_gives_way_to_a_run_that_is(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        worker = scene.worker()
        (ahead,) = scene.due(schedule, 4)
        (offer,) = scene.lease(worker)
        run = factories.make_run(
            schedule, origin=Origin.MANUAL, scheduled_for=scene.now
        )
        stored, ready, recalled = store.runs.insert(run, quota=None)
        assert (stored, recalled) == (True, frozenset({worker.id}))
        assert ready == frozenset({(TENANT, "default")})
        assert [o.run.id for o in scene.lease(worker)] == [run.id]
        (late,) = scene.confirm(worker, Holding(offer.run.id, offer.token))
        assert (offer.run.id, late.standing) == (ahead.id, Standing.STALE)

    def test_an_offer_about_to_start_does_not_give_way(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        worker = scene.worker()
        scene.due(schedule, 0.25)
        scene.lease(worker)
        run = factories.make_run(
            schedule, origin=Origin.MANUAL, scheduled_for=scene.now
        )
        assert store.runs.insert(run, quota=None) == (True, frozenset(), frozenset())

    def test_no_offer_gives_way_where_there_is_room(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=2)
        scene.due(schedule, 4)
        scene.lease(scene.worker())
        run = factories.make_run(
            schedule, origin=Origin.MANUAL, scheduled_for=scene.now
        )
        assert store.runs.insert(run, quota=None)[2] == frozenset()

    def test_a_run_by_hand_does_not_count_as_an_occurrence(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.manual(schedule, overrides={"args": ["x"]})
        assert scene.stored(schedule).occurrences == 0
        assert scene.runs()[0].overrides == {"args": ["x"]}


class TestList:
    def test_the_newest_come_first_and_pages_follow_each_other(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        runs = scene.due(scene.schedule(), 1, 2) + scene.due(scene.schedule(), 1, 2)
        wanted = sorted(runs, key=lambda r: (r.scheduled_for, r.id), reverse=True)
        seen: list[Run] = []
        after = None
        for _ in range(2):
            page = store.runs.page(TENANT, RunQuery(), limit=2, after=after)
            seen += page.items
            after = page.next
        assert [run.id for run in seen] == [run.id for run in wanted]
        assert after is None

    def test_each_restriction_leaves_out_what_does_not_match(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        first, later = scene.due(schedule, 0, 60)
        worker = scene.worker()
        scene.lease(worker)
        (other,) = scene.due(scene.schedule(tenant="other"), 0)
        assert [r.id for r in scene.runs(schedule=schedule.id)] == [later.id, first.id]
        assert [r.id for r in scene.runs(states={RunState.LEASED})] == [first.id]
        both = {RunState.LEASED, RunState.PENDING}
        assert [r.id for r in scene.runs(states=both)] == [later.id, first.id]
        assert [r.id for r in scene.runs(since=second(60))] == [later.id]
        assert [r.id for r in scene.runs(until=second(60))] == [first.id]
        assert [r.id for r in scene.runs(worker=worker.id)] == [first.id]
        assert [r.id for r in scene.runs(worker=worker.id, schedule=schedule.id)] == [
            first.id
        ]
        assert store.runs.find(TENANT, other.id) is None

    def test_a_summary_has_neither_attempts_nor_result(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.report(worker, item, result={"rows": [1, 2.5, None]})
        assert scene.run(item.run).result == {"rows": [1, 2.5, None]}
        (summary,) = scene.runs()
        assert (summary.attempts, summary.result) == ((), None)
        assert summary.state is RunState.SUCCEEDED

    def test_recent_runs_are_the_newest_of_each_schedule_without_withdrawn_ones(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        one, two = scene.schedule(), scene.schedule()
        runs = scene.due(one, 0, 1, 2)
        scene.due(two, 3)
        scene.edit(two)
        recent = store.runs.recent(TENANT, [one.id, two.id], limit=2)
        assert {name: [r.id for r in of] for name, of in recent.items()} == {
            one.id: [runs[2].id, runs[1].id]
        }

    def test_an_unknown_run_is_none(self, store: Store) -> None:
        assert store.runs.find(TENANT, new_run_id()) is None
        empty = store.runs.page(TENANT, RunQuery(), limit=9, after=None)
        assert empty == Page((), None)


class TestErrors:
    def test_failed_timed_out_and_lost_attempts_are_listed_newest_first(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 0)
        worker = scene.worker()
        states = (AttemptState.FAILED, AttemptState.TIMED_OUT)
        for number, state in enumerate(states):
            (item,) = scene.start(worker)
            scene.report(
                worker,
                item,
                state,
                reason=Reason.START_FAILED if number else Reason.EXIT,
                error="x" * 5000 if number else "exit code 1",
                retry_at=scene.after(1),
            )
        scene.start(worker)
        scene.after(61)
        store.leases.expire(now=scene.now, limit=9, include_leases=True)
        entries = store.runs.errors(TENANT, [schedule.id], limit=9)[schedule.id]
        assert [(e.attempt, e.source, e.truncated) for e in entries] == [
            (3, "worker", False),
            (2, "worker", True),
            (1, "task", False),
        ]
        assert entries[2] == ErrorEntry(
            run=run.id,
            attempt=1,
            source="task",
            at=second(1),
            reason=Reason.EXIT,
            text="exit code 1",
            truncated=False,
        )
        assert len(store.runs.errors(TENANT, [schedule.id], limit=1)[schedule.id]) == 1


class TestProgress:
    def test_a_run_shows_its_newest_entry_and_a_schedule_its_newest_twenty(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        for percent in range(25):
            entry = factories.make_progress(run.id, percent=float(percent))
            assert (
                store.leases.progress(worker.tenant, worker.id, item.token, entry)
                is Standing.ACCEPTED
            )
        newest = scene.run(run).progress
        assert newest is not None
        assert newest.percent == 24
        entries = store.runs.progress(TENANT, [schedule.id], limit=99)[schedule.id]
        assert [entry.percent for entry in entries] == list(range(24, 4, -1))
        assert (
            len(store.runs.progress(TENANT, [schedule.id], limit=2)[schedule.id]) == 2
        )

    def test_progress_under_an_old_token_is_stale(self, store: Store) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.report(worker, item, AttemptState.FAILED, retry_at=scene.now)
        scene.start(worker)
        entry = factories.make_progress(run.id)
        standing = store.leases.progress(worker.tenant, worker.id, item.token, entry)
        assert standing is Standing.STALE
        assert scene.run(run).progress is None


class TestCancel:
    def test_a_pending_or_leased_run_is_cancelled_at_once(self, store: Store) -> None:
        scene = Scene(store)
        leased, pending = scene.due(scene.schedule(), 0, 1)
        worker = scene.worker()
        (offer,) = scene.lease(worker)
        scene.after(1)
        for run in (leased, pending):
            after, _ = store.runs.cancel(TENANT, run.id, now=scene.now)
            assert after == scene.run(run)
            assert (after.state, after.reason) == (RunState.CANCELLED, Reason.USER)
            assert after.finished_at == scene.now
        assert (scene.run(leased).token, scene.run(leased).attempt) == (offer.token, 0)

    def test_a_running_run_is_stopping_and_keeps_its_slot(self, store: Store) -> None:
        scene = Scene(store)
        running, _ = scene.due(scene.schedule(), 0, 1)
        worker = scene.worker()
        (item,) = scene.start(worker)
        for _ in range(2):
            after, ready = store.runs.cancel(TENANT, running.id, now=scene.now)
            assert after == scene.run(running)
            assert (after.state, after.reason) == (RunState.STOPPING, Reason.USER)
            assert not ready
        assert scene.run(running).attempts[-1].worker == worker.id
        assert not scene.lease(worker)
        scene.report(worker, item, AttemptState.CANCELLED)
        assert scene.run(running).state is RunState.CANCELLED
        assert scene.run(running).reason is Reason.USER

    def test_a_run_that_is_over_or_unknown_is_refused(self, store: Store) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0)
        store.runs.cancel(TENANT, run.id, now=scene.now)
        with pytest.raises(errors.RunOver):
            store.runs.cancel(TENANT, run.id, now=scene.now)
        for tenant, name in (("other", run.id), (TENANT, new_run_id())):
            with pytest.raises(errors.NotFound):
                store.runs.cancel(tenant, name, now=scene.now)

    def test_cancelling_lets_the_next_run_in(self, store: Store) -> None:
        scene = Scene(store)
        first, following = scene.due(scene.schedule(), 0, 1)
        _, ready = store.runs.cancel(TENANT, first.id, now=scene.now)
        assert ready == {(TENANT, "default")}
        assert scene.leased(scene.worker()) == [following.id]


class TestDurations:
    def test_durations_are_kept_to_the_microsecond(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        lateness = timedelta(microseconds=1234)
        scene.report(worker, item, lateness=lateness, finished_at=second(1.0019))
        found = scene.run(item.run)
        assert (found.lateness, found.finished_at) == (lateness, second(1.001))
