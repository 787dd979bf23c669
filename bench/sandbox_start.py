"""How many sandboxes start each second, beside what the machine can start at all.

In turn, so that a busy machine troubles all alike: a bare ``posix_spawn``, a tight
bubblewrap by itself, and ours from the preparation to the last trace removed.
Beside the rate: how long a sandbox that stands at its gate needs from the go byte
to the task's first output, which is all of it that counts as lateness.

    python bench/sandbox_start.py --runs 200
    python bench/sandbox_start.py --threads 2
"""

from __future__ import annotations

import argparse
import os
import select
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from crony import errors
from crony.worker.sandbox import Command, Limits, Operator, Sandbox, open_sandbox
from crony.worker.sandbox.bwrap import find

TRUE = "/bin/true"
ROUNDS = 5
WITHIN = timedelta(seconds=10)

#: Namespaces and a root of its own, and nothing else: no filter, limits or uid.
TIGHT = [
    *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc"),
    *("--unshare-uts", "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
    *("--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin"),
    *("--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"),
    *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),
]


def bare(_: int) -> None:
    """Start and reap one process."""
    os.waitpid(os.posix_spawn(TRUE, [TRUE], {}), 0)


def tight(program: str) -> Callable[[int], None]:
    """Give what starts bubblewrap by itself."""
    argv = [program, *TIGHT, TRUE]

    def start(_: int) -> None:
        os.waitpid(os.posix_spawn(program, argv, {}), 0)

    return start


def ours(sandbox: Sandbox) -> Callable[[int], None]:
    """Give what runs one task from its preparation to its removal."""

    def start(number: int) -> None:
        run = sandbox.prepare(
            f"bench-{number}", Command(argv=(TRUE,)), Limits(), slot=number % 100
        )
        run.wait_ready(WITHIN)
        run.release()
        run.wait()
        run.close()

    return start


def rate(start: Callable[[int], None], *, runs: int, threads: int) -> float:
    """Start many; give how many a second."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(start, range(runs)))
    return runs / (time.perf_counter() - begun)


def from_gate(sandbox: Sandbox, *, runs: int) -> list[float]:
    """Measure the time from the go byte to the first output, in milliseconds."""
    taken = []
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


def show(name: str, values: list[float], unit: str) -> None:
    """Print one row."""
    low, middle, high = min(values), statistics.median(values), max(values)
    print(f"{name:36} {low:9.2f} {middle:9.2f} {high:9.2f}  {unit}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200, help="starts in each round")
    parser.add_argument("--threads", type=int, default=1, help="starts at a time")
    parser.add_argument("--level", help="a level; default: the best")
    asked = parser.parse_args()
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
        print(sandbox.describe())
        rates: dict[str, list[float]] = {name: [] for name in starts}
        for _ in range(ROUNDS):
            for name, start in starts.items():
                rates[name].append(rate(start, runs=asked.runs, threads=asked.threads))
        print(f"{'':36} {'min':>9} {'median':>9} {'max':>9}")
        for name, values in rates.items():
            show(name, values, "a second")
        gate = from_gate(sandbox, runs=asked.runs)
        show("from the go byte to the first output", gate, "ms")
        sandbox.close()


if __name__ == "__main__":
    main()
