"""Look at the memory of processes all the time that something is measured."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from bench.measuring.processes import memory
from bench.measuring.report import Course

_EVERY = 0.5


class MemoryWatch:
    """A block during which the memory of some processes is looked at twice a second.

    ``pids``: a name for people -> the process, which counts with its children.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._found: dict[str, list[float]] = {name: [] for name in pids}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._seconds = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._over.wait(_EVERY):
            for name, pid in self._pids.items():
                try:
                    self._found[name].append(memory(pid) / 1e6)
                except OSError:  # a child that has just ended
                    continue
        self._seconds = time.monotonic() - began

    def growth(self, name: str) -> float:
        """Return the last third's mean as a multiple of the first third's."""
        values = self._found[name]
        third = max(1, len(values) // 3)
        first, last = values[:third], values[-third:]
        return (sum(last) / len(last)) / (sum(first) / len(first))

    def course(self, title: str) -> Course:
        """Return all of it, in megabytes."""
        return Course(title, "MB", self._seconds, dict(self._found))
