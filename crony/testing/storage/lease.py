"""Leases are handed out in order, to whom they suit, once."""

from __future__ import annotations

import pytest

from crony import errors
from crony.model.lease import Holding
from crony.model.state import AttemptState, RunState
from crony.storage.contract import Store
from crony.testing.storage.scene import LEASE_TTL, TENANT, Scene, second


class TestPoll:
    def test_a_poll_records_session_sequence_and_when(self, store: Store) -> None:
        scene = Scene(store)
        worker = scene.worker()
        begun = store.leases.begin(
            worker.tenant, worker.id, session="session", sequence=7, now=second(3)
        )
        assert (begun.session, begun.sequence, begun.seen_at) == (
            "session",
            7,
            second(3),
        )
        assert store.workers.find(TENANT, worker.id) == begun

    @pytest.mark.parametrize("sequence", [0, 1])
    def test_a_sequence_that_does_not_grow_is_stale(
        self, store: Store, sequence: int
    ) -> None:
        worker = Scene(store).worker()
        with pytest.raises(errors.StaleToken):
            store.leases.begin(
                worker.tenant,
                worker.id,
                session="session",
                sequence=sequence,
                now=second(0),
            )

    def test_a_replaced_session_stays_refused(self, store: Store) -> None:
        worker = Scene(store).worker()
        for session in ("next", "newest"):
            store.leases.begin(
                worker.tenant, worker.id, session=session, sequence=1, now=second(0)
            )
        for session in ("session", "next"):
            with pytest.raises(errors.StaleToken):
                store.leases.begin(
                    worker.tenant,
                    worker.id,
                    session=session,
                    sequence=99,
                    now=second(0),
                )

    def test_an_unheard_session_of_an_earlier_start_comes_too_late(
        self, store: Store
    ) -> None:
        worker = Scene(store).worker()
        for session in ("ses_9_a", "ses_10_b", "another", "ses_3_c"):
            store.leases.begin(
                worker.tenant, worker.id, session=session, sequence=1, now=second(0)
            )
        with pytest.raises(errors.StaleToken):
            store.leases.begin(
                worker.tenant, worker.id, session="ses_2_d", sequence=9, now=second(0)
            )
        (found,) = store.workers.page(TENANT, limit=2, after=None).items
        assert (found.session, found.sequence) == ("ses_3_c", 1)

    def test_a_worker_that_is_gone_is_not_found(self, store: Store) -> None:
        with pytest.raises(errors.NotFound):
            store.leases.begin(
                TENANT, "wrk_gone", session="s", sequence=1, now=second(0)
            )


