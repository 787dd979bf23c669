"""A real worker for tests: a process of its own, with a home of its own.

::

    with running_worker(service, tmp_path / "worker", slots="2") as worker:
        ...
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crony.config import ADMIN_KEY
from crony.testing.service import ServiceProcess

#: The program, without an installed script: as ``crony-worker``.
_PROGRAM = (sys.executable, "-m", "crony.cli.worker")


@dataclass(slots=True)
class WorkerProcess:
    """A worker; ``process`` is its one process beside the watchdog."""

    name: str
    home: Path
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self, *, within: float = 30) -> int:
        """End it as a service manager does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=within)

    def kill(self) -> None:
        """Kill it, and nothing else."""
        self.process.kill()
        self.process.wait(timeout=20)

    def said(self) -> str:
        """Return all that it logged."""
        return self.log.read_text("utf-8", "replace")


@contextmanager
def running_worker(
    service: ServiceProcess, home: Path, *, name: str = "host-a", **settings: str
) -> Iterator[WorkerProcess]:
    """Start a worker and wait until it asks for runs; end it with the block.

    ``settings`` are keys of ``[worker]``, as text.
    """
    worker = start_worker(service, home, name=name, **settings)
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            _end(worker)


def _end(worker: WorkerProcess) -> None:
    # One that a test has stopped could not end.
    worker.process.send_signal(signal.SIGCONT)
    for patience in (5, 20):
        worker.process.terminate()
        try:
            worker.process.wait(timeout=patience)
            return
        except subprocess.TimeoutExpired:
            continue  # a task goes on; the second signal ends it too
    worker.kill()
    raise RuntimeError(f"the worker did not end: {worker.said()[-4000:]}")


def start_worker(
    service: ServiceProcess, home: Path, *, name: str = "host-a", **settings: str
) -> WorkerProcess:
    """Register and start a worker that its caller ends."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("CRONY_")}
    environ |= {f"CRONY_WORKER_{key.upper()}": text for key, text in settings.items()}
    environ |= {
        "CRONY_HOME": str(home),
        "CRONY_API_URL": service.url,
        "CRONY_KEY_FILE": str(service.home / ADMIN_KEY),
        "CRONY_WORKER_NAME": name,
        "CRONY_WORKER_LOG_FORMAT": "text",
    }
    log = home / f"{name}.log"
    process = subprocess.Popen(
        [*_PROGRAM, "register"],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    worker = WorkerProcess(name, home, process, log)
    _await_ready(worker)
    return worker


def _await_ready(worker: WorkerProcess) -> None:
    said: queue.SimpleQueue[bool] = queue.SimpleQueue()
    threading.Thread(target=_pump, args=(worker, said), daemon=True).start()
    try:
        ready = said.get(timeout=60)
    except queue.Empty:
        ready = False
    if not ready:
        worker.kill()
        raise RuntimeError(f"the worker does not get ready: {worker.said()[-4000:]}")


def _pump(worker: WorkerProcess, said: queue.SimpleQueue[bool]) -> None:
    """Copy what it logs to the file; tell when it is ready, or has ended before."""
    stream = worker.process.stderr
    assert stream is not None
    with stream, worker.log.open("ab") as log:
        for line in stream:
            log.write(line)
            log.flush()
            if b"worker ready" in line:
                said.put(True)
    said.put(False)
