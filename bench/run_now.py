"""How long from the request for a run to its task's first instruction, sandboxed?

One after the other, with nothing else to do; the worker waits in its long poll. The
time is that from before the request is sent, on a connection that is open.

    make bench ROW=run_now
    python bench/run_now.py --runs 50
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measuring.report import Report, Target, arguments, percentile
from bench.measuring.stage import CLOCK, Stage, stage

_NAME = "by-hand"
_REST = 0.25


def measure(scene: Stage, *, runs: int) -> list[float]:
    """Ask for runs one by one; return how long each took to begin, in seconds."""
    return [_once(scene) for _ in range(runs)]


def _once(scene: Stage) -> float:
    # Each finds a worker that has come to rest, as one asked for by a person does.
    time.sleep(_REST)
    asked = time.time()
    run = scene.client.run_schedule(_NAME)
    # Whoever follows it at once has the service answer that first.
    time.sleep(_REST)
    # It ends when the run has.
    said = b"".join(scene.client.follow_log(str(run["id"])))
    return float(said) - asked


def main() -> int:
    """Measure, print, and keep the samples."""
    parser, command = arguments(__doc__, repetitions=2)
    parser.add_argument("--runs", type=int, default=30, help="in each repetition")
    wanted = parser.parse_args()
    report = Report("run_now", "From the request to the first instruction", command)
    middle, most = report.add("median", "ms"), report.add("p99", "ms")
    with tempfile.TemporaryDirectory() as place, stage(Path(place), slots=4) as scene:
        body = {
            "name": _NAME,
            "cron": "0 0 29 2 *",
            "task": {"command": list(CLOCK)},
        }
        scene.client.create_schedule(body)
        measure(scene, runs=3)
        for number in range(wanted.repetitions):
            found = measure(scene, runs=wanted.runs)
            report.raw[f"repetition {number + 1}"] = found
            middle.samples.append(percentile(found, 0.5) * 1000)
            most.samples.append(percentile(found, 0.99) * 1000)
    report.targets.append(Target("median", middle.median, 15, unit="ms"))
    return report.finish(publish=wanted.publish)


if __name__ == "__main__":
    sys.exit(main())
