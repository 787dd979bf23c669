"""What a run executes: a process in a sandbox, or an HTTP request.

Both stand behind a gate until they are let go, can be waited for by a descriptor,
and are stopped in two steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import timedelta

from crony.worker.outcome import Ending
from crony.worker.sandbox import Prepared, Watchdog

_READY_WITHIN = timedelta(seconds=30)


class Work(ABC):
    """One attempt's task, prepared and not yet started."""

    #: Readable once the task has ended.
    ended: int
    #: Stream -> descriptor to read its output from.
    streams: Mapping[str, int]
    #: Where lines of progress come from, if anywhere.
    progress: int | None

    @abstractmethod
    def watch(self, *, kill_at: timedelta) -> None:
        """Wait until it is ready, and have it killed by then."""

    @abstractmethod
    def extend(self, *, kill_at: timedelta) -> None:
        """Move that instant."""

    @abstractmethod
    def release(self) -> None:
        """Let it start now; ``SandboxFailed`` when it is gone."""

    @abstractmethod
    def terminate(self) -> None:
        """Ask it to end."""

    @abstractmethod
    def kill(self) -> None:
        """End it, whatever it does."""

    @abstractmethod
    def wait(self) -> Ending:
        """Wait until all of it has ended; say how."""

    @abstractmethod
    def close(self) -> None:
        """End what is left, started or not, and leave nothing behind."""


class SandboxedWork(Work):
    """A process in a sandbox, under the eyes of the watchdog."""

    def __init__(self, prepared: Prepared, *, key: str, watchdog: Watchdog) -> None:
        self._prepared = prepared
        self._key = key
        self._watchdog = watchdog
        self.ended = prepared.pidfd
        self.streams = {"stdout": prepared.stdout, "stderr": prepared.stderr}
        self.progress = prepared.progress

    def watch(self, *, kill_at: timedelta) -> None:
        # Until it stands at its gate it needs no watching: it starts nothing without
        # this worker, and is found by its mark when that is dead. By now all of its
        # processes are known.
        self._prepared.wait_ready(_READY_WITHIN)
        self._watchdog.watch(self._key, self._prepared, kill_at=kill_at.total_seconds())

    def extend(self, *, kill_at: timedelta) -> None:
        self._watchdog.extend(self._key, kill_at=kill_at.total_seconds())

    def release(self) -> None:
        self._prepared.release()

    def terminate(self) -> None:
        self._prepared.terminate()

    def kill(self) -> None:
        self._prepared.kill()

    def wait(self) -> Ending:
        ended = self._prepared.wait()
        return Ending(
            exit_code=ended.exit_code,
            signal=ended.signal,
            oom=ended.oom,
            cpu=ended.cpu,
            memory_peak=ended.memory_peak,
        )

    def close(self) -> None:
        try:
            self._prepared.close()
        finally:
            self._watchdog.forget(self._key)
