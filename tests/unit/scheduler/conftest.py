"""The stage on which the use cases are tried."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crony.storage.memory.store import MemoryStore
from tests.unit.scheduler.stage import Stage


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Return a service on an empty store."""
    store = MemoryStore()
    store.migrate()
    store.open()
    yield Stage(store)
    store.close()
