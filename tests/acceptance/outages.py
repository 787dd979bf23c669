"""Nodes that come and go, at instants of a seed, while people go on."""

from __future__ import annotations

import logging
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from crony.client import Client
from tests.acceptance.fleet import Fleet, Node
from tests.acceptance.plans import MANUAL

_log = logging.getLogger(__name__)

#: In seconds: how long a node is away or stands still, and until the next one is.
_AWAY = (0.2, 1.5)
_STILL = (0.5, 3.0)
_BETWEEN = (0.1, 1.0)
#: A node that was started again does some work before it is killed again.
_UP = 2.0


class Outages:
    """Kills nodes, starts them again, and lets some stand still for a while."""

    def __init__(self, fleet: Fleet, *, seed: int) -> None:
        self._fleet = fleet
        self._chance = random.Random(seed)
        self._began = time.monotonic()
        self._started_at = dict.fromkeys(fleet.nodes, self._began)
        #: When each that is down, or stands still, goes on.
        self._again_at: dict[Node, float] = {}
        self._still: set[Node] = set()
        #: What was done, in order, after so many seconds.
        self.story: list[str] = []
        #: Runs that were made by hand.
        self.triggered: list[str] = []

    def go_on(self, *, seconds: float) -> None:
        """Go on for so long."""
        until = time.monotonic() + seconds
        over = threading.Event()
        # People wait for what stands still, and it does not stand longer for that.
        with ThreadPoolExecutor(1) as people:
            asking = people.submit(self._trigger, over)
            try:
                self._disturb(until)
            finally:
                over.set()
            self._revive(float("inf"))
        asking.result()

    def _disturb(self, until: float) -> None:
        next_at = time.monotonic()
        while (now := time.monotonic()) < until:
            self._revive(now)
            if now >= next_at:
                self._strike(now)
                next_at = now + self._chance.uniform(*_BETWEEN)
            time.sleep(0.02)

    def calm(self) -> None:
        """Wait until all of them are there again."""
        for node in self._fleet.nodes:
            self._fleet.wait_until_ready(node)
        self._note("calm")

    def _revive(self, now: float) -> None:
        for node, at in list(self._again_at.items()):
            if at > now:
                continue
            del self._again_at[node]
            if node in self._still:
                self._still.remove(node)
                node.go_on_all()
                self._note(f"{node.name} goes on")
                continue
            node.start()
            self._started_at[node] = time.monotonic()
            self._note(f"{node.name} starts")

    def _strike(self, now: float) -> None:
        ready = [
            node
            for node in self._fleet.nodes
            if node not in self._again_at and now - self._started_at[node] > _UP
        ]
        if not ready:
            return
        node = self._chance.choice(ready)
        if self._chance.random() < 0.25:
            # All of it, its processes that answer too.
            node.stop_all()
            self._still.add(node)
            self._again_at[node] = now + self._chance.uniform(*_STILL)
            self._note(f"{node.name} stands still")
            return
        node.kill_all()
        self._again_at[node] = now + self._chance.uniform(*_AWAY)
        self._note(f"{node.name} is killed")

    def _trigger(self, over: threading.Event) -> None:
        """Make runs by hand, and ask for each once more at another node."""
        while not over.wait(1):
            run = partial(_run, key=f"many-{len(self.triggered)}")
            once, again = self._fleet.ask(run), self._fleet.ask(run, first=1)
            assert once == again, "an idempotency key made two"
            self.triggered.append(once)

    def _note(self, what: str) -> None:
        line = f"{time.monotonic() - self._began:.1f} {what}"
        self.story.append(line)
        _log.info(line)


def _run(client: Client, *, key: str) -> str:
    return str(client.run_schedule(MANUAL.name, idempotency_key=key)["id"])
