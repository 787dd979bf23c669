"""How much of a busy processor the runs of a worker get together.

They are in groups of their own, below one of the worker's; and beside whatever else is
to run, that group counts for one process, however many are in it. On a busy host a
hundred sandboxes were made with what one thread of the worker got. So it weighs as much
as its runs would without it, up to a few for each core: beyond that it would only keep
the worker from its own work.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress

_FOR_EACH_CORE = 4


class Weight:
    """Counts runs; ``write`` is told how many plain processes they are to weigh."""

    def __init__(self, write: Callable[[int], None]) -> None:
        self._write = write
        self._most = _FOR_EACH_CORE * len(os.sched_getaffinity(0))
        self._lock = threading.Lock()
        self._runs = 0

    def add(self) -> None:
        """Count one more."""
        self._change(1)

    def remove(self) -> None:
        """Count one less."""
        self._change(-1)

    def _change(self, by: int) -> None:
        with self._lock:
            before, self._runs = self._runs, self._runs + by
            if self._of(before) != self._of(self._runs):
                with suppress(OSError):  # it has its limits all the same
                    self._write(self._of(self._runs))

    def _of(self, runs: int) -> int:
        return max(1, min(runs, self._most))
