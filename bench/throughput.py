"""How many runs of /bin/true end in a second, each leased, sandboxed and recorded?

Service, store and worker share this machine's cores. A backlog comes due at one
instant; the time is that until the last of it has ended. In turns with it: how fast
the same sandboxes start without any service, and bubblewrap by itself.

    make bench ROW=throughput
    python bench/throughput.py --runs 1000 --level none
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measuring.report import Report, Target, arguments
from bench.measuring.sandboxes import TRUE, bare, ours, rate, tight
from bench.measuring.stage import Stage, soon, stage
from crony import wire
from crony.worker.sandbox import Operator, open_sandbox
from crony.worker.sandbox.bwrap import find

SLOTS = 16


def through(
    scene: Stage,
    runs: int,
    *,
    batch: str,
    policy: Mapping[str, object] | None = None,
) -> float:
    """Have so many come due at once; return how many ended in a second."""
    instant = soon(2 + runs / 1000)
    scene.at(instant, runs, [TRUE], batch=batch, policy=policy)
    ended = scene.ended(runs, batch=batch, after=instant)
    failed = [run for run in ended if run["state"] != "succeeded"]
    if failed or len(ended) != runs:
        raise AssertionError(f"{len(failed)} of {len(ended)} failed: {failed[:1]}")
    last = max(wire.parse_instant(str(run["finished_at"])) for run in ended)
    return runs / (last - instant).total_seconds()


def main() -> int:
    """Measure, print, and keep the samples."""
    parser, command = arguments(__doc__, repetitions=2)
    parser.add_argument("--runs", type=int, default=500, help="in each repetition")
    parser.add_argument("--level", default="auto", help="of the sandbox")
    wanted = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    level = None if wanted.level == "auto" else wanted.level
    report = Report("throughput", "Runs of /bin/true that end in a second", command)
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        (home / "alone").mkdir()
        sandbox = open_sandbox(level, Operator(state_dir=home / "alone"))
        limits = {
            "limit: bare posix_spawn": bare,
            "limit: bubblewrap by itself": tight(find().program),
            f"limit: the same sandbox ({sandbox.level}), no service": ours(sandbox),
        }
        rows = {title: report.add(title, "/s") for title in limits}
        here = report.add("leased, sandboxed and recorded", "/s")
        with stage(home, slots=SLOTS, sandbox_level=wanted.level) as scene:
            through(scene, SLOTS, batch="warm")
            for number in range(wanted.repetitions):
                for title, start in limits.items():
                    found = rate(start, runs=wanted.runs, threads=cores)
                    rows[title].samples.append(found)
                here.samples.append(through(scene, wanted.runs, batch=f"t{number}"))
        sandbox.close()
    _, bubblewrap, same = (series.median for series in rows.values())
    report.targets += [
        Target("of the same sandbox", here.median / same, 0.85, at_least=True),
        Target(
            "the same sandbox, of bubblewrap", same / bubblewrap, 1.4, at_least=True
        ),
    ]
    return report.finish(publish=wanted.publish)


if __name__ == "__main__":
    sys.exit(main())
