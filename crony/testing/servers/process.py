"""A server's process: started, killed, frozen and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from crony.testing.service import free_port

#: So long may a server take until it answers.
_READY_WITHIN = 60.0


class Server(ABC):
    """One server; its port and its data stay when it is started again.

    ::

        with Redis(tmp_path / "redis") as server:
            open_store(server.url)
    """

    #: What it is called in messages.
    name: str

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """What a store on it is opened with."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Return the program and its arguments, for the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Return whether it takes requests by now."""

    def prepare(self) -> None:
        """Make what it needs before its first start."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def log(self) -> Path:
        """Where what it says goes."""
        return self.directory / "log"

    def start(self) -> Self:
        """Start it, for the first time or again; return when it answers."""
        self.launch()
        self.wait()
        return self

    def launch(self) -> None:
        """Start it, and do not wait until it answers."""
        if not self.directory.exists():
            self.prepare()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*_ends_with_its_parent(), *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait(self) -> None:
        """Return when it answers, once it was started."""
        assert self.process is not None
        deadline = time.monotonic() + _READY_WITHIN
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = self.log.read_text(errors="replace")[-4000:]
                self.kill()
                raise RuntimeError(f"{self.name} does not answer: {said}")
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        """Send its process a signal."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, number)

    def freeze(self) -> None:
        """Stop it in its tracks: connections stay, and nothing answers."""
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.send(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def end(self) -> None:
        """End it for good and at once, whatever becomes of its data."""
        self.kill()

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        self.send(number)
        self.thaw()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.end()


def _ends_with_its_parent() -> Sequence[str]:
    """Return what lets the kernel kill a server whose starter was killed."""
    setpriv = shutil.which("setpriv")
    return () if setpriv is None else (setpriv, "--pdeathsig", "KILL", "--")


def program(name: str, *, beside: Sequence[Path] = (), package: str) -> str:
    """Return the path of a server's program.

    Raises ``FileNotFoundError`` that names the package to install.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, beside)])
    found = shutil.which(name, path=path + os.pathsep + "/usr/sbin")
    if found is None:
        raise FileNotFoundError(
            f"{name} is not installed; apt-get install {package}, or make test as root"
        )
    return found
