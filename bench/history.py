"""What do millions of past runs cost: a lease, a report, a list, and their pruning?

One store of SQLite without a past and one with a long one, measured in turns. The past
is copied inside the database from runs that a worker has ended, thousands of each of a
hundred schedules, since ending ten million one by one would take a day.

    make bench ROW=history
    python bench/history.py --runs 10000000
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measuring.idle import BUSY, Shelf
from bench.measuring.places import Sqlite
from bench.measuring.rates import took
from bench.measuring.report import Report, Target, arguments, percentile
from bench.measuring.trial import NOW, TENANT
from bench.stores import new_store
from crony.storage.contract import RunQuery

#: So many are copied with one commit.
_PIECE = 100_000
#: So many are removed in one step, as the service does.
_STEP = 50
_MINUTE = 60_000


def lengthen(path: Path, runs: int) -> None:
    """Copy the ended runs of a store into its past, so many in all."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall()
    # They count and tell what happens; of a copy nothing has happened.
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    # PERF: to sort ten million entries once takes a fraction of inserting each.
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master"
        " WHERE type = 'index' AND tbl_name = 'runs' AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    connection.execute("PRAGMA cache_size = -500000")
    info = connection.execute("PRAGMA table_info(runs)").fetchall()
    earlier = {
        name: f"{name} - n * {_MINUTE}"
        for _, name, *_ in info
        if name.endswith("_at") or name == "scheduled_for"
    }
    earlier["id"] = "substr(id, 1, 10) || printf('%010d', n) || substr(id, 21)"
    names = [name for _, name, *_ in info]
    chosen = ", ".join(earlier.get(name, name) for name in names)
    for start in range(1, runs // BUSY + 1, _PIECE // BUSY):
        end = min(start + _PIECE // BUSY, runs // BUSY + 1) - 1
        connection.execute(
            f"WITH RECURSIVE numbers (n) AS (SELECT {start} UNION ALL"
            f" SELECT n + 1 FROM numbers WHERE n < {end})"
            f" INSERT INTO runs ({', '.join(names)})"
            f" SELECT {chosen} FROM numbers, past_runs"
        )
    for _, sql in (*indexes, *triggers):
        connection.execute(sql)
    connection.execute("DROP TABLE past_runs")
    # All of it is on the disk before anything is measured.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def remember(path: Path) -> None:
    """Note the runs that have ended so far: they are what is copied."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(
        "CREATE TABLE past_runs AS SELECT * FROM runs WHERE state = 'succeeded'"
    )
    connection.close()


def prune(shelf: Shelf, *, steps: int) -> list[float]:
    """Prune of one schedule all but its newest; return how long each step took."""
    schedule = shelf.busy[0].id

    def step() -> None:
        removed = shelf.store.runs.prune(
            TENANT, schedule, keep=1, before=NOW, now=shelf.now, limit=_STEP
        )
        if removed != _STEP:
            raise AssertionError(f"{removed} of {_STEP} runs were pruned")

    return [took(step) for _ in range(steps)]


def main() -> int:
    """Measure, print, and keep the samples."""
    parser, command = arguments(__doc__, repetitions=10)
    parser.add_argument("--runs", type=int, default=1_000_000, help="of the past")
    wanted = parser.parse_args()
    report = Report("history", f"A store beside {wanted.runs:,} past runs", command)
    with tempfile.TemporaryDirectory(dir=".") as directory:
        place = Sqlite(Path(directory).resolve() / "sqlite")
        with place.running(), new_store(place) as none, new_store(place) as many:
            shelves = {"none": Shelf(none), "many": Shelf(many)}
            for shelf in shelves.values():
                shelf.sample()
            path = Path(place.url(2).removeprefix("sqlite:///"))
            remember(path)
            lengthen(path, wanted.runs)
            _compare(report, shelves, wanted.repetitions)
            steps = prune(shelves["many"], steps=100)
    pauses = report.add(f"prune {_STEP} runs", "ms")
    pauses.samples += [each * 1000 for each in steps]
    longest = percentile(pauses.samples, 1.0)
    report.targets.append(Target("longest step of pruning", longest, 50, unit="ms"))
    return report.finish(publish=wanted.publish)


def _compare(report: Report, shelves: dict[str, Shelf], repetitions: int) -> None:
    query = RunQuery()
    rows: dict[tuple[str, str], list[float]] = {}
    for shelf in shelves.values():
        shelf.sample()
    for _ in range(repetitions):
        for name, shelf in shelves.items():
            found = shelf.sample()
            runs = shelf.store.runs
            found["list 50 runs"] = took(
                lambda runs=runs: runs.page(TENANT, query, limit=50, after=None)
            )
            for verb, seconds in found.items():
                rows.setdefault((verb, name), []).append(seconds * 1000)
    verbs = dict.fromkeys(verb for verb, _ in rows)
    for verb in verbs:
        none, many = (report.add(f"{verb}, past: {name}", "ms") for name in shelves)
        none.samples += rows[verb, "none"]
        many.samples += rows[verb, "many"]
        report.targets.append(
            Target(f"{verb}, of without a past", many.median / none.median, 1.5)
        )


if __name__ == "__main__":
    sys.exit(main())
