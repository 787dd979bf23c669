"""What the store does in a second, on this machine: ``python bench/storage.py [n]``.

Each row is the least, the median and the most of five rounds, each in a new SQLite
file, every commit durable. Beside the rate by the clock stands the one by processor
time (of this process), which other work on the machine hardly changes, and what
share of the same machine's bare SQLite the median is, measured in the same rounds:
a row inserted into one plain table, in a commit of its own or in batches as large.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from statistics import median

from crony.model.lease import Holding
from crony.model.schedule import Schedule
from crony.model.state import AttemptState, Reason
from crony.model.trigger import Cron
from crony.scheduler.materializer import Materializer
from crony.scheduler.policies import Policies
from crony.scheduler.timing import Timing
from crony.scheduler.wakes import Wakes
from crony.storage import open_store
from crony.storage.contract import Store
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.storage.scene import TENANT

ROUNDS = 5
BATCH = 100
PAGE = 500
TTL = timedelta(seconds=60)
NOW = START + timedelta(minutes=5)

COMMITS = "bare SQLite, commits of one row"
ROWS = "bare SQLite, rows in batches of {}"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in a second by the clock, and of processor time."""

    wall: float
    processor: float


def rate(count: int, step: Callable[[], None]) -> Rate:
    """Return how many of ``count`` a step does in a second."""
    wall, processor = time.perf_counter(), time.process_time()
    step()
    return Rate(
        count / (time.perf_counter() - wall), count / (time.process_time() - processor)
    )


# The machine.


def bare(directory: Path, *, count: int, batch: int) -> None:
    """Insert rows of a run's size into one table without another index."""
    connection = sqlite3.connect(directory / f"bare-{batch}.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE rows (id TEXT PRIMARY KEY, body TEXT)")
    for start in range(0, count, batch):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO rows VALUES (?, ?)",
            [(f"run_{start + n:026}", "x" * 300) for n in range(batch)],
        )
        connection.execute("COMMIT")
    connection.close()


# The verbs.


def schedules(store: Store, count: int) -> list[Schedule]:
    """Return new schedules, all due at ``NOW``."""
    trigger = Cron("*/5 * * * *", "Europe/Berlin")
    made = [factories.make_schedule(cursor=NOW, trigger=trigger) for _ in range(count)]
    for schedule in made:
        store.schedules.create(schedule, limit=1, quota=None)
    return made


def materialise(store: Store) -> None:
    """Make one run of each schedule, and find the instant after it."""
    # What the store holds is due once: the next instant is minutes away.
    materializer = Materializer(
        store, policies=Policies(store), timing=Timing(), wakes=Wakes()
    )
    while materializer.step(NOW):
        pass


def lease(store: Store, worker: str) -> Sequence[Holding]:
    """Lease a batch."""
    offers = store.leases.lease(
        TENANT,
        worker,
        session="s",
        sequence=1,
        slots=BATCH,
        horizon=NOW + timedelta(hours=1),
        now=NOW,
        lease_ttl=TTL,
    )
    assert len(offers) in (0, BATCH)
    return [Holding(offer.run.id, offer.token) for offer in offers]


def report(store: Store, worker: str, held: Sequence[Holding], **facts: object) -> None:
    """Report the end of a batch."""
    closings = [factories.make_closing(item.run, item.token, **facts) for item in held]
    store.leases.report(TENANT, worker, closings, now=NOW)


def work(store: Store, worker: str, count: int) -> None:
    """Lease, confirm and report so many runs."""
    for _ in range(0, count, BATCH):
        held = lease(store, worker)
        store.leases.confirm(TENANT, worker, held, now=NOW, lease_ttl=TTL)
        report(store, worker, held)


def refuse(store: Store, worker: str, count: int) -> None:
    """Lease so many runs, and report at once that they can't be started."""
    facts = {"state": AttemptState.FAILED, "reason": Reason.START_FAILED}
    for _ in range(0, count, BATCH):
        report(store, worker, lease(store, worker), **facts)


def once(directory: Path, count: int) -> dict[str, Rate]:
    """Return the rates in one new file."""
    store = open_store(f"sqlite:///{directory / 'crony.db'}")
    store.migrate()
    store.open()
    worker = factories.make_worker(slots=1000, sandbox_level="full")
    store.workers.register(worker, factories.make_key(), quota=None)
    store.leases.begin(worker.tenant, worker.id, session="s", sequence=1, now=NOW)
    made: list[Schedule] = []
    half = count // 2
    rates = {
        COMMITS: rate(BATCH, lambda: bare(directory, count=BATCH, batch=1)),
        ROWS.format(BATCH): rate(
            count, lambda: bare(directory, count=count, batch=BATCH)
        ),
        ROWS.format(PAGE): rate(
            count, lambda: bare(directory, count=count, batch=PAGE)
        ),
        "create, one by one": rate(count, lambda: made.extend(schedules(store, count))),
        f"materialise, batches of {PAGE}": rate(count, lambda: materialise(store)),
        f"lease, report, batches of {BATCH}": rate(
            half, lambda: refuse(store, worker.id, half)
        ),
        f"lease, confirm, report, batches of {BATCH}": rate(
            half, lambda: work(store, worker.id, half)
        ),
    }
    ended = store.runs.recent(TENANT, [schedule.id for schedule in made], limit=1)
    assert all(run.over for (run,) in ended.values()), "a run is left"
    assert len(ended) == count
    busy = replace(made[0], cursor=NOW + timedelta(minutes=1))
    rates["find a schedule"] = rate(
        1000,
        lambda: [store.schedules.find("default", busy.id) for _ in range(1000)].clear(),
    )
    store.close()
    return rates


#: What a row is compared with.
LIMITS = {
    "create, one by one": COMMITS,
    f"materialise, batches of {PAGE}": ROWS.format(PAGE),
    f"lease, report, batches of {BATCH}": ROWS.format(BATCH),
    f"lease, confirm, report, batches of {BATCH}": ROWS.format(BATCH),
}


def main() -> None:
    """Print the rates."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    rounds = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=".") as directory:
            rounds.append(once(Path(directory), count))
    middle = {row: median(each[row].wall for each in rounds) for row in rounds[0]}
    print(f"{'a second':42}{'least':>9}{'median':>9}{'most':>9}{'processor':>11}")
    for row in rounds[0]:
        walls = [each[row].wall for each in rounds]
        processor = median(each[row].processor for each in rounds)
        share = f"{middle[row] / middle[LIMITS[row]]:8.0%}" if row in LIMITS else ""
        print(
            f"{row:42}{min(walls):9,.0f}{middle[row]:9,.0f}{max(walls):9,.0f}"
            f"{processor:11,.0f}{share}"
        )


if __name__ == "__main__":
    main()
