"""What is special to MongoDB: verbs killed on the way, servers that fail."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from crony.model.worker import Usage
from crony.storage import open_store
from crony.storage.contract import Store
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.storage.scene import TENANT
from tests.storage import killing
from tests.storage.killing import DIGEST, OTHER, WORKER
from tests.storage.stands import Stand

Stands = Callable[[str], Stand]
Victim = Callable[[str, int], bool]


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """Open the store, as another process does."""
    store = open_store(url)
    store.open()
    try:
        yield store
    finally:
        store.close()


@contextmanager
def victims(url: str) -> Iterator[Victim]:
    """Return what lets a process do a verb; ``False`` when it was killed on the way."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.storage.killing", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def do(verb: str, number: int) -> bool:
            assert process.stdin is not None
            assert process.stdout is not None
            print(verb, number, file=process.stdin, flush=True)
            return {"done": True, "killed": False}[process.stdout.readline().strip()]

        yield do
        process.stdin.close()


def told(store: Store, tenant: str = TENANT) -> list[str]:
    """Return the types of a tenant's events."""
    return [event.type for event in store.events.page(tenant, after=0, limit=99)]


class TestKilled:
    """At each command that a verb sends to the server."""

    def steps(
        self, stand: Stand, verb: str, prepare: Callable[[Store], None]
    ) -> Iterator[tuple[Store, bool]]:
        """Meet the store after each death, and after the whole verb."""
        with victims(stand.fresh()) as do:
            for number in count(1):
                url = stand.fresh()
                with opened(url) as store:
                    prepare(store)
                done = do(verb, number)
                with opened(url) as store:
                    yield store, done
                if done:
                    # One to read the head, one to commit, and more to apply it.
                    assert number > 4
                    return

    def test_a_registration_is_there_whole_or_not_at_all(self, stands: Stands) -> None:
        outcomes = set()
        for store, done in self.steps(stands("mongodb"), "register", lambda _: None):
            found = store.workers.find(TENANT, "a") is not None
            assert (store.keys.by_digest(DIGEST) is not None) is found
            assert told(store) == ["worker.registered"] * found
            assert store.tenants.usage(TENANT) == Usage(0, int(found), 0)
            assert found or not done
            killing.register(store)
            assert told(store) == ["worker.registered"] * (1 + found)
            assert store.tenants.usage(TENANT) == Usage(0, 1, 0)
            outcomes.add((found, done))
        assert outcomes == {(False, False), (True, False), (True, True)}

    def test_a_worker_goes_with_all_it_has_or_stays(self, stands: Stands) -> None:
        steps = self.steps(stands("mongodb"), "delete_worker", killing.register)
        outcomes = set()
        for store, done in steps:
            key = store.keys.by_digest(DIGEST)
            stays = store.workers.find(TENANT, WORKER) is not None
            assert (key is not None) is stays
            assert told(store)[1:] == ["worker.deleted"] * (not stays)
            assert store.tenants.usage(TENANT) == Usage(0, int(stays), 0)
            assert not (stays and done)
            outcomes.add((stays, done))
        assert outcomes == {(True, False), (False, False), (False, True)}

    def test_a_tenant_goes_with_all_it_has_or_stays(self, stands: Stands) -> None:
        def prepare(store: Store) -> None:
            tenant = factories.make_tenant(name=OTHER, max_concurrent=3)
            assert store.tenants.put(tenant, expected=None)[0]
            store.keys.insert(factories.make_key(tenant=OTHER, digest=DIGEST))
            worker = factories.make_worker(id=WORKER, tenant=OTHER)
            store.workers.register(worker, factories.make_key(tenant=OTHER), quota=None)
            store.workers.delete(OTHER, WORKER, now=START)

        outcomes = set()
        for store, done in self.steps(stands("mongodb"), "delete_tenant", prepare):
            stays = store.tenants.find(OTHER) is not None
            assert (store.keys.by_digest(DIGEST) is not None) is stays
            assert (store.groups.find(OTHER, "default") is not None) is stays
            assert len(told(store, OTHER)) == 2 * stays
            outcomes.add((stays, done))
            if not stays:
                again = factories.make_tenant(name=OTHER)
                assert store.tenants.put(again, expected=None)[0]
                assert told(store, OTHER) == []
                assert store.events.bounds(OTHER) == (0, 0)
        assert outcomes == {(True, False), (False, False), (False, True)}
