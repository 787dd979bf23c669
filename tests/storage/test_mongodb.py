"""What is special to MongoDB: verbs that are killed on their way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from crony.storage import open_store
from crony.storage.contract import RunQuery, ScheduleQuery, Store
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.storage.scene import TENANT
from tests.storage.killing import DIGEST, OTHER, SCHEDULE, STEPS
from tests.storage.stands import Stand
from tests.storage.stands.mongodb import MongoDbStand

Stands = Callable[[str], Stand]
#: Lets a process take a step; ``False`` when it was killed on the way.
Victim = Callable[[str, int], bool]


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """Open the store, as another process does."""
    store = open_store(url)
    store.open()
    try:
        yield store
    finally:
        store.close()


@contextmanager
def victims(url: str) -> Iterator[Victim]:
    """Start what is killed."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.storage.killing", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        asked, answers = process.stdin, process.stdout
        assert asked is not None
        assert answers is not None

        def take(step: str, number: int) -> bool:
            print(step, number, file=asked, flush=True)
            return {"done": True, "killed": False}[answers.readline().strip()]

        yield take
        asked.close()


def seen(store: Store) -> list[object]:
    """Return all that people see of a store."""
    runs = store.runs.page(TENANT, RunQuery(), limit=99, after=None).items
    schedules = store.schedules.page(TENANT, ScheduleQuery(), limit=99, after=None)
    return [
        [store.runs.find(TENANT, run.id) for run in runs],
        schedules,
        store.schedules.definition(TENANT, SCHEDULE, 1),
        store.schedules.versions(TENANT, SCHEDULE, until=None, limit=9),
        store.runs.errors(TENANT, [SCHEDULE], limit=9),
        store.runs.follow_ups(limit=9),
        store.runs.pruned(TENANT, SCHEDULE),
        store.stats(None, now=START),
        store.keys.by_digest(DIGEST),
        *(of_tenant(store, tenant) for tenant in (TENANT, OTHER)),
    ]


def of_tenant(store: Store, tenant: str) -> list[object]:
    """Return what people see of a tenant."""
    return [
        store.tenants.find(tenant),
        store.tenants.usage(tenant),
        store.workers.page(tenant, limit=99, after=None),
        store.keys.page(tenant, limit=99, after=None),
        store.groups.page(tenant, limit=99, after=None),
        store.profiles.page(tenant, limit=99, after=None),
        store.events.page(tenant, after=0, limit=99),
        store.events.bounds(tenant),
    ]


@pytest.mark.parametrize("step", [s for s in STEPS if not s.startswith("create_t")])
def test_a_verb_killed_on_its_way_has_happened_or_not(
    stands: Stands, step: str
) -> None:
    stand = stands("mongodb")
    assert isinstance(stand, MongoDbStand)
    url = stand.fresh()
    with opened(url) as store:
        for name in list(STEPS)[: list(STEPS).index(step)]:
            STEPS[name](store)
    contents = stand.contents()
    states: list[list[object]] = []
    with victims(url) as take:
        for number in count(1):
            stand.restore(contents)
            done = take(step, number)
            with opened(url) as store:
                state = seen(store)
                if states and state == states[0]:
                    # And so it can be done.
                    STEPS[step](store)
            if not states or state != states[-1]:
                states.append(state)
            if done:
                break
    # One to read the head, one to commit, and more to apply it.
    assert number > 4
    steps_of_it = {"register": 3}.get(step, 2)
    assert len(states) == steps_of_it


def test_nothing_of_a_tenant_is_seen_by_a_later_one(stands: Stands) -> None:
    with opened(stands("mongodb").fresh()) as store:
        for name in ("create_tenant", "delete_tenant"):
            STEPS[name](store)
        left = seen(store)
        assert store.tenants.put(factories.make_tenant(name=OTHER), expected=None)[0]
        assert not store.events.page(OTHER, after=0, limit=9)
        assert store.events.bounds(OTHER) == (0, 0)
        assert store.tenants.delete(OTHER, expected=1)
        assert seen(store) == left
