"""Redis, killed at any instant: what was acknowledged is there, and nothing by half."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crony import errors
from crony.model.run import Run
from crony.model.state import RunState
from crony.model.worker import Usage
from crony.storage import open_store
from crony.storage.contract import RunQuery, Store
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.servers.redis import Redis
from crony.testing.storage.scene import TENANT, Scene, second
from tests.storage import redis_killing
from tests.storage.redis_killing import DIGEST, KEY, LATER_DIGEST, OTHER, WORKER
from tests.storage.stands import Stand

Stands = Callable[[str], Stand]
Victim = Callable[[str, int], bool]
#: More commands than any verb sends.
_NEVER = 1000
#: The store after each death, and whether the verb came to its end.
Deaths = Iterator[tuple[Store, bool]]


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
        [sys.executable, "-m", "tests.storage.redis_killing", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, answers = process.stdin, process.stdout

        def do(verb: str, number: int) -> bool:
            print(verb, number, file=asked, flush=True)
            return {"done": True, "killed": False}[answers.readline().strip()]

        yield do
        asked.close()


def told(store: Store, tenant: str = TENANT) -> list[str]:
    """Return the types of a tenant's events."""
    return [event.type for event in store.events.page(tenant, after=0, limit=99)]


class TestClient:
    """A process that is killed before any command that it sends."""

    @pytest.fixture
    def deaths(self, stands: Stands) -> Callable[..., Deaths]:
        """Let a verb die at each of its commands, at last at none."""

        def each(verb: str, *before: Callable[[Store], None]) -> Deaths:
            stand = stands("redis")
            with victims(stand.fresh()) as do:
                # First without a death: then the server knows the scripts.
                for number in (_NEVER, *range(1, _NEVER)):
                    url = stand.fresh()
                    with opened(url) as store:
                        for step in before:
                            step(store)
                    done = do(verb, number)
                    if number == _NEVER:
                        assert done
                        continue
                    with opened(url) as store:
                        yield store, done
                    if done:
                        assert number > 1
                        return

        return each

    def test_a_key_works_or_is_not_there(self, deaths: Callable[..., Deaths]) -> None:
        for store, done in deaths("insert_key"):
            found = store.keys.find(TENANT, KEY)
            assert store.keys.by_digest(DIGEST) == found
            assert (found is not None) is done
            redis_killing.insert_key(store)
            assert store.keys.by_digest(DIGEST) is not None

    def test_a_key_that_is_deleted_works_no_more(
        self, deaths: Callable[..., Deaths]
    ) -> None:
        outcomes = set()
        for store, done in deaths("delete_key", redis_killing.insert_key):
            found = store.keys.find(TENANT, KEY)
            assert store.keys.by_digest(DIGEST) == found
            outcomes.add((found is None, done))
        assert outcomes == {(False, False), (True, False), (True, True)}

    def test_a_registration_is_there_whole_or_not_at_all(
        self, deaths: Callable[..., Deaths]
    ) -> None:
        for store, done in deaths("register"):
            found = store.workers.find(TENANT, "a") is not None
            assert found is done
            assert (store.keys.by_digest(DIGEST) is not None) is found
            assert told(store) == ["worker.registered"] * found
            redis_killing.register(store)
            assert store.keys.by_digest(DIGEST) is not None
            assert store.tenants.usage(TENANT) == Usage(0, 1, 0)

    def test_of_the_keys_of_a_worker_one_works(
        self, deaths: Callable[..., Deaths]
    ) -> None:
        outcomes = set()
        for store, done in deaths("register_again", redis_killing.register):
            old, new = (store.keys.by_digest(d) for d in (DIGEST, LATER_DIGEST))
            assert (old is None) is not (new is None)
            outcomes.add((new is not None, done))
        assert outcomes == {(False, False), (True, False), (True, True)}

    def test_a_worker_goes_with_all_it_has_or_stays(
        self, deaths: Callable[..., Deaths]
    ) -> None:
        outcomes = set()
        for store, done in deaths("delete_worker", redis_killing.register):
            stays = store.workers.find(TENANT, WORKER) is not None
            assert (store.keys.by_digest(DIGEST) is not None) is stays
            assert told(store)[1:] == ["worker.deleted"] * (not stays)
            outcomes.add((stays, done))
        assert outcomes == {(True, False), (False, False), (False, True)}

    def test_a_tenant_begins_whole(self, deaths: Callable[..., Deaths]) -> None:
        for store, done in deaths("create_tenant"):
            found = store.tenants.find(OTHER) is not None
            assert found is done
            assert (store.groups.find(OTHER, "default") is not None) is found
            names = store.tenants.page(limit=9, after=None).items
            assert [each.name for each in names] == ["default", "other"][: 1 + found]

    def test_a_tenant_goes_with_all_it_has_or_stays(
        self, deaths: Callable[..., Deaths]
    ) -> None:
        outcomes = set()
        for store, done in deaths("delete_tenant", _fill_other):
            stays = store.tenants.find(OTHER) is not None
            assert (store.keys.by_digest(DIGEST) is not None) is stays
            assert (store.groups.find(OTHER, "default") is not None) is stays
            outcomes.add((stays, done))
            if not stays:
                redis_killing.create_tenant(store)
                assert told(store, OTHER) == []
                assert store.events.bounds(OTHER) == (0, 0)
                assert (
                    store.runs.page(OTHER, RunQuery(), limit=9, after=None).items == ()
                )
        assert outcomes == {(True, False), (False, False), (False, True)}

    def test_what_a_tenant_left_is_removed_before_the_next_start(
        self, deaths: Callable[..., Deaths], stands: Stands
    ) -> None:
        found = set()
        for store, done in deaths("delete_tenant", _fill_other):
            gone = store.tenants.find(OTHER) is None
            # Nobody sees them without the tenant, but they are there.
            before = bool(told(store, OTHER))
            server = stands("redis").server
            assert server is not None
            open_store(server.url).migrate()
            assert bool(told(store, OTHER)) is not gone
            found.add((gone, before, done))
        assert (True, True, False) in found


