"""The same work by those that people use today: Celery, APScheduler, Procrastinate.

They are installed into an environment of their own. Many commands are due at one
instant, and a backlog of /bin/true is worked off; Crony does both beside them in the
same run, here without a sandbox, as they do, and each run recorded.

    make bench ROW=beside
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.burst import bare as bare_at_once
from bench.burst import late, ours
from bench.measuring.report import Report, Series, Target, arguments
from bench.measuring.sandboxes import TRUE, bare, rate
from bench.measuring.stage import CLOCK, Stage, soon, stage
from bench.peers import environment
from bench.peers.running import PEERS, Celery
from bench.throughput import through

#: A floor: so many records go to the disk with one commit.
_GROUP = 100
OURS = "Crony, no sandbox"


def grouped_floor(folder: Path, runs: int, *, number: int) -> float:
    """Spawn and record without any scheduler; return how many a second."""
    connection = sqlite3.connect(
        folder / f"floor-{number}.db", isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY, code INTEGER)")

    def start(group: int) -> None:
        for _ in range(_GROUP):
            bare(group)
        connection.execute("BEGIN")
        rows = [(group * _GROUP + place, 0) for place in range(_GROUP)]
        connection.executemany("INSERT INTO runs VALUES (?, ?)", rows)
        connection.execute("COMMIT")

    found = rate(start, runs=-(-runs // _GROUP), threads=1) * _GROUP
    connection.close()
    return found


def measure(report: Report, *, count: int, runs: int, repetitions: int) -> None:
    """Measure all in turns, and judge ours."""
    last: dict[str, Series] = {}
    done: dict[str, Series] = {}
    titles = ["bare spawns", OURS, *(peer.title for peer in PEERS)]
    for title in titles:
        last[title] = report.add(f"last of {count:,} at an instant: {title}", "ms")
    for title in ("grouped floor", OURS, Celery.title):
        done[title] = report.add(f"/bin/true: {title}", "/s")
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        home = Path(place)
        scene = stack.enter_context(
            stage(home / "crony", slots=count, sandbox_level="none")
        )
        _level(scene)
        peers = [made(home / made.__name__.lower()) for made in PEERS]
        for peer in peers:
            stack.enter_context(peer.running())
        for number in range(repetitions):
            bursts = {
                "bare spawns": bare_at_once(home, count),
                OURS: ours(scene, count, batch=f"b{number}", policy=_NONE),
            }
            for peer in peers:
                instant = soon(4 + count / 200)
                bursts[peer.title] = late(
                    peer.at(CLOCK, count, instant=instant), instant
                )
            for title, found in bursts.items():
                last[title].samples.append(max(found) * 1000)
                report.raw[f"burst {number + 1}: {title}"] = found
            floor = grouped_floor(home, runs, number=number)
            done["grouped floor"].samples.append(floor)
            passed = through(scene, runs, batch=f"t{number}", policy=_NONE)
            done[OURS].samples.append(passed)
            took = peers[0].send([TRUE], runs, instant=0)
            done[Celery.title].samples.append(runs / took)
    judge(report, done)


#: A schedule has to ask for the weakest level by name.
_NONE = {"sandbox": {"level": "none"}}


def _level(scene: Stage) -> None:
    (worker,) = scene.client.each_worker()
    if worker["sandbox_level"] != "none":
        raise AssertionError(f"the worker has level {worker['sandbox_level']}")


def judge(report: Report, done: dict[str, Series]) -> None:
    """Compare ours with the best known, and with the floor."""
    report.targets += [
        Target(
            "of Celery with two processes",
            done[OURS].median / done[Celery.title].median,
            1.5,
            at_least=True,
        ),
        Target(
            "of the grouped floor",
            done[OURS].median / done["grouped floor"].median,
            0.5,
            at_least=True,
        ),
    ]


def main() -> int:
    """Measure, print, and keep the samples."""
    parser, command = arguments(__doc__, repetitions=1)
    parser.add_argument("--count", type=int, default=1000, help="at one instant")
    parser.add_argument("--runs", type=int, default=500, help="of the backlog")
    wanted = parser.parse_args()
    report = Report("beside", "The same work beside what people use today", command)
    found = environment.versions()
    said = ", ".join(f"{name} {version}" for name, version in found.items())
    report.notes.append(f"Releases: {said}.")
    measure(
        report,
        count=wanted.count,
        runs=wanted.runs,
        repetitions=wanted.repetitions,
    )
    return report.finish(publish=wanted.publish)


if __name__ == "__main__":
    sys.exit(main())
