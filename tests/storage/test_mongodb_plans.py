"""No verb of the hot path looks at more documents in MongoDB than it needs.

The server itself says so: it keeps what each statement looked at, on a store with a
history and idle schedules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pymongo
import pytest
from pymongo import database

from crony.model.state import RunState
from crony.storage import open_store
from crony.storage.contract import Creation
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.servers.mongodb import MongoDb
from crony.testing.storage.scene import Scene, second
from tests.folders import Folders
from tests.storage.hot_path import verbs

#: Idle schedules, and runs that are over: of many schedules, and of one.
IDLE, OVER = 600, 1200

#: What a verb may look at beside what it finds, as kept and as deleted: fewer than
#: there are of anything that grows.
FEW = 60

_Document = dict[str, Any]


@pytest.fixture
def server(in_memory: Folders) -> Iterator[MongoDb]:
    """A server of its own: what it keeps of statements is its database's."""
    with MongoDb(in_memory("server") / "data") as server:
        yield server


def fill(url: str) -> None:
    """Store a history and idle schedules."""
    store = open_store(url)
    store.migrate()
    store.open()
    scene = Scene(store)
    one = scene.schedule(name="one", cursor=START + timedelta(days=1))
    later = START + timedelta(days=9)
    idle = [
        factories.make_schedule(name=f"idle-{number}", cursor=later)
        for number in range(IDLE)
    ]
    store.schedules.create_all([Creation(each, 1) for each in idle], quota=None)
    old = [
        factories.make_run(
            of,
            scheduled_for=second(-number - 1),
            state=RunState.MISSED,
            finished_at=second(-number),
            created_at=second(-number),
        )
        for of in (one, idle[0])
        for number in range(OVER // 2)
    ]
    for of in (one, idle[0]):
        mine = tuple(run for run in old if run.schedule == of.id)
        item = factories.make_materialisation(of, next_cursor=later, runs=mine)
        assert store.schedules.materialise([item], now=START)[0] == (True,)
    for _ in range(FEW * 2):
        store.workers.register(
            factories.make_worker(queues=("elsewhere",)),
            factories.make_key(),
            quota=None,
        )
    store.close()


def looked_at(profile: _Document) -> int:
    """Return how many documents and entries of indexes a statement looked at."""
    return max(profile.get("docsExamined", 0), profile.get("keysExamined", 0))


def found(profile: _Document) -> int:
    """Return how many it found, changed or removed."""
    names = ("nreturned", "nMatched", "ndeleted", "ninserted", "nModified")
    return sum(profile.get(name, 0) for name in names)


def searched(profile: _Document) -> bool:
    """Return whether people look through a list for what no index has."""
    asked = profile["command"].get("filter", {})
    of_schedule = profile["ns"].endswith(".events") and "schedule" in asked
    return of_schedule or (profile["ns"].endswith(".schedules") and "$and" in asked)


def watched(
    of: database.Database[_Document], do: Callable[[], None]
) -> list[_Document]:
    """Return what the server keeps of the statements that something sends."""
    of.command("profile", 0)
    of.drop_collection("system.profile")
    of.create_collection("system.profile", capped=True, size=1 << 26)
    of.command("profile", 2)
    do()
    of.command("profile", 0)
    return list(of["system.profile"].find({"op": {"$ne": "insert"}}))


def test_no_statement_looks_at_more_than_it_needs(server: MongoDb) -> None:
    fill(server.url)
    with pymongo.MongoClient[_Document](server.url) as client:
        statements = watched(client.get_default_database(), lambda: verbs(server.url))
    assert len(statements) > 500
    bad = [
        (
            looked_at(each),
            found(each),
            each.get("planSummary"),
            each["ns"],
            each["command"],
        )
        for each in statements
        if (looked_at(each) > FEW + 3 * found(each) and not searched(each))
        or "COLLSCAN" in each.get("planSummary", "")
    ]
    assert not bad, "\n".join(map(str, bad))
