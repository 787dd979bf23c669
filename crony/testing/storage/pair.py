"""Two stores side by side: what is done to both, and compared after some steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from crony import errors
from crony.model import ids
from crony.model.event import Event
from crony.model.lease import Holding
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import HELD, TRANSITIONS, Origin, RunState
from crony.storage.contract import Position, RunQuery, ScheduleQuery, Store
from crony.testing import factories
from crony.testing.clock import START

Answer = TypeVar("Answer")

TENANT = "default"
LEASE_TTL = timedelta(seconds=60)
AHEAD = timedelta(seconds=5)

#: After so many steps a look is taken at what changes with each, and after so many at
#: all that stays. To look takes many times as long as a step.
NEAR = 3
FAR = 6

NUMBERS = st.integers(min_value=0, max_value=30)


class Pair(RuleBasedStateMachine):
    """Two stores, and what their histories have met; ``stores`` makes the pair."""

    #: Set by the test: returns two empty, open stores.
    stores: Callable[[], tuple[Store, Store]]

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = type(self).stores()
        self.now = START
        self.count = 0
        self.steps = 0
        self.agreed = True
        self.workers: list[str] = []
        #: Schedules and runs that ever were, dead ones included.
        self.schedules: list[str] = []
        self.runs: list[str] = []
        #: Those that were pruned: a settled occurrence here may be made once more,
        #: which a service, who never goes behind a cursor, does not do.
        self.gone: set[str] = set()
        self.leased: list[tuple[str, Holding]] = []
        self.polls: dict[str, tuple[str, int]] = {}

    def teardown(self) -> None:
        try:
            # What differs was told already, and only that is to be told.
            if self.agreed:
                self.look_near()
                self.look_far()
        finally:
            self.first.close()
            self.second.close()

    def both(self, verb: Callable[[Store], Answer]) -> Answer | None:
        """Do the same in both stores; return what both answered."""
        answers = [_outcome(verb, store) for store in (self.first, self.second)]
        self.agreed = answers[0] == answers[1]
        assert answers[0] == answers[1]
        answer, refusal = answers[0]
        return answer if refusal is None else None

    def identity(self, prefix: str) -> str:
        """Return a new id, the same in each replay."""
        self.count += 1
        return ids.timed(prefix, START, entropy=self.count.to_bytes(ids.ENTROPY, "big"))

    def schedule(self, number: int) -> Schedule | None:
        """Return one of the schedules that exist."""
        page = self.first.schedules.page(TENANT, ScheduleQuery(), limit=99, after=None)
        return page.items[number % len(page.items)] if page.items else None

    def occurrence(self, schedule: Schedule, number: int, **changes: object) -> Run:
        """Return the run of the occurrence so many minutes after the start."""
        at = START + timedelta(seconds=10 * number)
        run = factories.make_run(schedule, scheduled_for=at, **changes)
        if run.id not in self.runs:
            self.runs.append(run.id)
        return run

    @rule(seconds=st.sampled_from([0.0015, 5, 10, 10, 20, 61]))
    def let_time_pass(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @invariant()
    def all_that_can_be_seen_is_the_same(self) -> None:
        self.steps += 1
        if self.steps % NEAR == 0:
            self.look_near()
        if self.steps % FAR == 0:
            self.look_far()

    def look_near(self) -> None:
        """Look at what there is now."""
        for look in self.looks():
            self.both(look)

    def look_far(self) -> None:
        """Look at all that stays."""
        for look in self.far_looks():
            self.both(look)
        self.check_events()

    def looks(self) -> Sequence[Callable[[Store], object]]:
        """Return what is looked at in both stores after every few steps."""
        return (self.see_schedules, self.see_runs, self.see_numbers)

    def far_looks(self) -> Sequence[Callable[[Store], object]]:
        """Return what is looked at only now and then, since it is much.

        It stays: what is wrong after a step is seen some steps later.
        """
        return (self.see_events, self.see_attempts, self.see_moving)

    def see_schedules(self, store: Store) -> list[object]:
        names = sorted(self.schedules)
        return [
            store.schedules.due(self.now, limit=3),
            store.schedules.earliest(),
            self.walk(store),
            store.schedules.named(TENANT, ["a", "b", "c", "none"]),
            *(
                store.schedules.page(TENANT, ScheduleQuery(sort=sort), limit=2, after=a)
                for sort in ("name", "next_run_at", "created_at")
                for a in (None,)
            ),
            store.schedules.page(
                TENANT, ScheduleQuery(failing=True), limit=9, after=None
            ),
            {k: list(v) for k, v in store.runs.recent(TENANT, names, limit=3).items()},
            # Of those of one instant none is first.
            {
                k: sorted(v, key=repr)
                for k, v in store.runs.errors(TENANT, names, limit=99).items()
            },
            {
                k: list(v)
                for k, v in store.runs.progress(TENANT, names, limit=3).items()
            },
        ]

    def walk(self, store: Store) -> list[Schedule]:
        """Return all schedules that have a cursor, met two by two."""
        met: list[Schedule] = []
        page, after = store.schedules.walk(limit=2, after=None)
        met.extend(page)
        while after is not None:
            page, after = store.schedules.walk(limit=2, after=after)
            met.extend(page)
        return met

    def see_runs(self, store: Store) -> list[object]:
        return [
            store.runs.page(TENANT, RunQuery(), limit=5, after=None),
            store.runs.page(TENANT, RunQuery(), limit=999, after=None),
            store.runs.page(TENANT, RunQuery(states=HELD), limit=5, after=None),
            store.workers.running(TENANT, self.workers),
        ]

    def see_attempts(self, store: Store) -> list[object]:
        return [
            [store.runs.find(TENANT, run) for run in self.runs],
            [store.logs.read(TENANT, run, attempt=1, after=0) for run in self.runs],
            [
                store.runs.page(TENANT, RunQuery(worker=name), limit=5, after=None)
                for name in self.workers
            ],
        ]

    def see_moving(self, store: Store) -> list[object]:
        """Return all that a move takes along, two by two."""
        met: list[object] = []
        for page in (store.moving.schedules, store.moving.runs):
            after: Position | None = None
            while True:
                found = page(TENANT, limit=2, after=after)
                met += found.items
                after = found.next
                if after is None:
                    break
        return met

    def see_numbers(self, store: Store) -> list[object]:
        return [
            store.leases.earliest(),
            store.stats(TENANT, now=self.now),
            store.stats(None, now=self.now),
            store.tenants.usage(TENANT),
            store.workers.page(TENANT, limit=9, after=None),
        ]

    def see_events(self, store: Store) -> object:
        """Return what was told of each thing; of many changed at once, none is first.

        What comes of one step in another order has other sequences.
        """
        told: dict[str, list[Event]] = {}
        for event in store.events.page(TENANT, after=0, limit=9999):
            told.setdefault(event.subject, []).append(replace(event, sequence=0))
        return told

    def check_events(self) -> None:
        """Every change of a run's state was told, and none is impossible."""
        told: dict[str, RunState] = {}
        for event in self.first.events.page(TENANT, after=0, limit=9999):
            if event.run is None or event.type not in _CHANGES:
                continue
            before, state = told.get(event.subject), event.run.state
            again = event.subject in self.gone
            assert before is None or again or state in TRANSITIONS[before]
            told[event.subject] = state
        for name in self.runs:
            run = self.first.runs.find(TENANT, name)
            assert run is None or told[name] is run.state

    @invariant()
    def no_schedule_has_more_in_hand_than_it_ever_allowed(self) -> None:
        if self.steps % NEAR:
            return
        page = self.first.runs.page(
            TENANT, RunQuery(states=HELD), limit=999, after=None
        )
        by_schedule: dict[str, int] = {}
        for run in page.items:
            if run.origin is not Origin.HOOK:
                by_schedule[run.schedule] = by_schedule.get(run.schedule, 0) + 1
        assert all(count <= 3 for count in by_schedule.values())


#: The events that a change of state leaves.
_CHANGES = frozenset(f"run.{state}" for state in RunState)


def _outcome(
    verb: Callable[[Store], Answer], store: Store
) -> tuple[Answer | None, str | None]:
    """Return what a verb answered, or how it refused."""
    try:
        return verb(store), None
    except errors.CronyError as refusal:
        return None, f"{type(refusal).__name__}: {refusal}"
