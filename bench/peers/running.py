"""The peers, up and ready: each runs a command so often, at an instant or at once."""

from __future__ import annotations

import os
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from bench.peers import environment
from crony.testing.servers.postgresql import PostgreSQL
from crony.testing.servers.redis import Redis

_HERE = Path(__file__).parent
_WITHIN = 300
#: So long a worker has to say that it is ready.
_READY = 60


class Peer(ABC):
    """One of them, in a folder of its own."""

    title: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.output = folder / "output"

    @abstractmethod
    @contextmanager
    def running(self) -> Iterator[None]:
        """Have it up meanwhile."""
        yield

    @abstractmethod
    def send(self, argv: Sequence[str], count: int, *, instant: float) -> float:
        """Run a command so often; return the seconds until all had ended."""

    def at(self, argv: Sequence[str], count: int, *, instant: datetime) -> list[float]:
        """Run a command at an instant; return the clock that each printed."""
        self.output.unlink(missing_ok=True)
        self.send(argv, count, instant=instant.timestamp())
        said = [float(line) for line in self.output.read_text().split()]
        if len(said) != count:
            raise AssertionError(f"{self.title}: {len(said)} of {count} ran")
        return said

    def _python(self, *words: str, **environ: str) -> str:
        done = subprocess.run(
            [environment.python(), *words],
            cwd=_HERE,
            env=_environ(environ),
            capture_output=True,
            text=True,
            timeout=_WITHIN,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"{self.title}: {done.stderr[-2000:]}")
        return done.stdout

    @contextmanager
    def _worker(self, *words: str, ready: str, **environ: str) -> Iterator[None]:
        log = self.folder / "worker.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [environment.python(), *words],
                cwd=_HERE,
                env=_environ(environ),
                stdout=stream,
                stderr=stream,
            )
        try:
            until = time.monotonic() + _READY
            while ready not in log.read_text():
                if process.poll() is not None or time.monotonic() > until:
                    raise AssertionError(f"{self.title}: {log.read_text()[-2000:]}")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)


class Celery(Peer):
    """Celery with Redis, two processes, results kept."""

    title = "Celery, Redis, 2 processes"

    @contextmanager
    def running(self) -> Iterator[None]:
        with Redis(self.folder / "redis") as server:
            self._url = server.url
            words = ("-m", "celery", "-A", "celery_tasks", "worker", "-c", "2")
            with self._worker(*words, "-l", "info", ready="ready.", BROKER=self._url):
                yield

    def send(self, argv: Sequence[str], count: int, *, instant: float) -> float:
        words = (str(count), str(instant), str(self.output), *argv)
        return float(self._python("celery_client.py", *words, BROKER=self._url))


class APScheduler(Peer):
    """APScheduler 3 with jobs in SQLite; it keeps no record of what ran."""

    title = "APScheduler 3, SQLite"

    @contextmanager
    def running(self) -> Iterator[None]:
        yield

    def send(self, argv: Sequence[str], count: int, *, instant: float) -> float:
        began = time.perf_counter()
        database = self.folder / "jobs.db"
        database.unlink(missing_ok=True)
        words = (str(count), str(instant), str(self.output), str(database), *argv)
        self._python("apscheduler_run.py", *words)
        return time.perf_counter() - began


class Procrastinate(Peer):
    """Procrastinate with PostgreSQL, one process."""

    title = "Procrastinate, PostgreSQL"

    @contextmanager
    def running(self) -> Iterator[None]:
        with PostgreSQL(self.folder / "postgresql") as server:
            self._url = server.url
            script = "procrastinate_app.py"
            self._python(script, "schema", DATABASE=self._url)
            with self._worker(script, "work", ready="", DATABASE=self._url):
                yield

    def send(self, argv: Sequence[str], count: int, *, instant: float) -> float:
        words = ("send", str(count), str(instant), str(self.output), *argv)
        return float(self._python("procrastinate_app.py", *words, DATABASE=self._url))


PEERS: tuple[type[Peer], ...] = (Celery, APScheduler, Procrastinate)


def _environ(more: dict[str, str]) -> dict[str, str]:
    """Return what a peer is told: nothing of ours."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **more}
