"""What may go wrong, and when: killing and stopping at random.

In each round something is stopped for longer than a lease, and continued. Meanwhile
others are killed and started again, and people go on with what they do.
"""

from __future__ import annotations

import logging
import random
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import TypeVar

from crony.client import Client
from tests.acceptance import processes
from tests.acceptance.fleet import Fleet, Node, Worker, patiently
from tests.acceptance.plans import MANUAL, PAUSING
from tests.acceptance.processes import Program, Task
from tests.acceptance.witness import Key

#: Holds while its block is entered.
Fault = Callable[[], AbstractContextManager[None]]

_log = logging.getLogger(__name__)

_P = TypeVar("_P", Node, Worker)


class Chaos:
    """Everything that is done to a fleet, in an order and at instants of a seed."""

    def __init__(self, fleet: Fleet, *, seed: int, lease: float) -> None:
        self._fleet = fleet
        self._lease = lease
        self._chance = random.Random(seed)
        #: What nothing else is done to at the moment.
        self._free: list[Node | Worker] = [*fleet.nodes, *fleet.workers]
        self._began = time.monotonic()
        self._done: set[str] = set()
        #: What was done, in order, after so many seconds.
        self.story: list[str] = []
        #: Attempts whose task was killed.
        self.killed: set[Key] = set()
        #: Runs that were made by hand.
        self.triggered: list[str] = []
        self._stops: dict[str, Fault] = {
            "stop supervisor": self._stop_supervisor,
            "stop service child": self._stop_service_child,
            "stop worker": self._stop_worker,
            "stop task": self._stop_task,
        }
        self._kills: dict[str, Fault] = {
            "kill node": self._kill_node,
            "kill service child": self._kill_service_child,
            "kill worker": self._kill_worker,
            "kill task": self._kill_task,
            "kill all": self._kill_all,
        }

    def rage(self, *, seconds: float) -> None:
        """Go on for so long, and until every fault was there."""
        until = time.monotonic() + seconds
        wanted = {*self._stops, *self._kills}
        kills = self._in_turn(self._kills)
        for stop in self._in_turn(self._stops):
            if time.monotonic() >= until and wanted <= self._done:
                return
            assert time.monotonic() < until + 240, f"not everything came: {self.story}"
            self._round(stop, [next(kills), next(kills)])

    def _in_turn(self, faults: dict[str, Fault]) -> Iterator[str]:
        """Return all of them in an order of chance, again and again."""
        while True:
            yield from self._chance.sample(list(faults), len(faults))

    def _round(self, stop: str, kills: list[str]) -> None:
        self._tend()
        over = time.monotonic() + self._lease + self._chance.uniform(1, 2)
        # People wait for what is stopped, and it is not continued later for that.
        with ThreadPoolExecutor(1) as people, self._stops[stop]():
            self._note(stop)
            meddling = people.submit(self._meddle, self._chance.random())
            for kill in kills:
                self._pause(0, 1)
                with self._kills[kill]():
                    self._note(kill)
                    self._pause(0, 1.5)
            time.sleep(max(0.0, over - time.monotonic()))
        meddling.result()
        self._pause(0, 1)

    def _pause(self, least: float, most: float) -> None:
        time.sleep(self._chance.uniform(least, most))

    def _tend(self) -> None:
        """Start again what ended by itself, as a service manager does."""
        for program in (*self._fleet.nodes, *self._fleet.workers):
            if not program.alive:
                self._note(f"{program.name} had ended")
                program.start()

    def _note(self, what: str) -> None:
        self._done.add(what)
        line = f"{time.monotonic() - self._began:.1f} {what}"
        self.story.append(line)
        _log.info(line)

    def calm(self) -> None:
        """Wait until all of it is there again."""
        self._tend()
        for node in self._fleet.nodes:
            self._fleet.wait_until_ready(node)
        self._note("calm")

    # People.

    def _meddle(self, patience: float) -> None:
        """Trigger a run, and pause a schedule for a while."""
        key = f"chaos-{len(self.triggered)}"
        ask = self._fleet.ask
        made = ask(partial(_run, key=key))
        self.triggered.append(str(made["id"]))
        ask(lambda client: client.pause_schedule(PAUSING.name))
        self._note("paused")
        time.sleep(2 * PAUSING.period * patience)
        ask(lambda client: client.resume_schedule(PAUSING.name))
        self._note("resumed")

    # What is there to be stopped or killed.

    @contextmanager
    def _taken(self, kind: type[_P]) -> Iterator[_P]:
        """Give one that nothing else is done to until the block ends."""
        free = [one for one in self._free if isinstance(one, kind)]
        one = self._chance.choice(free)
        with self._reserved(one):
            yield one

    @contextmanager
    def _reserved(self, one: Node | Worker) -> Iterator[None]:
        self._free.remove(one)
        try:
            yield
        finally:
            self._free.append(one)

    @contextmanager
    def _some_child(self, node: Node) -> Iterator[int]:
        """Give a descriptor of one of the processes that answer requests."""
        for _ in patiently(30):
            if found := processes.children(node.pid):
                with processes.opened(self._chance.choice(found), below=node.pid) as fd:
                    if fd is not None:
                        yield fd
                        return
        raise AssertionError(f"{node.name} has no child\n{self._fleet.tail()}")

    @contextmanager
    def _some_task(self) -> Iterator[tuple[Task, int]]:
        """Give a task that a worker has, and a descriptor of its process."""
        for _ in patiently(60):
            for worker in self._fleet.workers:
                found = processes.tasks_below(worker.pid) if worker.alive else []
                if not found:
                    continue
                task = self._chance.choice(found)
                with processes.opened(task.pid, below=worker.pid) as fd:
                    # Only now is it sure that the number has not gone to another.
                    if fd is not None and processes.task_of(task.pid) == task:
                        yield task, fd
                        return
        raise AssertionError(f"no task to be found\n{self._fleet.tail()}")

    # Faults.

    @contextmanager
    def _stop_supervisor(self) -> Iterator[None]:
        with self._taken(Node) as node, _stopped(node):
            yield

    @contextmanager
    def _stop_worker(self) -> Iterator[None]:
        with self._taken(Worker) as worker, _stopped(worker):
            yield

    @contextmanager
    def _stop_service_child(self) -> Iterator[None]:
        with self._taken(Node) as node, self._some_child(node) as fd:
            processes.send(fd, signal.SIGSTOP)
            try:
                yield
            finally:
                processes.send(fd, signal.SIGCONT)

    @contextmanager
    def _stop_task(self) -> Iterator[None]:
        with self._some_task() as (_, fd):
            processes.send(fd, signal.SIGSTOP)
            try:
                yield
            finally:
                processes.send(fd, signal.SIGCONT)

    @contextmanager
    def _kill_task(self) -> Iterator[None]:
        with self._some_task() as (task, fd):
            self.killed.add((task.run, task.attempt))
            processes.send(fd, signal.SIGKILL)
            yield

    @contextmanager
    def _kill_service_child(self) -> Iterator[None]:
        with self._taken(Node) as node, self._some_child(node) as fd:
            processes.send(fd, signal.SIGKILL)
            yield

    @contextmanager
    def _kill_node(self) -> Iterator[None]:
        with self._taken(Node) as node:
            node.kill_all()
            yield
            node.start()

    @contextmanager
    def _kill_worker(self) -> Iterator[None]:
        with self._taken(Worker) as worker:
            worker.kill()
            yield
            worker.start()

    @contextmanager
    def _kill_all(self) -> Iterator[None]:
        """Kill all that is not stopped; the supervisors take their children along."""
        with ExitStack() as taken:
            victims = list(self._free)
            for victim in victims:
                taken.enter_context(self._reserved(victim))
            for victim in victims:
                victim.kill_all()
            yield
            for victim in victims:
                victim.start()


@contextmanager
def _stopped(program: Program) -> Iterator[None]:
    program.send(signal.SIGSTOP)
    try:
        yield
    finally:
        program.send(signal.SIGCONT)


def _run(client: Client, *, key: str) -> dict[str, object]:
    return {**client.run_schedule(MANUAL.name, idempotency_key=key)}
