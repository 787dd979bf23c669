"""Limits of groups and tenants while many lease at once, as their events tell."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from crony.model.event import Event
from crony.model.state import HELD
from crony.storage.contract import Store
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.storage.processes import work
from crony.testing.storage.scene import TENANT, Scene

#: How many may be in workers' hands of each group, and of the tenant.
LIMITS = {"narrow": 1, "wide": 3, TENANT: 4}
WORKERS = 3


def prepare(store: Store) -> list[str]:
    """Store groups with backlogs that want more than their limits; return workers."""
    scene = Scene(store)
    scene.tenant(max_concurrent=LIMITS[TENANT])
    for name in ("narrow", "wide"):
        scene.group(name, max_concurrent=LIMITS[name])
        for _ in range(3):
            schedule = scene.schedule(group=name, limit=9)
            scene.due(schedule, *(-number for number in range(6)))
    scene.due(scene.schedule(limit=9), *(-number for number in range(6)))
    workers = [factories.make_worker() for _ in range(WORKERS)]
    for worker in workers:
        store.workers.register(worker, factories.make_key(), quota=None)
        store.leases.begin(worker.tenant, worker.id, session="s", sequence=1, now=START)
    return [worker.id for worker in workers]


def most_held(events: Iterable[Event], *, group: str | None = None) -> int:
    """Return the most runs, of a group or at all, that were ever held at once.

    A verb that takes one into workers' hands gives none back, so that the events,
    which are in the order in which they became visible, tell it exactly.
    """
    held: set[str] = set()
    most = 0
    for event in events:
        if event.run is not None and group in (None, event.run.group):
            (held.add if event.run.state in HELD else held.discard)(event.subject)
            most = max(most, len(held))
    return most


def check(store: Store) -> None:
    """Every run has ended, and no limit was ever passed; some were held together."""
    scene = Scene(store)
    assert all(run.over for run in scene.runs())
    events = scene.events()
    most = {
        name: most_held(events, group=None if name == TENANT else name)
        for name in LIMITS
    }
    assert all(most[name] <= LIMITS[name] for name in LIMITS), most
    # How many depends on who came first.
    assert most[TENANT] > 1


def start(url: str, workers: list[str]) -> list[subprocess.Popen[str]]:
    """Start one process for each worker."""
    module = "crony.testing.storage.processes"
    return [
        subprocess.Popen(
            [sys.executable, "-m", module, url, worker, str(seed)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed, worker in enumerate(workers)
    ]


def test_threads_never_pass_the_limit_of_a_group_or_a_tenant(store: Store) -> None:
    workers = prepare(store)
    with ThreadPoolExecutor(WORKERS) as pool:
        for future in [
            pool.submit(work, store, worker, seed=seed)
            for seed, worker in enumerate(workers)
        ]:
            future.result()
    check(store)


def test_processes_never_pass_the_limit_of_a_group_or_a_tenant(
    shared: str, opened: Store
) -> None:
    workers = prepare(opened)
    started = start(shared, workers)
    for process in started:
        process.communicate()
    assert [process.returncode for process in started] == [0] * WORKERS
    check(opened)


def test_the_places_of_a_process_that_was_killed_come_back_and_no_more(
    shared: str, opened: Store
) -> None:
    workers = prepare(opened)
    (victim,) = start(shared, workers[:1])
    assert victim.stdout is not None
    for _ in range(3):
        victim.stdout.readline()
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    now = START + timedelta(seconds=61)
    opened.leases.expire(now=now, limit=999, include_leases=True)
    work(opened, workers[1], seed=9, now=now)
    check(opened)


def test_a_limit_that_is_lowered_meanwhile_holds_from_then_on(store: Store) -> None:
    workers = prepare(store)
    group = store.groups.find(TENANT, "wide")
    assert group is not None
    with ThreadPoolExecutor(WORKERS) as pool:
        working = [
            pool.submit(work, store, worker, seed=seed)
            for seed, worker in enumerate(workers[1:])
        ]
        lowered = replace(group, revision=2, max_concurrent=1)
        assert store.groups.put(lowered, expected=1)[0]
        (_, newest) = store.events.bounds(TENANT)
        for future in working:
            future.result()
    scene = Scene(store)
    # What was held by then may go on; each lease after it finds none held.
    held: set[str] = set()
    for event in scene.events():
        if event.run is None or event.run.group != "wide":
            continue
        if event.type == "run.leased" and event.sequence > newest:
            assert not held
        (held.add if event.run.state in HELD else held.discard)(event.subject)
    assert all(run.over for run in scene.runs())