class TestLease:
    def test_an_offer_has_the_next_token_and_starts_at_its_instant(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule(description="mine")
        (run,) = scene.due(schedule, 3)
        worker = scene.worker()
        (offer,) = scene.lease(worker)
        assert (offer.token, offer.attempt) == (1, 1)
        assert (offer.start_at, offer.expires_at) == (second(3), second(63))
        assert offer.definition == schedule.definition
        assert offer.run.state is RunState.LEASED
        assert offer.run.attempts == ()
        (attempt,) = scene.run(run).attempts
        assert (attempt.state, attempt.worker) == (AttemptState.LEASED, worker.id)
        assert (attempt.worker_name, attempt.leased_at) == (worker.name, scene.now)

    def test_a_late_run_starts_at_once(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        scene.after(10)
        (offer,) = scene.lease(scene.worker())
        assert offer.start_at == scene.now
        assert offer.expires_at == scene.now + LEASE_TTL

    def test_a_run_is_given_once(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        one, two = scene.worker(), scene.worker()
        assert scene.lease(one)
        assert not scene.lease(one)
        assert not scene.lease(two)

    def test_no_more_than_the_slots_are_given(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(limit=9), 0, 1, 2)
        worker = scene.worker()
        assert not scene.lease(worker, slots=0)
        assert len(scene.lease(worker, slots=2)) == 2

    def test_what_is_beyond_the_horizon_is_not_given(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=9)
        near, far = scene.due(schedule, 5, 5.001)
        worker = scene.worker()
        assert scene.leased(worker) == [near.id]
        scene.after(0.001)
        assert scene.leased(worker) == [far.id]

    def test_the_order_is_priority_then_due_now_before_catch_up_then_due_time(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.after(4)

        def one(at: float, **changes: object) -> str:
            return scene.due(scene.schedule(), at, **changes)[0].id

        low = one(0, priority=-1)
        caught_up = one(0, catch_up=True)
        late, early = one(2), one(1)
        high_caught_up = one(4, priority=5, catch_up=True)
        high = one(4, priority=5)
        expected = [high, high_caught_up, early, late, caught_up, low]
        worker = scene.worker()
        assert scene.leased(worker, slots=2) + scene.leased(worker) == expected

    def test_ties_are_broken_by_id(self, store: Store) -> None:
        scene = Scene(store)
        runs = [scene.due(scene.schedule(), 1)[0].id for _ in range(4)]
        assert scene.leased(scene.worker()) == sorted(runs)

    def test_the_order_holds_across_lanes(self, store: Store) -> None:
        scene = Scene(store)
        first = scene.due(scene.schedule(queue="slow"), 1)[0].id
        then = scene.due(scene.schedule(requires={"os": "linux"}), 2)[0].id
        last = scene.due(scene.schedule(), 3)[0].id
        worker = scene.worker(queues=("default", "slow"), labels={"os": "linux"})
        assert scene.leased(worker) == [first, then, last]

    def test_only_a_worker_of_the_queue_gets_it(self, store: Store) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(queue="slow"), 0)
        assert not scene.lease(scene.worker())
        assert scene.leased(scene.worker(queues=("default", "slow"))) == [run.id]

    def test_every_label_required_must_be_there_with_that_value(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(requires={"gpu": "yes", "os": "linux"}), 0)
        for labels in ({}, {"gpu": "yes"}, {"gpu": "no", "os": "linux"}):
            assert not scene.lease(scene.worker(labels=labels))
        worker = scene.worker(labels={"gpu": "yes", "os": "linux", "arch": "arm"})
        assert scene.leased(worker) == [run.id]

    @pytest.mark.parametrize(
        ("asked", "offered", "given"),
        [
            ("full", "full", True),
            ("full", "namespaces", False),
            ("namespaces", "full", True),
            ("namespaces", "landlock", False),
            ("landlock", "none", False),
            ("none", "none", True),
            (None, "none", False),
        ],
    )
    def test_a_sandbox_weaker_than_asked_for_gets_nothing(
        self, store: Store, asked: str | None, offered: str, *, given: bool
    ) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(level=asked), 0)
        assert bool(scene.lease(scene.worker(sandbox_level=offered))) is given

    def test_a_worker_of_another_tenant_gets_nothing(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        assert not scene.lease(scene.worker(tenant="other"))

    def test_a_draining_worker_gets_nothing(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        worker = scene.worker()
        store.workers.drain(TENANT, worker.id, now=scene.now)
        assert not scene.lease(worker)

    def test_only_the_newest_poll_is_given_anything(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        worker = scene.worker()
        for session, sequence in (("session", 2), ("session", 0), ("other", 1)):
            with pytest.raises(errors.StaleToken):
                store.leases.lease(
                    worker.tenant,
                    worker.id,
                    session=session,
                    sequence=sequence,
                    slots=1,
                    horizon=scene.now,
                    now=scene.now,
                    lease_ttl=LEASE_TTL,
                )

    def test_a_run_in_a_queue_other_than_its_schedules_goes_there(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        run = scene.manual(scene.schedule(), queue="slow")
        assert not scene.lease(scene.worker())
        assert scene.leased(scene.worker(queues=("slow",))) == [run.id]


class TestInputs:
    def test_runs_come_with_the_definitions_they_execute(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule(description="old")
        (run,) = scene.due(schedule, 0)
        scene.edit(schedule, description="new")
        found = store.leases.inputs(TENANT, [run.id, "run_unknown"])
        assert found.keys() == {run.id}
        assert found[run.id] == (run, schedule.definition)


class TestEarliest:
    def test_it_is_the_first_thing_that_time_alone_will_change(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=9)
        assert store.leases.earliest() is None
        scene.due(schedule, 3)
        assert store.leases.earliest() == second(3)
        worker = scene.worker()
        (offer,) = scene.lease(worker)
        assert store.leases.earliest() == second(8)
        item = Holding(offer.run.id, offer.token)
        scene.confirm(worker, item)
        assert store.leases.earliest() == second(63)
        retry_at = second(30)
        scene.report(worker, item, AttemptState.FAILED, retry_at=retry_at)
        assert store.leases.earliest() == retry_at
        assert not store.leases.promote(horizon=second(29), limit=9)
        assert store.leases.promote(horizon=retry_at, limit=9) == {(TENANT, "default")}
        assert store.leases.earliest() is None
