"""Workers and keys."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crony import errors
from crony.model.worker import Role, Worker
from crony.storage.contract import Store
from crony.testing.clock import START
from crony.testing.factories import make_key, make_worker
from crony.testing.storage.scene import LEASE_TTL, TENANT, Scene, second


def register(store: Store, worker: Worker, *, quota: int | None = None) -> str:
    """Register a worker; return the digest of its key."""
    key = make_key(role=Role.WORKER)
    store.workers.register(worker, key, quota=quota)
    return key.digest


class TestRegister:
    def test_a_worker_and_its_key_are_stored_together(self, store: Store) -> None:
        worker = make_worker(labels={"os": "linux"}, queues=("b", "a"))
        digest = register(store, worker)
        assert store.workers.find(TENANT, worker.name) == worker
        assert store.workers.find("other", worker.id) is None
        key = store.keys.by_digest(digest)
        assert key is not None
        assert key.worker == worker.id

    def test_the_same_machine_again_is_the_same_worker_with_a_new_key(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        worker = scene.worker(name="a")
        old = register(store, worker)
        store.workers.drain(TENANT, worker.id, now=scene.now)
        again = make_worker(name="a", slots=9, registered_at=second(9))
        new = register(store, again)
        found = store.workers.find(TENANT, "a")
        assert found is not None
        assert (found.id, found.slots, found.draining) == (worker.id, 9, False)
        assert found.registered_at == worker.registered_at
        assert (found.session, found.sequence) == ("session", 1)
        assert store.workers.find(TENANT, again.id) is None
        assert store.keys.by_digest(old) is None
        key = store.keys.by_digest(new)
        assert key is not None
        assert key.worker == worker.id

    def test_the_name_of_another_machine_is_refused(self, store: Store) -> None:
        worker = make_worker(name="a")
        register(store, worker)
        with pytest.raises(errors.NameTaken) as caught:
            register(store, make_worker(name="a", machine="other"))
        assert caught.value.holder == worker.id

    def test_one_more_than_the_quota_is_refused_but_an_old_one_is_welcome(
        self, store: Store
    ) -> None:
        worker = make_worker()
        register(store, worker, quota=1)
        register(store, worker, quota=1)
        with pytest.raises(errors.QuotaExceeded):
            register(store, make_worker(), quota=1)


class TestWorkers:
    def test_workers_are_listed_by_name(self, store: Store) -> None:
        for name in ("b", "c", "a"):
            register(store, make_worker(name=name))
        first = store.workers.page(TENANT, limit=2, after=None)
        rest = store.workers.page(TENANT, limit=2, after=first.next)
        assert [w.name for w in first.items + rest.items] == ["a", "b", "c"]
        assert rest.next is None

    def test_a_deleted_worker_is_gone_with_its_keys_and_its_leases_run_out(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0)
        worker = scene.worker()
        digest = register(store, worker)
        scene.start(worker)
        assert store.workers.running(TENANT, [worker.id]) == {worker.id: [run.id]}
        assert store.workers.delete(TENANT, worker.id, now=START)
        assert not store.workers.delete(TENANT, worker.id, now=START)
        assert store.keys.by_digest(digest) is None
        scene.after(60)
        (loss,), _ = store.leases.expire(now=scene.now, limit=9, include_leases=True)
        assert loss.worker == worker.id
        assert scene.run(run).attempts[0].worker_name == worker.name

    def test_drain_answers_with_the_worker_or_none(self, store: Store) -> None:
        worker = make_worker()
        register(store, worker)
        drained = store.workers.drain(TENANT, worker.name, now=START)
        assert drained == replace(worker, draining=True)
        assert store.workers.drain("other", worker.name, now=START) is None

    def test_satisfying_needs_the_queue_and_every_label(self, store: Store) -> None:
        register(store, make_worker(queues=("a",), labels={"os": "linux", "gpu": "1"}))

        def satisfying(queue: str, **requires: str) -> bool:
            return store.workers.satisfying(TENANT, queue=queue, requires=requires)

        assert satisfying("a")
        assert satisfying("a", os="linux", gpu="1")
        assert not satisfying("b")
        assert not satisfying("a", os="bsd")
        assert not satisfying("a", tpu="1")
        assert not store.workers.satisfying("other", queue="a", requires={})


class TestLose:
    def test_a_worker_that_was_not_seen_is_noted_once(self, store: Store) -> None:
        scene = Scene(store)
        silent, alive = scene.worker(), scene.worker()
        scene.after(5)
        scene.poll(alive)

        def lose(before: float) -> list[str]:
            lost = store.workers.lose(before=second(before), limit=9, now=scene.now)
            return [worker.id for worker in lost]

        assert lose(0) == []
        assert lose(5) == [silent.id]
        assert lose(5) == []
        assert scene.told(silent.id) == ["worker.registered", "worker.lost"]
        assert scene.told(alive.id) == ["worker.registered"]

    @pytest.mark.parametrize("by", ["poll", "renewal", "registration"])
    def test_one_that_was_seen_again_may_be_lost_again(
        self, store: Store, by: str
    ) -> None:
        scene = Scene(store)
        worker = scene.worker(name="a")
        for _ in range(2):
            scene.after(5)
            lost = store.workers.lose(before=scene.now, limit=9, now=scene.now)
            assert [gone.id for gone in lost] == [worker.id]
            if by == "poll":
                scene.poll(worker)
            elif by == "registration":
                register(store, replace(worker, seen_at=scene.now))
            else:
                store.leases.renew(
                    worker.tenant,
                    worker.id,
                    session="session",
                    holding=(),
                    now=scene.now,
                    lease_ttl=LEASE_TTL,
                )

    def test_no_more_than_the_limit_are_noted(self, store: Store) -> None:
        scene = Scene(store)
        for _ in range(3):
            scene.worker()
        counts = [
            len(store.workers.lose(before=second(1), limit=2, now=second(1)))
            for _ in range(3)
        ]
        assert counts == [2, 1, 0]


class TestKeys:
    def test_a_key_is_found_by_its_digest_and_by_its_id(self, store: Store) -> None:
        key = make_key(expires_at=second(9), description="ci")
        assert store.keys.insert(key)
        assert not store.keys.insert(key)
        assert store.keys.by_digest(key.digest) == key
        assert store.keys.find(TENANT, key.id) == key
        assert store.keys.find("other", key.id) is None
        assert store.keys.by_digest("unknown") is None

    def test_keys_are_listed_oldest_first_without_those_of_workers(
        self, store: Store
    ) -> None:
        register(store, make_worker())
        keys = [make_key(created_at=second(number)) for number in (2, 1, 3)]
        for key in keys:
            store.keys.insert(key)
        first = store.keys.page(TENANT, limit=2, after=None)
        rest = store.keys.page(TENANT, limit=2, after=first.next)
        assert first.items + rest.items == (keys[1], keys[0], keys[2])
        assert rest.next is None

    def test_a_use_never_moves_back(self, store: Store) -> None:
        key = make_key()
        store.keys.insert(key)
        for number in (5, 3):
            store.keys.touch(key.tenant, {key.id: second(number)})
        found = store.keys.find(TENANT, key.id)
        assert found is not None
        assert found.used_at == second(5)

    def test_uses_of_several_keys_are_recorded_at_once(self, store: Store) -> None:
        keys = [make_key() for _ in range(3)]
        for key in keys:
            store.keys.insert(key)
        used = {key.id: second(number) for number, key in enumerate(keys[:2])}
        store.keys.touch(TENANT, {"key_of_nobody": second(9), **used})
        store.keys.touch(TENANT, {})
        found = [store.keys.find(TENANT, key.id) for key in keys]
        assert [key and key.used_at for key in found] == [second(0), second(1), None]

    def test_a_deleted_key_stops_working(self, store: Store) -> None:
        key = make_key()
        store.keys.insert(key)
        assert not store.keys.delete("other", key.id)
        assert store.keys.delete(TENANT, key.id)
        assert not store.keys.delete(TENANT, key.id)
        assert store.keys.by_digest(key.digest) is None
