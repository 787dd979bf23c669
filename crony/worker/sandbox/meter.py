"""The watch over memory and disk where no control group counts them."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from crony.worker.sandbox import processes

if TYPE_CHECKING:
    from crony.worker.sandbox.confined import Confined

_EVERY = timedelta(milliseconds=100)
_PAGE = os.sysconf("SC_PAGE_SIZE")
#: A file without content takes about this much of the kernel's memory.
_INODE = 1024
_TMPFS = ("workspace", "tmp", "dev/shm")


class Meter:
    """One thread that looks at all runs every 100 ms, while there are any."""

    def __init__(self) -> None:
        self._runs: dict[int, Confined] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    def watch(self, run: Confined) -> None:
        """Look at a run from now on, until it is gone."""
        with self._changed:
            self._runs[id(run)] = run
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._loop, name="crony-meter", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def tick(self) -> int:
        """Look at every run once; give how many are left."""
        with self._changed:
            runs = list(self._runs.items())
        for key, run in runs:
            if run.over:
                with self._changed:
                    self._runs.pop(key, None)
            elif run.inner_pid:
                run.saw_memory(_used(run.inner_pid))
        with self._changed:
            return len(self._runs)

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._runs) or self._closing)
                if self._closing:
                    return
                self._changed.wait(_EVERY / timedelta(seconds=1))
            self.tick()


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0  # it has just ended


def _used(first: int) -> int:
    """Sum what a sandbox holds: resident memory, and files that are memory."""
    total = 0
    for pid in (first, *processes.descendants(first)):
        total += _resident(pid)
    for place in _TMPFS:
        with suppress(OSError):
            state = os.statvfs(f"/proc/{first}/root/{place}")
            total += (state.f_files - state.f_ffree) * _INODE
    return total
