"""What happens at three times what a worker can do, for a while?

Runs of high and of low priority come due each second, three times as many as the
worker's slots can take; when that is over, all is worked off. Every run must be
accounted for, no lease may expire, and those of high priority start on time.

    make bench ROW=overload
    python bench/overload.py --seconds 60
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measuring.report import Report, Target, arguments, percentile
from bench.measuring.stage import Stage, soon, stage
from bench.measuring.watch import MemoryWatch
from crony import wire
from crony.model.task import Json

#: Each run takes a slot for this long.
_TAKES = 0.5
_SLOTS = 4
#: Times what the slots can take.
_TIMES = 3


def drive(scene: Stage, *, seconds: int) -> list[dict[str, Json]]:
    """Let runs come due; return all of them, once they have ended."""
    each = int(_SLOTS / _TAKES * _TIMES)
    urgent = max(1, each // 6)
    first = soon(3)
    # Nothing is due at it any more.
    end = first + timedelta(seconds=seconds)
    for number in range(each):
        body = {
            "name": f"load-{number}",
            "cron": "* * * * * *",
            "start_at": wire.format_instant(first),
            "end_at": wire.format_instant(end),
            "priority": 9 if number < urgent else 0,
            "on_overlap": "queue",
            "max_concurrent": 1000,
            "task": {"command": ["/bin/sleep", str(_TAKES)]},
        }
        scene.client.create_schedule(body)
    count = each * seconds
    return scene.ended(count, batch="load", after=first)


def judge(report: Report, runs: list[dict[str, Json]], *, seconds: int) -> None:
    """Account for every run, and see how late those of each priority were."""
    each = int(_SLOTS / _TAKES * _TIMES)
    states = Counter(str(run["state"]) for run in runs)
    missing = each * seconds - len(runs)
    lost = sum(int(str(run["attempt"])) > 1 for run in runs)
    late: dict[str, list[float]] = {"high": [], "low": []}
    for run in runs:
        if run["started_at"] is None:
            continue
        wait = wire.parse_instant(str(run["started_at"])) - wire.parse_instant(
            str(run["scheduled_for"])
        )
        kind = "high" if int(str(run["priority"])) else "low"
        late[kind].append(wait.total_seconds())
    for kind, waits in late.items():
        middle = report.add(f"priority {kind}: wait, median", "s")
        middle.samples.append(percentile(waits, 0.5))
        most = report.add(f"priority {kind}: wait, longest", "s")
        most.samples.append(max(waits))
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    report.notes.append(f"{each * seconds} occurrences: {told}.")
    report.targets += [
        Target("occurrences without a record", missing, 0),
        Target("attempts that were lost", lost, 0),
        Target("longest wait at high priority", max(late["high"]), 5, unit="s"),
    ]


def main() -> int:
    """Measure, print, and keep the samples."""
    parser, command = arguments(__doc__, repetitions=1)
    parser.add_argument("--seconds", type=int, default=20, help="of the load")
    wanted = parser.parse_args()
    report = Report("overload", f"{_TIMES} times what the slots can take", command)
    with (
        tempfile.TemporaryDirectory() as place,
        stage(Path(place), slots=_SLOTS) as scene,
    ):
        pids = {"service": scene.service.process.pid}
        with MemoryWatch(pids) as watch:
            runs = drive(scene, seconds=wanted.seconds)
        judge(report, runs, seconds=wanted.seconds)
        report.course = watch.course("Memory under overload")
        grown = watch.growth("service")
        report.targets.append(
            Target("service's memory at the end, of the beginning", grown, 1.25)
        )
    return report.finish(publish=wanted.publish)


if __name__ == "__main__":
    sys.exit(main())
