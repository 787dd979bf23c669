"""The service: all use cases of one process, put together."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable
from datetime import datetime

from crony.clock import Clock
from crony.outbound import Rules
from crony.scheduler.audit import Audit
from crony.scheduler.backfill import Backfill
from crony.scheduler.batches import Batches
from crony.scheduler.carrying import Carrier
from crony.scheduler.chores import Chores
from crony.scheduler.dispatching import Dispatcher
from crony.scheduler.edits import Edits
from crony.scheduler.events import Events
from crony.scheduler.groups import Groups
from crony.scheduler.hooks import Hooks
from crony.scheduler.idempotency import Idempotency
from crony.scheduler.keys import Keys
from crony.scheduler.leasing import Leasing
from crony.scheduler.ledger import Ledger
from crony.scheduler.losses import Losses
from crony.scheduler.materializer import Materializer
from crony.scheduler.moving import Arriving, Departure, Releasing
from crony.scheduler.policies import Policies
from crony.scheduler.probe import Probe
from crony.scheduler.profiles import Profiles
from crony.scheduler.pruner import Pruner
from crony.scheduler.reaper import Reaper
from crony.scheduler.rezoning import Rezoner
from crony.scheduler.runs import Runs
from crony.scheduler.schedules import Schedules
from crony.scheduler.tenants import Tenants
from crony.scheduler.ticker import DUTY, Step, Ticker
from crony.scheduler.timing import Timing
from crony.scheduler.wakes import Wakes
from crony.scheduler.webhooks import Webhooks
from crony.scheduler.why import Why
from crony.scheduler.workers import Workers
from crony.storage.contract import Stats, Store

__all__ = ["Service", "Timing"]


class Service:
    """One attribute per noun; ``start`` and ``stop`` are for its threads.

    Make it after a fork. ``entropy`` and ``fraction`` are where all randomness
    comes from. ``rules`` say where webhooks may be sent: at default to public
    addresses alone.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        timing: Timing | None = None,
        wakes: Wakes | None = None,
        rules: Rules | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
        fraction: Callable[[], float] = random.random,
    ) -> None:
        timing = timing or Timing()
        wakes = wakes or Wakes()
        rules = rules or webhook_rules(())
        self.store = store
        self.clock = clock
        self.timing = timing
        self.wakes = wakes
        self.probe = Probe(store, clock)
        self.policies = Policies(store)
        materializer = Materializer(
            store, policies=self.policies, timing=timing, wakes=wakes
        )
        self.edits = Edits(
            store,
            clock,
            policies=self.policies,
            materializer=materializer,
            wakes=wakes,
        )
        self.schedules = Schedules(
            store, clock, policies=self.policies, edits=self.edits, entropy=entropy
        )
        self.batches = Batches(
            store,
            clock,
            policies=self.policies,
            edits=self.edits,
            schedules=self.schedules,
        )
        self.runs = Runs(
            store, clock, policies=self.policies, wakes=wakes, entropy=entropy
        )
        self.leasing = Leasing(
            store, clock, timing=timing, wakes=wakes, fraction=fraction
        )
        self.workers = Workers(
            store, clock, timing=timing, wakes=wakes, entropy=entropy
        )
        self.backfill = Backfill(
            store, clock, policies=self.policies, wakes=wakes, entropy=entropy
        )
        self.ledger = Ledger(store, clock)
        self.audit = Audit(store, clock)
        self.why = Why(store, clock, timing=timing)
        self.keys = Keys(store, clock, entropy=entropy)
        rework = self.edits.rework
        carrier = Carrier(store, edits=self.edits)
        self.tenants = Tenants(store, clock, wakes=wakes, rework=rework)
        self.profiles = Profiles(store, clock, rework=rework)
        self.groups = Groups(store, clock, wakes=wakes, carrier=carrier, rework=rework)
        self.idempotency = Idempotency(store, clock)
        self.events = Events(store, clock)
        self.webhooks = Webhooks(
            store, clock, wakes=wakes, rules=rules, entropy=entropy
        )
        #: What the ticker does on each tick, besides what it knows by itself.
        steps: list[Step] = [Hooks(store, wakes=wakes).step, carrier.step]
        holder = f"{os.getpid()}-{entropy(8).hex()}"
        rezoner = Rezoner(
            store,
            policies=self.policies,
            edits=self.edits,
            wakes=wakes,
            duty=DUTY,
            holder=holder,
        )
        self.departure = Departure(store, clock)
        self.arriving = Arriving(store, clock, entropy=entropy)
        self.releasing = Releasing(
            store,
            clock,
            wakes=wakes,
            materializer=materializer,
            follow=rezoner.follow,
        )
        self.ticker = Ticker(
            store,
            clock,
            timing=timing,
            wakes=wakes,
            materializer=materializer,
            reaper=Reaper(store, timing=timing, wakes=wakes),
            rezoner=rezoner,
            holder=holder,
            steps=steps,
        )
        self.dispatcher = Dispatcher(
            store, clock, wakes=wakes, rules=rules, holder=holder, fraction=fraction
        )
        self.chores = Chores(clock)
        self.chores.add(self._sweep)
        self.chores.add(Losses(store, clock, timing=timing).step)
        self.pruner = Pruner(store, policies=self.policies, wakes=wakes, holder=holder)
        self.chores.add(self.pruner.step)

    def start(self) -> None:
        """Join the other processes, of this host and of others, and start to tick."""
        self.wakes.open()
        self.ticker.start()
        self.chores.start()
        self.dispatcher.start()

    def stop(self) -> None:
        """Stop ticking, and leave."""
        self.dispatcher.stop()
        self.chores.stop()
        self.pruner.stop()
        self.ticker.stop()
        self.wakes.close()

    def stats(self, tenant: str | None) -> Stats:
        """Return the numbers of a tenant, or of all."""
        return self.store.stats(tenant, now=self.clock.now())

    def _sweep(self, _now: datetime) -> bool:
        self.keys.flush()
        self.idempotency.sweep()
        return False


def webhook_rules(allowed: Iterable[str]) -> Rules:
    """Return where webhooks may be sent, beside public addresses."""
    return Rules(allowed, whose="webhooks", setting="webhook_allow of [api]")
