"""Many at once: threads and processes on one store, and processes that are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from crony import errors
from crony.model.lease import Holding
from crony.model.schedule import Schedule
from crony.model.state import HELD, RunState
from crony.storage.contract import RunQuery, Store
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.storage.processes import work
from crony.testing.storage.scene import Scene

SCHEDULES = 6
RUNS = 8
LIMIT = 2


def prepare(store: Store) -> tuple[list[str], list[str]]:
    """Store schedules with their backlogs, and workers; return the ids of both."""
    scene = Scene(store)
    for _ in range(SCHEDULES):
        schedule = scene.schedule(limit=LIMIT)
        scene.due(schedule, *(-number for number in range(RUNS)))
    workers = [factories.make_worker() for _ in range(3)]
    for worker in workers:
        store.workers.register(worker, factories.make_key(), quota=None)
        store.leases.begin(worker.tenant, worker.id, session="s", sequence=1, now=START)
    return [run.id for run in scene.runs()], [worker.id for worker in workers]


def check_over(store: Store, runs: list[str], given: list[Holding]) -> None:
    """Each token of each run was given once, and each run has ended."""
    assert max(Counter(given).values()) == 1
    for name in runs:
        run = store.runs.find("default", name)
        assert run is not None
        assert run.over
        assert [attempt.token for attempt in run.attempts] == list(
            range(1, run.token + 1)
        )
    assert store.tenants.usage("default").pending_runs == 0


def watch_limit(store: Store, stop: threading.Event) -> int:
    """Return the most runs of one schedule that were ever held at once."""
    most = 0
    query = RunQuery(states=frozenset(HELD))
    while not stop.is_set():
        page = store.runs.page("default", query, limit=999, after=None)
        most = max([most, *Counter(run.schedule for run in page.items).values()])
    return most


def test_threads_never_share_a_run_nor_pass_a_limit(store: Store) -> None:
    runs, workers = prepare(store)
    stop = threading.Event()
    with ThreadPoolExecutor(len(workers) + 1) as pool:
        watching = pool.submit(watch_limit, store, stop)
        working = [
            pool.submit(work, store, worker, seed=seed)
            for seed, worker in enumerate(workers)
        ]
        try:
            given = [item for future in working for item in future.result()]
        finally:
            stop.set()
    check_over(store, runs, given)
    assert 1 <= watching.result() <= LIMIT


def processes(url: str, workers: list[str]) -> list[subprocess.Popen[str]]:
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


def given_in(output: str) -> list[Holding]:
    """Return what a process said it was given."""
    pairs = [line.split() for line in output.splitlines()]
    return [Holding(run, int(token)) for run, token in pairs]


def test_processes_never_share_a_run_nor_pass_a_limit(
    shared: str, opened: Store
) -> None:
    runs, workers = prepare(opened)
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch_limit, opened, stop)
        try:
            started = processes(shared, workers)
            outputs = [process.communicate()[0] for process in started]
        finally:
            stop.set()
    assert [process.returncode for process in started] == [0, 0, 0]
    check_over(opened, runs, [item for text in outputs for item in given_in(text)])
    assert watching.result() <= LIMIT


@pytest.mark.parametrize("after", [1, 4, 9])
def test_a_process_killed_in_the_middle_leaves_nothing_half_done(
    shared: str, opened: Store, after: int
) -> None:
    runs, workers = prepare(opened)
    opened.close()
    (victim,) = processes(shared, workers[:1])
    assert victim.stdout is not None
    seen = [victim.stdout.readline() for _ in range(after)]
    victim.send_signal(signal.SIGKILL)
    rest, _ = victim.communicate()
    given = given_in("".join(seen) + rest)
    # It is opened anew, as after a crash.
    opened.open()
    store = opened
    said = {(item.run, item.token) for item in given}
    for name in runs:
        run = store.runs.find("default", name)
        assert run is not None
        closed = [a for a in run.attempts if a.finished_at is not None]
        live = len(run.attempts) - len(closed)
        assert live == (run.state in HELD)
        assert all((name, a.token) in said for a in closed)
    now = START + timedelta(seconds=61)
    store.leases.expire(now=now, limit=999, include_leases=True)
    stats = store.stats("default", now=now)
    assert (stats.leased, stats.running) == (0, 0)
    counted = Counter(run.state for run in Scene(store).runs())
    assert stats.pending == counted[RunState.PENDING]
    work(store, workers[1], seed=9, now=now)
    assert all(run.over for run in Scene(store).runs())


def test_a_cursor_moves_once_whoever_ticks(store: Store) -> None:
    scene = Scene(store)
    schedules = [scene.schedule() for _ in range(20)]
    items = [factories.make_materialisation(schedule) for schedule in schedules]
    barrier = threading.Barrier(4)

    def tick(shift: int) -> int:
        mine = items[shift:] + items[:shift]
        barrier.wait()
        counted, _ = store.schedules.materialise(mine, now=START)
        return sum(counted)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(tick, range(0, 20, 5))) == len(items)
    assert len(scene.runs()) == len(items)
    moved = {scene.stored(schedule).cursor for schedule in schedules}
    assert moved == {START + timedelta(minutes=1)}


def test_a_name_is_taken_once_whoever_asks(store: Store) -> None:
    barrier = threading.Barrier(4)

    def create(number: int) -> bool:
        schedule = factories.make_schedule(name="a", description=str(number))
        barrier.wait()
        try:
            return store.schedules.create(schedule, limit=1, quota=None)
        except errors.NameTaken:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(create, range(4))) == 1


def test_what_refuses_one_new_schedule_spoils_none_beside_it(store: Store) -> None:
    """Each is judged by itself, however a driver puts those of one time together."""
    wanted = [
        schedule
        for number in range(12)
        for schedule in (
            factories.make_schedule(name=f"name-{number}"),
            factories.make_schedule(name=f"name-{number // 2}"),
            factories.make_schedule(name=None, group="none"),
            factories.make_schedule(name=None),
        )
    ]

    def create(schedule: Schedule) -> str:
        try:
            made = store.schedules.create(schedule, limit=1, quota=None)
        except errors.NameTaken as exc:
            holder = store.schedules.find("default", exc.holder)
            named = holder is not None and holder.definition.name
            return "taken" if named == schedule.definition.name else "wrong"
        except errors.NotFound:
            return "missing"
        assert made
        assert store.schedules.find("default", schedule.id) == schedule
        return "made"

    with ThreadPoolExecutor(8) as pool:
        ends = Counter(pool.map(create, wanted))
    # Each name once, and all that have none; of no group none.
    assert ends == {"made": 24, "taken": 12, "missing": 12}
    assert store.tenants.usage("default").schedules == 24
    told = store.events.page("default", after=0, limit=99)
    assert Counter(each.type for each in told) == {"schedule.created": 24}


def test_one_edit_of_two_at_once_counts(store: Store) -> None:
    scene = Scene(store)
    schedule = scene.schedule()
    barrier = threading.Barrier(2)

    def edit(text: str) -> bool:
        definition = replace(schedule.definition, description=text)
        changed = replace(schedule, revision=2, definition=definition)
        barrier.wait()
        counted, _ = store.schedules.update(
            changed, limit=1, expected=schedule, settled=(), now=START
        )
        return counted

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(edit, ["one", "two"])) == [False, True]
