"""Two nodes before one store, each as if on a host of its own."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from crony.clock import EPOCH
from crony.scheduler.ticker import DUTY
from crony.storage import open_store
from crony.testing.service import ServiceProcess, free_port, start_service
from tests.integration.api.caller import Caller

#: How often it is looked who has the duty to tick, in seconds.
_LOOK = 0.01


class Pair:
    """Both nodes, which a test may end."""

    def __init__(self, directory: Path, storage: str) -> None:
        self._storage = storage
        self._homes = [directory / name for name in "ab"]
        self._ports = [free_port() for _ in self._homes]
        self.nodes: list[ServiceProcess] = []
        #: Whether the store carries news from node to node.
        self.notifies = False

    def start(self) -> None:
        with ThreadPoolExecutor(2) as pool:
            self.nodes = list(pool.map(self._started, range(2)))
        store = open_store(self._storage)
        store.open()
        self.notifies = store.capabilities.notifies
        store.close()

    def _started(self, number: int) -> ServiceProcess:
        return start_service(
            self._homes[number],
            storage=self._storage,
            port=self._ports[number],
            log_level="warning",
        )

    def revive(self) -> None:
        """Start again what a test has ended, until both hear each other if they can."""
        for number, node in enumerate(self.nodes):
            if node.process.poll() is not None:
                self.nodes[number] = self._started(number)
        for number in range(2):
            while self.notifies and self.metric(number, "crony_hears_all") != 1:
                # Nobody tells when it begins to hear.
                time.sleep(0.02)

    def metric(self, number: int, name: str) -> float:
        """Return what a node says of itself."""
        lines = self.admin(number)("GET", "/metrics").text.splitlines()
        (line,) = (line for line in lines if line.startswith(f"{name} "))
        return float(line.split()[1])

    def admin(self, number: int) -> Caller:
        """Return the admin, who asks that node."""
        (key,) = {node.admin_key for node in self.nodes} - {""}
        return Caller(self.nodes[number].url, key)

    def tenant(self) -> tuple[Caller, Caller]:
        """Make a tenant; return the admin at work in it, at the one and the other."""
        here = self.admin(0).new_tenant()
        return here, Caller(self.nodes[1].url, here.key, here.headers)

    def close(self) -> None:
        alive = [node for node in self.nodes if node.process.poll() is None]
        for node in alive:
            os.killpg(node.process.pid, signal.SIGCONT)
            node.process.terminate()
        for node in alive:
            node.stop()


@contextmanager
def pair(directory: Path, storage: str) -> Iterator[Pair]:
    """Start two nodes, and end them with the block."""
    made = Pair(directory, storage)
    try:
        made.start()
        yield made
    finally:
        made.close()


class Watch:
    """Notes each instant at which somebody said that it has the duty to tick."""

    def __init__(self, storage: str) -> None:
        self._store = open_store(storage)
        self._store.open()
        self._stopping = threading.Event()
        self.held_at: list[datetime] = []
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def now(self) -> datetime:
        return self._store.now()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK):
            # So long ago that it is never taken away from anybody.
            _, last = self._store.duties.hold(
                DUTY, "watch", now=EPOCH, ttl=timedelta(0)
            )
            with self._news:
                if last is not None and last not in self.held_at[-1:]:
                    self.held_at.append(last)
                    self._news.notify_all()

    def after(self, instant: datetime, *, within: float = 20) -> datetime:
        """Wait for the next time after an instant."""
        with self._news:
            assert self._news.wait_for(
                lambda: self.held_at and self.held_at[-1] > instant, timeout=within
            )
            return next(at for at in self.held_at if at > instant)

    def gaps(self, since: datetime) -> list[timedelta]:
        """Return how long nothing was said, again and again; the first time it was then
        may have begun before."""
        before = sum(at < since for at in self.held_at)
        held = self.held_at[max(0, before - 1) :]
        return [later - at for at, later in pairwise(held)]

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._store.close()
