"""The stage on which the use cases are tried, over every store there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crony.storage import open_store
from tests.unit.scheduler.stage import Stage


@pytest.fixture(params=["memory", "sqlite"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """Return a service on an empty store."""
    home = tmp_path / "store"
    home.mkdir(mode=0o700)
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{home}/crony.db"}
    store = open_store(urls[request.param], home=home)
    store.migrate()
    store.open()
    yield Stage(store)
    store.close()


@pytest.fixture
def there() -> Stage:
    """The service that a tenant moves out of."""
    store = open_store("memory://")
    store.migrate()
    store.open()
    return Stage(store)


@pytest.fixture
def here(stage: Stage) -> Stage:
    """The service that it moves into."""
    return stage
