"""How many sandboxes start each second, beside what the machine can start at all.

In turn, so that a busy machine troubles all alike: a bare ``posix_spawn``, a tight
bubblewrap by itself, and ours from the preparation to the last trace removed.
Beside the rate: how long a sandbox that stands at its gate needs from the go byte
to the task's first output, which is all of it that counts as lateness.

    make bench ROW=sandbox_start
    python bench/sandbox_start.py --threads 2
"""

from __future__ import annotations

import select
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measuring.report import Report, arguments
from bench.measuring.sandboxes import WITHIN, bare, ours, rate, tight
from crony import errors
from crony.worker.sandbox import Command, Limits, Operator, Sandbox, open_sandbox
from crony.worker.sandbox.bwrap import find


def from_gate(sandbox: Sandbox, *, runs: int) -> list[float]:
    """Measure the time from the go byte to the first output, in milliseconds."""
    taken: list[float] = []
    command = Command(argv=("/bin/echo", "x"))
    for number in range(runs):
        run = sandbox.prepare(f"gate-{number}", command, Limits(), slot=1)
        run.wait_ready(WITHIN)
        begun = time.perf_counter()
        run.release()
        select.select([run.stdout], [], [])
        taken.append((time.perf_counter() - begun) * 1000)
        run.close()
    return taken


def main() -> int:
    """Measure, print, and keep the samples."""
    parser, command = arguments(__doc__, repetitions=5)
    parser.add_argument("--runs", type=int, default=200, help="starts in each round")
    parser.add_argument("--threads", type=int, default=1, help="starts at a time")
    parser.add_argument("--level", help="a level; default: the best")
    asked = parser.parse_args()
    report = Report("sandbox_start", "Starts of sandboxes", command)
    with tempfile.TemporaryDirectory() as folder:
        try:
            sandbox = open_sandbox(asked.level, Operator(state_dir=Path(folder)))
            starts = {
                "bare posix_spawn": bare,
                "tight bwrap by itself": tight(find().program),
                f"crony, {sandbox.level}": ours(sandbox),
            }
        except errors.MissingSafeguard as exc:
            sys.exit(f"bench: {exc}")
        rates = {name: report.add(name, "a second") for name in starts}
        gate = report.add("from the go byte to the first output, median", "ms")
        for _ in range(asked.repetitions):
            for name, start in starts.items():
                measured = rate(start, runs=asked.runs, threads=asked.threads)
                rates[name].samples.append(measured)
            taken = from_gate(sandbox, runs=asked.runs)
            gate.samples.append(statistics.median(taken))
        sandbox.close()
    return report.finish(publish=asked.publish)


if __name__ == "__main__":
    sys.exit(main())
