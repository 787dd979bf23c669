"""A tenant moves through every kind of store there is, and arrives as it left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from crony.clock import StoreClock
from crony.model.moving import MovedRun
from crony.scheduler.service import Service
from crony.storage import open_store
from crony.storage.contract import Store
from crony.testing.storage import moving
from crony.testing.storage.scene import TENANT, Scene
from tests.storage.conftest import Stands
from tests.storage.stands import SHARED


@contextmanager
def opened(url: str) -> Iterator[Store]:
    store = open_store(url)
    store.open()
    yield store
    store.close()


def hop(source: str, target: str) -> None:
    """Move all that is in one store into another, as lines."""
    with opened(source) as there, opened(target) as here:
        lines = Service(there, StoreClock(there.now)).departure.lines((TENANT,))
        arriving = Service(here, StoreClock(here.now)).arriving
        assert not [each for each in arriving.take(lines) if each.error is not None]


def without_token(item: MovedRun) -> MovedRun:
    """Return a run without what grows with each move."""
    return replace(item, run=replace(item.run, token=0))


def test_all_is_as_it_was_after_a_move_through_every_store(stands: Stands) -> None:
    first = stands("sqlite").fresh()
    with opened(first) as store:
        moving.fill(Scene(store))
        schedules, runs = moving.schedules(store), moving.runs(store)
        groups = store.groups.page(TENANT, limit=99, after=None)
    last = first
    for name in (*SHARED, "sqlite"):
        target = stands(name).fresh()
        hop(last, target)
        last = target
    with opened(last) as store:
        assert moving.schedules(store) == schedules
        assert list(map(without_token, moving.runs(store))) == list(
            map(without_token, runs)
        )
        assert store.groups.page(TENANT, limit=99, after=None) == groups
        tenant = store.tenants.find(TENANT)
        assert tenant is not None
        assert tenant.held
