"""The descriptors between the worker and one sandbox."""

import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from crony.worker.sandbox import gate
from crony.worker.sandbox.order import ORDER
from crony.worker.sandbox.spawner import lifted

#: Whoever opens a file in memory anew, by its descriptor's path, can't change it.
_SEALED = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK


def memory_file(content: bytes) -> int:
    """Make a file in memory, and give a descriptor that reads it from the start."""
    fd = _open_memory_file()
    _fill(fd, content)
    return fd


def _open_memory_file() -> int:
    return lifted(os.memfd_create("crony", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))


def _fill(fd: int, content: bytes) -> None:
    _write(fd, content)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALED | fcntl.F_SEAL_SEAL)


def _write(fd: int, content: bytes) -> None:
    """Write from the start of a file, and leave its position there."""
    written = 0
    while written < len(content):
        written += os.pwrite(fd, content[written:], written)


def reopened(fd: int) -> int:
    """Open a file in memory anew: a position of its own, and read-only."""
    return lifted(os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC))


def _read_only(fd: int) -> int:
    """Exchange a descriptor for one that can't be written."""
    try:
        return reopened(fd)
    finally:
        os.close(fd)


@dataclass(slots=True)
class Pipes:
    """Our ends, and those that are the child's until it is started."""

    stdout: int = -1
    stderr: int = -1
    progress: int = -1
    status: int = -1
    gate: int = -1
    order: int = -1
    #: Number in the child -> our descriptor.
    theirs: dict[int, int] = field(default_factory=dict)

    @classmethod
    def make(cls, stdin: bytes) -> "Pipes":
        """Make all of them; the read ends never block."""
        pipes = cls()
        try:
            pipes.theirs[0] = (
                _read_only(memory_file(stdin))
                if stdin
                else lifted(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
            )
            pipes.stdout = pipes.from_child(1)
            pipes.stderr = pipes.from_child(2)
            pipes.status = pipes.from_child(gate.STATUS)
            pipes.progress = pipes.from_child(gate.PROGRESS)
            theirs, pipes.gate = os.pipe2(os.O_CLOEXEC)
            pipes.theirs[gate.GATE] = lifted(theirs)
            pipes.order = _open_memory_file()
            pipes.theirs[ORDER] = reopened(pipes.order)
        except OSError:
            pipes.close_theirs()
            pipes.close()
            raise
        return pipes

    def from_child(self, number: int) -> int:
        """Make a pipe that the child writes under ``number``; give our end."""
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        self.theirs[number] = lifted(theirs)
        os.set_blocking(ours, False)
        return ours

    def pass_on(self, fds: Mapping[int, int]) -> None:
        """Give the child more descriptors; they are closed with its others."""
        self.theirs.update(fds)

    def close_theirs(self) -> None:
        """Close what only the child needs."""
        for fd in self.theirs.values():
            os.close(fd)
        self.theirs.clear()

    def give_order(self, text: bytes) -> None:
        """Write what the gate will read; it can't be changed after that."""
        _fill(self.order, text)
        self._close("order")

    def close_gate(self) -> None:
        """Close our end of the gate: end-of-file for who stands there."""
        self._close("gate")

    def close(self) -> None:
        """Close all our ends."""
        for name in ("gate", "order", "stdout", "stderr", "progress", "status"):
            self._close(name)

    def _close(self, name: str) -> None:
        fd: int = getattr(self, name)
        if fd >= 0:
            os.close(fd)
            setattr(self, name, -1)
