"""Tenants, their numbers, idempotency keys and duties."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from crony import errors
from crony.model.state import RunState, ScheduleState
from crony.model.worker import Quotas, Usage
from crony.storage.contract import QueueStats, Store
from crony.testing.factories import make_answer, make_key, make_tenant
from crony.testing.storage.scene import TENANT, Scene, second


class TestTenants:
    def test_the_tenant_default_exists_and_always_will(self, store: Store) -> None:
        default = store.tenants.find(TENANT)
        assert default is not None
        assert (default.revision, default.quotas) == (1, Quotas())
        with pytest.raises(errors.InUse):
            store.tenants.delete(TENANT, expected=1)

    def test_a_tenant_is_created_only_where_there_is_none(self, store: Store) -> None:
        tenant = make_tenant(quotas=Quotas(schedules=None, requests_per_second=5))
        assert store.tenants.put(tenant, expected=None)[0]
        assert not store.tenants.put(tenant, expected=None)[0]
        assert store.tenants.find(tenant.name) == tenant

    def test_a_tenant_is_replaced_only_at_the_expected_revision(
        self, store: Store
    ) -> None:
        tenant = make_tenant()
        store.tenants.put(tenant, expected=None)
        changed = replace(tenant, revision=2, quotas=Quotas(workers=7))
        assert not store.tenants.put(changed, expected=2)[0]
        assert store.tenants.put(changed, expected=1)[0]
        assert store.tenants.find(tenant.name) == changed

    def test_a_tenant_in_use_stays(self, store: Store) -> None:
        store.tenants.put(make_tenant(name="other"), expected=None)
        scene = Scene(store)
        schedule = scene.schedule(tenant="other")
        with pytest.raises(errors.InUse):
            store.tenants.delete("other", expected=1)
        # A withdrawn run is not over, but nothing will come of it either.
        scene.due(schedule, 3)
        scene.edit(schedule)
        scene.delete(schedule)
        worker = scene.worker(tenant="other")
        with pytest.raises(errors.InUse):
            store.tenants.delete("other", expected=1)
        store.workers.delete("other", worker.id, now=scene.now)
        assert not store.tenants.delete("other", expected=7)
        assert store.tenants.delete("other", expected=1)
        assert store.tenants.find("other") is None

    def test_a_new_tenant_sees_nothing_of_an_old_one_of_its_name(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        store.tenants.put(make_tenant(name="other"), expected=None)
        key = make_key(tenant="other")
        store.keys.insert(key)
        store.answers.claim("other", "k", make_answer())
        schedule = scene.schedule(tenant="other")
        (run,) = scene.due(schedule, 0, state=RunState.MISSED)
        store.schedules.delete(
            scene.stored(schedule), settled=(), cancel_running=False, now=scene.now
        )
        assert store.runs.find("other", run.id) is not None
        store.tenants.delete("other", expected=1)
        store.tenants.put(make_tenant(name="other"), expected=None)
        assert store.runs.find("other", run.id) is None
        assert store.keys.by_digest(key.digest) is None
        assert store.answers.claim("other", "k", make_answer()) is None

    def test_usage_counts_what_quotas_bound(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.schedule(state=ScheduleState.PAUSED)
        gone = scene.schedule()
        store.schedules.delete(gone, settled=(), cancel_running=False, now=scene.now)
        scene.due(schedule, 0, 1, 2)
        scene.lease(scene.worker())
        assert store.tenants.usage(TENANT) == Usage(2, 1, 2)
        assert store.tenants.usage("other") == Usage(0, 0, 0)


class TestStats:
    def test_numbers_are_told_by_state_and_by_queue(self, store: Store) -> None:
        scene = Scene(store)
        scene.schedule(state=ScheduleState.PAUSED)
        scene.due(scene.schedule(limit=9), 0, 1, 2)
        (slow,) = scene.due(scene.schedule(queue="slow"), -7)
        scene.due(scene.schedule(tenant="other", queue="x"), -9)
        worker = scene.worker(slots=3)
        scene.start(worker, slots=1)
        scene.lease(worker, slots=1)
        stats = store.stats(TENANT, now=scene.now)
        assert stats.schedules == {
            ScheduleState.ACTIVE: 2,
            ScheduleState.PAUSED: 1,
            ScheduleState.FINISHED: 0,
        }
        assert (stats.pending, stats.leased, stats.running) == (2, 1, 1)
        assert stats.oldest_due == slow.due_at
        assert (stats.slots, stats.slots_used) == (3, 2)
        assert stats.queues == (
            QueueStats(
                queue="default",
                pending=1,
                leased=1,
                running=1,
                oldest_due=None,
                slots=3,
            ),
            QueueStats(
                queue="slow",
                pending=1,
                leased=0,
                running=0,
                oldest_due=slow.due_at,
                slots=0,
            ),
        )
        everything = store.stats(None, now=scene.now)
        assert everything.pending == 3
        assert everything.oldest_due == second(-9)


class TestAnswers:
    def test_the_first_claim_counts_and_the_next_see_it(self, store: Store) -> None:
        first, other = make_answer(), make_answer(digest="other")
        assert store.answers.claim(TENANT, "k", first) is None
        assert store.answers.claim(TENANT, "k", other) == first
        assert store.answers.claim("other", "k", other) is None

    def test_a_completed_answer_is_replayed_whole(self, store: Store) -> None:
        claim = make_answer()
        store.answers.claim(TENANT, "k", claim)
        answer = replace(
            claim, status=201, headers={"ETag": '"1"'}, body=b'{"a": "\xff"}'
        )
        complete = store.answers.complete
        assert complete(TENANT, "k", answer, claimed_at=claim.claimed_at)
        store.answers.release(TENANT, "k", claimed_at=claim.claimed_at)
        assert store.answers.claim(TENANT, "k", claim) == answer

    def test_an_answer_is_never_replaced(self, store: Store) -> None:
        claim = make_answer()
        store.answers.claim(TENANT, "k", claim)
        first, second_ = replace(claim, status=201), replace(claim, status=200)
        complete = store.answers.complete
        assert complete(TENANT, "k", first, claimed_at=claim.claimed_at)
        assert not complete(TENANT, "k", second_, claimed_at=claim.claimed_at)
        later = replace(claim, claimed_at=second(31))
        assert not complete(TENANT, "k", later, claimed_at=claim.claimed_at)
        assert store.answers.claim(TENANT, "k", claim) == first

    def test_a_claim_that_was_taken_over_counts_no_more(self, store: Store) -> None:
        claim = make_answer(claimed_at=second(0))
        store.answers.claim(TENANT, "k", claim)
        later = replace(claim, claimed_at=second(31))
        complete = store.answers.complete
        assert complete(TENANT, "k", later, claimed_at=second(0))
        assert not complete(TENANT, "k", later, claimed_at=second(0))
        late = replace(claim, status=201)
        assert not complete(TENANT, "k", late, claimed_at=second(0))
        store.answers.release(TENANT, "k", claimed_at=second(0))
        assert store.answers.claim(TENANT, "k", claim) == later
        answer = replace(later, status=200)
        assert complete(TENANT, "k", answer, claimed_at=second(31))
        assert store.answers.claim(TENANT, "k", claim) == answer

    def test_no_answer_counts_without_a_claim(self, store: Store) -> None:
        answer = make_answer(status=201)
        complete = store.answers.complete
        assert not complete(TENANT, "k", answer, claimed_at=answer.claimed_at)
        assert store.answers.claim(TENANT, "k", make_answer()) is None

    def test_a_released_claim_is_forgotten(self, store: Store) -> None:
        claim = make_answer()
        store.answers.claim(TENANT, "k", claim)
        store.answers.release(TENANT, "k", claimed_at=claim.claimed_at)
        assert store.answers.claim(TENANT, "k", make_answer()) is None

    def test_old_answers_are_pruned_the_oldest_first(self, store: Store) -> None:
        for number in range(4):
            claimed = make_answer(claimed_at=second(number))
            store.answers.claim(TENANT, str(number), claimed)
        assert store.answers.prune(before=second(3), limit=2) == 2
        assert store.answers.prune(before=second(3), limit=9) == 1
        assert store.answers.claim(TENANT, "3", make_answer()) is not None


class TestDuties:
    TTL = timedelta(seconds=2)

    def test_one_holder_has_a_duty_until_its_time_is_over(self, store: Store) -> None:
        hold = store.duties.hold
        assert hold("tick", "a", now=second(0), ttl=self.TTL) == (True, None)
        assert hold("tick", "b", now=second(1), ttl=self.TTL) == (False, second(0))
        assert hold("tick", "a", now=second(1), ttl=self.TTL) == (True, second(0))
        assert hold("tick", "b", now=second(2.999), ttl=self.TTL) == (False, second(1))
        assert hold("tick", "b", now=second(3), ttl=self.TTL) == (True, second(1))
        assert hold("other", "a", now=second(3), ttl=self.TTL) == (True, None)

    def test_a_released_duty_is_free_at_once_and_its_record_stays(
        self, store: Store
    ) -> None:
        store.duties.hold("tick", "a", now=second(0), ttl=self.TTL)
        store.duties.release("tick", "b")
        assert not store.duties.hold("tick", "b", now=second(1), ttl=self.TTL)[0]
        store.duties.release("tick", "a")
        held = store.duties.hold("tick", "b", now=second(1), ttl=self.TTL)
        assert held == (True, second(0))

    def test_the_record_never_moves_back(self, store: Store) -> None:
        store.duties.hold("tick", "a", now=second(9), ttl=self.TTL)
        store.duties.hold("tick", "a", now=second(3), ttl=self.TTL)
        held = store.duties.hold("tick", "a", now=second(4), ttl=self.TTL)
        assert held == (True, second(9))

    def test_a_note_stays_with_the_duty_and_is_its_holders_alone(
        self, store: Store
    ) -> None:
        assert not store.duties.leave("tick", "a", "nobody has it")
        store.duties.hold("tick", "a", now=second(0), ttl=self.TTL)
        assert store.duties.note("tick") is None
        assert store.duties.leave("tick", "a", "one")
        assert store.duties.leave("tick", "a", "two")
        assert not store.duties.leave("tick", "b", "not yours")
        store.duties.release("tick", "a")
        assert not store.duties.leave("tick", "a", "too late")
        store.duties.hold("tick", "b", now=second(1), ttl=self.TTL)
        assert store.duties.note("tick") == "two"
        assert store.duties.note("other") is None


class TestStore:
    def test_a_closed_store_is_unavailable(self, store: Store) -> None:
        store.ping()
        store.close()
        with pytest.raises(errors.StoreUnavailable):
            store.ping()
        with pytest.raises(errors.StoreUnavailable):
            store.runs.find(TENANT, "run_unknown")
