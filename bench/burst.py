"""How late is the last of many that are due at one instant, sandboxed?

Beside it, in turns: the same command lines started bare at an instant, as fast as the
machine can. What people use today does the same in bench/beside.py.

    make bench ROW=burst
    python bench/burst.py --count 100 --repetitions 5
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measuring.report import Report, Series, Target, arguments
from bench.measuring.spawns import at_instant
from bench.measuring.stage import CLOCK, Stage, soon, stage

#: How many are due at once, and how many times the last bare one's lateness is wanted.
WANTED = {100: 1.25, 1000: 1.5}
#: A thousand sandboxes take two cores ten seconds; so long ahead they must be known.
AHEAD = 20


def ours(
    scene: Stage,
    count: int,
    *,
    batch: str,
    policy: Mapping[str, object] | None = None,
) -> list[float]:
    """Have so many start at one instant; return how late each began, in seconds."""
    instant = soon(4 + min(count / 50, AHEAD))
    scene.at(instant, count, CLOCK, batch=batch, policy=policy)
    runs = scene.ended(count, batch=batch, after=instant)
    failed = [run for run in runs if run["state"] != "succeeded"]
    if failed or len(runs) != count:
        raise AssertionError(f"{len(failed)} of {len(runs)} failed: {failed[:1]}")
    began = [float(scene.client.get_log(str(run["id"])).split()[0]) for run in runs]
    return late(began, instant)


def bare(folder: Path, count: int) -> list[float]:
    """Start as many at one instant without anything of ours."""
    instant = soon(1)
    threads = len(os.sched_getaffinity(0))
    return late(
        at_instant(CLOCK, count, instant=instant, folder=folder, threads=threads),
        instant,
    )


def late(began: list[float], instant: datetime) -> list[float]:
    """Return how long after the instant each was."""
    return [each - instant.timestamp() for each in began]


def measure(report: Report, *, counts: list[int], repetitions: int) -> None:
    """Measure each count in turns, and judge it."""
    last: dict[tuple[int, str], Series] = {
        (count, kind): report.add(f"last of {count:,}, {kind}", "ms")
        for count in counts
        for kind in ("bare", "sandboxed")
    }
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        ahead = f"{AHEAD}s"
        with stage(home, slots=max(counts), lease_ahead=ahead) as scene:
            for number in range(repetitions):
                for count in counts:
                    samples = {
                        "bare": bare(home, count),
                        "sandboxed": ours(scene, count, batch=f"b{number}-{count}"),
                    }
                    for kind, found in samples.items():
                        last[count, kind].samples.append(max(found) * 1000)
                        report.raw[f"{count} {kind} {number + 1}"] = found
    for count in counts:
        times = last[count, "sandboxed"].median / last[count, "bare"].median
        if count in WANTED:
            title = f"{count:,} sandboxed, of bare spawns"
            report.targets.append(Target(title, times, WANTED[count], unit="×"))


def main() -> int:
    """Measure, print, and keep the samples."""
    parser, command = arguments(__doc__, repetitions=1)
    parser.add_argument(
        "--count",
        type=int,
        action="append",
        help="how many are due at once; may be repeated; default: 100 and 1,000",
    )
    wanted = parser.parse_args()
    report = Report("burst", "The last start of many that are due at once", command)
    counts = wanted.count or list(WANTED)
    measure(report, counts=counts, repetitions=wanted.repetitions)
    return report.finish(publish=wanted.publish)


if __name__ == "__main__":
    sys.exit(main())
