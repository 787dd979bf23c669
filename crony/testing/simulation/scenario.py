"""What a history is made of, drawn from chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crony.clock import MOMENT
from crony.model.hook import Hook, HookKind
from crony.model.policy import PolicySettings, RetriesSettings
from crony.model.schedule import Definition
from crony.model.state import AttemptState
from crony.model.trigger import At, Cron, Every, Trigger
from crony.scheduler.timing import Timing
from crony.testing.factories import make_definition
from crony.testing.simulation.network import Loss
from crony.testing.simulation.node import Rates
from crony.testing.simulation.tasks import Outcome
from crony.testing.simulation.world import START, World

SECOND = timedelta(seconds=1)
GROUPS = ("default", "tight")
PROFILES = ("calm", "keen")


@dataclass(slots=True)
class Scenario:
    """The facts of one history."""

    timing: Timing
    nodes: int
    #: Slots of each worker.
    workers: tuple[int, ...]
    schedules: int
    #: How long things go wrong.
    span: timedelta
    #: How long nobody ticks, once; zero for never.
    outage: timedelta
    rates: Rates
    loss: Loss
    idle: timedelta
    #: How often something happens, in s between.
    people: float
    deaths: float
    #: Whether the store's clock steps.
    steps: bool
    fails: float
    longest: float
    hangs: float
    #: Of all schedules: nothing is due after this.
    end_at: datetime = field(default=START)


def drawn(world: World) -> Scenario:
    """Draw a history."""
    chance = world.chance
    outage = world.between(11, 90) if world.happens(0.2) else timedelta()
    if outage and world.happens(0.3):
        outage = world.between(600, 100_000)
    span = world.between(20, 75)
    calm = world.happens(0.1)
    scenario = Scenario(
        timing=Timing(
            lease_ttl=chance.choice((8, 12, 20)) * SECOND,
            poll_wait=chance.choice((1, 3, 8)) * SECOND,
            lease_ahead=chance.choice((2, 5)) * SECOND,
        ),
        nodes=chance.randint(1, 3),
        workers=tuple(chance.randint(1, 3) for _ in range(chance.randint(1, 3))),
        schedules=chance.randint(1, 4),
        span=span,
        outage=outage,
        rates=Rates(
            crash=0 if calm else chance.choice((0, 0.003, 0.01)),
            unavailable=0 if calm else chance.choice((0, 0, 0.01)),
            stall=0 if calm else chance.choice((0, 0.01, 0.03)),
            longest=chance.choice((1, 15, 30)),
        ),
        loss=Loss(
            lost=0 if calm else chance.choice((0, 0.03, 0.15)),
            late=0 if calm else chance.choice((0, 0.05)),
            repeated=0 if calm else chance.choice((0, 0.05)),
            longest=chance.choice((2, 10, 30)),
        ),
        idle=chance.choice((1, 2, 4)) * SECOND,
        people=chance.choice((3, 8, 30)),
        deaths=chance.choice((10, 25, 1000)),
        steps=world.happens(0.2),
        fails=chance.choice((0, 0.2, 0.5)),
        longest=chance.choice((1, 5, 12)),
        hangs=chance.choice((0, 0.15, 0.5)),
    )
    scenario.end_at = START + span + outage
    return scenario


def trigger(world: World, scenario: Scenario) -> Trigger:
    """Draw when a schedule is due."""
    chance = world.chance
    kind = chance.random()
    if scenario.outage > timedelta(seconds=300):
        return Every(scenario.outage // chance.randint(5, 25) // MOMENT * MOMENT)
    if kind < 0.65:
        return Every(world.between(2, 20))
    if kind < 0.9:
        return Cron(f"*/{chance.choice((5, 10, 15, 20, 30))} * * * * *")
    return At(world.store_now.replace(microsecond=0) + world.between(3, 30))


def policy(world: World) -> PolicySettings:
    """Draw what a schedule sets of its policy."""
    chance = world.chance
    once = world.happens(0.15)
    retries = RetriesSettings(
        max=chance.randint(1, 3), backoff=world.between(0.1, 4), factor=2
    )
    return PolicySettings(
        max_runtime=chance.choice((None, 4 * SECOND)),
        grace=chance.choice((SECOND, 3 * SECOND)),
        max_concurrent=chance.choice((None, None, 2, 3)),
        on_overlap=chance.choice((None, "queue", "skip", "replace", "allow")),
        misfire=chance.choice((None, "all", "latest", "none")),
        misfire_window=chance.choice((None, None, 30 * SECOND)),
        retries=None if once or world.happens(0.5) else retries,
        priority=chance.choice((None, 0, 5, -5)),
        deadline=chance.choice((None, None, 3 * SECOND, 10 * SECOND)),
        preemptible=None if once else chance.choice((None, None, True)),
        delivery="at_most_once" if once else None,
    )


def hooks(world: World) -> Mapping[HookKind, Hook]:
    """Draw hooks, for one schedule in four."""
    if not world.happens(0.25):
        return {}
    task = {"command": ["true"]}
    every = {
        HookKind.ERROR: Hook(task=task),
        HookKind.SUCCESS: Hook(task=task),
        HookKind.PROGRESS: Hook(task=task, interval=world.between(1, 4)),
    }
    return {kind: hook for kind, hook in every.items() if world.happens(0.6)}


def definition(world: World, scenario: Scenario, number: int) -> Definition:
    """Draw a schedule."""
    chance = world.chance
    when = trigger(world, scenario)
    return make_definition(
        name=f"schedule-{number}",
        trigger=when,
        end_at=None if isinstance(when, At) else scenario.end_at,
        max_runs=chance.randint(1, 6) if world.happens(0.15) else None,
        jitter=world.between(0, 3) if world.happens(0.2) else timedelta(),
        queue=chance.choice(("default", "default", "other")),
        group=chance.choice(GROUPS),
        profile=chance.choice((None, None, *PROFILES)),
        policy=policy(world),
        hooks=hooks(world),
    )


def outcome(world: World, scenario: Scenario) -> Outcome:
    """Draw how a task ends, and when."""
    fails = world.happens(scenario.fails)
    lasts = world.between(0.01, scenario.longest if world.happens(0.3) else 1)
    if world.happens(scenario.hangs):
        # Longer than its lease, if nobody prolongs that.
        lasts = scenario.timing.lease_ttl * world.chance.uniform(0.8, 3)
    return Outcome(
        AttemptState.FAILED if fails else AttemptState.SUCCEEDED,
        lasts=lasts,
        tardiness=world.chance.random(),
    )
