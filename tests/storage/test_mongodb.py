"""What is special to MongoDB: verbs that are killed, or held up, on their way."""

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
from tests.storage.killing import BEFORE, CHAIN, DIGEST, OTHER, SCHEDULE, STEPS
from tests.storage.stands import Stand
from tests.storage.stands.mongodb import Contents, MongoDbStand

Stands = Callable[[str], Stand]

# Each opens and reads a store dozens of times; others may be at work beside it.
pytestmark = pytest.mark.timeout(300)


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """Open the store, as another process does."""
    store = open_store(url)
    store.open()
    try:
        yield store
    finally:
        store.close()


class Victim:
    """A process that takes steps, and is killed or stopped on the way."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._asked, self._answers = process.stdin, process.stdout

    def _ask(self, *words: object) -> str:
        print(*words, file=self._asked, flush=True)
        return self._answers.readline().strip()

    def take(self, step: str, number: int, *, signal: str = "SIGKILL") -> bool:
        """Take a step; return whether it got to the end."""
        answer = self._ask(step, number, signal)
        assert answer in ("done", "killed", "stopped")
        return answer == "done"

    def go_on(self) -> None:
        """Let one that was stopped get to the end."""
        assert self._ask("go") == "done"


@contextmanager
def victim(url: str) -> Iterator[Victim]:
    """Start it."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.storage.killing", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        yield Victim(process)
        process.stdin.close()


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


def prepared(stands: Stands, step: str) -> tuple[MongoDbStand, str, Contents]:
    """Take what comes before a step; return what there is then."""
    stand = stands("mongodb")
    assert isinstance(stand, MongoDbStand)
    url = stand.fresh()
    with opened(url) as store:
        for name in BEFORE[step]:
            STEPS[name](store)
    return stand, url, stand.contents()


@pytest.mark.parametrize("step", BEFORE)
def test_a_verb_killed_on_its_way_has_happened_or_not(
    stands: Stands, step: str
) -> None:
    stand, url, contents = prepared(stands, step)
    states: list[list[object]] = []
    with victim(url) as process:
        for number in count(1):
            stand.restore(contents)
            done = process.take(step, number)
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
    assert len(states) == 2


@pytest.mark.parametrize("step", ["register", "create", "materialise", "lease"])
def test_who_is_held_up_changes_nothing_of_what_came_later(
    stands: Stands, step: str
) -> None:
    stand, url, contents = prepared(stands, step)
    later = [each.__name__ for each in CHAIN[len(BEFORE[step]) + 1 :]]
    with opened(url) as store:
        before = seen(store)
    held_up = 0
    with victim(url) as process:
        for number in count(1):
            stand.restore(contents)
            if process.take(step, number, signal="SIGSTOP"):
                break
            with opened(url) as store:
                happened = seen(store) != before
                if happened:
                    held_up += 1
                    for name in later:
                        STEPS[name](store)
                left = seen(store)
                process.go_on()
                if happened:
                    assert seen(store) == left
    # In the middle of applying it as well.
    assert held_up > 2


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
