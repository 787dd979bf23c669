"""What the documentation backs up and restores is a store as it was."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import psycopg
import pytest

from crony.model.lease import Standing
from crony.model.policy import PolicySettings
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import RunState
from crony.storage import open_store
from crony.storage.contract import RunQuery, ScheduleQuery, Store
from crony.testing.servers.mongodb import MongoDb
from crony.testing.servers.postgresql import PostgreSQL
from crony.testing.servers.process import Server
from crony.testing.servers.redis import Redis
from crony.testing.storage.scene import TENANT, Scene, second
from tests.docs.follow import follow
from tests.docs.walkthrough import steps

BIN = Path(sys.executable).parent
PAGE = Path(__file__).parents[2] / "docs" / "howto" / "back-up.md"


class Site(ABC):
    """Where a store is, and where its copy will be; the page works in the folder."""

    name: ClassVar[str]
    #: Where the page wants the server stopped first, that server.
    to_stop: Server | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    @abstractmethod
    def running(self) -> Iterator[dict[str, str]]:
        """Have the store up; yield what the page calls it and its copy."""

    @contextmanager
    @abstractmethod
    def copy(self) -> Iterator[str]:
        """Have the copy up; yield its URL."""


class SqliteSite(Site):
    name = "sqlite"

    @contextmanager
    def running(self) -> Iterator[dict[str, str]]:
        yield {"STORE": f"sqlite:///{self.folder}/crony.db"}

    @contextmanager
    def copy(self) -> Iterator[str]:
        yield f"sqlite:///{self.folder}/copy.db"


class PostgresqlSite(Site):
    name = "postgresql"

    @contextmanager
    def running(self) -> Iterator[dict[str, str]]:
        self.folder.mkdir(exist_ok=True)
        with PostgreSQL(self.folder / "server") as self.server:
            with psycopg.connect(self.server.url, autocommit=True) as connection:
                connection.execute("CREATE DATABASE copy")
            yield {"STORE": self.server.url, "COPY": self.server.url_of("copy")}

    @contextmanager
    def copy(self) -> Iterator[str]:
        yield self.server.url_of("copy")


class MongodbSite(Site):
    name = "mongodb"

    @contextmanager
    def running(self) -> Iterator[dict[str, str]]:
        with MongoDb(self.folder) as self.to_stop:
            yield {"STORE": self.to_stop.url}

    @contextmanager
    def copy(self) -> Iterator[str]:
        (self.folder / "other").mkdir()
        (self.folder / "copy").rename(self.folder / "other" / "data")
        with MongoDb(self.folder / "other") as server:
            yield server.url


class RedisSite(Site):
    name = "redis"

    @contextmanager
    def running(self) -> Iterator[dict[str, str]]:
        with Redis(self.folder) as server:
            yield {"STORE": server.url}

    @contextmanager
    def copy(self) -> Iterator[str]:
        with Redis(self.folder / "copy") as server:
            yield server.url


@contextmanager
def opened(url: str, *, new: bool = False) -> Iterator[Store]:
    store = open_store(url)
    if new:
        store.migrate()
    store.open()
    try:
        yield store
    finally:
        store.close()


def kept(store: Store) -> tuple[list[Schedule], list[Run]]:
    """Return all schedules, and all runs with their attempts."""
    schedules = store.schedules.page(TENANT, ScheduleQuery(), limit=99, after=None)
    runs = store.runs.page(TENANT, RunQuery(), limit=99, after=None)
    whole = [store.runs.find(TENANT, run.id) for run in runs.items]
    return list(schedules.items), [run for run in whole if run is not None]


@pytest.mark.parametrize(
    "kind",
    [SqliteSite, PostgresqlSite, MongodbSite, RedisSite],
    ids=lambda kind: kind.name,
)
def test_what_was_backed_up_is_there_again_and_goes_on(
    kind: type[Site], tmp_path: Path
) -> None:
    page = steps(PAGE.read_text(encoding="utf-8"), on=kind.name)
    assert page
    site = kind(tmp_path)
    with site.running() as named:
        with opened(named["STORE"], new=True) as store:
            scene = Scene(store)
            ended, waiting = scene.schedule(name="ended"), scene.schedule(limit=9)
            scene.due(ended, 0)
            worker = scene.worker()
            (held,) = scene.start(worker)
            scene.report(worker, held)
            pending = scene.due(waiting, 1, 2, 3)
            before = kept(store)
        if site.to_stop is not None:
            site.to_stop.stop()
        follow(page, tmp_path, {"PATH": os.environ["PATH"], **named})
        with site.copy() as url, opened(url) as store:
            assert kept(store) == before
            scene.store = store
            scene.after(5)
            assert scene.leased(worker) == [run.id for run in pending]


@pytest.mark.parametrize(
    "kind", [PostgresqlSite, MongodbSite, RedisSite], ids=lambda kind: kind.name
)
def test_what_moved_to_another_store_goes_on_under_higher_tokens(
    kind: type[Site], tmp_path: Path
) -> None:
    page = steps(PAGE.read_text(encoding="utf-8"), on="move")
    old = f"sqlite:///{tmp_path}/old.db"
    environ = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    with kind(tmp_path / "site").running() as named:
        with opened(old, new=True) as store:
            scene = Scene(store)
            policy = PolicySettings(max_concurrent=9)
            schedule = scene.schedule(limit=9, policy=policy, end_at=second(3))
            scene.due(schedule, 0, 1, 2)
            worker = scene.worker()
            scene.after(5)
            ended, under_way = scene.start(worker, slots=2)
            scene.report(worker, ended)
        follow(page, tmp_path, {**environ, "STORE": old, "COPY": named["STORE"]})
        with opened(named["STORE"]) as store:
            scene.store = store
            assert scene.run(ended.run).state is RunState.SUCCEEDED
            late = scene.report(worker, under_way)
            assert late.standing is not Standing.ACCEPTED
            scene.now = store.now()
            tokens = {
                offer.run.id: offer.token for offer in scene.lease(scene.worker())
            }
            assert len(tokens) == 2
            assert tokens[under_way.run] > under_way.token
