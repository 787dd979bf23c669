"""Kill and stop everything at random: every second stays accounted for.

``CRONY_CHAOS_SECONDS`` (20) is for how long, ``CRONY_CHAOS_SEED`` which course.
"""

from __future__ import annotations

import itertools
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from crony.client import Client
from tests.acceptance.fleet import Fleet, patiently
from tests.acceptance.witness import Ledger, Witness

SECONDS = float(os.environ.get("CRONY_CHAOS_SECONDS", "20"))
SEED = int(os.environ.get("CRONY_CHAOS_SEED", "1"))

#: Short, so that what is lost returns within the test.
LEASE = 5.0


@pytest.fixture
def witness() -> Iterator[Witness]:
    # Not below pytest's own folder, which it keeps from the tasks' user ids.
    with tempfile.TemporaryDirectory(prefix="crony-witness-") as folder:
        Path(folder).chmod(0o711)
        yield Witness(Path(folder) / "witness")


@pytest.fixture
def fleet(tmp_path: Path, witness: Witness) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path / "home", lease_ttl=f"{LEASE:g}s", rw_path=witness.folder)
    fleet.start_service()
    fleet.wait_until_ready()
    fleet.start_worker()
    yield fleet
    fleet.close()


def every_second(client: Client, witness: Witness) -> str:
    """Create the schedule under test; return its id."""
    made = client.create_schedule(
        {
            "name": "every-second",
            "cron": "* * * * * *",
            "task": {"command": witness.task()},
            "max_concurrent": 4,
            "max_lost": 1000,
            "sandbox": {"rw_paths": [str(witness.folder)]},
        }
    )
    return str(made["id"])


def kill_service(fleet: Fleet, pause: Callable[[float, float], None]) -> None:
    fleet.kill_service()
    pause(0.1, 2)
    fleet.start_service()


def kill_worker(fleet: Fleet, pause: Callable[[float, float], None]) -> None:
    fleet.kill_worker()
    pause(0.0, 2)
    fleet.start_worker()


def kill_both(fleet: Fleet, pause: Callable[[float, float], None]) -> None:
    fleet.kill_service()
    fleet.kill_worker()
    pause(0.1, 1)
    fleet.start_service()
    fleet.wait_until_ready()
    fleet.start_worker()


def suspend_worker(fleet: Fleet, pause: Callable[[float, float], None]) -> None:
    fleet.stop_worker()
    pause(LEASE + 1, LEASE + 2)
    fleet.continue_worker()


FAULTS = (kill_service, kill_worker, kill_both, suspend_worker)


def rage(fleet: Fleet, *, seconds: float, seed: int) -> list[str]:
    """Do every fault in turn, in an order and at instants of the seed."""
    chance = random.Random(seed)
    until = time.monotonic() + seconds
    done: list[str] = []

    def pause(least: float, most: float) -> None:
        time.sleep(chance.uniform(least, most))

    while time.monotonic() < until or len(set(done)) < len(FAULTS):
        for fault in chance.sample(FAULTS, len(FAULTS)):
            pause(0.5, 2.5)
            fault(fleet, pause)
            done.append(fault.__name__)
            if time.monotonic() >= until and len(set(done)) == len(FAULTS):
                break
    return done


def bring_up(fleet: Fleet) -> Client:
    """Start again what a fault may have left ended by itself."""
    client = fleet.wait_until_ready()
    assert fleet.worker is not None
    if fleet.worker.poll() is not None:
        fleet.start_worker()
    return client


def settle(client: Client, schedule: str, *, last: datetime, within: float) -> Ledger:
    """Wait until every run is over; return the ledger, oldest first."""
    open_runs: list[object] = []
    for _ in patiently(within, step=0.5):
        runs = list(client.each_run(schedule=schedule, limit=1000))
        open_runs = [
            run
            for run in runs
            if run["state"] in ("pending", "leased", "running", "stopping")
        ]
        due = {str(run["scheduled_for"]) for run in runs}
        if not open_runs and max(due) >= last.isoformat()[:19]:
            return [client.get_run(str(run["id"])) for run in reversed(runs)]
    raise AssertionError(f"never over: {open_runs[:5]}")


def instants(ledger: Ledger) -> list[datetime]:
    return [datetime.fromisoformat(str(run["scheduled_for"])) for run in ledger]


def test_every_second_is_accounted_for_once_whatever_is_killed_or_stopped(
    fleet: Fleet, witness: Witness
) -> None:
    client = fleet.wait_until_ready()
    schedule = every_second(client, witness)
    for _ in patiently(15):
        if witness.lines():
            break
    assert witness.lines(), f"no run started: {fleet.tail()}"

    done = rage(fleet, seconds=SECONDS, seed=SEED)

    client = bring_up(fleet)
    paused = client.pause_schedule(schedule)
    last = datetime.fromisoformat(str(paused["updated_at"])) - timedelta(seconds=1)
    ledger = settle(client, schedule, last=last, within=60 + SECONDS)
    ledger = [run for run in ledger if run["state"] != "withdrawn"]

    story = f"seed {SEED}: {done}\n{fleet.tail()}"
    due = instants(ledger)
    gaps = [
        (one, other)
        for one, other in itertools.pairwise(due)
        if other - one != timedelta(seconds=1)
    ]
    assert not gaps, f"occurrences without a record, or twice: {gaps}\n{story}"
    otherwise = [run for run in ledger if run["state"] != "succeeded"]
    assert not otherwise, f"{otherwise}\n{story}"
    assert not witness.disagreements(ledger), story
    assert len(ledger) >= SECONDS, story
