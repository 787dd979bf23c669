"""A node: the real service on a simulated host, killed and started again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from crony import errors
from crony.clock import StoreClock
from crony.scheduler.service import Service
from crony.scheduler.ticker import IDLE, MEASURE
from crony.scheduler.timing import Timing
from crony.scheduler.wakes import Wake, Wakes
from crony.storage.contract import Store
from crony.testing.simulation.faults import Crash, Gone
from crony.testing.simulation.host import Host
from crony.testing.simulation.polls import Polls
from crony.testing.simulation.store import GatedStore
from crony.testing.simulation.watch import Watch
from crony.testing.simulation.world import Actor, World

Answer = TypeVar("Answer")

_SOON = timedelta(milliseconds=2)
#: How often a node measures the store's clock: on a tick.
_MEASURE = max(timedelta(seconds=MEASURE), IDLE)


@dataclass(slots=True)
class Rates:
    """How often, per verb of the store, something goes wrong at a node."""

    crash: float = 0.0
    unavailable: float = 0.0
    stall: float = 0.0
    #: The longest stall, in s; most are short.
    longest: float = 5.0


class Node(Actor):
    """One process of the service, on a host of its own."""

    def __init__(
        self,
        world: World,
        name: str,
        *,
        store: Store,
        watch: Watch,
        rates: Rates,
        timing: Timing,
        idle: timedelta,
        heard: Callable[[Node, Wake], None],
    ) -> None:
        super().__init__(world, name)
        self.host = Host(world)
        self.polls = Polls(self)
        self.rates = rates
        self.timing = timing
        self._store = store
        self._watch = watch
        #: How long it may leave the ticker alone: a real one comes each second.
        self._idle = idle
        self._heard = heard
        self._ticking = False
        self._tick_number = 0
        self.start()

    def start(self) -> None:
        """Begin, knowing nothing."""
        self.born()
        self.world.tell(f"{self.name} starts")
        self._ticking = False
        self.polls = Polls(self)
        chance = self.world.chance
        self.clock = StoreClock(
            self._measured, boottime=self.host.boottime, monotonic=self.host.monotonic
        )
        wakes = Wakes()
        wakes.subscribe(lambda wake: self._heard(self, wake))
        self.service = Service(
            GatedStore(self._store, _Gate(self), clock=self._measured),
            self.clock,
            timing=self.timing,
            wakes=wakes,
            entropy=chance.randbytes,
            fraction=chance.random,
        )
        self._slept = self.host.boottime() - self.host.monotonic()
        self._tick_after(_SOON)
        self.later(_MEASURE, self._measure)
        self.later(self.world.between(1, 6), self._chores)

    def _measured(self) -> datetime:
        """Return the store's clock, as well as one can read it over a network."""
        return self.world.store_now + self.world.between(-0.004, 0.004)

    def crash(self) -> None:
        """End at once; somebody starts it again."""
        if not self.alive:
            return
        self.world.tell(f"{self.name} is killed")
        self.died()
        self.polls.drop()

    def suspend(self) -> None:
        """Suspend its host."""
        self.world.tell(f"{self.name}'s host is suspended")
        self.host.suspend()
        self.sleep()

    def resume(self) -> None:
        """Let its host go on."""
        self.host.resume()
        self.world.tell(f"{self.name}'s host goes on")
        self.wake()

    def use(self, do: Callable[[Service], Answer]) -> Answer:
        """Do something with the service, on this host; raises ``Gone``."""
        life = self.life
        before, self._watch.host = self._watch.host, self.host
        try:
            return do(self.service)
        except Crash:
            if self.life == life:
                self.crash()
            raise Gone from None
        finally:
            self._watch.host = before

    def hear(self, wake: Wake) -> None:
        """Take note of news, of this process or of a neighbour."""
        if not self.alive:
            return
        if self.service.ticker.hears(wake):
            self._tick_after(_SOON)
        if wake.ready or wake.workers:
            self.polls.news()

    # What its threads do.

    def _tick_after(self, wait: timedelta) -> None:
        self._tick_number += 1
        number = self._tick_number
        self.later(wait, lambda: self._tick(number))

    def _tick(self, number: int) -> None:
        if number != self._tick_number:
            return
        if self._ticking:
            # There is one such thread, and it is in the middle of something.
            self._tick_after(_SOON)
            return
        self._ticking = True
        life = self.life
        wait = IDLE
        try:
            wait = self.use(self._round)
        except (Gone, errors.Unavailable):
            pass
        finally:
            if self.life == life:
                self._ticking = False
        if number == self._tick_number:
            self._tick_after(wait)

    def _round(self, service: Service) -> timedelta:
        """Do what the ticker's thread does in a round; return how long to wait."""
        slept = self.host.boottime() - self.host.monotonic()
        if slept - self._slept >= timedelta(seconds=1):
            self.clock.synchronise()
            self._slept = slept
        now = self.clock.now()
        again_at = service.ticker.tick(now)
        wait = self._idle if again_at >= now + IDLE else again_at - self.clock.now()
        return min(max(wait, _SOON), self._idle)

    def _measure(self) -> None:
        self.clock.synchronise()
        self.later(_MEASURE, self._measure)

    def _chores(self) -> None:
        with suppress(Gone, errors.Unavailable):
            self.use(lambda service: service.chores.step(self.clock.now()))
        if self.alive:
            self.later(self.world.between(3, 9), self._chores)


class _Gate:
    """Every verb of one life of a node goes through here."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._life = node.life

    def call(
        self,
        noun: str,
        verb: str,
        do: Callable[..., Any],
        args: tuple[Any, ...],
        named: dict[str, Any],
    ) -> Any:
        node, world = self._node, self._node.world
        self._check()
        rates = node.rates
        if world.happens(rates.stall):
            most = rates.longest if world.happens(0.2) else 0.05
            world.meanwhile(world.between(0, most))
            self._check()
        self._trouble(noun, verb, "before")
        result = node._watch.call(noun, verb, do, args, named)
        self._trouble(noun, verb, "after")
        return result

    def _check(self) -> None:
        """An earlier life goes no further than its next verb."""
        if not self._node.alive or self._node.life != self._life:
            raise Crash

    def _trouble(self, noun: str, verb: str, when: str) -> None:
        node, world = self._node, self._node.world
        if world.happens(node.rates.crash / 2):
            world.tell(f"{node.name} dies {when} {noun}.{verb}")
            raise Crash
        if world.happens(node.rates.unavailable / 2):
            world.tell(f"{node.name} gets no answer {when} {noun}.{verb} happened")
            raise errors.StoreUnavailable(
                "the store does not answer", retry_after=timedelta(seconds=1)
            )
