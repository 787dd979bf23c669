"""Bare processes: what a machine needs to start the same commands without Crony."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

#: Waits end late by up to this; the last stretch is slept by itself.
_FINE = 0.002


def wait_until(instant: float) -> None:
    """Sleep until an instant of the host's clock, in seconds since 1970."""
    while (left := instant - time.time()) > 0:
        time.sleep(left - _FINE if left > _FINE else left)


def spawn(argv: Sequence[str], output: int) -> None:
    """Run a command to its end, with its output where it is to go."""
    into = [(os.POSIX_SPAWN_DUP2, output, 1)]
    os.waitpid(os.posix_spawn(argv[0], argv, {}, file_actions=into), 0)


def at_instant(
    argv: Sequence[str], count: int, *, instant: datetime, folder: Path, threads: int
) -> list[float]:
    """Start a command so often at one instant; return what the commands printed.

    ``argv`` prints the host's clock, as seconds since 1970.
    """
    path = folder / "bare"
    output = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    try:
        with ThreadPoolExecutor(threads) as pool:
            wait_until(instant.timestamp())
            for _ in pool.map(lambda _: spawn(argv, output), range(count)):
                pass
    finally:
        os.close(output)
    said = [float(line) for line in path.read_text().split()]
    if len(said) != count:
        raise AssertionError(f"{len(said)} of {count} commands said something")
    return said
