"""Who gives way, and for whom the room is kept that this makes."""

from __future__ import annotations

import pytest

from crony.model.hook import HookKind
from crony.model.lease import Holding
from crony.model.policy import Policy
from crony.model.state import AttemptState, Origin, RunState
from crony.storage.contract import Store
from crony.testing.storage.preemption import PREEMPTIBLE, preempted
from crony.testing.storage.scene import LINE, TENANT, Scene, second


class TestVictim:
    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"policy": Policy()}, "is not preemptible"),
            ({"priority": 5}, "is as important"),
            ({"priority": 6}, "is more important"),
        ],
    )
    def test_only_a_preemptible_run_of_lower_priority_gives_way(
        self, store: Store, changes: dict[str, object], why: str
    ) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0, **{"policy": PREEMPTIBLE, **changes})
        worker = scene.worker(slots=1)
        scene.start(worker, slots=1)
        scene.manual(scene.schedule(), priority=5)
        scene.after(9)
        assert scene.preempt() == [], why

    def test_an_offer_or_what_is_stopping_does_not_give_way(self, store: Store) -> None:
        scene = Scene(store)
        (first,) = scene.due(scene.schedule(), 0, policy=PREEMPTIBLE)
        scene.due(scene.schedule(), 4, policy=PREEMPTIBLE)
        worker = scene.worker(slots=2)
        scene.start(worker, slots=1)
        store.runs.cancel(TENANT, first.id, now=scene.now)
        scene.lease(worker, slots=1)
        scene.manual(scene.schedule(), priority=5)
        scene.after(1)
        assert scene.preempt() == []

    def test_the_least_important_gives_way_and_of_those_the_newest(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        worker = scene.worker(slots=3)
        for priority in (0, 0, 1):
            scene.manual(scene.schedule(), priority=priority, policy=PREEMPTIBLE)
            scene.start(worker, slots=1)
            scene.after(1)
        newest = scene.runs(states={RunState.RUNNING}, since=second(1), until=second(2))
        scene.manual(scene.schedule(), priority=5)
        scene.after(1)
        assert [change.run for change in scene.preempt()] == [newest[0].id]

    def test_the_more_important_is_served_first_and_no_more_than_the_limit(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(limit=2), 0, 0.1, policy=PREEMPTIBLE)
        worker = scene.worker(slots=2)
        scene.start(worker, slots=2)
        scene.manual(scene.schedule(), priority=3)
        high = scene.manual(scene.schedule(), priority=5)
        scene.after(1)
        assert len(scene.preempt(limit=1)) == 1
        stopping = scene.runs(states={RunState.STOPPING})[0]
        item = Holding(stopping.id, stopping.token)
        scene.report(worker, item, AttemptState.CANCELLED)
        assert scene.leased(worker, slots=1) == [high.id]
        assert len(scene.preempt()) == 1
        assert scene.preempt() == []


class TestWhenThereIsRoom:
    def test_nobody_gives_way_where_a_worker_has_a_free_slot(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0, policy=PREEMPTIBLE)
        full = scene.worker(slots=1)
        scene.start(full, slots=1)
        scene.worker(slots=1)
        scene.manual(scene.schedule(), priority=5)
        scene.after(1)
        assert scene.preempt() == []

    @pytest.mark.parametrize(
        "other",
        [
            {"queues": ("slow",)},
            {"labels": {}},
            {"sandbox_level": "none"},
            {"tenant": "other"},
        ],
    )
    def test_the_free_slot_of_a_worker_that_may_not_execute_it_is_none(
        self, store: Store, other: dict[str, object]
    ) -> None:
        scene = Scene(store)
        scene.tenant("other")
        (low,) = scene.due(scene.schedule(), 0, policy=PREEMPTIBLE)
        full = scene.worker(slots=1, labels={"os": "linux"})
        scene.start(full, slots=1)
        scene.worker(**{"labels": {"os": "linux"}, **other})
        scene.manual(scene.schedule(requires={"os": "linux"}), priority=5)
        scene.after(1)
        assert [change.run for change in scene.preempt()] == [low.id]

    @pytest.mark.parametrize("gone", ["draining", "lost"])
    def test_the_free_slot_of_a_worker_that_takes_nothing_is_none(
        self, store: Store, gone: str
    ) -> None:
        scene = Scene(store)
        idle = scene.worker(slots=1)
        if gone == "draining":
            store.workers.drain(TENANT, idle.id, now=scene.now)
        else:
            scene.after(1)
            lost = store.workers.lose(before=scene.now, limit=9, now=scene.now)
            assert [worker.id for worker in lost] == [idle.id]
        case = preempted(scene)
        assert scene.run(case.run).state is RunState.STOPPING

    def test_a_run_on_a_worker_that_may_not_execute_the_other_does_not_give_way(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(queue="slow"), 0, policy=PREEMPTIBLE)
        worker = scene.worker(slots=1, queues=("slow",))
        scene.start(worker, slots=1)
        scene.manual(scene.schedule(), priority=5)
        scene.after(1)
        assert scene.preempt() == []

    def test_a_run_that_its_own_schedule_keeps_waiting_stops_nobody(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.due(schedule, 0, policy=PREEMPTIBLE)
        worker = scene.worker(slots=1)
        scene.start(worker, slots=1)
        scene.manual(schedule, priority=5)
        scene.after(1)
        assert scene.preempt() == []

    @pytest.mark.parametrize("scope", ["group", "tenant"])
    def test_a_full_group_or_tenant_is_made_room_in_though_slots_are_free(
        self, store: Store, scope: str
    ) -> None:
        scene = Scene(store)
        scene.group("etl", max_concurrent=1 if scope == "group" else None)
        scene.group("other")
        elsewhere = "etl" if scope == "group" else "other"
        (low,) = scene.due(scene.schedule(group="etl"), 0, policy=PREEMPTIBLE)
        worker = scene.worker(slots=4)
        (item,) = scene.start(worker)
        if scope == "tenant":
            scene.tenant(max_concurrent=1)
        higher = scene.manual(scene.schedule(group=elsewhere), priority=5)
        scene.after(1)
        assert [change.run for change in scene.preempt()] == [low.id]
        scene.report(worker, item, AttemptState.CANCELLED)
        assert scene.leased(worker) == [higher.id]

    def test_a_hook_gives_no_way_where_its_place_is_not_what_is_wanted(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.group("etl", max_concurrent=1)
        schedule = scene.schedule(group="etl")
        (run,) = scene.due(schedule, 0)
        worker = scene.worker(slots=4)
        scene.start(worker)
        scene.manual(
            schedule,
            origin=Origin.HOOK,
            parent=run.id,
            hook=HookKind.PROGRESS,
            hook_attempt=1,
            policy=PREEMPTIBLE,
        )
        assert len(scene.start(worker)) == 1
        scene.manual(scene.schedule(group="etl"), priority=5)
        scene.after(1)
        assert scene.preempt() == []

    def test_a_run_of_another_group_does_not_give_way_to_one_of_a_full_group(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.group("etl", max_concurrent=1)
        scene.due(scene.schedule(group="etl"), 0, priority=9)
        scene.due(scene.schedule(), 0, policy=PREEMPTIBLE)
        worker = scene.worker(slots=2)
        scene.start(worker)
        scene.manual(scene.schedule(group="etl"), priority=5)
        scene.after(1)
        assert scene.preempt() == []


class TestReservation:
    def test_only_the_worker_that_was_made_room_on_is_given_it(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        case = preempted(scene)
        other = scene.worker()
        assert not scene.lease(other)
        scene.report(case.worker, case.item, AttemptState.CANCELLED)
        assert scene.leased(other) == [case.run.id]
        assert scene.leased(case.worker, slots=1) == [case.higher.id]

    def test_it_is_over_when_the_lease_of_the_victim_would_be(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        case = preempted(scene)
        other = scene.worker()
        scene.after(59.499)
        scene.poll(other)
        assert case.higher.id not in scene.leased(other)
        scene.after(0.001)
        assert case.higher.id in scene.leased(other)

    def test_it_is_over_when_it_was_taken(self, store: Store) -> None:
        scene = Scene(store)
        case = preempted(scene)
        scene.report(case.worker, case.item, AttemptState.CANCELLED)
        assert scene.leased(case.worker, slots=1) == [case.higher.id]
        scene.after(5)
        assert scene.expire() == ([], frozenset({LINE}))
        assert scene.leased(scene.worker(slots=1), slots=1) == [case.higher.id]
