"""The order of leasing, and how much of a backlog a worker takes."""

from __future__ import annotations

import pytest

from crony.model.state import AttemptState
from crony.storage.contract import Store
from crony.testing.storage.scene import TENANT, Scene, second


class TestOrder:
    def test_the_earlier_deadline_goes_first_and_a_backlog_goes_last(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.after(3)

        def one(at: float, **changes: object) -> str:
            return scene.due(scene.schedule(), at, **changes)[0].id

        none = one(0)
        late = one(1, deadline_at=second(30))
        early = one(2, deadline_at=second(20))
        catching_up = one(0, catch_up=True, deadline_at=second(10))
        high = one(3, priority=1)
        expected = [high, early, late, none, catching_up]
        worker = scene.worker()
        assert scene.leased(worker, slots=2) + scene.leased(worker) == expected

    def test_within_one_priority_nothing_waits_for_ever(self, store: Store) -> None:
        scene = Scene(store)

        def one(at: float, **changes: object) -> str:
            return scene.due(scene.schedule(), at, **changes)[0].id

        behind = one(-60, catch_up=True)
        without = one(0)
        far_off = one(1, deadline_at=second(100_000))
        scene.after(3599)
        # Each is due as the last moment to come before those that wait.
        before = one(3599, deadline_at=second(3599.5))
        scene.after(1)
        after = one(3600, deadline_at=second(3600.5))
        worker = scene.worker(slots=9)
        given = scene.leased(worker, slots=4)
        assert given == [before, without, after, far_off]
        scene.after(82_799)
        early, late = one(86_399 - 3600), one(86_400 - 3600 + 1)
        assert scene.leased(worker, slots=3) == [early, behind, late]

    def test_of_one_deadline_what_is_due_earlier_goes_first(self, store: Store) -> None:
        scene = Scene(store)
        runs = [
            scene.due(scene.schedule(queue=queue), at, deadline_at=second(30))[0].id
            for at, queue in ((2, "default"), (1, "slow"), (3, "slow"))
        ]
        worker = scene.worker(queues=("default", "slow"))
        assert scene.leased(worker) == [runs[1], runs[0], runs[2]]

    def test_what_may_start_now_goes_before_what_is_offered_ahead(
        self, store: Store
    ) -> None:
        scene = Scene(store)

        def one(at: float, **changes: object) -> str:
            return scene.due(scene.schedule(), at, **changes)[0].id

        ahead = one(2)
        high = one(1, priority=9)
        in_a_hurry = one(3, deadline_at=second(4))
        low = one(0, priority=-9)
        catching_up = one(0, catch_up=True)
        now = one(0)
        worker = scene.worker()
        assert scene.leased(worker, slots=2) == [now, catching_up]
        assert scene.leased(worker, slots=1) == [low]
        assert scene.leased(worker) == [high, in_a_hurry, ahead]

    def test_offers_ahead_leave_a_slot_to_a_backlog_that_comes_later(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        first, second_, *_ = scene.due(scene.schedule(limit=9), *range(1, 9))
        worker = scene.worker(slots=2)
        one, two = scene.start(worker, slots=2)
        assert {one.run, two.run} == {first.id, second_.id}
        (behind,) = scene.due(scene.schedule(), -60, catch_up=True)
        scene.report(worker, one)
        assert scene.leased(worker, slots=1) == [behind.id]


class TestCatchUp:
    @pytest.mark.parametrize(("slots", "share"), [(1, 1), (2, 1), (3, 1), (4, 2)])
    def test_at_most_half_of_a_workers_slots_catch_up(
        self, store: Store, slots: int, share: int
    ) -> None:
        scene = Scene(store)
        behind = scene.due(scene.schedule(limit=9), *range(-9, -4), catch_up=True)
        worker = scene.worker(slots=slots)
        given = scene.leased(worker, slots=slots)
        assert given == [run.id for run in behind[:share]]
        assert not scene.lease(worker, slots=slots - share)
        now = scene.due(scene.schedule(limit=9), 0, 1, 2, 3)
        left = slots - share
        assert scene.leased(worker, slots=left) == [run.id for run in now[:left]]

    def test_the_share_is_of_what_a_worker_has_in_its_hands(self, store: Store) -> None:
        scene = Scene(store)
        behind = scene.due(scene.schedule(limit=9), *range(-9, -4), catch_up=True)
        worker, other = scene.worker(slots=4), scene.worker(slots=4)
        one, two = scene.start(worker, slots=4)
        assert len(scene.lease(other, slots=4)) == 2
        scene.report(worker, one)
        (following,) = scene.leased(worker, slots=3)
        assert following == behind[4].id
        store.runs.cancel(TENANT, two.run, now=scene.now)
        late = scene.manual(scene.schedule(), catch_up=True)
        # What is being stopped is in its hands yet.
        assert not scene.lease(worker, slots=2)
        scene.report(worker, two, AttemptState.CANCELLED)
        assert scene.leased(worker, slots=2) == [late.id]

    def test_more_to_catch_up_keeps_nothing_else_waiting(self, store: Store) -> None:
        scene = Scene(store)
        behind = scene.due(
            scene.schedule(limit=9), *range(-9, -4), catch_up=True, priority=9
        )
        (now,) = scene.due(scene.schedule(), 0)
        given = scene.leased(scene.worker(slots=4), slots=4)
        assert given == [behind[0].id, behind[1].id, now.id]
