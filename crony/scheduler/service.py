"""The service: all use cases of one process, put together."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

from crony.clock import Clock
from crony.scheduler.idempotency import Idempotency
from crony.scheduler.keys import Keys
from crony.scheduler.leasing import Leasing
from crony.scheduler.materializer import Materializer
from crony.scheduler.reaper import Reaper
from crony.scheduler.rezoning import Rezoner
from crony.scheduler.runs import Runs
from crony.scheduler.schedules import Schedules
from crony.scheduler.tenants import Tenants
from crony.scheduler.ticker import DUTY, Ticker
from crony.scheduler.timing import Timing
from crony.scheduler.wakes import Wakes
from crony.scheduler.workers import Workers
from crony.storage.contract import Stats, Store

__all__ = ["Service", "Timing"]


class Service:
    """One attribute per noun; ``start`` and ``stop`` are for its threads.

    Make it after a fork. ``entropy`` and ``fraction`` are where all randomness
    comes from.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        timing: Timing | None = None,
        wakes: Wakes | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
        fraction: Callable[[], float] = random.random,
    ) -> None:
        timing = timing or Timing()
        wakes = wakes or Wakes()
        self.store = store
        self.clock = clock
        self.timing = timing
        self.wakes = wakes
        materializer = Materializer(store, timing=timing, wakes=wakes)
        reaper = Reaper(store, timing=timing, wakes=wakes)
        holder = f"{os.getpid()}-{entropy(8).hex()}"
        rezoner = Rezoner(store, wakes=wakes, duty=DUTY, holder=holder)
        self.schedules = Schedules(
            store, clock, materializer=materializer, wakes=wakes, entropy=entropy
        )
        self.runs = Runs(store, clock, wakes=wakes, entropy=entropy)
        self.leasing = Leasing(
            store, clock, timing=timing, wakes=wakes, fraction=fraction
        )
        self.workers = Workers(
            store, clock, timing=timing, wakes=wakes, entropy=entropy
        )
        self.keys = Keys(store, clock, entropy=entropy)
        self.tenants = Tenants(store, clock)
        self.idempotency = Idempotency(store, clock)
        self.ticker = Ticker(
            store,
            clock,
            timing=timing,
            wakes=wakes,
            materializer=materializer,
            reaper=reaper,
            rezoner=rezoner,
            holder=holder,
            chores=self._chores,
        )

    def start(self) -> None:
        """Join the other processes of this host, and start to tick."""
        self.wakes.open()
        self.ticker.start()

    def stop(self) -> None:
        """Stop ticking, and leave."""
        self.ticker.stop()
        self.wakes.close()

    def stats(self, tenant: str | None) -> Stats:
        """Return the numbers of a tenant, or of all."""
        return self.store.stats(tenant, now=self.clock.now())

    def _chores(self) -> None:
        self.keys.flush()
        self.idempotency.sweep()
