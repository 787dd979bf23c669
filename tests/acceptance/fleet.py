"""Service nodes over one store and some workers, as real processes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from crony import errors
from crony.client import Client
from crony.testing.service import free_port
from crony.worker import places
from tests.acceptance.processes import Program

_BIN = Path(sys.executable).parent
_SHIFTED = Path(__file__).with_name("shifted.py")

#: Answers that pass by themselves.
_PASSING = (429, 502, 503, 504)

_T = TypeVar("_T")


class Node(Program):
    """A service with an address of its own; ``shift`` is of its host's wall clock."""

    def __init__(
        self,
        number: int,
        *,
        home: Path,
        environ: dict[str, str],
        log: Path,
        processes: int,
        shift: timedelta,
    ) -> None:
        bind = f"127.0.0.1:{free_port()}"
        self.url = f"http://{bind}"
        self.home = home
        own = {
            "CRONY_HOME": str(home),
            "CRONY_API_BIND": bind,
            "CRONY_API_PROCESSES": str(processes),
        }
        argv = [str(_BIN / "crony-api")]
        if shift:
            argv = [sys.executable, str(_SHIFTED), str(shift.total_seconds())]
        super().__init__(f"node-{number}", argv, environ=environ | own, log=log)


class Worker(Program):
    """A worker with a home of its own; registered once, then only run."""

    def __init__(
        self, name: str, *, environ: dict[str, str], log: Path, home: Path
    ) -> None:
        own = {"CRONY_HOME": str(home), "CRONY_WORKER_NAME": name}
        program = str(_BIN / "crony-worker")
        super().__init__(name, [program, "register"], environ=environ | own, log=log)
        self._run = [program, "run"]
        self._credentials = places.credentials(home, name)

    @property
    def is_registered(self) -> bool:
        return self._credentials.exists()

    def start(self) -> None:
        if self.is_registered:
            # It has its credentials, and needs no service to begin with.
            self._argv = self._run
        super().start()


class Fleet:
    """All of it: one node for each number of ``processes``.

    The nodes share a home, and each worker asks one node. With ``apart`` each node is
    as if on a host of its own, whose wall clock differs by its one of ``shifts``, and
    the workers know all of them.
    """

    def __init__(
        self,
        place: Path,
        *,
        lease_ttl: float,
        rw_path: Path,
        workers: int,
        processes: Sequence[int] = (2, 1),
        storage: str | None = None,
        apart: bool = False,
        shifts: Sequence[timedelta] = (),
    ) -> None:
        self._log = place / "fleet.log"
        self._key_file = place / "admin.key"
        path = os.environ.get("PATH", "/usr/bin:/bin")
        environ = {"PATH": f"{_BIN}:{path}", "HOME": str(place)}
        service = environ | {
            "CRONY_API_LEASE_TTL": f"{lease_ttl:g}s",
            # Not a line for each request.
            "CRONY_API_LOG_LEVEL": "warning",
        }
        if storage is not None:
            service["CRONY_STORAGE"] = storage
        self.nodes = [
            Node(
                number,
                home=place / (f"home-{number}" if apart else "home"),
                environ=service,
                log=self._log,
                processes=count,
                shift=shifts[number - 1] if shifts else timedelta(0),
            )
            for number, count in enumerate(processes, start=1)
        ]
        urls = [node.url for node in self.nodes]
        self.workers = [
            self._worker(
                number,
                place=place,
                environ=environ,
                rw_path=rw_path,
                urls=_turned(urls, number) if apart else [urls[number % len(urls)]],
            )
            for number in range(1, workers + 1)
        ]

    def _worker(
        self,
        number: int,
        *,
        place: Path,
        environ: dict[str, str],
        rw_path: Path,
        urls: Sequence[str],
    ) -> Worker:
        own = {
            "CRONY_API_URL": ",".join(urls),
            "CRONY_KEY_FILE": str(self._key_file),
            "CRONY_WORKER_RW_PATHS": str(rw_path),
            "CRONY_WORKER_SLOTS": "4",
        }
        return Worker(
            f"worker-{number}",
            environ=environ | own,
            log=self._log,
            home=place / f"worker-{number}",
        )

    def start(self) -> None:
        """Start all of it, the nodes at the same time over a store still to be made."""
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            self.wait_until_ready(node)
        self._key_file.touch(0o600)
        self._key_file.write_text(self.key())
        for worker in self.workers:
            worker.start()
        for worker in self.workers:
            self._wait_until_registered(worker)

    def _wait_until_registered(self, worker: Worker, *, within: float = 60) -> None:
        for _ in patiently(within):
            assert worker.alive, f"{worker.name} ended by itself\n{self.tail()}"
            if worker.is_registered:
                return
        raise AssertionError(f"{worker.name} did not register\n{self.tail()}")

    def key(self) -> str:
        """Return the admin key, which is in the home of whichever node was first."""
        files = {node.home / "admin.key" for node in self.nodes}
        (only,) = [file for file in files if file.exists()] or [self._key_file]
        return only.read_text().strip()

    def client(self, node: Node) -> Client:
        return Client(node.url, key=self.key(), timeout=timedelta(seconds=5))

    def ask(
        self, question: Callable[[Client], _T], *, within: float = 60, first: int = 0
    ) -> _T:
        """Ask one node after the other, until one answers; it must be repeatable."""
        last: Exception | None = None
        for turn, _ in enumerate(patiently(within, step=0.2), start=first):
            node = self.nodes[turn % len(self.nodes)]
            try:
                return question(self.client(node))
            except (errors.ServiceUnreachable, FileNotFoundError) as exc:
                last = exc
            except errors.Refused as exc:
                if exc.status not in _PASSING and exc.kind != "key-in-progress":
                    raise
                last = exc
        raise AssertionError(f"no node answered: {last}\n{self.tail()}")

    def wait_until_ready(self, node: Node, *, within: float = 60) -> Client:
        """Return a client once the store answers through a node."""
        for _ in patiently(within):
            assert node.alive, f"{node.name} ended by itself\n{self.tail()}"
            try:
                client = self.client(node)
                client.ready()
            except (errors.ClientError, FileNotFoundError):
                continue
            return client
        raise AssertionError(f"{node.name} did not get ready\n{self.tail()}")

    def tail(self) -> str:
        """Return the end of what the processes logged."""
        return self._log.read_text(errors="replace")[-6000:]

    def close(self) -> None:
        """End what is left, the workers first so that they can report."""
        for programs in (self.workers, self.nodes):
            with ThreadPoolExecutor(len(programs)) as pool:
                list(pool.map(lambda program: program.end(within=20), programs))


def _turned(urls: Sequence[str], number: int) -> list[str]:
    """Return all of them, another one first for each number."""
    first = number % len(urls)
    return [*urls[first:], *urls[:first]]


def patiently(seconds: float, *, step: float = 0.05) -> Iterator[None]:
    """Yield again and again until so much time has passed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
        time.sleep(step)
