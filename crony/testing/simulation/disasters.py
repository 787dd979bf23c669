"""What goes wrong beside the network: deaths, suspends, outages, steps of the clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from crony.testing.simulation.network import Loss
from crony.testing.simulation.node import Node, Rates
from crony.testing.simulation.scenario import Scenario
from crony.testing.simulation.worker import ModelWorker
from crony.testing.simulation.world import START, World

_EVERY = timedelta(seconds=1)


class Disasters:
    """Happens until it ends; what is down by then is up again."""

    def __init__(
        self,
        world: World,
        scenario: Scenario,
        nodes: Sequence[Node],
        workers: Sequence[ModelWorker],
        *,
        rates: Rates,
    ) -> None:
        self._world = world
        self._scenario = scenario
        self._nodes = nodes
        self._workers = workers
        self._all: list[Node | ModelWorker] = [*nodes, *workers]
        #: Those by which the nodes live.
        self._rates = rates
        self._over = False
        self._outage = False

    def begin(self) -> None:
        """Let things go wrong from now on."""
        world, scenario = self._world, self._scenario
        for name in Rates.__slots__:
            setattr(self._rates, name, getattr(scenario.rates, name))
        world.after(_EVERY, self._restart)
        self._next(self._death)
        if scenario.outage:
            at = START + scenario.span / 2
            world.at(at, self._go_out)
            world.at(at + scenario.outage, self._come_back)
        if scenario.steps:
            world.after(world.between(5, 60), self._step)

    def end(self) -> None:
        """Let nothing go wrong any more, and all be up."""
        self._over = True
        self._outage = False
        scenario = self._scenario
        for name in Rates.__slots__:
            setattr(self._rates, name, 0.0)
        for name in Loss.__slots__:
            setattr(scenario.loss, name, 0.0)
        scenario.fails = scenario.hangs = 0.0
        scenario.longest = 1.0
        for each in self._all:
            if each.asleep:
                each.resume()
            if not each.alive:
                each.start()

    def _next(self, action: Callable[[], None]) -> None:
        wait = timedelta(
            seconds=self._world.chance.expovariate(1 / self._scenario.deaths)
        )
        if self._outage:
            wait += self._scenario.outage / 5
        self._world.after(wait, action)

    def _death(self) -> None:
        """Kill, stop or suspend somebody."""
        if self._over:
            return
        self._next(self._death)
        world = self._world
        victims: list[Node | ModelWorker] = [
            each for each in self._all if each.alive and not each.asleep
        ]
        if not victims:
            return
        victim = world.chance.choice(victims)
        kind = world.chance.random()
        long = world.between(0.5, 2.5 * self._scenario.timing.lease_ttl.total_seconds())
        if isinstance(victim, Node):
            if kind < 0.6:
                victim.crash()
            else:
                self._suspend(victim, long)
        elif kind < 0.4:
            victim.kill()
        elif kind < 0.7:
            world.tell(f"{victim.name} is stopped for {long}")
            victim.sleep()
            world.after(long, lambda: self._resume(victim))
        else:
            self._suspend(victim, long)

    def _suspend(self, victim: Node | ModelWorker, span: timedelta) -> None:
        victim.suspend()
        life = victim.life
        self._world.after(span, lambda: self._resume(victim, life=life))

    def _resume(self, victim: Node | ModelWorker, *, life: int | None = None) -> None:
        if victim.asleep and life in (None, victim.life):
            victim.resume()

    def _restart(self) -> None:
        """Start again what was killed, sooner or later, as a service manager does."""
        if self._over:
            return
        # A long outage is passed over quickly.
        wait = self._scenario.outage / 20 if self._outage else _EVERY
        self._world.after(max(wait, _EVERY), self._restart)
        for node in self._nodes:
            if not node.alive and not self._outage and self._world.happens(0.3):
                node.start()
        for worker in self._workers:
            if not worker.alive and self._world.happens(0.3):
                worker.start()

    def _go_out(self) -> None:
        self._world.tell("an outage begins")
        self._outage = True
        for node in self._nodes:
            node.crash()

    def _come_back(self) -> None:
        self._outage = False
        self._world.tell("the outage is over")
        for node in self._nodes:
            if not node.alive:
                node.start()

    def _step(self) -> None:
        if self._over:
            return
        world = self._world
        by = world.between(-40, 120)
        world.tell(f"the store's clock steps by {by}")
        world.store_ahead += by
        world.stepped = True
        if world.happens(0.5):
            world.after(world.between(5, 40), self._step)
