"""The two processes of `crony up`: started, watched and ended together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

#: What ends `crony up`; blocked, and waited for.
ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
WAITED = ENDING | {signal.SIGCHLD}

#: How long a child may take to end, before the next and harder signal.
_DRAIN, _STOP = 5.0, 10.0


class Child:
    """One program in a process group of its own, which a Ctrl-C does not reach."""

    def __init__(
        self, program: str, argv: Sequence[str], *, environ: Mapping[str, str]
    ) -> None:
        self.program = program
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "crony.cli.tied",
                str(os.getpid()),
                program,
                *argv,
            ],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            process_group=0,
        )

    def ended(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._process.poll()

    def end(self, *, signals: Sequence[tuple[int, float]]) -> None:
        """Send one signal after the other until it has ended."""
        for number, patience in signals:
            if self.ended() is not None:
                return
            self._process.send_signal(number)
            self._wait(patience)
        # NOTE: its tasks are not in its group; the worker's watchdog ends them.
        if self.ended() is None:
            self._process.kill()
            self._process.wait()

    def _wait(self, patience: float) -> None:
        """Wait for its end; a further Ctrl-C makes the wait end early."""
        until = time.monotonic() + patience
        while self.ended() is None:
            left = until - time.monotonic()
            if left <= 0:
                return
            came = signal.sigtimedwait(WAITED, left)
            if came is not None and came.si_signo in ENDING:
                return


class Pair:
    """The service and the worker, in the order in which they start."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._children: list[Child] = []

    def start(self, program: str, *argv: str) -> None:
        """Start one more."""
        self._children.append(Child(program, argv, environ=self._environ))

    def ended(self) -> tuple[str, int] | None:
        """Return the program that ended by itself, and its exit code."""
        for child in self._children:
            code = child.ended()
            if code is not None:
                return child.program, code
        return None

    def end(self) -> None:
        """End the worker first, so that it can report; then the service."""
        for child in reversed(self._children):
            if child.program == "worker":
                # The second SIGTERM stops what still runs.
                steps = [(signal.SIGTERM, _DRAIN), (signal.SIGTERM, _STOP)]
            else:
                steps = [(signal.SIGTERM, _STOP)]
            child.end(signals=steps)