def _fill_other(store: Store) -> None:
    redis_killing.create_tenant(store)
    store.keys.insert(factories.make_key(tenant=OTHER, digest=DIGEST))
    scene = Scene(store)
    schedule = scene.schedule(tenant=OTHER)
    scene.due(schedule, 0, state=RunState.MISSED, finished_at=second(0))
    scene.delete(schedule)


class TestServer:
    """A server that is killed while it is written to."""

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[Redis]:
        """A server of this test's own."""
        with Redis(tmp_path / "redis") as server:
            open_store(server.url).migrate()
            yield server

    def test_what_it_acknowledged_is_there_and_the_rest_whole_or_not_at_all(
        self, server: Redis
    ) -> None:
        with opened(server.url) as store:
            schedule = Scene(store).schedule(limit=3)
            acknowledged: list[Run] = []
            for _ in range(5):
                enough = threading.Event()
                writer = threading.Thread(
                    target=_write_until_lost,
                    args=(store, schedule.id, acknowledged, enough),
                )
                writer.start()
                assert enough.wait(30)
                server.kill()
                writer.join(30)
                assert not writer.is_alive()
                server.start()
                _check(store, schedule.id, acknowledged)
            assert len(acknowledged) >= 5 * _ENOUGH


#: So many writes are acknowledged before a server is killed.
_ENOUGH = 20


def _write_until_lost(
    store: Store, schedule: str, acknowledged: list[Run], enough: threading.Event
) -> None:
    """Make runs of a schedule one by one, until the store is lost."""
    goal = len(acknowledged) + _ENOUGH
    while True:
        try:
            stored = store.schedules.find(TENANT, schedule)
            assert stored is not None
            assert stored.cursor is not None
            at = (stored.cursor - START).total_seconds()
            run = factories.make_run(stored, scheduled_for=stored.cursor)
            item = factories.make_materialisation(
                stored, next_cursor=second(at + 1), runs=(run,)
            )
            counted, _ = store.schedules.materialise([item], now=START)
        except errors.StoreUnavailable:
            return
        assert counted == (True,)
        acknowledged.append(run)
        if len(acknowledged) >= goal:
            enough.set()


def _check(store: Store, schedule: str, acknowledged: list[Run]) -> None:
    """See that a store says the same of its runs wherever one looks."""
    found = store.runs.page(
        TENANT, RunQuery(oldest_first=True), limit=9999, after=None
    ).items
    names = [run.id for run in found]
    assert {run.id for run in acknowledged} <= set(names)
    # Of what was under way when the server died at most one each time is there too.
    assert len(names) <= len(acknowledged) + 5
    stored = store.schedules.find(TENANT, schedule)
    assert stored is not None
    assert stored.occurrences == len(names)
    assert stored.cursor == second(len(names))
    assert store.tenants.usage(TENANT).pending_runs == len(names)
    assert store.stats(TENANT, now=second(9999)).pending == len(names)
    events = store.events.page(TENANT, after=0, limit=9999)
    made = [event.subject for event in events if event.type == "run.pending"]
    assert sorted(made) == sorted(names)
