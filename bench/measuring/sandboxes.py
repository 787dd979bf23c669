"""How fast sandboxes start on this machine without a service: one of the limits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from crony.worker.sandbox import Command, Limits, Sandbox

TRUE = "/bin/true"
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
