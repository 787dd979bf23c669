"""What verbs cost on Redis: as many commands, whatever else is stored.

A script's time grows with the commands that it gives, so that they are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import redis as library

from crony.model.lease import Holding
from crony.model.schedule import Schedule
from crony.storage import open_store
from crony.storage.contract import Creation, Store
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.servers.redis import Redis
from crony.testing.storage.scene import Scene

#: Much beside what the verbs of a test touch.
MANY = 300
IDLE = START + timedelta(days=30)


class Counted(Scene):
    """A scene that counts commands."""

    def __init__(self, store: Store, client: library.Redis) -> None:
        super().__init__(store)
        self.client = client

    def count(self, verb: Callable[[], object]) -> int:
        """Return how many commands a verb gives, those within its script too."""
        self.client.config_resetstat()
        verb()
        stats = cast("dict[str, dict[str, Any]]", self.client.info("commandstats"))
        ours = ("cmdstat_config|resetstat", "cmdstat_info")
        return sum(s["calls"] for name, s in stats.items() if name not in ours)

    def create(self, count: int, **changes: Any) -> list[Schedule]:
        made = [factories.make_schedule(**changes) for _ in range(count)]
        self.store.schedules.create_all([Creation(s, 1) for s in made], quota=None)
        return made

    def day(self, schedule: Schedule, number: int) -> dict[str, int]:
        """Do what a day is made of with one run; return what each verb costs."""
        stored, worker = self.stored(schedule), self.worker(name=f"host-{number}")
        run = factories.make_run(stored, scheduled_for=self.now)
        item = factories.make_materialisation(stored, next_cursor=IDLE, runs=(run,))
        held: list[Holding] = []
        store, now = self.store, self.now
        return {
            "due": self.count(lambda: store.schedules.due(now, limit=9)),
            "materialise": self.count(
                lambda: store.schedules.materialise([item], now=now)
            ),
            "earliest": self.count(store.leases.earliest),
            "promote": self.count(lambda: store.leases.promote(horizon=now, limit=9)),
            "lease": self.count(lambda: held.extend(self.start(worker))),
            "expire": self.count(
                lambda: store.leases.expire(now=now, limit=9, include_leases=True)
            ),
            "overlap": self.count(lambda: store.leases.overlap(now=now, limit=9)),
            "lapse": self.count(lambda: store.leases.lapse(now=now, limit=9)),
            "pulse": self.count(lambda: store.leases.pulse(now=now, limit=9)),
            "preempt": self.count(lambda: store.leases.preempt(now=now, limit=9)),
            "report": self.count(lambda: self.report(worker, held[0])),
            "find": self.count(lambda: self.run(run)),
        }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A server for all tests of this file."""
    directory: Path = tmp_path_factory.mktemp("redis") / "one"
    with Redis(directory) as running:
        yield running


@pytest.fixture
def scene(server: Redis) -> Iterator[Counted]:
    """A scene on an empty store."""
    with library.Redis.from_url(server.url, socket_timeout=60) as client:
        client.flushall()
        store = open_store(server.url)
        store.migrate()
        store.open()
        yield Counted(store, client)
        store.close()


def _first_day(scene: Counted) -> dict[str, int]:
    """Return what a day costs in a store with nothing else; scripts are known then."""
    scene.day(scene.create(1, cursor=scene.now)[0], 1)
    return scene.day(scene.create(1, cursor=scene.now)[0], 2)


def test_no_verb_costs_more_for_idle_schedules(scene: Counted) -> None:
    before = _first_day(scene)
    scene.create(MANY, cursor=IDLE)
    assert scene.day(scene.create(1, cursor=scene.now)[0], 3) == before


def test_no_verb_costs_more_for_history(scene: Counted) -> None:
    before = _first_day(scene)
    worker = scene.worker(name="old", slots=MANY)
    for schedule in scene.create(MANY, cursor=scene.now):
        scene.due(schedule, 0)
    for item in scene.start(worker, slots=MANY):
        scene.report(worker, item)
    assert scene.day(scene.create(1, cursor=scene.now)[0], 3) == before


def test_no_verb_costs_more_for_runs_that_wait_behind_their_limit(
    scene: Counted,
) -> None:
    before = _first_day(scene)
    (busy,) = scene.create(1, cursor=scene.now, queue="elsewhere")
    for number in range(MANY):
        scene.manual(
            busy, queue="elsewhere", scheduled_for=START - timedelta(seconds=number)
        )
    after = scene.day(scene.create(1, cursor=scene.now)[0], 3)
    # That one of them waits in another queue costs what it costs once.
    assert all(after[verb] - before[verb] <= 6 for verb in before), (before, after)


def test_a_lease_looks_at_heads_alone(scene: Counted) -> None:
    worker = scene.worker()
    for schedule in scene.create(9, cursor=scene.now):
        scene.due(schedule, 0)
    scene.leased(worker, slots=1)
    before = scene.count(lambda: scene.leased(worker, slots=1))
    for schedule in scene.create(MANY, cursor=scene.now):
        scene.due(schedule, 0)
    assert scene.count(lambda: scene.leased(worker, slots=1)) == before
