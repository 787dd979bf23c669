"""What the store does in a second, on this machine: ``python bench/storage.py``.

Each row is the median of three, in a new SQLite file, every commit durable.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from statistics import median

from crony.model.lease import Holding
from crony.model.schedule import Schedule
from crony.storage import open_store
from crony.storage.contract import Store
from crony.testing import factories
from crony.testing.clock import START

BATCH = 100
TTL = timedelta(seconds=60)
NOW = START + timedelta(minutes=1)


def schedules(store: Store, count: int) -> list[Schedule]:
    """Return new schedules, all due at ``NOW``."""
    made = [factories.make_schedule(cursor=NOW) for _ in range(count)]
    for schedule in made:
        store.schedules.create(schedule, limit=1, quota=None)
    return made


def materialise(store: Store, of: list[Schedule]) -> None:
    """Make one run of each schedule, in batches of 500."""
    items = [factories.make_materialisation(schedule) for schedule in of]
    for start in range(0, len(items), 500):
        store.schedules.materialise(items[start : start + 500], now=NOW)


def work(store: Store, worker: str, count: int) -> None:
    """Lease, confirm and report so many runs, in batches of 100."""
    for _ in range(0, count, BATCH):
        offers = store.leases.lease(
            worker,
            session="s",
            sequence=1,
            slots=BATCH,
            horizon=NOW,
            now=NOW,
            lease_ttl=TTL,
        )
        held = [Holding(offer.run.id, offer.token) for offer in offers]
        store.leases.confirm(worker, held, now=NOW, lease_ttl=TTL)
        closings = [factories.make_closing(item.run, item.token) for item in held]
        store.leases.report(worker, closings, now=NOW)


def rate(count: int, step: Callable[[], None]) -> float:
    """Return how many of ``count`` a step does in a second."""
    start = time.perf_counter()
    step()
    return count / (time.perf_counter() - start)


def once(directory: Path, count: int) -> dict[str, float]:
    """Return the rates in one new file."""
    store = open_store(f"sqlite:///{directory / 'crony.db'}")
    store.migrate()
    store.open()
    worker = factories.make_worker(slots=1000)
    store.workers.register(worker, factories.make_key(), quota=None, now=NOW)
    store.leases.begin(worker.id, session="s", sequence=1, now=NOW)
    made: list[Schedule] = []
    rates = {
        "create, one by one": rate(count, lambda: made.extend(schedules(store, count))),
        "materialise, batches of 500": rate(count, lambda: materialise(store, made)),
        "lease, confirm and report, batches of 100": rate(
            count, lambda: work(store, worker.id, count)
        ),
    }
    busy = replace(made[0], cursor=NOW + timedelta(minutes=1))
    rates["find a schedule"] = rate(
        1000,
        lambda: [store.schedules.find("default", busy.id) for _ in range(1000)].clear(),
    )
    store.close()
    return rates


def main() -> None:
    """Print the rates."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    rounds = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as directory:
            rounds.append(once(Path(directory), count))
    for row in rounds[0]:
        found = [rates[row] for rates in rounds]
        print(
            f"{row:45} {min(found):10,.0f} {median(found):10,.0f} {max(found):10,.0f}/s"
        )


if __name__ == "__main__":
    main()
