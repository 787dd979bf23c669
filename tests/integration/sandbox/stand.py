"""The tests' side of a driver: one level, run by one kind of user."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

PLAIN_UID = 54_321
#: In every driver's environment; no task may ever see it.
SECRET = "hunter2-of-the-worker"

_ROOT = Path(__file__).parents[3]
_DRIVER = "tests.integration.sandbox.driver"


class Refused(Exception):
    """The driver answered with one of Crony's errors."""


@dataclass(frozen=True)
class Result:
    """How a run ended, and what it said."""

    exit_code: int | None
    signal: str | None
    oom: bool
    cpu: float | None
    memory_peak: int | None
    out: str
    err: str
    progress: str


class Stand:
    """A driver process, and how to talk to it."""

    def __init__(
        self, level: str | None, state_dir: Path, *, plain: bool, **asked: object
    ) -> None:
        self.plain = plain
        self.state_dir = state_dir
        state_dir.mkdir(mode=0o700)
        request: dict[str, object] = {
            "level": level,
            "state_dir": str(state_dir),
            **asked,
        }
        if plain and os.geteuid() == 0:
            os.chown(state_dir, PLAIN_UID, PLAIN_UID)
            request["become"] = PLAIN_UID
        self.process = subprocess.Popen(
            [sys.executable, "-m", _DRIVER, json.dumps(request)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            env={"PATH": "/usr/bin:/bin", "WORKER_SECRET": SECRET},
            start_new_session=True,
        )
        self._keys = count()
        hello = self._answer()
        self.missing: str | None = hello.get("missing")
        self.level: str = hello.get("level", "")
        self.about: str = hello.get("about", "")

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise EOFError("the driver is gone")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def tell(self, do: str, **request: object) -> dict[str, Any]:
        """Ask the driver for something, and wait for its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **request}) + "\n")
        self.process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise Refused(f"{answer['error']}: {answer['detail']}")
        return answer

    def prepare(self, *argv: str, **command: object) -> str:
        """Prepare a run; gives its key."""
        key = f"run-{next(self._keys)}"
        self.tell("prepare", key=key, argv=argv, **command)
        return key

    def run(self, *argv: str, **command: object) -> Result:
        """Prepare, release and wait."""
        key = self.prepare(*argv, **command)
        self.tell("release", key=key)
        return self.wait(key)

    def wait(self, key: str) -> Result:
        """Wait for a run's end, and close it."""
        return Result(**self.tell("wait", key=key))

    def python(self, code: str, *arguments: str, **command: object) -> Result:
        """Run a program in the operator's interpreter."""
        return self.run(sys.executable, "-c", code, *arguments, **command)

    def kill(self) -> None:
        """End the driver as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """End the driver."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(timeout=30)
        else:
            self.process.stdin.close()
        self.process.stdout.close()
