"""Control groups: one group per run, on version 2 and on version 1.

A group bounds memory, processes and CPU of a run exactly, counts what it used,
and is what kills it for certain. Version 2 is used where its controllers are to
be had, else version 1, else nothing: then the level is ``namespaces``.
"""

import os
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from crony.worker.sandbox import watchdog
from crony.worker.sandbox.values import Limits

_TRIES = 2000
_PAUSE = 0.001
PERIOD = 100_000  # microseconds, the default of the kernel


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run took, as its group counted it."""

    oom: bool
    cpu: timedelta | None
    memory_peak: int | None


class Group(ABC):
    """The control group of one run."""

    #: The directories that are this run's alone; all its processes are in each.
    paths: tuple[str, ...]

    @property
    def death_paths(self) -> tuple[str, ...]:
        """The directories by which all of it can be killed."""
        return self.paths

    def joined(self) -> AbstractContextManager[None]:
        """Have the calling thread in the group, where the kernel lets one thread in.

        Whatever it starts meanwhile begins in there.
        """
        return nullcontext()

    @abstractmethod
    def bind(self) -> None:
        """Set the limits that ``joined`` would have the calling thread share."""

    def door(self) -> int | None:
        """Open the file into which a process writes ``0`` to join by itself.

        ``None`` where it begins in there.
        """
        return None

    @abstractmethod
    def usage(self) -> Usage:
        """Read what was used so far."""

    @abstractmethod
    def on_shortage(self, call: Callable[[], None]) -> None:
        """Have ``call`` called when a process is killed for lack of memory.

        Never called where the kernel then kills the whole group by itself.
        """

    def kill(self) -> None:
        """Send SIGKILL to every process in the group, until none is left."""
        watchdog.kill_groups(list(self.death_paths))

    def dissolve(self) -> None:
        """Kill what is in the group and remove it."""
        for path in self.paths:
            for _ in range(_TRIES):
                try:
                    os.rmdir(path)
                except FileNotFoundError:
                    break
                except OSError:
                    # A process that was killed leaves its group a moment later.
                    self.kill()
                    time.sleep(_PAUSE)
                else:
                    break


class Hierarchy(ABC):
    """Where a worker's groups are made."""

    version: int

    @abstractmethod
    def make(self, name: str, limits: Limits, *, slot: int) -> Group:
        """Make a run's group; nobody else is in that slot.

        Some of its limits may be set by ``bind`` alone.
        """

    @abstractmethod
    def close(self) -> None:
        """Remove the worker's own directories."""


def read(path: str) -> str:
    """Read one control file."""
    with open(path, encoding="ascii") as file:
        return file.read()


def write(path: str, value: object) -> None:
    """Write one control file: without a buffer, so that a refusal is seen here."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, str(value).encode())
    finally:
        os.close(fd)


def field(text: str, name: str) -> int:
    """Find ``name`` in a file of lines with a name and a number; else 0."""
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def cpu_quota(limits: Limits) -> int:
    """Give the microseconds of CPU in each period."""
    return max(1000, round(limits.cpu * PERIOD))


def mounts(kind: str) -> Iterator[tuple[Path, frozenset[str]]]:
    """Find the mounted hierarchies: where, and with which options."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, what, options, *_ = line.split()
        if what == kind:
            yield Path(where), frozenset(options.split(","))


def own_path(controller: str) -> str:
    """Give the group this process is in; ``""`` names version 2."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path.lstrip("/")
    raise FileNotFoundError(controller)


def hierarchy_name() -> str:
    """Make a name that says whose it is: crony-PIDNAMESPACE-PID-RANDOM."""
    return f"{_prefix()}{os.getpid()}-{secrets.token_hex(4)}"


def _prefix() -> str:
    return f"crony-{os.stat('/proc/self/ns/pid').st_ino}-"


def remove_stale(parent: Path) -> None:
    """Remove the empty groups of workers that are dead; others can't be removed."""
    for path in parent.glob(f"{_prefix()}*"):
        owner = path.name.split("-")[2]
        if not os.path.exists(f"/proc/{owner}"):
            for group in (*path.glob("*/"), path):
                with suppress(OSError):
                    group.rmdir()
