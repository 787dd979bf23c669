"""How late do runs start? One schedule that is due each second, sandboxed.

A real service and a real worker on this machine. The task's first instruction is
the read of the host's clock: its difference to the occurrence is the sample. Half a
second later the same command is started bare, by a timer of its own: what of the
lateness is the machine's.

    make bench ROW=punctuality
    python bench/punctuality.py --seconds 60
"""

from __future__ import annotations

import sys
import tempfile
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measuring.report import Report, Target, arguments, percentile
from bench.measuring.spawns import at_instant
from bench.measuring.stage import CLOCK, Stage, soon, stage
from crony import wire
from crony.model.task import Json

_HALF = timedelta(milliseconds=500)


def measure(
    scene: Stage, folder: Path, *, seconds: int, name: str
) -> dict[str, list[float]]:
    """Let a schedule run so long; return how late each of both kinds began."""
    body = {"name": name, "cron": "* * * * * *", "task": {"command": list(CLOCK)}}
    scene.client.create_schedule(body)
    # The first occurrences were not known in advance; they are no samples.
    first = soon(2)
    bare = []
    for number in range(seconds):
        instant = first + timedelta(seconds=number) + _HALF
        (began,) = at_instant(CLOCK, 1, instant=instant, folder=folder, threads=1)
        bare.append(began - instant.timestamp())
    scene.client.pause_schedule(name)
    last = first + timedelta(seconds=seconds)
    runs = [
        run
        for run in scene.client.each_run(name, state="succeeded", limit=1000)
        if first <= wire.parse_instant(str(run["scheduled_for"])) < last
    ]
    return {"late": [lateness(scene, run) for run in runs], "bare": bare}


def lateness(scene: Stage, run: dict[str, Json]) -> float:
    """Return how long after its occurrence a task's first instruction was."""
    began = float(scene.client.get_log(str(run["id"])).split()[0])
    return began - wire.parse_instant(str(run["scheduled_for"])).timestamp()


def main() -> int:
    """Measure, print, and keep the samples."""
    parser, command = arguments(__doc__, repetitions=1)
    parser.add_argument("--seconds", type=int, default=20, help="of each repetition")
    wanted = parser.parse_args()
    report = Report(
        "punctuality",
        "Start lateness of one schedule each second, sandboxed",
        command,
    )
    kinds = {"late": "sandboxed run", "bare": "bare spawn by a timer"}
    shares = {"median": 0.5, "p99": 0.99}
    series = {
        (kind, share): report.add(f"{title}, {share}", "ms")
        for kind, title in kinds.items()
        for share in shares
    }
    with tempfile.TemporaryDirectory() as place, stage(Path(place), slots=4) as scene:
        for number in range(wanted.repetitions):
            name = f"each-{number}"
            found = measure(scene, Path(place), seconds=wanted.seconds, name=name)
            report.raw[f"repetition {number + 1}"] = found
            if len(found["late"]) != wanted.seconds:
                raise AssertionError(f"{len(found['late'])} runs succeeded")
            for (kind, share), each in series.items():
                late = percentile(found[kind], shares[share])
                each.samples.append(late * 1000)
    report.targets += [
        Target("median", series["late", "median"].median, 2, unit="ms"),
        Target("p99", series["late", "p99"].median, 10, unit="ms"),
    ]
    return report.finish(publish=wanted.publish)


if __name__ == "__main__":
    sys.exit(main())
