"""MongoDB servers that are killed, frozen and replaced under a store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from crony import errors
from crony.model.worker import Role
from crony.storage import open_store
from crony.storage.contract import Store
from crony.testing import factories
from crony.testing.servers.mongodb import MongoDb, MongoDbSet
from crony.testing.storage.scene import TENANT
from tests.folders import Folders

#: Shorter than what suits a service: these servers do fail.
_PATIENCE = "timeoutMS=1500&serverSelectionTimeoutMS=1000"


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """Migrate and open a store."""
    store = open_store(f"{url}&{_PATIENCE}")
    store.migrate()
    store.open()
    try:
        yield store
    finally:
        store.close()


class Writer:
    """Registers one worker after the other, and asks again when there is no answer."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stop = threading.Event()
        self._more = threading.Condition()
        self.acknowledged: list[str] = []

    def write(self) -> None:
        """Write until told to stop."""
        while not self._stop.is_set():
            worker = factories.make_worker()
            key = factories.make_key(role=Role.WORKER)
            while True:
                try:
                    self._store.workers.register(worker, key, quota=None)
                except errors.StoreUnavailable:
                    continue
                break
            with self._more:
                self.acknowledged.append(worker.id)
                self._more.notify_all()

    def more(self, number: int) -> None:
        """Wait until so many more were acknowledged."""
        with self._more:
            wanted = len(self.acknowledged) + number
            assert self._more.wait_for(
                lambda: len(self.acknowledged) >= wanted, timeout=60
            )

    def stop(self) -> None:
        """Let it end."""
        self._stop.set()


@contextmanager
def writing(store: Store) -> Iterator[Writer]:
    """Let somebody write meanwhile; all that was acknowledged is there afterwards."""
    writer = Writer(store)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(writer.write)
        try:
            yield writer
        finally:
            writer.stop()
        done.result()
    check(store, writer.acknowledged)


def check(store: Store, acknowledged: list[str]) -> None:
    """All is there, its events have no holes, and no worker was counted twice."""
    workers = store.workers.page(TENANT, limit=9999, after=None).items
    assert {worker.id for worker in workers} == set(acknowledged)
    assert store.tenants.usage(TENANT).workers == len(acknowledged)
    events = store.events.page(TENANT, after=0, limit=9999)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert {event.subject for event in events} == set(acknowledged)


def test_what_was_acknowledged_outlives_each_primary(in_memory: Folders) -> None:
    with (
        MongoDbSet(in_memory("members"), members=3) as servers,
        opened(servers.url) as store,
        writing(store) as writer,
    ):
        writer.more(20)
        killed = servers.primary()
        killed.kill()
        writer.more(20)
        killed.start()
        servers.settle()
        frozen = servers.primary()
        frozen.freeze()
        writer.more(20)
        frozen.thaw()
        servers.settle()
        servers.step_down()
        writer.more(20)


def test_what_was_acknowledged_outlives_a_server_by_itself(in_memory: Folders) -> None:
    with (
        MongoDb(in_memory("server") / "data") as server,
        opened(server.url) as store,
        writing(store) as writer,
    ):
        for _ in range(2):
            writer.more(50)
            server.kill()
            server.start()
        writer.more(1)


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_a_server_that_does_not_answer_is_unavailable_in_time(
    in_memory: Folders, how: str
) -> None:
    verbs: list[Callable[[Store], object]] = [
        lambda store: store.ping(),
        lambda store: store.now(),
        lambda store: store.workers.find(TENANT, "a"),
        lambda store: store.keys.insert(factories.make_key()),
        lambda store: store.events.prune(before=factories.START, limit=9),
    ]
    with MongoDb(in_memory("server") / "data") as server, opened(server.url) as store:
        server.kill() if how == "killed" else server.freeze()
        for verb in verbs:
            began = time.monotonic()
            with pytest.raises(errors.StoreUnavailable):
                verb(store)
            assert time.monotonic() - began < 10
        server.start() if how == "killed" else server.thaw()
        for verb in verbs:
            verb(store)
