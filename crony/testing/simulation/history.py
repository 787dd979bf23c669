"""One history: from the first request to the closed books."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from crony import clock
from crony.model.schedule import Schedule
from crony.model.state import RunState
from crony.scheduler.wakes import Wake
from crony.storage.contract import ScheduleQuery, Store
from crony.testing.clock import ManualClock
from crony.testing.simulation import scenario as drawing
from crony.testing.simulation.accounting import Books
from crony.testing.simulation.disasters import Disasters
from crony.testing.simulation.faults import Violation
from crony.testing.simulation.mirror import TENANT
from crony.testing.simulation.network import Network
from crony.testing.simulation.node import Node, Rates
from crony.testing.simulation.people import People
from crony.testing.simulation.reasons import Reasons
from crony.testing.simulation.scenario import GROUPS, SECOND
from crony.testing.simulation.watch import Watch
from crony.testing.simulation.witness import Witness
from crony.testing.simulation.worker import ModelWorker
from crony.testing.simulation.world import START, Trace, World

#: How long everything may take to come to its end once nothing goes wrong any more.
_PATIENCE = timedelta(hours=1)
#: The latest that a message comes.
_LATEST = timedelta(seconds=31)


class _Ear(logging.Handler):
    """Hears of exceptions that the service outlives: none of them should be."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is not None and record.exc_info[1] is not None:
            text = "".join(traceback.format_exception(record.exc_info[1]))
            raise Violation("broken", f"{record.getMessage()}\n{text}")


@contextmanager
def _listening() -> Iterator[None]:
    """Listen to what the service logs; nothing of it is printed."""
    root = logging.getLogger("crony")
    ear, before = _Ear(logging.ERROR), (root.level, root.propagate)
    root.setLevel(logging.ERROR)
    root.propagate = False
    root.addHandler(ear)
    try:
        yield
    finally:
        root.removeHandler(ear)
        root.setLevel(before[0])
        root.propagate = before[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What there was in a history that went well."""

    seed: int
    verbs: int
    runs: int
    executions: int
    events: int
    span: timedelta


def play(seed: int, *, store: Store, trace: Trace | None = None) -> History:
    """Play the history of a seed on an empty store; raises ``Violation``."""
    return _Play(seed, store, trace).history()


class _Play:
    """The stage, and all who are on it."""

    def __init__(self, seed: int, store: Store, trace: Trace | None) -> None:
        self._seed = seed
        self._store = store
        self.world = world = World(seed, trace=trace)
        self._scenario = scenario = drawing.drawn(world)
        world.tell(f"{scenario}")
        self._witness = Witness(world)
        self._watch = Watch(world, store, self._witness)
        neighbours = world.happens(0.5)
        self._nodes: list[Node] = []
        # Nothing goes wrong while the stage is set.
        self._rates = Rates()

        def heard(node: Node, wake: Wake) -> None:
            # Processes of one host hear of each other's news.
            for each in self._nodes if neighbours else [node]:
                each.hear(wake)

        for number in range(scenario.nodes):
            self._nodes.append(
                Node(
                    world,
                    f"node-{number}",
                    store=store,
                    watch=self._watch,
                    rates=self._rates,
                    timing=scenario.timing,
                    idle=scenario.idle,
                    heard=heard,
                )
            )
        self._network = Network(world, self._nodes, scenario.loss)
        self._people = People(world, self._network, scenario, self._watch)
        self._workers = [
            self._worker(number, slots) for number, slots in enumerate(scenario.workers)
        ]

    def _worker(self, number: int, slots: int) -> ModelWorker:
        name = f"worker-{number}"
        queues = ["default"] if number % 2 else ["default", "other"]
        (registered, _) = self._nodes[0].use(
            lambda service: service.workers.register(
                TENANT,
                name=name,
                machine=f"{number:064x}",
                queues=queues,
                labels={},
                slots=slots,
                sandbox_level="full",
                version="1.0.0",
            )
        )
        return ModelWorker(
            self.world,
            name,
            id=registered.id,
            slots=slots,
            network=self._network,
            witness=self._witness,
            started=self._watch.started,
            timing=self._scenario.timing,
            script=lambda: drawing.outcome(self.world, self._scenario),
        )

    def history(self) -> History:
        """Play it from its beginning to its end."""
        world, scenario = self.world, self._scenario
        with self._wall_clocks(), _listening():
            self._people.settle()
            self._people.later(6 * SECOND, self._people.something)
            disasters = Disasters(
                world, scenario, self._nodes, self._workers, rates=self._rates
            )
            disasters.begin()
            world.run(scenario.end_at)
            world.tell("— nothing goes wrong from now on")
            disasters.end()
            self._drain()
            self._books().close(ManualClock(world.store_now))
        return History(
            seed=self._seed,
            verbs=self._watch.verbs,
            runs=len(self._watch.mirror.runs),
            executions=self._witness.number,
            events=len(self._watch.mirror.events),
            span=world.now - START,
        )

    def _books(self) -> Books:
        return Books(
            store=self._store,
            mirror=self._watch.mirror,
            checks=self._watch.checks,
            people=self._people,
            witness=self._witness,
            reasons=Reasons(stepped=self.world.stepped),
        )

    def _drain(self) -> None:
        """Let all come to its end, in time."""
        world, people = self.world, self._people
        until = world.now + _PATIENCE
        people.start_over()
        # What they asked for before may still be under way, a pause for one.
        world.run(world.now + _LATEST)
        for name in GROUPS:
            people.resume_group(name)
        self._wait_for(lambda: people.answered, until, "people are not answered")
        for schedule in self._schedules():
            if schedule.definition.paused:
                people.resume(schedule.id, plainly=True)
        self._wait_for(lambda: people.answered, until, "people are not answered")
        self._wait_for(self._is_over, until, "something waits for ever")

    def _wait_for(
        self, condition: Callable[[], bool], until: datetime, otherwise: str
    ) -> None:
        while not condition():
            if self.world.now > until:
                raise Violation("starvation", f"{otherwise}: {self._left()}")
            self.world.run(self.world.now + 2 * SECOND)

    def _schedules(self) -> list[Schedule]:
        page = self._store.schedules.page(
            TENANT, ScheduleQuery(), limit=500, after=None
        )
        return list(page.items)

    def _left(self) -> str:
        live = self._watch.mirror.live.values()
        runs = [f"{r.id} {r.state}" for r in live if r.state is not RunState.WITHDRAWN]
        open_ones = [f"{s.id} at {s.cursor}" for s in self._schedules() if s.cursor]
        owed = self._store.runs.follow_ups(limit=5)
        return f"runs {runs[:5]}, schedules {open_ones[:5]}, hooks {owed}"

    def _is_over(self) -> bool:
        mirror = self._watch.mirror
        if any(run.state is not RunState.WITHDRAWN for run in mirror.live.values()):
            return False
        if not all(worker.idle for worker in self._workers):
            return False
        if self._store.runs.follow_ups(limit=1):
            return False
        return all(schedule.cursor is None for schedule in self._schedules())

    @contextmanager
    def _wall_clocks(self) -> Iterator[None]:
        """Let ``host_now`` be the wall clock of the host whose code asks."""
        real = clock.host_now

        def host_now() -> datetime:
            host = self._watch.host
            return self.world.now if host is None else host.wall()

        clock.host_now = host_now
        try:
            yield
        finally:
            clock.host_now = real
