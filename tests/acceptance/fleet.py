"""A service and a worker as real processes, to be killed and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from crony import errors
from crony.client import Client
from crony.testing.service import free_port

BIN = Path(sys.executable).parent


class Fleet:
    """One service and one worker over one home.

    Every process is started in a session of its own, so that a kill reaches just
    what the test names.
    """

    def __init__(self, home: Path, *, lease_ttl: str, rw_path: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._log = home.parent / "fleet.log"
        self._environ = {
            "PATH": f"{BIN}:/usr/bin:/bin",
            "HOME": str(home.parent),
            "CRONY_HOME": str(home),
            "CRONY_API_BIND": self.url.removeprefix("http://"),
            "CRONY_API_LEASE_TTL": lease_ttl,
            "CRONY_API_URL": self.url,
            "CRONY_WORKER_RW_PATHS": str(rw_path),
            "CRONY_WORKER_SLOTS": "4",
            "CRONY_WORKER_NAME": "chaos",
        }
        self._key_file = home / "admin.key"
        self.service: subprocess.Popen[bytes] | None = None
        self.worker: subprocess.Popen[bytes] | None = None

    def _spawn(self, *argv: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [str(BIN / argv[0]), *argv[1:]],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_service(self) -> None:
        self.service = self._spawn("crony-api")

    def start_worker(self) -> None:
        self.worker = self._spawn("crony-worker", "register")

    def kill_service(self) -> None:
        """SIGKILL the service, master and children."""
        assert self.service is not None
        os.killpg(self.service.pid, signal.SIGKILL)
        self.service.wait()

    def kill_worker(self) -> None:
        """SIGKILL the worker's own process, and it alone."""
        assert self.worker is not None
        self.worker.kill()
        self.worker.wait()

    def stop_worker(self) -> None:
        assert self.worker is not None
        self.worker.send_signal(signal.SIGSTOP)

    def continue_worker(self) -> None:
        assert self.worker is not None
        self.worker.send_signal(signal.SIGCONT)

    def client(self) -> Client:
        return Client(self.url, key=self._key_file.read_text().strip())

    def wait_until_ready(self, *, within: float = 30) -> Client:
        """Return a client once the store answers through the service."""
        for _ in patiently(within):
            assert self.service is not None
            assert self.service.poll() is None, self.tail()
            with contextlib.suppress(errors.ClientError, FileNotFoundError):
                client = self.client()
                client.ready()
                return client
        raise AssertionError(f"the service did not get ready: {self.tail()}")

    def tail(self) -> str:
        """Return the end of what the processes logged."""
        return self._log.read_text(errors="replace")[-4000:]

    def close(self) -> None:
        """End what is left, the worker first so that it can report."""
        for process in (self.worker, self.service):
            if process is None or process.poll() is not None:
                continue
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def patiently(seconds: float, *, step: float = 0.05) -> Iterator[None]:
    """Yield again and again until so much time has passed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
        time.sleep(step)
