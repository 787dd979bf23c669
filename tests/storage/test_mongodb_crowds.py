"""MongoDB: commits that were lost with a primary, and tenants that others wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest

from crony import errors
from crony.model.state import RunState
from crony.storage.mongodb import engine as engines
from crony.storage.mongodb import kinds
from crony.storage.mongodb.database import Database
from crony.storage.mongodb.heads import Heads
from crony.storage.mongodb.store import MongoStore
from crony.testing import factories
from crony.testing.storage.scene import TENANT, Scene
from tests.storage.stands import Stand

OTHER = "other"
Held = AbstractContextManager[None]


@pytest.fixture
def url(stands: Callable[[str], Stand]) -> str:
    """An empty store."""
    return stands("mongodb").fresh()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """What it is kept in."""
    database = Database(url)
    database.connect()
    yield database
    database.close()


@pytest.fixture
def store(url: str) -> Iterator[MongoStore]:
    """The store, open."""
    store = MongoStore(url)
    store.open()
    yield store
    store.close()


def intent(database: Database, id: str, *, seq: int) -> list[dict[str, object]]:
    """Return the writes of a commit that stores one document."""
    document = {"_id": f"{TENANT}/{id}", "tenant": TENANT, "seq": seq}
    return [{"kind": kinds.PROGRESS, "insert": [document]}]


def test_a_commit_that_another_took_the_place_of_is_applied_by_nobody(
    database: Database, store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    Scene(store).schedule()
    heads = database.documents(kinds.HEADS)
    head = heads.find_one({"_id": TENANT})
    assert head is not None
    seq = head["seq"] + 1

    def commit(name: str) -> None:
        given = {"seq": seq, "open": True, "commit": name, "parts": 0}
        given["intent"] = intent(database, name, seq=seq)
        heads.update_one({"_id": TENANT}, {"$set": given})

    read = Heads._harden

    def after_a_failover(self: Heads, tenant: str, number: int, *, name: str) -> bool:
        # The new primary has another commit of that number.
        commit("kept")
        return read(self, tenant, number, name=name)

    commit("lost")
    monkeypatch.setattr(Heads, "_harden", after_a_failover)
    Heads(database).settle(TENANT)
    monkeypatch.undo()
    progress = database.documents(kinds.PROGRESS)
    assert progress.find_one({"_id": f"{TENANT}/lost"}) is None
    left = heads.find_one({"_id": TENANT})
    assert left is not None
    assert (left["commit"], left["applied"]) == ("kept", seq - 1)
    Heads(database).settle(TENANT)
    assert progress.find_one({"_id": f"{TENANT}/kept"}) is not None
    assert progress.find_one({"_id": f"{TENANT}/lost"}) is None


@pytest.fixture
def crowded(store: MongoStore, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Held]:
    """Let a tenant's verbs wait for one that does not come to its end."""
    Scene(store).tenant(OTHER)
    monkeypatch.setattr(engines, "_PATIENCE", 0.05)
    return store._engine._seat(OTHER).held


def test_who_waits_too_long_for_others_of_the_tenant_is_refused(
    store: MongoStore, crowded: Callable[[], Held]
) -> None:
    schedule = factories.make_schedule(tenant=OTHER)
    with crowded(), pytest.raises(errors.StoreUnavailable, match="earlier requests"):
        store.schedules.create(schedule, limit=1, quota=None)
    assert store.schedules.create(schedule, limit=1, quota=None)


def test_a_crowded_tenant_holds_up_the_expiry_of_no_other(
    store: MongoStore, crowded: Callable[[], Held]
) -> None:
    scene = Scene(store)
    runs = []
    for tenant in (OTHER, TENANT):
        runs.append(scene.manual(scene.schedule(tenant=tenant)))
        scene.lease(scene.worker(tenant=tenant))
    now = scene.now + timedelta(minutes=5)

    def states() -> list[RunState]:
        found = [store.runs.find(run.tenant, run.id) for run in runs]
        return [run.state for run in found if run is not None]

    with crowded():
        store.leases.expire(now=now, limit=9, include_leases=True)
        assert states() == [RunState.LEASED, RunState.PENDING]
    store.leases.expire(now=now, limit=9, include_leases=True)
    assert states() == [RunState.PENDING, RunState.PENDING]
