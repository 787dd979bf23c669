"""Processes that a test starts, and those that they start in turn.

A signal goes only to what descends from a process that the test started itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

#: What there is to catch when a process is gone in the middle of a look at it.
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


class Program:
    """A program that can be started again and again; in a session of its own."""

    def __init__(
        self, name: str, argv: list[str], *, environ: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self._argv = argv
        self._environ = dict(environ)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert not self.alive, f"{self.name} is started twice"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL its own process, and it alone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def kill_all(self) -> None:
        """SIGKILL it with all of its session."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def stop_all(self) -> None:
        """SIGSTOP it with all of its session."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGSTOP)

    def go_on_all(self) -> None:
        """SIGCONT it with all of its session."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its own process, and it alone."""
        assert self._process is not None
        self._process.send_signal(number)

    def end(self, *, within: float) -> None:
        """Tell it to end, and make sure that it does."""
        if self._process is None or not self.alive:
            return
        self.go_on_all()
        self._process.terminate()
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill_all()


@dataclass(frozen=True)
class Task:
    """The process that a sandbox was made for, of one attempt of a run."""

    pid: int
    run: str
    attempt: int


def children(pid: int) -> list[int]:
    """Return the processes that one has started, by whichever of its threads."""
    found = []
    with suppress(*_GONE):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(*_GONE):
                found += [
                    int(word) for word in (thread / "children").read_text().split()
                ]
    return found


def descendants(pid: int) -> list[int]:
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def tasks_below(pid: int) -> list[Task]:
    """Return the tasks that a worker has in its sandboxes, started or prepared."""
    found = []
    for candidate in descendants(pid):
        task = task_of(candidate)
        if task is not None:
            found.append(task)
    return found


def task_of(pid: int) -> Task | None:
    """Return what this process is, if it is the first child of a sandbox's pid 1."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        environ = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
        fields = dict(line.split(":", 1) for line in status.splitlines())
        parent = Path(f"/proc/{int(fields['PPid'])}/status").read_text()
    except _GONE:
        return None
    known = dict(pair.split("=", 1) for pair in environ.split("\0") if "=" in pair)
    if "CRONY_RUN_ID" not in known or not _is_first(parent) or _is_first(status):
        return None
    return Task(pid, known["CRONY_RUN_ID"], int(known["CRONY_ATTEMPT"]))


def _is_first(status: str) -> bool:
    """Whether a process is pid 1 of a namespace of its own."""
    numbers = next(line for line in status.splitlines() if line.startswith("NSpid:"))
    return numbers.split()[2:][-1:] == ["1"]


@contextmanager
def opened(pid: int, *, below: int) -> Iterator[int | None]:
    """Give a descriptor of a process, ``None`` if it is not below that other."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield fd if pid in descendants(below) else None
    finally:
        os.close(fd)


def send(fd: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(fd, number)
