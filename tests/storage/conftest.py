"""The stores that the shared suite runs on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crony.storage import open_store
from crony.storage.contract import Store
from tests.folders import Folders
from tests.storage.filled import fill
from tests.storage.stands import SHARED, STANDS, Stand, make_stand

Stands = Callable[[str], Stand]


@pytest.fixture(scope="session")
def stands(in_memory: Folders) -> Iterator[Stands]:
    """Stands by name; their servers start when they are first asked for a store."""
    made: dict[str, Stand] = {}

    def stand(name: str) -> Stand:
        if name not in made:
            made[name] = make_stand(name, in_memory(name))
        return made[name]

    yield stand
    for each in made.values():
        each.close()


#: MongoDB is there with one server, which refuses to look through a whole collection.
#: To the driver a replica set is the same; what is different there, acknowledgement,
#: failover and many at once, has tests of its own.
_ALONE = [name for name in STANDS if name != "mongodb-replica-set"]


@pytest.fixture(params=_ALONE)
def store(request: pytest.FixtureRequest, stands: Stands) -> Iterator[Store]:
    """A store of each stand: migrated, open, empty."""
    store = stands(request.param).new()
    store.open()
    yield store
    store.close()


@pytest.fixture(params=SHARED)
def shared(request: pytest.FixtureRequest, stands: Stands) -> str:
    """The URL of an empty store of each stand that other processes may open too."""
    return stands(request.param).fresh()


@pytest.fixture
def opened(shared: str) -> Iterator[Store]:
    """A store that other processes open too, by the URL ``shared``."""
    store = open_store(shared)
    store.open()
    yield store
    store.close()


@pytest.fixture(scope="session")
def template(in_memory: Folders) -> Path:
    """A migrated file: a migration for each test would take long."""
    path = in_memory("template") / "crony.db"
    open_store(f"sqlite:///{path}").migrate()
    return path


@pytest.fixture
def new_file(template: Path, in_memory: Folders) -> Callable[[], Path]:
    """Make another empty SQLite store's file."""
    folder = in_memory("files")
    made: list[Path] = []

    def make() -> Path:
        made.append(folder / f"crony-{len(made)}.db")
        shutil.copyfile(template, made[-1])
        return made[-1]

    return make


@pytest.fixture(scope="session")
def full_file(template: Path, in_memory: Folders) -> Path:
    """A store with a long history and many idle schedules."""
    path = in_memory("full") / "crony.db"
    shutil.copyfile(template, path)
    fill(path)
    return path
