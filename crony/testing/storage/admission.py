"""No more runs of a schedule at a time than its limit, in their order."""

from __future__ import annotations

from crony.model.policy import NO_LIMIT
from crony.model.state import AttemptState, RunState
from crony.storage.contract import Store
from crony.testing.storage.scene import TENANT, Scene, second


class TestAdmission:
    def test_only_as_many_as_the_limit_are_given_in_the_order_they_are_due(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        runs = scene.due(scene.schedule(limit=2), 0, 1, 2, 3)
        worker = scene.worker()
        assert scene.leased(worker) == [runs[0].id, runs[1].id]
        assert not scene.lease(worker)

    def test_the_end_of_one_lets_the_next_in(self, store: Store) -> None:
        scene = Scene(store)
        _, then = scene.due(scene.schedule(), 0, 1)
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.report(worker, item)
        assert scene.leased(worker) == [then.id]

    def test_a_limit_of_none_at_all_lets_nothing_in(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(limit=0), 0)
        assert not scene.lease(scene.worker())

    def test_a_run_that_waits_for_its_retry_is_not_overtaken(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        first, then = scene.due(scene.schedule(), 0, 1)
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.report(worker, item, AttemptState.FAILED, retry_at=second(30))
        scene.after(5)
        assert not scene.lease(worker)
        scene.after(25)
        assert scene.leased(worker) == [first.id]
        assert scene.run(then).state is RunState.PENDING

    def test_a_run_that_is_due_earlier_goes_first_also_when_it_came_later(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.due(schedule, 4)
        run = scene.manual(schedule)
        assert scene.leased(scene.worker()) == [run.id]

    def test_a_stopping_run_holds_its_place(self, store: Store) -> None:
        scene = Scene(store)
        first, then = scene.due(scene.schedule(), 0, 1)
        worker = scene.worker()
        (item,) = scene.start(worker)
        store.runs.cancel(TENANT, first.id, now=scene.now)
        assert not scene.lease(worker)
        scene.report(worker, item, AttemptState.CANCELLED)
        assert scene.leased(worker) == [then.id]

    def test_a_raised_limit_admits_more_and_tells_the_line(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        runs = [scene.manual(schedule) for _ in range(3)]
        stored = scene.stored(schedule)
        _, ready = store.schedules.update(
            stored, limit=2, expected=stored, settled=(), now=scene.now
        )
        assert ready == {(TENANT, "default")}
        expected = sorted(run.id for run in runs)[:2]
        assert scene.leased(scene.worker()) == expected

    def test_what_waited_for_a_limit_is_given_once_there_is_none(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        runs = [scene.manual(schedule) for _ in range(3)]
        stored = scene.stored(schedule)
        _, ready = store.schedules.update(
            stored, limit=NO_LIMIT, expected=stored, settled=(), now=scene.now
        )
        assert ready == {(TENANT, "default")}
        assert scene.leased(scene.worker()) == sorted(run.id for run in runs)

    def test_a_lowered_limit_takes_admission_from_what_is_not_leased(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=3)
        for _ in range(3):
            scene.manual(schedule)
        worker = scene.worker()
        (held,) = scene.start(worker, slots=1)
        stored = scene.stored(schedule)
        store.schedules.update(
            stored, limit=1, expected=stored, settled=(), now=scene.now
        )
        assert not scene.lease(worker)
        scene.report(worker, held)
        assert len(scene.lease(worker)) == 1

    def test_schedules_do_not_wait_for_each_other(self, store: Store) -> None:
        scene = Scene(store)
        for _ in range(3):
            scene.due(scene.schedule(), 0, 1)
        assert len(scene.lease(scene.worker())) == 3

    def test_an_offer_that_lapsed_makes_room_again(self, store: Store) -> None:
        scene = Scene(store)
        first, _ = scene.due(scene.schedule(), 0, 1)
        worker = scene.worker()
        scene.lease(worker)
        scene.after(5)
        store.leases.expire(now=scene.now, limit=9, include_leases=False)
        assert scene.leased(worker) == [first.id]
