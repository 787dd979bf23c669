"""How long polls may wait, and what that has to do with leases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crony import config
from crony.api.lifespan import node_of
from crony.scheduler.wakes import Wakes
from crony.storage import open_store

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("lease_ttl", "poll_wait", "told"),
    [
        ("60s", "20s", 20 * SECOND),
        ("10s", "5s", 5 * SECOND),
        ("10s", "20s", 5 * SECOND),
    ],
)
def test_an_idle_worker_polls_again_before_it_would_count_as_lost(
    lease_ttl: str, poll_wait: str, told: timedelta
) -> None:
    said = {"CRONY_API_LEASE_TTL": lease_ttl, "CRONY_API_POLL_WAIT": poll_wait}
    settings = config.load(path=None, environ=said, overrides={})
    store = open_store("memory://")
    store.migrate()
    store.open()
    node = node_of(store, settings, wakes=Wakes())
    assert node.service.timing.poll_wait == told
    node.pool.close()
    store.close()
