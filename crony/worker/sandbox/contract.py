"""What every level of confinement offers to the worker.

Two steps, because fire times are known in advance::

    prepared = sandbox.prepare(key, command, limits, slot=0)   # ahead of time
    prepared.wait_ready(timedelta(seconds=5))                  # stands at its gate
    ...confirm the run with the service...
    prepared.release()                                         # at the instant

A prepared process stands at a gate inside the sandbox. It starts on the go byte
alone: when the worker dies, or throws the run away, end-of-file makes it exit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta

from crony.worker.sandbox.values import Command, Exit, Limits


class Prepared(ABC):
    """One confined process, from behind its gate to its last trace."""

    #: Read ends, non-blocking; closed by ``close``.
    stdout: int
    stderr: int
    progress: int
    #: Readable once the outermost process is gone.
    pidfd: int
    outer_pid: int

    @abstractmethod
    def wait_ready(self, timeout: timedelta) -> None:
        """Wait until the process stands at its gate, else ``SandboxFailed``."""

    @abstractmethod
    def release(self) -> None:
        """Let the task start now; ``SandboxFailed`` when nothing stands there."""

    @abstractmethod
    def terminate(self) -> None:
        """Send SIGTERM to the task's own processes; it has the grace period."""

    @abstractmethod
    def kill(self) -> None:
        """Kill everything of this run at once; nothing of it outlives this."""

    @abstractmethod
    def wait(self) -> Exit:
        """Wait for the end, kill what is left over, and say how it ended."""

    @abstractmethod
    def discard(self) -> None:
        """Give up a run that was never released, and leave nothing behind."""

    @abstractmethod
    def close(self) -> None:
        """Kill what is left, remove the workspace, close every descriptor."""

    @abstractmethod
    def death_fds(self) -> tuple[int, ...]:
        """Give the pidfds whose SIGKILL ends this run, for the watchdog."""

    @abstractmethod
    def death_places(self) -> tuple[str, ...]:
        """Give the groups and the session its processes are in, for the watchdog."""


class Sandbox(ABC):
    """One proven level of confinement, and the slots in which runs go."""

    #: ``full``, ``namespaces``, ``landlock`` or ``none``.
    level: str

    @abstractmethod
    def describe(self) -> str:
        """Say in one line what confines the tasks, for the status and the log."""

    @abstractmethod
    def keep_ready(self, count: int) -> None:
        """Have sandboxes stand in reserve for the first ``count`` slots; 0 ends it."""

    @abstractmethod
    def prepare(
        self, run_key: str, command: Command, limits: Limits, *, slot: int
    ) -> Prepared:
        """Start the confined process behind its gate; safe from any thread.

        ``run_key`` names this attempt: no other live one has it, and it can be the
        name of a file. ``slot`` is a small number that no other live run has: a
        worker that is root takes the task's uid from it. Raises ``SandboxFailed``.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of what the sandbox holds; its runs must have been closed."""
