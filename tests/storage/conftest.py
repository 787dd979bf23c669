"""The stores that the shared suite runs on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crony.storage import open_store
from crony.storage.contract import Store

pytest.register_assert_rewrite("crony.testing.storage")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file: a migration for each test would take long."""
    path = tmp_path_factory.mktemp("template") / "crony.db"
    open_store(f"sqlite:///{path}").migrate()
    return path


@pytest.fixture
def new_file(template: Path, tmp_path: Path) -> Callable[[], Path]:
    """Make another empty store's file."""
    made: list[Path] = []

    def make() -> Path:
        made.append(tmp_path / f"crony-{len(made)}.db")
        shutil.copyfile(template, made[-1])
        return made[-1]

    return make


@pytest.fixture(params=["memory", "sqlite"])
def store(
    request: pytest.FixtureRequest, new_file: Callable[[], Path]
) -> Iterator[Store]:
    """A store of each driver: migrated, open, empty."""
    if request.param == "memory":
        store = open_store("memory://")
        store.migrate()
    else:
        store = open_store(f"sqlite:///{new_file()}")
    store.open()
    yield store
    store.close()
